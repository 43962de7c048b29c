"""The data keys of hosts that have a recipient of their own: who can open them, and what the secrets file lacks.

Such a key is random, made once, and kept in the secrets file beside the age envelopes that a build repeats in the
host's sealed files. docs/adr/0013 states why.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kcompile import age, names, sops
from kcompile.errors import Path, Problem, SpecError
from kcompile.hosts import ResolvedCluster
from kcompile.manifest import ClusterSecrets, HostRecipients
from kcompile.secret import Secret

Recipients = tuple[str, ...]


def wanted(cluster: ResolvedCluster) -> dict[str, Recipients]:
    """Who is to open the files of each host that has a recipient: that, and spec.secrets.recipients. Without comments.

    By the host's name, in the hosts' order.
    """
    everywhere = tuple(map(names.bare_recipient, cluster.cluster.spec.secrets.recipients))
    return {
        host.name: tuple(dict.fromkeys((names.bare_recipient(host.recipient), *everywhere)))
        for host in cluster.hosts
        if host.recipient is not None
    }


def of_hosts(cluster: ResolvedCluster, secrets: ClusterSecrets) -> list[HostRecipients]:
    """The entries of hosts that have a recipient."""
    hosts = wanted(cluster)
    return [entry for entry in secrets.host_recipients if entry.node in hosts]


def sealed_for(entry: HostRecipients) -> Recipients:
    """Who can open an entry's key, without comments."""
    return tuple(names.bare_recipient(envelope.recipient) for envelope in entry.envelopes)


def difference(entry: HostRecipients, recipients: Recipients) -> tuple[Recipients, Recipients]:
    """Whom an entry's key is to be sealed for and is not; whom it is sealed for and is not to be."""
    found = sealed_for(entry)
    return tuple(r for r in recipients if r not in found), tuple(r for r in found if r not in recipients)


def data_key(entry: HostRecipients) -> Secret:
    """An entry's key: the SOPS data key of the host's sealed files. Raises ValueError when it is none."""
    if not isinstance(entry.key, Secret):
        raise ValueError("there is no key")
    try:
        key = base64.b64decode(entry.key.reveal(), validate=True)
    except binascii.Error:
        raise ValueError("must be base64 of 32 bytes") from None
    if len(key) != 32:
        raise ValueError("must be base64 of 32 bytes")
    return Secret(key)


def envelopes(entry: HostRecipients) -> tuple[sops.Envelope, ...]:
    """An entry's envelopes, as they stand in the host's sealed files."""
    return tuple(sops.Envelope(envelope.recipient, envelope.enc) for envelope in entry.envelopes)


def _proof(cluster: str, node: str, key: Secret, sealed: Sequence[sops.Envelope]) -> str:
    """An HMAC, under a key derived from the host's data key, of what belongs together. It can be public."""
    secret = HKDF(SHA256(), 32, salt=None, info=b"kcompile.dev/v1 host envelopes").derive(key.reveal())
    parts = [cluster, node, *(part for envelope in sealed for part in (envelope.recipient, envelope.enc))]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in map(str.encode, parts))
    return base64.b64encode(hmac.digest(secret, message, "sha256")).decode()


def faults(secrets: ClusterSecrets) -> Iterator[tuple[Path, str]]:
    """In what entries do not hold together, by path in the secrets file. Without keys, what can be seen without."""
    seen: set[str] = set()
    for index, entry in enumerate(secrets.host_recipients):
        where: Path = ("hostRecipients", index)
        if entry.node in seen:
            yield (*where, "node"), f"{entry.node} is there already"
        seen.add(entry.node)
        found = [*_faults_of_envelopes(entry), *_faults_of_key(entry)]
        if not found and isinstance(entry.key, Secret):
            expected = _proof(secrets.metadata.get("name", ""), entry.node, data_key(entry), envelopes(entry))
            if not hmac.compare_digest(expected.encode(), entry.proof.encode()):
                message = (
                    "its node, key and envelopes do not belong together: one is missing, another's, or was changed"
                )
                found = [((), message)]
        for path, message in found:
            yield (*where, *path), f"of {entry.node}: {message}"


