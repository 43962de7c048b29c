"""Hosts with a key of their own: who opens what, judged by the real sops, age and ssh-keygen; and what is stale."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompile import pipeline, secretsfile
from kcompile.errors import KcompileError, format_path
from kcompile.report.problems import FORMATS, as_text

from conftest import (
    ALL_EXAMPLES,
    ROOT,
    Workspace,
    clean_environment,
    files_below,
    kcompile,
    minimal,
    run,
    succeed,
    tool,
)

SEALED = b"ENC[AES256_GCM,"


@dataclass(frozen=True)
class Key:
    """Someone's key: the recipient to write into a spec, and the variables by which sops finds the identity."""

    recipient: str
    environment: dict[str, str]

    @property
    def bare(self) -> str:
        return " ".join(self.recipient.split()[:2])


def age_key(directory: Path, name: str) -> Key:
    path = directory / f"{name}.txt"
    run(tool("age-keygen"), "-o", path)
    return Key(run(tool("age-keygen"), "-y", path).strip(), {"SOPS_AGE_KEY_FILE": str(path)})


def ssh_key(directory: Path, name: str, kind: str) -> Key:
    path = directory / f"{name}_ssh_host_{kind}_key"
    run(tool("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", f"root@{name}", "-f", path)
    return Key(Path(f"{path}.pub").read_text().strip(), {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(path)})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """Two administrators, three hosts with each kind of key, and someone whom nothing is sealed for."""
    directory = tmp_path_factory.mktemp("keys")
    return {
        **{name: age_key(directory, name) for name in ("ann", "ben", "cp-1", "mallory", "spare")},
        "w-1": ssh_key(directory, "w-1", "ed25519"),
        "w-2": ssh_key(directory, "w-2", "rsa"),
    }


def document(keys: dict[str, Key], admins: tuple[str, ...] = ("ann", "ben"), **hosts: str | None) -> dict[str, Any]:
    """A spec with four hosts; ``hosts`` says whose key each has (``w_1="spare"``), if not its own."""

    def node(name: str, address: str) -> dict[str, str]:
        key = hosts.get(name.replace("-", "_"), name if name in keys else None)
        return {"name": name, "address": address} | ({} if key is None else {"recipient": keys[key].recipient})

    workers = [node(f"w-{n}", f"10.0.1.{n}") for n in (1, 2, 3)]
    found = minimal(
        "",
        bootstrapTokens=[{"id": "abcdef", "expires": "2999-01-01T00:00:00Z"}],
        controlPlane={"nodes": [node("cp-1", "10.0.0.11")]},
        nodePools=[{"name": "general", "credentials": "issued", "nodes": workers}],
    )
    found["spec"]["secrets"]["recipients"] = [keys[name].recipient for name in admins]
    return found


def as_(keys: dict[str, Key], name: str, workspace: Workspace, *args: str | Path) -> Any:
    return kcompile(*args, cwd=workspace.path, identity=None, **keys[name].environment)


@pytest.fixture(scope="module")
def made(keys: dict[str, Key], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The cluster as created and built. Not to be changed; ``fresh`` is a copy that may be."""
    path = tmp_path_factory.mktemp("made")
    workspace = Workspace(path, "", "", "test")
    workspace.write_spec(document(keys))
    succeed(as_(keys, "ann", workspace, "secrets", "create", "c.yaml"))
    succeed(as_(keys, "ann", workspace, "build", "c.yaml"))
    return workspace


@pytest.fixture
def fresh(made: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(made.path, tmp_path / "c")
    return Workspace(tmp_path / "c", "", "", "test")


def sealed_files(workspace: Workspace) -> dict[str, bytes]:
    return {path: content for path, content in files_below(workspace.path).items() if SEALED in content}


def of(node: str, paths: Any) -> set[str]:
    """Those of the paths at which a host's sealed files stand."""
    return {path for path in paths if path.startswith(f"out/test/hosts/{node}/sealed/")}


def opens(path: Path, key: Key) -> bool:
    """Whether `sops decrypt` opens a file with a key, and with no other that is on this machine."""
    style = ["--input-type", "yaml", "--output-type", "yaml"] if path.suffix == ".conf" else []
    done = subprocess.run(
        [tool("sops"), "decrypt", *style, path],
        env=clean_environment(**key.environment),
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 128), done.stderr  # 128: no identity opens it
    assert (done.returncode == 0) == (done.stdout != b"")
    return done.returncode == 0


def opened_by(keys: dict[str, Key], workspace: Workspace, *who: str) -> dict[str, set[str]]:
    """The sealed files that each of them opens."""
    paths = sorted(sealed_files(workspace))
    pairs = [(name, path) for name in who for path in paths]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: opens(workspace.path / pair[1], keys[pair[0]]), pairs))
    return {
        name: {path for (own, path), opened in zip(pairs, found, strict=True) if opened and own == name} for name in who
    }


