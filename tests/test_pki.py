"""The PKI as others see it: OpenSSL, a linter of certificates, a second implementation of the derivation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from pkilint import loader
from pkilint.pkix import certificate as pkilint_certificate
from pkilint.pkix import extension, name

from kcompile import load, pki, secretsfile, validate
from kcompile.cli import main
from kcompile.emit import certificates, static_pods
from kcompile.hosts import resolve
from kcompile.keyring import Keyring, Leaf, leaves
from kcompile.manifest import ClusterSecrets
from kcompile.secret import Secret

from conftest import ALICE, EXAMPLES, ROOT, MakeCluster, files_of_host, is_kubeconfig, run, succeed, tool

ISSUED_AT = datetime(2026, 11, 23, tzinfo=UTC)
HOSTS = {
    "prod": ("cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3", "s-1", "s-2"),
    "lab": ("k8s-master",),
    "edge": ("edge-cp",),
}
CONTROL_PLANE = {"prod": ("cp-1", "cp-2", "cp-3"), "lab": ("k8s-master",), "edge": ("edge-cp",)}
BOOTSTRAPPING, ISSUED = ("w-1", "w-2", "w-3"), ("s-1", "s-2")  # prod's workers
AUTHORITIES = {
    "kubernetes": "etc/kubernetes/pki/ca.crt",
    "etcd": "etc/kubernetes/pki/etcd/ca.crt",
    "front-proxy": "etc/kubernetes/pki/front-proxy-ca.crt",
}
KUBELET_CLIENT = "var/lib/kubelet/pki/kubelet-client-current.pem"


def render(*args: str | Path) -> None:
    """The render command without the time that a process of its own takes to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOPS_AGE_KEY_FILE", str(ALICE))
        main(["render", *map(str, args)], standalone_mode=False)


