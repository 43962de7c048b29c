"""Secrets are nowhere but in sealed files: not in plain files, output, errors, arguments, or what a crash prints."""

from __future__ import annotations

import base64
import copy
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kcompile import yamlfmt
from kcompile.secret import SEALED, Secret

from conftest import MakeCluster, Workspace, clean_environment, files_below, kcompile, run, tool

FLEET = {
    "bootstrapTokens": [{"id": "abcdef"}],
    "nodePools": [
        {"name": "joining", "nodes": [{"name": "w-1", "address": "10.0.1.1"}]},
        {"name": "issued", "credentials": "issued", "nodes": [{"name": "s-1", "address": "10.0.2.1"}]},
    ],
}


def every_secret(workspace: Workspace) -> set[bytes]:
    """Every secret there is: the identity, what sops opens in the secrets file, what render opens in the tree."""
    opened = yaml.safe_load(
        run(tool("sops"), "decrypt", workspace.secrets, env=clean_environment(SOPS_AGE_KEY=workspace.identity))
    )
    found = {workspace.identity.encode()}

    def visit(value: object, key: str = "") -> None:
        if isinstance(value, dict):
            for name, child in value.items():
                visit(child, name)
        elif isinstance(value, list):
            for child in value:
                visit(child, key)
        elif key in ("key", "secret"):
            found.add(str(value).encode())

    visit(opened)
    for path, content in files_below(workspace.path).items():
        if path.startswith("rendered-"):
            text = content.decode()
            if "PRIVATE KEY" in text:
                found.add(text[text.index("-----BEGIN", text.rfind("END CERTIFICATE") + 1) :].encode())
            for line in text.splitlines():
                if line.strip().startswith(("client-key-data:", "token:", "token-secret:")):
                    found.add(line.split(": ")[1].encode())
    return found


