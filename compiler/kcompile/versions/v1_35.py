"""Kubernetes 1.35: extraArgs follow the defaults, no pause image flag. Compared byte by byte with v1.35.3."""

from dataclasses import replace

from kcompile.versions import v1_34

VERSION = replace(
    v1_34.VERSION,
    minor=35,
    known_patch=8,
    host_needs=replace(v1_34.VERSION.host_needs, cgroup_v2=True),
    feature_gates=v1_34.VERSION.feature_gates - {"WaitForAllControlPlaneComponents"},
    locked_gates=frozenset(("ControlPlaneKubeletLocalMode",)),
    etcd_tags=((0, "3.6.6-0"),),
    coredns_tags=((0, "v1.13.1"),),
    extra_args_follow_from=1,
    passes_pause_image=False,
)
