"""Patches: what each kind does, and where one that does not apply is reported."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kcompile import patching

from conftest import MakeCluster

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"labels": {"tier": "control-plane"}, "name": "p"},
    "spec": {
        "containers": [
            {
                "command": ["p", "--a=1"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "name": "p",
                "resources": {"requests": {"cpu": "100m"}},
                "volumeMounts": [{"mountPath": "/a", "name": "v"}],
            }
        ],
        "hostNetwork": True,
        "volumes": [{"hostPath": {"path": "/a"}, "name": "v"}],
    },
}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "p", **fields}]}}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The pod with one value changed, or removed when it is None."""
    import copy

    result = copy.deepcopy(POD)
    at: Any = result
    *parents, last = path.split("/")
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return result


STRATEGIC = {
    "a map is merged": ({"metadata": {"labels": {"a": "b"}}}, "metadata/labels", {"tier": "control-plane", "a": "b"}),
    "null deletes": ({"spec": {"hostNetwork": None}}, "spec/hostNetwork", None),
    "a scalar is replaced": (
        container(resources={"requests": {"cpu": "2"}}),
        "spec/containers/0/resources/requests/cpu",
        "2",
    ),
    "env is merged by name": (
        container(env=[{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]),
        "spec/containers/0/env",
        [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
    ),
    "an item is deleted": (
        container(env=[{"name": "A", "$patch": "delete"}]),
        "spec/containers/0/env",
        [{"name": "B", "value": "2"}],
    ),
    "a list is replaced by directive": (
        container(env=[{"name": "Z", "value": "0"}, {"$patch": "replace"}]),
        "spec/containers/0/env",
        [{"name": "Z", "value": "0"}],
    ),
    "volumeMounts are merged by mountPath": (
        container(volumeMounts=[{"mountPath": "/b", "name": "v"}]),
        "spec/containers/0/volumeMounts",
        [{"mountPath": "/a", "name": "v"}, {"mountPath": "/b", "name": "v"}],
    ),
    "a list without a merge key is replaced": (
        container(command=["p", "--b=2"]),
        "spec/containers/0/command",
        ["p", "--b=2"],
    ),
    "retainKeys replaces a union": (
        {"spec": {"volumes": [{"name": "v", "emptyDir": {}, "$retainKeys": ["name", "emptyDir"]}]}},
        "spec/volumes",
        [{"name": "v", "emptyDir": {}}],
    ),
    "a map is replaced by directive": (
        {"metadata": {"labels": {"$patch": "replace", "only": "this"}}},
        "metadata/labels",
        {"only": "this"},
    ),
    "a map is deleted by directive": ({"metadata": {"labels": {"$patch": "delete"}}}, "metadata/labels", None),
    "setElementOrder orders": (
        container(**{"$setElementOrder/env": [{"name": "B"}, {"name": "A"}]}),
        "spec/containers/0/env",
        [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
    ),
    "nulls of what is new are dropped": (
        {"metadata": {"annotations": {"a": "b", "c": None}}},
        "metadata/annotations",
        {"a": "b"},
    ),
}


@pytest.mark.parametrize("name", STRATEGIC)
def test_strategic_merge(name: str) -> None:
    patch, path, value = STRATEGIC[name]
    before = yaml.safe_dump(POD)
    assert patching.apply(POD, patch, "strategic") == changed(path, value)
    assert yaml.safe_dump(POD) == before


def test_json_merge_replaces_lists() -> None:
    patch = {"spec": {"containers": [{"name": "only"}], "hostNetwork": None}}
    result = patching.apply(POD, patch, "merge")
    assert result["spec"] == {"containers": [{"name": "only"}], "volumes": POD["spec"]["volumes"]}


def test_json_patch() -> None:
    operations = (
        {"op": "test", "path": "/kind", "value": "Pod"},
        {"op": "add", "path": "/spec/containers/0/command/-", "value": "--c=3"},
        {"op": "remove", "path": "/spec/hostNetwork"},
    )
    result = patching.apply(POD, operations, "json")
    assert result["spec"]["containers"][0]["command"] == ["p", "--a=1", "--c=3"]
    assert "hostNetwork" not in result["spec"]
    assert POD["spec"]["hostNetwork"] is True


NODES = [{"name": f"cp-{i}", "address": f"10.0.0.1{i}"} for i in (1, 2, 3)]
HA = {"controlPlaneEndpoint": "api.example.com:6443", "controlPlane": {"nodes": NODES}}


def test_patches_reach_what_they_name(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        **HA,
        patches=[
            {"target": "kube-apiserver", "patch": {"metadata": {"annotations": {"team": "infra"}}}, "nodes": ["cp-1"]},
            {
                "target": "etcd",
                "patch": {"spec": {"containers": [{"name": "etcd", "resources": {"requests": {"cpu": "1"}}}]}},
            },
            {"target": "kubeletconfiguration", "type": "merge", "patch": {"maxPods": 50}, "nodes": ["cp-2"]},
            {"target": "corednsdeployment", "patch": {"spec": {"replicas": 3}}},
            {
                "target": "kube-proxy",
                "type": "json",
                "patch": [
                    {"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "Always"}
                ],
            },
        ],
    )
    workspace.build()
    found: dict[str, Any] = {}
    for name in ("cp-1", "cp-2"):
        etc = workspace.render(name) / "etc/kubernetes/manifests"
        annotations = yaml.safe_load((etc / "kube-apiserver.yaml").read_text())["metadata"]["annotations"]
        etcd = yaml.safe_load((etc / "etcd.yaml").read_text())["spec"]["containers"][0]
        config = yaml.safe_load((etc.parents[2] / "var/lib/kubelet/config.yaml").read_text())
        found[name] = (annotations.get("team"), etcd["resources"]["requests"], config.get("maxPods"))
    assert found == {
        "cp-1": ("infra", {"cpu": "1", "memory": "100Mi"}, None),
        "cp-2": (None, {"cpu": "1", "memory": "100Mi"}, 50),
    }
    objects = {}
    for path in workspace.render("--cluster").rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            objects[document["kind"]] = document
    assert objects["Deployment"]["spec"]["replicas"] == 3
    assert objects["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"


BROKEN = {
    "pointer": (
        {"target": "etcd", "type": "json", "patch": [{"op": "remove", "path": "/spec/nothing"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: remove: there is no such place, /spec/nothing",
    ),
    "test": (
        {"target": "etcd", "type": "json", "patch": [{"op": "test", "path": "/kind", "value": "Node"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: test: the value at /kind is another",
    ),
    "second-operation": (
        {
            "target": "etcd",
            "type": "json",
            "patch": [
                {"op": "add", "path": "/metadata/labels/a", "value": "b"},
                {"op": "add", "path": "/spec/nothing/x", "value": 1},
            ],
        },
        "spec.patches[0].patch[1]: does not apply to etcd on cp-1: add: there is no such place, /spec/nothing/x",
    ),
    "index": (
        {"target": "etcd", "type": "json", "patch": [{"op": "remove", "path": "/spec/containers/00"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: remove: there is no such place, /spec/containers/00",
    ),
    "no-slash": (
        {"target": "etcd", "type": "json", "patch": [{"op": "remove", "path": "spec"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: remove: there is no such place, spec",
    ),
    "unknown-operation": (
        {"target": "etcd", "type": "json", "patch": [{"op": "destroy", "path": "/spec"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: Unknown operation 'destroy'",
    ),
    "no-operation": (
        {"target": "etcd", "type": "json", "patch": ["x"]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: is no operation",
    ),
    "map-for-list": (
        {"target": "etcd", "type": "merge", "patch": {"spec": {"containers": {"name": "x"}}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1:"
        " spec.containers: must be a list of mappings, not a mapping",
    ),
    "string-for-truth": (
        {"target": "kube-scheduler", "patch": {"spec": {"hostNetwork": "true"}}},
        "spec.patches[0].patch: does not apply to kube-scheduler on cp-1:"
        " spec.hostNetwork: must be true or false, not a string",
    ),
    "number-for-string": (
        {
            "target": "kube-proxy",
            "type": "json",
            "patch": [{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": 5}],
        },
        "spec.patches[0].patch: does not apply to kube-proxy:"
        " spec.template.spec.containers[0].imagePullPolicy: must be a string, not the number 5",
    ),
    "string-for-number": (
        {"target": "corednsdeployment", "patch": {"spec": {"replicas": "3"}}},
        "spec.patches[0].patch: does not apply to corednsdeployment: spec.replicas: must be a whole number,"
        " not a string",
    ),
    "unknown-field": (
        {"target": "etcd", "patch": {"spec": {"contaners": []}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: spec.contaners: unknown field of Pod",
    ),
    "kubelet-configuration": (
        {"target": "kubeletconfiguration", "patch": {"maxPods": "lots"}},
        "spec.patches[0].patch: does not apply to kubeletconfiguration on cp-1: maxPods: must be a whole number,"
        " not a string",
    ),
    "replaced-as-a-whole": (
        {
            "target": "etcd",
            "type": "json",
            "patch": [{"op": "replace", "path": "", "value": {"apiVersion": "v1", "kind": "Pod", "spec": 5}}],
        },
        "spec.patches[0].patch: does not apply to etcd on cp-1: spec: must be a mapping, not the number 5",
    ),
    "directive": (
        {"target": "etcd", "patch": {"spec": {"$retainKeys": 5}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: $retainKeys must be a list",
    ),
    "no-operations": (
        {"target": "etcd", "type": "json", "patch": {"op": "remove"}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: must be a list of operations",
    ),
    "no-mapping": (
        {"target": "etcd", "patch": ["x"]},
        "spec.patches[0].patch: does not apply to etcd on cp-1: must be a mapping",
    ),
    "no-merge-key": (
        {"target": "etcd", "patch": {"spec": {"containers": [{"image": "x"}]}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: an item of containers has no name",
    ),
    "no-quantity": (
        {
            "target": "etcd",
            "patch": {"spec": {"containers": [{"name": "etcd", "resources": {"limits": {"cpu": "1x"}}}]}},
        },
        "spec.patches[0].patch: does not apply to etcd on cp-1:"
        " spec.containers[0].resources.limits.cpu: must be a quantity such as 1Gi",
    ),
    "no-pod": (
        {"target": "etcd", "type": "merge", "patch": {"kind": "Node"}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: it leaves no Pod",
    ),
    "unknown-node": (
        {"target": "etcd", "patch": {}, "nodes": ["cp-9"]},
        "spec.patches[0].nodes[0]: there is no node cp-9",
    ),
    "cluster-wide": (
        {"target": "kube-proxy", "patch": {}, "nodes": ["cp-1"]},
        "spec.patches[0].nodes: kube-proxy is no node's own",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_patch_that_does_not_apply_is_found_where_it_stands(name: str, make_cluster: MakeCluster) -> None:
    patch, says = BROKEN[name]
    workspace = make_cluster(secrets=False, patches=[patch])
    line = next(n for n, text in enumerate(workspace.spec.read_text().splitlines(), 1) if text.startswith("  patches:"))
    result = workspace.run("validate", "c.yaml")
    place, message = result.err.splitlines()[0].split(": ", 1)
    assert (result.code, message) == (2, says)
    assert int(place.split(":")[1]) > line