@pytest.fixture(scope="module")
def rendered(examples: Path) -> Path:
    """Every host of every example opened: <cluster>/<host>/…, and the operator's files in <cluster>/@admin."""
    target = examples / "rendered for pki"
    for cluster in EXAMPLES:
        for host in HOSTS[cluster]:
            render(examples / "out" / cluster, host, "--to", target / cluster / host)
        render(examples / "out" / cluster, "--admin", "--to", target / cluster / "@admin")
    return target


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files of their own."""

    certificate: Path
    key: Path

    def load(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())


@pytest.fixture(scope="module")
def pairs(rendered: Path) -> dict[str, dict[str, Pair]]:
    """Every leaf certificate there is and its key, by cluster and <host>/<path>, kubeconfigs and pairs split."""
    split = rendered.parent / "split"
    found: dict[str, dict[str, Pair]] = {cluster: {} for cluster in EXAMPLES}
    for cluster in EXAMPLES:
        for path in files_of_host(rendered / cluster):
            label = str(path.relative_to(rendered / cluster))
            if path.suffix == ".crt" and not label.endswith("ca.crt"):
                found[cluster][label] = Pair(path, path.with_suffix(".key"))
                continue
            if path.suffix == ".pem":
                end = "-----END CERTIFICATE-----\n"
                certificate, mark, key = path.read_text().partition(end)
                certificate += mark
            elif is_kubeconfig(path):
                user = yaml.safe_load(path.read_text())["users"][0]["user"]
                if "client-certificate-data" not in user:
                    continue
                certificate = base64.b64decode(user["client-certificate-data"]).decode()
                key = base64.b64decode(user["client-key-data"]).decode()
            else:
                continue
            place = split / cluster / label
            place.mkdir(parents=True)
            found[cluster][label] = Pair(place / "certificate", place / "key")
            found[cluster][label].certificate.write_text(certificate)
            found[cluster][label].key.write_text(key)
    return found


@dataclass(frozen=True)
class Expected:
    """What a leaf certificate is to be. Subjects are as OpenSSL prints them."""

    authority: str
    purposes: frozenset[str]
    subject: str


SERVER, CLIENT = frozenset({"sslserver"}), frozenset({"sslclient"})


def expected_leaves(cluster: str) -> dict[str, Expected]:
    """Every leaf certificate of an example. 1.28 (lab) has no super-admin.conf and gives clients a group instead."""
    old = cluster == "lab"
    masters = "O = system:masters, " if old else ""
    admin = Expected(
        "kubernetes", CLIENT, f"O = {'system:masters' if old else 'kubeadm:cluster-admins'}, CN = kubernetes-admin"
    )
    super_admin = Expected("kubernetes", CLIENT, "O = system:masters, CN = kubernetes-super-admin")
    found = {"@admin/admin.conf": admin}
    if not old:
        found["@admin/super-admin.conf"] = super_admin
    for index, host in enumerate(CONTROL_PLANE[cluster]):
        both = SERVER | CLIENT
        below = {
            "pki/apiserver.crt": Expected("kubernetes", SERVER, "CN = kube-apiserver"),
            "pki/apiserver-kubelet-client.crt": Expected(
                "kubernetes", CLIENT, f"{masters}CN = kube-apiserver-kubelet-client"
            ),
            "pki/front-proxy-client.crt": Expected("front-proxy", CLIENT, "CN = front-proxy-client"),
            "pki/etcd/server.crt": Expected("etcd", both, f"CN = {host}"),
            "pki/etcd/peer.crt": Expected("etcd", both, f"CN = {host}"),
            "pki/etcd/healthcheck-client.crt": Expected("etcd", CLIENT, f"{masters}CN = kube-etcd-healthcheck-client"),
            "pki/apiserver-etcd-client.crt": Expected("etcd", CLIENT, f"{masters}CN = kube-apiserver-etcd-client"),
            "admin.conf": admin,
            "controller-manager.conf": Expected("kubernetes", CLIENT, "CN = system:kube-controller-manager"),
            "scheduler.conf": Expected("kubernetes", CLIENT, "CN = system:kube-scheduler"),
        }
        if index == 0 and not old:
            below["super-admin.conf"] = super_admin
        found |= {f"{host}/etc/kubernetes/{path}": value for path, value in below.items()}
    issued = ISSUED if cluster == "prod" else ()
    for host in (*CONTROL_PLANE[cluster], *issued):
        subject = f"O = system:nodes, CN = system:node:{host}"
        found[f"{host}/{KUBELET_CLIENT}"] = Expected("kubernetes", CLIENT, subject)
        if host in issued:
            found[f"{host}/var/lib/kubelet/pki/kubelet.crt"] = Expected("kubernetes", SERVER, subject)
    return found


SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
LOOPBACK = ("127.0.0.1", "::1")


def expected_names(cluster: str) -> dict[str, tuple[list[str], list[str]]]:
    """The DNS names and addresses of each serving certificate, in their order."""
    found: dict[str, tuple[list[str], list[str]]] = {}

    def add(host: str, path: str, dns: tuple[str, ...], *addresses: str) -> None:
        found[f"{host}/etc/kubernetes/pki/{path}"] = (list(dns), list(addresses))

    if cluster == "prod":
        for number, host in enumerate(CONTROL_PLANE["prod"], start=1):
            address = f"10.0.0.1{number}"
            own = ("api.prod.example.com", host, *SERVICE, "kubernetes.default.svc.cluster.local")
            add(host, "apiserver.crt", own, "10.96.0.1", address, "10.0.0.10")
            add(host, "etcd/server.crt", (host, "localhost"), address, *LOOPBACK)
            add(host, "etcd/peer.crt", (host, "localhost"), address, *LOOPBACK)
        for number, host in enumerate(ISSUED, start=1):
            found[f"{host}/var/lib/kubelet/pki/kubelet.crt"] = ([host], [f"10.0.2.{number}"])
    elif cluster == "lab":
        host, address = "k8s-master", "192.168.217.143"
        own = (host, *SERVICE, "kubernetes.default.svc.cluster.local")
        add(host, "apiserver.crt", own, "10.96.0.1", address)
        add(host, "etcd/server.crt", (host, "localhost"), address, *LOOPBACK)
        add(host, "etcd/peer.crt", (host, "localhost"), address, *LOOPBACK)
    else:
        host, address = "edge-cp", "10.20.0.5"
        own = (host, "edge.example.com", *SERVICE, "kubernetes.default.svc.edge.internal")
        add(host, "apiserver.crt", own, "172.30.0.1", address)
        add(host, "etcd/server.crt", (host, "etcd.edge.internal", "localhost"), address, *LOOPBACK, "10.20.0.6")
        add(host, "etcd/peer.crt", (host, "etcd-peer.edge.internal", "localhost"), address, *LOOPBACK)
    return found


# --- OpenSSL ------------------------------------------------------------------------------------------


def verify(authority: Path, files: list[Path], purpose: str, at: datetime, *more: str) -> dict[Path, int]:
    """OpenSSL's verdict on each file: 0, or the X509_V_ERR_ number of the error. Strict throughout."""
    done = subprocess.run(
        [
            tool("openssl"), "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", authority,
            "-purpose", purpose, "-attime", str(int(at.timestamp())), *more, *files,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )  # fmt: skip
    verdicts = {file: 0 for file in files if f"{file}: OK\n" in done.stdout}
    error = 0
    for line in done.stderr.splitlines():
        if found := re.match(r"error (\d+) at \d+ depth lookup", line):
            error = int(found[1])
        elif found := re.fullmatch(r"error (.+): verification failed", line):
            verdicts[Path(found[1])] = error
            error = 0
    assert set(verdicts) == set(files), done.stdout + done.stderr
    return verdicts


@cache
def openssl_text(certificate: Path) -> str:
    """A certificate as OpenSSL reads it: its text, its subject, its public key."""
    return run(tool("openssl"), "x509", "-in", certificate, "-noout", "-text", "-subject", "-pubkey")


def openssl_public_key(certificate: Path) -> str:
    text = openssl_text(certificate)
    return text[text.index("-----BEGIN PUBLIC KEY-----") :]


NO_ISSUER, NOT_YET_VALID, EXPIRED, WRONG_PURPOSE, OTHER_HOSTNAME, OTHER_ADDRESS = 20, 9, 10, 26, 62, 64


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_every_leaf_verifies_below_its_own_authority_for_its_own_purposes_alone(
    cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    wanted = expected_leaves(cluster)
    assert sorted(pairs[cluster]) == sorted(wanted)
    files = {pair.certificate: label for label, pair in pairs[cluster].items()}
    # its own authorities, and those of the same names of the other clusters
    authorities = {
        (other, row): rendered / other / CONTROL_PLANE[other][0] / path
        for other in EXAMPLES
        for row, path in AUTHORITIES.items()
    }
    got, want = {}, {}
    for (other, row), authority in authorities.items():
        for purpose in ("sslserver", "sslclient"):
            verdicts = verify(authority, list(files), purpose, ISSUED_AT + timedelta(days=1))
            for file, label in files.items():
                expected = wanted[label]
                key = f"{label} for {purpose} below {other}'s {row}"
                got[key] = verdicts[file]
                if (other, row) != (cluster, expected.authority):
                    want[key] = NO_ISSUER
                else:
                    want[key] = 0 if purpose in expected.purposes else WRONG_PURPOSE
    assert got == want


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_every_copy_of_an_authority_is_the_same_and_signs_itself(cluster: str, rendered: Path) -> None:
    copies: dict[str, set[bytes]] = {}
    for path in (rendered / cluster).rglob("*ca.crt"):
        copies.setdefault(str(path).partition("/pki/")[2], set()).add(path.read_bytes())
    for path in (rendered / cluster).rglob("*.conf"):
        if is_kubeconfig(path):
            data = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["certificate-authority-data"]
            copies["ca.crt"].add(base64.b64decode(data))
    assert {name: len(contents) for name, contents in copies.items()} == {
        "ca.crt": 1,
        "etcd/ca.crt": 1,
        "front-proxy-ca.crt": 1,
    }
    host = rendered / cluster / CONTROL_PLANE[cluster][0]
    verdicts = {
        row: verify(host / path, [host / path], "any", ISSUED_AT + timedelta(days=1))[host / path]
        for row, path in AUTHORITIES.items()
    }
    assert verdicts == {"kubernetes": 0, "etcd": 0, "front-proxy": 0}


@pytest.mark.parametrize(
    ("cluster", "ends"),
    [
        ("prod", datetime(2027, 11, 23, 0, 5, tzinfo=UTC)),
        ("lab", datetime(2027, 11, 23, 0, 5, tzinfo=UTC)),
        ("edge", datetime(2027, 5, 24, 12, 5, tzinfo=UTC)),
    ],
)
def test_leaves_are_valid_from_issued_at_until_their_end(
    cluster: str, ends: datetime, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    second = timedelta(seconds=1)
    host = rendered / cluster / CONTROL_PLANE[cluster][0]
    moments = {ISSUED_AT - second: NOT_YET_VALID, ISSUED_AT: 0, ends - second: 0, ends: EXPIRED}
    got: dict[str, list[int]] = {}
    for row, path in AUTHORITIES.items():
        below = {p.certificate: f for f, p in pairs[cluster].items() if expected_leaves(cluster)[f].authority == row}
        for moment in moments:
            verdicts = verify(host / path, list(below), "any", moment)
            for file, label in below.items():
                got.setdefault(label, []).append(verdicts[file])
    assert got == {label: list(moments.values()) for label in pairs[cluster]}
    certificates = [pair.load() for pair in pairs[cluster].values()]
    assert {(c.not_valid_before_utc, c.not_valid_after_utc) for c in certificates} == {(ISSUED_AT, ends)}


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_subjects_and_algorithms(cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]) -> None:
    public, signature = {
        "prod": ("id-ecPublicKey (256 bit)", "ecdsa-with-SHA256"),
        "lab": ("rsaEncryption (2048 bit)", "sha256WithRSAEncryption"),
        "edge": ("id-ecPublicKey (384 bit)", "ecdsa-with-SHA384"),
    }[cluster]
    got = {}
    for label, pair in pairs[cluster].items():
        text = openssl_text(pair.certificate)
        found = re.search(r"Public Key Algorithm: (\S+)\s+Public-Key: (\(\d+ bit\))", text)
        assert found
        algorithms = set(re.findall(r"Signature Algorithm: (\S+)", text))
        got[label] = (re.findall(r"^subject=(.*)$", text, re.MULTILINE), " ".join(found.groups()), algorithms)
    wanted = expected_leaves(cluster)
    assert got == {label: ([wanted[label].subject], public, {signature}) for label in wanted}


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_every_key_belongs_to_its_certificate(cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]) -> None:
    found = {label: (pair.certificate, pair.key) for label, pair in pairs[cluster].items()}
    for host in CONTROL_PLANE[cluster]:
        for path in AUTHORITIES.values():
            certificate = rendered / cluster / host / path
            found[f"{host}/{path}"] = (certificate, certificate.with_suffix(".key"))
    of_certificate = {label: openssl_public_key(certificate) for label, (certificate, _) in found.items()}
    of_key = {label: run(tool("openssl"), "pkey", "-in", key, "-check", "-pubout") for label, (_, key) in found.items()}
    assert {label: text.removeprefix("Key is valid\n") for label, text in of_key.items()} == of_certificate
    assert len({text for label, text in of_certificate.items() if not label.endswith("ca.crt")}) == len(pairs[cluster])


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_service_account_keys_are_a_pair_and_no_certificates_key(
    cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    secrets = yaml.safe_load((ROOT / "clusters" / f"{cluster}.secrets.yaml").read_text())
    published = secrets["serviceAccountKeys"][0]["publicKey"]
    for host in CONTROL_PLANE[cluster]:
        folder = rendered / cluster / host / "etc/kubernetes/pki"
        assert run(tool("openssl"), "pkey", "-in", folder / "sa.key", "-pubout") == published
        assert (folder / "sa.pub").read_text() == published
    others = {openssl_public_key(pair.certificate) for pair in pairs[cluster].values()}
    assert published not in others


# --- names --------------------------------------------------------------------------------------------


def names_in(certificate: x509.Certificate) -> tuple[list[str], list[str]] | None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    addresses = found.get_values_for_type(x509.IPAddress)
    return found.get_values_for_type(x509.DNSName), [str(address) for address in addresses]


def check_names(authority: Path, file: Path, dns: list[str], addresses: list[str], *others: str) -> dict[str, int]:
    """OpenSSL's verdict on each name a certificate has, and on some that it does not have."""
    at = ISSUED_AT + timedelta(days=1)
    verdicts = {}
    for value in (*dns, *addresses, *others):
        flag = "-verify_ip" if re.fullmatch(r"[0-9.]+|[0-9a-f]*:[0-9a-f:]*", value) else "-verify_hostname"
        verdicts[value] = verify(authority, [file], "sslserver", at, flag, value)[file]
    return verdicts


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_serving_certificates_hold_the_specs_names_and_no_others(
    cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    wanted = expected_names(cluster)
    found = {label: names_in(pair.load()) for label, pair in pairs[cluster].items()}
    assert {label: names for label, names in found.items() if names is not None} == wanted
    got, want = {}, {}
    for label, (dns, addresses) in wanted.items():
        row = expected_leaves(cluster)[label].authority
        authority = rendered / cluster / CONTROL_PLANE[cluster][0] / AUTHORITIES[row]
        got[label] = check_names(
            authority, pairs[cluster][label].certificate, dns, addresses, "kubernetes.default.svc.other", "10.255.0.1"
        )
        want[label] = dict.fromkeys((*dns, *addresses), 0) | {
            "kubernetes.default.svc.other": OTHER_HOSTNAME,
            "10.255.0.1": OTHER_ADDRESS,
        }
    assert got == want


def test_names_of_a_cluster_with_everything(make_cluster: MakeCluster) -> None:
    """IPv6 first, two families, wildcards, names that repeat, a node's own port and names."""
    workspace = make_cluster(
        controlPlaneEndpoint="[fd00:1::100]:7443",
        networking={"serviceSubnet": "fd00:96::/112,10.96.0.0/16", "dnsDomain": "k8s.example.org"},
        apiServer={"certSANs": ["*.api.example.com", "api.example.com", "api.example.com", "192.0.2.7"]},
        etcd={"local": {"serverCertSANs": ["*.etcd.example.com"], "peerCertSANs": ["192.0.2.8", "::1"]}},
        controlPlane={
            "nodes": [
                {"name": "a.b.example.com", "address": "fd00:1::11,10.0.0.11", "certSANs": ["only-a.example.com"]},
                {"name": "b", "address": "fd00:1::12,10.0.0.12"},
                {"name": "c", "address": "fd00:1::13,10.0.0.13"},
            ]
        },
        nodePools=[
            {
                "name": "pool",
                "credentials": "issued",
                "nodes": [
                    {"name": "w.example.com", "address": "10.0.0.21,fd00:1::21"},
                    {"name": "x", "address": "fd00:1::22", "kubelet": {"serverTLSBootstrap": True}},
                ],
            }
        ],
    )
    workspace.build()
    service = [*SERVICE, "kubernetes.default.svc.k8s.example.org"]
    wildcard = ["*.api.example.com"]
    common = ["fd00:96::1", "{}", "fd00:1::100", "192.0.2.7"]
    wanted = {}
    for host, address, own in (
        ("a.b.example.com", "fd00:1::11", ["a.b.example.com", "api.example.com", *service, "only-a.example.com"]),
        ("b", "fd00:1::12", ["api.example.com", "b", *service]),
        ("c", "fd00:1::13", ["api.example.com", "c", *service]),
    ):
        pki_dir = f"{host}/etc/kubernetes/pki"
        wanted[f"{pki_dir}/apiserver.crt"] = ([*wildcard, *own], [a.format(address) for a in common])
        wanted[f"{pki_dir}/etcd/server.crt"] = (["*.etcd.example.com", host, "localhost"], [address, *LOOPBACK])
        wanted[f"{pki_dir}/etcd/peer.crt"] = ([host, "localhost"], [address, *LOOPBACK, "192.0.2.8"])
    wanted["w.example.com/var/lib/kubelet/pki/kubelet.crt"] = (["w.example.com"], ["10.0.0.21", "fd00:1::21"])
    wanted["x/var/lib/kubelet/pki/kubelet-server-current.pem"] = (["x"], ["fd00:1::22"])
    got, verdicts = {}, {}
    hosts = workspace.path / "hosts"
    for host in ("a.b.example.com", "b", "c", "w.example.com", "x"):
        succeed(workspace.run("render", workspace.tree, host, "--to", hosts / host))
    for label, (dns, addresses) in wanted.items():
        certificate = hosts / label
        got[label] = names_in(x509.load_pem_x509_certificate(certificate.read_bytes()))
        authority = hosts / "a.b.example.com/etc/kubernetes/pki" / ("etcd/ca.crt" if "/etcd/" in label else "ca.crt")
        names = [value.replace("*", "any") for value in dns]
        verdicts[label] = check_names(authority, certificate, names, addresses, "any.other.example.com", "fd00:1::99")
    assert got == wanted
    assert verdicts == {
        label: dict.fromkeys((*(n.replace("*", "any") for n in dns), *addresses), 0)
        | {"any.other.example.com": OTHER_HOSTNAME, "fd00:1::99": OTHER_ADDRESS}
        for label, (dns, addresses) in wanted.items()
    }


# --- a linter -----------------------------------------------------------------------------------------


@cache
def _linter() -> Any:
    """What pkilint's own lint_pkix_cert command checks: RFC 5280 and its updates."""
    return pkilint_certificate.create_pkix_certificate_validator_container(
        pkilint_certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            pkilint_certificate.create_issuer_validator_container([]),
            pkilint_certificate.create_validity_validator_container(),
            pkilint_certificate.create_subject_validator_container([]),
            pkilint_certificate.create_extensions_validator_container([]),
            pkilint_certificate.create_spki_validator_container([]),
        ],
    )


def findings(pem: bytes) -> set[tuple[str, str | None]]:
    document = loader.RFC5280CertificateDocumentLoader().load_pem_document(pem.decode(), "certificate")
    return {
        (f"{entry.finding.severity.name} {entry.finding.code}", entry.message)
        for result in _linter().validate(document.root)
        for entry in result.finding_descriptions
    }


# Go's crypto/x509 makes a SubjectKeyIdentifier for authorities only, so kubeadm's leaves have none. RFC 5280
# (4.2.1.2) asks for it in end-entity certificates with "SHOULD".
NO_KEY_IDENTIFIER = ("WARNING pkix.certificate_skid_end_entity_missing", None)
# pkiutil.NewSignedCert and client-go's NewSelfSignedCACert always set keyEncipherment, whatever the key; RFC 8813
# does not allow it beside an EC key. Nothing that reads these certificates minds, and kubeadm renews them so.
KEY_ENCIPHERMENT = (
    "ERROR pkix.key_usage_value_prohibited_for_ec",
    "Prohibited key usage value(s) present: keyEncipherment",
)
# Not a complaint: it says how the identifier was made.
KEY_IDENTIFIER_METHOD = ("INFO pkix.subject_key_identifier_method_1_identified", None)


def one_label(dns: str) -> tuple[str, str]:
    """kubeadm's names include some without a dot: node names, kubernetes, localhost, the authorities' own names.

    The linter takes the "preferred name syntax" of RFC 5280, 4.2.1.6, to mean a name of at least two labels.
    """
    return ("ERROR pkix.invalid_domain_name_syntax", f'Invalid domain name syntax: "{dns}"')


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_linter_finds_only_what_kubeadms_own_profile_has(
    cluster: str, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    ec_only = set() if cluster == "lab" else {KEY_ENCIPHERMENT}
    names = expected_names(cluster)
    got = {label: findings(pair.certificate.read_bytes()) for label, pair in pairs[cluster].items()}
    want = {
        label: {NO_KEY_IDENTIFIER, *ec_only, *(one_label(n) for n in names.get(label, ([], []))[0] if "." not in n)}
        for label in expected_leaves(cluster)
    }
    host = rendered / cluster / CONTROL_PLANE[cluster][0]
    for common_name, path in zip(("kubernetes", "etcd-ca", "front-proxy-ca"), AUTHORITIES.values(), strict=True):
        got[path] = findings((host / path).read_bytes())
        want[path] = {KEY_IDENTIFIER_METHOD, *ec_only, one_label(common_name)}
    assert got == want


# --- derivation ---------------------------------------------------------------------------------------

ORDERS = {
    "ECDSA-P256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ECDSA-P384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
LABEL = ("prod", "f396fc4a", "apiserver", "cp-1", "2026-11-23T00:00:00Z")
KNOWN_ANSWERS = {
    "ECDSA-P256": 0x4A74B0C5E7271811F51242BA5A04D25A14F083F367ABB4C0CDD8E3CE4F7CB91,
    "ECDSA-P384": 0x38501D1DD4D2AB5B60F622F4BD3738431F024ED4F4203F88CD4929C5070F863A85E0C28C34D7FD25019A7D9F0531F6C3,
}


def scalar(key: ec.EllipticCurvePrivateKey) -> int:
    return key.private_numbers().private_value


@pytest.mark.parametrize("algorithm", KNOWN_ANSWERS)
def test_derivation_known_answer(algorithm: str) -> None:
    """Whoever changes this replaces every key of every cluster that is out there."""
    key = pki.derive_key(bytes(range(32)), algorithm, LABEL)
    assert (key.curve.name, scalar(key)) == (
        {"ECDSA-P256": "secp256r1", "ECDSA-P384": "secp384r1"}[algorithm],
        KNOWN_ANSWERS[algorithm],
    )


@pytest.mark.parametrize(("algorithm", "length"), [("ECDSA-P256", 40), ("ECDSA-P384", 56)])
def test_derivation_is_hkdf_and_fips_186_5(algorithm: str, length: int) -> None:
    """The same from the texts: RFC 5869, and FIPS 186-5 A.2.1 with 64 extra bits."""
    info = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in (*LABEL, algorithm))
    extracted = hmac.digest(b"kcompile.dev/v1 leaf key", bytes(range(32)), "sha256")
    block, expanded = b"", b""
    for counter in (1, 2):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        expanded += block
    wide = int.from_bytes(expanded[:length], "big")
    assert wide.bit_length() <= ORDERS[algorithm].bit_length() + 64
    assert KNOWN_ANSWERS[algorithm] == wide % (ORDERS[algorithm] - 1) + 1


@pytest.mark.parametrize("algorithm", ORDERS)
def test_derived_scalar_is_within_1_and_n_minus_1(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    order = ORDERS[algorithm]
    length = (order.bit_length() + 64) // 8
    wides = (0, 1, order - 2, order - 1, order, 2 * (order - 1) - 1, 2 * (order - 1), 256**length - 1)
    got = []
    for wide in wides:

        class Fixed:
            def __init__(self, *_: object, value: int = wide, **__: object) -> None:
                self.value = value

            def derive(self, _: bytes) -> bytes:
                return self.value.to_bytes(length, "big")

        monkeypatch.setattr(pki, "HKDF", Fixed)
        got.append(scalar(pki.derive_key(b"", algorithm, ())))
    last = (256**length - 1) % (order - 1) + 1
    assert got == [1, 2, order - 1, 1, 2, order - 1, 1, last]


def test_parts_of_a_label_do_not_run_together() -> None:
    labels = (("ab", "c"), ("a", "bc"), ("abc",), ("", "abc"), ("abc", ""), ("a", "b", "c"), ("c", "ab"), ("",), ())
    scalars = [scalar(pki.derive_key(b"root", "ECDSA-P256", label)) for label in labels]
    assert len(set(scalars)) == len(labels)


@cache
def secrets_of(cluster: str) -> ClusterSecrets:
    path = ROOT / "clusters" / f"{cluster}.secrets.yaml"
    return secretsfile.open_file(str(path), {"SOPS_AGE_KEY_FILE": str(ALICE)}).secrets


def keyring_of(cluster: str, *edits: tuple[str, str], secrets: ClusterSecrets | None = None) -> Keyring:
    """An example's keyring, with the spec's text edited."""
    text = (ROOT / "clusters" / f"{cluster}.yaml").read_text()
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    spec, _ = validate.cluster(load.parse("spec.yaml", text.encode()), ISSUED_AT)
    return Keyring(resolve(spec), secrets or secrets_of(cluster))


def leaf_named(name: str, host: str = "cp-1") -> Leaf:
    spec, _ = validate.cluster(load.parse("prod.yaml", (ROOT / "clusters/prod.yaml").read_bytes()), ISSUED_AT)
    return next(leaf for leaf in leaves(resolve(spec)) if (leaf.name, leaf.host) == (name, host))


def with_authority(**update: Any) -> ClusterSecrets:
    secrets = secrets_of("prod")
    authority = secrets.authorities.kubernetes[0].model_copy(update=update)
    return secrets.model_copy(
        update={"authorities": secrets.authorities.model_copy(update={"kubernetes": (authority,)})}
    )


def test_leaf_key_depends_on_everything_that_its_label_names() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_authority(pki.AUTHORITIES[0], key, ISSUED_AT, ISSUED_AT + timedelta(days=3650))
    other = with_authority(certificate=pki.certificate_pem(certificate).decode(), key=pki.key_pem(key))
    apiserver = leaf_named("apiserver")
    algorithm = ("encryptionAlgorithm: ECDSA-P256", "encryptionAlgorithm: ECDSA-P384")
    variations = {
        "as it is": (keyring_of("prod"), apiserver),
        "cluster's name": (keyring_of("prod", ("name: prod\n", "name: prod2\n")), apiserver),
        "authority's id": (keyring_of("prod", secrets=with_authority(id="ffffffff")), apiserver),
        "authority's key": (keyring_of("prod", secrets=other), apiserver),
        "authority": (keyring_of("prod"), Leaf("cp-1", "apiserver", "etcd", apiserver.request)),
        "certificate's name": (keyring_of("prod"), leaf_named("apiserver-kubelet-client")),
        "host": (keyring_of("prod"), leaf_named("apiserver", "cp-2")),
        "issuedAt": (keyring_of("prod", ("issuedAt: 2026-11-23T00", "issuedAt: 2026-11-23T01")), apiserver),
        "algorithm": (keyring_of("prod", algorithm), apiserver),
    }
    keys = {what: keyring.credential(leaf).key.reveal() for what, (keyring, leaf) in variations.items()}
    digests: dict[bytes, list[str]] = {}
    for what, content in keys.items():
        digests.setdefault(hashlib.sha256(content).digest(), []).append(what)
    assert sorted(digests.values()) == sorted([what] for what in variations)


def test_leaf_key_does_not_depend_on_what_a_certificate_says() -> None:
    """A renewal of content alone (a further name) keeps the key; only issuedAt or an authority changes it."""
    edit = ("certSANs: [api.prod.example.com, 10.0.0.10]", "certSANs: [api.prod.example.com, 10.0.0.99]")
    spec, _ = validate.cluster(
        load.parse("prod.yaml", (ROOT / "clusters/prod.yaml").read_text().replace(*edit).encode()), ISSUED_AT
    )
    changed = next(leaf for leaf in leaves(resolve(spec)) if (leaf.name, leaf.host) == ("apiserver", "cp-1"))
    before, after = (keyring_of("prod").credential(leaf) for leaf in (leaf_named("apiserver"), changed))
    assert before.certificate != after.certificate
    assert before.key == after.key


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_equal_inputs_give_equal_certificates_and_keys(cluster: str) -> None:
    spec, _ = validate.cluster(load.parse("s.yaml", (ROOT / "clusters" / f"{cluster}.yaml").read_bytes()), ISSUED_AT)
    wanted = list(leaves(resolve(spec)))
    first, second = keyring_of(cluster), keyring_of(cluster)
    assert [(c.certificate, c.key.reveal()) for c in map(first.credential, wanted)] == [
        (c.certificate, c.key.reveal()) for c in map(second.credential, reversed(wanted))
    ][::-1]


def test_authorities_are_issued_the_same_twice() -> None:
    for algorithm in ("ECDSA-P256", "ECDSA-P384"):
        key = pki.derive_key(b"root", algorithm, ("authority",))
        for row in pki.AUTHORITIES:
            one, two = (pki.issue_authority(row, key, ISSUED_AT, ISSUED_AT + timedelta(days=1)) for _ in range(2))
            assert one == two


def rfc_6979_r(private: int, order: int, digest: bytes, hash_name: str, curve: ec.EllipticCurve) -> int:
    """The first half of the deterministic ECDSA signature of a digest, from the text of RFC 6979, 3.2."""
    size = (order.bit_length() + 7) // 8
    assert len(digest) == size  # both curves here go with a hash of their own length
    reduced = (int.from_bytes(digest, "big") % order).to_bytes(size, "big")
    v, k = b"\x01" * len(digest), b"\x00" * len(digest)
    for separator in (b"\x00", b"\x01"):
        k = hmac.digest(k, v + separator + private.to_bytes(size, "big") + reduced, hash_name)
        v = hmac.digest(k, v, hash_name)
    while True:
        v = hmac.digest(k, v, hash_name)
        nonce = int.from_bytes(v, "big")
        if 0 < nonce < order:
            return ec.derive_private_key(nonce, curve).public_key().public_numbers().x % order
        k = hmac.digest(k, v + b"\x00", hash_name)
        v = hmac.digest(k, v, hash_name)


@pytest.mark.parametrize(("cluster", "hash_name"), [("prod", "sha256"), ("edge", "sha384")])
def test_signatures_are_those_of_rfc_6979(
    cluster: str, hash_name: str, rendered: Path, pairs: dict[str, dict[str, Pair]]
) -> None:
    host = rendered / cluster / CONTROL_PLANE[cluster][0]
    got, want = {}, {}
    for label, pair in pairs[cluster].items():
        path = host / AUTHORITIES[expected_leaves(cluster)[label].authority]
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        certificate = pair.load()
        digest = hashlib.new(hash_name, certificate.tbs_certificate_bytes).digest()
        order = ORDERS[f"ECDSA-P{key.curve.key_size}"]
        got[label] = utils.decode_dss_signature(certificate.signature)[0]
        want[label] = rfc_6979_r(scalar(key), order, digest, hash_name, key.curve)
        algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[hash_name]
        key.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    assert got == want


def every_certificate(rendered: Path, pairs: dict[str, dict[str, Pair]]) -> Iterator[tuple[str, x509.Certificate]]:
    for cluster in EXAMPLES:
        for label, pair in pairs[cluster].items():
            yield f"{cluster}/{label}", pair.load()
        host = rendered / cluster / CONTROL_PLANE[cluster][0]
        for row, path in AUTHORITIES.items():
            yield f"{cluster}/{row}", x509.load_pem_x509_certificate((host / path).read_bytes())


def test_serials_are_positive_short_and_unique(rendered: Path, pairs: dict[str, dict[str, Pair]]) -> None:
    found = dict(every_certificate(rendered, pairs))
    assert len(found) == 40 + 12 + 14 + 9  # prod, lab, edge, and three authorities each
    serials = [certificate.serial_number for certificate in found.values()]
    assert [s for s in serials if not 0 < s < 2**159] == []
    assert len(set(serials)) == len(serials)


def test_serials_and_keys_of_a_large_tree_do_not_repeat() -> None:
    keyring = keyring_of("prod")
    issued = [
        keyring.credential(Leaf(f"n{number}", name, "kubernetes", pki.Request("same", client=True)))
        for number in range(150)
        for name in ("one", "two")
    ]
    serials = [x509.load_pem_x509_certificate(credential.certificate).serial_number for credential in issued]
    assert [s for s in serials if not 0 < s < 2**159] == []
    assert len(set(serials)) == 300
    assert len({credential.key.reveal() for credential in issued}) == 300


def test_a_node_named_like_the_operators_place_shares_no_key_with_the_operator(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(controlPlane={"nodes": [{"name": "admin", "address": "10.0.0.11"}]})
    workspace.build()
    host, operator = workspace.render("admin"), workspace.render("--admin")
    for file in ("admin.conf", "super-admin.conf"):
        users = [
            yaml.safe_load(path.read_text())["users"][0]["user"]
            for path in (host / "etc/kubernetes" / file, operator / file)
        ]
        assert len({user["client-key-data"] for user in users}) == 2
        assert len({user["client-certificate-data"] for user in users}) == 2


# --- the end of an authority --------------------------------------------------------------------------


@pytest.mark.parametrize("before_end", ["8759h", "1h", "1s"])
def test_no_leaf_outlives_its_authority(before_end: str, make_cluster: MakeCluster) -> None:
    period = {"pki": {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "ECDSA-P256"}}
    period["pki"] |= {"caCertificateValidityPeriod": "8760h", "certificateValidityPeriod": "8760h"}
    workspace = make_cluster(
        **period,
        bootstrapTokens=[{"id": "abcdef"}],
        nodePools=[{"name": "p", "credentials": "issued", "nodes": [{"name": "w", "address": "10.0.0.21"}]}],
    )
    # the authorities' dates follow the clock where it is before issuedAt: what they are is read from the file
    found = yaml.safe_load(workspace.secrets.read_text())["authorities"]
    ends = {x509.load_pem_x509_certificate(found[row][0]["certificate"].encode()).not_valid_after_utc for row in found}
    (end,) = ends
    back = {"8759h": timedelta(hours=8759), "1h": timedelta(hours=1), "1s": timedelta(seconds=1)}[before_end]
    issued = end - back
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["pki"]["issuedAt"] = issued.strftime("%Y-%m-%dT%H:%M:%SZ")
    workspace.write_spec(document)
    workspace.build()
    got = set()
    for host in ("cp-1", "w"):
        for path in workspace.render(host).rglob("*"):
            if path.suffix in (".crt", ".pem") and path.name not in ("ca.crt", "front-proxy-ca.crt"):
                certificate = x509.load_pem_x509_certificate(path.read_bytes())
                got.add((certificate.not_valid_before_utc, certificate.not_valid_after_utc))
    assert got == {(issued, end)}


def test_nothing_is_issued_once_an_authority_has_ended(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["pki"]["issuedAt"] = "2046-11-23T00:00:00Z"
    workspace.write_spec(document)
    result = workspace.run("build", "c.yaml")
    assert (result.code, workspace.tree.exists()) == (2, False)
    assert result.err.splitlines()[0].startswith(
        "c.yaml:8:15: spec.pki.issuedAt: the authorities kubernetes, etcd, front-proxy are valid only from 2026-11-23T"
    )


# --- who holds what -----------------------------------------------------------------------------------

PKI = "etc/kubernetes/pki"
AUTHORITY_FILES = {
    f"{PKI}/ca.crt": "0644",
    f"{PKI}/ca.key": "0600",
    f"{PKI}/etcd/ca.crt": "0644",
    f"{PKI}/etcd/ca.key": "0600",
    f"{PKI}/front-proxy-ca.crt": "0644",
    f"{PKI}/front-proxy-ca.key": "0600",
}
KUBEADMS_LEAVES = (
    "apiserver",
    "apiserver-etcd-client",
    "apiserver-kubelet-client",
    "etcd/healthcheck-client",
    "etcd/peer",
    "etcd/server",
    "front-proxy-client",
)
COMMON = {
    "etc/modules-load.d/kcompile.conf": "0644",
    "etc/sysctl.d/90-kcompile.conf": "0644",
    "etc/systemd/system/kubelet.service": "0644",
    "etc/systemd/system/kubelet.service.d/20-kcompile.conf": "0644",
    "var/lib/kubelet/config.yaml": "0644",
    "var/lib/kubelet/kubeadm-flags.env": "0644",
}
CONTROL_PLANE_FILES = {
    **COMMON,
    **AUTHORITY_FILES,
    **{f"{PKI}/{leaf}.crt": "0644" for leaf in KUBEADMS_LEAVES},
    **{f"{PKI}/{leaf}.key": "0600" for leaf in KUBEADMS_LEAVES},
    f"{PKI}/sa.key": "0600",
    f"{PKI}/sa.pub": "0600",
    "etc/kubernetes/admin.conf": "0600",
    "etc/kubernetes/controller-manager.conf": "0600",
    "etc/kubernetes/kubelet.conf": "0600",
    "etc/kubernetes/scheduler.conf": "0600",
    "etc/kubernetes/manifests/etcd.yaml": "0600",
    "etc/kubernetes/manifests/kube-apiserver.yaml": "0600",
    "etc/kubernetes/manifests/kube-controller-manager.yaml": "0600",
    "etc/kubernetes/manifests/kube-scheduler.yaml": "0600",
    KUBELET_CLIENT: "0600",
}
INSTANCE = {"var/lib/kubelet/instance-config.yaml": "0644"}
SUPER_ADMIN = {"etc/kubernetes/super-admin.conf": "0600"}
WORKER = {**COMMON, **INSTANCE, f"{PKI}/ca.crt": "0644"}
BOOTSTRAPPING_WORKER = {
    **WORKER,
    "etc/kubernetes/bootstrap-kubelet.conf": "0600",
    "etc/kubernetes/join.sh": "0700",
    "etc/kubernetes/kubeadm-discovery.yaml": "0600",
    "etc/kubernetes/kubeadm-join.yaml": "0600",
}
ISSUED_WORKER = {
    **WORKER,
    "etc/kubernetes/kubelet.conf": "0600",
    KUBELET_CLIENT: "0600",
    "var/lib/kubelet/pki/kubelet.crt": "0644",
    "var/lib/kubelet/pki/kubelet.key": "0600",
}
FILES = {
    ("prod", "cp-1"): CONTROL_PLANE_FILES | INSTANCE | SUPER_ADMIN,
    ("prod", "cp-2"): CONTROL_PLANE_FILES | INSTANCE,
    ("prod", "cp-3"): CONTROL_PLANE_FILES | INSTANCE,
    ("prod", "w-1"): BOOTSTRAPPING_WORKER,
    ("prod", "w-2"): BOOTSTRAPPING_WORKER,
    ("prod", "w-3"): BOOTSTRAPPING_WORKER,
    ("prod", "s-1"): ISSUED_WORKER,
    ("prod", "s-2"): ISSUED_WORKER,
    ("lab", "k8s-master"): CONTROL_PLANE_FILES,
    ("edge", "edge-cp"): CONTROL_PLANE_FILES | INSTANCE | SUPER_ADMIN,
}


def modes_below(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): f"{p.stat().st_mode & 0o7777:04o}" for p in files_of_host(directory)}


@pytest.mark.parametrize(("cluster", "host"), FILES)
def test_each_host_holds_its_files_and_no_more(cluster: str, host: str, examples: Path, rendered: Path) -> None:
    index = json.loads((examples / "out" / cluster / "hosts" / host / "host.json").read_text())
    assert modes_below(rendered / cluster / host) == FILES[cluster, host]
    assert {entry["path"][1:]: entry["mode"] for entry in index["files"]} == FILES[cluster, host]
    created = [KUBELET_CLIENT] if KUBELET_CLIENT in FILES[cluster, host] else []
    assert [entry["path"][1:] for entry in index["files"] if entry["policy"] != "managed"] == created
    assert index["role"] == ("control-plane" if host in CONTROL_PLANE[cluster] else "worker")


@pytest.mark.parametrize("cluster", EXAMPLES)
def test_operator_holds_the_admins_kubeconfigs(cluster: str, rendered: Path) -> None:
    wanted = {"admin.conf": "0600"} if cluster == "lab" else {"admin.conf": "0600", "super-admin.conf": "0600"}
    assert modes_below(rendered / cluster / "@admin") == wanted


def test_workers_hold_no_private_key_but_their_kubelets(rendered: Path) -> None:
    """Looked for in what the files hold, not in what they are called."""
    cp = rendered / "prod" / "cp-1" / PKI
    powerful = {p.name: p.read_text().splitlines()[1] for p in (*cp.rglob("*ca.key"), cp / "sa.key")}
    assert sorted(powerful) == ["ca.key", "front-proxy-ca.key", "sa.key"]  # etcd's is called ca.key too
    got = {}
    for host in (*BOOTSTRAPPING, *ISSUED):
        for path in files_of_host(rendered / "prod" / host):
            text = path.read_text()
            opened = text + "".join(
                base64.b64decode(word).decode("utf-8", "replace") for word in re.findall(r"-data: (\S+)", text)
            )
            if "PRIVATE KEY" in opened or any(line in opened for line in powerful.values()):
                got[f"{host}/{path.name}"] = opened.count("BEGIN EC PRIVATE KEY")
    assert got == {f"{host}/{file}": 1 for host in ISSUED for file in ("kubelet-client-current.pem", "kubelet.key")}


def test_external_etcd_means_no_etcd_pki_on_any_host(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        etcd={
            "external": {
                "endpoints": ["https://10.9.0.1:2379"],
                "caFile": "/etc/etcd/ca.crt",
                "certFile": "/etc/etcd/client.crt",
                "keyFile": "/etc/etcd/client.key",
            }
        }
    )
    workspace.build()
    without = {path: mode for path, mode in CONTROL_PLANE_FILES.items() if "etcd" not in path}
    assert modes_below(workspace.render("cp-1")) == without | INSTANCE | SUPER_ADMIN


def test_bundle_holds_every_trusted_authority_the_active_one_first() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    former = pki.issue_authority(pki.AUTHORITIES[0], key, ISSUED_AT, ISSUED_AT + timedelta(days=3650))
    secrets = secrets_of("prod")
    active = secrets.authorities.kubernetes[0]
    trusted = active.model_copy(
        update={"id": "former", "state": "trusted", "certificate": pki.certificate_pem(former).decode(), "key": None}
    )
    both = secrets.model_copy(
        update={"authorities": secrets.authorities.model_copy(update={"kubernetes": (trusted, active)})}
    )
    keyring = keyring_of("prod", secrets=both)
    assert keyring.bundle("kubernetes").decode() == active.certificate + trusted.certificate
    assert keyring.discovery_hashes() == [
        pki.public_key_hash(pki.load_certificate(active.certificate)),
        pki.public_key_hash(former),
    ]
    own = keyring_of("prod").credential(leaf_named("apiserver"))
    assert keyring.credential(leaf_named("apiserver")) == own
    cluster = keyring._cluster
    files = {a.path: a.content for a in certificates.emit(cluster, keyring) if a.host == "cp-1"}
    assert files["/etc/kubernetes/pki/ca.crt"] == (active.certificate + trusted.certificate).encode()
    assert files["/etc/kubernetes/pki/signing-ca.crt"] == active.certificate.encode()  # the signer reads only one
    pods = {a.path.rpartition("/")[2]: a.content for a in static_pods.emit(cluster, keyring) if a.host == "cp-1"}
    command = yaml.safe_load(pods["kube-controller-manager.yaml"])["spec"]["containers"][0]["command"]
    assert [word for word in command if "signing" in word or "root-ca" in word] == [
        "--cluster-signing-cert-file=/etc/kubernetes/pki/signing-ca.crt",
        "--cluster-signing-key-file=/etc/kubernetes/pki/ca.key",
        "--root-ca-file=/etc/kubernetes/pki/ca.crt",
    ]
    assert isinstance(own.key, Secret)


def pkcs1(*numbers: int) -> Secret:
    """An RSA private key of these numbers, whatever they are (RFC 8017, A.1.2)."""

    def tagged(tag: int, content: bytes) -> bytes:
        size = len(content)
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = octets if size < 128 else bytes([0x80 + len(octets)]) + octets
        return bytes([tag]) + length + content

    integers = (tagged(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers)
    text = base64.encodebytes(tagged(0x30, b"".join(integers))).decode()
    return Secret(f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n".encode())


def test_an_rsa_key_whose_numbers_do_not_belong_together_is_refused() -> None:
    good, other = (rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(2))
    names = ("d", "p", "q", "dmp1", "dmq1", "iqmp")

    def loaded(**changes: int) -> str:
        fields = {name: getattr(good, name) for name in names} | changes
        try:
            pki.load_private_key(pkcs1(0, good.public_numbers.n, good.public_numbers.e, *fields.values()))
        except ValueError as error:
            return str(error)
        return "taken"

    assert loaded() == "taken"
    refused = {"an RSA key whose numbers do not belong together", "not a PEM private key without a passphrase"}
    found = {name: loaded(**{name: getattr(other, name)}) for name in names}
    assert {name for name, said in found.items() if said in refused} == set(names)