def sops(keys: dict[str, Key], workspace: Workspace, *args: str) -> str:
    env = clean_environment(**keys["ann"].environment)
    return run(tool("sops"), *args, cwd=workspace.path, env=env)


def secrets_of(keys: dict[str, Key], workspace: Workspace) -> Any:
    return yaml.safe_load(sops(keys, workspace, "decrypt", "c.secrets.yaml"))


def host_keys(keys: dict[str, Key], workspace: Workspace) -> dict[str, str]:
    return {entry["node"]: entry["key"] for entry in secrets_of(keys, workspace).get("hostRecipients", [])}


def read(content: bytes) -> Any:
    """A sealed file's document, of either form."""
    return json.loads(content) if content.startswith(b"{") else yaml.safe_load(content)


def tokens(content: bytes) -> list[str]:
    """The encrypted values in a sealed file."""
    return re.findall(r"ENC\[AES256_GCM,[^]]*\]", content.decode())


# --- who opens what -------------------------------------------------------------------------------


def test_each_opens_what_is_theirs_and_nothing_else(keys: dict[str, Key], made: Workspace) -> None:
    everything = set(sealed_files(made))
    assert len(of("cp-1", everything)) > 10
    assert {path for path in everything if not path.startswith("out/test/hosts/")} == {
        "c.secrets.yaml",
        "out/test/admin/admin.conf",
        "out/test/admin/super-admin.conf",
        "out/test/cluster/sealed/20-bootstrap-token-abcdef.yaml",
    }
    assert of("w-3", everything) == {
        "out/test/hosts/w-3/sealed/var/lib/kubelet/pki/kubelet-client-current.pem",
        "out/test/hosts/w-3/sealed/var/lib/kubelet/pki/kubelet.key",
    }
    assert opened_by(keys, made, "ann", "ben", "cp-1", "w-1", "w-2", "mallory") == {
        "ann": everything,
        "ben": everything,
        "cp-1": of("cp-1", everything),
        "w-1": of("w-1", everything),
        "w-2": of("w-2", everything),
        "mallory": set(),
    }


def test_render_opens_a_host_with_its_own_key_as_with_an_administrators(
    keys: dict[str, Key], made: Workspace, tmp_path: Path
) -> None:
    for node in ("cp-1", "w-1", "w-2"):
        for name in (node, "ben"):
            succeed(as_(keys, name, made, "render", made.tree, node, "--to", tmp_path / name / node))
        assert files_below(tmp_path / node / node) == files_below(tmp_path / "ben" / node)
    for what in (["w-2"], ["w-3"], ["--cluster"], ["--admin"]):
        refused = as_(keys, "w-1", made, "render", made.tree, *what, "--to", tmp_path / "refused")
        assert (refused.code, refused.err.count("[K0902]")) == (3, 1)
        assert [p for p, c in files_below(tmp_path / "refused").items() if b"PRIVATE KEY" in c or SEALED in c] == []


def test_a_host_s_key_builds_nothing(keys: dict[str, Key], fresh: Workspace) -> None:
    for node in ("cp-1", "w-1"):
        refused = as_(keys, node, fresh, "build", "c.yaml")
        who = f"{keys['ann'].recipient}, {keys['ben'].recipient}"
        assert refused.code == 3
        assert refused.err.splitlines()[0] == (
            f"c.secrets.yaml:1:1: no identity opens this file. It is sealed for: {who} [K0902]"
        )


def test_no_two_data_keys_are_alike_and_none_is_in_plain(keys: dict[str, Key], fresh: Workspace) -> None:
    found = host_keys(keys, fresh)
    assert list(found) == ["cp-1", "w-1", "w-2"]
    raw = [base64.b64decode(key, validate=True) for key in found.values()]
    assert ([len(key) for key in raw], len(set(raw))) == ([32, 32, 32], 3)
    shutil.rmtree(fresh.path / "out")
    said = [as_(keys, "ann", fresh, *command) for command in (("validate", "c.yaml"), ("build", "c.yaml"))]
    contents = [*files_below(fresh.path).values(), *((result.out + result.err).encode() for result in said)]
    forms = {form for key in raw for form in (key, key.hex().encode(), base64.b64encode(key).rstrip(b"="))}
    assert [form for form in forms for content in contents if form in content] == []


