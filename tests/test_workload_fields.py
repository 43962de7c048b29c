"""Fields of a Pod, a Deployment and a DaemonSet: what is known, what is taken, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kcompile import go_fields, versions, workload, workload_fields
from kcompile.go_fields import Fault
from kcompile.workload_fields import check

from conftest import run, tool

KUBEADM = Path(__file__).parent / "data" / "kubeadm"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
KINDS = ("Pod", "Deployment", "DaemonSet")
INT32 = "must be a whole number from -2147483648 to 2147483647"
INT64 = "must be a whole number from -9223372036854775808 to 9223372036854775807"
PORT = "must be a whole number or a string"
QUANTITY = "must be a quantity such as 1Gi"
TIME = "must be a time such as 2026-11-23T00:00:00Z"
UNQUOTE = "leave out the quotes"
QUOTE = "put it in quotes"


def test_what_kubeadm_wrote_is_taken() -> None:
    found: dict[str, int] = dict.fromkeys(KINDS, 0)
    for path in sorted([*KUBEADM.rglob("manifests/*.yaml"), *KUBEADM.rglob("objects.yaml")]):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] in KINDS:
                found[document["kind"]] += 1
                assert (path, list(check(document))) == (path, [])
    assert found == {"Pod": 72, "Deployment": 18, "DaemonSet": 18}


# --- the tables -----------------------------------------------------------------------------------


def known(kind: str) -> set[tuple[str, str]]:
    """Every field of a kind at any depth, with its Go type; a struct's type is left to its fields."""

    def below(go: str, path: str) -> Iterator[tuple[str, str]]:
        prefix, bracket, last = go.rpartition("]")
        if last in workload_fields._STRUCTS:
            for name, child in workload_fields._STRUCTS[last].items():
                yield from below(child, f"{path}{prefix}{bracket}.{name}")
        else:
            yield path, go

    return set(below(kind, ""))


SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "Quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "map[string]any",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "Time",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "IntOrString",
}


def published(kind: str, minor: int) -> set[tuple[str, str]]:
    """The same as Kubernetes' own schema of a minor has it."""
    definitions = json.loads((SCHEMAS / f"v1.{minor}.0-local" / "_definitions.json").read_text())["$defs"]

    def below(schema: dict[str, Any], path: str, go: str = "") -> Iterator[tuple[str, str]]:
        name = schema.get("$ref", "").rpartition("/")[2]
        if name in SPECIAL:
            yield path, go + SPECIAL[name]
        elif name.endswith("Status"):
            yield path, "map[string]any"
        elif name:
            for field, child in definitions[name]["properties"].items():
                yield from below(child, f"{path}{go}.{field}")
        elif "array" in schema["type"]:
            yield from below(schema["items"], path, f"{go}[]")
        elif "object" in schema["type"]:
            yield from below(schema["additionalProperties"], path, f"{go}map[string]")
        else:
            types = {"string": "string", "boolean": "bool", "integer": schema.get("format")}
            yield path, f"{go}{next(types[name] for name in types if name in schema['type'])}"

    group = "core.v1" if kind == "Pod" else "apps.v1"
    return set(below({"$ref": f"/io.k8s.api.{group}.{kind}"}, ""))


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_are_what_the_minors_know_together(kind: str) -> None:
    assert known(kind) == set().union(*(published(kind, minor) for minor in versions.supported_minors()))


def test_a_field_has_one_type() -> None:
    for struct, types in workload_fields._TABLE.items():
        names = " ".join(types.values()).split()
        assert (struct, sorted(names)) == (struct, sorted(set(names)))


def test_every_type_is_a_struct_or_a_scalar() -> None:
    used = {go.rpartition("]")[2] for fields in workload_fields._STRUCTS.values() for go in fields.values()}
    scalars = {"string", "bool", "int32", "int64", "IntOrString", "Quantity", "Time"}
    assert scalars < set(go_fields._WANTED)
    assert used == scalars | {"any"} | set(workload_fields._STRUCTS) - set(KINDS)


GOOD: dict[str, Any] = {
    "string": "",
    "bool": False,
    "int32": -(2**31),
    "int64": 2**63 - 1,
    "IntOrString": "25%",
    "Quantity": "1.5Gi",
    "Time": "2026-11-23T00:00:00Z",
    "any": [{}],
}
STRANGE: dict[str, Any] = {
    "string": 1,
    "bool": "true",
    "int32": 2**31,
    "int64": "1",
    "IntOrString": 1.5,
    "Quantity": "1GB",
    "Time": 0,
}


