"""What is compiled equals what the real kubeadm wrote, for every reference case."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from kcompile import yamlfmt

from conftest import MakeCluster, Workspace
from kubeadm_import import spec_from

DATA = Path(__file__).parent / "data" / "kubeadm"
CASES = sorted(f"{p.parent.name}/{p.name}" for p in DATA.glob("v*/*") if p.name != "worker-join")
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")


def without_own_annotations(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest["metadata"]
    kept = {k: v for k, v in metadata.get("annotations", {}).items() if not k.startswith("kcompile.dev/")}
    metadata.pop("annotations", None)
    if kept:
        metadata["annotations"] = kept
    return manifest


def blanked(text: str) -> str:
    text = re.sub(r"(client-key-data: )\S+", r"\1REDACTED", text)
    return re.sub(r"((?:client-certificate|certificate-authority)-data: )\S+", r"\1BASE64-PEM", text)


def certificate_facts(certificate: x509.Certificate) -> dict[str, Any]:
    key = certificate.public_key()
    facts: dict[str, Any] = {
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": sorted(certificate.subject.rfc4514_string().split(",")),
        "public_key": f"{type(key).__name__.strip('_')}-{key.key_size}",
        "signature_hash": certificate.signature_hash_algorithm.name,
        "validity_days": round(
            (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / 86400, 4
        ),
        "version": certificate.version.name,
        "extensions": {},
    }
    for extension in certificate.extensions:
        value: Any = extension.value
        if isinstance(value, x509.KeyUsage):
            value = [name for name in (*USAGES, "key_cert_sign", "crl_sign") if getattr(value, name)]
        elif isinstance(value, x509.ExtendedKeyUsage):
            value = sorted(oid._name for oid in value)
        elif isinstance(value, x509.BasicConstraints):
            value = {"ca": value.ca, "path_length": value.path_length}
        elif isinstance(value, x509.SubjectAlternativeName):
            value = [f"{type(name).__name__}:{name.value}" for name in value]
        elif isinstance(value, x509.AuthorityKeyIdentifier):
            value = {"issuer": value.authority_cert_issuer is not None, "key_identifier": "present"}
        else:
            value = "present"
        facts["extensions"][extension.oid._name] = (extension.critical, value)
    return facts


def expected_facts(reference: dict[str, Any]) -> dict[str, Any]:
    extensions = {}
    for entry in reference["extensions"]:
        value = sorted(entry["value"]) if entry["oid"] == "extendedKeyUsage" else entry["value"]
        extensions[entry["oid"]] = (entry["critical"], value)
    return {
        "issuer": reference["issuer"],
        "subject": sorted(reference["subject"].split(",")),
        "public_key": reference["public_key"].strip("_"),
        "signature_hash": reference["signature_hash"],
        "validity_days": reference["validity_days"],
        "version": reference["version"],
        "extensions": extensions,
    }


def cluster_objects(text: str) -> dict[str, dict[str, Any]]:
    """Objects by kind and name, without what a running API server or a moment in time puts there."""
    found = {}
    for document in yaml.safe_load_all(text):
        document.pop("status", None)
        document["metadata"].pop("resourceVersion", None)
        if document["kind"] == "Secret":
            for key in ("expiration", "token-secret"):
                if key in document["data"]:
                    document["data"][key] = key.upper()
        if document["metadata"]["name"] == "cluster-info":
            document["data"]["kubeconfig"] = blanked(document["data"]["kubeconfig"])
        metadata = document["metadata"]
        found[f"{document['kind']} {metadata.get('namespace', '')}/{metadata['name']}"] = document
    return found


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Workspace, Path, Path]:
    """A reference folder, and the same cluster compiled and opened: its host and its objects."""
    make: MakeCluster = request.getfixturevalue("make_module_cluster")
    reference = DATA / request.param
    workspace = make(spec_from(reference / "kubeadm.yaml", ""))
    workspace.build()
    node = yaml.safe_load(workspace.spec.read_text())["spec"]["controlPlane"]["nodes"][0]["name"]
    return reference, workspace, workspace.render(node), workspace.render("--cluster")


@pytest.fixture(scope="module")
def make_module_cluster(tmp_path_factory: pytest.TempPathFactory) -> MakeCluster:
    import conftest

    return conftest.make_cluster.__wrapped__(tmp_path_factory.mktemp("parity"))  # type: ignore[attr-defined]


def reference_text(reference: Path, path: str) -> str:
    text = (reference / "host" / path).read_text()
    if reference.parent.name == "v1.31.14" and path.endswith("kube-scheduler.yaml"):
        # these trees were written by a kubeadm 1.32.5; 1.31's own probes the scheduler at /healthz
        # (kubernetes/kubernetes PR 126945)
        manifest = yaml.safe_load(text)
        container = manifest["spec"]["containers"][0]
        del container["readinessProbe"]
        for probe in ("livenessProbe", "startupProbe"):
            container[probe]["httpGet"]["path"] = "/healthz"
        text = yamlfmt.dump(manifest).decode()
    return text


def test_host_files_equal_kubeadms(case: tuple[Path, Workspace, Path, Path]) -> None:
    reference, _, host, _ = case
    paths = sorted(str(p.relative_to(reference / "host")) for p in (reference / "host").rglob("*") if p.is_file())
    wanted, got = {}, {}
    for path in paths:
        wanted[path] = reference_text(reference, path)
        got[path] = blanked((host / path).read_text())
        if "/manifests/" in path:
            got[path] = yamlfmt.dump(without_own_annotations(yaml.safe_load(got[path]))).decode()
            # and apart from that annotation the file is the same text
            own = re.sub(r"    kcompile\.dev/credentials-sha256: \w{64}\n", "", (host / path).read_text())
            assert re.sub(r"^  annotations:\n(  \S)", r"\1", own, flags=re.MULTILINE) == wanted[path]
    assert got == wanted


def test_certificates_say_what_kubeadms_say(case: tuple[Path, Workspace, Path, Path]) -> None:
    reference, _, host, _ = case
    facts = json.loads((reference / "certificates.json").read_text())
    wanted: dict[str, Any] = {}
    got: dict[str, Any] = {}
    for name, entry in facts.items():
        path = host / "etc/kubernetes" / name
        if "pem_header" in entry:
            wanted[name], got[name] = entry["pem_header"], path.read_text().splitlines()[0]
            continue
        pem = path.read_bytes()
        if name == "kubelet.conf":
            pem = (host / "var/lib/kubelet/pki/kubelet-client-current.pem").read_bytes()
        elif name.endswith(".conf"):
            pem = base64.b64decode(yaml.safe_load(pem)["users"][0]["user"]["client-certificate-data"])
        wanted[name] = expected_facts(entry)
        got[name] = certificate_facts(x509.load_pem_x509_certificate(pem))
    assert got == wanted


def test_cluster_objects_equal_kubeadms(case: tuple[Path, Workspace, Path, Path]) -> None:
    reference, _, _, objects = case
    wanted = cluster_objects((reference / "cluster/objects.yaml").read_text())
    text = "---\n".join(p.read_text() for p in sorted(objects.rglob("*.yaml")) if p.name != "kustomization.yaml")
    got = cluster_objects(text)
    assert {name: got.get(name) for name in wanted} == wanted
    minor = int(reference.parent.name.split(".")[1])
    assert minor >= 29
    assert sorted(got.keys() - wanted.keys()) == ["ClusterRoleBinding /kubeadm:cluster-admins"]


@pytest.mark.parametrize("version", sorted(p.parent.name for p in DATA.glob("v*/worker-join")))
def test_joining_worker_equals_kubeadms(version: str, make_cluster: MakeCluster) -> None:
    reference = DATA / version / "worker-join" / "host"
    worker = {"name": "w-1", "address": "10.0.0.21"}
    workspace = make_cluster(
        kubernetesVersion=version,
        controlPlaneEndpoint="192.168.0.101:6443",
        bootstrapTokens=[{"id": "abcdef"}],
        nodePools=[{"name": "workers", "nodes": [worker]}],
    )
    workspace.build()
    host = workspace.render("w-1")
    wanted, got = {}, {}
    for path in (p for p in reference.rglob("*") if p.is_file()):
        name = str(path.relative_to(reference))
        wanted[name] = path.read_text().replace("abcdef.abcdef0123456789", "TOKEN")
        got[name] = re.sub(r"abcdef\.[0-9a-z]{16}", "TOKEN", blanked((host / name).read_text()))
    assert got == wanted
