"""Kubeconfigs of hosts and of the operator.

Source: kubeadm, ``cmd/kubeadm/app/phases/kubeconfig/kubeconfig.go`` and ``discovery/discovery.go``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import yamlfmt
from kcompile.artifact import PRIVATE_MODE, Artifact, Policy, SealedBinary, SealedYaml
from kcompile.hosts import KUBELET_PKI, KUBERNETES_DIR, Host, ResolvedCluster
from kcompile.keyring import (
    Credential,
    Keyring,
    kubeconfig_leaves,
    kubelet_leaf,
    kubelet_serving_leaf,
    operator_leaves,
)
from kcompile.secret import Secret

KUBELET_CLIENT = f"{KUBELET_PKI}/kubelet-client"
KUBELET_SERVER = f"{KUBELET_PKI}/kubelet-server"
KUBELET_SERVING = f"{KUBELET_PKI}/kubelet"
"""Of the serving certificate that the kubelet does not rotate: .crt and .key."""
_CURRENT = "-current.pem"
_TOKEN_USER = "tls-bootstrap-token-user"
_USER_OF_FILE = {
    "admin.conf": "kubernetes-admin",
    "super-admin.conf": "kubernetes-super-admin",
    "controller-manager.conf": "system:kube-controller-manager",
    "scheduler.conf": "system:kube-scheduler",
}
_LOCAL = ("controller-manager.conf", "scheduler.conf")
"""Kubeconfigs of components that talk to the API server beside them."""


def _kubeconfig(
    cluster: ResolvedCluster, name: str, server: str, authority: str, user: str, credentials: Mapping[str, Any]
) -> dict[str, Any]:
    context = f"{user}@{name}"
    return {
        "apiVersion": "v1",
        "clusters": [
            {"cluster": {"certificate-authority-data": authority, "server": f"https://{server}"}, "name": name}
        ],
        "contexts": [{"context": {"cluster": name, "user": user}, "name": context}],
        "current-context": context,
        "kind": "Config",
        **({"preferences": {}} if cluster.version.writes_preferences else {}),
        "users": [{"name": user, "user": dict(credentials)}],
    }


def _encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def _client(credential: Credential) -> dict[str, Any]:
    return {
        "client-certificate-data": _encoded(credential.certificate),
        "client-key-data": Secret(base64.b64encode(credential.key.reveal())),
    }


def _rotatable(name: str, credential: Credential, host: Host) -> Artifact:
    """A certificate and its key in one file, as the kubelet's certificate store keeps them.

    It is named by its date, and what the kubelet reads is a link to it: the store refuses to rotate where a file stands
    instead (client-go, ``util/certificate/certificate_store.go``).
    """
    pair = SealedBinary(Secret(credential.certificate + credential.key.reveal()))
    target = f"{name}-{credential.not_before:%Y-%m-%d-%H-%M-%S}.pem"
    return Artifact(f"{name}{_CURRENT}", pair, host.name, PRIVATE_MODE, Policy.CREATE, target)


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """Every kubeconfig, and the kubelet certificates they point at."""
    authority = _encoded(keyring.bundle("kubernetes"))
    for host in cluster.control_plane:
        for name, leaf in kubeconfig_leaves(cluster, host).items():
            server = host.api_endpoint if name in _LOCAL else cluster.endpoint
            document = _kubeconfig(
                cluster, cluster.name, server, authority, _USER_OF_FILE[name], _client(keyring.credential(leaf))
            )
            yield Artifact(f"{KUBERNETES_DIR}/{name}", SealedYaml(document), host.name, PRIVATE_MODE)
        server = host.api_endpoint if cluster.kubelet_conf_is_local else cluster.endpoint
        yield from _kubelet(cluster, keyring, host, server, authority)
    bootstrap = _bootstrap(cluster, keyring, authority)
    for host in cluster.workers:
        if host.settings.credentials == "issued":
            yield from _kubelet(cluster, keyring, host, cluster.endpoint, authority)
            yield from _kubelet_serving(keyring, host)
        elif bootstrap is not None:
            yield Artifact(f"{KUBERNETES_DIR}/bootstrap-kubelet.conf", bootstrap, host.name, PRIVATE_MODE)
    for name, leaf in operator_leaves(cluster).items():
        document = _kubeconfig(
            cluster, cluster.name, cluster.endpoint, authority, _USER_OF_FILE[name], _client(keyring.credential(leaf))
        )
        yield Artifact(f"admin/{name}", SealedYaml(document), mode=PRIVATE_MODE)


def _kubelet(cluster: ResolvedCluster, keyring: Keyring, host: Host, server: str, authority: str) -> Iterator[Artifact]:
    """kubelet.conf as kubeadm's kubelet-finalize phase leaves it, and the rotatable file that it names."""
    user = f"system:node:{host.name}"
    document = _kubeconfig(
        cluster,
        cluster.name,
        server,
        authority,
        user,
        {"client-certificate": f"{KUBELET_CLIENT}{_CURRENT}", "client-key": f"{KUBELET_CLIENT}{_CURRENT}"},
    )
    yield Artifact(f"{KUBERNETES_DIR}/kubelet.conf", yamlfmt.dump(document), host.name, PRIVATE_MODE)
    credential = keyring.credential(kubelet_leaf(host))
    yield _rotatable(KUBELET_CLIENT, credential, host)


def kubelet_serving_is_rotated(host: Host) -> bool:
    """Whether the kubelet asks for its serving certificate itself once the compiled one is to end."""
    return host.settings.kubelet.get("serverTLSBootstrap") is True


def _kubelet_serving(keyring: Keyring, host: Host) -> Iterator[Artifact]:
    """The kubelet's serving certificate: the kubelet's own to rotate when it asks for one, else kept as compiled."""
    credential = keyring.credential(kubelet_serving_leaf(host))
    if kubelet_serving_is_rotated(host):
        yield _rotatable(KUBELET_SERVER, credential, host)
    else:
        yield Artifact(f"{KUBELET_SERVING}.crt", credential.certificate, host.name)
        yield Artifact(f"{KUBELET_SERVING}.key", SealedBinary(credential.key), host.name, PRIVATE_MODE)


def _bootstrap(cluster: ResolvedCluster, keyring: Keyring, authority: str) -> SealedYaml | None:
    """bootstrap-kubelet.conf. kubeadm always calls its cluster ``kubernetes`` (discovery.For)."""
    token = cluster.join_token
    if token is None:
        return None
    value = Secret(token.encode() + b"." + keyring.token_secret(token).reveal())
    return SealedYaml(_kubeconfig(cluster, "kubernetes", cluster.endpoint, authority, _TOKEN_USER, {"token": value}))
