"""A tree tampered with in every way there is, and exactly what check says of it; without a key but where it is said."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from kcompile import check, pipeline, pki, reading, secretsfile
from kcompile.hosts import resolve
from kcompile.keyring import Keyring, leaves
from kcompile.secret import Secret
from kcompile.witness import Witness

from conftest import ALICE, ALL_EXAMPLES, ROOT, kcompile, run, stored_schema, succeed, tool

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BUILD = "`kcompile build clusters/prod.yaml` writes it anew"
APISERVER = "hosts/cp-1/rootfs/etc/kubernetes/manifests/kube-apiserver.yaml"
PKI = "hosts/cp-1/rootfs/etc/kubernetes/pki"
KEYS = "hosts/cp-1/sealed/etc/kubernetes/pki"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The examples and their trees, in a directory that is the current one."""
    shutil.copytree(ROOT / "clusters", tmp_path / "clusters")
    shutil.copytree(ROOT / "out", tmp_path / "out", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(name: str = "prod", **environ: str) -> list[str]:
    """Each problem in a line: the file in the tree, its line, the code and the words."""
    checked = check.check(f"clusters/{name}.yaml", Path("out"), environ, NOW)
    told = []
    for problem in checked.problems:
        if problem.severity.value == "error":
            assert problem.position is not None
            file = os.path.relpath(problem.position.file, checked.root)
            told.append(f"{file}:{problem.position.line} {problem.code} {problem.message}")
    assert checked.is_right == (told == [])
    return told


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_a_tree_that_was_built_is_right(name: str, place: Path) -> None:
    files = len([path for path in (place / "out" / name).rglob("*") if path.is_file()])
    sealed = len([p for p in (place / "out" / name).rglob("*") if p.is_file() and b"ENC[AES256_GCM" in p.read_bytes()])
    certificates = {"prod": 35, "lab": 11, "edge": 13, "metal": 23}[name]
    said = f"out/{name}: right, {files} files, {certificates} certificates"
    without = kcompile("check", f"clusters/{name}.yaml", identity=None)
    assert (without.code, without.out) == (0, f"{said}, the secrets in {sealed} not compared\n")
    assert kcompile("check", f"clusters/{name}.yaml").out == f"{said}\n"


# --- one file -------------------------------------------------------------------------------------


def edited(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        text = (tree / path).read_text()
        assert old in text
        (tree / path).write_text(text.replace(old, new, 1))

    return edit


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def copied(source: str, target: str) -> Callable[[Path], None]:
    return lambda tree: None if shutil.copyfile(tree / source, tree / target) else None


def linked(path: str) -> Callable[[Path], None]:
    def link(tree: Path) -> None:
        (tree / path).unlink()
        (tree / path).symlink_to("ca.crt")

    return link


def swapped(one: str, other: str) -> Callable[[Path], None]:
    def swap(tree: Path) -> None:
        first, second = (tree / one).read_bytes(), (tree / other).read_bytes()
        (tree / one).write_bytes(second)
        (tree / other).write_bytes(first)

    return swap


CHANGED = "was changed after it was built: "
TAMPERED: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a-flag": (
        edited(APISERVER, "--secure-port=6443", "--secure-port=6444"),
        [f"{APISERVER}:36 K1104 {CHANGED}this line is to be - --secure-port=6443"],
    ),
    "an-annotation": (
        edited(APISERVER, "kcompile.dev/credentials-sha256: ", "kcompile.dev/credentials-sha256: 0"),
        [f"{APISERVER}:5 K1104 {CHANGED}this line is to be ANNOTATION"],
    ),
    "a-line-more": (
        lambda tree: (tree / APISERVER).write_text((tree / APISERVER).read_text() + "x: 1\n") and None,
        [f"{APISERVER}:134 K1104 {CHANGED}goes on where it is to end"],
    ),
    "cut-off": (
        lambda tree: os.truncate(tree / f"{PKI}/ca.crt", 100),
        [f"{PKI}/ca.crt:3 K1104 {CHANGED}this line is to be LINE"],
    ),
    "empty": (
        lambda tree: os.truncate(tree / APISERVER, 0),
        [f"{APISERVER}:1 K1104 {CHANGED}this line is to be apiVersion: v1"],
    ),
    "line-ends": (
        lambda tree: (tree / APISERVER).write_bytes((tree / APISERVER).read_bytes().replace(b"\n", b"\r\n")) and None,
        [f"{APISERVER}:1 K1104 {CHANGED}this line is to be apiVersion: v1"],
    ),
    "no-last-line-end": (
        lambda tree: (tree / APISERVER).write_bytes((tree / APISERVER).read_bytes()[:-1]) and None,
        [f"{APISERVER}:133 K1104 {CHANGED}ends where it is to go on"],
    ),
    "a-certificate-of-another-host": (
        copied("hosts/cp-2/rootfs/etc/kubernetes/pki/apiserver.crt", f"{PKI}/apiserver.crt"),
        [f"{PKI}/apiserver.crt:1 K1105 holds what belongs to hosts/cp-2/rootfs/etc/kubernetes/pki/apiserver.crt"],
    ),
    "a-key-of-another-host": (
        copied("hosts/cp-2/sealed/etc/kubernetes/pki/apiserver.key", f"{KEYS}/apiserver.key"),
        [f"{KEYS}/apiserver.key:1 K1105 holds what belongs to hosts/cp-2/sealed/etc/kubernetes/pki/apiserver.key"],
    ),
    "two-keys-exchanged": (
        swapped(f"{KEYS}/apiserver.key", f"{KEYS}/front-proxy-client.key"),
        [
            f"{KEYS}/apiserver.key:1 K1105 holds what belongs to {KEYS}/front-proxy-client.key",
            f"{KEYS}/front-proxy-client.key:1 K1105 holds what belongs to {KEYS}/apiserver.key",
        ],
    ),
    "a-certificate-that-is-none": (
        lambda tree: (tree / f"{PKI}/apiserver.crt").write_text("x\n") and None,
        [f"{PKI}/apiserver.crt:1 K1104 {CHANGED}holds no certificate that can be read"],
    ),
    "text-behind-a-certificate": (
        lambda tree: append(tree / f"{PKI}/apiserver.crt", "#\n"),
        [f"{PKI}/apiserver.crt:15 K1104 {CHANGED}goes on where it is to end"],
    ),
    "a-secret-in-plain-text": (
        lambda tree: (
            (tree / "admin/admin.conf").write_text(
                re.sub(
                    r"client-key-data: .*", "client-key-data: LS0tLS1CRUdJTg==", (tree / "admin/admin.conf").read_text()
                )
            )
            and None
        ),
        [f"admin/admin.conf:18 K1104 {CHANGED}holds in plain text, or not encrypted as sops does, a secret"],
    ),
    "a-server-in-a-sealed-file": (
        edited("admin/admin.conf", "https://api.prod.example.com:6443", "https://api.prod.example.org:6443"),
        [f"admin/admin.conf:5 K1104 {CHANGED}this line is not what the spec gives"],
    ),
    "a-recipient": (
        edited("admin/admin.conf", "- recipient: age1", "- recipient: age2"),
        [
            f"admin/admin.conf:21 K1104 {CHANGED}"
            "is not sealed for the recipients and with the envelopes of the secrets file"
        ],
    ),
    "no-sops-block": (
        lambda tree: (
            (tree / "admin/admin.conf").write_text((tree / "admin/admin.conf").read_text().partition("sops:")[0])
            and None
        ),
        [f"admin/admin.conf:19 K1104 {CHANGED}is no file that sops sealed"],
    ),
    "missing": (
        lambda tree: (tree / "hosts/w-1/install.sh").unlink(),
        ["hosts/w-1/install.sh:1 K1102 is missing"],
    ),
    "a-sealed-file-missing": (
        lambda tree: (tree / f"{KEYS}/sa.key").unlink(),
        [f"{KEYS}/sa.key:1 K1102 is missing"],
    ),
    "added": (
        lambda tree: (tree / "hosts/cp-1/rootfs/etc/kubernetes/manifests/x.yaml").write_text("x\n") and None,
        ["hosts/cp-1/rootfs/etc/kubernetes/manifests/x.yaml:1 K1103 was added: kcompile did not write it"],
    ),
    "a-host-removed": (
        lambda tree: shutil.rmtree(tree / "hosts/w-1"),
        None,  # see below
    ),
    "a-link": (
        linked(f"{PKI}/apiserver.crt"),
        [f"{PKI}/apiserver.crt:1 K1106 is no regular file, or too large for one of a tree"],
    ),
    "executable": (
        lambda tree: (tree / APISERVER).chmod(0o755),
        [f"{APISERVER}:1 K1106 is executable, unlike what is built"],
    ),
    "not-executable": (
        lambda tree: (tree / "hosts/w-1/install.sh").chmod(0o644),
        ["hosts/w-1/install.sh:1 K1106 is not executable, unlike what is built"],
    ),
    "no-manifest": (lambda tree: (tree / "kcompile.json").unlink(), ["kcompile.json:1 K1102 is missing"]),
    "no-signature": (lambda tree: (tree / "kcompile.json.sig").unlink(), ["kcompile.json.sig:1 K1102 is missing"]),
    "a-manifest-that-is-none": (
        lambda tree: (tree / "kcompile.json").write_text("{}\n") and None,
        ["kcompile.json:1 K1114 is no tree manifest of kcompile"],
    ),
    "no-tree": (shutil.rmtree, [".:1 K1101 there is no tree"]),
}


