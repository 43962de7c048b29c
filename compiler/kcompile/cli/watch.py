"""Waiting until files change, by looking at them: it works on every file system, and however an editor saves."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kcompile import reading

_INTERVAL_SECONDS = 0.2
_State = tuple[int, int, int] | None
"""When a file was written (ns), its size and its inode, which is another when an editor renames a new file over the
old one; None of what is not there."""


def _state(path: str | Path) -> _State:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a name with a null character is that of no file
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Watch:
    """The files that a build of a spec reads, and how they stood when it began."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._paths: tuple[Path, ...] = ()
        self._known: dict[Path, _State] = {}

    def look(self) -> None:
        """Take what stands as known. Called before it is read, so that nothing that changes meanwhile is missed."""
        own = _state(self._spec)  # before it is asked what it names
        self._paths = reading.files_read(self._spec)
        self._known = {**self._states(), Path(self._spec): own}

    def _states(self) -> dict[Path, _State]:
        found: dict[Path, _State] = {}
        for path in self._paths:
            for file in path.rglob("*.crt") if path.is_dir() else (path,):
                found[file] = _state(file)
        return found

    def wait(self) -> tuple[Path, ...]:
        """What has changed, once something has and nothing does any more: editors save in several steps."""
        before = self._known
        while True:
            time.sleep(_INTERVAL_SECONDS)
            now = self._states()
            changed = [path for path in sorted({*now, *self._known}) if now.get(path) != self._known.get(path)]
            if changed and now == before:
                return tuple(changed)
            before = now
