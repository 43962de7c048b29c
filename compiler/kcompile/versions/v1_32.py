"""Kubernetes 1.32: the scheduler is probed at /livez and /readyz. Compared byte by byte with v1.32.5."""

from dataclasses import replace

from kcompile.versions import v1_31
from kcompile.versions.table import Probes

VERSION = replace(
    v1_31.VERSION,
    minor=32,
    latest_patch=None,
    known_patch=13,
    host_needs=replace(
        v1_31.VERSION.host_needs,
        kernel=(4, 19),
        tools=("mount", "iptables", "ip", "nsenter"),
        wanted_tools=("ethtool", "tc", "touch", "crictl"),
    ),
    etcd_tags=((0, "3.5.16-0"), (10, "3.5.24-0")),
    coredns_tags=((0, "v1.11.3"),),
    feature_gates=v1_31.VERSION.feature_gates | {"NodeLocalCRISocket"},
    locked_gates=frozenset(("EtcdLearnerMode",)),
    extra_args_follow_from=12,
    scheduler_probes=Probes("/livez", "/livez", "/readyz"),
)