@pytest.mark.parametrize("name", [name for name, (_, says) in TAMPERED.items() if says is not None])
def test_tampered(name: str, place: Path) -> None:
    change, says = TAMPERED[name]
    tree = place / "out/prod"
    lines = {
        "ANNOTATION": (tree / APISERVER).read_text().splitlines()[4].strip(),
        "LINE": (tree / f"{PKI}/ca.crt").read_text().splitlines()[2],
    }
    change(tree)
    wanted = [re.sub("|".join(lines), lambda m: lines[m[0]], line) for line in says or ()]
    assert found() == wanted


def test_a_host_that_is_gone_is_told_file_by_file(place: Path) -> None:
    gone = sorted(
        str(p.relative_to(place / "out/prod")) for p in (place / "out/prod/hosts/w-1").rglob("*") if p.is_file()
    )
    shutil.rmtree(place / "out/prod/hosts/w-1")
    assert found() == [f"{path}:1 K1102 is missing" for path in gone]


# --- the manifest ---------------------------------------------------------------------------------


NOT_SIGNED = (
    "kcompile.json:1 K1109 is not signed with the key in the secrets file: it was changed, or signed by someone else"
)


def with_its_digest(tree: Path, path: str) -> None:
    """List a file of cp-1 that was changed by its new digest, wherever a digest of it stands, and so on."""
    host = tree / "hosts/cp-1"
    chain = [tree / path, host / "host.json", host / "install.sh", tree / "kcompile.json"]
    recorded = {entry["path"]: entry["sha256"] for entry in json.loads(chain[-1].read_text())["files"]}
    for index, file in enumerate(chain[:-1]):
        old, new = recorded[str(file.relative_to(tree))], hashlib.sha256(file.read_bytes()).hexdigest()
        for listing in chain[index + 1 :]:
            listing.write_text(listing.read_text().replace(old, new))