def test_a_build_is_the_same_for_every_opener(keys: dict[str, Key], fresh: Workspace) -> None:
    before = files_below(fresh.path)
    for name in ("ben", "ann"):
        shutil.rmtree(fresh.path / "out")
        succeed(as_(keys, name, fresh, "build", "c.yaml"))
        assert files_below(fresh.path) == before


def test_a_host_without_a_recipient_is_sealed_as_the_cluster_is(made: Workspace) -> None:
    age = {
        path: tuple(sorted(entry["enc"] for entry in read(content)["sops"]["age"]))
        for path, content in sealed_files(made).items()
    }
    assert {age[path] for path in of("w-3", age)} == {age["c.secrets.yaml"]}
    by_host = {node: {age[path] for path in of(node, age)} for node in ("cp-1", "w-1", "w-2")}
    assert {node: len(found) for node, found in by_host.items()} == {"cp-1": 1, "w-1": 1, "w-2": 1}
    several = [set(*found) for found in (*by_host.values(), {age["c.secrets.yaml"]})]
    assert sum(map(len, several)) == len(set.union(*several)) == 3 * 3 + 2  # not one envelope is in two places


def test_an_example_s_node_opens_what_is_its_own_with_the_key_that_is_published(tmp_path: Path) -> None:
    recipients = {}
    for name in ALL_EXAMPLES:
        spec = yaml.safe_load((ROOT / "clusters" / f"{name}.yaml").read_text())["spec"]
        nodes = [*spec["controlPlane"]["nodes"], *(n for pool in spec.get("nodePools", []) for n in pool["nodes"])]
        recipients |= {(name, node["name"]): node["recipient"] for node in nodes if "recipient" in node}
    path = ROOT / "clusters" / "keys" / "g-2.throwaway-ssh-host-key"
    bare = " ".join(Path(f"{path}.pub").read_text().split()[:2])
    assert recipients == {("metal", "g-2"): bare}
    shutil.copytree(ROOT / "clusters", tmp_path / "clusters")
    succeed(kcompile("build", "clusters/metal.yaml", cwd=tmp_path))
    sealed = [path for path, content in files_below(tmp_path / "out").items() if SEALED in content]
    key = Key(bare, {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(path)})
    assert [path for path in sealed if opens(tmp_path / "out" / path, key)] == [
        "metal/hosts/g-2/sealed/var/lib/kubelet/pki/kubelet-client-current.pem",
        "metal/hosts/g-2/sealed/var/lib/kubelet/pki/kubelet.key",
    ]


# --- sops rotate and updatekeys on the secrets file -----------------------------------------------


def test_rotate_leaves_hosts_files_as_they_are(keys: dict[str, Key], fresh: Workspace) -> None:
    before = sealed_files(fresh)
    sops(keys, fresh, "rotate", "-i", "c.secrets.yaml")
    succeed(as_(keys, "ben", fresh, "build", "c.yaml"))
    after = sealed_files(fresh)
    own = {path for node in ("cp-1", "w-1", "w-2") for path in of(node, before)}
    assert {path for path in after if after[path] == before[path]} == own
    assert succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml")).out == "c.secrets.yaml: nothing is missing\n"
    assert opened_by(keys, fresh, "w-1") == {"w-1": of("w-1", before)}


def seal_the_file_for(keys: dict[str, Key], workspace: Workspace, *admins: str) -> None:
    rules = {"creation_rules": [{"age": ",".join(keys[name].recipient for name in admins)}]}
    (workspace.path / ".sops.yaml").write_text(yaml.safe_dump(rules))
    sops(keys, workspace, "updatekeys", "-y", "c.secrets.yaml")


def messages(result: Any) -> list[str]:
    """The first lines of problems, without where they are."""
    return [line.split(": ", 1)[1] for line in result.err.splitlines() if re.match(r"\S+:\d+:\d+: ", line)]


