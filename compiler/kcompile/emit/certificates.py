"""The PKI below certificatesDir: authorities, leaves, and the service-account key pair.

Outputs on a control-plane host: ca, front-proxy-ca and etcd/ca (.crt, .key), the leaves of
:data:`kcompile.pki.CERTIFICATES`, sa.key and sa.pub. On a worker: ca.crt alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import pki
from kcompile.artifact import PRIVATE_MODE, Artifact, SealedBinary
from kcompile.hosts import SIGNING_CERTIFICATE, ResolvedCluster
from kcompile.keyring import Keyring, control_plane_leaves


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """The PKI of every host."""
    authorities = [row for row in pki.AUTHORITIES if row.name != "etcd" or cluster.has_local_etcd]
    bundles = {row.name: keyring.bundle(row.name) for row in authorities}
    held = [row for row in authorities if not keyring.is_external(row.name)]
    keys = {row.name: SealedBinary(keyring.authority_key(row.name)) for row in held}
    service_account_key = SealedBinary(keyring.service_account_key())
    service_account_public_keys = keyring.service_account_public_keys()
    for host in cluster.control_plane:
        for row in authorities:
            path = cluster.pki_path(row.path)
            yield Artifact(f"{path}.crt", bundles[row.name], host.name)
            if row.name == "kubernetes" and row.name in keys and len(keyring.certificates(row.name)) > 1:
                signing = pki.certificate_pem(keyring.certificates(row.name)[0])
                yield Artifact(cluster.pki_path(SIGNING_CERTIFICATE), signing, host.name)
            if row.name in keys:
                yield Artifact(f"{path}.key", keys[row.name], host.name, PRIVATE_MODE)
        for leaf in control_plane_leaves(cluster, host):
            credential, path = keyring.credential(leaf), cluster.pki_path(leaf.name)
            yield Artifact(f"{path}.crt", credential.certificate, host.name)
            yield Artifact(f"{path}.key", SealedBinary(credential.key), host.name, PRIVATE_MODE)
        yield Artifact(cluster.pki_path("sa.key"), service_account_key, host.name, PRIVATE_MODE)
        yield Artifact(cluster.pki_path("sa.pub"), service_account_public_keys, host.name, PRIVATE_MODE)
    for host in cluster.workers:
        yield Artifact(cluster.pki_path("ca.crt"), bundles["kubernetes"], host.name)