def sign_again(tree: Path, key: ed25519.Ed25519PrivateKey) -> None:
    signature = base64.b64encode(key.sign((tree / "kcompile.json").read_bytes()))
    (tree / "kcompile.json.sig").write_bytes(signature + b"\n")


def test_digests_that_were_changed_too(place: Path) -> None:
    tree = place / "out/prod"
    edited(APISERVER, "--secure-port=6443", "--secure-port=6444")(tree)
    with_its_digest(tree, APISERVER)
    wanted = [
        NOT_SIGNED,
        "hosts/cp-1/host.json:14 K1107 this line is to be another",
        "hosts/cp-1/install.sh:INSTALL",
        f"{APISERVER}:36 K1107 this line is to be - --secure-port=6443",
    ]
    listed = found()
    (install,) = [line for line in listed if "install.sh" in line]
    assert re.fullmatch(r"hosts/cp-1/install.sh:\d+ K1107 this line is to be .*", install)
    wanted = [install if line.endswith("INSTALL") else line for line in wanted]
    assert listed == wanted
    sign_again(tree, ed25519.Ed25519PrivateKey.generate())
    assert found() == wanted


def test_a_sealed_file_of_an_older_tree_and_its_digest(place: Path) -> None:
    """Nothing about it is wrong but that nobody signed for it."""
    tree = place / "out/prod"
    shutil.copyfile(tree / "hosts/cp-2/sealed/etc/kubernetes/pki/apiserver.key", tree / f"{KEYS}/apiserver.key")
    with_its_digest(tree, f"{KEYS}/apiserver.key")
    assert found() == [NOT_SIGNED]


