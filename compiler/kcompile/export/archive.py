"""Tar archives whose bytes follow from their entries alone."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

_MARK = "written by kcompile: "
_HEAD = 1024
"""The first header and its data, which hold the comment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of an archive, by its relative path: a file, a link where it has a target, a directory otherwise."""

    path: str
    mode: int
    content: bytes | None = None
    target: str | None = None


def pack(entries: Iterable[Entry], title: str) -> bytes:
    """A POSIX (pax) archive in the order given, all of it root's, its times the epoch. ``title`` is its comment."""
    stream = io.BytesIO()
    with tarfile.open(
        fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", pax_headers={"comment": _MARK + title}
    ) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.mode = entry.mode
            member.uname = member.gname = "root"
            if entry.target is not None:
                member.type, member.linkname = tarfile.SYMTYPE, entry.target
            elif entry.content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.content)
            archive.addfile(member, None if entry.content is None else io.BytesIO(entry.content))
    return stream.getvalue()


def is_own(head: bytes) -> bool:
    """Whether a file that begins so is an archive that :func:`pack` made."""
    return _MARK.encode() in head[:_HEAD]


def below(directory: str, mode: int, files: Iterable[tuple[str, bytes, int]]) -> Iterable[Entry]:
    """A directory and files below it, by relative path; directories between have its mode too."""
    made: set[str] = set()
    for path, content, file_mode in sorted(files):
        parts = f"{directory}/{path}".split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in made:
                made.add(parent)
                yield Entry(parent, mode)
        yield Entry("/".join(parts), file_mode, content)