def test_an_administrator_comes_and_goes(keys: dict[str, Key], fresh: Workspace) -> None:
    before, old = sealed_files(fresh), host_keys(keys, fresh)
    spare = keys["spare"].recipient

    fresh.write_spec(document(keys, ("ann", "ben", "spare")))
    stale = [f"spec.secrets.recipients: the secrets file is not sealed for {spare} [K0919]"]
    lacking = f"is not sealed for {spare} [K0925]"
    hosts = (f"spec.controlPlane.nodes[0].recipient: in the secrets file the keys of cp-1 and 2 more are{lacking[2:]}",)
    for command, expected in (
        (("validate", "c.yaml"), [*stale, *hosts]),
        (("build", "c.yaml"), [*stale, *hosts]),
        (("secrets", "update", "c.yaml"), stale),
    ):
        refused = as_(keys, "ann", fresh, *command)
        assert (refused.code, messages(refused)) == (3, expected)
    seal_the_file_for(keys, fresh, "ann", "ben", "spare")
    for name in ("validate", "build"):
        refused = as_(keys, "ann", fresh, name, "c.yaml")
        assert (refused.code, messages(refused)) == (3, list(hosts))
    assert sealed_files(fresh).keys() == before.keys()
    came = succeed(as_(keys, "ben", fresh, "secrets", "update", "c.yaml"))
    assert came.out.splitlines() == [
        f"c.secrets.yaml: sealed the key of {n} for {spare}" for n in ("cp-1", "w-1", "w-2")
    ]
    assert host_keys(keys, fresh) == old
    succeed(as_(keys, "ben", fresh, "build", "c.yaml"))
    after = sealed_files(fresh)
    tree = [path for path in before if path.startswith("out/")]
    assert [path for path in tree if tokens(after[path]) != tokens(before[path])] == []
    assert opened_by(keys, fresh, "spare", "w-2") == {"spare": set(after), "w-2": of("w-2", after)}

    fresh.write_spec(document(keys))
    seal_the_file_for(keys, fresh, "ann", "ben")
    refused = as_(keys, "ann", fresh, "build", "c.yaml")
    assert (refused.code, messages(refused)) == (3, [hosts[0].replace("not sealed", "still sealed")])
    assert sealed_files(fresh).keys() == after.keys()
    went = succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    assert went.out.splitlines() == [
        *(
            f"c.secrets.yaml: made a new key for {node}: {spare} opens none of its files from here on"
            for node in ("cp-1", "w-1", "w-2")
        ),
        "c.secrets.yaml: who was removed may have kept this file's own key: `sops rotate -i` it before you commit",
    ]
    assert [node for node, key in host_keys(keys, fresh).items() if key == old[node]] == []
    sops(keys, fresh, "rotate", "-i", "c.secrets.yaml")
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    everything = set(sealed_files(fresh))
    assert opened_by(keys, fresh, "spare", "ben", "cp-1") == {
        "spare": set(),
        "ben": everything,
        "cp-1": of("cp-1", everything),
    }


# --- nodes whose recipient changes ----------------------------------------------------------------


def lines_but_of_the_seal(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.strip().startswith(("lastmodified:", "mac:"))]


def entry_lines(text: str, node: str) -> list[str]:
    found = re.search(rf"^    - node: {node}\n(?:      .*\n)*", text, re.MULTILINE)
    assert found
    return found[0].splitlines()


def test_a_node_gets_a_recipient(keys: dict[str, Key], fresh: Workspace) -> None:
    before, tree = fresh.secrets.read_text(), sealed_files(fresh)
    fresh.write_spec(document(keys, w_3="spare"))
    refused = {name: as_(keys, "ann", fresh, name, "c.yaml") for name in ("validate", "build")}
    message = "w-3 has a recipient of its own, and the secrets file has no key for it [K0924]"
    for result in refused.values():
        assert (result.code, messages(result)) == (3, [f"spec.nodePools[0].nodes[2].recipient: {message}"])
    done = succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    assert done.out == "c.secrets.yaml: added a key for w-3\n"
    after = fresh.secrets.read_text()
    new = entry_lines(after, "w-3")
    assert [line for line in lines_but_of_the_seal(after) if line not in new] == [
        line for line in lines_but_of_the_seal(before) if line not in new
    ]
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    now = sealed_files(fresh)
    changed = {path for path in now if path.startswith("out/") and now[path] != tree[path]}
    assert changed == of("w-3", now)
    assert opened_by(keys, fresh, "spare", "ben") == {"spare": of("w-3", now), "ben": set(now)}


