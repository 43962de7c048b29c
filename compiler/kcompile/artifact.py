"""The files of a tree as values: what emitters yield, what is sealed, what is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kcompile.secret import Secret

MANIFEST = "kcompile.json"
"""The tree's own list of its files, and what they were built from."""
SIGNATURE = f"{MANIFEST}.sig"
SEALED = re.compile(r"admin/|cluster/sealed/|hosts/[^/]+/sealed/")
"""Paths of a tree below which files are sealed."""
PUBLIC_MODE = 0o644
PRIVATE_MODE = 0o600
SCRIPT_MODE = 0o755
PRIVATE_SCRIPT_MODE = 0o700


class Policy(Enum):
    """What whoever installs a file does with it on the host."""

    MANAGED = "managed"
    """Keep it equal to the tree."""
    CREATE = "create"
    """Write it when absent; from then on it is the host's own (files that the kubelet rotates)."""


@dataclass(frozen=True, slots=True)
class SealedBinary:
    """A secret file as a whole: sealed as a SOPS binary document."""

    content: Secret


@dataclass(frozen=True, slots=True)
class SealedYaml:
    """A YAML document in which only the leaves that are a :class:`Secret` are sealed."""

    document: Any


Content = bytes | SealedBinary | SealedYaml


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to be: for a host (``host`` set, ``path`` absolute on it) or for the tree itself (``path`` in it)."""

    path: str
    content: Content
    host: str | None = None
    mode: int = PUBLIC_MODE
    policy: Policy = Policy.MANAGED
    target: str | None = None
    """Where the bytes are to stand on the host, if ``path`` is to be a symbolic link to them."""

    @property
    def tree_path(self) -> str:
        """Where the file stands in the output tree."""
        if self.host is None:
            return self.path
        branch = "rootfs" if isinstance(self.content, bytes) else "sealed"
        return f"hosts/{self.host}/{branch}{self.path}"

    @property
    def sops_type(self) -> str | None:
        """What sops has to be told to open the file (``--input-type``); None of a file that is not sealed."""
        if isinstance(self.content, SealedYaml):
            return "yaml"
        return "binary" if isinstance(self.content, SealedBinary) else None


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file as its bytes stand in the output tree. ``mode`` and ``policy`` are the ones it is to have on a host."""

    path: str
    content: bytes
    sha256: str
    mode: int = PUBLIC_MODE
    policy: Policy = Policy.MANAGED
    target: str | None = None
