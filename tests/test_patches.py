"""Patches: what each kind does, and where one that does not apply is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from kcompile import patching
from kcompile.spec import Patch

from conftest import MakeCluster, run, tool

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
                "ports": [
                    {"containerPort": 53, "name": "dns", "protocol": "UDP"},
                    {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
                    {"containerPort": 9153, "name": "metrics"},
                ],
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
    "what is new stands before what the patch does not name": (
        container(env=[{"name": "C", "value": "4"}]),
        "spec/containers/0/env",
        [{"name": "C", "value": "4"}, {"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    ),
    "the patch's order is that of what it names": (
        container(env=[{"name": "B"}, {"name": "C", "value": "4"}, {"name": "A"}]),
        "spec/containers/0/env",
        [{"name": "B", "value": "2"}, {"name": "C", "value": "4"}, {"name": "A", "value": "1"}],
    ),
    "of a merge key that occurs twice the first is merged": (
        container(ports=[{"containerPort": 53, "hostPort": 53}]),
        "spec/containers/0/ports",
        [
            {"containerPort": 53, "hostPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics"},
        ],
    ),
    "of a merge key that occurs twice both are deleted": (
        container(ports=[{"containerPort": 53, "$patch": "delete"}, {"containerPort": 54}]),
        "spec/containers/0/ports",
        [{"containerPort": 54}, {"containerPort": 9153, "name": "metrics"}],
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
        [{"mountPath": "/b", "name": "v"}, {"mountPath": "/a", "name": "v"}],
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
    "a map is emptied by directive": ({"metadata": {"labels": {"$patch": "delete"}}}, "metadata/labels", {}),
    "what is new and has a directive is left out": (
        {"metadata": {"annotations": {"$patch": "replace", "a": "b"}}},
        "metadata",
        POD["metadata"],
    ),
    "strings are deleted from a list": (
        container(**{"$deleteFromPrimitiveList/command": ["--a=1"]}),
        "spec/containers/0/command",
        ["p"],
    ),
    "setElementOrder orders": (
        container(**{"$setElementOrder/env": [{"name": "B"}, {"name": "A"}]}),
        "spec/containers/0/env",
        [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
    ),
    "setElementOrder orders what is new": (
        container(
            env=[{"name": "C", "value": "3"}],
            **{"$setElementOrder/env": [{"name": "B"}, {"name": "C"}, {"name": "A"}]},
        ),
        "spec/containers/0/env",
        [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}, {"name": "A", "value": "1"}],
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


def test_an_emptied_map_stays_as_an_empty_struct() -> None:
    """What is behind a pointer is there once decoded, though every field of it is unset."""
    patch = Patch.model_construct(target="etcd", type="strategic", patch=container(startupProbe={"$patch": "delete"}))
    pod = changed("spec/containers/0/startupProbe", {"failureThreshold": 24, "httpGet": {"path": "/", "port": 1}})
    assert patching.apply_all(pod, [patch], "etcd") == changed("spec/containers/0/startupProbe", {})


def as_decoded(value: Any) -> Any:
    """Without what kubectl, which decodes nothing, leaves of directives and nulls in new items of lists."""
    if isinstance(value, dict):
        return {k: as_decoded(v) for k, v in value.items() if v is not None and not k.startswith("$")}
    return list(map(as_decoded, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("name", STRATEGIC)
def test_kubectl_merges_alike(name: str) -> None:
    patch, path, value = STRATEGIC[name]
    command = (tool("kubectl"), "patch", "--local", "-f", "-", "-o", "json", "--type", "strategic", "-p")
    assert as_decoded(json.loads(run(*command, json.dumps(patch), input=json.dumps(POD)))) == changed(path, value)


JSON_PATCHES = {
    "replace": ("/-1", ["p", "x"]),
    "add": ("/-1", ["p", "--a=1", "x"]),
    "test": ("/-2", ["p", "--a=1"]),
    "remove": ("/-2", ["--a=1"]),
}


@pytest.mark.parametrize("op", JSON_PATCHES)
def test_json_patches_count_from_the_end(op: str) -> None:
    index, command = JSON_PATCHES[op]
    operation = {"op": op, "path": f"/spec/containers/-1/command{index}", "value": "p" if op == "test" else "x"}
    if op == "remove":
        del operation["value"]
    assert patching.apply(POD, [operation], "json") == changed("spec/containers/0/command", command)
    ours = (tool("kubectl"), "patch", "--local", "-f", "-", "-o", "json", "--type", "json", "-p")
    assert json.loads(run(*ours, json.dumps([operation]), input=json.dumps(POD))) == changed(
        "spec/containers/0/command", command
    )


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
        {"target": "etcd", "type": "json", "patch": [{"op": "remove", "path": "/spec/containers/-2"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1: remove: there is no such place, /spec/containers/-2",
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
        "spec.patches[0].patch.spec.containers: does not apply to etcd on cp-1:"
        " spec.containers: must be a list of mappings, not a mapping",
    ),
    "string-for-truth": (
        {"target": "kube-scheduler", "patch": {"spec": {"hostNetwork": "true"}}},
        "spec.patches[0].patch.spec.hostNetwork: does not apply to kube-scheduler on cp-1:"
        " spec.hostNetwork: must be true or false, not a string",
    ),
    "number-for-string": (
        {
            "target": "kube-proxy",
            "type": "json",
            "patch": [{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": 5}],
        },
        "spec.patches[0].patch[0].value: does not apply to kube-proxy:"
        " spec.template.spec.containers[0].imagePullPolicy: must be a string, not the number 5",
    ),
    "string-for-number": (
        {"target": "corednsdeployment", "patch": {"spec": {"replicas": "3"}}},
        "spec.patches[0].patch.spec.replicas: does not apply to corednsdeployment: spec.replicas: must be a"
        " whole number, not a string",
    ),
    "unknown-field": (
        {"target": "etcd", "patch": {"spec": {"contaners": []}}},
        "spec.patches[0].patch.spec.contaners: does not apply to etcd on cp-1: spec.contaners: unknown field of Pod",
    ),
    "kubelet-configuration": (
        {"target": "kubeletconfiguration", "patch": {"maxPods": "lots"}},
        "spec.patches[0].patch.maxPods: does not apply to kubeletconfiguration on cp-1: maxPods: must be a"
        " whole number, not a string",
    ),
    "replaced-as-a-whole": (
        {
            "target": "etcd",
            "type": "json",
            "patch": [{"op": "replace", "path": "", "value": {"apiVersion": "v1", "kind": "Pod", "spec": 5}}],
        },
        "spec.patches[0].patch[0].value: does not apply to etcd on cp-1: spec: must be a mapping, not the number 5",
    ),
    "directive": (
        {"target": "etcd", "patch": {"spec": {"$retainKeys": 5}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: $retainKeys must be a list",
    ),
    "directive-of-a-map": (
        {"target": "etcd", "patch": {"metadata": {"$patch": "merge"}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: unknown directive $patch: merge",
    ),
    "order": (
        {
            "target": "etcd",
            "patch": {"spec": {"$setElementOrder/volumes": [{"name": "a"}], "volumes": [{"name": "b"}]}},
        },
        "spec.patches[0].patch: does not apply to etcd on cp-1:"
        " the items of volumes are not in the order of $setElementOrder/volumes",
    ),
    "retained": (
        {"target": "etcd", "patch": {"spec": {"$retainKeys": ["volumes"], "hostNetwork": False}}},
        "spec.patches[0].patch: does not apply to etcd on cp-1:"
        " $retainKeys does not name hostNetwork, which the patch sets",
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
        "spec.patches[0].patch.spec.containers[0].resources.limits.cpu: does not apply to etcd on cp-1:"
        " spec.containers[0].resources.limits.cpu: must be a quantity such as 1Gi",
    ),
    "no-pod": (
        {"target": "etcd", "type": "merge", "patch": {"kind": "Node"}},
        "spec.patches[0].patch: does not apply to etcd on cp-1: it leaves no Pod",
    ),
    "no-spec": (
        {"target": "etcd", "type": "merge", "patch": {"spec": None}},
        "spec.patches[0].patch.spec: does not apply to etcd on cp-1:"
        " spec.containers: is required, and nothing is left of it",
    ),
    "no-image": (
        {"target": "etcd", "type": "json", "patch": [{"op": "remove", "path": "/spec/containers/0/image"}]},
        "spec.patches[0].patch[0]: does not apply to etcd on cp-1:"
        " spec.containers[0].image: is required, and nothing is left of it",
    ),
    "container-without-image": (
        {"target": "etcd", "patch": {"spec": {"containers": [{"name": "backup"}]}}},
        "spec.patches[0].patch.spec.containers[0]: does not apply to etcd on cp-1:"
        " spec.containers[0].image: is required, and nothing is left of it",
    ),
    "no-containers": (
        {"target": "corednsdeployment", "type": "merge", "patch": {"spec": {"template": {"spec": {"containers": []}}}}},
        "spec.patches[0].patch.spec.template.spec.containers: does not apply to corednsdeployment:"
        " spec.template.spec.containers: is required, and nothing is left of it",
    ),
    "no-selector": (
        {"target": "kube-proxy", "patch": {"spec": {"selector": None}}},
        "spec.patches[0].patch.spec.selector: does not apply to kube-proxy:"
        " spec.selector: is required, and nothing is left of it",
    ),
    "another-selector": (
        {"target": "kube-proxy", "patch": {"spec": {"selector": {"matchLabels": {"a": "b"}}}}},
        "spec.patches[0].patch.spec: does not apply to kube-proxy:"
        " spec.template.metadata.labels: does not match spec.selector",
    ),
    "mounted-twice": (
        {
            "target": "etcd",
            "type": "json",
            "patch": [
                {
                    "op": "add",
                    "path": "/spec/containers/0/volumeMounts/-",
                    "value": {"name": "etcd-data", "mountPath": "/var/lib/etcd"},
                }
            ],
        },
        "spec.patches[0].patch[0].value: does not apply to etcd on cp-1:"
        " spec.containers[0].volumeMounts[2].mountPath: /var/lib/etcd is mounted twice",
    ),
    "mount-of-nothing": (
        {"target": "etcd", "patch": {"spec": {"volumes": [{"name": "etcd-data", "$patch": "delete"}]}}},
        "spec.patches[0].patch.spec: does not apply to etcd on cp-1:"
        " spec.containers[0].volumeMounts[0].name: there is no volume of this name",
    ),
    "volume-twice": (
        {
            "target": "etcd",
            "type": "json",
            "patch": [{"op": "add", "path": "/spec/volumes/-", "value": {"name": "etcd-data", "emptyDir": {}}}],
        },
        "spec.patches[0].patch[0].value: does not apply to etcd on cp-1:"
        " spec.volumes[2].name: there is another volume etcd-data",
    ),
    "no-name": (
        {"target": "kube-proxy", "patch": {"metadata": {"name": None}}},
        "spec.patches[0].patch.metadata.name: does not apply to kube-proxy:"
        " metadata.name: is required, and nothing is left of it",
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
    code = {"unknown-node": "K0804", "cluster-wide": "K0802"}.get(name, "K0801")
    assert (result.code, message) == (2, f"{says} [{code}]")
    assert int(place.split(":")[1]) > line


SEVERAL = [
    {"target": "kube-apiserver", "patch": {"spec": {"hostNetwork": True}}, "nodez": []},
    {"target": "kube-scheduler", "patch": {"spec": {"hostNetwork": "yes"}}},
    {"target": "none", "patch": {}},
    {"target": "kube-scheduler", "type": "json", "patch": [{"op": "remove", "path": "/nothing"}]},
    {"target": "kube-proxy", "patch": {"metadata": {"labels": {"a": "b"}}}},
    {"target": "kube-proxy", "patch": {"spec": {"selector": None}}},
    {"target": "corednsdeployment", "patch": {"spec": {"replicas": "3"}}},
    {"target": "kubeletconfiguration", "patch": {"maxPods": "lots"}},
]


@pytest.mark.parametrize("command", ["validate", "build", "csr", "secrets create"])
def test_every_patch_that_does_not_apply_is_told_in_one_run(command: str, make_cluster: MakeCluster) -> None:
    """Also beside one that is no patch at all, without which the others are counted."""
    workspace = make_cluster(secrets=False, patches=SEVERAL)
    result = workspace.run(*command.split(), "c.yaml", "--format", "json")
    found = [(p["path"], p["message"].split(": ")[0]) for p in json.loads(result.err)["problems"] if p["path"]]
    assert (result.code, found) == (
        2,
        [
            ("spec.patches[0].nodez", "unknown field"),
            ("spec.patches[1].patch.spec.hostNetwork", "does not apply to kube-scheduler on cp-1"),
            ("spec.patches[2].target", "'none' is not one of the values allowed here"),
            ("spec.patches[3].patch[0]", "does not apply to kube-scheduler on cp-1"),
            ("spec.patches[5].patch.spec.selector", "does not apply to kube-proxy"),
            ("spec.patches[6].patch.spec.replicas", "does not apply to corednsdeployment"),
            ("spec.patches[7].patch.maxPods", "does not apply to kubeletconfiguration on cp-1"),
        ],
    )


def test_what_a_later_patch_mends_is_no_fault(make_cluster: MakeCluster) -> None:
    def container(**fields: str) -> dict[str, Any]:
        return {"target": "etcd", "patch": {"spec": {"containers": [{"name": "backup", **fields}]}}}

    workspace = make_cluster(secrets=False, patches=[container(), container(image="backup:1")])
    result = workspace.run("validate", "c.yaml")
    assert (result.code, "K0801" in result.err) == (0, False)


def test_manifests_are_counted_with_those_that_are_none(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(secrets=False, manifests=["../x.yaml", "one.yaml", "none.yaml"])
    (workspace.path / "one.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    result = workspace.run("validate", "c.yaml", "--format", "json")
    found = [(p["path"], p["code"]) for p in json.loads(result.err)["problems"] if p["path"]]
    assert (result.code, found) == (2, [("spec.manifests[0]", "K0319"), ("spec.manifests[2]", "K0101")])


def test_unknown_fields_of_a_kubelet_patch_are_warned_about(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        secrets=False,
        patches=[
            {"target": "kubeletconfiguration", "patch": {"maxPodz": 1, "gone": None}},
            {"target": "kubeletconfiguration", "type": "merge", "patch": {"memorySwap": {"swapBehaviour": "x"}}},
            {
                "target": "kubeletconfiguration",
                "type": "json",
                "patch": [
                    {"op": "add", "path": "/memorySwap/swap", "value": 1},
                    {"op": "add", "path": "/maxPods", "value": 7},
                    {"op": "remove", "path": "/memorySwap/swap"},
                ],
            },
        ],
    )
    result = workspace.run("validate", "c.yaml", "--format", "json")
    found = [(p["path"], p["severity"], p["code"], p["hint"]) for p in json.loads(result.err)["problems"] if p["path"]]
    assert (result.code, found) == (
        0,
        [
            ("spec.patches[0].patch.maxPodz", "warning", "K0607", "did you mean maxPods?"),
            ("spec.patches[1].patch.memorySwap.swapBehaviour", "warning", "K0607", "did you mean swapBehavior?"),
            ("spec.patches[2].patch[0].path", "warning", "K0607", "leave it out, or write its name as Kubernetes does"),
        ],
    )
