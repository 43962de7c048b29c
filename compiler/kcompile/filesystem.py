"""What is particular to an operating system: exchanging directories, syncing, well-known places."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_AT_FDCWD_LINUX = -100
_AT_FDCWD_DARWIN = -2
_RENAME_EXCHANGE = 2
"""renameat2(2) on Linux and renameatx_np(2) on macOS happen to share the flag's value."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step. False where the system or the file system cannot. Raises OSError."""
    darwin = sys.platform == "darwin"
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "renameatx_np" if darwin else "renameat2", None)
    if function is None:
        return False
    here = _AT_FDCWD_DARWIN if darwin else _AT_FDCWD_LINUX
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    if function(here, os.fsencode(one), here, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes that do the same out of a directory, waiting for one that is in there.

    The lock is on the directory itself and leaves nothing behind. A directory that is not there yet, and a file
    system without locks, are not locked.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync(directory: Path) -> None:
    """Wait until everything written to a directory's file system is on its disk. Raises OSError."""
    if sys.platform == "linux":
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            library = ctypes.CDLL(None, use_errno=True)
            if library.syncfs(descriptor) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(directory))
        finally:
            os.close(descriptor)
    else:
        os.sync()


def sync_directory(directory: Path) -> None:
    """Wait until a directory's own entries are on disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sops_config_dir(environ: Mapping[str, str]) -> Path | None:
    """Where SOPS keeps its configuration: Go's os.UserConfigDir, but XDG_CONFIG_HOME on macOS too."""
    if environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"])
    home = environ.get("HOME")
    if not home:
        return None
    return Path(home, "Library", "Application Support") if sys.platform == "darwin" else Path(home, ".config")
