"""What the kubelet needs of its machine: a systemd unit, a drop-in, kernel modules and kernel parameters.

Sources: the unit and 10-kubeadm.conf of the Kubernetes packages; kubeadm, ``cmd/kubeadm/app/preflight/checks.go``.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import network
from kcompile.artifact import Artifact
from kcompile.hosts import KUBELET_DIR, KUBELET_UNIT, KUBERNETES_DIR, MODULES_FILE, SYSCTL_FILE, Host, ResolvedCluster

# Both name the kubelet without its directory, so that systemd finds it where packages put it and where people do.
_UNIT = b"""\
# The kubelet, where no package brings a unit for it; 20-kcompile.conf says how it is started.
# Written by kcompile; do not edit.
[Unit]
Description=kubelet: runs the pods of this node
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
Wants=network-online.target
After=network-online.target containerd.service crio.service
StartLimitIntervalSec=0

[Service]
ExecStart=kubelet
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
# Its name sorts after 10-kubeadm.conf of kubeadm's package, whose command it replaces and whose files it reads too.
_DROP_IN = f"""\
# How the kubelet of a kubeadm-style host is started. Written by kcompile; do not edit.
[Service]
Environment="KUBELET_BOOTSTRAP_ARGS=--bootstrap-kubeconfig={KUBERNETES_DIR}/bootstrap-kubelet.conf"
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig={KUBERNETES_DIR}/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config={KUBELET_DIR}/config.yaml"
EnvironmentFile=-{KUBELET_DIR}/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
EnvironmentFile=-/etc/sysconfig/kubelet
ExecStart=
ExecStart=kubelet $KUBELET_BOOTSTRAP_ARGS $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS \\
    $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
""".encode()
_DROP_IN_PATH = f"{KUBELET_UNIT}.d/20-kcompile.conf"
_MODULES = b"""\
# Kernel modules that container runtimes and pod networks need. Written by kcompile; do not edit.
overlay
br_netfilter
"""
_PARAMETERS = {
    4: ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"),
    6: ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding", "net.bridge.bridge-nf-call-ip6tables"),
}
"""By IP version, what is 1 on a host that forwards the packets of pods, bridged ones by the rules of kube-proxy too."""


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """kubelet.service, its drop-in, modules-load.d and sysctl.d files of every host."""
    for host in cluster.hosts:
        yield Artifact(KUBELET_UNIT, _UNIT, host.name)
        yield Artifact(_DROP_IN_PATH, _DROP_IN, host.name)
        yield Artifact(MODULES_FILE, _MODULES, host.name)
        yield Artifact(SYSCTL_FILE, _parameters(_ip_versions(cluster, host)), host.name)


def _ip_versions(cluster: ResolvedCluster, host: Host) -> set[int]:
    """The IP versions that are spoken on a host: 4, 6 or both."""
    networking = cluster.cluster.spec.networking
    ranges = [networking.service_subnet, *filter(None, [networking.pod_subnet]), *host.addresses]
    return {found.version for text in ranges for found in network.networks(text)}


def _parameters(ip_versions: set[int]) -> bytes:
    lines = ["# Kernel parameters of a host that forwards packets for pods. Written by kcompile; do not edit."]
    lines += (f"{name} = 1" for version in sorted(ip_versions) for name in _PARAMETERS[version])
    return "".join(f"{line}\n" for line in lines).encode()
