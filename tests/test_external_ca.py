"""An authority whose key is elsewhere: requests go out, certificates come in and are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from conftest import MakeCluster, Workspace, clean_environment, files_below, run, succeed, tool


def without_key(workspace: Workspace, authority: str) -> tuple[Path, Path]:
    """Take an authority's key out of the secrets file, as an operator does; its certificate and key, elsewhere."""
    env = clean_environment(SOPS_AGE_KEY=workspace.identity)
    sops = tool("sops")
    opened = yaml.safe_load(run(sops, "decrypt", workspace.secrets, env=env))
    (entry,) = opened["authorities"][authority]
    run(sops, "unset", workspace.secrets, f'["authorities"]["{authority}"][0]["key"]', env=env)
    elsewhere = workspace.path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    certificate, key = elsewhere / f"{authority}.crt", elsewhere / f"{authority}.key"
    certificate.write_text(entry["certificate"])
    key.write_text(entry["key"])
    return certificate, key


def sign(request: Path, certificate: Path, key: Path, *more: str) -> None:
    """What an authority does: sign the request with the extensions it asks for."""
    run(
        *(tool("openssl"), "x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key, "-days", "365"),
        *("-copy_extensions", "copy", "-out", request.with_suffix(".crt"), *more),
    )


def sign_between(request: Path, certificate: Path, key: Path, begins: str, ends: str) -> None:
    """Sign a request for certain dates, which only `openssl ca` of OpenSSL 3.0 can."""
    directory = request.parent / "ca"
    directory.mkdir(exist_ok=True)
    (directory / "index.txt").write_text("")
    (directory / "serial").write_text("01\n")
    (directory / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {directory}/index.txt\nserial = {directory}/serial\n"
        f"new_certs_dir = {directory}\ndefault_md = sha256\npolicy = any\ncopy_extensions = copy\n"
        "unique_subject = no\n[any]\norganizationName = optional\ncommonName = supplied\n"
    )
    run(
        *(tool("openssl"), "ca", "-batch", "-notext", "-config", directory / "ca.cnf", "-in", request),
        *("-cert", certificate, "-keyfile", key, "-startdate", begins, "-enddate", ends),
        *("-out", request.with_suffix(".crt")),
    )


EXTENSIONS = {
    "1.2.3.4 = critical, DER:0500": "has a critical extension that no component of Kubernetes reads, 1.2.3.4",
    "subjectAltName = DNS:cp-1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    "DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:10.0.0.11,DNS:more.example.com": (
        "has names that were not asked for, more.example.com"
    ),
}