def test_another_mode_in_the_index(place: Path) -> None:
    tree = place / "out/prod"
    edited("hosts/cp-1/host.json", '"mode": "0600"', '"mode": "0644"')(tree)
    (line,) = found()
    assert re.fullmatch(rf"hosts/cp-1/host.json:\d+ K1104 {CHANGED}this line is to be another", line)


# --- certificates ---------------------------------------------------------------------------------


def reissued(place: Path, **changes: object) -> None:
    """The API server's certificate of cp-1, signed by the real authority, with another content."""
    spec = reading.read_spec("clusters/prod.yaml", NOW)
    cluster = resolve(spec.cluster)
    opened = secretsfile.open_file("clusters/prod.secrets.yaml", {"SOPS_AGE_KEY_FILE": str(ALICE)})
    keyring = Keyring(cluster, opened.secrets)
    leaf = next(leaf for leaf in leaves(cluster) if (leaf.host, leaf.name) == ("cp-1", "apiserver"))
    leaf = replace(leaf, request=replace(leaf.request, **changes))
    (place / f"out/prod/{PKI}/apiserver.crt").write_bytes(keyring.credential(leaf).certificate)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dns_names": ("cp-1",)}, "lacks the name api.prod.example.com; lacks the name kubernetes; "),
        ({"ip_addresses": ("10.0.0.11", "10.96.0.1", "10.6.6.6")}, "lacks the name 10.0.0.10; has the name 10.6.6.6"),
        ({"client": True}, "has the usage clientAuth"),
        ({"common_name": "kube-apiserver2"}, "has subject CN=kube-apiserver2, not CN=kube-apiserver"),
        ({"organization": "system:masters"}, "has subject CN=kube-apiserver,O=system:masters, not CN=kube-apiserver"),
    ],
)
def test_a_certificate_with_other_facts(changes: dict[str, object], says: str, place: Path) -> None:
    """Also one that the authority signed, and whose digest goes with it."""
    reissued(place, **changes)
    (line,) = found()
    assert line.startswith(f"{PKI}/apiserver.crt:1 K1104 {CHANGED}its certificate {says}")
    with_its_digest(place / "out/prod", f"{PKI}/apiserver.crt")
    assert [line.split(" its certificate ")[0] for line in found()] == [
        NOT_SIGNED,
        f"{PKI}/apiserver.crt:1 K1108",
    ]


def test_a_certificate_of_another_authority(place: Path) -> None:
    """The facts are the same, and so is the name of who signed it."""
    shutil.copytree(place / "clusters", place / "other")
    (place / "other/prod.secrets.yaml").unlink()
    succeed(kcompile("secrets", "create", "other/prod.yaml", cwd=place))
    succeed(kcompile("build", "other/prod.yaml", "--out", "elsewhere", cwd=place))
    shutil.copyfile(place / "elsewhere/prod" / PKI / "apiserver.crt", place / "out/prod" / PKI / "apiserver.crt")
    assert found() == [
        f"{PKI}/apiserver.crt:1 K1104 {CHANGED}its certificate has another authority's key; "
        "was not signed by the kubernetes authority of the secrets file"
    ]


