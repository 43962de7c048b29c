"""`kcompile build --watch` as a process: files are edited as editors do it, and what it says is waited for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcompile.cli.watch import Watch

from conftest import MakeCluster, Workspace, clean_environment, minimal

SECONDS = 60
"""That a busy machine may take for what takes one."""
EVERY = 0.05
WATCHING = "watching c.yaml and what it names; Ctrl-C ends\n"


class Session:
    """A build that watches, and what it has said since it was last asked."""

    def __init__(self, workspace: Workspace, *options: str) -> None:
        self.workspace = workspace
        self._files = {name: workspace.path / f"said-{name}" for name in ("out", "err")}
        self._read = dict.fromkeys(self._files, 0)
        with self._files["out"].open("wb") as out, self._files["err"].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kcompile", "build", "c.yaml", "--watch", *options],
                cwd=workspace.path,
                env=clean_environment(SOPS_AGE_KEY=workspace.identity, TZ="UTC"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def _new(self, name: str) -> str:
        return self._files[name].read_bytes()[self._read[name] :].decode()

    def says(self, out: str, err: str) -> None:
        """Wait until it has said this, and nothing else. The time of day is read as HH:MM:SS."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if len(self._new("out")) >= len(out) and len(self._new("err")) >= len(err):
                break
            time.sleep(EVERY)
        said = self._new("out"), re.sub(r"(?m)^\d\d:\d\d:\d\d ", "HH:MM:SS ", self._new("err"))
        assert said == (out, err)
        self._read = {name: file.stat().st_size for name, file in self._files.items()}

    def rest(self) -> tuple[str, str]:
        return self._new("out"), self._new("err")

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


Start = Callable[..., Session]


@pytest.fixture
def start(make_cluster: MakeCluster) -> Iterator[Start]:
    sessions = []

    def begin(*options: str, **spec: object) -> Session:
        sessions.append(Session(make_cluster(**spec), *options))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.process.kill()
        session.process.wait()


def change(workspace: Workspace, **spec: object) -> None:
    workspace.write_spec(minimal(workspace.recipient, **spec))


FIRST = "out/test: 59 files written, 0 removed, 0 unchanged\n"
CHANGED = "HH:MM:SS changed: c.yaml\n"


def test_each_save_is_built_and_told(start: Start) -> None:
    session = start(kubelet={"maxPods": 110})
    session.says(FIRST, WATCHING)
    change(session.workspace, kubelet={"maxPods": 200})
    session.says(
        "out/test: 7 files written, 0 removed, 52 unchanged\n"
        "out/test → c.yaml: 2 changes on 1 host\n\n"
        "cp-1\n"
        "  /var/lib/kubelet/config.yaml\n"
        "    ~ maxPods: 110 → 200\n"
        "        impact: restarts the kubelet\n"
        "        cause: spec.kubelet.maxPods\n\n"
        "objects of the cluster\n"
        "  ConfigMap kube-system/kubelet-config\n"
        "    ~ data.kubelet.maxPods: 110 → 200\n"
        "        impact: kubectl apply\n"
        "        cause: spec.kubelet.maxPods\n\n"
        "rollout\n"
        "  1. control plane: cp-1\n"
        "     run install.sh; kubelet restarts\n"
        "     wait until what restarted is Ready\n"
        "  2. objects of the cluster\n"
        "     `kubectl apply -k` of the cluster's objects\n"
        "     wait until rolled-out workloads are available\n",
        CHANGED,
    )
    os.utime(session.workspace.spec)
    session.says("out/test: unchanged, 59 files\n", CHANGED)
    assert (session.interrupt(), *session.rest()) == (130, "", "interrupted\n")


