"""The command line as a new user meets it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, clean_environment, kcompile, run, succeed, tool

COMMANDS = (
    ["build"],
    ["render"],
    ["validate"],
    ["secrets", "create"],
    ["secrets", "update"],
    ["init"],
    ["csr"],
    ["schema"],
)


def test_help_lists_the_commands() -> None:
    out = succeed(kcompile("--help")).out
    assert [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()] == [
        "build",
        "csr",
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
        "next: kcompile build clusters/lab.yaml\n"
    )
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    spec = yaml.safe_load((tmp_path / "clusters/lab.yaml").read_text())
    assert spec["metadata"] == {"name": "lab"}
    assert spec["spec"]["secrets"] == {"recipients": [recipient]}
    assert spec["spec"]["controlPlane"]["nodes"] == [{"name": "k8s-master", "address": "192.168.217.143"}]
    assert succeed(kcompile("validate", "clusters/lab.yaml", "clusters/lab.secrets.yaml", cwd=tmp_path)).err == ""
    built = succeed(kcompile("build", "clusters/lab.yaml", cwd=tmp_path, identity=None, HOME=str(home)))
    assert (built.out, built.err) == ("out/lab: 52 files written, 0 removed, 0 unchanged\n", "")


def test_init_uses_the_identity_at_hand_and_makes_none(tmp_path: Path) -> None:
    result = succeed(
        kcompile("init", "c.yaml", "--control-plane", "a=10.0.0.1", cwd=tmp_path, HOME=str(tmp_path / "home"))
    )
    recipient = run(tool("age-keygen"), "-y", ROOT / "clusters/keys/alice.txt").strip()
    assert result.out.splitlines()[0] == f"sealing for the identity at hand: {recipient}"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.secrets.yaml", "c.yaml"]


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
            "is required with 2 control-plane nodes",
        ),
        (["--control-plane", "a=10.0.0.1", "--kubernetes-version", "v1.2.3"], 2, "v1.2.3 is not supported"),
        (["--control-plane", "a=10.0.0.1", "--recipient", "age1x"], 2, "'age1x' is not an age recipient"),
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
            f"{there}:1:1: is there already\n   hint: nothing is overwritten: choose another name\n",
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
        "import sys\nfrom kcompile import cli\ncli._Bar._AFTER_SECONDS = 0\ncli.main(['build', 'c.yaml'])\n"
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
    assert b"52 files written" in shown


def test_python_m_and_the_installed_command_are_the_same() -> None:
    assert run(tool("kcompile"), "--version") == succeed(kcompile("--version")).out == "kcompile, version 0.1.0\n"
