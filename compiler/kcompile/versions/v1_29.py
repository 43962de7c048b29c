"""Kubernetes 1.29: admin.conf is bound by RBAC, super-admin.conf appears. Not compared byte by byte."""

from dataclasses import replace

from kcompile.versions import v1_28

_PROXY = v1_28.VERSION.kube_proxy_defaults

VERSION = replace(
    v1_28.VERSION,
    minor=29,
    latest_patch=15,
    known_patch=15,
    etcd_tags=((0, "3.5.10-0"), (3, "3.5.12-0"), (9, "3.5.15-0"), (13, "3.5.16-0")),
    coredns_tags=((0, "v1.11.1"),),
    has_super_admin_conf=True,
    organizations={"apiserver-kubelet-client": "kubeadm:cluster-admins"},
    kubelet_defaults=v1_28.VERSION.kubelet_defaults | {"imageMaximumGCAge": "0s"},
    kube_proxy_defaults=_PROXY
    | {
        "conntrack": _PROXY["conntrack"] | {"tcpBeLiberal": False, "udpStreamTimeout": "0s", "udpTimeout": "0s"},
        "nftables": {"masqueradeAll": False, "masqueradeBit": None, "minSyncPeriod": "0s", "syncPeriod": "0s"},
    },
    coredns_drops="ALL",
)
