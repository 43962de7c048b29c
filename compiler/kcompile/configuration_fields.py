"""The fields of a KubeletConfiguration and a KubeProxyConfiguration, and what is wrong with a user's values for them.

Sources: ``types.go`` of k8s.io/kubelet ``config/v1beta1``, k8s.io/kube-proxy ``config/v1alpha1``, k8s.io/component-base
``config/v1alpha1``, ``logs/api/v1`` and ``tracing/api/v1``, k8s.io/api ``core/v1`` (Taint); how values decode:
k8s.io/apimachinery ``meta/v1`` (Duration, Time) and ``api/resource`` (Quantity).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kcompile import quantity, timefmt
from kcompile.errors import Path, described

Kind = Literal["KubeletConfiguration", "KubeProxyConfiguration"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that Go would not decode, or one field that it would drop."""

    path: Path
    message: str
    hint: str | None = None
    unknown: bool = False
    """The field is none of the kind's: Go warns of it and goes on without it."""


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

_STRUCTS: dict[str, dict[str, str]] = {
    struct: {name: go for go, names in types.items() for name in names.split()} for struct, types in _TABLE.items()
}
"""The Go type of each field, by struct."""

_WANTED = {
    "string": "a string",
    "bool": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "uint32": "a whole number",
    "float32": "a number",
    "float64": "a number",
    "Duration": "a duration such as 10s",
    "TimeOrMetaDuration": "a duration such as 10s or a whole number of nanoseconds",
    "Quantity": "a quantity such as 1Gi",
    "Time": "a time such as 2026-11-23T00:00:00Z",
}
_LISTED = {"string": "strings", "int32": "whole numbers"}
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "TimeOrMetaDuration": (-(2**63), 2**63 - 1),
}
_LARGEST = {"float32": (2 - 2**-23) * 2.0**127, "float64": (2 - 2**-52) * 2.0**1023}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


_READERS: dict[str, Callable[[str], object]] = {
    "string": str,
    "Duration": timefmt.parse_duration,
    "TimeOrMetaDuration": timefmt.parse_duration,
    "Quantity": quantity.canonical,
    "Time": _time,
}
"""What is written as a string, and what reads it or raises ValueError."""


def check(kind: Kind, fields: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the fields that a user sets in a component configuration, in their order.

    null is a field left unset. Whether a value makes sense is the component's own to say.
    """
    return _faults(kind, kind, fields, ())


def _faults(kind: Kind, go: str, value: Any, path: Path) -> Iterator[Fault]:
    if value is None:
        return
    if go.startswith("[]"):
        item_type = go.removeprefix("[]")
        if isinstance(value, tuple | list):
            for index, item in enumerate(value):
                yield from _faults(kind, item_type, item, (*path, index))
        else:
            yield Fault(path, f"must be a list of {_LISTED.get(item_type, 'mappings')}, not {described(value)}")
    elif go.startswith("map[string]") or go in _STRUCTS:
        if not isinstance(value, Mapping):
            yield Fault(path, f"must be a mapping, not {described(value)}")
            return
        fields = _STRUCTS.get(go)
        for name, child in value.items():
            child_type = go.removeprefix("map[string]") if fields is None else fields.get(name)
            if child_type is not None:
                yield from _faults(kind, child_type, child, (*path, name))
            else:
                close = difflib.get_close_matches(name, fields or (), 1)
                hint = f"did you mean {close[0]}?" if close else None
                yield Fault((*path, name), f"unknown field of {kind}", hint, unknown=True)
    elif not _decodes(go, value):
        yield Fault(path, _message(go, value), _hint(go, value))


def _decodes(go: str, value: Any) -> bool:
    """Whether Go reads a value as a scalar type. A float is never a whole number, as in JSON."""
    if isinstance(value, bool):
        return go == "bool"
    if isinstance(value, int) and go in _RANGES:
        low, high = _RANGES[go]
        return low <= value <= high
    if isinstance(value, int | float) and go in _LARGEST:
        return abs(value) <= _LARGEST[go]
    if go not in _READERS or not isinstance(value, str | int | float if go == "Quantity" else str):
        return False
    try:
        _READERS[go](value)
    except ValueError:
        return False
    return True


def _message(go: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and go in _RANGES:
            low, high = _RANGES[go]
            return f"must be a whole number from {low} to {high}"
        if go in _LARGEST:
            return "must be a finite number"
    if isinstance(value, str) and go in _READERS:
        return f"must be {_WANTED[go]}"
    return f"must be {_WANTED[go]}, not {described(value)}"


def _hint(go: str, value: Any) -> str | None:
    if go == "string":
        return "put it in quotes" if isinstance(value, bool | int | float) else None
    if go == "Duration":
        digits = value if isinstance(value, str) else described(value).removeprefix("the number ")
        is_number = _NUMBER.fullmatch(digits) and _decodes(go, f"{digits}s")
        return f"add the unit, for example {digits}s" if is_number else None
    literal = {"bool": re.compile("true|false"), "float32": _NUMBER, "float64": _NUMBER}.get(go, _WHOLE)
    is_quoted = isinstance(value, str) and go not in _READERS and literal.fullmatch(value)
    return "leave out the quotes" if is_quoted else None
