"""A built tree opened: the files of a host, the cluster's objects, the operator's kubeconfigs, in plain text."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kcompile import identities, names, sops, store, yamlfmt, yamlread
from kcompile.artifact import MANIFEST, PRIVATE_MODE, PRIVATE_SCRIPT_MODE, PUBLIC_MODE, SCRIPT_MODE, SEALED, Policy
from kcompile.errors import OutputError, Position, Problem, SecretsError, SpecError
from kcompile.secret import Secret
from kcompile.store import Opened

_MODES = {f"{mode:04o}": mode for mode in (PRIVATE_MODE, PRIVATE_SCRIPT_MODE, PUBLIC_MODE, SCRIPT_MODE)}
_SEALED_FOR = re.compile(r"hosts/(?P<host>[^/]+)/sealed/(?P<path>.+)", re.DOTALL)
_SERVING = "/kubelet"
"""The kubelet's pair for serving, .crt and .key, which it makes for itself where a tree does not bring it."""
_CLUSTER = "cluster/"
_ADMIN = "admin/"


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    sha256: str
    mode: int
    target: str | None
    policy: Policy


def _entry(file: Mapping[str, object]) -> _Entry:
    """An entry of the manifest. A target is beside its link; sealed files are for their owner alone."""
    path, mode, target = str(file["path"]), _MODES[str(file["mode"])], file.get("target")
    if SEALED.match(path) and mode & 0o077:
        raise ValueError(path)
    if target is not None:
        directory, name = os.path.split(str(target))
        if directory != os.path.dirname(f"/{path.split('/', 3)[-1]}") or name in ("", ".", ".."):
            raise ValueError(path)
    policy = Policy(file.get("policy", Policy.MANAGED.value))
    return _Entry(path, str(file["sha256"]), mode, None if target is None else str(target), policy)


def check_place(to: Path, tree: Path) -> None:
    """Raises SpecError for what lies in a tree or beside it, where what is committed is: no place for plain text."""
    place, root = to.resolve(), tree.resolve()
    trees = root.parent if _holds_trees_alone(root.parent, place) else root
    if place.is_relative_to(trees):
        where = "in" if place.is_relative_to(root) else "beside"
        message = f"lies {where} the tree {tree}, where secrets are sealed"
        hint = f"choose a path outside {trees}, and outside what is committed"
        raise SpecError(Problem("K1010", message, hint=hint, position=Position(str(to), 1, 1)))


