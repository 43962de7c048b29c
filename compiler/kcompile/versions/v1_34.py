"""Kubernetes 1.34: etcd 3.6, named probe ports, the CRI socket in config.yaml. Compared byte by byte with v1.34.2."""

from dataclasses import replace

from kcompile.versions import v1_33

VERSION = replace(
    v1_33.VERSION,
    minor=34,
    known_patch=11,
    locked_gates=frozenset(("WaitForAllControlPlaneComponents",)),
    extra_args_follow_from=4,
    etcd_tags=((0, "3.6.4-0"), (2, "3.6.5-0")),
    coredns_tags=((0, "v1.12.1"),),
    pause_tag="3.10.1",
    writes_creation_timestamp=False,
    writes_preferences=False,
    names_probe_ports=True,
    older_etcd_args=v1_33.VERSION.etcd_args,
    etcd_args=(("feature-gates", "InitialCorruptCheck=true"), ("watch-progress-notify-interval", "5s")),
    has_instance_config=True,
)
