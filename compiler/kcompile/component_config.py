"""KubeletConfiguration and KubeProxyConfiguration as kubeadm defaults, merges and marshals them.

Source: kubeadm, ``cmd/kubeadm/app/componentconfigs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kcompile import quantity, timefmt
from kcompile.hosts import ResolvedCluster, merge

_DURATIONS = frozenset(
    """
    cacheAuthorizedTTL cacheTTL cacheUnauthorizedTTL configSyncPeriod containerLogMonitorInterval
    cpuCFSQuotaPeriod cpuManagerReconcilePeriod draManagerReconcilePeriod evictionPressureTransitionPeriod
    fileCheckFrequency flushFrequency httpCheckFrequency imageMaximumGCAge imageMinimumGCAge
    maxContainerRestartPeriod minSyncPeriod nodeStatusReportFrequency nodeStatusUpdateFrequency
    runtimeRequestTimeout shutdownGracePeriod shutdownGracePeriodCriticalPods streamingConnectionIdleTimeout
    syncFrequency syncPeriod tcpCloseWaitTimeout tcpEstablishedTimeout tcpFinTimeout tcpTimeout
    udpStreamTimeout udpTimeout volumeStatsAggPeriod
    """.split()
)
"""Fields of type metav1.Duration: they are written as Go prints a duration, whatever the spec wrote."""

_OMITTED_WHEN_ZERO = frozenset(
    """
    address cgroupDriver cgroupRoot clientCAFile clusterDomain configMapAndSecretChangeDetectionStrategy
    containerLogMaxSize contentType cpuManagerPolicy enableContentionProfiling eventBurst
    evictionMaxPodGracePeriod hairpinMode healthzBindAddress imagePullCredentialsVerificationPolicy
    imageServiceEndpoint kernelMemcgNotification kubeAPIBurst kubeReservedCgroup kubeletCgroups maxOpenFiles
    maxPods memoryManagerPolicy memoryReservationPolicy mode nodeLeaseDurationSeconds podCIDR podLogsDir
    podsPerCore port protectKernelDefaults providerID readOnlyPort registryBurst reservedSystemCPUs
    rotateCertificates runOnce serverTLSBootstrap showHiddenMetricsForVersion staticPodPath staticPodURL
    systemCgroups systemReservedCgroup tlsCertFile tlsMinVersion tlsPrivateKeyFile topologyManagerPolicy
    topologyManagerScope volumePluginDir
    """.split()
)
"""KubeletConfiguration fields that are no pointers and carry omitempty: set to their zero value they vanish,
and what kubeadm defaults is defaulted (k8s.io/kubelet/config/v1beta1/types.go)."""

_OMITTED_WHEN_EMPTY = frozenset(
    """
    allowedUnsafeSysctls clusterDNS cpuManagerPolicyOptions enforceNodeAllocatable evictionHard
    evictionMinimumReclaim evictionSoft evictionSoftGracePeriod featureGates kubeReserved
    preloadedImagesVerificationAllowlist qosReserved registerWithTaints reservedMemory
    shutdownGracePeriodByPodPriority staticPodURLHeader systemReserved tlsCipherSuites tlsCurvePreferences
    topologyManagerPolicyOptions
    """.split()
)
"""KubeletConfiguration lists and maps that vanish when they are empty."""

_STRUCTS = frozenset(("anonymous", "authentication", "authorization", "webhook", "x509"))
"""Nested structs in which null and zero mean unset, too."""


def _canonical(value: Any, key: str = "") -> Any:
    """A component configuration with its durations as Go marshals them."""
    if isinstance(value, Mapping):
        return {name: _canonical(child, name) for name, child in value.items()}
    if key == "reservedMemory" and isinstance(value, list | tuple):
        return [_reserved(item) for item in value]
    if isinstance(value, list | tuple):
        return [_canonical(child) for child in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as JSON has it
    if isinstance(value, str) and key in _DURATIONS:
        try:
            return timefmt.format_duration(timefmt.parse_duration(value))
        except ValueError:
            return value
    return value


def _reserved(item: Any) -> Any:
    """An entry of reservedMemory, the one place where a KubeletConfiguration has quantities."""
    if not isinstance(item, Mapping) or not isinstance(item.get("limits"), Mapping):
        return item
    with suppress(ValueError):  # what is none is the kubelet's to refuse
        return {**item, "limits": {name: quantity.canonical(amount) for name, amount in item["limits"].items()}}
    return item


def _decoded(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are set once decoded: no nulls, and no zero values where Go cannot tell them from unset."""
    found: dict[str, Any] = {}
    for name, value in overrides.items():
        if value is None or (name in _OMITTED_WHEN_ZERO and not value):
            continue
        found[name] = _decoded(value) if isinstance(value, Mapping) and name in _STRUCTS else value
    return found


def kubelet(cluster: ResolvedCluster, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A KubeletConfiguration: kubeadm's defaults, what the cluster decides, and the overrides on top."""
    decided = {
        "authentication": {"x509": {"clientCAFile": cluster.pki_path("ca.crt")}},
        "clusterDNS": [cluster.dns_address],
        "clusterDomain": cluster.cluster.spec.networking.dns_domain,
    }
    document = merge(merge(cluster.version.kubelet_defaults, decided), _decoded(overrides))
    document |= {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "rotateCertificates": True,  # kubeadm always sets it
    }
    kept = {name: value for name, value in document.items() if value or name not in _OMITTED_WHEN_EMPTY}
    if isinstance(kept.get("logging"), Mapping) and not kept["logging"].get("vmodule", True):
        kept["logging"] = {name: value for name, value in kept["logging"].items() if name != "vmodule"}
    result: dict[str, Any] = _canonical(kept)
    return result


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are set: null leaves a field as it is defaulted."""
    return {
        name: _without_nulls(value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
        if value is not None
    }


def kube_proxy(cluster: ResolvedCluster) -> dict[str, Any]:
    """A KubeProxyConfiguration: kubeadm's defaults, what the cluster decides, and the spec's fields on top."""
    spec = cluster.cluster.spec
    decided = {"clusterCIDR": spec.networking.pod_subnet or ""}
    if ":" in cluster.control_plane[0].address:
        decided["bindAddress"] = "::"
    document = merge(merge(cluster.version.kube_proxy_defaults, decided), _without_nulls(spec.kube_proxy))
    document |= {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
    for name in ("featureGates", "windowsRunAsService"):  # the two fields with omitempty
        if not document.get(name):
            document.pop(name, None)
    result: dict[str, Any] = _canonical(document)
    return result