def test_a_node_s_recipient_is_replaced(keys: dict[str, Key], fresh: Workspace) -> None:
    before, old = fresh.secrets.read_text(), host_keys(keys, fresh)
    noted = before.replace("    - node: w-2\n", "    # rack 3\n    - node: w-2\n")
    fresh.secrets.write_text(noted)  # comments are not in the MAC
    fresh.write_spec(document(keys, w_1="spare"))
    refused = as_(keys, "ben", fresh, "build", "c.yaml")
    message = f"not sealed for {keys['spare'].recipient}, and is still sealed for {keys['w-1'].bare} [K0925]"
    assert (refused.code, messages(refused)) == (
        3,
        [f"spec.nodePools[0].nodes[0].recipient: in the secrets file the key of w-1 is {message}"],
    )
    done = succeed(as_(keys, "ben", fresh, "secrets", "update", "c.yaml"))
    gone = keys["w-1"].bare
    assert done.out == f"c.secrets.yaml: made a new key for w-1: {gone} opens none of its files from here on\n"
    after = fresh.secrets.read_text()
    own = {*entry_lines(before, "w-1"), *entry_lines(after, "w-1")}
    others = [line for line in lines_but_of_the_seal(noted) if line not in own]
    assert [line for line in lines_but_of_the_seal(after) if line not in own] == others
    assert "    # rack 3\n    - node: w-2\n" in after
    now = host_keys(keys, fresh)
    assert ([node for node in now if now[node] == old[node]], list(now)) == (["cp-1", "w-2"], ["cp-1", "w-1", "w-2"])
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    everything = set(sealed_files(fresh))
    assert opened_by(keys, fresh, "w-1", "spare", "w-2") == {
        "w-1": set(),
        "spare": of("w-1", everything),
        "w-2": of("w-2", everything),
    }


@pytest.mark.parametrize("node_is_there", [True, False])
def test_a_node_or_its_recipient_goes(node_is_there: bool, keys: dict[str, Key], fresh: Workspace) -> None:
    spec = document(keys, w_2=None)
    if not node_is_there:
        del spec["spec"]["nodePools"][0]["nodes"][1]
    fresh.write_spec(spec)
    before, old = fresh.secrets.read_text(), host_keys(keys, fresh)
    message = "the secrets file has a key for w-2, and the spec no such node with a recipient [K0926]"
    for command in ("validate", "build"):
        result = succeed(as_(keys, "ann", fresh, command, "c.yaml"))
        assert messages(result) == [f"warning: spec: {message}"]
    everything = set(sealed_files(fresh))
    assert opened_by(keys, fresh, "w-2", "ann") == {"w-2": set(), "ann": everything}
    assert bool(of("w-2", everything)) == node_is_there
    done = succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    assert done.out == "c.secrets.yaml: removed the key of w-2\n"
    after = lines_but_of_the_seal(fresh.secrets.read_text())
    gone = entry_lines(before, "w-2")
    text = "\n".join(lines_but_of_the_seal(before)).replace("\n".join(gone) + "\n", "")
    assert "\n".join(after) == text
    assert host_keys(keys, fresh) == {node: key for node, key in old.items() if node != "w-2"}
    assert succeed(as_(keys, "ann", fresh, "build", "c.yaml")).err == ""


def test_the_last_recipient_goes_and_comes_again(keys: dict[str, Key], fresh: Workspace) -> None:
    nobody = document(keys, cp_1=None, w_1=None, w_2=None)
    fresh.write_spec(nobody)
    succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    assert "hostRecipients" not in secrets_of(keys, fresh)
    assert succeed(as_(keys, "ann", fresh, "build", "c.yaml")).err == ""
    fresh.write_spec(document(keys))
    done = succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    assert done.out.splitlines() == [f"c.secrets.yaml: added a key for {node}" for node in ("cp-1", "w-1", "w-2")]
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))


def test_another_comment_on_a_key_is_no_other_key(keys: dict[str, Key], fresh: Workspace) -> None:
    spec = document(keys)
    spec["spec"]["nodePools"][0]["nodes"][0]["recipient"] = f"{keys['w-1'].bare} moved@rack-7"
    fresh.write_spec(spec)
    assert succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml")).out == "c.secrets.yaml: nothing is missing\n"
    assert succeed(as_(keys, "ann", fresh, "build", "c.yaml")).err == ""


