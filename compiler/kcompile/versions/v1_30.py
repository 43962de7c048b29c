"""Kubernetes 1.30. Not compared byte by byte."""

from dataclasses import replace

from kcompile.versions import v1_29

_OPTIONS = {"options": {"json": {"infoBufferSize": "0"}, "text": {"infoBufferSize": "0"}}}
_KUBELET = v1_29.VERSION.kubelet_defaults
_PROXY = v1_29.VERSION.kube_proxy_defaults

VERSION = replace(
    v1_29.VERSION,
    minor=30,
    latest_patch=14,
    known_patch=14,
    host_needs=replace(v1_29.VERSION.host_needs, bridge_netfilter=False),
    feature_gates=v1_29.VERSION.feature_gates | {"WaitForAllControlPlaneComponents"},
    etcd_tags=((0, "3.5.12-0"), (5, "3.5.15-0")),
    coredns_tags=((0, "v1.11.1"), (5, "v1.11.3")),
    stores_api_server_defaults=False,
    kubelet_defaults=_KUBELET | {"logging": _KUBELET["logging"] | _OPTIONS},
    kube_proxy_defaults=_PROXY | {"logging": _PROXY["logging"] | _OPTIONS},
)
