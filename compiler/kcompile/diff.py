"""Two trees compared by what they mean for hosts and the cluster. Pure: values in, values out.

Equal differences of many hosts, and of many files of the same hosts, are one change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kcompile import meaning
from kcompile.artifact import MANIFEST, SEALED, SIGNATURE
from kcompile.meaning import Action, Difference, Kind

_HOST_FILE = re.compile(r"hosts/([^/]+)/(rootfs|sealed)(/.*)", re.DOTALL)
_BESIDE = re.compile(r"hosts/([^/]+)/([^/]+)", re.DOTALL)
_DESCRIPTIONS = re.compile(
    r"README\.md|kcompile\.json|kcompile\.json\.sig|cluster/kustomization\.yaml"
    r"|hosts/[^/]+/(host\.json|\w+/etc/kubernetes/kubeadm-(join|discovery)\.yaml)"
)
"""Files that only say what else there is, or say it once more to kubeadm."""
_API_SERVER = "rootfs/etc/kubernetes/manifests/kube-apiserver.yaml"
_TOKEN = re.compile(rb"ENC\[AES256_GCM,[^]]*\]")
_ENVELOPE = re.compile(rb"BEGIN AGE ENCRYPTED FILE-----(?:\\n|\s+)([A-Za-z0-9+/]+)")
"""The first line of an envelope, which tells it from any other."""
DATA_KEY = "data key"
_KUBELET_VERSION = re.compile(rb'^ "kubeletVersion": "(v[0-9.]+)",$', re.MULTILINE)
UNLISTED = "unlisted"
"""The policy of a file that kcompile did not write."""
CLUSTER, ADMIN, TREE = "cluster", "admin", "tree"
"""Where a change is that is not on a host."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a tree: its bytes there, and what it is to be on a host."""

    content: bytes
    mode: str = "0644"
    policy: str = "managed"
    target: str | None = None