def test_update_leaves_another_cluster_s_file_alone(keys: dict[str, Key], fresh: Workspace) -> None:
    spec = document(keys, w_3="spare")
    spec["metadata"]["name"] = "other"
    fresh.write_spec(spec)
    before = fresh.secrets.read_bytes()
    refused = as_(keys, "ann", fresh, "secrets", "update", "c.yaml")
    assert (refused.code, messages(refused)) == (
        2,
        ["metadata.name: the secrets file belongs to the cluster test [K0918]"],
    )
    assert fresh.secrets.read_bytes() == before


def test_a_file_whose_rule_seals_everything_is_read_and_not_amended(keys: dict[str, Key], fresh: Workspace) -> None:
    """sops seals all of a file when it is given no rule; a reviewer would no longer see what is public."""
    plain = fresh.path / "plain.yaml"
    plain.write_text(sops(keys, fresh, "decrypt", "c.secrets.yaml"))
    recipients = f"{keys['ann'].recipient},{keys['ben'].recipient}"
    fresh.secrets.write_text(sops(keys, fresh, "encrypt", "--age", recipients, "plain.yaml"))
    plain.unlink()
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    everything = set(sealed_files(fresh))
    assert opened_by(keys, fresh, "w-1") == {"w-1": of("w-1", everything)}
    fresh.write_spec(document(keys, w_3="spare"))
    before = fresh.secrets.read_bytes()
    refused = as_(keys, "ann", fresh, "secrets", "update", "c.yaml")
    message = "its encryption rule covers hostRecipients.node, which is public: add it with sops [K0903]"
    assert (refused.code, messages(refused), fresh.secrets.read_bytes()) == (3, [message], before)


# --- a secrets file that was changed by other hands -----------------------------------------------

NOT_TOGETHER = "its node, key and envelopes do not belong together: one is missing, another's, or was changed"


def swapped(field: str) -> Callable[[Any], None]:
    def change(entries: Any) -> None:
        entries[1][field], entries[2][field] = entries[2][field], entries[1][field]

    return change


def without_an_envelope(entries: Any) -> None:
    del entries[1]["envelopes"][0]


def own_envelope_of_another(entries: Any) -> None:
    entries[1]["envelopes"][0]["enc"] = entries[2]["envelopes"][0]["enc"]


def envelope_for_another_key(entries: Any) -> None:
    recipient = entries[1]["envelopes"][0]["recipient"]
    made = subprocess.run(
        [tool("age"), "-a", "-r", recipient], input=b"\x07" * 32, capture_output=True, check=True
    ).stdout
    entries[1]["envelopes"][0]["enc"] = made.decode()


def recipient_of_another(entries: Any) -> None:
    entries[1]["envelopes"][0]["recipient"] = entries[2]["envelopes"][0]["recipient"]


def short_key(entries: Any) -> None:
    entries[1]["key"] = base64.b64encode(b"\x07" * 16).decode()


def key_that_is_none(entries: Any) -> None:
    entries[1]["key"] = "PLANTED"


def without_a_key(entries: Any) -> None:
    del entries[1]["key"]


def envelope_that_is_none(entries: Any) -> None:
    entries[1]["envelopes"][0]["enc"] = "PLANTED"


def twice(entries: Any) -> None:
    entries.append(entries[1])


def doubled_envelope(entries: Any) -> None:
    entries[1]["envelopes"].append(entries[1]["envelopes"][0])


def private_key_as_recipient(entries: Any) -> None:
    entries[1]["envelopes"][0]["recipient"] = "AGE-SECRET-KEY-1PLANTED"


