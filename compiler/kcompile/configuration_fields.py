"""The fields of a KubeletConfiguration and a KubeProxyConfiguration, and what is wrong with a user's values for them.

Sources: ``types.go`` of k8s.io/kubelet ``config/v1beta1``, k8s.io/kube-proxy ``config/v1alpha1``, k8s.io/component-base
``config/v1alpha1``, ``logs/api/v1`` and ``tracing/api/v1``, k8s.io/api ``core/v1`` (Taint).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from kcompile import go_fields
from kcompile.go_fields import Fault

Kind = Literal["KubeletConfiguration", "KubeProxyConfiguration"]

_TABLE: dict[str, dict[str, str]] = {
    "KubeletConfiguration": {
        "string": """
            address apiVersion cgroupDriver cgroupRoot clusterDomain configMapAndSecretChangeDetectionStrategy
            containerLogMaxSize containerRuntimeEndpoint contentType cpuManagerPolicy hairpinMode healthzBindAddress
            imagePullCredentialsVerificationPolicy imageServiceEndpoint kind kubeReservedCgroup kubeletCgroups
            memoryManagerPolicy memoryReservationPolicy podCIDR podLogsDir providerID reservedSystemCPUs resolvConf
            showHiddenMetricsForVersion staticPodPath staticPodURL systemCgroups systemReservedCgroup tlsCertFile
            tlsMinVersion tlsPrivateKeyFile topologyManagerPolicy topologyManagerScope volumePluginDir
            """,
        "bool": """
            cgroupsPerQOS cpuCFSQuota enableContentionProfiling enableControllerAttachDetach enableDebugFlagsHandler
            enableDebuggingHandlers enableProfilingHandler enableServer enableSystemLogHandler enableSystemLogQuery
            failCgroupV1 failSwapOn kernelMemcgNotification localStorageCapacityIsolation makeIPTablesUtilChains
            mergeDefaultEvictionSettings protectKernelDefaults registerNode rotateCertificates runOnce seccompDefault
            serializeImagePulls serverTLSBootstrap singleProcessOOMKill
            """,
        "int32": """
            containerLogMaxFiles containerLogMaxWorkers eventBurst eventRecordQPS evictionMaxPodGracePeriod healthzPort
            imageGCHighThresholdPercent imageGCLowThresholdPercent iptablesDropBit iptablesMasqueradeBit kubeAPIBurst
            kubeAPIQPS maxParallelImagePulls maxPods nodeLeaseDurationSeconds nodeStatusMaxImages oomScoreAdj
            podsPerCore port readOnlyPort registryBurst registryPullQPS
            """,
        "int64": "maxOpenFiles podPidsLimit",
        "float64": "memoryThrottlingFactor",
        "Duration": """
            containerLogMonitorInterval cpuCFSQuotaPeriod cpuManagerReconcilePeriod draManagerReconcilePeriod
            evictionPressureTransitionPeriod fileCheckFrequency httpCheckFrequency imageMaximumGCAge imageMinimumGCAge
            nodeStatusReportFrequency nodeStatusUpdateFrequency runtimeRequestTimeout shutdownGracePeriod
            shutdownGracePeriodCriticalPods streamingConnectionIdleTimeout syncFrequency volumeStatsAggPeriod
            """,
        "[]string": """
            allowedUnsafeSysctls clusterDNS enforceNodeAllocatable preloadedImagesVerificationAllowlist tlsCipherSuites
            """,
        "[]int32": "tlsCurvePreferences",
        "map[string]string": """
            cpuManagerPolicyOptions evictionHard evictionMinimumReclaim evictionSoft evictionSoftGracePeriod
            kubeReserved qosReserved systemReserved topologyManagerPolicyOptions
            """,
        "map[string]bool": "featureGates",
        "map[string][]string": "staticPodURLHeader",
        "KubeletAuthentication": "authentication",
        "KubeletAuthorization": "authorization",
        "CrashLoopBackOffConfig": "crashLoopBackOff",
        "LoggingConfiguration": "logging",
        "MemorySwapConfiguration": "memorySwap",
        "TracingConfiguration": "tracing",
        "UserNamespaces": "userNamespaces",
        "[]MemoryReservation": "reservedMemory",
        "[]ShutdownGracePeriodByPodPriority": "shutdownGracePeriodByPodPriority",
        "[]Taint": "registerWithTaints",
    },
    "KubeletAuthentication": {
        "KubeletAnonymousAuthentication": "anonymous",
        "KubeletWebhookAuthentication": "webhook",
        "KubeletX509Authentication": "x509",
    },
    "KubeletAnonymousAuthentication": {"bool": "enabled"},
    "KubeletWebhookAuthentication": {"bool": "enabled", "Duration": "cacheTTL"},
    "KubeletX509Authentication": {"string": "clientCAFile"},
    "KubeletAuthorization": {"string": "mode", "KubeletWebhookAuthorization": "webhook"},
    "KubeletWebhookAuthorization": {"Duration": "cacheAuthorizedTTL cacheUnauthorizedTTL"},
    "CrashLoopBackOffConfig": {"Duration": "maxContainerRestartPeriod"},
    "MemorySwapConfiguration": {"string": "swapBehavior"},
    "TracingConfiguration": {"string": "endpoint", "int32": "samplingRatePerMillion"},
    "UserNamespaces": {"int64": "idsPerPod"},
    "MemoryReservation": {"int32": "numaNode", "map[string]Quantity": "limits"},
    "ShutdownGracePeriodByPodPriority": {"int32": "priority", "int64": "shutdownGracePeriodSeconds"},
    "Taint": {"string": "effect key value", "Time": "timeAdded"},
    "LoggingConfiguration": {
        "string": "format",
        "TimeOrMetaDuration": "flushFrequency",
        "uint32": "verbosity",
        "[]VModuleItem": "vmodule",
        "FormatOptions": "options",
    },
    "VModuleItem": {"string": "filePattern", "uint32": "verbosity"},
    "FormatOptions": {"OutputRoutingOptions": "json text"},
    "OutputRoutingOptions": {"bool": "splitStream", "Quantity": "infoBufferSize"},
    "KubeProxyConfiguration": {
        "string": """
            apiVersion bindAddress clusterCIDR detectLocalMode healthzBindAddress hostnameOverride kind
            metricsBindAddress mode portRange showHiddenMetricsForVersion
            """,
        "bool": "bindAddressHardFail enableProfiling windowsRunAsService",
        "int32": "oomScoreAdj",
        "Duration": "configSyncPeriod",
        "[]string": "nodePortAddresses",
        "map[string]bool": "featureGates",
        "ClientConnectionConfiguration": "clientConnection",
        "DetectLocalConfiguration": "detectLocal",
        "KubeProxyConntrackConfiguration": "conntrack",
        "KubeProxyIPTablesConfiguration": "iptables",
        "KubeProxyIPVSConfiguration": "ipvs",
        "KubeProxyNFTablesConfiguration": "nftables",
        "KubeProxyWinkernelConfiguration": "winkernel",
        "LoggingConfiguration": "logging",
    },
    "ClientConnectionConfiguration": {
        "string": "acceptContentTypes contentType kubeconfig",
        "int32": "burst",
        "float32": "qps",
    },
    "DetectLocalConfiguration": {"string": "bridgeInterface interfaceNamePrefix"},
    "KubeProxyConntrackConfiguration": {
        "bool": "tcpBeLiberal",
        "int32": "maxPerCore min",
        "Duration": "tcpCloseWaitTimeout tcpEstablishedTimeout udpStreamTimeout udpTimeout",
    },
    "KubeProxyIPTablesConfiguration": {
        "bool": "localhostNodePorts masqueradeAll snatNodeInternalIP",
        "int32": "masqueradeBit",
        "Duration": "minSyncPeriod syncPeriod",
    },
    "KubeProxyIPVSConfiguration": {
        "string": "scheduler",
        "bool": "strictARP",
        "Duration": "minSyncPeriod syncPeriod tcpFinTimeout tcpTimeout udpTimeout",
        "[]string": "excludeCIDRs",
    },
    "KubeProxyNFTablesConfiguration": {
        "bool": "masqueradeAll",
        "int32": "masqueradeBit",
        "Duration": "minSyncPeriod syncPeriod",
    },
    "KubeProxyWinkernelConfiguration": {
        "string": "networkName rootHnsEndpointName sourceVip",
        "bool": "enableDSR forwardHealthCheckVip",
    },
}
"""The fields of each Go struct, by their Go types: all that the minors 1.28 to 1.37 know together."""

_OMITTED = {
    "KubeletConfiguration": """
        address allowedUnsafeSysctls cgroupDriver cgroupRoot clusterDNS clusterDomain
        configMapAndSecretChangeDetectionStrategy containerLogMaxSize contentType cpuManagerPolicy
        cpuManagerPolicyOptions enableContentionProfiling enforceNodeAllocatable eventBurst evictionHard
        evictionMaxPodGracePeriod evictionMinimumReclaim evictionSoft evictionSoftGracePeriod featureGates hairpinMode
        healthzBindAddress imagePullCredentialsVerificationPolicy imageServiceEndpoint kernelMemcgNotification
        kubeAPIBurst kubeReserved kubeReservedCgroup kubeletCgroups maxOpenFiles maxPods memoryManagerPolicy
        memoryReservationPolicy nodeLeaseDurationSeconds podCIDR podLogsDir podsPerCore port
        preloadedImagesVerificationAllowlist protectKernelDefaults providerID qosReserved readOnlyPort
        registerWithTaints registryBurst reservedMemory reservedSystemCPUs rotateCertificates runOnce serverTLSBootstrap
        showHiddenMetricsForVersion shutdownGracePeriodByPodPriority staticPodPath staticPodURL staticPodURLHeader
        systemCgroups systemReserved systemReservedCgroup tlsCertFile tlsCipherSuites tlsCurvePreferences tlsMinVersion
        tlsPrivateKeyFile topologyManagerPolicy topologyManagerPolicyOptions topologyManagerScope volumePluginDir
        """,
    "KubeletX509Authentication": "clientCAFile",
    "KubeletAuthorization": "mode",
    "MemorySwapConfiguration": "swapBehavior",
    "Taint": "value",
    "LoggingConfiguration": "format vmodule",
    "OutputRoutingOptions": "splitStream",
    "KubeProxyConfiguration": "featureGates windowsRunAsService",
}
_WRITTEN: dict[str, dict[str, Any]] = {
    "MemoryReservation": {"limits": None, "numaNode": 0},
    "OutputRoutingOptions": {"infoBufferSize": "0"},
    "ShutdownGracePeriodByPodPriority": {"priority": 0, "shutdownGracePeriodSeconds": 0},
    "Taint": {"effect": "", "key": ""},
    "VModuleItem": {"filePattern": "", "verbosity": 0},
}
_SINCE: dict[str, dict[int, str]] = {
    "KubeletConfiguration": {
        29: "imageMaximumGCAge",
        30: "containerLogMaxWorkers containerLogMonitorInterval podLogsDir",
        32: "crashLoopBackOff singleProcessOOMKill",
        33: """
            imagePullCredentialsVerificationPolicy mergeDefaultEvictionSettings preloadedImagesVerificationAllowlist
            userNamespaces
            """,
        36: "memoryReservationPolicy",
    },
    "FormatOptions": {30: "text"},
    "KubeProxyConfiguration": {29: "nftables"},
    "KubeProxyConntrackConfiguration": {29: "tcpBeLiberal udpStreamTimeout udpTimeout"},
}
"""The minor that a field came with, where it is known (docs/versions.md) and one of ours."""

_STRUCTS = go_fields.structs(_TABLE)


def structs() -> go_fields.Structs:
    """The Go type of each field, by struct: the two kinds, and what is in them."""
    return _STRUCTS


def _newer(minor: int | None) -> dict[str, frozenset[str]]:
    """By struct, the fields that came after a minor; none of them where it is not said."""
    return {
        struct: frozenset(
            name for since, names in fields.items() if minor is not None and since > minor for name in names.split()
        )
        for struct, fields in _SINCE.items()
    }


@cache
def _tags(minor: int | None) -> go_fields.Tags:
    omitted = {struct: frozenset(names.split()) for struct, names in _OMITTED.items()}
    return go_fields.Tags(omitted=omitted, written=_WRITTEN, newer=_newer(minor))


@cache
def _of_minor(minor: int) -> dict[str, dict[str, str]]:
    """The structs, without the fields that came after a minor."""
    newer = _newer(minor)
    return {
        struct: {name: go for name, go in types.items() if name not in newer.get(struct, ())}
        for struct, types in _STRUCTS.items()
    }


def check(kind: Kind, fields: Mapping[str, Any], minor: int | None = None) -> Iterator[Fault]:
    """What is wrong with the fields that a user sets in a component configuration, in their order.

    null is a field left unset. Whether a value makes sense is the component's own to say. Of a minor, a field that
    came later is unknown.
    """
    if minor is None:
        yield from go_fields.check(_STRUCTS, kind, fields)
        return
    structs = _of_minor(minor)
    unknown = {fault.path for fault in go_fields.check(_STRUCTS, kind, fields) if fault.unknown}
    for fault in go_fields.check(structs, kind, fields):
        is_newer = fault.unknown and fault.path not in unknown
        yield replace(fault, hint=f"v1.{minor} is older than it, and kubeadm drops it") if is_newer else fault


def decoded(kind: Kind, fields: Mapping[str, Any], minor: int | None = None) -> dict[str, Any]:
    """The fields that a user sets, without fault, as the component's struct holds them; what is unset is left out."""
    result: dict[str, Any] = go_fields.decoded(_STRUCTS, _tags(minor), kind, fields)
    return result


def without_empty(kind: Kind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what omitempty leaves out."""
    return go_fields.without_empty(_STRUCTS, _tags(None), kind, fields)
