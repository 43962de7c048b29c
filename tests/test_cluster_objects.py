"""What Kubernetes reads: objects against its own schemas, kubeconfigs by its own clients, YAML as it writes it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes
import kubernetes_validate
import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from kcompile import load, own_objects, pipeline, secretsfile, validate, versions
from kcompile.artifact import SealedYaml
from kcompile.cli import main
from kcompile.hosts import resolve
from kcompile.keyring import Keyring
from kcompile.secret import Secret

from conftest import (
    ALICE,
    ALL_EXAMPLES,
    EXAMPLES,
    ROOT,
    MakeCluster,
    clean_environment,
    files_below,
    files_of_host,
    is_kubeconfig,
    run,
    succeed,
    tool,
)

VERSION = {"prod": "1.36.2", "lab": "1.28.0", "edge": "1.36.2"}
HOSTS = {
    "prod": ("cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3", "s-1", "s-2"),
    "lab": ("k8s-master",),
    "edge": ("edge-cp",),
}
CONTROL_PLANE = {"prod": ("cp-1", "cp-2", "cp-3"), "lab": ("k8s-master",), "edge": ("edge-cp",)}
JOINING = ("w-1", "w-2", "w-3")
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

OBJECT_FILES = {
    "prod": [
        "00-cluster-admins.yaml",
        "10-kubeadm-config.yaml",
        "11-kubelet-config.yaml",
        "20-bootstrap-token-pool01.yaml",
        "30-bootstrap-rbac.yaml",
        "40-cluster-info.yaml",
        "50-coredns.yaml",
        "60-kube-proxy.yaml",
        "manifests/addons/priority-classes.yaml",
    ],
    "lab": [
        "10-kubeadm-config.yaml",
        "11-kubelet-config.yaml",
        "30-bootstrap-rbac.yaml",
        "40-cluster-info.yaml",
        "50-coredns.yaml",
        "60-kube-proxy.yaml",
    ],
    "edge": [
        "00-cluster-admins.yaml",
        "10-kubeadm-config.yaml",
        "11-kubelet-config.yaml",
        "20-bootstrap-token-edge01.yaml",
        "30-bootstrap-rbac.yaml",
        "40-cluster-info.yaml",
        "50-coredns.yaml",
        "60-kube-proxy.yaml",
    ],
}
BOOTSTRAP_RBAC = [
    "ClusterRole kubeadm:get-nodes",
    "ClusterRoleBinding kubeadm:get-nodes",
    "ClusterRoleBinding kubeadm:kubelet-bootstrap",
    "ClusterRoleBinding kubeadm:node-autoapprove-bootstrap",
    "ClusterRoleBinding kubeadm:node-autoapprove-certificate-rotation",
]
OBJECTS = {
    "00-cluster-admins.yaml": ["ClusterRoleBinding kubeadm:cluster-admins"],
    "10-kubeadm-config.yaml": [
        "ConfigMap kube-system/kubeadm-config",
        "Role kube-system/kubeadm:nodes-kubeadm-config",
        "RoleBinding kube-system/kubeadm:nodes-kubeadm-config",
    ],
    "11-kubelet-config.yaml": [
        "ConfigMap kube-system/kubelet-config",
        "Role kube-system/kubeadm:kubelet-config",
        "RoleBinding kube-system/kubeadm:kubelet-config",
    ],
    "20-bootstrap-token-pool01.yaml": ["Secret kube-system/bootstrap-token-pool01"],
    "20-bootstrap-token-edge01.yaml": ["Secret kube-system/bootstrap-token-edge01"],
    "30-bootstrap-rbac.yaml": [*BOOTSTRAP_RBAC, "ClusterRoleBinding kubeadm:apiserver-kubelet-client"],
    "40-cluster-info.yaml": [
        "ConfigMap kube-public/cluster-info",
        "Role kube-public/kubeadm:bootstrap-signer-clusterinfo",
        "RoleBinding kube-public/kubeadm:bootstrap-signer-clusterinfo",
    ],
    "50-coredns.yaml": [
        "ConfigMap kube-system/coredns",
        "ClusterRole system:coredns",
        "ClusterRoleBinding system:coredns",
        "ServiceAccount kube-system/coredns",
        "Deployment kube-system/coredns",
        "Service kube-system/kube-dns",
    ],
    "60-kube-proxy.yaml": [
        "ConfigMap kube-system/kube-proxy",
        "DaemonSet kube-system/kube-proxy",
        "ServiceAccount kube-system/kube-proxy",
        "ClusterRoleBinding kubeadm:node-proxier",
        "Role kube-system/kube-proxy",
        "RoleBinding kube-system/kube-proxy",
    ],
    "manifests/addons/priority-classes.yaml": ["PriorityClass platform"],
}


def render(*args: str | Path) -> None:
    """The render command without the time that a process of its own takes to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOPS_AGE_KEY_FILE", str(ALICE))
        main(["render", *map(str, args)], standalone_mode=False)


