"""The kubelet's configuration and flags.

Source: kubeadm, ``cmd/kubeadm/app/componentconfigs/kubelet.go`` and ``phases/kubelet``.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import component_config, images, yamlfmt
from kcompile.artifact import PUBLIC_MODE, Artifact
from kcompile.flags import arguments
from kcompile.hosts import KUBELET_DIR, KUBELET_PKI, Host, ResolvedCluster, Settings


def _config(cluster: ResolvedCluster, settings: Settings) -> bytes:
    document = component_config.kubelet(cluster, settings.kubelet)
    if cluster.version.has_instance_config:
        document["containerRuntimeEndpoint"] = settings.cri_socket
    issued_worker = settings.pool is not None and settings.credentials == "issued"
    if issued_worker and settings.kubelet.get("serverTLSBootstrap") is not True:
        document |= {"tlsCertFile": f"{KUBELET_PKI}/kubelet.crt", "tlsPrivateKeyFile": f"{KUBELET_PKI}/kubelet.key"}
    return yamlfmt.dump(document)


def _flags(cluster: ResolvedCluster, host: Host) -> bytes:
    settings = host.settings
    args = {"hostname-override": host.name}
    if not cluster.version.has_instance_config:
        args["container-runtime-endpoint"] = settings.cri_socket
    if cluster.version.passes_pause_image:
        args["pod-infra-container-image"] = images.pause(cluster)
    if settings.taints and not host.is_control_plane:
        args["register-with-taints"] = ",".join(map(str, settings.taints))
    if settings.labels:
        args["node-labels"] = ",".join(f"{key}={value}" for key, value in settings.labels.items())
    words = " ".join(arguments(args, settings.kubelet_extra_args, extra_follow=cluster.extra_args_follow))
    return f'KUBELET_KUBEADM_ARGS="{words}"\n'.encode()


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """config.yaml, instance-config.yaml and kubeadm-flags.env of every host."""
    configs: dict[Settings, tuple[bytes, bytes]] = {}
    for host in cluster.hosts:
        settings = host.settings
        if settings not in configs:
            instance = f'containerRuntimeEndpoint: "{settings.cri_socket}"\n'.encode()
            configs[settings] = (_config(cluster, settings), instance)
        config, instance = configs[settings]
        yield Artifact(f"{KUBELET_DIR}/config.yaml", config, host.name, PUBLIC_MODE)
        if cluster.version.has_instance_config:
            yield Artifact(f"{KUBELET_DIR}/instance-config.yaml", instance, host.name, PUBLIC_MODE)
        yield Artifact(f"{KUBELET_DIR}/kubeadm-flags.env", _flags(cluster, host), host.name, PUBLIC_MODE)