W1 = "hostRecipients[1]"
TOGETHER = [f"{W1}: of w-1: {NOT_TOGETHER} [K0927]"]
BOTH = [*TOGETHER, f"hostRecipients[2]: of w-2: {NOT_TOGETHER} [K0927]"]
HOSTILE: dict[str, tuple[Callable[[Any], None], list[str], bool]] = {
    "envelopes swapped": (swapped("envelopes"), BOTH, False),
    "keys swapped": (swapped("key"), BOTH, False),
    "names swapped": (
        swapped("node"),
        [line.replace("of w-1", "of w-x").replace("of w-2", "of w-1").replace("of w-x", "of w-2") for line in BOTH],
        False,
    ),
    "proofs swapped": (swapped("proof"), BOTH, False),
    "an envelope removed": (without_an_envelope, TOGETHER, False),
    "another host's envelope": (own_envelope_of_another, TOGETHER, False),
    "an envelope for another key": (envelope_for_another_key, TOGETHER, False),
    "another host's recipient": (recipient_of_another, TOGETHER, False),
    "a short key": (short_key, [f"{W1}.key: of w-1: must be base64 of 32 bytes [K0927]"], False),
    "no key at all": (key_that_is_none, [f"{W1}.key: of w-1: must be base64 of 32 bytes [K0927]"], False),
    "the key removed": (without_a_key, [f"{W1}: of w-1: there is no key [K0927]"], True),
    "no envelope at all": (
        envelope_that_is_none,
        [f"{W1}.envelopes[0].enc: of w-1: is not an armored age file [K0927]"],
        True,
    ),
    "an entry twice": (twice, ["hostRecipients[3].node: w-1 is there already [K0927]"], True),
    "an envelope twice": (
        doubled_envelope,
        [f"{W1}.envelopes[3].recipient: of w-1: is there already [K0927]"],
        True,
    ),
    "a private key": (
        private_key_as_recipient,
        [f"{W1}.envelopes[0].recipient: is a private key, not a recipient [K0326]"],
        True,
    ),
}
"""What is changed with sops, what a build says of it, and whether validating without a key sees that something is."""


def edit(keys: dict[str, Key], workspace: Workspace, change: Callable[[Any], None]) -> None:
    """Change the entries of hosts with `sops edit`."""
    plain = secrets_of(keys, workspace)
    change(plain["hostRecipients"])
    edited = workspace.path / "edited.yaml"
    edited.write_text(yaml.safe_dump(plain, sort_keys=False))
    env = clean_environment(**keys["ann"].environment, EDITOR=f"cp {edited}")
    run(tool("sops"), "edit", "c.secrets.yaml", cwd=workspace.path, env=env)
    edited.unlink()