def test_any_bit_of_a_certificate(place: Path) -> None:
    """Whatever is damaged in its DER, and whether it still can be read or not."""
    spec = reading.read_spec("clusters/prod.yaml", NOW)
    cluster, secrets = resolve(spec.cluster), secretsfile.read("clusters/prod.secrets.yaml").secrets
    leaf = next(leaf for leaf in leaves(cluster) if (leaf.host, leaf.name) == ("cp-1", "apiserver"))
    path = f"{PKI}/apiserver.crt"
    pem = (place / "out/prod" / path).read_text()
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    unfound = []
    for bit in range(len(der) * 8):
        other = bytearray(der)
        other[bit // 8] ^= 1 << bit % 8
        text = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(other).decode()}-----END CERTIFICATE-----\n"
        witness = Witness(cluster, secrets, {path: text.encode()}, b"")
        witness.credential(leaf)
        if witness.faults.keys() != {path}:
            unfound.append(bit)
    assert (unfound, len(der) > 500) == ([], True)


# --- a tree of other inputs -----------------------------------------------------------------------


def test_a_tree_of_another_spec(place: Path) -> None:
    spec = place / "clusters/prod.yaml"
    text = spec.read_text()
    spec.write_text(text + "# a comment\n")
    assert found() == [
        "kcompile.json:1 K1110 the tree was built from another prod.yaml; only what describes the tree would be other"
    ]
    spec.write_text(text.replace("tier: general", "tier: special"))
    assert found() == [
        "kcompile.json:1 K1110 the tree was built from another prod.yaml: 9 files are not what would be built now"
    ]
    edited(APISERVER, "--secure-port=6443", "--secure-port=6444")(place / "out/prod")
    assert found()[1:] == [f"{APISERVER}:36 K1104 {CHANGED}this line is to be - --secure-port=6443"]


def test_a_tree_without_a_host_that_the_spec_has(place: Path) -> None:
    spec = place / "clusters/prod.yaml"
    spec.write_text(
        spec.read_text().replace("    - {name: w-1,", "    - {name: w-9, address: 10.0.1.9}\n    - {name: w-1,")
    )
    (line,) = found()
    assert re.fullmatch(r"kcompile.json:1 K1110 the tree was built from another prod.yaml: \d+ files are .*", line)


def test_a_tree_of_other_secrets_and_manifests(place: Path) -> None:
    env = {"SOPS_AGE_KEY_FILE": str(ALICE), "PATH": os.environ["PATH"]}
    value = '"0123456789abcdef"'
    run(
        tool("sops"), "set", "clusters/prod.secrets.yaml", '["bootstrapTokens"][0]["secret"]', value, env=env, cwd=place
    )
    append(place / "clusters/addons/priority-classes.yaml", "# a comment\n")
    assert found() == [
        "kcompile.json:1 K1110 the tree was built from another prod.secrets.yaml and from other manifests: "
        "1 file is not what would be built now"
    ]


def test_a_tree_of_another_kcompile(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "__version__", "9.9.9")
    assert found() == [
        "kcompile.json:1 K1110 the tree was built with kcompile 0.1.0 (this is 9.9.9); "
        "only what describes the tree would be other"
    ]


# --- with an identity -----------------------------------------------------------------------------


def test_secrets_are_compared_where_an_identity_opens_them(place: Path) -> None:
    """A tree with another token, signed with the right key: what only who holds the secrets could make, and see."""
    spec = reading.read_spec("clusters/prod.yaml", NOW)
    cluster = resolve(spec.cluster)
    opened = secretsfile.open_file("clusters/prod.secrets.yaml", {"SOPS_AGE_KEY_FILE": str(ALICE)})
    (token, *rest) = opened.secrets.bootstrap_tokens
    other = token.model_copy(update={"secret": Secret(b"0123456789abcdef")})
    secrets = opened.secrets.model_copy(update={"bootstrap_tokens": (other, *rest)})
    inputs = pipeline.inputs_of(spec, "clusters/prod.secrets.yaml", opened.content)
    keyring = pipeline.keyring_of(spec, cluster, secrets, opened.recipients)
    for file in pipeline.assemble(spec, cluster, keyring, inputs, pipeline.sealing(spec, cluster, opened)):
        (place / "out/prod" / file.path).write_bytes(file.content)
    assert found() == []
    paths = ["cluster/sealed/20-bootstrap-token-pool01.yaml"]
    names = ("bootstrap-kubelet.conf", "join.sh", "kubeadm-join.yaml")
    paths += [f"hosts/w-{n}/sealed/etc/kubernetes/{name}" for n in (1, 2, 3) for name in names]
    says = "1 K1112 its secrets are not those of the secrets file"
    assert found(SOPS_AGE_KEY_FILE=str(ALICE)) == [f"{path}:{says}" for path in paths]


