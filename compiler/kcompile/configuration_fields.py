"""The fields of a KubeletConfiguration and a KubeProxyConfiguration, and what is wrong with a user's values for them.

Sources: ``types.go`` of k8s.io/kubelet ``config/v1beta1``, k8s.io/kube-proxy ``config/v1alpha1``, k8s.io/component-base
``config/v1alpha1``, ``logs/api/v1`` and ``tracing/api/v1``, k8s.io/api ``core/v1`` (Taint).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

_STRUCTS = go_fields.structs(_TABLE)


def check(kind: Kind, fields: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the fields that a user sets in a component configuration, in their order.

    null is a field left unset. Whether a value makes sense is the component's own to say.
    """
    return go_fields.check(_STRUCTS, kind, fields)