def sample(go: str, leaves: dict[str, Any]) -> Any:
    """A value of a Go type with every field of every struct set, and no free-form one that has no leaf."""
    if go.startswith("[]"):
        return [sample(go.removeprefix("[]"), leaves)]
    if go.startswith("map[string]"):
        return {"a": sample(go.removeprefix("map[string]"), leaves)}
    if go in leaves:
        return leaves[go]
    known_types = leaves.keys() | workload_fields._STRUCTS.keys()
    fields = workload_fields._STRUCTS[go].items()
    return {name: sample(child, leaves) for name, child in fields if child.rpartition("]")[2] in known_types}


def leaf_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaf_paths(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaf_paths(child, (*path, index))
    else:
        yield path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_takes_its_type_and_null_and_nothing_else(kind: str) -> None:
    good, strange = sample(kind, GOOD), sample(kind, STRANGE)
    assert list(check(good | {"kind": kind})) == []
    assert list(check(sample(kind, dict.fromkeys(GOOD)) | {"kind": kind})) == []
    assert list(check(dict.fromkeys(good) | {"kind": kind})) == []
    expected = [path for path in leaf_paths(strange) if path != ("kind",)]
    assert [fault.path for fault in check(strange | {"kind": kind})] == expected


# --- documents ------------------------------------------------------------------------------------


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "main", "image": "x", **fields}])


def apps(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "d"}, "spec": spec}


def at(*path: str | int) -> tuple[str | int, ...]:
    return path


def main(*path: str | int) -> tuple[str | int, ...]:
    return ("spec", "containers", 0, *path)


TAKEN = [
    {"kind": "Pod"},
    {"kind": "Pod", "metadata": None, "spec": None, "status": {"phase": 5, "x": [1]}},
    {"kind": "Pod", "metadata": {"creationTimestamp": None, "labels": {"a": ""}, "ownerReferences": []}},
    {
        "kind": "Pod",
        "metadata": {"managedFields": [{"fieldsV1": {"f:spec": {}}, "time": "2026-11-23T00:00:00.5+02:00"}]},
    },
    pod(containers=(), volumes=[None], overhead={"cpu": 0.25, "memory": "128Mi"}, priority=2_000_001_000),
    container(livenessProbe={"httpGet": {"port": "probe-port", "path": "/livez"}, "failureThreshold": 8}),
    container(startupProbe={"tcpSocket": {"port": 2381}, "terminationGracePeriodSeconds": None}),
    container(lifecycle={"postStart": {"httpGet": {"port": None}}, "preStop": {"sleep": {"seconds": 5}}}),
    container(resources={"limits": {"cpu": 2, "hugepages-2Mi": "1e9"}, "requests": {"cpu": None}, "claims": []}),
    container(securityContext={"capabilities": {"add": ["NET_BIND_SERVICE"]}, "runAsUser": 0}),
    pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": 1024}}, {"name": "b", "image": {"reference": "x"}}]),
    apps("Deployment", replicas=None, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}),
    apps("DaemonSet", updateStrategy={"type": "OnDelete", "rollingUpdate": None}, template={"spec": {}}),
]


@pytest.mark.parametrize("document", TAKEN, ids=str)
def test_taken(document: dict[str, Any]) -> None:
    assert list(check(document)) == []


