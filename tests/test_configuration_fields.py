"""Fields of a KubeletConfiguration and a KubeProxyConfiguration: what is known, what is taken, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from kcompile import configuration_fields, go_fields, versions
from kcompile.configuration_fields import Kind, check
from kcompile.go_fields import Fault

KUBELET: Kind = "KubeletConfiguration"
KUBE_PROXY: Kind = "KubeProxyConfiguration"
NAN, INFINITY = float("nan"), float("inf")
INT32 = "must be a whole number from -2147483648 to 2147483647"
INT64 = "must be a whole number from -9223372036854775808 to 9223372036854775807"
UINT32 = "must be a whole number from 0 to 4294967295"
DURATION = "must be a duration such as 10s"
FLUSH = "must be a duration such as 10s or a whole number of nanoseconds"
QUANTITY = "must be a quantity such as 1Gi"
TIME = "must be a time such as 2026-11-23T00:00:00Z"
UNQUOTE = "leave out the quotes"
QUOTE = "put it in quotes"


def known(kind: Kind) -> set[tuple[str, str]]:
    """Every field of a kind at any depth, with its Go type."""

    def below(go: str) -> Iterator[tuple[str, str]]:
        for name, child in configuration_fields._STRUCTS.get(go.rpartition("]")[2], {}).items():
            yield name, child
            yield from below(child)

    return set(below(kind))


def test_the_defaults_of_every_minor_are_taken() -> None:
    for minor in versions.supported_minors():
        version = versions.for_minor(minor)
        assert (minor, list(check(KUBELET, version.kubelet_defaults))) == (minor, [])
        assert (minor, list(check(KUBE_PROXY, version.kube_proxy_defaults))) == (minor, [])


def test_which_minors_write_which_fields_of_a_kube_proxy() -> None:
    tables = {minor: versions.for_minor(minor).kube_proxy_defaults for minor in versions.supported_minors()}
    assert [minor for minor, fields in tables.items() if "logging" not in fields] == []
    assert [minor for minor, fields in tables.items() if "nftables" not in fields] == [28]
    assert [minor for minor, fields in tables.items() if "text" not in fields["logging"]["options"]] == [28, 29]


def test_what_is_left_out_is_a_scalar_a_list_or_a_map() -> None:
    scalars = set()
    for struct, omitted in configuration_fields._tags(None).omitted.items():
        types = configuration_fields._STRUCTS[struct]
        assert (struct, omitted - types.keys()) == (struct, set())
        scalars |= {types[name] for name in omitted if not types[name].startswith(("[]", "map["))}
    assert scalars == {"string", "bool", "int32", "int64"}


def test_every_list_and_map_of_a_kubelet_is_left_out_when_it_is_empty() -> None:
    fields = configuration_fields._STRUCTS[KUBELET]
    found = {name for name, go in fields.items() if go.startswith(("[]", "map["))}
    assert found <= configuration_fields._tags(None).omitted[KUBELET]


def test_what_is_always_written_is_every_field_without_omitempty_of_what_stands_in_lists() -> None:
    structs = configuration_fields._STRUCTS
    listed = {go.removeprefix("[]") for fields in structs.values() for go in fields.values() if go.startswith("[]")}
    written = configuration_fields._tags(None).written
    assert listed & structs.keys() == written.keys() - {"OutputRoutingOptions"}
    assert {struct: structs[struct].keys() - fields.keys() for struct, fields in written.items()} == {
        "MemoryReservation": set(),
        "OutputRoutingOptions": {"splitStream"},
        "ShutdownGracePeriodByPodPriority": set(),
        "Taint": {"timeAdded", "value"},
        "VModuleItem": set(),
    }


DECODED: list[tuple[Kind, dict[str, Any], dict[str, Any]]] = [
    (KUBELET, {"memorySwap": {"swapBehavior": ""}}, {"memorySwap": {}}),
    (KUBELET, {"logging": {"format": "", "verbosity": None}}, {"logging": {}}),
    (
        KUBELET,
        {"logging": {"vmodule": [{"filePattern": "a"}], "flushFrequency": "300s"}},
        {"logging": {"vmodule": [{"filePattern": "a", "verbosity": 0}], "flushFrequency": "5m0s"}},
    ),
    (
        KUBELET,
        {"logging": {"options": {"json": {"infoBufferSize": "1024Ki"}, "text": {"splitStream": False}}}},
        {"logging": {"options": {"json": {"infoBufferSize": "1Mi"}, "text": {"infoBufferSize": "0"}}}},
    ),
    (
        KUBE_PROXY,
        {"logging": {"format": "", "options": {"json": {"infoBufferSize": 0, "splitStream": True}}}},
        {"logging": {"options": {"json": {"infoBufferSize": "0", "splitStream": True}}}},
    ),
    (
        KUBELET,
        {"registerWithTaints": [{"key": "a", "value": "", "effect": "NoSchedule", "timeAdded": None}, {"key": "b"}]},
        {"registerWithTaints": [{"effect": "NoSchedule", "key": "a"}, {"effect": "", "key": "b"}]},
    ),
    (
        KUBELET,
        {"shutdownGracePeriodByPodPriority": [{"priority": 10}, {"shutdownGracePeriodSeconds": 5}]},
        {
            "shutdownGracePeriodByPodPriority": [
                {"priority": 10, "shutdownGracePeriodSeconds": 0},
                {"priority": 0, "shutdownGracePeriodSeconds": 5},
            ]
        },
    ),
    (
        KUBELET,
        {"reservedMemory": [{"limits": {"memory": 1073741824, "hugepages-2Mi": None}}, {"numaNode": 1}]},
        {
            "reservedMemory": [
                {"limits": {"memory": "1073741824", "hugepages-2Mi": "0"}, "numaNode": 0},
                {"limits": None, "numaNode": 1},
            ]
        },
    ),
    (
        KUBELET,
        {"evictionHard": {"nodefs.available": None}, "clusterDNS": [], "maxPods": 0, "podPidsLimit": 0, "new": ""},
        {"evictionHard": {"nodefs.available": ""}, "clusterDNS": [], "podPidsLimit": 0, "new": ""},
    ),
    (
        KUBE_PROXY,
        {"mode": "", "bindAddress": None, "conntrack": {"min": None, "maxPerCore": 0}, "nodePortAddresses": []},
        {"mode": "", "conntrack": {"maxPerCore": 0}, "nodePortAddresses": []},
    ),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), DECODED, ids=str)
def test_what_go_holds_once_it_has_decoded_it(kind: Kind, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(check(kind, {name: value for name, value in fields.items() if name != "new"})) == []
    assert configuration_fields.decoded(kind, fields) == expected


NEWER: list[tuple[Kind, int, dict[str, Any], dict[str, Any], list[tuple[str | int, ...]]]] = [
    (KUBELET, 28, {"imageMaximumGCAge": "1h", "maxPods": 1}, {"maxPods": 1}, [("imageMaximumGCAge",)]),
    (KUBELET, 29, {"imageMaximumGCAge": "1h"}, {"imageMaximumGCAge": "1h0m0s"}, []),
    (KUBELET, 31, {"crashLoopBackOff": {"maxContainerRestartPeriod": "1m"}}, {}, [("crashLoopBackOff",)]),
    (KUBELET, 32, {"userNamespaces": {"idsPerPod": 65536}}, {}, [("userNamespaces",)]),
    (KUBELET, 33, {"userNamespaces": {"idsPerPod": 65536}}, {"userNamespaces": {"idsPerPod": 65536}}, []),
    (
        KUBELET,
        29,
        {"logging": {"options": {"text": {"splitStream": True}}}},
        {"logging": {"options": {}}},
        [("logging", "options", "text")],
    ),
    (
        KUBE_PROXY,
        28,
        {
            "nftables": {"masqueradeAll": True},
            "conntrack": {"udpTimeout": "1s", "min": 1},
            "ipvs": {"udpTimeout": "1s"},
        },
        {"conntrack": {"min": 1}, "ipvs": {"udpTimeout": "1s"}},
        [("nftables",), ("conntrack", "udpTimeout")],
    ),
]


@pytest.mark.parametrize(("kind", "minor", "fields", "expected", "dropped"), NEWER, ids=str)
def test_what_a_minor_does_not_know_yet_is_dropped(
    kind: Kind,
    minor: int,
    fields: dict[str, Any],
    expected: dict[str, Any],
    dropped: list[tuple[str | int, ...]],
) -> None:
    hint = f"v1.{minor} is older than it, and kubeadm drops it"
    faults = [Fault(path, f"unknown field of {kind}", hint, unknown=True) for path in dropped]
    assert list(check(kind, fields, minor)) == faults
    assert list(check(kind, fields)) == []
    assert configuration_fields.decoded(kind, fields, minor) == expected


def test_the_minor_that_a_field_came_with_is_the_first_whose_defaults_have_it() -> None:
    defaults = {KUBELET: "kubelet_defaults", KUBE_PROXY: "kube_proxy_defaults"}
    for minor in versions.supported_minors():
        version = versions.for_minor(minor)
        for kind, name in defaults.items():
            # the trees of 1.31 were written by a kubeadm 1.32 (docs/versions.md)
            expected = [("crashLoopBackOff",)] if (kind, minor) == (KUBELET, 31) else []
            assert [fault.path for fault in check(kind, getattr(version, name), minor)] == expected
    assert all(
        name in configuration_fields._STRUCTS[struct]
        for struct, fields in configuration_fields._SINCE.items()
        for names in fields.values()
        for name in names.split()
    )


def test_what_is_empty_is_left_out_where_go_does() -> None:
    fields = {"clusterDNS": [], "evictionHard": {}, "memorySwap": {}, "logging": {"vmodule": [], "verbosity": 0}}
    assert configuration_fields.without_empty(KUBELET, fields) == {"memorySwap": {}, "logging": {"verbosity": 0}}
    assert configuration_fields.without_empty(KUBE_PROXY, {"nodePortAddresses": [], "featureGates": {}}) == {
        "nodePortAddresses": []
    }


def test_a_field_has_one_type() -> None:
    for struct, types in configuration_fields._TABLE.items():
        names = " ".join(types.values()).split()
        assert (struct, sorted(names)) == (struct, sorted(set(names)))


def test_every_type_is_a_struct_or_a_scalar() -> None:
    used = {go.rpartition("]")[2] for fields in configuration_fields._STRUCTS.values() for go in fields.values()}
    scalars = set(go_fields._WANTED) - {"IntOrString"}  # only workloads have such fields
    assert used == scalars | set(configuration_fields._STRUCTS) - set(get_args(Kind))


GOOD: dict[str, Any] = {
    "string": "",
    "bool": False,
    "int32": -(2**31),
    "int64": 2**63 - 1,
    "uint32": 2**32 - 1,
    "float32": 0.5,
    "float64": 1,
    "Duration": "-1h2m3.5s",
    "TimeOrMetaDuration": 5_000_000_000,
    "Quantity": "1Gi",
    "Time": "2026-11-23T00:00:00.5+02:00",
}
STRANGE: dict[str, Any] = {
    "string": 1,
    "bool": "yes",
    "int32": True,
    "int64": 1.0,
    "uint32": -1,
    "float32": 1e39,
    "float64": NAN,
    "Duration": 1,
    "TimeOrMetaDuration": 1.0,
    "Quantity": True,
    "Time": "2026-11-23",
}


def sample(go: str, leaves: dict[str, Any]) -> Any:
    """A value of a Go type with every field of every struct set."""
    if go.startswith("[]"):
        return (sample(go.removeprefix("[]"), leaves),)
    if go.startswith("map[string]"):
        return {"a": sample(go.removeprefix("map[string]"), leaves)}
    if go in leaves:
        return leaves[go]
    return {name: sample(child, leaves) for name, child in configuration_fields._STRUCTS[go].items()}


def leaf_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaf_paths(child, (*path, name))
    elif isinstance(value, tuple):
        for index, child in enumerate(value):
            yield from leaf_paths(child, (*path, index))
    else:
        yield path


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_field_takes_its_type_and_null_and_nothing_else(kind: Kind) -> None:
    good, strange = sample(kind, GOOD), sample(kind, STRANGE)
    assert list(check(kind, good)) == []
    assert list(check(kind, sample(kind, dict.fromkeys(GOOD)))) == []
    assert list(check(kind, dict.fromkeys(good))) == []
    assert [fault.path for fault in check(kind, strange)] == list(leaf_paths(strange))
    assert not any(fault.unknown for fault in check(kind, strange))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_no_struct_takes_a_scalar(kind: Kind) -> None:
    structs = [name for name, go in configuration_fields._STRUCTS[kind].items() if go in configuration_fields._STRUCTS]
    expected = [Fault((name,), "must be a mapping, not a string") for name in structs]
    assert list(check(kind, dict.fromkeys(structs, "none"))) == expected


TAKEN = [
    (KUBELET, {}),
    (KUBELET, {"oomScoreAdj": -999, "podPidsLimit": -1, "maxOpenFiles": 2**40}),
    (KUBELET, {"memoryThrottlingFactor": 0.9}),
    (KUBELET, {"memoryThrottlingFactor": 1}),
    (KUBELET, {"syncFrequency": "0"}),
    (KUBELET, {"clusterDNS": ["10.96.0.10", None], "tlsCurvePreferences": [29, 23]}),
    (KUBELET, {"evictionHard": {"memory.available": "500Mi", "nodefs.available": None}}),
    (KUBELET, {"featureGates": {"NodeSwap": True}}),
    (KUBELET, {"staticPodURLHeader": {"Accept": ("a", "b")}}),
    (KUBELET, {"logging": {"flushFrequency": "5s", "vmodule": [{"filePattern": "http*", "verbosity": 4}]}}),
    (KUBELET, {"logging": {"options": {"text": {"splitStream": True, "infoBufferSize": 65536}}}}),
    (KUBELET, {"reservedMemory": [{"numaNode": 0, "limits": {"memory": "1.5Gi", "hugepages-2Mi": 1e9}}]}),
    (KUBELET, {"registerWithTaints": [{"key": "a", "effect": "NoSchedule", "timeAdded": "2026-11-23T00:00:00Z"}]}),
    (KUBELET, {"crashLoopBackOff": {"maxContainerRestartPeriod": "1m"}, "userNamespaces": {"idsPerPod": 65536}}),
    (KUBE_PROXY, {"mode": "ipvs", "ipvs": {"scheduler": "lc", "strictARP": True, "excludeCIDRs": ["10.0.0.0/8"]}}),
    (KUBE_PROXY, {"clientConnection": {"qps": 7.5, "burst": 10}, "windowsRunAsService": True}),
    (KUBE_PROXY, {"conntrack": {"tcpBeLiberal": True, "maxPerCore": 0, "udpStreamTimeout": "3m"}}),
]


@pytest.mark.parametrize(("kind", "fields"), TAKEN, ids=str)
def test_taken(kind: Kind, fields: dict[str, Any]) -> None:
    assert list(check(kind, fields)) == []


def at(*path: str | int) -> tuple[str | int, ...]:
    return path


REFUSED: list[tuple[Kind, Any, list[Fault]]] = [
    # whole numbers
    (KUBELET, {"maxPods": "lots"}, [Fault(at("maxPods"), "must be a whole number, not a string")]),
    (KUBELET, {"maxPods": "200"}, [Fault(at("maxPods"), "must be a whole number, not a string", UNQUOTE)]),
    (KUBELET, {"maxPods": True}, [Fault(at("maxPods"), "must be a whole number, not the boolean true")]),
    (KUBELET, {"maxPods": 2.5}, [Fault(at("maxPods"), "must be a whole number, not the number 2.5")]),
    (KUBELET, {"maxPods": 2.0}, [Fault(at("maxPods"), "must be a whole number, not the number 2.0")]),
    (KUBELET, {"maxPods": NAN}, [Fault(at("maxPods"), "must be a whole number, not the number nan")]),
    (KUBELET, {"maxPods": [1]}, [Fault(at("maxPods"), "must be a whole number, not a list")]),
    (KUBELET, {"maxPods": {}}, [Fault(at("maxPods"), "must be a whole number, not a mapping")]),
    (KUBELET, {"maxPods": 2**31}, [Fault(at("maxPods"), INT32)]),
    (KUBELET, {"oomScoreAdj": -(2**31) - 1}, [Fault(at("oomScoreAdj"), INT32)]),
    (KUBELET, {"podPidsLimit": 2**63}, [Fault(at("podPidsLimit"), INT64)]),
    (KUBELET, {"podPidsLimit": 2**20000}, [Fault(at("podPidsLimit"), INT64)]),
    (KUBELET, {"logging": {"verbosity": -1}}, [Fault(at("logging", "verbosity"), UINT32)]),
    # numbers
    (KUBELET, {"memoryThrottlingFactor": NAN}, [Fault(at("memoryThrottlingFactor"), "must be a finite number")]),
    (KUBELET, {"memoryThrottlingFactor": -INFINITY}, [Fault(at("memoryThrottlingFactor"), "must be a finite number")]),
    (KUBELET, {"memoryThrottlingFactor": 10**400}, [Fault(at("memoryThrottlingFactor"), "must be a finite number")]),
    (
        KUBELET,
        {"memoryThrottlingFactor": "0.9"},
        [Fault(at("memoryThrottlingFactor"), "must be a number, not a string", UNQUOTE)],
    ),
    (
        KUBELET,
        {"memoryThrottlingFactor": False},
        [Fault(at("memoryThrottlingFactor"), "must be a number, not the boolean false")],
    ),
    (
        KUBE_PROXY,
        {"clientConnection": {"qps": 1e39}},
        [Fault(at("clientConnection", "qps"), "must be a finite number")],
    ),
    # true or false
    (KUBELET, {"failSwapOn": 0}, [Fault(at("failSwapOn"), "must be true or false, not the number 0")]),
    (KUBELET, {"failSwapOn": "maybe"}, [Fault(at("failSwapOn"), "must be true or false, not a string")]),
    (KUBELET, {"failSwapOn": "false"}, [Fault(at("failSwapOn"), "must be true or false, not a string", UNQUOTE)]),
    (KUBELET, {"failSwapOn": "1"}, [Fault(at("failSwapOn"), "must be true or false, not a string")]),
    (
        KUBELET,
        {"featureGates": {"NodeSwap": "yes", "MemoryQoS": 1}},
        [
            Fault(at("featureGates", "NodeSwap"), "must be true or false, not a string"),
            Fault(at("featureGates", "MemoryQoS"), "must be true or false, not the number 1"),
        ],
    ),
    # strings
    (KUBELET, {"clusterDomain": ["a"]}, [Fault(at("clusterDomain"), "must be a string, not a list")]),
    (KUBELET, {"cgroupDriver": {"a": "b"}}, [Fault(at("cgroupDriver"), "must be a string, not a mapping")]),
    (KUBELET, {"clusterDomain": True}, [Fault(at("clusterDomain"), "must be a string, not the boolean true", QUOTE)]),
    (KUBELET, {"clusterDomain": 2**20000}, [Fault(at("clusterDomain"), "must be a string, not a huge number", QUOTE)]),
    (
        KUBELET,
        {"systemReserved": {"cpu": 1, "memory": "1Gi"}},
        [Fault(at("systemReserved", "cpu"), "must be a string, not the number 1", QUOTE)],
    ),
    # durations
    (
        KUBELET,
        {"syncFrequency": 5},
        [Fault(at("syncFrequency"), f"{DURATION}, not the number 5", "add the unit, for example 5s")],
    ),
    (
        KUBELET,
        {"syncFrequency": 0.5},
        [Fault(at("syncFrequency"), f"{DURATION}, not the number 0.5", "add the unit, for example 0.5s")],
    ),
    (KUBELET, {"syncFrequency": "10"}, [Fault(at("syncFrequency"), DURATION, "add the unit, for example 10s")]),
    (KUBELET, {"syncFrequency": "1d"}, [Fault(at("syncFrequency"), DURATION)]),
    (KUBELET, {"syncFrequency": "10 s"}, [Fault(at("syncFrequency"), DURATION)]),
    (KUBELET, {"syncFrequency": ""}, [Fault(at("syncFrequency"), DURATION)]),
    (KUBELET, {"syncFrequency": "3000000h"}, [Fault(at("syncFrequency"), DURATION)]),
    (KUBELET, {"syncFrequency": True}, [Fault(at("syncFrequency"), f"{DURATION}, not the boolean true")]),
    (KUBELET, {"syncFrequency": NAN}, [Fault(at("syncFrequency"), f"{DURATION}, not the number nan")]),
    (KUBELET, {"syncFrequency": 2**20000}, [Fault(at("syncFrequency"), f"{DURATION}, not a huge number")]),
    (KUBELET, {"syncFrequency": 2**63}, [Fault(at("syncFrequency"), f"{DURATION}, not the number {2**63}")]),
    (KUBELET, {"syncFrequency": ["10s"]}, [Fault(at("syncFrequency"), f"{DURATION}, not a list")]),
    (
        KUBE_PROXY,
        {"conntrack": {"tcpCloseWaitTimeout": "1h", "udpTimeout": "30"}},
        [Fault(at("conntrack", "udpTimeout"), DURATION, "add the unit, for example 30s")],
    ),
    (KUBELET, {"logging": {"flushFrequency": "5"}}, [Fault(at("logging", "flushFrequency"), FLUSH)]),
    (KUBELET, {"logging": {"flushFrequency": 2**63}}, [Fault(at("logging", "flushFrequency"), INT64)]),
    (
        KUBELET,
        {"logging": {"flushFrequency": 5.0}},
        [Fault(at("logging", "flushFrequency"), f"{FLUSH}, not the number 5.0")],
    ),
    # quantities and times
    (
        KUBELET,
        {"reservedMemory": [{"numaNode": 0}, {"numaNode": "1", "limits": {"memory": "1GB", "cpu": NAN, "a": True}}]},
        [
            Fault(at("reservedMemory", 1, "numaNode"), "must be a whole number, not a string", UNQUOTE),
            Fault(at("reservedMemory", 1, "limits", "memory"), QUANTITY),
            Fault(at("reservedMemory", 1, "limits", "cpu"), f"{QUANTITY}, not the number nan"),
            Fault(at("reservedMemory", 1, "limits", "a"), f"{QUANTITY}, not the boolean true"),
        ],
    ),
    (
        KUBE_PROXY,
        {"logging": {"options": {"json": {"infoBufferSize": {}, "splitStream": "true"}}}},
        [
            Fault(at("logging", "options", "json", "infoBufferSize"), f"{QUANTITY}, not a mapping"),
            Fault(at("logging", "options", "json", "splitStream"), "must be true or false, not a string", UNQUOTE),
        ],
    ),
    (
        KUBELET,
        {"registerWithTaints": [{"key": "a", "value": 1, "timeAdded": "2026-13-01T00:00:00Z"}, {"timeAdded": 2026}]},
        [
            Fault(at("registerWithTaints", 0, "value"), "must be a string, not the number 1", QUOTE),
            Fault(at("registerWithTaints", 0, "timeAdded"), TIME),
            Fault(at("registerWithTaints", 1, "timeAdded"), f"{TIME}, not the number 2026"),
        ],
    ),
    # lists and mappings
    (KUBELET, {"clusterDNS": "10.96.0.10"}, [Fault(at("clusterDNS"), "must be a list of strings, not a string")]),
    (KUBELET, {"clusterDNS": {}}, [Fault(at("clusterDNS"), "must be a list of strings, not a mapping")]),
    (
        KUBELET,
        {"clusterDNS": ("10.96.0.10", 10, ("a",))},
        [
            Fault(at("clusterDNS", 1), "must be a string, not the number 10", QUOTE),
            Fault(at("clusterDNS", 2), "must be a string, not a list"),
        ],
    ),
    (
        KUBELET,
        {"tlsCurvePreferences": 29},
        [Fault(at("tlsCurvePreferences"), "must be a list of whole numbers, not the number 29")],
    ),
    (KUBELET, {"tlsCurvePreferences": [2**31]}, [Fault(at("tlsCurvePreferences", 0), INT32)]),
    (
        KUBELET,
        {"reservedMemory": {"numaNode": 0}},
        [Fault(at("reservedMemory"), "must be a list of mappings, not a mapping")],
    ),
    (
        KUBELET,
        {"registerWithTaints": ["a=b:NoSchedule"]},
        [Fault(at("registerWithTaints", 0), "must be a mapping, not a string")],
    ),
    (KUBELET, {"evictionHard": ["memory"]}, [Fault(at("evictionHard"), "must be a mapping, not a list")]),
    (
        KUBELET,
        {"staticPodURLHeader": {"Accept": "a", "Age": [1]}},
        [
            Fault(at("staticPodURLHeader", "Accept"), "must be a list of strings, not a string"),
            Fault(at("staticPodURLHeader", "Age", 0), "must be a string, not the number 1", QUOTE),
        ],
    ),
    (KUBE_PROXY, {"ipvs": True}, [Fault(at("ipvs"), "must be a mapping, not the boolean true")]),
    # unknown fields
    (KUBELET, {"maxPodz": 200}, [Fault(at("maxPodz"), f"unknown field of {KUBELET}", "did you mean maxPods?", True)]),
    (KUBELET, {"MaxPods": 200}, [Fault(at("MaxPods"), f"unknown field of {KUBELET}", "did you mean maxPods?", True)]),
    (KUBELET, {"maxPodz": None}, [Fault(at("maxPodz"), f"unknown field of {KUBELET}", "did you mean maxPods?", True)]),
    (KUBELET, {"zzz": {"a": [1]}}, [Fault(at("zzz"), f"unknown field of {KUBELET}", None, True)]),
    (KUBELET, {"": 1}, [Fault(at(""), f"unknown field of {KUBELET}", None, True)]),
    (KUBE_PROXY, {"maxPods": 200}, [Fault(at("maxPods"), f"unknown field of {KUBE_PROXY}", None, True)]),
    (
        KUBELET,
        {"authentication": {"webhok": {}, "anonymous": {"enable": True, "enabled": "no"}}},
        [
            Fault(at("authentication", "webhok"), f"unknown field of {KUBELET}", "did you mean webhook?", True),
            Fault(
                at("authentication", "anonymous", "enable"),
                f"unknown field of {KUBELET}",
                "did you mean enabled?",
                True,
            ),
            Fault(at("authentication", "anonymous", "enabled"), "must be true or false, not a string"),
        ],
    ),
    (
        KUBELET,
        {"shutdownGracePeriodByPodPriority": [{"priority": 1, "shutdownGracePeriod": 10}]},
        [
            Fault(
                at("shutdownGracePeriodByPodPriority", 0, "shutdownGracePeriod"),
                f"unknown field of {KUBELET}",
                "did you mean shutdownGracePeriodSeconds?",
                True,
            )
        ],
    ),
    (
        KUBE_PROXY,
        {"ipvs": {"strictArp": True}},
        [Fault(at("ipvs", "strictArp"), f"unknown field of {KUBE_PROXY}", "did you mean strictARP?", True)],
    ),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), REFUSED)
def test_refused(kind: Kind, fields: dict[str, Any], expected: list[Fault]) -> None:
    assert list(check(kind, fields)) == expected


def test_all_faults_are_found_in_the_order_of_the_fields() -> None:
    fields = {"port": "x", "maxPods": 110, "clusterDNS": [1, "a", 2], "zzz": 1, "address": 1}
    found = [fault.path for fault in check(KUBELET, fields)]
    assert found == [("port",), ("clusterDNS", 0), ("clusterDNS", 2), ("zzz",), ("address",)]


def test_no_string_is_repeated() -> None:
    secret = "Bearer s3cr3t"
    for kind in get_args(Kind):
        fields = dict.fromkeys(configuration_fields._STRUCTS[kind], secret)
        assert secret not in str([(fault.message, fault.hint) for fault in check(kind, fields)])
    header = {"staticPodURLHeader": {"Authorization": secret}}
    message = "must be a list of strings, not a string"
    assert list(check(KUBELET, header)) == [Fault(("staticPodURLHeader", "Authorization"), message)]
