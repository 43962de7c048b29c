"""The shape of a minor's table: named facts that emitters ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Tags = tuple[tuple[int, str], ...]
"""An image's tags, each with the first patch release that pairs with it, oldest first."""


def tag_of_patch(tags: Tags, patch: int) -> str:
    """The tag that goes with a patch release."""
    return max((first, tag) for first, tag in tags if first <= patch)[1]


@dataclass(frozen=True, slots=True)
class Probes:
    """The HTTP paths a static pod is probed at; no readiness path, no readiness probe."""

    liveness: str
    startup: str
    readiness: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNeeds:
    """What a minor needs of a machine (kubeadm's ``preflight/checks.go``, system-validators' ``types_unix.go``)."""

    kernel: tuple[int, int]
    """The oldest kernel."""
    tools: tuple[str, ...]
    """Programs that kubeadm insists on, or that the kubelet runs."""
    wanted_tools: tuple[str, ...]
    """Programs whose absence is a warning."""
    bridge_netfilter: bool
    """Bridged packets pass the packet filter (``bridge-nf-call-iptables``)."""
    cgroup_v2: bool
    """The kubelet does not start on cgroup version 1, unless it is told to (failCgroupV1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One Kubernetes minor as kubeadm of that minor writes it."""

    minor: int
    latest_patch: int | None
    """The last patch release of a minor that gets no more of them; None while it still does."""
    known_patch: int
    """The newest patch release that is known of."""

    etcd_tags: Tags
    coredns_tags: Tags
    pause_tag: str
    """Image tags that kubeadm of this minor pairs with it by default; a spec may name others."""

    host_needs: HostNeeds

    config_api: Literal["v1beta3", "v1beta4"]
    """The API of the ClusterConfiguration stored in the kubeadm-config ConfigMap."""
    feature_gates: frozenset[str]
    """kubeadm's own feature gates; it refuses any other."""
    locked_gates: frozenset[str]
    """Those among them that are on and cannot be turned off."""
    stores_api_server_defaults: bool
    """kubeadm-config shows the API server's authorization-mode and timeoutForControlPlane."""

    has_super_admin_conf: bool
    """super-admin.conf exists, and admin.conf is bound by RBAC instead of being system:masters."""
    organizations: Mapping[str, str]
    """Organizations of the client certificates below certificatesDir, by certificate name."""
    binds_kubelet_client: bool
    """A ClusterRoleBinding gives apiserver-kubelet-client its rights."""
    kubelet_conf_is_local: bool
    """A control-plane kubelet talks to the API server beside it (ControlPlaneKubeletLocalMode)."""

    writes_creation_timestamp: bool
    """Objects carry ``creationTimestamp: null`` (they did until apimachinery 1.34)."""
    writes_preferences: bool
    """Kubeconfigs carry ``preferences: {}`` (they did until client-go 1.34)."""
    extra_args_follow_from: int | None
    """The patch from which extraArgs come after the sorted defaults in their own order instead of being sorted
    together with them (kubernetes/kubernetes PR 135400, backported to 1.32); None for never."""

    names_probe_ports: bool
    """Static pods and CoreDNS declare the ports they are probed at, and probe them by name."""
    scheduler_probes: Probes
    etcd_probes: Probes
    etcd_args: tuple[tuple[str, str], ...]
    """Flags that changed their names between etcd 3.5 and 3.6."""
    older_etcd_args: tuple[tuple[str, str], ...] | None
    """The same for an etcd before 3.6, where kubeadm tells them apart; None where it does not."""
    mounts_flexvolume_dir: bool
    """The controller manager mounts the FlexVolume plugin directory."""

    has_instance_config: bool
    """The kubelet reads its CRI socket from config.yaml, by way of instance-config.yaml (NodeLocalCRISocket)."""
    passes_pause_image: bool
    """kubeadm-flags.env carries --pod-infra-container-image."""
    kubelet_defaults: dict[str, Any]
    """A KubeletConfiguration as kubeadm marshals it, before what depends on the cluster."""
    kube_proxy_defaults: dict[str, Any]
    """A KubeProxyConfiguration as kubeadm marshals it, before what depends on the cluster."""

    corefile_skips_cluster_cache: bool
    """CoreDNS caches no answers for the cluster's own domain."""
    coredns_drops: str
    """How the CoreDNS Deployment spells the capabilities it drops."""