# --- the command ----------------------------------------------------------------------------------


def test_what_is_printed(place: Path) -> None:
    edited(APISERVER, "--secure-port=6443", "--secure-port=6444")(place / "out/prod")
    result = kcompile(
        "check", "clusters/prod.yaml", "clusters/prod.secrets.yaml", "clusters/lab.yaml", cwd=place, identity=None
    )
    assert (result.code, result.out, result.err) == (
        1,
        "out/lab: right, 55 files, 11 certificates, the secrets in 16 not compared\n",
        f"out/prod/{APISERVER}:36:1: {CHANGED}this line is to be - --secure-port=6443 [K1104]\n"
        "   36 |     - --secure-port=6444\n"
        "      | ^^^^^^^^^^^^^^^^^^^^^^^^\n"
        f"   hint: {BUILD}; what is to stay belongs in the spec\n",
    )
    assert kcompile("check", "clusters/prod.yaml", cwd=place, identity=None, NO_COLOR="1").code == 1


def test_sarif_is_valid(place: Path) -> None:
    (place / "out/prod/README.md").unlink()
    result = kcompile("check", "clusters/prod.yaml", "--format", "sarif", cwd=place, identity=None)
    document = json.loads(result.err)
    jsonschema.validate(document, stored_schema("https://json.schemastore.org/sarif-2.1.0.json"))
    (entry,) = document["runs"][0]["results"]
    location = entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (result.code, entry["ruleId"], location) == (1, "K1102", "out/prod/README.md")


def test_bad_input(place: Path) -> None:
    (place / "clusters/prod.secrets.yaml").unlink()
    assert kcompile("check", "clusters/prod.yaml", cwd=place, identity=None).code == 3
    assert kcompile("check", "clusters/none.yaml", cwd=place, identity=None).err == (
        "clusters/none.yaml:1:1: cannot read the file: No such file or directory [K0101]\n"
        "   hint: correct the name, or put the file there\n"
    )


def test_a_directory_stands_for_its_specs(place: Path) -> None:
    (place / "clusters/.hidden.yaml").write_text("x\n")
    result = kcompile("check", "clusters", cwd=place, identity=None)
    assert (result.code, re.findall(r"^out/(\w+): right", result.out, re.MULTILINE)) == (0, sorted(ALL_EXAMPLES))
    result = kcompile("check", "clusters/addons/..", "out", cwd=place, identity=None)
    assert (result.code, result.out, result.err) == (
        2,
        "",
        "out:1:1: there is no spec in here [K1040]\n"
        "   hint: name the directory of the specs; those in directories below it are not looked for\n",
    )


def test_no_secret_is_told(place: Path) -> None:
    """Lines of a tree are shown, but not those in which someone left a secret."""
    key = "-----BEGIN EC PRIVATE KEY-----"
    edited(APISERVER, "--secure-port=6443", key)(place / "out/prod")
    result = kcompile("check", "clusters/prod.yaml", cwd=place, identity=None)
    assert (result.code, key in result.out + result.err, "K1104" in result.err) == (1, False, True)


# --- a byte at a time -----------------------------------------------------------------------------


def test_any_byte_of_any_kind_of_file(place: Path) -> None:
    """A bit in each kind of file, by a fixed draw: it is found out in whatever file it is."""
    tree, draw = place / "out/prod", random.Random(5)
    kinds: dict[str, Path] = {}
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            kinds.setdefault(re.sub(r"(cp|[sw])-\d", r"\1", str(path.relative_to(tree))), path)
    missed = []
    for path in kinds.values():
        content = path.read_bytes()
        at = draw.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :])
        name = str(path.relative_to(tree)).replace("kcompile.json.sig", "kcompile.json")
        says = found()
        if not says or says[0].partition(":")[0] != name or (len(says) > 1 and path.parent != tree):
            missed.append((name, at, says))
        path.write_bytes(content)
    assert missed == []
    assert len(kinds) > 60


