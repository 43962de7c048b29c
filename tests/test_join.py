"""join.sh of workers, and what is there for those who keep kubeadm.

No kubeadm is at hand: its configuration is decoded strictly by the fields that its sources have.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import MakeCluster, Workspace, clean_environment, kcompile, run, succeed, tool

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
TOKEN = {"bootstrapTokens": [{"id": "pool01", "expires": "2027-12-23T00:00:00Z"}]}


# --- for those who keep kubeadm --------------------------------------------------------------------

ARGS = {"v1beta3": {str: str}, "v1beta4": [{"name": str, "value": str}]}
FIELDS: dict[str, Any] = {
    "apiVersion": str,
    "kind": str,
    "caCertPath": str,
    "discovery": {
        "file": {"kubeConfigPath": str},
        "bootstrapToken": {
            "token": str,
            "apiServerEndpoint": str,
            "caCertHashes": [str],
            "unsafeSkipCAVerification": bool,
        },
        "tlsBootstrapToken": str,
    },
    "nodeRegistration": {
        "name": str,
        "criSocket": str,
        "taints": [{"key": str, "value": str, "effect": str, "timeAdded": str}],
        "kubeletExtraArgs": None,
        "ignorePreflightErrors": [str],
        "imagePullPolicy": str,
    },
    "skipPhases": [str],
    "patches": {"directory": str},
    "controlPlane": {"localAPIEndpoint": {"advertiseAddress": str, "bindPort": int}, "certificateKey": str},
}
"""JoinConfiguration in kubeadm's cmd/kubeadm/app/apis/kubeadm/v1beta3 and v1beta4, where both have it."""


def decode(document: Any, fields: Any, path: str = "") -> list[str]:
    """What a strict decoder would complain about."""
    if isinstance(fields, type):
        return [] if type(document) is fields else [f"{path}: {document!r} is no {fields.__name__}"]
    if isinstance(fields, list):
        if not isinstance(document, list):
            return [f"{path}: {document!r} is no list"]
        return [found for i, item in enumerate(document) for found in decode(item, fields[0], f"{path}[{i}]")]
    if not isinstance(document, dict):
        return [f"{path}: {document!r} is no mapping"]
    if str in fields:
        return [found for key, value in document.items() for found in decode(value, fields[str], f"{path}.{key}")]
    return [
        found
        for key, value in document.items()
        for found in (decode(value, fields[key], f"{path}.{key}") if key in fields else [f"{path}.{key}: unknown"])
    ]


def complaints(document: dict[str, Any], api: str) -> list[str]:
    registration = FIELDS["nodeRegistration"] | {"kubeletExtraArgs": ARGS[api]}
    return decode(document, FIELDS | {"nodeRegistration": registration})


def test_the_decoder_is_strict() -> None:
    wrong = {
        "kind": "JoinConfiguration",
        "discovery": {"file": {"kubeconfigPath": "/x"}, "timeout": "5m"},
        "nodeRegistration": {"kubeletExtraArgs": {"v": "4"}, "taints": [{"key": 1}]},
    }
    assert complaints(wrong, "v1beta4") == [
        ".discovery.file.kubeconfigPath: unknown",
        ".discovery.timeout: unknown",
        ".nodeRegistration.kubeletExtraArgs: {'v': '4'} is no list",
        ".nodeRegistration.taints[0].key: 1 is no str",
    ]
    assert complaints({"nodeRegistration": {"kubeletExtraArgs": {"v": "4"}}}, "v1beta3") == []


@pytest.mark.parametrize(("minor", "api"), [(28, "v1beta3"), (30, "v1beta3"), (31, "v1beta4"), (36, "v1beta4")])
def test_the_join_configuration_is_kubeadm_s_of_the_minor(minor: int, api: str, make_cluster: MakeCluster) -> None:
    pool = {
        "name": "p",
        "labels": {"tier": "general", "disk": "nvme"},
        "taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}, {"key": "k", "effect": "NoExecute"}],
        "nodeRegistration": {"criSocket": "unix:///run/crio/crio.sock", "kubeletExtraArgs": {"v": "4"}},
        "nodes": [{"name": "w-1", "address": "10.0.1.1"}],
    }
    cluster = make_cluster(kubernetesVersion=f"v1.{minor}.1", nodePools=[pool], **TOKEN)
    cluster.build()
    host = cluster.render("w-1") / "etc/kubernetes"
    document = yaml.safe_load((host / "kubeadm-join.yaml").read_text())
    token = yaml.safe_load((host / "bootstrap-kubelet.conf").read_text())["users"][0]["user"]["token"]
    args = {"node-labels": "tier=general,disk=nvme", "v": "4"}
    assert complaints(document, api) == []
    assert document == {
        "apiVersion": f"kubeadm.k8s.io/{api}",
        "caCertPath": "/etc/kubernetes/pki/ca.crt",
        "discovery": {
            "file": {"kubeConfigPath": "/etc/kubernetes/kubeadm-discovery.yaml"},
            "tlsBootstrapToken": token,
        },
        "kind": "JoinConfiguration",
        "nodeRegistration": {
            "criSocket": "unix:///run/crio/crio.sock",
            "kubeletExtraArgs": args
            if api == "v1beta3"
            else [{"name": name, "value": value} for name, value in args.items()],
            "name": "w-1",
            "taints": [
                {"effect": "NoSchedule", "key": "dedicated", "value": "x"},
                {"effect": "NoExecute", "key": "k"},
            ],
        },
    }


