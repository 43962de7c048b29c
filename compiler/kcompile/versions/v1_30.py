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
    feature_gates=v1_29.VERSION.feature_gates | {"WaitForAllControlPlaneComponents"},
    etcd_tag="3.5.12-0",
    stores_api_server_defaults=False,
    kubelet_defaults=_KUBELET | {"logging": _KUBELET["logging"] | _OPTIONS},
    kube_proxy_defaults=_PROXY | {"logging": _PROXY["logging"] | _OPTIONS},
)