def spellings(secrets: set[bytes]) -> set[bytes]:
    """Each secret as it might show: as it is, line by line, in base64, escaped."""
    forms: set[bytes] = set()
    for secret in secrets:
        forms |= {secret, base64.b64encode(secret), secret.replace(b"\n", b"\\n")}
        lines = [line for line in secret.splitlines() if len(line) >= 16 and not line.startswith(b"-----")]
        if b"PRIVATE KEY" in secret:
            # the other lines hold the public half: an EC key begins with its scalar, an RSA key's exponent is amid
            lines = lines[:1] if b"RSA" not in secret else [lines[len(lines) // 2]]
        forms |= set(lines)
    return forms


def leaks(contents: dict[str, bytes], secrets: set[bytes]) -> list[str]:
    forms = spellings(secrets)
    return [where for where, content in contents.items() if any(form in content for form in forms)]


@pytest.mark.parametrize("algorithm", ["ECDSA-P256", "RSA-2048"])
def test_no_secret_is_in_the_tree_or_the_output(algorithm: str, make_cluster: MakeCluster) -> None:
    pki = {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": algorithm}
    workspace = make_cluster(pki=pki, **FLEET)
    built = workspace.run("build", "c.yaml")
    for what in (["cp-1"], ["w-1"], ["s-1"], ["--cluster"], ["--admin"]):
        workspace.render(*what)
    secrets = every_secret(workspace)
    assert len(secrets) > 20
    assert leaks({"out": built.out.encode(), "err": built.err.encode()}, secrets) == []
    assert leaks(files_below(workspace.path / "out"), secrets) == []
    assert leaks({"spec": workspace.spec.read_bytes(), "secrets": workspace.secrets.read_bytes()}, secrets) == []


def test_the_search_finds_a_planted_secret() -> None:
    secret = b"-----BEGIN X-----\n0123456789abcdefghij\n-----END X-----\n"
    planted = {"plain": b"x" + secret, "encoded": base64.b64encode(secret), "line": b"key 0123456789abcdefghij"}
    assert leaks(planted | {"clean": b"nothing"}, {secret}) == ["plain", "encoded", "line"]


def planted_failures(workspace: Workspace, kind: str) -> None:
    text = workspace.secrets.read_text()
    if kind == "broken-token":
        sops = tool("sops")
        env = clean_environment(SOPS_AGE_KEY=workspace.identity)
        run(sops, "set", workspace.secrets, '["bootstrapTokens"][0]["secret"]', '"PLANTED SECRET"', env=env)
    elif kind == "foreign-key":
        sops = tool("sops")
        env = clean_environment(SOPS_AGE_KEY=workspace.identity)
        key = run(tool("openssl"), "ecparam", "-name", "prime256v1", "-genkey", "-noout")
        value = yaml.safe_dump(key, default_style='"', width=1 << 20).strip()
        run(sops, "set", workspace.secrets, '["authorities"]["etcd"][0]["key"]', value, env=env)
    elif kind == "unsealed":
        opened = run(tool("sops"), "decrypt", workspace.secrets, env=clean_environment(SOPS_AGE_KEY=workspace.identity))
        workspace.secrets.write_text(opened)
    elif kind == "partly-unsealed":
        lines = text.splitlines()
        index = next(i for i, line in enumerate(lines) if line.strip().startswith("secret: ENC["))
        lines[index] = lines[index].split("secret:")[0] + "secret: 0123456789abcdef"
        workspace.secrets.write_text("\n".join(lines) + "\n")
    elif kind == "unknown-field":
        workspace.secrets.write_text(text.replace("bootstrapTokens:", "bootstrapTokenz:"))
    elif kind == "token-in-spec":
        workspace.spec.write_text(
            workspace.spec.read_text().replace("id: abcdef", "id: abcdef.0123456789abcdef\n    tokn: PLANTED")
        )
    elif kind == "unwritable":
        (workspace.path / "out").write_text("a file where the trees should be")


@pytest.mark.parametrize(
    "kind",
    ["broken-token", "foreign-key", "unsealed", "partly-unsealed", "unknown-field", "token-in-spec", "unwritable"],
)
@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_is_in_what_a_failing_build_says(kind: str, style: str, make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    secrets = every_secret(workspace) | {b"PLANTED", b"0123456789abcdef"}
    planted_failures(workspace, kind)
    if kind not in ("unsealed", "partly-unsealed", "token-in-spec", "unwritable", "unknown-field"):
        secrets |= every_secret(workspace)
    result = workspace.run("build", "c.yaml", "--format", style)
    assert result.code in (2, 3, 4)
    assert result.err != ""
    assert "Traceback" not in result.err
    assert leaks({"out": result.out.encode(), "err": result.err.encode()}, secrets) == []


def test_no_secret_is_in_the_arguments_or_the_environment_of_the_process(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    secrets = every_secret(workspace)
    key_file = workspace.path / "identity.txt"
    key_file.write_text(workspace.identity)
    env = clean_environment(SOPS_AGE_KEY_FILE=str(key_file))
    command = [sys.executable, "-m", "kcompile", "build", "c.yaml"]
    seen: dict[str, bytes] = {}
    with subprocess.Popen(command, cwd=workspace.path, env=env, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for name in ("cmdline", "environ"):
                for child in (process.pid, *children(process.pid)):
                    try:
                        seen[f"{child}/{name}"] = Path(f"/proc/{child}/{name}").read_bytes()
                    except OSError:
                        continue
            time.sleep(0.005)
    assert process.returncode == 0
    assert seen
    assert leaks(seen, secrets) == []


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def test_no_temporary_file_holds_a_secret(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """Every file that a build opens for writing is below the tree's own directory."""
    workspace = make_cluster(**FLEET)
    script = tmp_path / "watch.py"
    script.write_text(
        "import os, sys\n"
        "opened = []\n"
        "def hook(event, args):\n"
        "    if event == 'open' and args[2] is not None and args[2] & (os.O_WRONLY | os.O_RDWR):\n"
        "        opened.append(os.path.abspath(args[0]) if isinstance(args[0], str) else repr(args[0]))\n"
        "sys.addaudithook(hook)\n"
        "from kcompile.cli import main\n"
        "try:\n"
        "    main(['build', 'c.yaml'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "print(chr(10).join(sorted(opened)))\n"
    )
    env = clean_environment(SOPS_AGE_KEY=workspace.identity, PYTHONDONTWRITEBYTECODE="1")
    env = {name: value for name, value in env.items() if not name.startswith("COV")}
    out = run(sys.executable, script, cwd=workspace.path, env=env)
    written = [line for line in out.splitlines() if line.startswith("/")]
    assert written
    assert [path for path in written if not path.startswith(f"{workspace.path}/out/.kcompile-staging-test-")] == []


OF_A_SECRETS_FILE = {
    "secret": ("bootstrapTokens:\n- id: abcdef\n    secret: yt24dplantedsecret\n", "4:11: not valid YAML"),
    "pem": (
        "manifestSigning:\n    key: |\n        -----BEGIN PRIVATE KEY-----\n      MC4Cplanted\n",
        "5:7: not valid YAML",
    ),
    "valid": (
        "leafKeys: [{name: a, key: planted}, {name: a, key: planted}]\nleafKeys: planted\n",
        "1:7: this is a secrets file",
    ),
}


@pytest.mark.parametrize("kind", OF_A_SECRETS_FILE)
def test_no_line_of_an_opened_secrets_file_is_shown_whatever_its_name_is(kind: str, tmp_path: Path) -> None:
    text, place = OF_A_SECRETS_FILE[kind]
    (tmp_path / "p3.yaml").write_text(f"kind: ClusterSecrets\n{text}")
    result = kcompile("validate", "p3.yaml", cwd=tmp_path)
    assert (result.code, f"p3.yaml:{place}" in result.err) == (2, True)
    assert ("planted" in result.err, " | " in result.err) == (False, False)


@pytest.mark.parametrize(
    "line",
    [
        "  secret: planted: x",
        '  "key": planted: x',
        "  registryPassword: planted: x",
        "x: y: c2VjcmV0Zg==",
        "x: y: AAAAC3NzaC1lZDI1NTE5AAAAplanted",
    ],
)
def test_a_line_that_cannot_be_read_and_may_hold_a_secret_is_not_shown(line: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"kind: Cluster\n{line}\n")
    result = kcompile("validate", "c.yaml", cwd=tmp_path)
    assert (result.code, result.err.count("K0104"), " | " in result.err) == (2, 1, False)


def test_a_secret_does_not_show() -> None:
    secret = Secret(b"hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr([secret]), repr(SEALED)]
    assert shown == ["<secret>"] * 5 + ["[<secret>]", "<sealed>"]
    assert secret == Secret(b"hunter2")
    assert secret != Secret(b"hunter3")
    assert secret != b"hunter2"
    assert secret.reveal() == b"hunter2"
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy, hash, yamlfmt.dump):
        with pytest.raises(TypeError) as error:
            refuse(secret)
        assert "hunter2" not in str(error.value)
    assert not hasattr(secret, "__dict__")


def test_an_internal_error_shows_no_value(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """What is not understood ends in one line that names the place, not in a traceback."""
    workspace = make_cluster(**FLEET)
    script = tmp_path / "crash.py"
    script.write_text(
        "from kcompile import seal\n"
        "def crash(artifact, sealer):\n"
        "    raise RuntimeError(f'PLANTED {artifact.content!r}')\n"
        "seal.seal = crash\n"
        "from kcompile.cli import main\n"
        "main(['build', 'c.yaml'])\n"
    )
    env = clean_environment(SOPS_AGE_KEY=workspace.identity)
    done = subprocess.run(
        [sys.executable, script], cwd=workspace.path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        70,
        "",
        "internal error: RuntimeError at crash.py:3; please report it\n",
    )
    assert sorted(os.listdir(workspace.path)) == ["c.secrets.yaml", "c.yaml"]
