"""The cluster with every default filled in: its hosts with their settings, and the addresses that follow.

What pool-mates share is one object (:class:`Settings`), so that an emitter renders it once for a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kcompile import names, network, versions
from kcompile.flags import Args
from kcompile.spec import Cluster, ControlPlaneNode, Credentials, NodeSettings, Taint, WorkerNode
from kcompile.versions.table import Version

DEFAULT_CRI_SOCKET = "unix:///run/containerd/containerd.sock"
CRI_SOCKET_ANNOTATION = "kubeadm.alpha.kubernetes.io/cri-socket"
CONTROL_PLANE_TAINT = Taint(key="node-role.kubernetes.io/control-plane", effect="NoSchedule")
KUBERNETES_DIR = "/etc/kubernetes"
KUBELET_DIR = "/var/lib/kubelet"
KUBELET_PKI = f"{KUBELET_DIR}/pki"
KUBELET_UNIT = "/etc/systemd/system/kubelet.service"
MODULES_FILE = "/etc/modules-load.d/kcompile.conf"
SYSCTL_FILE = "/etc/sysctl.d/90-kcompile.conf"
SIGNING_CERTIFICATE = "signing-ca.crt"
"""Below certificatesDir: the one authority that signs, where ca.crt holds others that are believed."""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """A node's effective settings; compared by identity."""

    pool: str | None
    credentials: Credentials
    cri_socket: str
    taints: tuple[Taint, ...] | None
    """None: kubeadm's default (the control-plane taint on control-plane nodes, nothing on workers)."""
    kubelet_extra_args: Args
    labels: Mapping[str, str]
    kubelet: Mapping[str, Any]
    """KubeletConfiguration fields of the cluster, the pool and the node, merged."""
    kubelet_version: str
    bind_port: int
    cert_sans: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """One machine."""

    name: str
    addresses: tuple[str, ...]
    """The advertise address, then the second one of a dual-stack node."""
    settings: Settings
    control_plane_index: int | None
    """Its place among the control-plane nodes, None for a worker."""
    recipient: str | None = None
    """Its own key, with which it opens its sealed files."""

    @property
    def address(self) -> str:
        """The advertise address."""
        return self.addresses[0]

    @property
    def is_control_plane(self) -> bool:
        """Whether the host runs a control plane."""
        return self.control_plane_index is not None

    @property
    def api_endpoint(self) -> str:
        """The API server on this host."""
        return network.join_host_port(self.address, self.settings.bind_port)

    @property
    def etcd_client_url(self) -> str:
        """Where etcd on this host serves clients."""
        return f"https://{network.join_host_port(self.address, 2379)}"

    @property
    def etcd_peer_url(self) -> str:
        """Where etcd on this host serves the other members."""
        return f"https://{network.join_host_port(self.address, 2380)}"


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged, deeply; anything else of ``over`` replaces what stood in ``base``."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def _own_taints(level: NodeSettings) -> tuple[Taint, ...] | None:
    return level.taints if level.taints is not None else level.node_registration.taints


def _overlay(base: Settings, level: NodeSettings, **more: Any) -> Settings:
    """A level's settings over those of the level above."""
    registration = level.node_registration
    taints = _own_taints(level)
    return Settings(
        pool=more.get("pool", base.pool),
        credentials=more.get("credentials") or base.credentials,
        cri_socket=registration.cri_socket or base.cri_socket,
        taints=base.taints if taints is None else taints,
        kubelet_extra_args={**base.kubelet_extra_args, **registration.kubelet_extra_args},
        labels={**base.labels, **level.labels},
        kubelet=merge(base.kubelet, level.kubelet),
        kubelet_version=level.kubelet_version or base.kubelet_version,
        bind_port=more.get("bind_port") or base.bind_port,
        cert_sans=(*base.cert_sans, *more.get("cert_sans", ())),
    )


def _overrides_nothing(node: ControlPlaneNode | WorkerNode) -> bool:
    return node.model_fields_set <= {"name", "address", "recipient"}


