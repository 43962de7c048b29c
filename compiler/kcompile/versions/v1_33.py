"""Kubernetes 1.33: control-plane kubelets use the local API server. Compared byte by byte with v1.33.3."""

from dataclasses import replace

from kcompile.versions import v1_32

VERSION = replace(
    v1_32.VERSION,
    minor=33,
    known_patch=13,
    host_needs=replace(
        v1_32.VERSION.host_needs, tools=("mount", "cp", "losetup"), wanted_tools=("iptables", "ip", "crictl")
    ),
    feature_gates=v1_32.VERSION.feature_gates - {"EtcdLearnerMode"},
    locked_gates=frozenset(),
    extra_args_follow_from=8,
    etcd_tags=((0, "3.5.21-0"), (6, "3.5.24-0")),
    coredns_tags=((0, "v1.12.0"),),
    kubelet_conf_is_local=True,
)
