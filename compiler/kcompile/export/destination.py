"""Where an export may go: over nothing but an earlier export of the same kind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from kcompile import store
from kcompile.errors import OutputError, Position, Problem
from kcompile.export import ansible
from kcompile.store import Opened

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700
_HEAD = 4096


def write_file(path: Path, content: bytes, is_own: Callable[[bytes], bool]) -> None:
    """A file for its owner alone, in one step. Raises OutputError."""
    _check_files([(path, is_own)])
    store.replace_file(path, content, _FILE_MODE)


def write_files(directory: Path, contents: Iterable[tuple[str, bytes]], is_own: Callable[[bytes], bool]) -> None:
    """Files of one kind in a directory, which is made for its owner alone if it is not there. Raises OutputError."""
    files = [Opened(name, content, _FILE_MODE) for name, content in contents]
    _check_directory(directory)
    _check_files((directory / file.path, is_own) for file in files)
    _write(directory, files)


def write_ansible(directory: Path, contents: Iterable[tuple[str, bytes]], others: Iterable[str]) -> None:
    """The directory of an inventory and its role. Archives of hosts that the tree has no more go.

    Raises OutputError, also where an archive of ``others`` is there: hosts of the tree that the inventory would lose.
    """
    kept = [name for name in others if (directory / ansible.ARCHIVES / f"{name}.tar").exists()]
    if kept:
        message = f"is an export of other hosts too, which would be lost: {', '.join(kept)}"
        raise OutputError(_in_the_way(directory, message, "export all hosts, or choose another directory"))
    files = [Opened(path, content, _FILE_MODE) for path, content in contents]
    _check_directory(directory)
    _check_files((directory / file.path, ansible.is_own) for file in files if "/" not in file.path)
    _write(directory, files)
    wanted = {file.path for file in files}
    for old in sorted((directory / ansible.ARCHIVES).glob("*.tar")):
        if old.relative_to(directory).as_posix() not in wanted:
            old.unlink(missing_ok=True)


def _write(directory: Path, files: Iterable[Opened]) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        place = Position(str(directory), 1, 1)
        raise OutputError(Problem("K1002", f"cannot make the directory: {error.strerror}", position=place)) from None
    store.write_rendered(directory, files)


def _check_directory(path: Path) -> None:
    if os.path.lexists(path) and not path.is_dir():
        raise OutputError(_in_the_way(path, "is not a directory, and several files are to be written"))


def _check_files(files: Iterable[tuple[Path, Callable[[bytes], bool]]]) -> None:
    problems = [problem for path, is_own in files if (problem := _foreign(path, is_own))]
    if problems:
        raise OutputError(problems)


def _foreign(path: Path, is_own: Callable[[bytes], bool]) -> Problem | None:
    """What is wrong with what stands at a path, if anything is."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            return _in_the_way(path, "is a directory", "name a file, or several hosts")
        if not stat.S_ISREG(mode):
            return _in_the_way(path, "is no regular file", "write to standard output, without --to")
        with path.open("rb") as file:
            own = is_own(file.read(_HEAD))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Problem("K1002", f"cannot write the file: {error.strerror}", position=Position(str(path), 1, 1))
    return None if own else _in_the_way(path, "is no earlier export of this format, and is not overwritten")


def _in_the_way(path: Path, message: str, hint: str = "choose another name, or move it away") -> Problem:
    return Problem("K1031", message, hint=hint, position=Position(str(path), 1, 1))
