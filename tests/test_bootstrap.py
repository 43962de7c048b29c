"""bootstrap.sh and mark-control-plane.sh with a kubectl that notes what it is told; and what Flux and kubectl make of
cluster/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ALL_EXAMPLES, MakeCluster, clean_environment, kcompile, run, succeed, tool

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >>"$LOG"
case $* in
*'-f -') ;;
*) [ /dev/null -ef /proc/$$/fd/0 ] || echo 'something to read' >>"$LOG" ;;
esac
case $* in
*'-f -') { printf -- '--- %s\\n' "$KUBECONFIG"; cat; } >>"$LOG.objects" ;;
esac
case $* in
*/readyz*) [ ! -e "$STATE/down" ] || { echo 'The connection was refused'; exit 1; } ;;
*can-i*) cat "$STATE/may"; exit 0 ;;
*kube-root-ca.crt*)
    cat "$STATE/authority"
    [ -s "$STATE/authority" ] || { echo 'Error from server (NotFound)' >&2; exit 1; }
    ;;
*'get nodes --output name')
    if [ -e "$STATE/unlisted" ]; then
        if [ "$(cat "$STATE/unlisted")" = once ]; then rm "$STATE/unlisted"; fi
        printf 'E1126 retry\nUnable to connect to the server: EOF\n' >&2
        exit 1
    fi
    cat "$STATE/nodes"
    ;;
*apply*) if [ -e "$STATE/broken" ]; then rm "$STATE/broken"; echo no >&2; exit 1; fi ;;
esac
"""
OBJECTS = (
    "00-cluster-admins 10-kubeadm-config 11-kubelet-config sealed/20-bootstrap-token-pool01 30-bootstrap-rbac "
    "40-cluster-info 50-coredns 60-kube-proxy manifests/addons/priority-classes"
).split()
NODES = "cp-1 cp-2 cp-3 w-1 w-2 w-3 s-1 s-2".split()
ASK = "--request-timeout 10s"
APPLY = "--request-timeout 30s apply --server-side --force-conflicts --field-manager kcompile -f -"
ROLE = "node-role.kubernetes.io/control-plane"


def authority_of(cluster: Path) -> str:
    """What the cluster of a tree has in kube-root-ca.crt."""
    found = next(cluster.parent.glob("hosts/*/rootfs/etc/kubernetes/pki/ca.crt"))
    return found.read_text()


AUTHORITY = r"--namespace kube-system get configmap kube-root-ca.crt --output jsonpath={.data.ca\.crt}"


