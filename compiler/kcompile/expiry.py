"""When certificates and tokens end, read from what is committed; no key is needed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from kcompile import pki, store, timefmt
from kcompile.artifact import MANIFEST
from kcompile.errors import Position, Problem, SpecError
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import leaves
from kcompile.manifest import ClusterSecrets

_ON_HOST = re.compile(r"hosts/([^/]+)/(rootfs|sealed)(/.*)")
_CLIENT_DATA = "client-certificate-data"


@dataclass(frozen=True, slots=True, order=True)
class Expiry:
    """One thing that ends, or never does: what it is (authority, certificate or token), and where."""

    ends: datetime | None
    kind: str
    name: str
    """A file's path on its host, the id of a token, an authority and its state."""
    host: str = ""
    """The host; of the operator's kubeconfigs and of what belongs to the whole cluster, nothing."""

    def days(self, now: datetime) -> int | None:
        """Whole days that are left, negative once it has ended."""
        return None if self.ends is None else (self.ends - now).days


def of_cluster(cluster: ResolvedCluster, secrets: ClusterSecrets, root: Path) -> tuple[Expiry, ...]:
    """What ends in a cluster: its authorities and tokens, and the certificates in its tree; the soonest first.

    A certificate in a sealed file that shows nothing of it (the kubelet's, beside its key) is taken to live as the spec
    says. Raises SpecError when there is no tree.
    """
    found = [*_authorities(secrets), *_tokens(cluster), *_in_tree(root), *_sealed(cluster, secrets)]
    return tuple(sorted(set(found), key=lambda e: (e.ends is None, e.ends or 0, e.kind, e.name, e.host)))


def _authorities(secrets: ClusterSecrets) -> Iterator[Expiry]:
    for row in pki.AUTHORITIES:
        for entry in secrets.authorities.named(row.name):
            ends = pki.load_certificate(entry.certificate).not_valid_after_utc
            yield Expiry(ends, "authority", f"{row.name} ({entry.state})")


def _tokens(cluster: ResolvedCluster) -> Iterator[Expiry]:
    for token in cluster.cluster.spec.bootstrap_tokens:
        ends = timefmt.parse_timestamp(token.expires) if token.expires is not None else None
        yield Expiry(ends, "token", token.id)


def _in_tree(root: Path) -> Iterator[Expiry]:
    files: Any = store.load_json(root, MANIFEST).get("files")
    for file in files if isinstance(files, list) else ():
        path = str(file.get("path")) if isinstance(file, dict) else ""
        on_host = _ON_HOST.fullmatch(path)
        is_kubeconfig = path.endswith(".conf") and (on_host is None or on_host[2] == "sealed")
        if not (is_kubeconfig or path.endswith(".crt")):
            continue
        host, name = (on_host[1], on_host[3]) if on_host else ("", path)
        content = store.read(root, path, str(file.get("sha256")))
        for pem in _certificates(content, is_kubeconfig=is_kubeconfig):
            try:
                certificate = pki.load_certificate(pem)
            except ValueError:
                message = "holds no certificate that can be read"
                raise SpecError(Problem("K1015", message, position=Position(str(root / path), 1, 1))) from None
            if not pki.is_authority(certificate):
                yield Expiry(certificate.not_valid_after_utc, "certificate", name, host)


def _certificates(content: bytes, *, is_kubeconfig: bool) -> list[str]:
    """The leaf certificates in a file, as PEM: a certificate's own, or the client's in a kubeconfig."""
    if not is_kubeconfig:
        return [content.decode("utf-8", "replace")]
    document = yaml.load(content, Loader=yaml.CSafeLoader)
    users = [entry.get("user") or {} for entry in document.get("users") or ()]
    return [base64.b64decode(user[_CLIENT_DATA]).decode() for user in users if _CLIENT_DATA in user]


def _sealed(cluster: ResolvedCluster, secrets: ClusterSecrets) -> Iterator[Expiry]:
    """The kubelets' client certificates, whose file is sealed as a whole."""
    spec = cluster.cluster.spec.pki
    _, wanted = pki.validity(
        timefmt.parse_timestamp(spec.issued_at), timefmt.timedelta_of(spec.certificate_validity_period)
    )
    signed = {entry.name: entry.certificate for entry in secrets.leaf_keys if entry.certificate}
    for leaf in leaves(cluster):
        if leaf.name != "kubelet-client":
            continue
        authority = next(a for a in secrets.authorities.named(leaf.authority) if a.state == "active")
        ends = min(wanted, pki.load_certificate(authority.certificate).not_valid_after_utc)
        if leaf.key_name in signed:
            ends = pki.load_certificate(signed[leaf.key_name]).not_valid_after_utc
        yield Expiry(ends, "certificate", "/var/lib/kubelet/pki/kubelet-client-current.pem", leaf.host)
