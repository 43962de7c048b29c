"""Runs kcompile in children that are killed, held or disturbed at a chosen point of a write.

A ``Runner`` starts this file as a server in which kcompile is imported and warm, and which forks a child for each
command. What it has compiled before it remembers (compiling is a pure function; the writing is what is watched), so
that a whole ``kcompile build`` takes some hundredths of a second and can be killed everywhere.

A point is the moment just before a call that changes the file system: Python's audit events tell them, and the
profiler tells the writing of a file's bytes, before which the file is empty and after which it is not synced.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

NOBODY = 65534
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_DIRECTORY
_CALLS = ("renameat2", "renameatx_np", "syncfs")


# --- in the tests ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """How a command ended. ``code`` is minus the signal that killed it; ``points`` is empty then."""

    code: int
    out: str
    err: str
    points: tuple[str, ...]

    def at(self, kind: str) -> int:
        """The number of the first point of a kind, counted from 1."""
        return next(number for number, point in enumerate(self.points, 1) if point.split(" ")[0] == kind)


class Runner:
    """A warm kcompile. ``prefix`` is a command that runs it elsewhere: in namespaces of its own, for one."""

    def __init__(self, environment: Mapping[str, str], *prefix: str) -> None:
        self._server = subprocess.Popen(
            [*prefix, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
        )

    def _ask(self, **request: Any) -> Any:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def run(self, *args: str | Path, cwd: Path, **how: Any) -> Run:
        """Run a command. ``how``: see :func:`_child`."""
        answer = self._ask(args=[str(arg) for arg in args], cwd=str(cwd), **how)
        return Run(answer["code"], answer["out"], answer["err"], tuple(answer["points"]))

    def hold(self, *args: str | Path, cwd: Path, point: int, **how: Any) -> int | None:
        """Run a command up to a point and leave it stopped there; its process id. None if it ended before."""
        answer = self._ask(args=[str(arg) for arg in args], cwd=str(cwd), point=point, action="stop", **how)
        stopped: int | None = answer.get("stopped")
        return stopped

    def resume(self, held: int) -> Run:
        """Let a command go on that was held, to its end."""
        answer = self._ask(resume=held)
        return Run(answer["code"], answer["out"], answer["err"], tuple(answer["points"]))

    def command(self, *args: str | Path) -> None:
        """Run another command where the children run."""
        assert self._ask(command=[str(arg) for arg in args]) == 0, args

    @property
    def root(self) -> Path:
        """The file system as the children see it."""
        return Path(f"/proc/{self._server.pid}/root")

    def close(self) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


@contextlib.contextmanager
def runner(environment: Mapping[str, str], *prefix: str) -> Iterator[Runner]:
    """A runner that is closed in the end."""
    made = Runner(environment, *prefix)
    try:
        yield made
    finally:
        made.close()


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a directory and the directory itself: kinds, modes and bytes, or the target of a link."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in (root, *sorted(root.rglob("*"))):
        name, status = str(path.relative_to(root)), path.lstat()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", oct(status.st_mode & 0o7777))
        else:
            found[name] = ("file", oct(status.st_mode & 0o7777), path.read_bytes() if path.is_file() else None)
    return found


def lay(root: Path, wanted: Mapping[str, tuple[Any, ...]]) -> None:
    """Make a directory that is equal to a snapshot."""
    shutil.rmtree(root, ignore_errors=True)
    for name, (kind, mode, *content) in wanted.items():
        path = root / name
        if kind == "directory":
            path.mkdir(parents=True)
        else:
            path.write_bytes(content[0])
        path.chmod(int(mode, 8))


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """The inode and the modification time of everything below a directory, and of the directory itself."""
    return {
        str(path.relative_to(root)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in (root, *root.rglob("*"))
    }


def grow_old(root: Path) -> None:
    """Give everything below a directory, and itself, a modification time of long ago."""
    for path in (root, *root.rglob("*")):
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)


def without_token(text: str) -> str:
    """Text without the random part of a staging directory's name."""
    return re.sub(r"(\.kcompile-staging-[a-z0-9-]+)-[0-9a-f]{8}", r"\1-*", text)