class Operator:
    """A directory with a kubectl that notes its calls, and a script of the tree."""

    def __init__(self, path: Path, cluster: Path) -> None:
        self.path, self.cluster = path, cluster
        (path / "bin").mkdir(parents=True)
        for name, text in (("kubectl", KUBECTL), ("sleep", "#!/bin/sh\n")):
            (path / "bin" / name).write_text(text)
            (path / "bin" / name).chmod(0o755)
        self.log = path / "log"
        (path / "nodes").write_text("".join(f"node/{name}\n" for name in NODES))
        (path / "may").write_text("yes\n")
        (path / "authority").write_text(authority_of(cluster))

    def run(self, *args: str, shell: str = "dash", **env: str) -> tuple[int, str, str]:
        self.log.write_text("")
        self.log.with_name("log.objects").write_text("")
        sops = Path(tool("sops")).parent
        environment = clean_environment(
            PATH=f"{self.path}/bin:{sops}:/usr/bin:/bin", LOG=str(self.log), STATE=str(self.path)
        )
        environment |= {"SOPS_AGE_KEY_FILE": str(ALICE), "KUBECONFIG": "/k"} | env
        done = subprocess.run(
            [*SHELLS[shell], self.cluster / "bootstrap.sh", *args],
            env=environment,
            input="",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    def applied(self) -> list[object]:
        return list(yaml.safe_load_all(self.log.with_name("log.objects").read_text().replace("--- /k", "---")))


@pytest.fixture
def operator(examples: Path, tmp_path: Path) -> Operator:
    return Operator(tmp_path / "o", examples / "out/prod/cluster")


def servers(*names: str) -> list[str]:
    return [f"{ASK} --server https://10.0.0.1{name[-1]}:6443 get --raw /readyz" for name in names]


MARKS = [
    line
    for name in ("cp-1", "cp-2", "cp-3")
    for line in (
        f"label --overwrite node {name} {ROLE}= node.kubernetes.io/exclude-from-external-load-balancers=",
        f"taint --overwrite node {name} {ROLE}:NoSchedule",
    )
]
CALLS = [
    *servers("cp-1", "cp-2", "cp-3"),
    f"{ASK} get --raw /readyz",
    f"{ASK} auth can-i * * --all-namespaces",
    f"{ASK} get namespaces kube-system kube-public",
    *[APPLY] * len(OBJECTS),
    f"{ASK} get nodes --output name",
    *(f"{ASK} {mark}" for mark in MARKS),
    f"{ASK} get nodes --output name",
    f"{ASK} get nodes --output wide",
    f"{ASK} --namespace kube-system get pods --output wide",
]
SAID = [
    *(f"waiting for the API server of cp-{n} at https://10.0.0.1{n}:6443" for n in (1, 2, 3)),
    "waiting for the endpoint",
    "waiting for the namespaces",
    *(f"applying {name}.yaml" for name in OBJECTS),
    "waiting until 3 nodes are registered",
]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_applies_the_objects_in_order_and_marks_the_control_plane(shell: str, operator: Operator) -> None:
    for _ in range(2):  # it may be run again
        code, out, err = operator.run(shell=shell)
        assert (code, out.splitlines(), err, operator.calls()) == (0, SAID, "", CALLS)


def test_what_is_applied_is_what_the_tree_has_opened(operator: Operator, examples: Path, tmp_path: Path) -> None:
    opened = tmp_path / "objects of prod"
    succeed(kcompile("render", examples / "out/prod", "--cluster", "--to", opened))
    assert operator.run()[0] == 0
    from_tree = operator.applied()
    operator.cluster = opened
    assert operator.run(SOPS_AGE_KEY_FILE="/nonexistent")[0] == 0
    files = [opened / f"{name.removeprefix('sealed/')}.yaml" for name in OBJECTS]
    wanted = [d for file in files for d in yaml.safe_load_all(file.read_text())]
    assert [d for d in operator.applied() if d] == wanted
    assert [d for d in from_tree if d] == wanted


def test_options_reach_kubectl(operator: Operator) -> None:
    config = operator.path / "x y"
    config.touch()
    (operator.path / "nodes").write_text("node/cp-1\nnode/cp-2\nnode/cp-3\nnode/w-11\n")
    code, out, _ = operator.run("--endpoint-only", "--context", "my context", "--kubeconfig", str(config))
    assert (code, out.splitlines()[-1]) == (0, "not registered yet: w-1 w-2 w-3 s-1 s-2")
    first = CALLS.index(APPLY)
    calls = [*CALLS[3:first], f"{ASK} {AUTHORITY}", *CALLS[first:]]
    assert operator.calls() == [f"--context my context {call}" for call in calls]
    assert operator.log.with_name("log.objects").read_text().startswith(f"--- {config}\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_another_cluster_s_kubeconfig_is_refused_where_no_node_is_asked(
    shell: str, operator: Operator, examples: Path
) -> None:
    own, other = (authority_of(examples / "out" / name / "cluster") for name in ("prod", "edge"))
    for published, says in (
        (
            other,
            "the kubeconfig is for another cluster than prod: its authority is another\n"
            "mend: kcompile render OUT --admin --to DIR has the kubeconfigs of this one\n",
        ),
        (
            "",
            "ConfigMap kube-root-ca.crt of kube-system is not there: Error from server (NotFound)\n"
            "mend: the logs of kube-controller-manager, which writes it\n",
        ),
    ):
        (operator.path / "authority").write_text(published)
        code, out, err = operator.run("--endpoint-only", "--timeout", "0", shell=shell)
        assert (code, out.splitlines(), err) == (1, [*SAID[3:5], "waiting for the authority"], says)
        assert APPLY not in operator.calls()
    (operator.path / "authority").write_text(other + own)  # while one replaces the other
    assert operator.run("--endpoint-only", shell=shell)[0] == 0


def test_where_something_else_is_published_nothing_is_compared(make_cluster: MakeCluster, tmp_path: Path) -> None:
    args = {"root-ca-file": "/etc/kubernetes/pki/published.crt"}
    cluster = make_cluster(controllerManager={"extraArgs": args}).build() / "cluster"
    operator = Operator(tmp_path / "o", cluster)
    code, out, _ = operator.run("--endpoint-only")
    assert (code, "waiting for the authority" in out, [c for c in operator.calls() if "root-ca" in c]) == (0, False, [])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_sealed_kubeconfig_is_refused_before_anybody_is_asked(shell: str, operator: Operator, examples: Path) -> None:
    sealed = examples / "out/prod/admin/admin.conf"
    code, out, err = operator.run("--kubeconfig", str(sealed), shell=shell)
    assert (code, out, err, operator.calls()) == (
        1,
        "",
        f"{sealed} is sealed\nmend: kcompile render OUT --admin --to DIR opens it\n",
        [],
    )


def test_nodes_that_nobody_lists_are_waited_for(operator: Operator) -> None:
    (operator.path / "unlisted").write_text("once")
    code, out, err = operator.run()
    assert (code, out.splitlines(), err) == (0, SAID, "")
    assert operator.calls().count(f"{ASK} get nodes --output name") == 3

    (operator.path / "unlisted").write_text("always")
    code, out, err = operator.run("--timeout", "0")
    assert (code, out.splitlines(), err) == (
        1,
        SAID,
        "the nodes cannot be listed: Unable to connect to the server: EOF\nmend: the API server; then run this again\n",
    )
    assert [call for call in operator.calls() if "label" in call] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_kubeconfig_that_cannot_be_read_is_refused(shell: str, operator: Operator) -> None:
    for name in ("/nonexistent/admin.conf", "/etc"):
        code, out, err = operator.run("--kubeconfig", name, shell=shell)
        assert (code, out, err, operator.calls()) == (2, "", f"{name} cannot be read\n", [])


def test_it_waits_for_every_node_where_it_is_told_to(operator: Operator) -> None:
    code, out, _ = operator.run("--all-nodes")
    assert (code, out.splitlines()[-2:]) == (
        0,
        ["waiting until 3 nodes are registered", "waiting until 5 nodes are registered"],
    )
    (operator.path / "nodes").write_text("node/cp-1\nnode/cp-2\nnode/cp-3\nnode/s-1\n")
    code, _, err = operator.run("--all-nodes", "--timeout", "0")
    assert (code, err) == (1, "not registered: w-1 w-2 w-3 s-2\nmend: journalctl -u kubelet there\n")


def test_a_failure_that_passes_is_tried_again(operator: Operator) -> None:
    (operator.path / "broken").touch()
    code, out, err = operator.run()
    assert (code, out.splitlines(), err) == (0, SAID, "no\n")
    assert operator.calls().count(APPLY) == len(OBJECTS) + 1


@pytest.mark.parametrize(
    ("file", "content", "env", "said"),
    [
        (
            "down",
            "",
            {},
            "the API server of cp-1 at https://10.0.0.11:6443 is not ready: The connection was refused\n"
            "mend: on cp-1, journalctl -u kubelet and the logs below /var/log/pods; "
            "--endpoint-only if https://10.0.0.11:6443 is out of reach from here\n",
        ),
        (
            "may",
            "no\n",
            {},
            "these credentials may not do everything\n"
            "mend: use super-admin.conf: in /etc/kubernetes on cp-1, or from kcompile render OUT --admin --to DIR\n",
        ),
        ("nodes", "node/cp-1\nnode/cp-33\n", {}, "not registered: cp-2 cp-3\nmend: journalctl -u kubelet there\n"),
        (
            "none",
            "",
            {"SOPS_AGE_KEY_FILE": "/nonexistent"},
            "sealed/20-bootstrap-token-pool01.yaml cannot be opened\n"
            "mend: set SOPS_AGE_KEY_FILE to an identity of one of its recipients\n",
        ),
    ],
)
def test_it_says_what_is_in_the_way(
    file: str, content: str, env: dict[str, str], said: str, operator: Operator
) -> None:
    (operator.path / file).write_text(content)
    code, out, err = operator.run("--timeout", "0", **env)
    assert (code, err[-len(said) :]) == (1, said)
    assert "token-secret" not in out + err


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("args", [["--context"], ["--timeout", "x"], ["now"]], ids=" ".join)
def test_a_wrong_command_line_is_2(args: Sequence[str], shell: str, operator: Operator) -> None:
    code, out, err = operator.run(*args, shell=shell)
    assert (code, out, operator.calls()) == (2, "", [])
    assert err.splitlines()[0] in (
        "--context needs a value",
        "--timeout needs a number of seconds",
        "usage: bootstrap.sh [--kubeconfig FILE] [--context NAME] [--timeout SECONDS] [--endpoint-only] [--all-nodes]",
    )


def test_mark_control_plane_passes_arguments_on(operator: Operator, examples: Path) -> None:
    env = clean_environment(PATH=f"{operator.path}/bin:{os.environ['PATH']}", LOG=str(operator.log), STATE="/x")
    run("sh", examples / "out/prod/cluster/mark-control-plane.sh", "--context=x", env=env)
    assert operator.calls() == [f"--context=x {line}" for line in MARKS]


@pytest.mark.parametrize(
    ("version", "gates", "annotated"),
    [("v1.33.4", {}, True), ("v1.34.1", {}, False), ("v1.34.1", {"NodeLocalCRISocket": False}, True)],
    ids=["1.33", "1.34", "1.34 without the gate"],
)
def test_nodes_are_annotated_where_kubeadm_reads_the_cri_socket_there(
    version: str, gates: dict[str, bool], annotated: bool, make_cluster: MakeCluster, tmp_path: Path
) -> None:
    crio = {"criSocket": "unix:///var/run/crio/crio.sock"}
    node = {"name": "cp-1", "address": "10.0.0.11", "nodeRegistration": crio}
    cluster = make_cluster(kubernetesVersion=version, featureGates=gates, controlPlane={"nodes": [node]})
    operator = Operator(tmp_path / "o", cluster.build() / "cluster")
    code, _, err = operator.run("--endpoint-only")
    assert (code, err) == (0, "")
    annotation = f"kubeadm.alpha.kubernetes.io/cri-socket={crio['criSocket']}"
    call = f"{ASK} annotate --overwrite node cp-1 {annotation}"
    assert [line for line in operator.calls() if "annotate" in line] == ([call] if annotated else [])


def test_hostile_file_names_are_words(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster()
    name = "a b/$(touch pwned)'\"`x`.yaml"
    spec = yaml.safe_load(cluster.spec.read_text())
    spec["spec"]["manifests"] = [name]
    cluster.write_spec(spec)
    (cluster.path / "a b").mkdir()
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
    (cluster.path / name).write_text(yaml.safe_dump(manifest))
    operator = Operator(tmp_path / "o", cluster.build() / "cluster")
    code, out, err = operator.run("--endpoint-only")
    assert (code, err) == (0, "")
    assert f"applying manifests/{name}" in out.splitlines()
    assert manifest in operator.applied()
    assert not (operator.path / "pwned").exists()


# --- kubectl and Flux ------------------------------------------------------------------------------


def kustomized(directory: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all(run(tool("kubectl"), "kustomize", directory)))


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_kustomize_builds_the_objects_in_the_order_of_the_files(name: str, examples: Path) -> None:
    directory = examples / "out" / name / "cluster"
    files = yaml.safe_load((directory / "kustomization.yaml").read_text())["resources"]
    documents = [d for file in files for d in yaml.safe_load_all((directory / file).read_text()) if d]
    assert kustomized(directory) == documents


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_sealed_secrets_open_as_flux_opens_them(name: str, examples: Path, tmp_path: Path) -> None:
    """kustomize-controller decrypts each built object that has a ``sops`` field: as JSON, without its MAC."""
    tree = examples / "out" / name
    opened = tmp_path / "objects"
    succeed(kcompile("render", tree, "--cluster", "--to", opened))
    wanted = [d for d in kustomized(opened) if d["kind"] == "Secret"]
    sealed = [d for d in kustomized(tree / "cluster") if "sops" in d]
    found = []
    for document in sealed:
        assert document["sops"]["encrypted_regex"] == "^token-secret$"
        file = tmp_path / "secret.json"
        file.write_text(json.dumps(document))
        text = run(
            *(tool("sops"), "decrypt", "--ignore-mac", "--input-type", "json", "--output-type", "json", file),
            env=clean_environment(SOPS_AGE_KEY_FILE=str(ALICE)),
        )
        found.append(json.loads(text))
    assert found == wanted
    tokens = yaml.safe_load((examples / "clusters" / f"{name}.yaml").read_text())["spec"].get("bootstrapTokens", [])
    assert len(found) == len(tokens)


def test_rendered_objects_are_private_and_the_script_is_with_them(examples: Path, tmp_path: Path) -> None:
    succeed(kcompile("render", examples / "out/prod", "--cluster", "--to", tmp_path / "o"))
    modes = {p.name: oct(stat.S_IMODE(p.stat().st_mode)) for p in (tmp_path / "o").iterdir() if p.is_file()}
    assert {name: modes[name] for name in ("bootstrap.sh", "20-bootstrap-token-pool01.yaml")} == {
        "bootstrap.sh": "0o755",
        "20-bootstrap-token-pool01.yaml": "0o600",
    }
    assert re.search("sealed/", (tmp_path / "o/kustomization.yaml").read_text()) is None
    assert shutil.which("kubectl") is not None