@dataclass(frozen=True)
class Tree:
    """A compiled tree as a value. ``name`` is what messages call it."""

    name: str
    files: Mapping[str, File]

    @classmethod
    def of(cls, name: str, contents: Mapping[str, bytes]) -> Tree:
        """A tree from the bytes of its files; those that kcompile.json does not list are of no policy.

        Raises ValueError where it is none.
        """
        try:
            listed = json.loads(contents[MANIFEST])["files"]
            files = {path: File(content, policy=UNLISTED) for path, content in contents.items()}
            files |= {path: File(contents[path]) for path in (MANIFEST, SIGNATURE) if path in contents}
            for entry in listed:
                path, facts = entry["path"], (entry["mode"], entry["policy"], entry.get("target"))
                if not all(isinstance(fact, str) for fact in facts[:2]) or not isinstance(facts[2], str | None):
                    raise ValueError(name)
                if path in contents:
                    files[path] = File(contents[path], *facts)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(name) from error
        return cls(name, files)

    def listed(self) -> Tree:
        """The tree without what kcompile did not write, which a build keeps."""
        return Tree(self.name, {path: file for path, file in self.files.items() if file.policy != UNLISTED})

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """kcompile.json, or nothing where it cannot be read."""
        try:
            found = json.loads(self.files[MANIFEST].content)
        except (KeyError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def kubernetes_version(self) -> str | None:
        """The version of the control plane."""
        version = self.manifest.get("kubernetesVersion")
        return version if isinstance(version, str) else None

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The hosts' names, those of the control plane first."""
        names = {path.split("/", 2)[1] for path in self.files if path.startswith("hosts/")}
        return tuple(sorted(names, key=lambda name: (not self.is_control_plane(name), natural(name))))

    def is_control_plane(self, host: str) -> bool:
        """Whether an API server runs on a host."""
        return f"hosts/{host}/{_API_SERVER}" in self.files

    def kubelet_version(self, host: str) -> str | None:
        """The version of the kubelet that a host is to run, as its host.json says."""
        index = self.files.get(f"hosts/{host}/host.json")
        found = _KUBELET_VERSION.search(index.content) if index else None
        return found[1].decode() if found else self.kubernetes_version


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, and everywhere it is. ``hosts`` is empty of what is not on a host; ``where`` then says where."""

    kind: Kind
    subject: str
    action: Action
    before: str | None
    after: str | None
    where: str
    """``hosts``, ``cluster``, ``admin`` or ``tree``."""
    paths: tuple[str, ...]
    """Of a file its path on the host, or in the tree; of an object of the cluster its kind and name."""
    hosts: tuple[str, ...] = ()
    policy: str = "managed"
    impact: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """A key by which w-2 comes before w-10."""
    return tuple((text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name))


def compare(before: Tree, after: Tree) -> tuple[Change, ...]:
    """Every change between two trees. Equal trees, byte for byte, give none, and no others do."""
    collected = _Collected(under_another_key(before, after))
    _compare_hosts(before, after, collected)
    _compare_kubelets(before, after, collected)
    gone = {*before.hosts} ^ {*after.hosts}
    described = []
    for path in sorted({*before.files, *after.files}):
        old, new = before.files.get(path), after.files.get(path)
        if old == new or (path.startswith("hosts/") and path.split("/", 2)[1] in gone):
            continue
        if _DESCRIPTIONS.fullmatch(path):
            described.append(path)
        elif not (path.startswith("cluster/") and path.endswith(".yaml")):
            where, host, shown = _place(path)
            policy = (new or old or File(b"")).policy
            told = list(_file(path, old, new))
            if not told:
                described.append(path)
            for change in told:
                if change.kind != "secret" or path not in collected.incomparable:
                    collected.add(change, where, shown, host, policy)
    described += _compare_objects(before, after, collected)
    for path in sorted(collected.incomparable):
        collected.add(Difference("recipient", DATA_KEY, "changed"), TREE, "", _place(path)[1])
    changes = collected.changes([*after.hosts, *before.hosts])
    if not changes and described:
        follows = Difference("file", "only what describes the tree", "changed")
        collected.add_all(follows, TREE, described)
        changes = collected.changes(())
    return changes


def under_another_key(before: Tree, after: Tree) -> frozenset[str]:
    """The sealed files whose data key is another one on the other side, so that ciphertext tells nothing.

    Files with the same envelopes have the same key. It stayed if an envelope did, or any ciphertext: what is equal is
    sealed the same.
    """
    groups: dict[frozenset[bytes], list[str]] = {}
    kept: set[frozenset[bytes]] = set()
    for path, old in before.files.items():
        new = after.files.get(path)
        if new is None or not SEALED.match(path):
            continue
        envelopes = frozenset(_ENVELOPE.findall(old.content))
        groups.setdefault(envelopes, []).append(path)
        if envelopes not in kept and (
            not envelopes.isdisjoint(_ENVELOPE.findall(new.content))
            or not {*_TOKEN.findall(old.content)}.isdisjoint(_TOKEN.findall(new.content))
        ):
            kept.add(envelopes)
    return frozenset(path for envelopes, paths in groups.items() if envelopes not in kept for path in paths)


@dataclass
class _Collected:
    """Differences, with the hosts that have them."""

    incomparable: frozenset[str]
    """Sealed files whose secrets cannot be compared."""
    found: dict[tuple[Difference, str, str, str], dict[str, None]] = field(default_factory=dict)

    def add(self, change: Difference, where: str, path: str, host: str | None, policy: str = "managed") -> None:
        if change.kind == "recipient":  # they are the same of every sealed file, or of every one of a host
            where, path, policy = "hosts" if host else TREE, "sealed files", "managed"
        hosts = self.found.setdefault((change, where, path, policy), {})
        if host is not None:
            hosts[host] = None

    def add_all(self, change: Difference, where: str, paths: Iterable[str]) -> None:
        for path in paths:
            self.add(change, where, path, None)

    def changes(self, order: Sequence[str]) -> tuple[Change, ...]:
        """One change for each difference and set of hosts, in the order of places, hosts and files."""
        rank = {host: index for index, host in reversed(list(enumerate(order)))}
        merged: dict[tuple[Difference, str, str, tuple[str, ...]], list[str]] = {}
        for (change, where, path, policy), hosts in self.found.items():
            if where == "hosts" and (change, TREE, path, policy) in self.found:
                continue  # a recipient of the whole tree
            key = (change, where, policy, tuple(sorted(hosts, key=lambda host: rank[host])))
            merged.setdefault(key, []).append(path)
        found = [
            Change(c.kind, c.subject, c.action, c.before, c.after, where, tuple(paths), hosts, policy)
            for (c, where, policy, hosts), paths in merged.items()
        ]
        places = {"hosts": 0, CLUSTER: 1, ADMIN: 2, TREE: 3}
        return tuple(
            sorted(
                found,
                key=lambda c: (
                    places[c.where],
                    [rank[host] for host in c.hosts[:1]],
                    -len(c.hosts),
                    c.hosts,
                    c.kind != "host",
                    c.paths,
                ),
            )
        )


def _place(path: str) -> tuple[str, str | None, str]:
    """Where a file is, on which host, and its path there."""
    if found := _HOST_FILE.fullmatch(path):
        return "hosts", found[1], found[3]
    if found := _BESIDE.fullmatch(path):
        return "hosts", found[1], found[2]
    first = path.split("/", 1)[0]
    return (first if first in (CLUSTER, ADMIN) else TREE), None, path


def _compare_hosts(before: Tree, after: Tree, collected: _Collected) -> None:
    for old, new, action in ((before, after, "added"), (after, before, "removed")):
        for host in new.hosts:
            if host not in old.hosts:
                role = "control-plane host" if new.is_control_plane(host) else "worker"
                collected.add(Difference("host", role, "added" if action == "added" else "removed"), "hosts", "", host)


def _compare_kubelets(before: Tree, after: Tree, collected: _Collected) -> None:
    for host in after.hosts:
        was, now = before.kubelet_version(host), after.kubelet_version(host)
        if host in before.hosts and was != now:
            collected.add(Difference("file", "kubelet", "changed", was, now), "hosts", "host.json", host)


def _file(path: str, old: File | None, new: File | None) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference("file", "", "added" if old is None else "removed")
        return
    if old.content != new.content:
        found = meaning.differences(path, old.content, new.content)
        listed = path.endswith(("/install.sh", "/preflight.sh"))  # what they list is told elsewhere
        yield from found or (() if listed else (Difference("file", "order", "reordered"),))
    for name, was, now in (
        ("mode", old.mode, new.mode),
        ("policy", old.policy, new.policy),
        ("target", old.target, new.target),
    ):
        if was != now:
            yield Difference("file", name, "changed", was, now)


# --- objects of the cluster -----------------------------------------------------------------------


def _identity(document: Any, path: str, index: int) -> str:
    """An object's kind, with its group unless that is Kubernetes' own, and name; its place where it has none."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or "name" not in metadata:
        return f"{path}#{index}"
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    group = str(document.get("apiVersion")).rpartition("/")[0]
    is_custom = "." in group and not group.endswith(".k8s.io")
    kind = f"{document.get('kind')}.{group}" if is_custom else document.get("kind")
    return f"{kind} {place}{metadata['name']}"


def _objects(tree: Tree, others: Mapping[str, File]) -> dict[str, Any]:
    """The objects of the files that are not the same on the other side. Each is known by kind and name alone."""
    found: dict[str, Any] = {}
    for path, file in tree.files.items():
        if not _is_of_objects(path):
            continue
        if path in others and others[path].content == file.content:
            continue
        try:
            documents = meaning.documents(file.content)
        except ValueError:
            documents = [{"unreadable": path}]
        for index, document in enumerate(documents):
            found[_identity(document, path, index)] = document
    return found


def _compare_objects(before: Tree, after: Tree, collected: _Collected) -> list[str]:
    """The files of objects whose change is none of an object or of their order, but of a comment."""
    old, new = _objects(before, after.files), _objects(after, before.files)
    changed = [p for p in sorted({*before.files, *after.files}) if before.files.get(p) != after.files.get(p)]
    changed = [path for path in changed if _is_of_objects(path)]
    if old == new and list(old) == list(new) and all(p in before.files and p in after.files for p in changed):
        return changed
    if old == new:
        collected.add(Difference("file", "order", "reordered"), CLUSTER, "objects", None)
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            changes: tuple[Difference, ...] = (Difference("object", "", "added" if name in new else "removed"),)
        elif _is_sealed(old[name]) and _is_sealed(new[name]):
            changes = meaning.sealed_documents(old[name], new[name])
        else:
            changes = meaning.objects(old[name], new[name])
        for change in changes:
            if change.kind != "secret" or not collected.incomparable:
                collected.add(change, CLUSTER, name, None)
    return []


def _is_of_objects(path: str) -> bool:
    return path.startswith("cluster/") and path.endswith(".yaml") and not _DESCRIPTIONS.fullmatch(path)


def _is_sealed(document: Any) -> bool:
    return isinstance(document, dict) and "sops" in document


def with_impact(change: Change, impact: Iterable[str], causes: Iterable[str]) -> Change:
    """The change with what it does and where it comes from."""
    return replace(change, impact=tuple(impact), causes=tuple(causes))
