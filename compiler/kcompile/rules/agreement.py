"""A spec and its secrets file must agree. Needs no secret: the public part says enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from kcompile import hostkeys, names, pki, timefmt
from kcompile.errors import Path, Problem, Severity
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import Leaf, signs_elsewhere, stored_leaves
from kcompile.manifest import ClusterSecrets, LeafKey
from kcompile.rules.places import node_recipients
from kcompile.secret import Secret

CERTIFICATE = "certificate"
"""The first item of the path of a problem with a certificate beside the spec; the second is its leaf's name.

In a hint, SPEC stands for the spec's file."""
_SOON = timedelta(days=30)
_UPDATE = "`kcompile secrets update SPEC` adds what a spec needs and its secrets file lacks"


def _leaf_entries(secrets: ClusterSecrets) -> dict[str, LeafKey]:
    return {entry.name: entry for entry in secrets.leaf_keys}


def _elsewhere(cluster: ResolvedCluster, secrets: ClusterSecrets) -> list[Leaf]:
    """The leaves whose authority signs elsewhere."""
    return [leaf for leaf in stored_leaves(cluster, secrets) if signs_elsewhere(secrets, leaf.authority)]


def tokens_have_secrets(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Each token's secret half is there."""
    for index, token in enumerate(cluster.cluster.spec.bootstrap_tokens):
        if not any(entry.id == token.id and entry.secret is not None for entry in secrets.bootstrap_tokens):
            message = f"the secrets file has no secret for token {token.id}"
            yield Problem("K0911", message, ("spec", "bootstrapTokens", index, "id"), _UPDATE)


def etcd_has_an_authority(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """A local etcd has an authority of its own."""
    if cluster.has_local_etcd and not secrets.authorities.etcd:
        hint = "a secrets file made for an external etcd has none: make a new one, or keep etcd external"
        yield Problem("K0912", "the secrets file has no etcd authority", ("spec", "etcd"), hint)


def leaves_are_signed(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What an authority elsewhere signs has come back signed."""
    known = _leaf_entries(secrets)
    unsigned = [
        leaf
        for leaf in _elsewhere(cluster, secrets)
        if leaf.key_name not in known or known[leaf.key_name].certificate is None
    ]
    if unsigned:
        message = f"its key is not in the secrets file, and there is no certificate for {_some(unsigned)}"
        hint = "`kcompile csr SPEC` writes what is to be signed; put what was signed beside it as NAME.crt"
        yield Problem("K0913", f"the {unsigned[0].authority} authority: {message}", ("spec", "pki"), hint)


def stored_keys_are_of_the_type(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Stored keys are of the type that the spec asks for."""
    known, algorithm = _leaf_entries(secrets), cluster.cluster.spec.key_algorithm
    stale = [
        leaf
        for leaf in stored_leaves(cluster, secrets)
        if leaf.key_name in known and _is_of_another_kind(known[leaf.key_name], algorithm)
    ]
    if stale:
        message = f"the secrets file has a key of another type for {_some(stale)}"
        hint = "remove its entries in leafKeys with `sops edit`, then `kcompile secrets update` makes new ones"
        yield Problem("K0914", message, ("spec", "pki", "encryptionAlgorithm"), hint)


def joining_nodes_are_signed_for(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """A node that joins by token asks the controller manager to sign, which needs the authority's key."""
    if signs_elsewhere(secrets, "kubernetes"):
        for index, pool in enumerate(cluster.cluster.spec.node_pools):
            if any((node.credentials or pool.credentials) == "bootstrapToken" for node in pool.nodes):
                message = "its nodes join by bootstrap token, and nothing in the cluster can sign their certificates"
                yield Problem("K0915", message, ("spec", "nodePools", index), "set credentials: issued")


def stored_keys_are_there(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Keys that cannot be derived stand in the secrets file."""
    known, algorithm = _leaf_entries(secrets), cluster.cluster.spec.key_algorithm
    missing = [
        leaf
        for leaf in stored_leaves(cluster, secrets)
        if not signs_elsewhere(secrets, leaf.authority)
        and (leaf.key_name not in known or known[leaf.key_name].key is None)
    ]
    if missing:
        message = f"{algorithm} keys cannot be derived, and the secrets file has none for {_some(missing)}"
        yield Problem("K0916", message, ("spec", "pki", "encryptionAlgorithm"), _UPDATE)


def signed_leaves_fit(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What came back signed is what was asked for."""
    known = _leaf_entries(secrets)
    for leaf in _elsewhere(cluster, secrets):
        entry = known.get(leaf.key_name)
        if entry is not None and entry.certificate is not None:
            for fault in _faults(leaf, entry, secrets):
                hint = f"have {leaf.key_name}.csr signed again, or write it anew with `kcompile csr SPEC`"
                yield Problem("K0917", f"the certificate {fault}", (CERTIFICATE, leaf.key_name), hint)


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
    if pki.is_chain(entry.certificate or ""):
        return ["holds more than one certificate: only its own belongs there, and none of an authority"]
    found = pki.faults(certificate, leaf.request, pki.load_certificate(active.certificate))
    if isinstance(entry.key, Secret):
        key = pki.load_private_key(entry.key)
        if not pki.same_public_key(key.public_key(), certificate.public_key()):
            found.append("does not belong to its key")
    return found


def clusters_are_the_same(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """A secrets file goes with one cluster."""
    name = secrets.metadata.get("name")
    if name != cluster.name:
        message = f"the secrets file belongs to the cluster {name}"
        yield Problem("K0918", message, ("metadata", "name"), "use its name, or make a secrets file for this one")


def authorities_are_valid(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Certificates are issued while their authority is valid."""
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
        yield Problem("K0706", f"{which} valid only from {span}", ("spec", "pki", "issuedAt"), hint)


def authorities_outlive(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """A warning about certificates that end with their authority."""
    spec = cluster.cluster.spec.pki
    issued = timefmt.parse_timestamp(spec.issued_at)
    _, wanted = pki.validity(issued, timefmt.timedelta_of(spec.certificate_validity_period))
    ending: dict[str, list[str]] = {}
    for row in pki.AUTHORITIES:
        for entry in secrets.authorities.named(row.name):
            ends = pki.load_certificate(entry.certificate).not_valid_after_utc
            if entry.state == "active" and entry.key is not None and issued < ends < wanted:
                ending.setdefault(timefmt.format_timestamp(ends), []).append(row.name)
    for when, found in ending.items():
        which = f"the {found[0]} authority ends" if len(found) == 1 else f"the authorities {', '.join(found)} end"
        message = f"{which} on {when}, and the certificates with {'it' if len(found) == 1 else 'them'}"
        hint = "it is time for new authorities"
        yield Problem("K0707", message, ("spec", "pki", "issuedAt"), hint, Severity.WARNING)


def signed_leaves_last(cluster: ResolvedCluster, secrets: ClusterSecrets, now: datetime) -> Iterator[Problem]:
    """Warnings about certificates signed elsewhere that are not valid yet, or not for much longer."""
    known = _leaf_entries(secrets)
    for leaf in _elsewhere(cluster, secrets):
        found = known[leaf.key_name].certificate if leaf.key_name in known else None
        if found is None:
            continue
        certificate = pki.load_certificate(found)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if begins > now or ends - now < _SOON:
            when = f"from {timefmt.format_timestamp(begins)} to {timefmt.format_timestamp(ends)}"
            message = f"the certificate is valid {when}"
            hint = f"have {leaf.key_name}.csr signed again"
            yield Problem("K0708", message, (CERTIFICATE, leaf.key_name), hint, Severity.WARNING)


def host_keys_are_there(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """What is sealed for a node that has a recipient has a data key of its own."""
    known = {entry.node for entry in secrets.host_recipients}
    for path, node, _ in node_recipients(cluster.cluster):
        if node not in known:
            message = f"{node} has a recipient of its own, and the secrets file has no key for it"
            yield Problem("K0924", message, path, _UPDATE)


def host_keys_are_sealed_for_the_right(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """The data key of a node opens for its recipient and spec.secrets.recipients: for all of them, and nobody else."""
    entries = {entry.node: entry for entry in secrets.host_recipients}
    wanted = hostkeys.wanted(cluster)
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[Path, str]]] = {}
    for path, node, _ in node_recipients(cluster.cluster):
        if node in entries:
            missing, gone = hostkeys.difference(entries[node], wanted[node])
            if missing or gone:
                alike.setdefault((missing, gone), []).append((path, node))
    for (missing, gone), nodes in alike.items():
        path, node = nodes[0]
        which = f"the key of {node}" if len(nodes) == 1 else f"the keys of {node} and {len(nodes) - 1} more"
        verb = "is" if len(nodes) == 1 else "are"
        parts = [f"{verb} not sealed for {', '.join(missing)}"] if missing else []
        parts += [f"{verb} still sealed for {', '.join(gone)}"] if gone else []
        hint = "`kcompile secrets update` seals for who is missing, and makes a new key where someone is no longer one"
        yield Problem("K0925", f"in the secrets file {which} {', and '.join(parts)}", path, hint)


def host_keys_are_needed(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Warnings about data keys of nodes that are gone, or have no recipient any more."""
    needed = hostkeys.wanted(cluster)
    unneeded = [entry.node for entry in secrets.host_recipients if entry.node not in needed]
    if unneeded:
        which = ", ".join(unneeded)
        message = f"the secrets file has a key for {which}, and the spec no such node with a recipient"
        hint = "if a name or a recipient was lost, restore it; else `kcompile secrets update` removes what is too much"
        yield Problem("K0926", message, ("spec",), hint, Severity.WARNING, at_key=True)


def recipients_agree(cluster: ResolvedCluster, sealed_for: tuple[str, ...]) -> Iterator[Problem]:
    """Who can open the secrets file, against who should. An error where hosts have keys, which follow the spec."""
    wanted = set(map(names.bare_recipient, cluster.cluster.spec.secrets.recipients))
    found = set(map(names.bare_recipient, sealed_for))
    if wanted != found:
        missing, extra = sorted(wanted - found), sorted(found - wanted)
        parts = [f"not sealed for {', '.join(missing)}"] * bool(missing) + [f"sealed for {', '.join(extra)}"] * bool(
            extra
        )
        message = f"the secrets file is {', and is '.join(parts)}"
        hint = "bring the two together with `sops updatekeys`, which reads .sops.yaml"
        severity = Severity.ERROR if hostkeys.wanted(cluster) else Severity.WARNING
        yield Problem("K0919", message, ("spec", "secrets", "recipients"), hint, severity)


Rule = Callable[[ResolvedCluster, ClusterSecrets], Iterator[Problem]]
CONTRADICTIONS: tuple[Rule, ...] = (clusters_are_the_same, authorities_are_valid)
"""What the two say differently."""
LACKS: tuple[Rule, ...] = (
    tokens_have_secrets,
    etcd_has_an_authority,
    leaves_are_signed,
    stored_keys_are_of_the_type,
    joining_nodes_are_signed_for,
    stored_keys_are_there,
    signed_leaves_fit,
    host_keys_are_there,
    host_keys_are_sealed_for_the_right,
)
"""What the spec needs and the secrets file does not have."""


def doubts(
    cluster: ResolvedCluster, secrets: ClusterSecrets, sealed_for: tuple[str, ...], now: datetime
) -> Iterator[Problem]:
    """Warnings about the two together."""
    yield from (p for p in recipients_agree(cluster, sealed_for) if p.severity is Severity.WARNING)
    yield from host_keys_are_needed(cluster, secrets)
    yield from authorities_outlive(cluster, secrets)
    yield from signed_leaves_last(cluster, secrets, now)