@dataclass(frozen=True)
class Change:
    """A cluster before and after its spec was changed: old/c.yaml and new/c.yaml, which both build out/test.

    The change leaves some files as they are, rewrites some, removes some and adds some. What they are to build
    stands in ``old`` and ``new``, and the old one in out/test.
    """

    path: Path
    key: str = field(repr=False)
    runner: Runner = field(repr=False)
    old: dict[str, tuple[Any, ...]] = field(repr=False)
    new: dict[str, tuple[Any, ...]] = field(repr=False)

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def tree(self) -> Path:
        return self.out / "test"

    def run(self, *args: str | Path, **how: Any) -> Run:
        return self.runner.run(*args, cwd=self.path, **{"env": {"SOPS_AGE_KEY": self.key}, **how})

    def build(self, which: str, **how: Any) -> Run:
        return self.run("build", f"{which}/c.yaml", **how)

    def hold(self, which: str, point: int, **how: Any) -> int | None:
        env = {"SOPS_AGE_KEY": self.key}
        return self.runner.hold("build", f"{which}/c.yaml", cwd=self.path, point=point, env=env, **how)

    def restore(self) -> None:
        """The old tree and nothing else in out/."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        lay(self.tree, self.old)

    def copy(self, path: Path) -> Change:
        shutil.copytree(self.path, path, symlinks=True)
        return replace(self, path=path)


def make_change(path: Path, runner: Runner) -> Change:
    """A changed cluster in a new directory."""
    import pyrage

    from conftest import minimal

    identity = pyrage.x25519.Identity.generate()
    env = {"SOPS_AGE_KEY": str(identity)}
    worker = {"name": "workers", "credentials": "issued"}
    specs: dict[str, dict[str, Any]] = {
        "old": {
            "kubelet": {"maxPods": 100},
            "nodePools": [{**worker, "nodes": [{"name": "w-1", "address": "10.0.1.1"}]}],
            "manifests": ["stays.yaml", "goes/away.yaml"],
        },
        "new": {
            "kubelet": {"maxPods": 200},
            "nodePools": [{**worker, "nodes": [{"name": "w-2", "address": "10.0.1.2"}]}],
            "manifests": ["stays.yaml", "comes/along.yaml"],
        },
    }
    for which, fields in specs.items():
        for name in fields["manifests"]:
            file = path / which / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {file.stem}\n")
        (path / which / "c.yaml").write_text(json.dumps(minimal(str(identity.to_public()), **fields)))
    made = runner.run("secrets", "create", "old/c.yaml", cwd=path, env=env)
    assert made.code == 0, made.err
    shutil.copy(path / "old" / "c.secrets.yaml", path / "new")
    for which in specs:
        done = runner.run("build", f"{which}/c.yaml", "--out", f"trees/{which}", cwd=path, env=env, warm=True)
        assert done.code == 0, done.err
    trees = {which: snapshot(path / "trees" / which / "test") for which in specs}
    shutil.rmtree(path / "trees")
    change = Change(path, str(identity), runner, **trees)
    change.restore()
    return change


# --- in the child ---------------------------------------------------------------------------------


class _Watch:
    """Counts points, and acts at one of them."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.points: list[str] = []
        self._at: int = request.get("point", 0)
        self._action: str = request.get("action", "kill")
        self._write: Sequence[str] = request.get("write", ())
        self._frees: int = request.get("frees", 0)
        self._busy = False

    def _point(self, kind: str, place: object = "") -> None:
        if self._busy:
            return
        if not self.points:
            sys.setprofile(self._profile)
        self.points.append(f"{kind} {os.fsdecode(place) if isinstance(place, str | bytes | os.PathLike) else place}")
        if len(self.points) != self._at:
            return
        if self._action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self._action == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        elif self._action == "write":
            self._busy = True
            path, content = self._write
            Path(path).write_text(content)
            self._busy = False

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(args[0], int) and args[2] & _WRITING:  # a number is a file that is open already
                self._point("open", args[0])
        elif event == "ctypes.dlsym":
            if args[1] in _CALLS:
                self._point(args[1])
        elif event.startswith("fcntl.") and self._frees:
            os.kill(self._frees, signal.SIGCONT)
        elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate"):
            self._point(event.removeprefix("os."), args[1] if event in ("os.rename", "os.link") else args[0])
        elif event in ("os.chmod", "os.chown", "os.utime"):
            self._point(event.removeprefix("os."), args[0])

    def _profile(self, frame: object, event: str, function: Any) -> None:
        if event not in ("c_call", "c_return"):
            return
        if isinstance(getattr(function, "__self__", None), io.FileIO) and function.__name__ == "write":
            self._point("write" if event == "c_call" else "written")
        elif function is os.fsync and event == "c_call":
            self._point("fsync")