def test_a_broken_spec_is_told_and_mended_as_an_editor_does_it(start: Start) -> None:
    session = start()
    session.says(FIRST, WATCHING)
    spec, new = session.workspace.spec, session.workspace.path / ".c.yaml.swp"
    mended = spec.read_text()
    spec.write_text("a: [\n")
    session.says(
        "",
        CHANGED + "c.yaml:2:1: not valid YAML: nothing where a value should stand [K0104]\n"
        "   hint: write a value, or remove the comma\n",
    )
    new.write_text(mended + "  manifests: [m.yaml]\n")
    new.rename(spec)  # a new file under the old name
    session.says(
        "",
        CHANGED + "c.yaml:17:15: spec.manifests[0]: m.yaml: cannot read the file: No such file or directory [K0101]\n"
        "   17 |   manifests: [m.yaml]\n"
        "      |               ^^^^^^\n"
        "   hint: correct the name, or put the file there\n",
    )
    manifest = session.workspace.path / "m.yaml"
    for name, told in (
        (
            "a",
            "  ConfigMap a\n    + added\n        impact: kubectl apply\n        cause: spec.manifests\n"
            "  cluster/bootstrap.sh\n    + apply manifests/m.yaml\n",
        ),
        (
            "b",
            "  ConfigMap a\n    - removed\n        impact: stays until it is deleted\n"
            "  ConfigMap b\n    + added\n        impact: kubectl apply\n",
        ),
    ):
        manifest.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
        written, unchanged, delete = (6, 54, "") if name == "a" else (4, 56, "; delete ConfigMap a")
        session.says(
            f"out/test: {written} files written, 0 removed, {unchanged} unchanged\n"
            "out/test → c.yaml: 2 changes\n\n"
            f"objects of the cluster\n{told}\n"
            "rollout\n"
            "  1. objects of the cluster\n"
            f"     `kubectl apply -k` of the cluster's objects{delete}\n"
            "     wait until rolled-out workloads are available\n",
            "HH:MM:SS changed: m.yaml\n",
        )


def test_a_secrets_file_that_is_missing_is_waited_for(start: Start) -> None:
    """For machines, nothing stands between the problems of each build."""
    nothing = '{\n "problems": []\n}\n'
    session = start("--format", "json")
    session.says(FIRST, nothing)
    away = session.workspace.path / "away"
    session.workspace.secrets.rename(away)
    problem = {
        "code": "K0901",
        "severity": "error",
        "file": "c.secrets.yaml",
        "line": 1,
        "column": 1,
        "endColumn": 2,
        "path": None,
        "message": "cannot read the file: No such file or directory",
        "hint": "`kcompile secrets create c.yaml` makes it once; a build never does",
    }
    session.says("", json.dumps({"problems": [problem]}, indent=1) + "\n")
    away.rename(session.workspace.secrets)
    session.says("out/test: unchanged, 59 files\n", nothing)


# --- what is watched ------------------------------------------------------------------------------


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def replaced(path: Path) -> None:
    """As most editors save: with the size and even the time of the old file, here."""
    new, status = path.with_suffix(".new"), path.stat()
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.rename(path)


@pytest.mark.parametrize("edit", [rewritten, replaced, Path.unlink])
@pytest.mark.parametrize("name", ["c.yaml", "c.secrets.yaml", "m.yaml", "c.certificates/cp-1/apiserver.crt"])
def test_a_change_of_what_a_build_reads_is_seen(name: str, edit: Callable[[Path], None], tmp_path: Path) -> None:
    for file in ("c.yaml", "c.secrets.yaml", "m.yaml", "c.certificates/cp-1/apiserver.crt", "other.yaml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text('spec: {manifests: [m.yaml, "\\0", 5]}\n')
    watch = Watch(str(tmp_path / "c.yaml"))
    watch.look()
    rewritten(tmp_path / "other.yaml")
    edit(tmp_path / name)
    assert watch.wait() == (tmp_path / name,)


@pytest.mark.parametrize("text", ["a: [\n", "5\n", "spec: 5\n", "spec: {manifests: 5}\n"])
def test_a_spec_that_is_none_is_watched_with_what_goes_with_it(text: str, tmp_path: Path) -> None:
    spec = tmp_path / "c.yaml"
    spec.write_text(text)
    watch = Watch(str(spec))
    watch.look()
    certificate = tmp_path / "c.certificates/x.crt"
    certificate.parent.mkdir()  # which is nothing by itself
    certificate.write_text("x\n")
    (tmp_path / "c.secrets.yaml").write_text("x\n")
    assert watch.wait() == (certificate, tmp_path / "c.secrets.yaml")