REFUSED: list[tuple[dict[str, Any], list[Fault]]] = [
    # scalars
    (
        pod(hostNetwork="true", hostPID="yes", hostIPC=1),
        [
            Fault(at("spec", "hostNetwork"), "must be true or false, not a string", UNQUOTE),
            Fault(at("spec", "hostPID"), "must be true or false, not a string"),
            Fault(at("spec", "hostIPC"), "must be true or false, not the number 1"),
        ],
    ),
    (container(image=5), [Fault(main("image"), "must be a string, not the number 5", QUOTE)]),
    (container(image=["x"]), [Fault(main("image"), "must be a string, not a list")]),
    (container(args=["--v", 2]), [Fault(main("args", 1), "must be a string, not the number 2", QUOTE)]),
    (
        container(env=[{"name": "A", "value": True}, {"name": "B", "value": 1.5}]),
        [
            Fault(main("env", 0, "value"), "must be a string, not the boolean true", QUOTE),
            Fault(main("env", 1, "value"), "must be a string, not the number 1.5", QUOTE),
        ],
    ),
    (
        apps("Deployment", replicas="3", revisionHistoryLimit="all", minReadySeconds=2**31, paused=0),
        [
            Fault(at("spec", "replicas"), "must be a whole number, not a string", UNQUOTE),
            Fault(at("spec", "revisionHistoryLimit"), "must be a whole number, not a string"),
            Fault(at("spec", "minReadySeconds"), INT32),
            Fault(at("spec", "paused"), "must be true or false, not the number 0"),
        ],
    ),
    (
        pod(terminationGracePeriodSeconds=2**63, priority=1.5),
        [
            Fault(at("spec", "terminationGracePeriodSeconds"), INT64),
            Fault(at("spec", "priority"), "must be a whole number, not the number 1.5"),
        ],
    ),
    (
        {"kind": "Pod", "apiVersion": 1, "metadata": {"creationTimestamp": "yesterday", "deletionTimestamp": 5}},
        [
            Fault(at("apiVersion"), "must be a string, not the number 1", QUOTE),
            Fault(at("metadata", "creationTimestamp"), TIME),
            Fault(at("metadata", "deletionTimestamp"), f"{TIME}, not the number 5"),
        ],
    ),
    # lists and mappings
    (pod(containers={"name": "x"}), [Fault(at("spec", "containers"), "must be a list of mappings, not a mapping")]),
    (pod(volumes="x"), [Fault(at("spec", "volumes"), "must be a list of mappings, not a string")]),
    (pod(tolerations=["all"]), [Fault(at("spec", "tolerations", 0), "must be a mapping, not a string")]),
    (pod(securityContext=[]), [Fault(at("spec", "securityContext"), "must be a mapping, not a list")]),
    (
        pod(securityContext={"supplementalGroups": 0, "seccompProfile": "RuntimeDefault"}),
        [
            Fault(
                at("spec", "securityContext", "supplementalGroups"), "must be a list of whole numbers, not the number 0"
            ),
            Fault(at("spec", "securityContext", "seccompProfile"), "must be a mapping, not a string"),
        ],
    ),
    (container(command="etcd"), [Fault(main("command"), "must be a list of strings, not a string")]),
    (container(env={"A": "b"}), [Fault(main("env"), "must be a list of mappings, not a mapping")]),
    (container(resources=["cpu"]), [Fault(main("resources"), "must be a mapping, not a list")]),
    (
        {"kind": "DaemonSet", "metadata": "d", "spec": [], "status": "ok"},
        [
            Fault(at("metadata"), "must be a mapping, not a string"),
            Fault(at("spec"), "must be a mapping, not a list"),
            Fault(at("status"), "must be a mapping, not a string"),
        ],
    ),
    (
        {"kind": "Pod", "metadata": {"labels": ["a"], "annotations": {"a": 1, "b": {}}, "finalizers": "x"}},
        [
            Fault(at("metadata", "labels"), "must be a mapping, not a list"),
            Fault(at("metadata", "annotations", "a"), "must be a string, not the number 1", QUOTE),
            Fault(at("metadata", "annotations", "b"), "must be a string, not a mapping"),
            Fault(at("metadata", "finalizers"), "must be a list of strings, not a string"),
        ],
    ),
    # quantities
    (
        container(
            resources={"limits": {"memory": "1GB", "cpu": True}, "requests": {"cpu": "100 m", "memory": ["1Gi"]}}
        ),
        [
            Fault(main("resources", "limits", "memory"), QUANTITY),
            Fault(main("resources", "limits", "cpu"), f"{QUANTITY}, not the boolean true"),
            Fault(main("resources", "requests", "cpu"), QUANTITY),
            Fault(main("resources", "requests", "memory"), f"{QUANTITY}, not a list"),
        ],
    ),
    (
        pod(overhead={"cpu": "lots"}, volumes=[{"emptyDir": {"sizeLimit": ""}}]),
        [
            Fault(at("spec", "overhead", "cpu"), QUANTITY),
            Fault(at("spec", "volumes", 0, "emptyDir", "sizeLimit"), QUANTITY),
        ],
    ),
    (
        container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1mm"}}}]),
        [Fault(main("env", 0, "valueFrom", "resourceFieldRef", "divisor"), QUANTITY)],
    ),
    # a whole number or a string
    (
        container(
            livenessProbe={"httpGet": {"port": True}},
            readinessProbe={"httpGet": {"port": 80.5}},
            startupProbe={"tcpSocket": {"port": 2**31}, "grpc": {"port": "80"}},
        ),
        [
            Fault(main("livenessProbe", "httpGet", "port"), f"{PORT}, not the boolean true"),
            Fault(main("readinessProbe", "httpGet", "port"), f"{PORT}, not the number 80.5"),
            Fault(main("startupProbe", "tcpSocket", "port"), INT32),
            Fault(main("startupProbe", "grpc", "port"), "must be a whole number, not a string", UNQUOTE),
        ],
    ),
    (
        apps("DaemonSet", updateStrategy={"rollingUpdate": {"maxSurge": [1], "maxUnavailable": {}}}),
        [
            Fault(at("spec", "updateStrategy", "rollingUpdate", "maxSurge"), f"{PORT}, not a list"),
            Fault(at("spec", "updateStrategy", "rollingUpdate", "maxUnavailable"), f"{PORT}, not a mapping"),
        ],
    ),
    # unknown fields
    (
        pod(hostNetworks=True) | {"specs": {}},
        [
            Fault(at("spec", "hostNetworks"), "unknown field of Pod", "did you mean hostNetwork?", True),
            Fault(at("specs"), "unknown field of Pod", "did you mean spec?", True),
        ],
    ),
    (
        container(Image="x", zzz=1, resources={"limit": {}}, targetContainerName="a"),
        [
            Fault(main("Image"), "unknown field of Pod", "did you mean image?", True),
            Fault(main("zzz"), "unknown field of Pod", None, True),
            Fault(main("resources", "limit"), "unknown field of Pod", "did you mean limits?", True),
            Fault(main("targetContainerName"), "unknown field of Pod", None, True),
        ],
    ),
    (
        container(volumeMounts=[{"name": "v", "mountpath": "/v"}], ports=[{"containerport": 1}]),
        [
            Fault(main("volumeMounts", 0, "mountpath"), "unknown field of Pod", "did you mean mountPath?", True),
            Fault(main("ports", 0, "containerport"), "unknown field of Pod", "did you mean containerPort?", True),
        ],
    ),
    (
        pod(volumes=[{"name": "v", "hostpath": {"path": "/v"}}, {"name": "w", "hostPath": {"typ": ""}}]),
        [
            Fault(at("spec", "volumes", 0, "hostpath"), "unknown field of Pod", "did you mean hostPath?", True),
            Fault(at("spec", "volumes", 1, "hostPath", "typ"), "unknown field of Pod", "did you mean type?", True),
        ],
    ),
    (
        apps("Deployment", updateStrategy={}, template={"spec": {"affinity": {"podAntiAfinity": {}}}}),
        [
            Fault(at("spec", "updateStrategy"), "unknown field of Deployment", "did you mean strategy?", True),
            Fault(
                at("spec", "template", "spec", "affinity", "podAntiAfinity"),
                "unknown field of Deployment",
                "did you mean podAntiAffinity?",
                True,
            ),
        ],
    ),
    (
        apps("DaemonSet", replicas=1, template={"metadata": {"label": {}}, "kind": "Pod"}),
        [
            Fault(at("spec", "replicas"), "unknown field of DaemonSet", None, True),
            Fault(
                at("spec", "template", "metadata", "label"), "unknown field of DaemonSet", "did you mean labels?", True
            ),
            Fault(at("spec", "template", "kind"), "unknown field of DaemonSet", None, True),
        ],
    ),
]


