"""preflight.sh: what can be seen on a machine before its files are installed, and on one that runs.

Source: kubeadm, ``cmd/kubeadm/app/preflight/checks.go`` and ``checks_linux.go``; k8s.io/system-validators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from kcompile import images, network, pki, templates, timefmt
from kcompile.artifact import SCRIPT_MODE, Artifact
from kcompile.hosts import KUBELET_DIR, KUBELET_PKI, KUBERNETES_DIR, Host, ResolvedCluster
from kcompile.spec import Component

_KERNEL_OPTIONS = tuple(
    """
    NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_PIDS CGROUP_SCHED
    CPUSETS MEMCG INET EXT4_FS PROC_FS NETFILTER_XT_TARGET_REDIRECT|IP_NF_TARGET_REDIRECT NETFILTER_XT_MATCH_COMMENT
    FAIR_GROUP_SCHED OVERLAY_FS|OVERLAYFS_FS
    """.split()
)
"""Without CONFIG_; what may have another name in an older kernel, with it."""
_PROTECTED = (
    ("vm.overcommit_memory", 1),
    ("vm.panic_on_oom", 0),
    ("kernel.panic", 10),
    ("kernel.panic_on_oops", 1),
    ("kernel.keys.root_maxkeys", 1000000),
    ("kernel.keys.root_maxbytes", 25000000),
)
"""What a kubelet with protectKernelDefaults insists on (``pkg/util/sysctl``)."""
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.default.forwarding"}
_BRIDGED = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
_MANIFESTS = ("etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml")
_API_SERVER, _ETCD_CLIENT, _ETCD_PEER = "the API server", "etcd", "etcd's peer port"


@dataclass(frozen=True, slots=True)
class _Port:
    number: int
    program: str
    """As the kernel names its process, in 15 letters."""


@dataclass(frozen=True, slots=True)
class _Peer:
    what: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Named:
    by: str
    path: str


_WRITTEN = frozenset(("audit-log-path", "cert-dir", "log-dir", "log-file"))
"""Flags whose files the components make themselves."""


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """preflight.sh of every host."""
    for host in cluster.hosts:
        yield Artifact(f"hosts/{host.name}/preflight.sh", _script(cluster, host), mode=SCRIPT_MODE)


def _ports(cluster: ResolvedCluster, host: Host) -> Iterator[_Port]:
    yield _Port(10250, "kubelet")
    if host.is_control_plane:
        yield _Port(host.settings.bind_port, "kube-apiserver")
        yield _Port(10257, "kube-controller")
        yield _Port(10259, "kube-scheduler")
        if cluster.has_local_etcd:
            yield _Port(2379, "etcd")
            yield _Port(2380, "etcd")


def _reached(cluster: ResolvedCluster, host: Host) -> Iterator[_Peer]:
    """What a host talks to: the endpoint; of a control-plane host, its peers and an etcd elsewhere."""
    endpoint = network.split_endpoint(cluster.endpoint)
    if cluster.endpoint != host.api_endpoint:
        yield _Peer("the endpoint", endpoint.host, endpoint.port or host.settings.bind_port)
    if not host.is_control_plane:
        return
    for peer in cluster.control_plane:
        if peer is not host:
            yield _Peer(f"{_API_SERVER} of {peer.name}", peer.address, peer.settings.bind_port)
            if cluster.has_local_etcd:
                yield _Peer(f"{_ETCD_CLIENT} of {peer.name}", peer.address, 2379)
                yield _Peer(f"{_ETCD_PEER} of {peer.name}", peer.address, 2380)
    external = cluster.cluster.spec.etcd.external
    for url in external.endpoints if external else ():
        found = urlsplit(url)
        if found.hostname:
            yield _Peer(_ETCD_CLIENT, found.hostname, found.port or 2379)


def _etcd_files(cluster: ResolvedCluster) -> list[str]:
    """The files for an etcd elsewhere (kubeadm's check ExternalEtcdClientCertificates)."""
    external = cluster.cluster.spec.etcd.external
    return [path for path in (external.ca_file, external.cert_file, external.key_file) if path] if external else []


def _named_files(cluster: ResolvedCluster) -> Iterator[_Named]:
    """Paths on the host that extra volumes of the control plane need, and those that flags name below such a volume."""
    spec = cluster.cluster.spec
    components: dict[str, Component] = {
        "the API server": spec.api_server,
        "the controller manager": spec.controller_manager,
        "the scheduler": spec.scheduler,
    }
    for who, component in components.items():
        for volume in component.extra_volumes:
            if volume.path_type and not volume.path_type.endswith("OrCreate"):
                yield _Named(f"the volume {volume.name} of {who}", volume.host_path)
        for flag, values in component.extra_args.items():
            for value in () if flag in _WRITTEN else values:
                for volume in component.extra_volumes:
                    if value.startswith(f"{volume.mount_path.rstrip('/')}/") or value == volume.mount_path:
                        yield _Named(f"--{flag} of {who}", volume.host_path + value[len(volume.mount_path) :])


def _images(cluster: ResolvedCluster, host: Host) -> list[str]:
    """The images of what surely runs on a host: its static pods, the sandbox and kube-proxy."""
    everywhere = ("/kube-proxy:", "/pause:")
    found = images.every(cluster)
    if host.is_control_plane:
        return [image for image in found if "/coredns" not in image]
    return [image for image in found if any(name in image for name in everywhere)]


def _ip_versions(cluster: ResolvedCluster, host: Host) -> list[int]:
    networking = cluster.cluster.spec.networking
    ranges = [networking.service_subnet, *filter(None, [networking.pod_subnet]), *host.addresses]
    return sorted({found.version for text in ranges for found in network.networks(text)})


def _digits(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S}"


def _script(cluster: ResolvedCluster, host: Host) -> bytes:
    spec = cluster.cluster.spec
    needs = cluster.version.host_needs
    versions = _ip_versions(cluster, host)
    local = spec.etcd.local
    begin, end = pki.validity(
        timefmt.parse_timestamp(spec.pki.issued_at), timefmt.timedelta_of(spec.pki.certificate_validity_period)
    )
    sysctls = [_FORWARDING[version] for version in versions]
    if needs.bridge_netfilter:
        sysctls += (_BRIDGED[version] for version in versions)
    ranges = [spec.networking.service_subnet, *filter(None, [spec.networking.pod_subnet])]
    unproxied = ",".join((*ranges, *(peer.address for peer in cluster.control_plane)))
    runs_already = spec.control_plane.bootstrapped
    return templates.render(
        "preflight.sh",
        node=host.name,
        kubelet_version=host.settings.kubelet_version,
        socket=host.settings.cri_socket.removeprefix("unix://"),
        config=f"{KUBELET_DIR}/config.yaml",
        kubernetes_dir=KUBERNETES_DIR,
        kubelet_pki=KUBELET_PKI,
        kernel=needs.kernel,
        kernel_options=_KERNEL_OPTIONS,
        cgroup_v2=needs.cgroup_v2,
        sysctls=sysctls,
        protected=_PROTECTED,
        tools=needs.tools,
        wanted_tools=needs.wanted_tools,
        images=_images(cluster, host),
        is_control_plane=host.is_control_plane,
        addresses=host.addresses,
        not_before=_digits(begin),
        not_after=_digits(end),
        no_proxy=f"let no_proxy have {unproxied}, and the runtime's and the kubelet's services too",
        ports=list(_ports(cluster, host)),
        manifests=_MANIFESTS,
        data_dir=(local.data_dir if local else "/var/lib/etcd")
        if host.is_control_plane and cluster.has_local_etcd
        else None,
        ca_file=cluster.pki_path("ca.crt"),
        etcd_files=_etcd_files(cluster) if host.is_control_plane else [],
        named_files=list(_named_files(cluster)) if host.is_control_plane else [],
        reached=list(_reached(cluster, host)),
        unreached="fail" if runs_already else "warn",
        refused_mend="start it" if runs_already else "right on a first boot; else start it",
    )
