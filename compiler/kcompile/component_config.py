"""KubeletConfiguration and KubeProxyConfiguration as kubeadm defaults, merges and marshals them.

Source: kubeadm, ``cmd/kubeadm/app/componentconfigs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcompile import timefmt
from kcompile.hosts import ResolvedCluster, merge

_DURATIONS = frozenset(
    (
        "cacheTTL",
        "cacheAuthorizedTTL",
        "cacheUnauthorizedTTL",
        "cpuManagerReconcilePeriod",
        "evictionPressureTransitionPeriod",
        "fileCheckFrequency",
        "httpCheckFrequency",
        "imageMaximumGCAge",
        "imageMinimumGCAge",
        "maxContainerRestartPeriod",
        "nodeStatusReportFrequency",
        "nodeStatusUpdateFrequency",
        "runtimeRequestTimeout",
        "shutdownGracePeriod",
        "shutdownGracePeriodCriticalPods",
        "streamingConnectionIdleTimeout",
        "syncFrequency",
        "volumeStatsAggPeriod",
        "cpuCFSQuotaPeriod",
        "configSyncPeriod",
        "minSyncPeriod",
        "syncPeriod",
        "tcpCloseWaitTimeout",
        "tcpEstablishedTimeout",
        "tcpFinTimeout",
        "tcpTimeout",
        "udpStreamTimeout",
        "udpTimeout",
    )
)
"""Fields of type metav1.Duration: they are written as Go prints a duration, whatever the spec wrote."""


def _canonical(value: Any, key: str = "") -> Any:
    """A component configuration with its durations as Go marshals them."""
    if isinstance(value, Mapping):
        return {name: _canonical(child, name) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(child) for child in value]
    if isinstance(value, str) and key in _DURATIONS:
        try:
            return timefmt.format_duration(timefmt.parse_duration(value))
        except ValueError:
            return value
    return value


def kubelet(cluster: ResolvedCluster, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A KubeletConfiguration: kubeadm's defaults, what the cluster decides, and the overrides on top."""
    decided = {
        "authentication": {"x509": {"clientCAFile": cluster.pki_path("ca.crt")}},
        "clusterDNS": [cluster.dns_address],
        "clusterDomain": cluster.cluster.spec.networking.dns_domain,
    }
    document = merge(merge(cluster.version.kubelet_defaults, decided), overrides)
    result: dict[str, Any] = _canonical(document)
    return result


def kube_proxy(cluster: ResolvedCluster) -> dict[str, Any]:
    """A KubeProxyConfiguration: kubeadm's defaults, what the cluster decides, and the spec's fields on top."""
    spec = cluster.cluster.spec
    decided = {"clusterCIDR": spec.networking.pod_subnet or ""}
    if ":" in cluster.control_plane[0].address:
        decided["bindAddress"] = "::"
    document = merge(merge(cluster.version.kube_proxy_defaults, decided), spec.kube_proxy)
    result: dict[str, Any] = _canonical(document)
    return result