@pytest.fixture(scope="module")
def rendered(examples: Path) -> Path:
    """The examples opened: <cluster>/<host>/…, <cluster>/@cluster/… and <cluster>/@admin/…."""
    target = examples / "rendered for objects"
    for cluster in EXAMPLES:
        tree = examples / "out" / cluster
        for host in HOSTS[cluster]:
            render(tree, host, "--to", target / cluster / host)
        render(tree, "--cluster", "--to", target / cluster / "@cluster")
        render(tree, "--admin", "--to", target / cluster / "@admin")
    return target


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def title(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    place = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{document['kind']} {place}{metadata['name']}"


# --- schemas ------------------------------------------------------------------------------------------


def complaint(document: dict[str, Any], version: str) -> str | None:
    """What Kubernetes' own OpenAPI schema of a version has against an object, unknown fields included."""
    try:
        used = kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
    assert used == ".".join(version.split(".")[:2])
    return None


def test_validator_refuses_what_the_api_server_would() -> None:
    """The tool is strict enough for the tests below to mean something."""
    good = documents(ROOT / "out/prod/cluster/50-coredns.yaml")[4]
    assert complaint(good, "1.36.2") is None

    def spoilt(change: str) -> str | None:
        copy = json.loads(json.dumps(good))
        pod = copy["spec"]["template"]["spec"]
        if change == "unknown field":
            pod["containers"][0]["imagePullPolicies"] = "Always"
        elif change == "wrong type":
            copy["spec"]["replicas"] = "2"
        elif change == "missing field":
            del pod["containers"][0]["name"]
        elif change == "wrong type in a map":
            pod["nodeSelector"]["kubernetes.io/os"] = True
        return complaint(copy, "1.36.2")

    changes = ("unknown field", "wrong type", "missing field", "wrong type in a map")
    places = {change: str(spoilt(change)).partition(": ")[0] for change in changes}
    assert places == {
        "unknown field": "spec.template.spec.containers.0",
        "wrong type": "spec.replicas",
        "missing field": "spec.template.spec.containers.0",
        "wrong type in a map": "spec.template.spec.nodeSelector.kubernetes.io/os",
    }
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        complaint({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "x"}}, "1.36.2")


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_objects_are_the_expected_ones_and_valid(cluster: str, rendered: Path) -> None:
    directory = rendered / cluster / "@cluster"
    wanted = {name: OBJECTS[name] for name in OBJECT_FILES[cluster]}
    if cluster == "lab":
        wanted["30-bootstrap-rbac.yaml"] = BOOTSTRAP_RBAC  # 1.28: that client is system:masters by its certificate
    found = {name: documents(directory / name) for name in OBJECT_FILES[cluster]}
    assert {name: [title(d) for d in objects] for name, objects in found.items()} == wanted
    complaints = {title(d): complaint(d, VERSION[cluster]) for objects in found.values() for d in objects}
    assert complaints == {title: None for titles in wanted.values() for title in titles}
    others = sorted(files_below(directory).keys() - set(OBJECT_FILES[cluster]))
    assert others == ["bootstrap.sh", "kustomization.yaml", "mark-control-plane.sh"]


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_static_pods_are_valid(cluster: str, rendered: Path) -> None:
    got = {}
    for path in sorted((rendered / cluster).glob("*/etc/kubernetes/manifests/*")):
        (document,) = documents(path)
        got[f"{path.parents[3].name}/{path.name}"] = (title(document), complaint(document, VERSION[cluster]))
    assert got == {
        f"{host}/{pod}.yaml": (f"Pod kube-system/{pod}", None) for host in CONTROL_PLANE[cluster] for pod in STATIC_PODS
    }