def _no_link(*args: object, **kwargs: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def _command(args: Sequence[str]) -> int:
    from kcompile import cli

    try:
        cli.main(args)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    raise AssertionError("click always exits")


def _child(request: Mapping[str, Any], report: io.BufferedIOBase) -> int:
    """Run one command.

    ``env``: more environment; ``umask``; ``uid``: who runs it; ``exchange=False``, ``link=False``: a file system
    that has none; ``alarm``: a number of seconds after which it must have hung and is ended; ``point``: the number
    of the point at which to act; ``action``: kill, stop, interrupt (Ctrl-C), or write, a file (``write``: path,
    content); ``frees``: a process to continue as soon as this one locks a file.
    """
    from kcompile import filesystem

    os.chdir(request["cwd"])
    os.environ.update(request.get("env", {}))
    if "umask" in request:
        os.umask(request["umask"])
    if not request.get("exchange", True):
        filesystem.exchange = lambda one, other: False
    if not request.get("link", True):
        os.link = _no_link  # type: ignore[assignment]
    if "alarm" in request:
        signal.alarm(request["alarm"])
    if "uid" in request:
        os.setgroups([])
        os.setgid(request["uid"])
        os.setuid(request["uid"])
    watch = _Watch(request)
    sys.addaudithook(watch.audit)
    code = _command(request["args"])
    sys.setprofile(None)
    report.write(json.dumps(watch.points).encode())
    report.flush()
    return code


# --- in the server --------------------------------------------------------------------------------

_Files = tuple[Any, ...]
_held: dict[int, _Files] = {}


def _fork(request: Mapping[str, Any]) -> tuple[int, _Files]:
    files = tuple(tempfile.TemporaryFile() for _ in range(3))  # noqa: SIM115 - a child's, to be read after its end
    pid = os.fork()
    if pid:
        return pid, files
    code = 97
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(files[0].fileno(), 1)
        os.dup2(files[1].fileno(), 2)
        code = _child(request, files[2])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - shown, for the child ends here
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _text(file: Any) -> str:
    file.seek(0)
    content: bytes = file.read()
    file.close()
    return content.decode()


def _wait(pid: int, files: _Files) -> dict[str, Any]:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        _held[pid] = files
        return {"stopped": pid}
    out, err, points = map(_text, files)
    return {"code": os.waitstatus_to_exitcode(status), "out": out, "err": err, "points": json.loads(points or "[]")}


def _warm(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a command in the server itself, so that its children find everything loaded and cached."""
    os.chdir(request["cwd"])
    before = dict(os.environ)
    os.environ.update(request.get("env", {}))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        code = _command(request["args"])
    os.environ.clear()
    os.environ.update(before)
    gc.collect()
    gc.freeze()  # so that children share what is in memory instead of copying it
    return {"code": code, "out": "", "err": err.getvalue(), "points": []}


def _remembering(assemble: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[tuple[Any, ...], Any] = {}

    def remembered(spec: Any, cluster: Any, keyring: Any, inputs: Any, sealed: Any) -> Any:
        key = (spec.file, json.dumps(inputs))
        if key not in known:
            known[key] = assemble(spec, cluster, keyring, inputs, sealed)
        return known[key]

    return remembered


def _serve() -> None:
    import importlib
    import pkgutil

    import kcompile
    from kcompile import pipeline

    for module in pkgutil.walk_packages(kcompile.__path__, "kcompile."):
        if module.name != "kcompile.__main__":
            importlib.import_module(module.name)
    pipeline.assemble = _remembering(pipeline.assemble)
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any
        if "command" in request:
            answer = subprocess.run(request["command"], stdout=sys.stderr, check=False).returncode
        elif "resume" in request:
            os.kill(request["resume"], signal.SIGCONT)
            answer = _wait(request["resume"], _held.pop(request["resume"]))
        elif request.get("warm"):
            answer = _warm(request)
        else:
            answer = _wait(*_fork(request))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
