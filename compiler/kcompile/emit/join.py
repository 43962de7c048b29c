"""How a worker joins: join.sh beside its files, and for those who keep kubeadm, its command and its configuration.

Source: kubeadm, ``cmd/kubeadm/app/apis/kubeadm/v1beta3`` and ``v1beta4`` (JoinConfiguration), ``discovery/file``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import templates, yamlfmt
from kcompile.artifact import PRIVATE_MODE, PRIVATE_SCRIPT_MODE, SCRIPT_MODE, Artifact, SealedBinary, SealedYaml
from kcompile.hosts import KUBELET_DIR, KUBELET_PKI, KUBERNETES_DIR, Host, ResolvedCluster
from kcompile.keyring import Keyring
from kcompile.secret import Secret
from kcompile.spec import Taint

DISCOVERY = f"{KUBERNETES_DIR}/kubeadm-discovery.yaml"
_CONFIGURATION = f"{KUBERNETES_DIR}/kubeadm-join.yaml"
_MENDS = {
    "bootstrapToken": "journalctl -u kubelet; has the token ended, or was cluster/ not applied? kubectl get csr",
    "issued": "run install.sh again: it brings kubelet.conf and the certificate",
}


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """join.sh of every worker; of those that join by token also what kubeadm needs, sealed where it holds the token."""
    for host in cluster.workers:
        yield Artifact(f"hosts/{host.name}/join.sh", _script(cluster, host), mode=SCRIPT_MODE)
    token = cluster.join_token
    joining = [host for host in cluster.workers if host.settings.credentials == "bootstrapToken"]
    if token is None or not joining:
        return
    whole = Secret(token.encode() + b"." + keyring.token_secret(token).reveal())
    kubeadm = _kubeadm_script(cluster, keyring, whole)
    discovery = yamlfmt.dump(_discovery(cluster, keyring))
    for host in joining:
        script = SealedBinary(Secret(kubeadm))
        yield Artifact(f"{KUBERNETES_DIR}/join.sh", script, host.name, PRIVATE_SCRIPT_MODE)
        document = SealedYaml(join_configuration(cluster, host, whole))
        yield Artifact(_CONFIGURATION, document, host.name, PRIVATE_MODE)
        yield Artifact(DISCOVERY, discovery, host.name, PRIVATE_MODE)


def _script(cluster: ResolvedCluster, host: Host) -> bytes:
    certificates = host.settings.kubelet_extra_args.get("cert-dir")
    annotations = cluster.node_annotations(host)
    return templates.render(
        "join.sh",
        node=host.name,
        endpoint=cluster.endpoint,
        authority=cluster.pki_path("ca.crt"),
        kubeconfig=f"{KUBERNETES_DIR}/kubelet.conf",
        config=f"{KUBELET_DIR}/config.yaml",
        certificates=certificates[-1] if certificates else KUBELET_PKI,
        credentials_mend=_MENDS[host.settings.credentials],
        annotations=json.dumps({"metadata": {"annotations": annotations}}) if annotations else "",
    )


def _kubeadm_script(cluster: ResolvedCluster, keyring: Keyring, token: Secret) -> bytes:
    return templates.render(
        "kubeadm-join.sh",
        endpoint=cluster.endpoint,
        token=token.reveal().decode(),
        hashes=keyring.discovery_hashes(),
        configuration=_CONFIGURATION,
    )


def _discovery(cluster: ResolvedCluster, keyring: Keyring) -> dict[str, Any]:
    """Where the API server is and which authority to believe, as cluster-info has it: one cluster without a name."""
    authority = base64.b64encode(keyring.bundle("kubernetes")).decode()
    server = {"certificate-authority-data": authority, "server": f"https://{cluster.endpoint}"}
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": server, "name": ""}],
        "contexts": None,
        "current-context": "",
        "kind": "Config",
        **({"preferences": {}} if cluster.version.writes_preferences else {}),
        "users": None,
    }


def _taint(taint: Taint) -> dict[str, str]:
    value = {"value": taint.value} if taint.value else {}
    return {"effect": taint.effect, "key": taint.key, **value}


def _kubelet_extra_args(host: Host) -> dict[str, tuple[str, ...]]:
    """Flags that kubeadm does not write by itself: what the spec says, labels, both addresses of a dual-stack node."""
    settings = host.settings
    args: dict[str, tuple[str, ...]] = {}
    if len(host.addresses) > 1:
        args["node-ip"] = (",".join(host.addresses),)
    if settings.labels:
        args["node-labels"] = (",".join(f"{key}={value}" for key, value in settings.labels.items()),)
    return {**args, **settings.kubelet_extra_args}


def join_configuration(cluster: ResolvedCluster, host: Host, token: Secret) -> dict[str, Any]:
    """A worker's JoinConfiguration, in the API that kubeadm of the minor writes itself."""
    settings = host.settings
    args = _kubelet_extra_args(host)
    registration: dict[str, Any] = {"criSocket": settings.cri_socket, "name": host.name}
    if args:
        registration["kubeletExtraArgs"] = _written(args, as_list=cluster.version.config_api == "v1beta4")
    if settings.taints is not None:
        registration["taints"] = [_taint(taint) for taint in settings.taints]
    return {
        "apiVersion": f"kubeadm.k8s.io/{cluster.version.config_api}",
        "caCertPath": cluster.pki_path("ca.crt"),
        "discovery": {"file": {"kubeConfigPath": DISCOVERY}, "tlsBootstrapToken": token},
        "kind": "JoinConfiguration",
        "nodeRegistration": dict(sorted(registration.items())),
    }


def _written(args: Mapping[str, tuple[str, ...]], *, as_list: bool) -> Any:
    """Flags as v1beta4 has them, a list; before, a map in which a flag stood once."""
    if as_list:
        return [{"name": name, "value": value} for name, values in args.items() for value in values]
    return {name: values[-1] for name, values in args.items() if values}