@cache
def opened_secrets() -> secretsfile.Opened:
    return secretsfile.open_file(str(ROOT / "clusters/prod.secrets.yaml"), {"SOPS_AGE_KEY_FILE": str(ALICE)})


def revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal().decode()
    if isinstance(value, dict):
        return {key: revealed(child) for key, child in value.items()}
    return [revealed(child) for child in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("minor", versions.supported_minors())
def test_objects_and_static_pods_of_every_minor_are_valid(minor: int) -> None:
    text = (ROOT / "clusters/prod.yaml").read_text().replace("v1.36.2", f"v1.{minor}.1")
    spec, _ = validate.cluster(load.parse("prod.yaml", text.encode()), datetime(2026, 11, 23, tzinfo=UTC))
    cluster = resolve(spec)
    got = {}
    for artifact in pipeline.compile_cluster(cluster, Keyring(cluster, opened_secrets().secrets), {}):
        if isinstance(artifact.content, SealedYaml) and artifact.path.startswith("cluster/"):
            found = [revealed(artifact.content.document)]
        elif isinstance(artifact.content, bytes) and re.search(r"^cluster/.*yaml$|/manifests/", artifact.path):
            found = list(yaml.safe_load_all(artifact.content))
        else:
            continue
        got |= {f"{artifact.host or ''} {title(d)}": complaint(d, f"1.{minor}.1") for d in found}
    wanted = {name: OBJECTS[name] for name in OBJECT_FILES["prod"] if not name.startswith("manifests/")}
    if minor < 29:
        del wanted["00-cluster-admins.yaml"]
    if minor < 36:
        wanted["30-bootstrap-rbac.yaml"] = BOOTSTRAP_RBAC
    pods = {f"{host} Pod kube-system/{pod}" for host in CONTROL_PLANE["prod"] for pod in STATIC_PODS}
    assert got == dict.fromkeys({f" {t}" for titles in wanted.values() for t in titles} | pods)


# --- kustomize ----------------------------------------------------------------------------------------


def kubectl(*args: str | Path) -> str:
    return run(tool("kubectl"), *args, env=clean_environment(KUBECONFIG="/nonexistent/config"))


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_kustomization_lists_the_object_files_in_order(cluster: str, examples: Path, rendered: Path) -> None:
    wanted = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": OBJECT_FILES[cluster],
        "sortOptions": {"order": "fifo"},
    }
    assert documents(rendered / cluster / "@cluster" / "kustomization.yaml") == [wanted]
    sealed = [f"sealed/{name}" if "token" in name else name for name in OBJECT_FILES[cluster]]
    tree = examples / "out" / cluster / "cluster"
    assert documents(tree / "kustomization.yaml") == [wanted | {"resources": sealed}]
    assert [name for name in sealed if not (tree / name).is_file()] == []


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_kubectl_kustomize_gives_the_same_objects_in_the_same_order(cluster: str, rendered: Path) -> None:
    directory = rendered / cluster / "@cluster"
    wanted = [document for name in OBJECT_FILES[cluster] for document in documents(directory / name)]
    assert list(yaml.safe_load_all(kubectl("kustomize", directory))) == wanted