# --- what a first look did not find ---------------------------------------------------------------


def test_a_secrets_file_that_was_changed_is_found_with_an_identity(place: Path) -> None:
    """Its MAC is wrong: whoever has no key cannot tell, and whoever has one is told."""
    other = ed25519.Ed25519PrivateKey.generate()
    edited_file = place / "clusters/prod.secrets.yaml"
    text = edited_file.read_text()
    own = re.search(r"manifestSigning:\n.*?-----BEGIN PUBLIC KEY-----\n\s+(\S+)\n", text, re.DOTALL)
    assert own is not None
    pem = pki.public_key_pem(other.public_key()).decode().splitlines()
    edited_file.write_text(text.replace(own[1], pem[1]))
    result = kcompile("check", "clusters/prod.yaml", cwd=place)
    assert (result.code, "[K0903]" in result.err) == (3, True)


def test_an_identity_that_opens_nothing_is_told(place: Path) -> None:
    result = kcompile("check", "clusters/prod.yaml", cwd=place, identity=place / "none.txt")
    assert (result.code, result.out) == (0, RIGHT)
    assert result.err.startswith("clusters/prod.secrets.yaml:1:1: warning: no identity opens this file.")
    assert kcompile("check", "clusters/prod.yaml", cwd=place, identity=None).err == ""


RIGHT = f"out/prod: right, {len([p for p in (ROOT / 'out/prod').rglob('*') if p.is_file()])} files, 35 certificates, "
RIGHT += "the secrets in 62 not compared\n"


def test_a_tree_whose_spec_is_gone_is_told(place: Path) -> None:
    """Also one that says nothing of itself, where all the specs of a directory are checked."""
    (place / "clusters/lab.yaml").unlink()
    (place / "out/evil").mkdir()
    gone = "out/lab:1:1: its spec, lab.yaml, is not there [K1113]\n"
    hint = "   hint: remove the tree together with its spec, or restore the spec from git\n"
    one = kcompile("check", "clusters/prod.yaml", cwd=place, identity=None)
    assert (one.code, one.err) == (1, gone + hint)
    whole = kcompile("check", "clusters", cwd=place, identity=None)
    assert whole.code == 1
    assert whole.err.endswith(f"out/evil:1:1: no spec is for this tree [K1113]\n{hint}{gone}{hint}")


def test_one_cluster_that_cannot_be_checked_hides_no_other(place: Path) -> None:
    (place / "clusters/lab.secrets.yaml").unlink()
    (place / "out/prod/README.md").unlink()
    result = kcompile("check", "clusters/lab.yaml", "clusters/prod.yaml", cwd=place, identity=None)
    assert (result.code, [line[:60] for line in result.err.splitlines() if "[K" in line]) == (
        3,
        [
            "clusters/lab.secrets.yaml:1:1: cannot read the file: No such",
            "out/prod/README.md:1:1: is missing [K1102]",
        ],
    )


def test_a_file_that_is_too_large_or_cannot_be_read(place: Path) -> None:
    with (place / "out/prod/large").open("wb") as file:
        file.truncate(3 << 30)
    assert found() == ["large:1 K1106 is no regular file, or too large for one of a tree"]
    diff = kcompile("diff", "out/prod", "out/prod", cwd=place, identity=None)
    says = "out/prod/large:1:1: cannot read the file: larger than 64 MiB [K1007]\n"
    assert (diff.code, diff.err) == (2, says)


def test_nothing_to_check_is_no_success(place: Path) -> None:
    for command in ("check", "certs"):
        result = kcompile(command, "clusters/prod.secrets.yaml", cwd=place, identity=None)
        assert (result.code, result.err.splitlines()[0]) == (
            2,
            "no spec is named: secrets files are none [K1040]",
        )