def _faults_of_envelopes(entry: HostRecipients) -> Iterator[tuple[Path, str]]:
    recipients = sealed_for(entry)
    for number, envelope in enumerate(entry.envelopes):
        if not age.is_envelope(envelope.enc):
            yield ("envelopes", number, "enc"), "is not an armored age file"
        if recipients.index(recipients[number]) != number:
            yield ("envelopes", number, "recipient"), "is there already"


def _faults_of_key(entry: HostRecipients) -> Iterator[tuple[Path, str]]:
    if entry.key is None:
        yield (), "there is no key"
    elif isinstance(entry.key, Secret):
        try:
            data_key(entry)
        except ValueError as error:
            yield ("key",), str(error)


# --- making them ----------------------------------------------------------------------------------


@dataclass
class Plan:
    """What is to be done to the entries, and how to say it."""

    changed: dict[int, sops.Entry | None] = field(default_factory=dict)
    """Entries by index; None where one is to go."""
    added: list[sops.Entry] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shuts_out: bool = False
    """Someone who could open the whole secrets file can no longer."""


def _envelope(cluster: ResolvedCluster, node: str, recipient: str, key: Secret) -> sops.Envelope:
    try:
        return sops.Envelope(recipient, age.encrypt(key, recipient))
    except age.AgeError as error:
        raise SpecError(Problem("K0921", f"{node}: {error}", _place(cluster, node, recipient))) from None


def _place(cluster: ResolvedCluster, node: str, recipient: str) -> Path:
    """Where the spec has a recipient of a node's files."""
    spec = cluster.cluster.spec
    for index, text in enumerate(spec.secrets.recipients):
        if names.bare_recipient(text) == recipient:
            return "spec", "secrets", "recipients", index
    for index, host in enumerate(spec.control_plane.nodes):
        if host.name == node:
            return "spec", "controlPlane", "nodes", index, "recipient"
    return next(
        ("spec", "nodePools", number, "nodes", index, "recipient")
        for number, pool in enumerate(spec.node_pools)
        for index, worker in enumerate(pool.nodes)
        if worker.name == node
    )


def _entry(cluster: ResolvedCluster, node: str, key: Secret, sealed: Sequence[sops.Envelope]) -> sops.Entry:
    return {
        "node": node,
        "key": Secret(base64.b64encode(key.reveal())),
        "envelopes": [{"recipient": envelope.recipient, "enc": envelope.enc} for envelope in sealed],
        "proof": _proof(cluster.name, node, key, sealed),
    }


def new(cluster: ResolvedCluster, node: str, recipients: Recipients) -> sops.Entry:
    """An entry with a new, random key. Raises SpecError when one of the recipients cannot be sealed for."""
    key = sops.new_data_key()
    return _entry(cluster, node, key, [_envelope(cluster, node, recipient, key) for recipient in recipients])


def plan(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Plan:
    """What makes the entries right. Who only came gets an envelope; where someone went, the key is a new one."""
    lacking = wanted(cluster)
    found = Plan()
    for index, entry in enumerate(secrets.host_recipients):
        recipients = lacking.pop(entry.node, None)
        if recipients is None:
            found.changed[index] = None
            found.said.append(f"removed the key of {entry.node}")
            continue
        missing, gone = difference(entry, recipients)
        if gone:
            found.changed[index] = new(cluster, entry.node, recipients)
            found.said.append(
                f"made a new key for {entry.node}: {', '.join(gone)} opens none of its files from here on"
            )
            found.shuts_out |= len(gone) > (recipients[0] in missing)  # more than the node's own key, replaced
        elif missing:
            key = data_key(entry)
            more = [_envelope(cluster, entry.node, recipient, key) for recipient in missing]
            found.changed[index] = _entry(cluster, entry.node, key, [*envelopes(entry), *more])
            found.said.append(f"sealed the key of {entry.node} for {', '.join(missing)}")
    for node, recipients in lacking.items():
        found.added.append(new(cluster, node, recipients))
        found.said.append(f"added a key for {node}")
    return found
