"""What a host gets, taken from its folder in a built tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kcompile import names
from kcompile.artifact import Policy
from kcompile.errors import Position, Problem, SpecError
from kcompile.hosts import KUBELET_DIR, KUBERNETES_DIR
from kcompile.render import Tree
from kcompile.store import Opened

_INDEX = "host.json"
_MANIFESTS = f"{KUBERNETES_DIR}/manifests/"
DIRECTORY_MODE = 0o755
PRIVATE_DIRECTORY_MODE = 0o700
_KUBEADM_PRIVATE = (f"{KUBERNETES_DIR}/manifests", KUBELET_DIR)
"""Made for root alone by kubeadm (MkdirAll with 0700 in its writers of static pods and of the kubelet's files)."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a host in plain text, at its absolute path there."""

    path: str
    content: bytes
    mode: int
    policy: Policy = Policy.MANAGED
    link: str | None = None
    """The absolute path that has to be a symbolic link to the file, in the same directory."""

    @property
    def goes_by(self) -> str:
        """The path that the file is asked for by."""
        return self.link or self.path


@dataclass(frozen=True, slots=True)
class HostFiles:
    """One host: its folder as it stands in the tree, and unless it is to stay sealed, its files in plain text."""

    cluster: str
    name: str
    is_control_plane: bool
    address: str | None
    """The advertise address, where the tree says it."""
    private_directories: tuple[str, ...]
    """Absolute paths of directories that have to be there, for root alone."""
    folder: tuple[Opened, ...]
    """By paths relative to the folder, as host.json has them: rootfs/…, sealed/…, install.sh."""
    files: tuple[File, ...] | None
    """In the order of installing: manifests last, since the kubelet starts a pod as soon as it sees one.

    None where secrets stay sealed.
    """
    runs: bool = False
    """The host runs already: its directories are there, and may be links to a disk of their own."""

    @property
    def title(self) -> str:
        """What comments call it."""
        return f"host {self.name} of cluster {self.cluster}"

    @property
    def rotated(self) -> tuple[str, ...]:
        """The paths that are the host's own from the day that they were there: what its kubelet rotates."""
        return tuple(file.goes_by for file in self.files or () if file.policy is Policy.CREATE)

    def running(self) -> HostFiles:
        """The same for a host that runs already, without what has become its own."""
        files = None if self.files is None else tuple(f for f in self.files if f.policy is not Policy.CREATE)
        return replace(self, files=files, runs=True)

    def own_directories(self) -> Iterator[tuple[str, int]]:
        """Kubernetes' own directories that have to be made, with their modes, parents first; none of the system's."""
        if self.runs:
            return
        found = dict.fromkeys(self.private_directories, PRIVATE_DIRECTORY_MODE)
        for file in self.files or ():
            for parent in map(str, Path(file.path).parents):
                if parent in _KUBEADM_PRIVATE:
                    found[parent] = PRIVATE_DIRECTORY_MODE
                elif any(parent == own or parent.startswith(f"{own}/") for own in (KUBERNETES_DIR, KUBELET_DIR)):
                    found[parent] = DIRECTORY_MODE
        yield from sorted(found.items())


def gather(tree: Tree, root: Path, name: str, *, sealed: bool) -> HostFiles:
    """A host of a tree, with its files opened unless they are to stay sealed. Raises KcompileError."""
    folder = tuple(tree.folder(name))
    try:
        cluster = names.cluster_name(tree.cluster_name)
        names.dns_subdomain(name)
        index: dict[str, Any] = json.loads(next(file.content for file in folder if file.path == _INDEX))
        address = next(iter(index.get("addresses", ())), None)
        private = tuple(map(str, index.get("privateDirectories", ())))
        control_plane = {"control-plane": True, "worker": False}[index["role"]]
    except (StopIteration, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        position = Position(str(root / "hosts" / name / _INDEX), 1, 1)
        raise SpecError(Problem("K1004", "is no index of a host of kcompile", position=position)) from None
    opened = None if sealed else tuple(sorted(map(_file, tree.host(name)), key=_order))
    return HostFiles(cluster, name, control_plane, address, private, folder, opened)


def _file(opened: Opened) -> File:
    if opened.target is None:
        return File(f"/{opened.path}", opened.content, opened.mode, opened.policy)
    return File(f"/{opened.target}", opened.content, opened.mode, opened.policy, link=f"/{opened.path}")


def _order(file: File) -> tuple[bool, str]:
    return file.path.startswith(_MANIFESTS), file.path


def text_of(content: bytes) -> str | None:
    """A file's text, or None where it is none that YAML and JSON carry as it is."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\t\n" for c in text) else None