def test_manifests_with_awkward_names_are_rendered_and_listed(make_cluster: MakeCluster) -> None:
    """Among them a folder that is called as the tree calls the place of what is sealed."""
    names = ["sealed/a.yaml", "on.yaml", "1.0/b c's $(x).yaml", "é.yaml"]
    workspace = make_cluster(secrets=False, manifests=names)
    texts = {}
    for number, name in enumerate(names):
        path = workspace.path / name
        path.parent.mkdir(exist_ok=True)
        texts[name] = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: n-{number}}}\n"
        path.write_text(texts[name])
    succeed(workspace.run("secrets", "create", "c.yaml"))
    workspace.build()
    directory = workspace.render("--cluster")
    files = files_below(directory / "manifests")
    assert {name: content.decode() for name, content in files.items()} == texts
    (kustomization,) = documents(directory / "kustomization.yaml")
    assert kustomization["resources"][-4:] == [f"manifests/{name}" for name in names]
    objects = list(yaml.safe_load_all(kubectl("kustomize", directory)))
    assert [title(d) for d in objects[-4:]] == [f"Namespace n-{number}" for number in range(4)]


def test_a_host_may_be_called_as_the_tree_calls_its_own_folders(make_cluster: MakeCluster) -> None:
    nodes = [
        {"name": name, "address": f"10.0.1.{n}"} for n, name in enumerate(("sealed", "rootfs", "hosts", "cluster"), 1)
    ]
    workspace = make_cluster(
        bootstrapTokens=[{"id": "abcdef"}], nodePools=[{"name": "admin", "credentials": "issued", "nodes": nodes}]
    )
    workspace.build()
    got = {}
    for node in nodes:
        target = workspace.path / "rendered" / str(node["name"])
        succeed(workspace.run("render", workspace.tree, str(node["name"]), "--to", target))
        got[node["name"]] = sorted(str(path.relative_to(target)) for path in files_of_host(target))
    assert got == {
        node["name"]: [
            "etc/kubernetes/kubelet.conf",
            "etc/kubernetes/pki/ca.crt",
            "etc/modules-load.d/kcompile.conf",
            "etc/sysctl.d/90-kcompile.conf",
            "etc/systemd/system/kubelet.service",
            "etc/systemd/system/kubelet.service.d/20-kcompile.conf",
            "var/lib/kubelet/config.yaml",
            "var/lib/kubelet/instance-config.yaml",
            "var/lib/kubelet/kubeadm-flags.env",
            "var/lib/kubelet/pki/kubelet-client-current.pem",
            "var/lib/kubelet/pki/kubelet.crt",
            "var/lib/kubelet/pki/kubelet.key",
        ]
        for node in nodes
    }


# --- kubeconfigs --------------------------------------------------------------------------------------


def expected_kubeconfigs(cluster: str) -> dict[str, tuple[str, str, str]]:
    """User, cluster and server of each kubeconfig. The controller manager, the scheduler and (from 1.33 on) the
    control plane's kubelets talk to the API server beside them, all others to the endpoint."""
    endpoint = {
        "prod": "https://api.prod.example.com:6443",
        "lab": "https://192.168.217.143:6443",
        "edge": "https://10.20.0.5:8443",
    }[cluster]
    local = {"cp-1": "https://10.0.0.11:6443", "cp-2": "https://10.0.0.12:6443", "cp-3": "https://10.0.0.13:6443"}
    found = {}
    for place in (*CONTROL_PLANE[cluster], "@admin"):
        folder = place if place == "@admin" else f"{place}/etc/kubernetes"
        found[f"{folder}/admin.conf"] = ("kubernetes-admin", cluster, endpoint)
        if cluster != "lab" and place in ("@admin", CONTROL_PLANE[cluster][0]):
            found[f"{folder}/super-admin.conf"] = ("kubernetes-super-admin", cluster, endpoint)
        if place != "@admin":
            beside = local.get(place, endpoint)
            found[f"{folder}/controller-manager.conf"] = ("system:kube-controller-manager", cluster, beside)
            found[f"{folder}/scheduler.conf"] = ("system:kube-scheduler", cluster, beside)
            found[f"{folder}/kubelet.conf"] = (f"system:node:{place}", cluster, beside)
    if cluster == "prod":
        for host in ("s-1", "s-2"):
            found[f"{host}/etc/kubernetes/kubelet.conf"] = (f"system:node:{host}", cluster, endpoint)
        for host in JOINING:  # kubeadm's own names: discovery.For
            user = ("tls-bootstrap-token-user", "kubernetes", endpoint)
            found[f"{host}/etc/kubernetes/bootstrap-kubelet.conf"] = user
    return found