@pytest.mark.parametrize(("document", "expected"), REFUSED)
def test_refused(document: dict[str, Any], expected: list[Fault]) -> None:
    assert list(check(document)) == expected


def test_no_string_is_repeated() -> None:
    secret = "s3cr3t"
    for kind in ("ObjectMeta", "PodSpec", "Container", "Probe", "Volume"):
        fields = dict.fromkeys(workload_fields._STRUCTS[kind], secret)
        found = list(go_fields.check(workload_fields._STRUCTS, kind, fields))
        assert found
        assert secret not in str([(fault.message, fault.hint) for fault in found])


UNSET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"creationTimestamp": None, "name": "p"},
    "spec": {
        "containers": [
            {
                "env": [
                    {"name": "A", "valueFrom": {"fieldRef": {}}},
                    {"name": "B", "valueFrom": {"resourceFieldRef": {}}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": {}}},
                    {"name": "D", "value": "1"},
                ],
                "lifecycle": {"preStop": {"sleep": {}}},
                "livenessProbe": {"tcpSocket": {}},
                "name": "p",
                "ports": [{"hostPort": 0, "name": "x"}],
                "readinessProbe": {"grpc": {}},
                "startupProbe": {"failureThreshold": 0, "httpGet": {"httpHeaders": [{"name": "a"}]}},
                "volumeDevices": [{"name": "a"}],
                "volumeMounts": [{"name": "v", "readOnly": False}],
            }
        ],
        "hostAliases": [{"hostnames": ["a"]}],
        "securityContext": {"seccompProfile": {}, "sysctls": [{"name": "a"}]},
        "tolerations": [{"value": ""}],
        "topologySpreadConstraints": [{"topologyKey": "a"}],
        "volumes": [
            {"hostPath": {}, "name": "a"},
            {"configMap": {"items": [{"key": "a"}]}, "emptyDir": {}, "name": "b"},
        ],
    },
    "status": {},
}


def test_what_go_writes_of_what_is_unset() -> None:
    """kubectl decodes into core/v1's structs and marshals them, as kubeadm does with what it patched."""
    command = (tool("kubectl"), "set", "env", "--local", "-f", "-", "D=1", "-o", "yaml")
    before = json.dumps(UNSET).replace('"value": "1"', '"value": "0"')  # it prints what it changes
    assert workload.marshalled(UNSET) == yaml.safe_load(run(*command, input=before))