def sign_with(extension: str, request: Path, certificate: Path, key: Path) -> None:
    """Sign a request with an extension more, or another one in the place of its own."""
    extensions = request.parent / "more.cnf"
    own = "keyUsage = critical, digitalSignature, keyEncipherment\nextendedKeyUsage = serverAuth\n"
    names = "" if "subjectAltName" in extension else f"{next(e for e in EXTENSIONS if 'DNS' in e).rpartition(',')[0]}\n"
    extensions.write_text(own + names + extension + "\n")
    run(
        *(tool("openssl"), "x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key, "-days", "365"),
        *("-extfile", extensions, "-out", request.with_suffix(".crt")),
    )


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> tuple[Workspace, Path, Path]:
    workspace = make_cluster(
        bootstrapTokens=[{"id": "abcdef", "expires": "2999-01-01T00:00:00Z"}],
        nodePools=[{"name": "issued", "credentials": "issued", "nodes": [{"name": "s-1", "address": "10.0.2.1"}]}],
    )
    return workspace, *without_key(workspace, "kubernetes")


NAMES = [
    "_operator/admin.conf",
    "_operator/super-admin.conf",
    "cp-1/admin.conf",
    "cp-1/apiserver",
    "cp-1/apiserver-kubelet-client",
    "cp-1/controller-manager.conf",
    "cp-1/kubelet-client",
    "cp-1/scheduler.conf",
    "cp-1/super-admin.conf",
    "s-1/kubelet-client",
    "s-1/kubelet-server",
]


def test_requests_go_out_and_certificates_come_in(cluster: tuple[Workspace, Path, Path]) -> None:
    workspace, certificate, key = cluster
    before = workspace.run("build", "c.yaml")
    assert (before.code, before.out, before.err) == (
        3,
        "",
        "c.yaml:8:5: spec.pki: the kubernetes authority: its key is not in the secrets file, and there is no "
        "certificate for cp-1/apiserver and 10 more [K0913]\n"
        "    8 |     issuedAt: '2026-11-23T00:00:00Z'\n"
        "      |     ^^^^^^^^\n"
        "   hint: `kcompile csr c.yaml` writes what is to be signed; put what was signed beside it as NAME.crt\n",
    )
    written = succeed(workspace.run("csr", "c.yaml"))
    assert written.out == (
        "c.secrets.yaml: added 11 keys\n"
        "c.certificates: 11 signing requests, 11 not signed yet; put what is signed beside each as NAME.crt\n"
    )
    directory = workspace.path / "c.certificates"
    assert sorted(files_below(directory)) == sorted(f"{name}.csr" for name in NAMES)
    again = files_below(directory)
    succeed(workspace.run("csr", "c.yaml"))
    assert files_below(directory) == again
    text = run(tool("openssl"), "req", "-in", directory / "cp-1/apiserver.csr", "-noout", "-text", "-verify")
    assert "Subject: CN = kube-apiserver" in text
    assert "DNS:cp-1, DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc" in text
    for name in NAMES:
        sign(directory / f"{name}.csr", certificate, key)
    assert succeed(workspace.run("csr", "c.yaml")).out == "c.certificates: 11 signing requests, all signed\n"
    workspace.build()
    host = workspace.render("cp-1")
    compiled = (host / "etc/kubernetes/pki/apiserver.crt").read_text()
    assert run(tool("openssl"), "x509", "-in", directory / "cp-1/apiserver.crt") == compiled
    assert not (host / "etc/kubernetes/pki/ca.key").exists()
    assert (host / "etc/kubernetes/pki/etcd/ca.key").exists()
    manager = yaml.safe_load((host / "etc/kubernetes/manifests/kube-controller-manager.yaml").read_text())
    command = manager["spec"]["containers"][0]["command"]
    assert [word for word in command if "cluster-signing" in word] == [
        "--cluster-signing-cert-file=",
        "--cluster-signing-key-file=",
    ]
    manifest = json.loads((workspace.tree / "kcompile.json").read_text())
    assert sorted(manifest["inputs"]["certificates"]) == NAMES
    assert workspace.run("build", "c.yaml").out == f"out/test: unchanged, {len(manifest['files']) + 2} files\n"
    assert succeed(workspace.run("validate", "c.yaml", identity=None)).err == ""


def faults(workspace: Workspace) -> list[str]:
    result = workspace.run("build", "c.yaml", "--format", "json")
    assert result.code == 3
    return [problem["message"] for problem in json.loads(result.err)["problems"]]


def test_a_certificate_that_is_not_what_was_asked_for_is_refused(cluster: tuple[Workspace, Path, Path]) -> None:
    workspace, certificate, key = cluster
    succeed(workspace.run("csr", "c.yaml"))
    directory = workspace.path / "c.certificates"
    for name in NAMES:
        sign(directory / f"{name}.csr", certificate, key)
    succeed(workspace.run("build", "c.yaml"))
    good = files_below(directory)
    openssl = tool("openssl")
    other, other_key = workspace.path / "elsewhere/other.crt", workspace.path / "elsewhere/other.key"
    run(
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=kubernetes", "-out", other, "-keyout", other_key),
    )
    request = directory / "cp-1/apiserver.csr"
    target = request.with_suffix(".crt")

    sign(request, other, other_key)
    assert faults(workspace) == ["the certificate was not signed by the authority"]
    bare = run(
        *(openssl, "x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key, "-days", "1"),
    )
    target.write_text(bare)
    assert faults(workspace) == [
        "the certificate lacks the extended key usage serverAuth",
        "the certificate lacks the key usage digitalSignature",
        "the certificate lacks the names cp-1, kubernetes, kubernetes.default, "
        "kubernetes.default.svc, kubernetes.default.svc.cluster.local, 10.96.0.1, 10.0.0.11",
    ]
    target.write_bytes(good["cp-1/admin.conf.crt"])
    assert faults(workspace) == [
        "the certificate has the subject CN=kubernetes-admin,O=kubeadm:cluster-admins, not CN=kube-apiserver",
        "the certificate lacks the extended key usage serverAuth",
        "the certificate lacks the names cp-1, kubernetes, kubernetes.default, "
        "kubernetes.default.svc, kubernetes.default.svc.cluster.local, 10.96.0.1, 10.0.0.11",
        "the certificate does not belong to its key",
    ]
    for dates, fault in {
        ("20261124000000Z", "20261124000001Z"): None,
        ("20200101000000Z", "20270101000000Z"): "is valid from 2020-01-01T00:00:00Z, earlier than its authority",
        ("20261124000000Z", "20990101000000Z"): "is valid until 2099-01-01T00:00:00Z, longer than its authority",
    }.items():
        sign_between(request, certificate, key, *dates)
        if fault is None:
            warned = workspace.run("build", "c.yaml", "--format", "json")
            assert (warned.code, [p["message"] for p in json.loads(warned.err)["problems"]]) == (
                0,
                ["the certificate is valid from 2026-11-24T00:00:00Z to 2026-11-24T00:00:01Z"],
            )
        else:
            assert faults(workspace) == [f"the certificate {fault}"]
    for extension, fault in EXTENSIONS.items():
        sign_with(extension, request, certificate, key)
        assert faults(workspace) == [f"the certificate {fault}"]
    target.write_bytes(good["cp-1/apiserver.crt"] + certificate.read_bytes())
    chain = "holds more than one certificate: only its own belongs there, and none of an authority"
    assert faults(workspace) == [f"the certificate {chain}"]
    run(
        *(openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"),
        *(other_key, "-out", request, "-subj", "/CN=kube-apiserver", "-copy_extensions", "copyall"),
        *("-addext", "extendedKeyUsage=serverAuth"),
    )
    target.write_bytes(good["cp-1/apiserver.crt"])
    without_a_key = workspace.run("validate", "c.yaml", identity=None)
    assert (without_a_key.code, without_a_key.err) == (
        3,
        "c.certificates/cp-1/apiserver.crt:1:1: the certificate does not belong to the key of the request beside it"
        " [K0917]\n"
        "   hint: have c.certificates/cp-1/apiserver.csr signed again, or write it anew with `kcompile csr c.yaml`\n",
    )
    target.write_text("nonsense")
    assert faults(workspace) == ["the certificate is not a PEM certificate"]


def test_nothing_is_to_be_signed_where_the_keys_are_here(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    before = files_below(workspace.path)
    result = succeed(workspace.run("csr", "c.yaml"))
    assert result.out == "nothing is to be signed elsewhere: the secrets file holds every authority's key\n"
    assert files_below(workspace.path) == before


def test_nobody_can_join_by_token_where_nobody_signs(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        bootstrapTokens=[{"id": "abcdef", "expires": "2999-01-01T00:00:00Z"}],
        nodePools=[{"name": "general", "nodes": [{"name": "w-1", "address": "10.0.1.1"}]}],
    )
    without_key(workspace, "kubernetes")
    result = workspace.run("validate", "c.yaml", "--format", "json")
    found = {p["path"]: (p["message"], p["hint"]) for p in json.loads(result.err)["problems"]}
    assert found["spec.nodePools[0]"] == (
        "its nodes join by bootstrap token, and nothing in the cluster can sign their certificates",
        "set credentials: issued",
    )