def kubeconfigs(rendered: Path, cluster: str) -> dict[str, Path]:
    paths = (rendered / cluster).rglob("*.conf")
    return {str(p.relative_to(rendered / cluster)): p for p in sorted(paths) if is_kubeconfig(p)}


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_kubectl_reads_every_kubeconfig(cluster: str, rendered: Path) -> None:
    authority = (rendered / cluster / CONTROL_PLANE[cluster][0] / "etc/kubernetes/pki/ca.crt").read_bytes()
    wanted = {
        label: {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()},
                }
            ],
            "contexts": [{"name": f"{user}@{name}", "context": {"cluster": name, "user": user}}],
            "current-context": f"{user}@{name}",
            "users": [user],
        }
        for label, (user, name, server) in expected_kubeconfigs(cluster).items()
    }
    got, credentials = {}, {}
    for label, path in kubeconfigs(rendered, cluster).items():
        seen = json.loads(kubectl("config", "view", "--raw", "-o", "json", "--kubeconfig", path))
        credentials[label] = sorted(entry for user in seen["users"] for entry in user["user"])
        got[label] = {"preferences": {}, **seen, "users": [user["name"] for user in seen["users"]]}
    assert got == wanted
    embedded, rotated = ["client-certificate-data", "client-key-data"], ["client-certificate", "client-key"]
    assert credentials == {
        label: ["token"] if "bootstrap" in label else rotated if "kubelet" in label else embedded for label in wanted
    }


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_python_client_loads_every_kubeconfig(cluster: str, rendered: Path, tmp_path: Path) -> None:
    got, want = {}, {}
    for label, path in kubeconfigs(rendered, cluster).items():
        text = path.read_text()
        host = rendered / cluster / label.partition("/")[0]
        # kubelet.conf names files of the host; here the host's root is a folder
        own = tmp_path / "kubeconfig"
        own.write_text(text.replace("/var/lib/kubelet", f"{host}/var/lib/kubelet"))
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(config_file=str(own), client_configuration=configuration)
        entry = yaml.safe_load(text)
        user = entry["users"][0]["user"]
        authority = entry["clusters"][0]["cluster"]["certificate-authority-data"]
        if "token" in user:
            credentials: list[Any] = [f"Bearer {user['token']}", None, None]
        elif "client-certificate" in user:
            pair = (host / "var/lib/kubelet/pki/kubelet-client-current.pem").read_bytes()
            credentials = [None, pair, pair]
        else:
            credentials = [None, *(base64.b64decode(user[f"client-{what}-data"]) for what in ("certificate", "key"))]
        want[label] = [expected_kubeconfigs(cluster)[label][2], base64.b64decode(authority), True, *credentials]

        def content(file: str | None) -> bytes | None:
            return Path(file).read_bytes() if file else None

        got[label] = [
            configuration.host,
            content(configuration.ssl_ca_cert),
            configuration.verify_ssl,
            configuration.api_key.get("BearerToken"),
            content(configuration.cert_file),
            content(configuration.key_file),
        ]
    assert got == want


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_kubeconfigs_inside_of_config_maps(cluster: str, rendered: Path, tmp_path: Path) -> None:
    """cluster-info, which a joining node reads, and the one that kube-proxy uses."""
    directory = rendered / cluster / "@cluster"
    server = expected_kubeconfigs(cluster)["@admin/admin.conf"][2]
    authority = (rendered / cluster / CONTROL_PLANE[cluster][0] / "etc/kubernetes/pki/ca.crt").read_bytes()
    info, proxy = tmp_path / "cluster-info", tmp_path / "kube-proxy"
    info.write_text(documents(directory / "40-cluster-info.yaml")[0]["data"]["kubeconfig"])
    proxy.write_text(documents(directory / "60-kube-proxy.yaml")[0]["data"]["kubeconfig.conf"])
    view = ("config", "view", "--raw", "-o", "json", "--kubeconfig")
    assert json.loads(kubectl(*view, info))["clusters"] == [
        {
            "name": "",
            "cluster": {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()},
        }
    ]
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    seen = json.loads(kubectl(*view, proxy))
    assert (seen["clusters"], seen["users"]) == (
        [{"name": "default", "cluster": {"server": server, "certificate-authority": f"{account}/ca.crt"}}],
        [{"name": "default", "user": {"tokenFile": f"{account}/token"}}],
    )