@pytest.fixture(scope="module")
def w_1(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rendered") / "w-1"
    succeed(kcompile("render", examples / "out/prod", "w-1", "--to", directory))
    return directory


def test_a_node_without_settings_gets_none_and_only_the_token_is_sealed(w_1: Path, examples: Path) -> None:
    document = yaml.safe_load((w_1 / "etc/kubernetes/kubeadm-join.yaml").read_text())
    assert document["nodeRegistration"] == {
        "criSocket": "unix:///run/containerd/containerd.sock",
        "kubeletExtraArgs": [{"name": "node-labels", "value": "tier=general"}],
        "name": "w-1",
    }
    sealed = yaml.safe_load((examples / "out/prod/hosts/w-1/sealed/etc/kubernetes/kubeadm-join.yaml").read_text())
    assert sealed.pop("sops")["encrypted_regex"] == "^tlsBootstrapToken$"
    assert sealed["discovery"].pop("tlsBootstrapToken").startswith("ENC[")
    del document["discovery"]["tlsBootstrapToken"]
    assert sealed == document


def test_the_discovery_file_is_what_cluster_info_says(w_1: Path, examples: Path) -> None:
    file = w_1 / "etc/kubernetes/kubeadm-discovery.yaml"
    objects = yaml.safe_load_all((examples / "out/prod/cluster/40-cluster-info.yaml").read_text())
    (info,) = [o for o in objects if o["kind"] == "ConfigMap"]
    assert file.read_text() == info["data"]["kubeconfig"]
    shown = yaml.safe_load(run(tool("kubectl"), "--kubeconfig", file, "config", "view", "--raw"))
    (cluster,) = shown["clusters"]
    assert (cluster["name"], cluster["cluster"]["server"]) == ("", "https://api.prod.example.com:6443")
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"])
    assert authority == (w_1 / "etc/kubernetes/pki/ca.crt").read_bytes()


def test_issued_workers_and_control_planes_have_nothing_of_kubeadm_s(examples: Path) -> None:
    tree = examples / "out/prod/hosts"
    having = sorted({p.relative_to(tree).parts[0] for p in tree.rglob("kubeadm-[jd]*")})
    assert having == ["w-1", "w-2", "w-3"]


def test_the_sealed_script_runs_kubeadm_with_its_configuration_and_has_the_command(w_1: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/kubeadm"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    env = clean_environment(PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    bootstrap = yaml.safe_load((w_1 / "etc/kubernetes/bootstrap-kubelet.conf").read_text())
    der = tmp_path / "ca.der"
    key = run(tool("openssl"), "x509", "-in", w_1 / "etc/kubernetes/pki/ca.crt", "-noout", "-pubkey")
    run(tool("openssl"), "pkey", "-pubin", "-outform", "DER", "-out", der, input=key)
    digest = run(tool("openssl"), "dgst", "-sha256", "-r", der).split()[0]
    script = w_1 / "etc/kubernetes/join.sh"
    by_hand = [line.removeprefix("#   ") for line in script.read_text().splitlines() if line.startswith("#   ")]
    token = bootstrap["users"][0]["user"]["token"]
    assert by_hand == [
        f"kubeadm join api.prod.example.com:6443 --token {token} --discovery-token-ca-cert-hash sha256:{digest}"
    ]
    assert run("sh", script, "--v=5", env=env).splitlines() == [
        *("join", "--config", "/etc/kubernetes/kubeadm-join.yaml", "--v=5")
    ]


# --- join.sh ---------------------------------------------------------------------------------------


class Api(BaseHTTPRequestHandler):
    """An API server that knows nodes by name, and who asked."""

    statuses: dict[str, int]
    asked: list[tuple[str, str]]
    patched: list[tuple[str, str, Any]]

    def do_GET(self) -> None:
        self.asked.append((self.user(), self.path))
        self.send_response(self.statuses.get(self.path, 404))
        self.end_headers()

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.patched.append((self.user(), self.headers["Content-Type"], body))
        self.send_response(self.statuses.get(f"PATCH {self.path}", 200))
        self.end_headers()

    def user(self) -> str:
        return dict(pair[0] for pair in self.connection.getpeercert()["subject"])["commonName"]

    def log_message(self, *_: object) -> None:
        pass


class Kubelet(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()


class Worker:
    """A worker's folder, its machine's files bound where they belong, an API server and a kubelet on loopback."""

    def __init__(self, cluster: Workspace, path: Path, server: type[Api]) -> None:
        self.path, self.api = path, server
        self.folder = path / "folder of w-1"
        shutil.copytree(cluster.tree / "hosts/w-1", self.folder)
        self.write("folder of w-1/install.sh", '#!/bin/sh\nprintf "install.sh %s\\n" "$*"\n')
        self.write("bin/systemctl", f'#!/bin/sh\nprintf "systemctl %s\\n" "$*"\n. "{path}/started"\n')
        self.write("started", "")
        self.write("hosts", "127.0.0.1 localhost api.test\n")
        self.files = cluster.render("w-1")
        for name in ("etc/kubernetes", "var/lib/kubelet"):
            shutil.copytree(self.files / name, path / "machine" / name, symlinks=True)

    def write(self, name: str, content: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(content)
        (self.path / name).chmod(0o755)

    def join(self, *args: str, shell: str = "dash") -> tuple[int, str, str]:
        inside = (
            f"mount --bind '{self.path}/machine/var/lib' /var/lib && "
            f"mount --bind '{self.path}/machine/etc/kubernetes' /mnt && "
            f"mount --bind '{self.path}/hosts' /etc/hosts && exec \"$@\""
        )
        script = (self.folder / "join.sh").read_text().replace("/etc/kubernetes/", "/mnt/")
        (self.folder / "join.sh").write_text(script)
        done = subprocess.run(
            [tool("unshare"), "--mount", "sh", "-c", inside, "sh", *SHELLS[shell], self.folder / "join.sh", *args],
            env={"PATH": f"{self.path}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "https_proxy": "http://192.0.2.1:1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


NODE = "/api/v1/nodes/w-1"


@contextmanager
def worker(
    make_cluster: MakeCluster, path: Path, credentials: str, version: str = "v1.36.2", **kubelet: Any
) -> Iterator[Worker]:
    class OwnApi(Api):
        statuses: dict[str, int] = {}
        asked: list[tuple[str, str]] = []
        patched: list[tuple[str, str, Any]] = []

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), OwnApi) as api,
        ThreadingHTTPServer(("127.0.0.1", 0), Kubelet) as healthz,
    ):
        cluster = make_cluster(
            kubernetesVersion=version,
            controlPlaneEndpoint=f"api.test:{api.server_address[1]}",
            kubelet={"healthzPort": healthz.server_address[1], **kubelet},
            nodePools=[{"name": "p", "credentials": credentials, "nodes": [{"name": "w-1", "address": "10.0.1.1"}]}],
            **TOKEN,
        )
        cluster.build()
        pki = cluster.render("cp-1") / "etc/kubernetes/pki"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
        context.load_verify_locations(pki / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        api.socket = context.wrap_socket(api.socket, server_side=True)
        with serving(api), serving(healthz):
            yield Worker(cluster, path, OwnApi)


def test_a_worker_with_issued_credentials_joins(make_cluster: MakeCluster, tmp_path: Path) -> None:
    with worker(make_cluster, tmp_path / "machine of mine", "issued") as own:
        own.api.statuses[NODE] = 200
        endpoint = yaml.safe_load((own.files / "etc/kubernetes/kubelet.conf").read_text())["clusters"][0]["cluster"]
        said = (
            "install.sh --from /a b\n"
            "systemctl start kubelet.service\n"
            "waiting until the kubelet is healthy\n"
            "waiting until the kubelet has its credentials\n"
            "waiting until node w-1 is registered\n"
            f"node w-1 is registered with {endpoint['server']}\n"
        )
        found = {shell: own.join("--from", "/a b", "--timeout", "9", shell=shell) for shell in SHELLS}
        assert found == dict.fromkeys(SHELLS, (0, said, ""))
        assert own.api.asked == [("system:node:w-1", NODE)] * len(SHELLS)
        assert own.api.patched == []


def test_before_1_34_the_node_is_annotated_with_its_cri_socket(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """kubeadm upgrade fails on a node without it: kubeadm, ``util/config/cluster.go``."""
    with worker(make_cluster, tmp_path / "m", "issued", version="v1.33.4") as own:
        own.api.statuses[NODE] = 200
        found = {shell: own.join("--timeout", "9", shell=shell)[0] for shell in SHELLS}
        assert found == dict.fromkeys(SHELLS, 0)
        annotations = {"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}
        patch = ("system:node:w-1", "application/merge-patch+json", {"metadata": {"annotations": annotations}})
        assert own.api.patched == [patch] * len(SHELLS)
        run(tool("shellcheck"), "--shell=sh", "--severity=style", own.folder / "join.sh")
        own.api.statuses[f"PATCH {NODE}"] = 403
        assert own.join("--timeout", "0")[::2] == (
            1,
            "node w-1 is not annotated: the API server refuses the kubelet its own node\n"
            "mend: journalctl -u kubelet; then run this again\n",
        )


def test_a_worker_with_a_token_waits_for_its_certificate(make_cluster: MakeCluster, tmp_path: Path) -> None:
    with worker(make_cluster, tmp_path / "m", "bootstrapToken") as own:
        code, out, err = own.join("--timeout", "1")
        assert (code, out.splitlines()[-1]) == (1, "waiting until the kubelet has its credentials")
        assert re.fullmatch(
            r"the kubelet has not got its credentials from https://api\.test:\d+\n"
            r"mend: journalctl -u kubelet; has the token ended, or was cluster/ not applied\? kubectl get csr\n",
            err,
        )
        other = own.path / "machine"
        (other / "var/lib/kubelet/pki").mkdir(exist_ok=True)
        (other / "etc/kubernetes/kubelet.conf").write_text("x\n")
        (other / "var/lib/kubelet/pki/kubelet-client-current.pem").write_text("not a certificate\n")
        code, out, err = own.join("--timeout", "1")
        assert (code, out.splitlines()[-1]) == (1, "waiting until node w-1 is registered")
        assert "does not answer with a certificate of the cluster" in err.splitlines()[0]


MEANINGS = {
    401: "the API server does not know the certificate of the kubelet",
    403: "the API server refuses the kubelet its own node",
    404: "the API server knows no node w-1",
    503: "the API server answers with status 503",
}


def test_it_says_what_the_api_server_answers(make_cluster: MakeCluster, tmp_path: Path) -> None:
    with worker(make_cluster, tmp_path / "m", "issued") as own:
        found = {}
        for status in MEANINGS:
            own.api.statuses[NODE] = status
            code, _, err = own.join("--timeout", "0")
            found[status] = (code, err)
        mend = "mend: journalctl -u kubelet; the clocks of both machines"
        assert found == {
            status: (1, f"node w-1 is not registered: {said}\n{mend}\n") for status, said in MEANINGS.items()
        }


def test_it_says_where_it_stopped(make_cluster: MakeCluster, tmp_path: Path) -> None:
    with worker(make_cluster, tmp_path / "m", "issued", healthzBindAddress="::") as own:
        code, out, err = own.join("--timeout", "0")
        assert (code, out.splitlines()[-1]) == (1, "waiting until the kubelet is healthy")
        assert re.fullmatch(
            r"the kubelet is not healthy at http://\[::1\]:\d+/healthz\nmend: journalctl -u kubelet\n", err
        )
        own.write("started", "exit 5\n")
        assert own.join() == (
            1,
            "install.sh \nsystemctl start kubelet.service\n",
            "kubelet.service does not start\nmend: journalctl -u kubelet\n",
        )
        own.write("folder of w-1/install.sh", "#!/bin/sh\nexit 3\n")
        assert own.join() == (
            1,
            "",
            "install.sh failed with status 3\nmend: what it says above; then run this again\n",
        )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--timeout"], "--timeout needs a number of seconds"),
        (["--timeout", "-1"], "--timeout needs a number of seconds"),
        (["--from", "x", "--root", "/r"], "--root is for install.sh alone: there would be no node to wait for"),
        (["--bogus"], "usage: join.sh [--timeout SECONDS] [--from DIR]"),
        (["--from"], "--from needs a directory"),
        (["--check"], "--check is for install.sh alone: there would be no node to wait for"),
    ],
    ids=repr,
)
def test_a_wrong_command_line_is_2(args: list[str], said: str, shell: str, examples: Path) -> None:
    own = examples / "out/prod/hosts/w-1/join.sh"
    done = subprocess.run([*SHELLS[shell], own, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", said)


def test_every_worker_has_one_and_no_other_host(examples: Path) -> None:
    found = sorted(p.parts[-2] for p in (examples / "out/prod").glob("hosts/*/join.sh"))
    assert found == ["s-1", "s-2", "w-1", "w-2", "w-3"]
