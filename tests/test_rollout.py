"""The order of a change: waves, what to wait for, and what the version skew policy does not allow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from kcompile import diff
from kcompile.diff import Change, File, Tree
from kcompile.impact import restarts
from kcompile.rollout import Wave, plan

HEALTHY = "`etcdctl endpoint health --cluster` is healthy for every member"
READY = "`kubectl get --raw '/readyz'` on that host answers ok"
MANIFESTS = "rootfs/etc/kubernetes/manifests"
FLAGS = "rootfs/var/lib/kubelet/kubeadm-flags.env"


def tree(
    version: str = "v1.36.2",
    *,
    control_plane: tuple[str, ...] = ("cp-1", "cp-2", "cp-3"),
    workers: tuple[str, ...] = ("w-1", "w-2"),
    kubelets: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Tree:
    """A tree of a few files; those of ``files`` are over them."""
    found = {"kcompile.json": json.dumps({"kubernetesVersion": version})}
    for host in (*control_plane, *workers):
        kubelet = json.dumps((kubelets or {}).get(host, version))
        found[f"hosts/{host}/host.json"] = f'{{\n "kubeletVersion": {kubelet},\n "files": []\n}}\n'
        found[f"hosts/{host}/{FLAGS}"] = 'KUBELET_KUBEADM_ARGS="--a=b"\n'
    for host in control_plane:
        for pod in ("etcd", "kube-apiserver", "kube-scheduler"):
            found[f"hosts/{host}/{MANIFESTS}/{pod}.yaml"] = f"kind: Pod\nmetadata: {{name: {pod}}}\n"
    return Tree(version, {path: File(text.encode()) for path, text in (found | dict(files or {})).items()})


def waves(before: Tree, after: Tree, pools: Mapping[str, str] | None = None) -> list[Wave]:
    return list(plan(before, after, diff.compare(before, after), pools or {}).waves)


def problems(before: Tree, after: Tree) -> list[str]:
    return [f"{p.code} {p.message}" for p in plan(before, after, (), {}).problems]


def pods(*names: str) -> dict[str, str]:
    return {
        f"hosts/cp-{i}/{MANIFESTS}/{name}.yaml": f"kind: Pod\nmetadata: {{name: {name}, labels: {{a: b}}}}\n"
        for i in (1, 2, 3)
        for name in names
    }


def test_equal_trees_need_nothing() -> None:
    assert waves(tree(), tree()) == []


@pytest.mark.parametrize(
    ("names", "does", "wait"),
    [
        (("etcd",), ("etcd restarts",), (HEALTHY, READY)),
        (("kube-apiserver",), ("kube-apiserver restarts",), (READY,)),
        (("kube-scheduler",), ("kube-scheduler restarts",), ("what restarted is Ready",)),
        (("kube-apiserver", "etcd"), ("etcd restarts", "kube-apiserver restarts"), (HEALTHY, READY)),
    ],
)
def test_the_control_plane_restarts_one_host_at_a_time(
    names: tuple[str, ...], does: tuple[str, ...], wait: tuple[str, ...]
) -> None:
    assert waves(tree(), tree(files=pods(*names))) == [
        Wave("control plane", ("cp-1", "cp-2", "cp-3"), ("run install.sh", *does), wait, one_at_a_time=True)
    ]


def test_hosts_on_which_other_pods_restart_are_waves_of_their_own() -> None:
    files = {path: text for path, text in pods("etcd").items() if "cp-2" in path} | pods("kube-apiserver")
    both = ("run install.sh", "etcd restarts", "kube-apiserver restarts")
    one = ("run install.sh", "kube-apiserver restarts")
    assert waves(tree(), tree(files=files)) == [
        Wave("control plane", ("cp-1",), one, (READY,), one_at_a_time=True),
        Wave("control plane", ("cp-2",), both, (HEALTHY, READY), one_at_a_time=True),
        Wave("control plane", ("cp-3",), one, (READY,), one_at_a_time=True),
    ]


def test_kubelets_by_pool_after_the_cluster_s_objects() -> None:
    files = {f"hosts/{host}/{FLAGS}": 'KUBELET_KUBEADM_ARGS="--a=c"\n' for host in ("w-1", "w-2", "w-3")}
    files["cluster/1.yaml"] = "kind: Namespace\nmetadata: {name: n}\n"
    workers = ("w-1", "w-2", "w-3")
    does, wait = ("run install.sh", "kubelet restarts"), ("each Node is Ready",)
    assert waves(tree(workers=workers), tree(workers=workers, files=files), {"w-1": "a", "w-2": "b", "w-3": "a"}) == [
        Wave(
            "objects of the cluster",
            (),
            ("`kubectl apply -k` of the cluster's objects",),
            ("rolled-out workloads are available",),
        ),
        Wave("pool a", ("w-1", "w-3"), does, wait),
        Wave("pool b", ("w-2",), does, wait),
    ]


def test_rights_are_granted_before_who_needs_them_restarts() -> None:
    files = {"cluster/1.yaml": "kind: ClusterRoleBinding\nmetadata: {name: r}\n"}
    found = waves(tree(), tree(files=files | pods("kube-apiserver")))
    assert [(wave.title, wave.does) for wave in found] == [
        ("new rights", ("`kubectl apply` of ClusterRoleBinding r",)),
        ("control plane", ("run install.sh", "kube-apiserver restarts")),
        ("objects of the cluster", ("`kubectl apply -k` of the cluster's objects",)),
    ]


def test_kubelets_follow_every_api_server() -> None:
    found = waves(tree("v1.35.3"), tree("v1.36.2", files=pods("kube-apiserver")))
    assert [(wave.title, wave.hosts, wave.one_at_a_time) for wave in found] == [
        ("control plane", ("cp-1", "cp-2", "cp-3"), True),
        ("kubelets of the control plane", ("cp-1", "cp-2", "cp-3"), True),
        ("workers", ("w-1", "w-2"), False),
    ]
    assert found[1].wait == ("the Node is Ready and reports v1.36.2",)


def test_hosts_that_come_and_go() -> None:
    before = tree(control_plane=("cp-1", "cp-2", "cp-3"), workers=("w-1",))
    after = tree(control_plane=("cp-1", "cp-2", "cp-4"), workers=("w-2",))
    assert [(wave.title, wave.hosts, wave.does) for wave in waves(before, after)] == [
        (
            "removed control-plane host",
            ("cp-3",),
            (
                "drain the node",
                "run etcd-member.sh remove cp-3 on another",
                "`kubectl delete node`",
                "stop its kubelet",
            ),
        ),
        (
            "new control-plane host",
            ("cp-4",),
            ("run install.sh --no-start", "run etcd-member.sh add"),
        ),
        ("new workers", ("w-2",), ("run join.sh",)),
        ("removed workers", ("w-1",), ("drain the nodes", "`kubectl delete node`", "stop their kubelets")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (tree("v1.35.3"), tree("v1.36.2"), []),
        (
            tree(control_plane=("cp-1",)),
            tree(control_plane=("cp-1", "cp-2", "cp-3")),
            ["K1025 cp-2 and cp-3 are new members of etcd, which takes one at a time"],
        ),
        (tree("v1.34.2"), tree("v1.36.2"), ["K1022 v1.34.2 to v1.36.2: Kubernetes goes up one minor at a time"]),
        (tree("v1.36.2"), tree("v1.35.3"), ["K1022 v1.36.2 to v1.35.3: a control plane does not go back"]),
        (
            tree("v1.35.3"),
            tree("v1.35.3", kubelets={"w-1": "v1.36.2"}),
            ["K1022 the kubelet of w-1 would be newer than the API server"],
        ),
        (
            tree("v1.35.3", kubelets={"w-2": "v1.32.5"}),
            tree("v1.36.2"),
            ["K1022 the kubelet of w-2 is more than three minors behind v1.36.2"],
        ),
        (tree("v1.35.3", kubelets={"w-2": "v1.33.3"}), tree("v1.36.2"), []),
    ],
)
def test_skew(before: Tree, after: Tree, says: list[str]) -> None:
    assert problems(before, after) == says


@pytest.mark.parametrize("host", ["prod/hosts/cp-1", "prod/hosts/w-1", "prod/hosts/s-1", "edge/hosts/edge-cp"])
def test_the_kubelet_restarts_where_install_sh_restarts_it(host: str, examples: Path) -> None:
    script = (examples / "out" / host / "install.sh").read_text()
    rows = [line.split(maxsplit=6)[1:] for line in script.splitlines() if re.match(r"put \d{4} ", line)]
    assert len(rows) > 10
    for _, policy, _, effect, _, rest in rows:
        path = rest.split()[0]
        told = restarts(Change("line", "", "changed", None, None, "hosts", (path,), ("a",), policy))
        mode = restarts(Change("file", "mode", "changed", "0644", "0600", "hosts", (path,), ("a",), policy))
        assert mode == ()
        expected = policy == "managed" and effect in ("kubelet", "unit", "drop-in")
        assert (path, "kubelet" in told) == (path, expected)


def test_a_drop_in_that_goes_restarts_the_kubelet() -> None:
    path = "/etc/systemd/system/kubelet.service.d/20-kcompile.conf"
    assert restarts(Change("file", "", "removed", None, None, "hosts", (path,), ("a",))) == ("kubelet",)