def _digest_of(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


def _holds_trees_alone(directory: Path, place: Path) -> bool:
    """Whether a directory is for trees, as ``out/`` is: all in it that is not hidden and not on the way to a place."""
    own = place.relative_to(directory).parts[:1] if place.is_relative_to(directory) else ()
    try:
        others = [entry for entry in directory.iterdir() if entry.name not in own and not entry.name.startswith(".")]
        return all(_is_tree(entry) for entry in others if entry.is_dir() and any(entry.iterdir()))
    except OSError:
        return True


def _is_tree(directory: Path) -> bool:
    """Whether a build made it: a tree, or what one kept of the files of others (K1009)."""
    return (directory / MANIFEST).exists() or ".kept-" in directory.name


class Tree:
    """A tree that stands, by its own manifest. Sealed files are opened with the identities of ``environ``."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._data_keys: dict[tuple[sops.Envelope, ...], Secret] = {}
        manifest = store.load_json(root, MANIFEST)
        try:
            files = manifest["files"]
            if not isinstance(files, list):
                raise TypeError
            self._entries = [_entry(file) for file in files]
            self.cluster_name = str(manifest.get("cluster"))
        except (AttributeError, KeyError, TypeError, ValueError):
            position = Position(str(root / MANIFEST), 1, 1)
            raise SpecError(Problem("K1004", "is no tree manifest of kcompile", position=position)) from None

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts, sorted."""
        return sorted({e.path.split("/")[1] for e in self._entries if e.path.startswith("hosts/")})

    def check_host(self, name: str) -> None:
        """Raises SpecError where the tree has no such host."""
        known = self.hosts
        if name not in known:
            close = names.nearest(name, known)
            hint = f"did you mean {close}?" if close else f"hosts are {', '.join(known[:10])}"
            raise SpecError(
                Problem("K1005", f"there is no host {name}", hint=hint, position=Position(str(self._root), 1, 1))
            )

    def check_no_other(self, name: str, directory: Path) -> None:
        """Raises OutputError where a directory for a host has secrets that another host has and this one has not.

        They would go to the host with its own. Not those that a kubelet makes for itself, too: the directory may be the
        host's own disk. Raises SpecError where the tree has no such host.
        """
        self.check_host(name)
        own: set[str] = set()
        others: dict[str, str] = {}
        served = {entry.sha256 for entry in self._entries if entry.path.endswith(f"{_SERVING}.crt")}
        for entry in self._entries:
            place = _SEALED_FOR.fullmatch(entry.path)
            if place is None:
                continue
            path = place["path"] if entry.target is None else entry.target.removeprefix("/")
            if place["host"] == name:
                own.add(path)
            elif not path.endswith(f"{_SERVING}.key") or _digest_of((directory / path).with_suffix(".crt")) in served:
                others.setdefault(path, place["host"])
        found = [path for path in sorted(others.keys() - own) if os.path.lexists(directory / path)]
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            message = f"has secrets that {others[found[0]]} has and {name} has not: {found[0]}{more}"
            hint = f"remove them, or name a directory that is for {name} alone"
            raise OutputError(Problem("K1016", message, hint=hint, position=Position(str(directory), 1, 1)))

    def host(self, name: str) -> Iterator[Opened]:
        """A host's files, with their paths below /. Raises KcompileError."""
        self.check_host(name)
        for branch in ("rootfs/", "sealed/"):
            prefix = f"hosts/{name}/{branch}"
            for entry in self._entries:
                if entry.path.startswith(prefix):
                    path = entry.path.removeprefix(prefix)
                    target = entry.target.removeprefix("/") if entry.target else None
                    yield Opened(path, self._content(entry), entry.mode, target, entry.policy)

    def folder(self, name: str) -> Iterator[Opened]:
        """A host's folder as it stands, what is sealed still sealed. Raises KcompileError."""
        self.check_host(name)
        prefix = f"hosts/{name}/"
        for entry in self._entries:
            if entry.path.startswith(prefix):
                content = store.read(self._root, entry.path, entry.sha256)
                yield Opened(entry.path.removeprefix(prefix), content, entry.mode)

    def cluster(self) -> Iterator[Opened]:
        """The cluster's objects and what goes with them, sealed ones beside the others."""
        for entry in self._entries:
            if entry.path.startswith(_CLUSTER):
                path = entry.path.removeprefix(_CLUSTER)
                content = self._content(entry)
                if path == "kustomization.yaml":
                    content = content.replace(b"- sealed/", b"- ")
                yield Opened(path.removeprefix("sealed/"), content, entry.mode)

    def admin(self) -> Iterator[Opened]:
        """The operator's kubeconfigs."""
        for entry in self._entries:
            if entry.path.startswith(_ADMIN):
                yield Opened(entry.path.removeprefix(_ADMIN), self._content(entry), entry.mode)

    def _content(self, entry: _Entry) -> bytes:
        content = store.read(self._root, entry.path, entry.sha256)
        return self._open(str(self._root / entry.path), content) if SEALED.match(entry.path) else content

    def _open(self, file: str, content: bytes) -> bytes:
        try:
            found = sops.parse(yamlread.decode(content))
            if found.envelopes not in self._data_keys:
                key = identities.open_data_key(file, found.envelopes, self._environ)
                self._data_keys[found.envelopes] = key
            document = sops.opened(found, self._data_keys[found.envelopes])
        except (sops.SopsError, yamlread.YamlError) as error:
            raise SecretsError(Problem("K0903", str(error), position=Position(file, 1, 1))) from None
        if content.startswith(b"{"):
            data = document.get("data")
            if isinstance(data, Secret):
                return data.reveal()
        return yamlfmt.dump(sops.revealed(document))
