"""The kubelet's configuration and flags.

Source: kubeadm, ``cmd/kubeadm/app/componentconfigs/kubelet.go`` and ``phases/kubelet``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcompile import component_config, images, patching, yamlfmt
from kcompile.artifact import PUBLIC_MODE, Artifact
from kcompile.flags import arguments
from kcompile.hosts import KUBELET_DIR, KUBELET_PKI, Host, ResolvedCluster, Settings

PATCH_TARGET = "kubeletconfiguration"


def configuration(cluster: ResolvedCluster, host: Host) -> dict[str, Any]:
    """A host's KubeletConfiguration, patched. Raises SpecError when a patch does not apply."""
    settings = host.settings
    document = component_config.kubelet(cluster, settings.kubelet)
    issued_worker = settings.pool is not None and settings.credentials == "issued"
    own = settings.kubelet.get("serverTLSBootstrap") is True or settings.kubelet.get("tlsCertFile")
    if issued_worker and not own:
        document |= {"tlsCertFile": f"{KUBELET_PKI}/kubelet.crt", "tlsPrivateKeyFile": f"{KUBELET_PKI}/kubelet.key"}
    patches = cluster.cluster.spec.patches
    document = patching.apply_all(document, patches, PATCH_TARGET, host.name, structured=False)
    if cluster.has_instance_config:  # which kubeadm merges last
        document["containerRuntimeEndpoint"] = settings.cri_socket
    return document


def _flags(cluster: ResolvedCluster, host: Host) -> bytes:
    settings = host.settings
    args = {"hostname-override": host.name}
    if not cluster.has_instance_config:
        args["container-runtime-endpoint"] = settings.cri_socket
    if cluster.version.passes_pause_image:
        args["pod-infra-container-image"] = images.pause(cluster)
    if settings.taints and not host.is_control_plane:
        args["register-with-taints"] = ",".join(map(str, settings.taints))
    if len(host.addresses) > 1:
        args["node-ip"] = ",".join(host.addresses)  # kubeadm knows one address only, and leaves this to its user
    if settings.labels:
        args["node-labels"] = ",".join(f"{key}={value}" for key, value in settings.labels.items())
    words = " ".join(arguments(args, settings.kubelet_extra_args, extra_follow=cluster.extra_args_follow))
    return f'KUBELET_KUBEADM_ARGS="{words}"\n'.encode()


def configured_alike(cluster: ResolvedCluster) -> Iterator[tuple[Host, tuple[Settings, str | None]]]:
    """Every host, with what those have in common that have the same configuration."""
    patches = [patch for patch in cluster.cluster.spec.patches if patch.target == PATCH_TARGET]
    patched_alone = {name for patch in patches for name in patch.nodes}
    for host in cluster.hosts:
        yield host, (host.settings, host.name if host.name in patched_alone else None)


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """config.yaml, instance-config.yaml and kubeadm-flags.env of every host."""
    configs: dict[tuple[Settings, str | None], tuple[bytes, bytes]] = {}
    for host, key in configured_alike(cluster):
        if key not in configs:
            instance = f'containerRuntimeEndpoint: "{host.settings.cri_socket}"\n'.encode()
            configs[key] = (yamlfmt.dump(configuration(cluster, host)), instance)
        config, instance = configs[key]
        yield Artifact(f"{KUBELET_DIR}/config.yaml", config, host.name, PUBLIC_MODE)
        if cluster.has_instance_config:
            yield Artifact(f"{KUBELET_DIR}/instance-config.yaml", instance, host.name, PUBLIC_MODE)
        yield Artifact(f"{KUBELET_DIR}/kubeadm-flags.env", _flags(cluster, host), host.name, PUBLIC_MODE)
