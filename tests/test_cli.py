"""The command line as a new user meets it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ROOT, clean_environment, kcompile, run, succeed, tool

COMMANDS = (
    ["build"],
    ["render"],
    ["validate"],
    ["secrets", "create"],
    ["secrets", "update"],
    ["init"],
    ["certs"],
    ["csr"],
    ["explain"],
    ["schema"],
    ["diff"],
    ["export"],
)


def test_help_lists_the_commands() -> None:
    out = succeed(kcompile("--help")).out
    assert [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()] == [
        "build",
        "certs",
        "check",
        "csr",
        "diff",
        "explain",
        "export",
        "init",
        "render",
        "schema",
        "secrets",
        "validate",
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_each_says_what_it_does_with_an_example(command: list[str]) -> None:
    out = succeed(kcompile(*command, "--help")).out
    assert out.startswith(f"Usage: kcompile {' '.join(command)} ")
    assert f"  kcompile {' '.join(command)}" in out.split("Example")[1]


def test_init_makes_a_spec_its_secrets_and_an_identity(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    result = succeed(
        kcompile(
            *("init", "clusters/lab.yaml", "--control-plane", "k8s-master=192.168.217.143"),
            cwd=tmp_path,
            identity=None,
            HOME=str(home),
        )
    )
    keys = home / ".config/sops/age/keys.txt"
    recipient = run(tool("age-keygen"), "-y", keys).strip()
    assert result.out == (
        f"~/.config/sops/age/keys.txt: made a new age identity, {recipient}; keep a copy, it opens every secret\n"
        "clusters/lab.yaml: made\n"
        "clusters/lab.secrets.yaml: made\n"
        ".sops.yaml: made, for `sops updatekeys`\n"
        "next: kcompile build clusters/lab.yaml\n"
    )
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    spec = yaml.safe_load((tmp_path / "clusters/lab.yaml").read_text())
    assert spec["metadata"] == {"name": "lab"}
    assert spec["spec"]["secrets"] == {"recipients": [recipient]}
    assert spec["spec"]["controlPlane"]["nodes"] == [{"name": "k8s-master", "address": "192.168.217.143"}]
    assert succeed(kcompile("validate", "clusters/lab.yaml", "clusters/lab.secrets.yaml", cwd=tmp_path)).err == ""
    built = succeed(kcompile("build", "clusters/lab.yaml", cwd=tmp_path, identity=None, HOME=str(home)))
    assert (built.out, built.err) == ("out/lab: 59 files written, 0 removed, 0 unchanged\n", "")


def test_init_uses_the_identity_at_hand_and_makes_none(tmp_path: Path) -> None:
    result = succeed(
        kcompile("init", "c.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path, HOME=str(tmp_path / "home"))
    )
    recipient = run(tool("age-keygen"), "-y", ROOT / "clusters/keys/alice.txt").strip()
    assert result.out.splitlines()[0] == f"sealing for the identity at hand: {recipient}"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".sops.yaml", "c.secrets.yaml", "c.yaml"]


def test_init_with_workers_and_an_endpoint_builds(tmp_path: Path) -> None:
    nodes = [f"--control-plane=cp-{i}=10.0.0.{i}" for i in (1, 2, 3)] + ["--worker", "w.example.com=10.0.1.1"]
    succeed(kcompile("init", "prod.yaml", *nodes, "--endpoint", "api.example.com:6443", cwd=tmp_path))
    succeed(kcompile("build", "prod.yaml", cwd=tmp_path))
    assert sorted(p.name for p in (tmp_path / "out/prod/hosts").iterdir()) == ["cp-1", "cp-2", "cp-3", "w.example.com"]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--control-plane", "a"], 2, "'a' is not NAME=ADDRESS"),
        (["--control-plane", "A_b=10.0.0.1"], 2, "'A_b' is not an RFC 1123 subdomain"),
        (["--control-plane", "a=10.0.0.1/8"], 2, "'10.0.0.1/8' is not an IP address"),
        ([], 2, "Missing option '--control-plane'"),
        (
            ["--control-plane", "a=10.0.0.1", "--control-plane", "b=10.0.0.2"],
            2,
            "is required with more than one control-plane node",
        ),
        (["--control-plane", "a=10.0.0.1", "--kubernetes-version", "v1.2.3"], 2, "v1.2.3 is not supported"),
        (["--control-plane", "a=10.0.0.1", "--recipient", "age1x"], 2, "recipients[0]: is not an age recipient"),
    ],
)
def test_init_refuses_and_leaves_nothing(args: list[str], code: int, says: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    result = kcompile("init", "c.yaml", *args, cwd=tmp_path, identity=None, HOME=str(home))
    assert result.code == code
    assert says in result.err
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    for name in ("c.yaml", "d.secrets.yaml"):
        (tmp_path / name).write_text("mine")
    for name, there in (("c.yaml", "c.yaml"), ("d.yaml", "d.secrets.yaml")):
        result = kcompile("init", name, "--control-plane", "a=10.0.0.1", cwd=tmp_path)
        assert (result.code, result.err) == (
            4,
            f"{there}:1:1: is there already [K1001]\n   hint: nothing is overwritten: choose another name\n",
        )
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"c.yaml": "mine", "d.secrets.yaml": "mine"}


def test_the_progress_bar_is_for_terminals(tmp_path: Path) -> None:
    """Through a pipe nothing of it shows; on a terminal it does once a build has taken over a second."""
    import os
    import pty
    import sys

    succeed(kcompile("init", "c.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path))
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys\nfrom kcompile import cli\ncli.console.Bar._AFTER_SECONDS = 0\ncli.main(['build', 'c.yaml'])\n"
    )
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ROOT / "clusters/keys/alice.txt"), TERM="xterm")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, [sys.executable, str(script)], env)
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"writing files" in shown
    assert b"59 files written" in shown


def test_python_m_and_the_installed_command_are_the_same() -> None:
    assert run(tool("kcompile"), "--version") == succeed(kcompile("--version")).out == "kcompile, version 0.1.0\n"


def test_init_makes_what_sops_updatekeys_reads(tmp_path: Path) -> None:
    succeed(kcompile("init", "clusters/lab.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path))
    other = "age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf"
    alice = run(tool("age-keygen"), "-y", ROOT / "clusters/keys/alice.txt").strip()
    rules = tmp_path / ".sops.yaml"
    assert yaml.safe_load(rules.read_text()) == {
        "creation_rules": [{"path_regex": r"\.secrets\.ya?ml$", "encrypted_regex": "^(key|secret)$", "age": alice}]
    }
    rules.write_text(rules.read_text().replace(alice, f"{alice},{other}"))
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    run(tool("sops"), "updatekeys", "--yes", "clusters/lab.secrets.yaml", cwd=tmp_path, env=env)
    built = succeed(kcompile("build", "clusters/lab.yaml", cwd=tmp_path))
    assert built.err.splitlines()[0].endswith(f"the secrets file is sealed for {other} [K0919]")
    succeed(kcompile("init", "clusters/two.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path))
    assert other in rules.read_text()  # what stands is left as it is


def test_init_gives_ranges_of_the_node_s_families(tmp_path: Path) -> None:
    for name, address in (("six", "fd00::4"), ("both", "10.0.0.4,fd00::4")):
        succeed(kcompile("init", f"{name}.yaml", "--control-plane", f"a={address}", cwd=tmp_path))
        succeed(kcompile("build", f"{name}.yaml", cwd=tmp_path))
    ranges = {
        name: yaml.safe_load((tmp_path / f"{name}.yaml").read_text())["spec"]["networking"] for name in ("six", "both")
    }
    assert ranges == {
        "six": {"podSubnet": "fd00:10:244::/56", "serviceSubnet": "fd00:10:96::/112"},
        "both": {
            "podSubnet": "10.244.0.0/16,fd00:10:244::/56",
            "serviceSubnet": "10.96.0.0/16,fd00:10:96::/112",
        },
    }


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (
            {"SOPS_AGE_KEY_FILE": "/nowhere/keys.txt"},
            "SOPS_AGE_KEY_FILE (/nowhere/keys.txt): No such file or directory",
        ),
        (
            {"SOPS_AGE_KEY": "AGE-SECRET-KEY-1TYPO"},
            "SOPS_AGE_KEY: line 1 is not an age identity; SOPS_AGE_KEY: 0 identities",
        ),
        ({"SOPS_AGE_KEY_CMD": "sh -c 'exit 3'"}, "SOPS_AGE_KEY_CMD: exit status 3"),
    ],
)
def test_init_makes_no_identity_where_one_was_meant(env: dict[str, str], says: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    result = kcompile(
        "init", "c.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path, identity=None, HOME=str(home), **env
    )
    assert (result.code, result.out, result.err) == (
        3,
        "",
        f"no identity can be read where the environment says one is: {says} [K0922]\n"
        "   hint: mend it, or name a --recipient\n",
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]


@pytest.mark.parametrize(
    "args",
    [
        ("render", "prod", "w-1", "--to", ""),
        ("render", "", "w-1", "--to", "to"),
        ("build", "c.yaml", "--out", ""),
        ("build", ""),
        ("validate", "c.yaml", ""),
    ],
)
def test_an_empty_name_is_not_the_current_directory(args: tuple[str, ...], tmp_path: Path) -> None:
    result = kcompile(*args, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].endswith(": the name is empty")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args", [("--help",), ("build", "--help"), ("schema",), ("validate", str(ROOT / "clusters/lab.yaml"))]
)
def test_standard_output_that_is_full(args: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kcompile", *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    code = "" if "--help" in args else " [K1011]"  # click writes its help itself
    assert (done.returncode, done.stderr) == (4, f"cannot write to standard output: No space left on device{code}\n")


def test_a_closed_standard_error_does_not_matter(examples: Path, tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -m kcompile build clusters/lab.yaml --out "{tmp_path}" 2>&-'
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    assert (
        run("sh", "-c", command, cwd=examples, env=env) == f"{tmp_path}/lab: 55 files written, 0 removed, 0 unchanged\n"
    )


def test_an_interrupt_while_modules_load_ends_the_process_without_a_word(examples: Path) -> None:
    """An interrupt that arrives in the first lines of the command, before the command line is there."""
    program = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'kcompile.cli':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from kcompile.__main__ import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
