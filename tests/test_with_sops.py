"""The real sops is the judge of every SOPS file, in both directions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kcompile import sops, yamlfmt
from kcompile.secret import Secret

from conftest import (
    ALICE,
    ALL_EXAMPLES,
    BOB,
    MakeCluster,
    Workspace,
    clean_environment,
    files_below,
    kcompile,
    minimal,
    run,
    succeed,
    tool,
)

FLEET: dict[str, Any] = {
    "bootstrapTokens": [{"id": "abcdef", "expires": "2999-01-01T00:00:00Z"}],
    "nodePools": [{"name": "joining", "nodes": [{"name": "w-1", "address": "10.0.1.1"}]}],
}


def opened_by_sops(path: Path, identity: Path) -> bytes:
    """What `sops -d` gives, with the file's own format where its name does not tell it."""
    style = ["--input-type", "yaml", "--output-type", "yaml"] if path.suffix == ".conf" else []
    done = subprocess.run(
        [tool("sops"), "-d", *style, path],
        env=clean_environment(SOPS_AGE_KEY_FILE=str(identity)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (path, done.stderr)
    return done.stdout


@pytest.mark.parametrize("identity", [ALICE, BOB], ids=["alice", "bob"])
@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_sops_opens_every_sealed_file_as_render_does(name: str, identity: Path, examples: Path, tmp_path: Path) -> None:
    tree = examples / "out" / name
    wanted: dict[str, bytes] = {}
    for host in sorted(p.name for p in (tree / "hosts").iterdir()):
        succeed(kcompile("render", tree, host, "--to", tmp_path / host, identity=identity))
        for path in (tree / "hosts" / host / "sealed").rglob("*"):
            if path.is_file():
                below = path.relative_to(tree / "hosts" / host / "sealed")
                wanted[str(path.relative_to(tree))] = (tmp_path / host / below).read_bytes()
    succeed(kcompile("render", tree, "--cluster", "--to", tmp_path / "cluster", identity=identity))
    succeed(kcompile("render", tree, "--admin", "--to", tmp_path / "admin", identity=identity))
    for path in (tree / "cluster" / "sealed").glob("*"):
        wanted[f"cluster/sealed/{path.name}"] = (tmp_path / "cluster" / path.name).read_bytes()
    for path in (tree / "admin").iterdir():
        wanted[f"admin/{path.name}"] = (tmp_path / "admin" / path.name).read_bytes()
    assert wanted.keys() == {path for path, content in files_below(tree).items() if b"ENC[AES256_GCM," in content}
    for path, content in wanted.items():
        got = opened_by_sops(tree / path, identity)
        if path.endswith((".conf", ".yaml")):
            assert yaml.safe_load(got) == yaml.safe_load(content), path
        else:
            assert got == content, path


def test_a_reviewer_reads_all_but_the_key(examples: Path) -> None:
    admin = yaml.safe_load((examples / "out/prod/admin/admin.conf").read_text())
    assert admin["clusters"][0]["cluster"]["server"] == "https://api.prod.example.com:6443"
    user = admin["users"][0]["user"]
    assert user["client-certificate-data"].startswith("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS")
    assert user["client-key-data"].startswith("ENC[AES256_GCM,data:")
    assert admin["sops"]["encrypted_regex"] == "^client-key-data$"
    token = yaml.safe_load((examples / "out/prod/cluster/sealed/20-bootstrap-token-pool01.yaml").read_text())
    sealed = {key for key, value in token["data"].items() if value.startswith("ENC[")}
    assert sealed == {"token-secret"}


# --- the secrets file under sops' own hands -------------------------------------------------------


def env_of(workspace: Workspace) -> dict[str, str]:
    return clean_environment(SOPS_AGE_KEY=workspace.identity)


def sealed_files(tree: Path) -> dict[str, bytes]:
    return {path: content for path, content in files_below(tree).items() if b"ENC[AES256_GCM," in content}


def plain_files(tree: Path) -> dict[str, bytes]:
    """Files that hold no secret and no digest of one."""
    return {
        path: content
        for path, content in files_below(tree).items()
        if b"ENC[AES256_GCM," not in content
        and not path.endswith(("kcompile.json", "kcompile.json.sig", "host.json", "install.sh", "README.md"))
    }


def rendered(workspace: Workspace) -> dict[str, bytes]:
    target = workspace.path / "opened"
    shutil.rmtree(target, ignore_errors=True)
    for what in (["cp-1"], ["w-1"], ["--cluster"], ["--admin"]):
        succeed(workspace.run("render", workspace.tree, *what, "--to", target / what[0].strip("-")))
    return files_below(target)


def test_updatekeys_changes_the_envelopes_and_nothing_else(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    before = files_below(workspace.build())
    opened = rendered(workspace)
    bob = run(tool("age-keygen"), "-y", BOB).strip()
    rules = f"creation_rules:\n  - age: {workspace.recipient},{bob}\n    encrypted_regex: ^(key|secret)$\n"
    (workspace.path / ".sops.yaml").write_text(rules)
    run(tool("sops"), "updatekeys", "-y", "c.secrets.yaml", cwd=workspace.path, env=env_of(workspace))
    stale = workspace.run("build", "c.yaml", identity=BOB)
    assert (stale.code, stale.err.splitlines()[0]) == (
        0,
        f"c.yaml:12:5: warning: spec.secrets.recipients: the secrets file is sealed for {bob} [K0919]",
    )
    after = files_below(workspace.tree)
    assert plain_files(workspace.tree) == {path: before[path] for path in plain_files(workspace.tree)}
    assert rendered(workspace) == opened
    for path in sealed_files(workspace.tree):
        if not path.endswith((".conf", ".yaml")):
            old, new = json.loads(before[path]), json.loads(after[path])
            assert [r["recipient"] for r in new["sops"].pop("age")] == [workspace.recipient, bob]
            del old["sops"]["age"]
            assert new == old


def test_rotate_changes_every_sealed_file_and_no_secret(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    before = files_below(workspace.build())
    opened, plain = rendered(workspace), plain_files(workspace.tree)
    run(tool("sops"), "rotate", "-i", workspace.secrets, env=env_of(workspace))
    workspace.build()
    assert plain_files(workspace.tree) == plain
    assert rendered(workspace) == opened
    unchanged = [path for path, content in sealed_files(workspace.tree).items() if before[path] == content]
    assert unchanged == []


def test_an_edited_token_changes_what_holds_it(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    before = files_below(workspace.build())
    value = '"0123456789abcdef"'
    run(tool("sops"), "set", workspace.secrets, '["bootstrapTokens"][0]["secret"]', value, env=env_of(workspace))
    workspace.build()
    after = files_below(workspace.tree)
    assert sorted(path for path in after if after[path] != before[path]) == [
        "README.md",
        "cluster/sealed/20-bootstrap-token-abcdef.yaml",
        "hosts/w-1/host.json",
        "hosts/w-1/install.sh",
        "hosts/w-1/sealed/etc/kubernetes/bootstrap-kubelet.conf",
        "hosts/w-1/sealed/etc/kubernetes/join.sh",
        "hosts/w-1/sealed/etc/kubernetes/kubeadm-join.yaml",
        "kcompile.json",
        "kcompile.json.sig",
    ]
    assert b"token: abcdef.0123456789abcdef\n" in rendered(workspace)["w-1/etc/kubernetes/bootstrap-kubelet.conf"]


def test_a_file_that_sops_wrote_is_read(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    workspace.build()
    opened = rendered(workspace)
    plaintext = workspace.path / "c.plain.yaml"
    plaintext.write_text(run(tool("sops"), "decrypt", workspace.secrets, env=env_of(workspace)))
    for rule in (["--encrypted-regex", "^(key|secret)$"], []):
        encrypted = run(tool("sops"), "encrypt", "--age", workspace.recipient, *rule, plaintext, cwd=workspace.path)
        workspace.secrets.write_text(encrypted)
        workspace.build()
        assert rendered(workspace) == opened


def tampered(text: str, how: str) -> str:
    lines = text.splitlines()

    def index(start: str, nth: int = 0) -> int:
        return [n for n, line in enumerate(lines) if line.strip().startswith(start)][nth]

    if how == "plain value":
        lines[index("- id: k")] = lines[index("- id: k")].replace("id: k", "id: x")
    elif how == "ciphertext":
        n = index("secret: ENC")
        lines[n] = lines[n].replace("data:", "data:AAAA")
    elif how == "moved":
        one, other = index("key: ENC"), index("key: ENC", 1)
        lines[one], lines[other] = lines[other], lines[one]
    elif how == "lastmodified":
        n = index("lastmodified:")
        lines[n] = '    lastmodified: "2001-01-01T00:00:00Z"'
    elif how == "no mac":
        del lines[index("mac: ENC")]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("how", "code", "says", "at"),
    [
        (
            "plain value",
            3,
            "does not match its MAC: it was changed without sops",
            ["apiVersion: kcompile.dev/v1alpha1"],
        ),
        ("ciphertext", 3, "bootstrapTokens.secret was changed after it was encrypted", ["bootstrapTokens:"]),
        ("moved", 3, "authorities.kubernetes.key was changed after it was encrypted", ["kubernetes:"]),
        ("lastmodified", 3, "sops.mac was changed after it was encrypted", ["mac: ENC["]),
        ("no mac", 2, "its sops block has no lastmodified or no mac", ["apiVersion: kcompile.dev/v1alpha1"]),
    ],
)
def test_a_tampered_secrets_file_is_refused(
    how: str, code: int, says: str, at: list[str], make_cluster: MakeCluster
) -> None:
    workspace = make_cluster(**FLEET)
    workspace.secrets.write_text(tampered(workspace.secrets.read_text(), how))
    result = workspace.run("build", "c.yaml")
    hint = "   hint: restore the file from git, and change it with `sops edit` alone\n"
    file, line, _, found = result.err.split(":", 3)
    assert (result.code, result.out, file, found) == (code, "", "c.secrets.yaml", f" {says} [K0903]\n{hint}")
    text = workspace.secrets.read_text().splitlines()
    assert any(text[int(line) - 1].strip().startswith(found) for found in at)
    assert not workspace.tree.exists()


# --- secrets update -------------------------------------------------------------------------------


def test_update_adds_lines_and_touches_no_other(make_cluster: MakeCluster) -> None:
    pki = {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "RSA-2048"}
    workspace = make_cluster(pki=pki, bootstrapTokens=[{"id": "abcdef"}])
    noted = "# a note of mine\n" + workspace.secrets.read_text().replace(
        "bootstrapTokens:", "# tokens\nbootstrapTokens:"
    )
    workspace.secrets.write_text(noted)
    nothing = succeed(workspace.run("secrets", "update", "c.yaml"))
    assert (nothing.out, workspace.secrets.read_text()) == ("c.secrets.yaml: nothing is missing\n", noted)
    nodes = [{"name": "s-1", "address": "10.0.2.1"}]
    document = minimal(
        workspace.recipient,
        pki=pki,
        bootstrapTokens=[{"id": "abcdef"}, {"id": "second"}],
        nodePools=[{"name": "issued", "credentials": "issued", "nodes": nodes}],
    )
    workspace.write_spec(document)
    lacking = workspace.run("build", "c.yaml")
    assert lacking.code == 3
    result = succeed(workspace.run("secrets", "update", "c.yaml"))
    assert result.out == (
        "c.secrets.yaml: added bootstrap token second\n"
        "c.secrets.yaml: added leaf key s-1/kubelet-client\n"
        "c.secrets.yaml: added leaf key s-1/kubelet-server\n"
    )
    after = workspace.secrets.read_text().splitlines()
    gone = [line for line in noted.splitlines() if line not in after]
    assert [line.split(":")[0].strip() for line in gone] == ["lastmodified", "mac"]
    opened = yaml.safe_load(run(tool("sops"), "decrypt", workspace.secrets, env=env_of(workspace)))
    assert sorted(token["id"] for token in opened["bootstrapTokens"]) == ["abcdef", "second"]
    workspace.build()


def test_create_never_overwrites(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    before = workspace.secrets.read_bytes()
    result = workspace.run("secrets", "create", "c.yaml")
    assert (result.code, result.err) == (
        4,
        "c.secrets.yaml:1:1: is there already and is not overwritten [K1001]\n"
        "   hint: `kcompile secrets update` adds what is missing; rename the file to start anew\n",
    )
    assert workspace.secrets.read_bytes() == before


# --- identities -----------------------------------------------------------------------------------


def test_identities_are_found_where_sops_finds_them(make_cluster: MakeCluster, tmp_path: Path) -> None:
    ssh = {}
    for kind in ("ed25519", "rsa"):
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "someone", "-f", tmp_path / f"id_{kind}")
        ssh[kind] = (tmp_path / f"id_{kind}.pub").read_text().strip()
    workspace = make_cluster(secrets=False)
    document = minimal(workspace.recipient)
    document["spec"]["secrets"]["recipients"] += ssh.values()
    workspace.write_spec(document)
    succeed(workspace.run("secrets", "create", "c.yaml"))
    home = tmp_path / "home"
    keys = home / ".config/sops/age/keys.txt"
    keys.parent.mkdir(parents=True)
    keys.write_text(f"# mine\n\n{workspace.identity}\n")
    own = tmp_path / "own.txt"
    own.write_text(workspace.identity)
    places: dict[str, dict[str, str]] = {
        "variable": {"SOPS_AGE_KEY": workspace.identity},
        "file": {"SOPS_AGE_KEY_FILE": str(own)},
        "command": {"SOPS_AGE_KEY_CMD": f"cat '{own}'"},
        "home": {"HOME": str(home)},
        "xdg": {"XDG_CONFIG_HOME": str(home / ".config")},
        "ssh file": {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(tmp_path / "id_rsa")},
        "wrong one first": {"SOPS_AGE_KEY_FILE": str(ALICE), "SOPS_AGE_KEY_CMD": f"cat {own}"},
    }
    for kind in ("ed25519", "rsa"):
        other = tmp_path / f"home-{kind}" / ".ssh"
        other.mkdir(parents=True)
        shutil.copy(tmp_path / f"id_{kind}", other / f"id_{kind}")
        places[f"ssh {kind}"] = {"HOME": str(other.parent)}
    built: dict[str, dict[str, bytes]] = {}
    for place, env in places.items():
        shutil.rmtree(workspace.path / "out", ignore_errors=True)
        succeed(workspace.run("build", "c.yaml", identity=None, **env))
        built[place] = files_below(workspace.tree)
        assert built[place] == built["variable"], place


def test_without_an_identity_there_is_no_build_and_no_new_key(make_cluster: MakeCluster, tmp_path: Path) -> None:
    workspace = make_cluster()
    home = tmp_path / "home"
    home.mkdir()
    result = workspace.run("build", "c.yaml", identity=ALICE, HOME=str(home))
    assert (result.code, result.out, result.err) == (
        3,
        "",
        f"c.secrets.yaml:1:1: no identity opens this file. It is sealed for: {workspace.recipient} [K0902]\n"
        "   hint: set SOPS_AGE_KEY_FILE to the file with an identity of one of them; looked where sops looks, "
        f"and found SOPS_AGE_KEY_FILE ({ALICE}): 1 identity\n",
    )
    assert list(home.iterdir()) == []
    assert not (workspace.path / "out").exists()


def test_a_missing_secrets_file_is_not_made(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(secrets=False)
    result = workspace.run("build", "c.yaml")
    assert (result.code, result.err) == (
        3,
        "c.secrets.yaml:1:1: cannot read the file: No such file or directory [K0901]\n"
        "   hint: `kcompile secrets create c.yaml` makes it once; a build never does\n",
    )
    assert [p.name for p in workspace.path.iterdir()] == ["c.yaml"]


def test_another_cluster_s_secrets_are_refused(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    document = minimal(workspace.recipient)
    document["metadata"]["name"] = "other"
    workspace.write_spec(document)
    result = workspace.run("build", "c.yaml")
    assert (result.code, result.err) == (
        2,
        "c.yaml:4:9: metadata.name: the secrets file belongs to the cluster test [K0918]\n"
        "    4 |   name: other\n"
        "      |         ^^^^^\n"
        "   hint: use its name, or make a secrets file for this one\n",
    )


# --- the format itself ----------------------------------------------------------------------------

ENVELOPE_KEY = Secret(bytes(range(32)))
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029\ufeff"),
    min_size=1,
    max_size=30,
)
HOSTILE = st.sampled_from(
    [
        *"yes no null ~ 1.0 1e3 0x10 017 2020-01-01 #a ' --- @a %a `a [a {a &a *a !a | > ? : a: 1:30 = é 😀".split(),
        *('"', "- a", "a: b", "a #b", " a", "a ", "a\nb", "a\nb\n", "a\n\nb"),
    ]
)
VALUES = st.dictionaries(TEXT.filter(lambda key: key != "sops"), TEXT | HOSTILE, min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(plain=VALUES, secret=TEXT | HOSTILE)
def test_sops_opens_what_is_sealed_whatever_it_is(plain: dict[str, str], secret: str, tmp_path_factory: Any) -> None:
    """Each value comes back as it went in, from the real sops."""
    recipient = run(tool("age-keygen"), "-y", ALICE).strip()
    from kcompile import age

    document = {**{f"p{key}": value for key, value in plain.items()}, "zz-secret": Secret(secret.encode())}
    sealer = sops.Sealer(
        ENVELOPE_KEY, (sops.Envelope(recipient, age.encrypt(ENVELOPE_KEY, recipient)),), "2026-01-01T00:00:00Z"
    )
    path = tmp_path_factory.mktemp("sealed") / "f.yaml"
    path.write_bytes(sealer.yaml("f.yaml", document))
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    got = json.loads(run(tool("sops"), "-d", "--output-type", "json", path, env=env))
    assert got == {key: secret if isinstance(value, Secret) else value for key, value in document.items()}
    assert sops.revealed(sops.opened(sops.parse(path.read_text()), ENVELOPE_KEY)) == got


def test_equal_secrets_at_equal_places_seal_equally() -> None:
    sealer = sops.Sealer(ENVELOPE_KEY, (), "2026-01-01T00:00:00Z")
    again = sops.Sealer(ENVELOPE_KEY, (), "2026-01-01T00:00:00Z")
    here, there = sealer.binary("a", Secret(b"x")), sealer.binary("b", Secret(b"x"))
    assert here == again.binary("a", Secret(b"x"))
    tokens = {json.loads(text)["data"] for text in (here, there, sealer.binary("a", Secret(b"y")))}
    assert len(tokens) == 3


def test_what_sops_writes_again_is_the_same_text(make_cluster: MakeCluster) -> None:
    """A file in sops' own style: editing it with sops changes the lines that were edited, and no others."""
    workspace = make_cluster(**FLEET)
    before = workspace.secrets.read_text().splitlines()
    run(
        tool("sops"),
        "set",
        workspace.secrets,
        '["bootstrapTokens"][0]["secret"]',
        '"0123456789abcdef"',
        env=env_of(workspace),
    )
    after = workspace.secrets.read_text().splitlines()
    changed = [old.split(":")[0].strip() for old, new in zip(before, after, strict=True) if old != new]
    assert [name for name in changed if name != "lastmodified"] == ["secret", "mac"]  # it counts whole seconds
    assert yamlfmt.dump_sops(yaml.safe_load("\n".join(after))).splitlines() == after
