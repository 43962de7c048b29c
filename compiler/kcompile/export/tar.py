"""``--format tar``: what ``tar -x -C /`` puts in place, or a host's sealed folder."""

from __future__ import annotations

import posixpath

from kcompile.export import archive
from kcompile.export.archive import Entry
from kcompile.export.hostfiles import DIRECTORY_MODE, HostFiles


def write(host: HostFiles) -> bytes:
    """The files at their places, relative to /; of a sealed host its folder, in a directory of its name."""
    if host.files is None:
        files = ((file.path, file.content, file.mode) for file in host.folder)
        return archive.pack(archive.below(host.name, DIRECTORY_MODE, files), host.title)
    entries = [Entry(path.lstrip("/"), mode) for path, mode in host.own_directories()]
    for file in host.files:
        entries.append(Entry(file.path.lstrip("/"), file.mode, file.content))
        if file.link:
            entries.append(Entry(file.link.lstrip("/"), 0o777, target=posixpath.basename(file.path)))
    return archive.pack(entries, host.title)