# --- joining ------------------------------------------------------------------------------------------


def openssl_public_key_hash(certificate: Path) -> str:
    """The recipe of Kubernetes' documentation for --discovery-token-ca-cert-hash."""
    command = 'openssl x509 -pubkey -noout -in "$1" | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex'
    tool("openssl")
    return "sha256:" + run("sh", "-c", command, "sh", certificate).split()[-1]


@pytest.mark.parametrize("host", JOINING)
def test_join_script_bootstrap_kubeconfig_and_secret_agree(host: str, rendered: Path) -> None:
    directory = rendered / "prod" / host / "etc/kubernetes"
    script = (directory / "join.sh").read_text()
    assert re.findall(r"--discovery-token-ca-cert-hash (\S+)", script) == [
        openssl_public_key_hash(directory / "pki/ca.crt")
    ]
    (secret,) = documents(rendered / "prod/@cluster/20-bootstrap-token-pool01.yaml")
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    half = data.pop("token-secret")
    assert re.fullmatch("[a-z0-9]{16}", half)
    assert data == {
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        "description": "general pool",
        "expiration": "2026-12-23T00:00:00Z",
        "token-id": "pool01",
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
    }
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert re.findall(r"--token (\S+)", script) == [f"pool01.{half}"]
    user = yaml.safe_load((directory / "bootstrap-kubelet.conf").read_text())["users"][0]["user"]
    assert user == {"token": f"pool01.{half}"}


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_overview_states_the_public_key_hashes(cluster: str, examples: Path, rendered: Path) -> None:
    pki = rendered / cluster / CONTROL_PLANE[cluster][0] / "etc/kubernetes/pki"
    text = (examples / "out" / cluster / "README.md").read_text()
    assert re.findall(r"^\| (\S+) \| `(sha256:\w+)`", text, re.MULTILINE) == [
        ("kubernetes", openssl_public_key_hash(pki / "ca.crt")),
        ("etcd-ca", openssl_public_key_hash(pki / "etcd/ca.crt")),
        ("front-proxy-ca", openssl_public_key_hash(pki / "front-proxy-ca.crt")),
    ]


def test_token_that_may_not_authenticate_is_not_joined_with(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        bootstrapTokens=[{"id": "signs0", "usages": ["signing"]}, {"id": "joins0"}, {"id": "other0"}],
        nodePools=[{"name": "p", "nodes": [{"name": "w", "address": "10.0.0.21"}]}],
    )
    workspace.build()
    host, objects = workspace.render("w"), workspace.render("--cluster")
    secrets = {}
    for path in sorted(objects.glob("20-*")):
        data = yaml.safe_load(path.read_text())["data"]
        secrets[path.name] = {key: base64.b64decode(value).decode() for key, value in data.items()}
    halves = {name: data.pop("token-secret") for name, data in secrets.items()}
    group = "system:bootstrappers:kubeadm:default-node-token"
    both = {"usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true", "auth-extra-groups": group}
    assert secrets == {
        "20-bootstrap-token-signs0.yaml": {"token-id": "signs0", "usage-bootstrap-signing": "true"},
        "20-bootstrap-token-joins0.yaml": {"token-id": "joins0", **both},
        "20-bootstrap-token-other0.yaml": {"token-id": "other0", **both},
    }
    token = f"joins0.{halves['20-bootstrap-token-joins0.yaml']}"
    assert re.findall(r"--token (\S+)", (host / "etc/kubernetes/join.sh").read_text()) == [token]


