"""A spec and its secrets file must agree. Needs no secret: the public part says enough."""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import pki, timefmt
from kcompile.errors import Problem, Severity
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import leaves
from kcompile.manifest import ClusterSecrets

_UPDATE = "kcompile secrets update adds what a spec needs and its secrets file lacks"


def lacking(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What the spec needs and the secrets file does not have."""
    for index, token in enumerate(cluster.cluster.spec.bootstrap_tokens):
        if not any(entry.id == token.id and entry.secret is not None for entry in secrets.bootstrap_tokens):
            message = f"the secrets file has no secret for token {token.id}"
            yield Problem(message, ("spec", "bootstrapTokens", index, "id"), _UPDATE)
    if cluster.has_local_etcd and not secrets.authorities.etcd:
        yield Problem("the secrets file has no etcd authority", ("spec", "etcd"))
    algorithm = cluster.cluster.spec.pki.encryption_algorithm
    if not pki.is_derivable(algorithm):
        known = {entry.name for entry in secrets.leaf_keys if entry.key is not None}
        missing = [leaf.key_name for leaf in leaves(cluster) if leaf.key_name not in known]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            message = f"{algorithm} keys cannot be derived, and the secrets file has none for {missing[0]}{more}"
            yield Problem(message, ("spec", "pki", "encryptionAlgorithm"), _UPDATE)


def contradictions(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What the two say differently."""
    name = secrets.metadata.get("name")
    if name != cluster.name:
        message = f"the secrets file belongs to the cluster {name}"
        yield Problem(message, ("metadata", "name"), "use its name, or make a secrets file for this one")
    issued = timefmt.parse_timestamp(cluster.cluster.spec.pki.issued_at)
    for row in pki.AUTHORITIES:
        if row.name == "etcd" and not cluster.has_local_etcd:
            continue
        for entry in secrets.authorities.named(row.name):
            certificate = pki.load_certificate(entry.certificate)
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            if entry.state == "active" and not begins <= issued < ends:
                span = f"{timefmt.format_timestamp(begins)} to {timefmt.format_timestamp(ends)}"
                message = f"the {row.name} authority is valid only from {span}"
                yield Problem(message, ("spec", "pki", "issuedAt"))


def recipients(cluster: ResolvedCluster, sealed_for: tuple[str, ...]) -> Iterator[Problem]:
    """Who can open the secrets file, against who should."""
    wanted = set(cluster.cluster.spec.secrets.recipients)
    if wanted != set(sealed_for):
        missing = sorted(wanted - set(sealed_for))
        extra = sorted(set(sealed_for) - wanted)
        parts = [f"not for {', '.join(missing)}"] * bool(missing) + [f"also for {', '.join(extra)}"] * bool(extra)
        message = f"the secrets file is sealed {' and '.join(parts)}"
        hint = "bring the two together with `sops updatekeys`, which reads .sops.yaml"
        yield Problem(message, ("spec", "secrets", "recipients"), hint, Severity.WARNING)