def problems(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except KcompileError as error:
        return [f"{format_path(p.path)}: {p.message} [{p.code}]" for p in error.problems]
    return []


@pytest.mark.parametrize("how", HOSTILE)
def test_an_entry_that_was_changed_with_sops_is_named(how: str, keys: dict[str, Key], fresh: Workspace) -> None:
    change, expected, seen_without_a_key = HOSTILE[how]
    edit(keys, fresh, change)
    assert problems(lambda: secretsfile.open_file(str(fresh.secrets), keys["ben"].environment)) == expected
    without = [line for line in expected if NOT_TOGETHER not in line] if seen_without_a_key else []
    assert problems(lambda: secretsfile.read(str(fresh.secrets))) == without


def test_with_a_changed_entry_nothing_is_built(keys: dict[str, Key], fresh: Workspace) -> None:
    before = files_below(fresh.path / "out")
    edit(keys, fresh, key_that_is_none)
    for command in (("build", "c.yaml"), ("secrets", "update", "c.yaml")):
        refused = as_(keys, "ben", fresh, *command)
        assert (refused.code, refused.out, messages(refused)) == (2, "", HOSTILE["no key at all"][1])
        assert "PLANTED" not in refused.err
    assert files_below(fresh.path / "out") == before


def test_an_entry_that_was_changed_without_sops_is_refused(keys: dict[str, Key], fresh: Workspace) -> None:
    text = fresh.secrets.read_text()
    one, other = (entry_lines(text, node) for node in ("w-1", "w-2"))
    mine = "\n".join(one[3:-1])
    theirs = "\n".join(other[3:-1])
    for changed in (text.replace(mine, theirs), text.replace("\n".join(one) + "\n", "")):
        fresh.secrets.write_text(changed)
        refused = as_(keys, "ann", fresh, "build", "c.yaml")
        assert (refused.code, messages(refused)) == (
            3,
            ["does not match its MAC: it was changed without sops [K0903]"],
        )


def test_a_removed_entry_is_made_anew(keys: dict[str, Key], fresh: Workspace) -> None:
    """As the page of K0927 has it; and how a host's key is replaced that was lost to someone."""
    old = host_keys(keys, fresh)
    sops(keys, fresh, "unset", "c.secrets.yaml", '["hostRecipients"][1]')
    refused = as_(keys, "ann", fresh, "build", "c.yaml")
    assert (refused.code, refused.err.count("[K0924]"), refused.err.count("K0")) == (3, 1, 1)
    assert (
        succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml")).out == "c.secrets.yaml: added a key for w-1\n"
    )
    now = host_keys(keys, fresh)
    assert {node for node in now if now[node] == old[node]} == {"cp-1", "w-2"}
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    assert opened_by(keys, fresh, "w-1") == {"w-1": of("w-1", sealed_files(fresh))}


# --- the spec -------------------------------------------------------------------------------------


def indented(text: str) -> str:
    return "|\n" + "".join(f"        {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("form", ["block", "block without end", "one line", "body", "list", "age"])
def test_a_private_key_in_place_of_a_recipient_is_not_repeated(form: str, keys: dict[str, Key], tmp_path: Path) -> None:
    pem = Path(keys["w-1"].environment["SOPS_AGE_SSH_PRIVATE_KEY_FILE"]).read_text()
    body = pem.splitlines()[1:-1]
    identity = Path(keys["cp-1"].environment["SOPS_AGE_KEY_FILE"]).read_text().splitlines()[-1]
    value, code = {
        "block": (indented(pem), "K0326"),
        "block without end": (indented(pem).replace("|", "|-", 1), "K0326"),
        "one line": (json.dumps(pem), "K0326"),
        "body": ("".join(body), "K0326"),
        "list": (json.dumps(pem.splitlines()), "K0203"),
        "age": (identity, "K0326"),
    }[form]
    text = yaml.safe_dump(document(keys, cp_1="spare"), sort_keys=False)
    recipient = keys["spare"].recipient
    assert text.count(recipient) == 1
    (tmp_path / "c.yaml").write_text(text.replace(recipient, value))
    with pytest.raises(KcompileError) as raised:
        pipeline.validate_file(str(tmp_path / "c.yaml"), datetime(2026, 11, 24, tzinfo=UTC))
    said = [FORMATS[style](raised.value.problems) for style in ("json", "sarif", "github")]
    said.append(as_text(raised.value.problems))
    assert [code in text for text in said] == [True] * 4
    assert [line for line in (*body, identity, identity[14:]) for text in said if line in text] == []


def test_validate_says_the_same_without_a_key(keys: dict[str, Key], fresh: Workspace) -> None:
    fresh.write_spec(document(keys, cp_1="ann", w_1=None, w_3="w-2"))
    result = kcompile("validate", "c.yaml", cwd=fresh.path, identity=None)
    ann, theirs = keys["ann"].recipient, keys["cp-1"].recipient
    assert result.code == 3
    assert messages(result) == [
        "warning: spec.controlPlane.nodes[0].recipient: is among spec.secrets.recipients too, so cp-1 opens every "
        "secret of the cluster [K0515]",
        "spec.controlPlane.nodes[0].recipient: in the secrets file the key of cp-1 is still sealed for "
        f"{theirs} [K0925]",
        "warning: spec.nodePools[0].nodes[2].recipient: w-3 and w-2 open each other's secrets: they have the same "
        f"recipient, on line {result.err.split('on line ')[1].split()[0]} [K0514]",
        "spec.nodePools[0].nodes[2].recipient: w-3 has a recipient of its own, and the secrets file has no key for "
        "it [K0924]",
    ]
    assert ann not in result.err.replace(f"recipient: {ann}", "")


def test_diff_tells_a_host_s_recipient_from_everyone_s(keys: dict[str, Key], fresh: Workspace) -> None:
    shutil.copytree(fresh.tree, fresh.path / "before")
    fresh.write_spec(document(keys, w_1="spare"))
    succeed(as_(keys, "ann", fresh, "secrets", "update", "c.yaml"))
    succeed(as_(keys, "ann", fresh, "build", "c.yaml"))
    result = kcompile("diff", "before", fresh.tree, "--format", "json", cwd=fresh.path, identity=None)
    found = [c for c in json.loads(result.out)["changes"] if c["kind"] == "recipient"]
    assert [(c["where"], c["hosts"], c["action"], c["before"], c["after"], c["impact"]) for c in found] == [
        (
            "hosts",
            ["w-1"],
            "removed",
            keys["w-1"].bare,
            None,
            ["may have copied what it could read: new secrets of the host"],
        ),
        ("hosts", ["w-1"], "added", None, keys["spare"].recipient, ["can open what is sealed for the host"]),
        (
            "hosts",
            ["w-1"],
            "changed",
            None,
            None,
            ["whether secrets changed as well is to be told only with an identity"],
        ),
    ]