@dataclass(frozen=True, eq=False)
class ResolvedCluster:
    """A validated cluster, its version's table, and its hosts: control plane first, then pools in order."""

    cluster: Cluster
    version: Version
    control_plane: tuple[Host, ...]
    workers: tuple[Host, ...]

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.cluster.metadata.name

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts."""
        return self.control_plane + self.workers

    @cached_property
    def endpoint(self) -> str:
        """host:port of the control plane as everyone reaches it (kubeadm's GetControlPlaneEndpoint)."""
        first = self.control_plane[0]
        text = self.cluster.spec.control_plane_endpoint
        if text is None:
            return first.api_endpoint
        found = network.split_endpoint(text)
        return network.join_host_port(found.host, found.port or first.settings.bind_port)

    @cached_property
    def api_service_address(self) -> str:
        """The address of the ``kubernetes`` service: the first of the first service range."""
        return network.nth_address(network.networks(self.cluster.spec.networking.service_subnet)[0], 1)

    @cached_property
    def dns_address(self) -> str:
        """The address of cluster DNS: the tenth of the first service range."""
        return network.nth_address(network.networks(self.cluster.spec.networking.service_subnet)[0], 10)

    @property
    def has_local_etcd(self) -> bool:
        """Whether etcd runs on the control-plane hosts."""
        return self.cluster.spec.etcd.external is None

    def private_directories(self, host: Host) -> tuple[str, ...]:
        """Directories of a host that are there before anything runs, for root alone, as kubeadm makes them.

        They are those of static pods, which the kubelet looks for on workers too, of the kubelet, and of etcd's data.
        """
        everywhere = (f"{KUBERNETES_DIR}/manifests", KUBELET_DIR)
        if not host.is_control_plane or not self.has_local_etcd:
            return everywhere
        local = self.cluster.spec.etcd.local
        return (*everywhere, local.data_dir if local else "/var/lib/etcd")

    @property
    def extra_args_follow(self) -> bool:
        """Whether extraArgs come after the default flags, in this patch release."""
        first = self.version.extra_args_follow_from
        return first is not None and names.patch_version(self.cluster.spec.kubernetes_version) >= first

    def _gate(self, name: str, *, default: bool) -> bool:
        return self.cluster.spec.feature_gates.get(name, default)

    @property
    def has_instance_config(self) -> bool:
        """Whether the kubelet reads its CRI socket from its configuration, by instance-config.yaml."""
        return self._gate("NodeLocalCRISocket", default=self.version.has_instance_config)

    def node_annotations(self, host: Host) -> dict[str, str]:
        """What kubeadm writes into a Node for its own later runs: the CRI socket, where no file on the host has it.

        Source: kubeadm, ``phases/patchnode/patchnode.go``; read by ``util/config/cluster.go``.
        """
        return {} if self.has_instance_config else {CRI_SOCKET_ANNOTATION: host.settings.cri_socket}

    @property
    def kubelet_conf_is_local(self) -> bool:
        """Whether a control-plane kubelet talks to the API server beside it."""
        return self._gate("ControlPlaneKubeletLocalMode", default=self.version.kubelet_conf_is_local)

    @property
    def join_token(self) -> str | None:
        """The id of the token that nodes join with: the first that may authenticate, if possible one that signs."""
        tokens = [token for token in self.cluster.spec.bootstrap_tokens if "authentication" in token.usages]
        return next((token.id for token in sorted(tokens, key=lambda token: "signing" not in token.usages)), None)

    def pki_path(self, name: str) -> str:
        """Where a file of the PKI stands on a host."""
        return f"{self.cluster.spec.pki.certificates_dir}/{name}"


def resolve(cluster: Cluster) -> ResolvedCluster:
    """Fill in what a validated cluster leaves open."""
    spec = cluster.spec
    top = Settings(
        pool=None,
        credentials="issued",
        cri_socket=DEFAULT_CRI_SOCKET,
        taints=None,
        kubelet_extra_args={},
        labels={},
        kubelet=spec.kubelet,
        kubelet_version=spec.kubernetes_version,
        bind_port=spec.control_plane.local_api_endpoint.bind_port,
        cert_sans=spec.api_server.cert_sans,
    )
    shared = _overlay(top, spec.control_plane)
    control_plane = tuple(
        Host(
            name=node.name,
            addresses=network.split_list(node.address),
            settings=shared
            if _overrides_nothing(node)
            else _overlay(
                shared,
                node,
                bind_port=node.local_api_endpoint.bind_port if node.local_api_endpoint else None,
                cert_sans=node.cert_sans,
            ),
            control_plane_index=index,
            recipient=node.recipient,
        )
        for index, node in enumerate(spec.control_plane.nodes)
    )
    workers: list[Host] = []
    for pool in spec.node_pools:
        shared = _overlay(top, pool, pool=pool.name, credentials=pool.credentials)
        workers += (
            Host(
                name=node.name,
                addresses=network.split_list(node.address),
                settings=shared if _overrides_nothing(node) else _overlay(shared, node, credentials=node.credentials),
                control_plane_index=None,
                recipient=node.recipient,
            )
            for node in pool.nodes
        )
    version = versions.for_minor(names.minor_version(spec.kubernetes_version))
    return ResolvedCluster(cluster, version, control_plane, tuple(workers))
