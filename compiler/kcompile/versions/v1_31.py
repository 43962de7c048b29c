"""Kubernetes 1.31: v1beta4, etcd probed at /livez and /readyz.

Compared byte by byte with v1.31.14 as a kubeadm 1.32.5 wrote it, but for the scheduler's probes, which
moved in 1.32 (kubernetes/kubernetes PR 126945). The etcd of v1.31.14 is that of the compared trees.
"""

from dataclasses import replace

from kcompile.versions import v1_30
from kcompile.versions.table import Probes

VERSION = replace(
    v1_30.VERSION,
    minor=31,
    latest_patch=14,
    known_patch=14,
    host_needs=replace(
        v1_30.VERSION.host_needs,
        tools=("mount", "iptables", "ip", "conntrack", "nsenter"),
        wanted_tools=(*v1_30.VERSION.host_needs.wanted_tools, "crictl"),
    ),
    feature_gates=v1_30.VERSION.feature_gates - {"UpgradeAddonsBeforeControlPlane"} | {"ControlPlaneKubeletLocalMode"},
    etcd_tags=((0, "3.5.15-0"), (14, "3.5.16-0")),
    coredns_tags=((0, "v1.11.1"), (1, "v1.11.3")),
    pause_tag="3.10",
    config_api="v1beta4",
    etcd_probes=Probes("/livez", "/readyz", "/readyz"),
    kubelet_defaults=v1_30.VERSION.kubelet_defaults | {"crashLoopBackOff": {}},
    corefile_skips_cluster_cache=True,
)