# --- YAML ---------------------------------------------------------------------------------------------


def is_yaml(path: str) -> bool:
    return path.endswith(".yaml") or is_kubeconfig(path)


def style_problems(files: dict[str, bytes]) -> list[str]:
    config = YamlLintConfig(file=str(ROOT / "tests" / "yamllint.yaml"))
    return [
        f"{path}:{problem.line}: {problem.desc} ({problem.rule})"
        for path, content in files.items()
        for problem in linter.run(content.decode(), config, filepath=path)
    ]


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_yaml_is_written_as_kubernetes_writes_it(cluster: str, examples: Path) -> None:
    files = {p: c for p, c in files_below(examples / "out").items() if p.startswith(f"{cluster}/") and is_yaml(p)}
    assert len(files) == {"prod": 64, "lab": 17, "edge": 22}[cluster]
    assert style_problems(files) == []


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_opened_yaml_is_written_as_kubernetes_writes_it(cluster: str, rendered: Path) -> None:
    """What was sealed has kubeadm's own style once it is opened, and no sops block is left."""
    files = {f"{cluster}/{p}": c for p, c in files_below(rendered / cluster).items() if is_yaml(p)}
    renamed = {path.replace("/@admin/", "/opened/").replace("/@cluster/", "/cluster/"): c for path, c in files.items()}
    assert style_problems(renamed) == []
    assert [path for path, content in files.items() if b"sops" in content or b"ENC[" in content] == []


def test_style_rules_see_what_they_are_for() -> None:
    wrong = {
        "indented.yaml": b"a:\n  - b\n",
        "unsorted.yaml": b"b: 1\na: 1\n",
        "flow.yaml": b"a: [b]\n",
        "quoted.yaml": b'a: "b"\n',
        "single.yaml": b"a: '1'\n",
        "truth.yaml": b"a: yes\n",
        "octal.yaml": b"a: 0644\n",
        "empty.yaml": b"a:\n",
        "spaces.yaml": b"a: b \n",
        "end.yaml": b"a: b",
    }
    rules = [re.sub(r":\d+: .*\((.*)\)", r" \1", problem) for problem in style_problems(wrong)]
    assert rules == [
        "indented.yaml indentation",
        "unsorted.yaml key-ordering",
        "flow.yaml brackets",
        "quoted.yaml quoted-strings",
        "single.yaml quoted-strings",
        "truth.yaml truthy",
        "octal.yaml octal-values",
        "empty.yaml empty-values",
        "spaces.yaml trailing-spaces",
        "end.yaml new-line-at-end-of-file",
    ]


def test_json_files_are_json_with_the_digests_of_what_is_there(examples: Path) -> None:
    """host.json names each file of its host by its place there, with the digest of its file in the tree."""
    for cluster in EXAMPLES:
        for host in HOSTS[cluster]:
            folder = examples / "out" / cluster / "hosts" / host
            index = json.loads((folder / "host.json").read_text())
            got = {entry["path"]: entry["sha256"] for entry in index["files"]}
            there = {f"/{p}": c for branch in ("rootfs", "sealed") for p, c in files_below(folder / branch).items()}
            assert got == {path: hashlib.sha256(content).hexdigest() for path, content in there.items()}


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_the_table_of_own_objects_is_that_of_the_trees(name: str) -> None:
    """What manifests of a user's own may not clash with."""
    file = ROOT / "clusters" / f"{name}.yaml"
    checked = validate.examined(load.parse(str(file), file.read_bytes()), datetime(2026, 11, 24, tzinfo=UTC))
    assert checked.cluster is not None
    found = {
        own_objects.identity(o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
        for path in (ROOT / "out" / name / "cluster").rglob("*.yaml")
        if "manifests" not in path.parts and path.name != "kustomization.yaml"
        for o in yaml.safe_load_all(path.read_text())
    }
    assert own_objects.compiled(checked.cluster) == found
