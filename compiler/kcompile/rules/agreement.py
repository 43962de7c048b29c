"""A spec and its secrets file must agree. Needs no secret: the public part says enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kcompile import pki, timefmt
from kcompile.errors import Problem, Severity
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import Leaf, signs_elsewhere, stored_leaves
from kcompile.manifest import ClusterSecrets, LeafKey
from kcompile.secret import Secret

_SOON = timedelta(days=30)
_UPDATE = "kcompile secrets update adds what a spec needs and its secrets file lacks"


def lacking(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What the spec needs and the secrets file does not have."""
    for index, token in enumerate(cluster.cluster.spec.bootstrap_tokens):
        if not any(entry.id == token.id and entry.secret is not None for entry in secrets.bootstrap_tokens):
            message = f"the secrets file has no secret for token {token.id}"
            yield Problem(message, ("spec", "bootstrapTokens", index, "id"), _UPDATE)
    if cluster.has_local_etcd and not secrets.authorities.etcd:
        yield Problem("the secrets file has no etcd authority", ("spec", "etcd"))
    known = {entry.name: entry for entry in secrets.leaf_keys}
    stored = stored_leaves(cluster, secrets)
    elsewhere = [leaf for leaf in stored if signs_elsewhere(secrets, leaf.authority)]
    unsigned = [leaf for leaf in elsewhere if leaf.key_name not in known or known[leaf.key_name].certificate is None]
    if unsigned:
        message = f"its key is not in the secrets file, and there is no certificate for {_some(unsigned)}"
        hint = "`kcompile csr` writes what is to be signed; put what was signed beside it as NAME.crt"
        yield Problem(f"the {unsigned[0].authority} authority: {message}", ("spec", "pki"), hint)
    keyless = [leaf for leaf in stored if leaf not in elsewhere]
    algorithm = cluster.cluster.spec.key_algorithm
    stale = [leaf for leaf in stored if leaf.key_name in known and _is_of_another_kind(known[leaf.key_name], algorithm)]
    if stale:
        message = f"the secrets file has a key of another type for {_some(stale)}"
        hint = "remove its entries in leafKeys with `sops edit`, then `kcompile secrets update` makes new ones"
        yield Problem(message, ("spec", "pki", "encryptionAlgorithm"), hint)
    if signs_elsewhere(secrets, "kubernetes"):
        for index, pool in enumerate(cluster.cluster.spec.node_pools):
            if any((node.credentials or pool.credentials) == "bootstrapToken" for node in pool.nodes):
                message = "its nodes join by bootstrap token, and nothing in the cluster can sign their certificates"
                yield Problem(message, ("spec", "nodePools", index), "set credentials: issued")
    missing = [leaf for leaf in keyless if leaf.key_name not in known or known[leaf.key_name].key is None]
    if missing:
        message = f"{algorithm} keys cannot be derived, and the secrets file has none for {_some(missing)}"
        yield Problem(message, ("spec", "pki", "encryptionAlgorithm"), _UPDATE)
    for leaf in elsewhere:
        entry = known.get(leaf.key_name)
        if entry is not None and entry.certificate is not None:
            for fault in _faults(leaf, entry, secrets):
                hint = f"have {leaf.key_name}.csr signed again, or write it anew with `kcompile csr`"
                yield Problem(f"the certificate {leaf.key_name}.crt {fault}", ("spec", "pki"), hint)


def _is_of_another_kind(entry: LeafKey, algorithm: str) -> bool:
    return isinstance(entry.key, Secret) and pki.algorithm_of(pki.load_private_key(entry.key)) != algorithm


def _some(leaves: list[Leaf]) -> str:
    more = f" and {len(leaves) - 1} more" if len(leaves) > 1 else ""
    return f"{leaves[0].key_name}{more}"


def _faults(leaf: Leaf, entry: LeafKey, secrets: ClusterSecrets) -> list[str]:
    """In what a certificate signed elsewhere does not fit the leaf, its key or its authority."""
    active = next(a for a in secrets.authorities.named(leaf.authority) if a.state == "active")
    try:
        certificate = pki.load_certificate(entry.certificate or "")
    except ValueError:
        return ["is not a PEM certificate"]
    found = pki.faults(certificate, leaf.request, pki.load_certificate(active.certificate))
    if isinstance(entry.key, Secret):
        key = pki.load_private_key(entry.key)
        if not pki.same_public_key(key.public_key(), certificate.public_key()):
            found.append("does not belong to its key")
    return found


def contradictions(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What the two say differently."""
    name = secrets.metadata.get("name")
    if name != cluster.name:
        message = f"the secrets file belongs to the cluster {name}"
        yield Problem(message, ("metadata", "name"), "use its name, or make a secrets file for this one")
    issued = timefmt.parse_timestamp(cluster.cluster.spec.pki.issued_at)
    outside: dict[str, list[str]] = {}
    for row in pki.AUTHORITIES:
        if row.name == "etcd" and not cluster.has_local_etcd:
            continue
        for entry in secrets.authorities.named(row.name):
            certificate = pki.load_certificate(entry.certificate)
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            if entry.state == "active" and not begins <= issued < ends:
                span = f"{timefmt.format_timestamp(begins)} to {timefmt.format_timestamp(ends)}"
                outside.setdefault(span, []).append(row.name)
    for span, found in outside.items():
        which = f"the {found[0]} authority is" if len(found) == 1 else f"the authorities {', '.join(found)} are"
        hint = "choose a date between, early enough for the certificates to end before"
        yield Problem(f"{which} valid only from {span}", ("spec", "pki", "issuedAt"), hint)


def lifetimes(cluster: ResolvedCluster, secrets: ClusterSecrets, now: datetime) -> Iterator[Problem]:
    """Warnings about certificates that end with their authority, and about those signed elsewhere and when they end."""
    spec = cluster.cluster.spec.pki
    issued = timefmt.parse_timestamp(spec.issued_at)
    _, wanted = pki.validity(issued, timefmt.timedelta_of(spec.certificate_validity_period))
    for row in pki.AUTHORITIES:
        for entry in secrets.authorities.named(row.name):
            ends = pki.load_certificate(entry.certificate).not_valid_after_utc
            if entry.state == "active" and entry.key is not None and issued < ends < wanted:
                message = (
                    f"the {row.name} authority ends on {timefmt.format_timestamp(ends)}, and its certificates with it"
                )
                yield Problem(message, ("spec", "pki", "issuedAt"), "it is time for a new authority", Severity.WARNING)
    for leaf in stored_leaves(cluster, secrets):
        found = next((e.certificate for e in secrets.leaf_keys if e.name == leaf.key_name), None)
        if found is None or not signs_elsewhere(secrets, leaf.authority):
            continue
        certificate = pki.load_certificate(found)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if begins > now or ends - now < _SOON:
            when = f"from {timefmt.format_timestamp(begins)} to {timefmt.format_timestamp(ends)}"
            message = f"the certificate {leaf.key_name}.crt is valid {when}"
            hint = f"have {leaf.key_name}.csr signed again"
            yield Problem(message, ("spec", "pki"), hint, Severity.WARNING)


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
