"""Kubernetes 1.31: v1beta4, etcd probed at /livez and /readyz.

Compared byte by byte with v1.31.14 as a kubeadm 1.32.5 wrote it, but for the scheduler's probes, which
moved in 1.32 (kubernetes/kubernetes PR 126945).
"""

from dataclasses import replace

from kcompile.versions import v1_30
from kcompile.versions.table import Probes

VERSION = replace(
    v1_30.VERSION,
    minor=31,
    latest_patch=14,
    feature_gates=v1_30.VERSION.feature_gates - {"UpgradeAddonsBeforeControlPlane"} | {"ControlPlaneKubeletLocalMode"},
    etcd_tag="3.5.16-0",
    coredns_tag="v1.11.3",
    pause_tag="3.10",
    config_api="v1beta4",
    etcd_probes=Probes("/livez", "/readyz", "/readyz"),
    kubelet_defaults=v1_30.VERSION.kubelet_defaults | {"crashLoopBackOff": {}},
    corefile_skips_cluster_cache=True,
)
