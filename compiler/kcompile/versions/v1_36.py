"""Kubernetes 1.36: the kubelet client is bound by RBAC, no FlexVolume. Compared byte by byte with v1.36.2."""

from dataclasses import replace

from kcompile.versions import v1_35

VERSION = replace(
    v1_35.VERSION,
    minor=36,
    known_patch=5,
    feature_gates=frozenset(("NodeLocalCRISocket",)),
    locked_gates=frozenset(("NodeLocalCRISocket",)),
    etcd_tags=((0, "3.6.8-0"),),
    coredns_tags=((0, "v1.14.2"),),
    pause_tag="3.10.2",
    extra_args_follow_from=0,
    older_etcd_args=None,
    organizations={},
    binds_kubelet_client=True,
    mounts_flexvolume_dir=False,
)
