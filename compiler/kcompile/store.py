"""Trees on disk: read, compared, and replaced all or nothing.

A new tree is staged beside the old one on the same file system, synced, and exchanged with it in one step.
Unchanged files are linked into it, so they keep their identity and their times. Files that kcompile did not
write are carried over. Nothing is followed through a symbolic link.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kcompile import filesystem
from kcompile.artifact import MANIFEST, PUBLIC_MODE, SCRIPT_MODE, SIGNATURE, Policy, TreeFile
from kcompile.errors import OutputError, Position, Problem, SpecError

_STAGING = ".kcompile-staging-"
_RETIRED = ".kcompile-retired-"
_DIRECTORY_MODE = 0o755


@dataclass(frozen=True)
class Entry:
    """Something that stands in a tree's directory. ``digest`` is None for what is no regular file."""

    path: str
    digest: str | None
    mode: int
    is_directory: bool = False


@dataclass(frozen=True)
class Result:
    """What writing a tree did, by path in it."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    edited: tuple[str, ...] = ()
    """Files that had been changed by hand and were overwritten."""
    foreign: tuple[str, ...] = ()
    """Files that kcompile did not write and kept."""


def _failed(path: str | os.PathLike[str], error: OSError, doing: str) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(Problem("K1002", f"{doing}: {reason}", position=Position(os.fspath(path), 1, 1)))


def _disk_mode(file: TreeFile) -> int:
    """The mode of a file in the tree, where git keeps only the executable bit."""
    return SCRIPT_MODE if file.mode == SCRIPT_MODE and file.path.endswith(".sh") else PUBLIC_MODE


def scan(root: Path) -> dict[str, Entry]:
    """Everything below a directory, with the digests of regular files; ordered by path. Raises OSError."""
    found: dict[str, Entry] = {}
    pending = [("", os.fspath(root))]
    while pending:
        prefix, directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                path = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
                    found[path] = Entry(path, None, mode, is_directory=True)
                    pending.append((f"{path}/", entry.path))
                elif entry.is_file(follow_symlinks=False):
                    found[path] = Entry(path, *_digest_and_mode(entry.path))
                else:
                    found[path] = Entry(path, None, 0)
    return found


def _digest_and_mode(path: str) -> tuple[str, int]:
    """Of a regular file, without a file object: a fleet has ten thousand."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        status = os.fstat(descriptor)
        digest = hashlib.sha256()
        while chunk := os.read(descriptor, max(status.st_size + 1, 1 << 16)):
            digest.update(chunk)
        return digest.hexdigest(), stat.S_IMODE(status.st_mode)
    finally:
        os.close(descriptor)


def _read_regular(path: Path) -> bytes:
    """A regular file's bytes; nothing else is opened to be read. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read()


def _recorded(root: Path) -> dict[str, str]:
    """The digests in the manifest that stands, as far as there is one to be read; its own and its signature's too."""
    try:
        content = _read_regular(root / MANIFEST)
        manifest = json.loads(content)
        if manifest["kind"] != "TreeManifest":
            return {}
        recorded = {str(file["path"]): str(file["sha256"]) for file in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    recorded[MANIFEST] = hashlib.sha256(content).hexdigest()
    with suppress(OSError):
        recorded[SIGNATURE] = hashlib.sha256(_read_regular(root / SIGNATURE)).hexdigest()
    return recorded


def write(root: Path, files: Sequence[TreeFile], progress: Callable[[int], None] = lambda _: None) -> Result:
    """Make ``root`` hold exactly ``files``, and what was there that kcompile did not write.

    The old tree or the new one is there, whole, at every moment. Raises OutputError: the old tree then stands, or,
    where only clearing up failed, the new one, as the message says.
    """
    umask = os.umask(0o022)
    try:
        if not root.parent.is_dir():
            root.parent.mkdir(parents=True, exist_ok=True)
        with filesystem.locked(root.parent):
            _recover(root)
            return _write(root, files, progress)
    except OSError as error:
        raise _failed(error.filename or root, error, f"cannot write {root}") from None
    finally:
        os.umask(umask)


def _write(root: Path, files: Sequence[TreeFile], progress: Callable[[int], None]) -> Result:
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        problem = Problem("K1003", "is not a directory", hint="remove it, or build elsewhere with --out")
        raise OutputError(problem.at(Position(str(root), 1, 1)))
    existing = scan(root) if root.exists() else {}
    recorded = _recorded(root) if existing else {}
    wanted = {file.path: file for file in files}
    foreign = _foreign(root, existing, recorded, wanted)
    unchanged = {
        path
        for path, file in wanted.items()
        if (entry := existing.get(path)) is not None and entry.digest == file.sha256 and entry.mode == _disk_mode(file)
    }
    edited = tuple(
        path
        for path, digest in recorded.items()
        if path in existing and existing[path].digest not in (digest, wanted[path].sha256 if path in wanted else None)
    )
    removed = tuple(p for p in recorded if p in existing and p not in wanted and p not in foreign)
    kept = tuple(p for p in foreign if not existing[p].is_directory)
    written = tuple(path for path in wanted if path not in unchanged)
    result = Result(written, removed, len(unchanged), edited, kept)
    if not written and not removed and existing:
        return result
    _replace(root, wanted, unchanged, foreign, existing, progress)
    return result


def _foreign(
    root: Path, existing: Mapping[str, Entry], recorded: Mapping[str, str], wanted: Mapping[str, TreeFile]
) -> dict[str, Entry]:
    """What kcompile did not write. Raises OutputError where the new tree has no room for it."""
    own_directories = _parents(recorded) | _parents(wanted)
    foreign: dict[str, Entry] = {}
    problems = []
    for path, entry in sorted(existing.items()):
        if path in recorded and entry.digest is not None:
            continue
        if entry.is_directory and path in own_directories and path not in wanted:
            continue
        if path in wanted:
            if entry.digest == wanted[path].sha256:
                continue
            problems.append(path)
        elif (not entry.is_directory and path in own_directories) or (
            entry.digest is None and not entry.is_directory and not (root / path).is_symlink()
        ):
            problems.append(path)
        else:
            foreign[path] = entry
    if problems:
        hint = "move it away; or, if the whole directory is an old tree, remove that and build again"
        message = "stands where the tree has a file, and kcompile did not write it"
        raise OutputError(
            [Problem("K1008", message, hint=hint, position=Position(str(root / p), 1, 1)) for p in problems]
        )
    return foreign


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def _make_directories(staging: str, paths: Iterable[str]) -> None:
    for path in sorted(_parents(paths)):
        os.mkdir(f"{staging}/{path}", _DIRECTORY_MODE)


def _replace(
    root: Path,
    wanted: Mapping[str, TreeFile],
    unchanged: set[str],
    foreign: Mapping[str, Entry],
    existing: Mapping[str, Entry],
    progress: Callable[[int], None],
) -> None:
    staging = root.parent / f"{_STAGING}{root.name}-{secrets.token_hex(4)}"
    os.mkdir(staging, _DIRECTORY_MODE)
    try:
        _stage(root, staging, wanted, unchanged, foreign, progress)
        filesystem.sync(staging)
        retired = _swap(root, staging)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    filesystem.sync_directory(root.parent)
    if retired is not None:
        _remove(retired, existing, root)


def _stage(
    root: Path,
    staging: Path,
    wanted: Mapping[str, TreeFile],
    unchanged: set[str],
    foreign: Mapping[str, Entry],
    progress: Callable[[int], None],
) -> None:
    here, old = os.fspath(staging), os.fspath(root)
    _make_directories(here, [*wanted, *(f"{p}/" if e.is_directory else p for p, e in foreign.items())])
    for path, file in wanted.items():
        target = f"{here}/{path}"
        if path in unchanged:
            _keep(f"{old}/{path}", target)
        else:
            mode = _disk_mode(file)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with open(descriptor, "wb", buffering=0) as stream:
                _write_all(stream.write, file.content)
        progress(1)
    for path, entry in foreign.items():
        source, target = f"{old}/{path}", f"{here}/{path}"
        if entry.is_directory:
            if entry.mode != _DIRECTORY_MODE:
                os.chmod(target, entry.mode)
        elif os.path.islink(source):
            os.symlink(os.readlink(source), target)
        else:
            _keep(source, target)
    mode = stat.S_IMODE(root.stat().st_mode) if root.exists() else _DIRECTORY_MODE
    if mode != _DIRECTORY_MODE:
        os.chmod(staging, mode)


def _write_all(write_some: Callable[[memoryview], int | None], content: bytes) -> None:
    """Write all of it: an unbuffered write may take less than it was given."""
    view = memoryview(content)
    while view:
        view = view[write_some(view) or 0 :]


def _keep(source: str, target: str) -> None:
    """Give a file a second name; where the file system has none to give, copy it with its times."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _swap(root: Path, staging: Path) -> Path | None:
    """Put the staged tree in its place. What it displaced, if anything, is returned."""
    if not root.exists():
        os.rename(staging, root)
        return None
    if filesystem.exchange(staging, root):
        return staging
    # A file system without an exchange: for a moment the old tree stands only under its retired name, and a
    # run that is killed just then leaves it to _recover to put it back.
    retired = root.parent / f"{_RETIRED}{root.name}"
    os.rename(root, retired)
    try:
        os.rename(staging, root)
    except BaseException:
        os.rename(retired, root)
        raise
    return retired


def _remove(tree: Path, entries: Mapping[str, Entry], root: Path) -> None:
    """Remove a displaced tree: what was seen in it. What came in meanwhile goes over to the tree that stands.

    Raises OutputError where something has to stay: what may not be removed, or what has no place in the new tree.
    """
    for path, entry in sorted(entries.items(), reverse=True):
        with suppress(OSError):
            if entry.is_directory:
                os.rmdir(tree / path)
            else:
                os.unlink(tree / path)
    homeless = False
    for directory, _, names in os.walk(tree, topdown=False):
        for name in names:
            source = Path(directory, name)
            path = os.fspath(source.relative_to(tree))
            if path in entries:
                continue
            try:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                os.link(source, root / path, follow_symlinks=False)
                os.unlink(source)
            except OSError:
                homeless = True
        with suppress(OSError):
            os.rmdir(directory)
    if homeless:
        kept = root.parent / f"{root.name}.kept-{secrets.token_hex(4)}"
        os.rename(tree, kept)  # from here on no build takes it for its own leftovers
        message = "the new tree stands; what came in while it was written, where it has files of its own, is kept here"
        raise OutputError(Problem("K1009", message, position=Position(str(kept), 1, 1)))
    if tree.exists():
        problem = Problem("K1009", "the new tree stands; what is left of the old one could not be removed")
        raise OutputError(problem.at(Position(str(tree), 1, 1)))


def _recover(root: Path) -> None:
    """Clear what a killed run left: staged trees, and a retired tree that has to be put back."""
    retired = root.parent / f"{_RETIRED}{root.name}"
    if retired.is_dir() and not retired.is_symlink():
        if root.exists():
            shutil.rmtree(retired)
        else:
            os.rename(retired, root)
    for left in root.parent.glob(f"{_STAGING}{root.name}-????????"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)


# --- reading a tree that stands --------------------------------------------------------------------


def standing_version(root: Path) -> str | None:
    """The Kubernetes version of the tree that stands at a place, if one does."""
    try:
        version = json.loads(_read_regular(root / MANIFEST))["kubernetesVersion"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) else None


def load_json(root: Path, name: str) -> dict[str, object]:
    """One of a tree's JSON files. Raises SpecError."""
    path = root / name
    try:
        document = json.loads(_read_regular(path))
    except OSError as error:
        hint = "name a tree that kcompile built, such as out/prod" if name == MANIFEST else None
        raise SpecError(
            Problem("K1004", f"cannot read the file: {error.strerror}", hint=hint).at(Position(str(path), 1, 1))
        ) from None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise SpecError(Problem("K1004", "not valid JSON", position=Position(str(path), line, 1))) from None
    if not isinstance(document, dict):
        raise SpecError(Problem("K1004", "not a JSON object", position=Position(str(path), 1, 1)))
    return document


def read(root: Path, path: str, sha256: str) -> bytes:
    """A file of a tree, equal to its digest. Raises SpecError when it was changed."""
    place = root
    try:
        for part in path.split("/"):
            place = place / part
            if part in ("", ".", "..") or place.is_symlink():
                raise SpecError(
                    Problem("K1006", "is a symbolic link or leaves the tree", position=Position(str(place), 1, 1))
                )
        content = _read_regular(place)
    except OSError as error:
        raise SpecError(
            Problem("K1007", f"cannot read the file: {error.strerror}").at(Position(str(place), 1, 1))
        ) from None
    except ValueError:  # a NUL, or what no file system can spell
        raise SpecError(Problem("K1006", "is no path of a file", position=Position(str(place), 1, 1))) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        message = "was changed after it was built: its digest is not the one in kcompile.json"
        hint = "build the tree again, or restore the file from git"
        raise SpecError(Problem("K1007", message, hint=hint, position=Position(str(place), 1, 1)))
    return content


def read_all(root: Path) -> dict[str, bytes]:
    """The bytes of every regular file of a tree that stands, by path; nothing where there is none. Raises SpecError."""
    return {path: _read_small(entry.path) for path, entry in _entries(root) if entry.is_file(follow_symlinks=False)}


@dataclass(frozen=True)
class Standing:
    """A tree's directory as it stands: regular files with their bytes, and what is neither file nor directory."""

    files: Mapping[str, bytes]
    executable: frozenset[str]
    others: frozenset[str]
    """Among them what is too large to be a file of a tree."""


def standing(root: Path) -> Standing:
    """Everything below a directory; nothing where there is none. Raises SpecError."""
    found: dict[str, bytes] = {}
    executable: set[str] = set()
    others: set[str] = set()
    for path, entry in _entries(root):
        status = _status(entry)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            others.add(path)
            continue
        found[path] = _read_small(entry.path)
        if status.st_mode & stat.S_IXUSR:
            executable.add(path)
    return Standing(found, frozenset(executable), frozenset(others))


_MOST_BYTES = 64 << 20
"""More than the manifest of ten thousand hosts."""


def _unreadable(path: str, why: str | None) -> SpecError:
    return SpecError(Problem("K1007", f"cannot read the file: {why}", position=Position(path, 1, 1)))


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        raise _unreadable(entry.path, error.strerror) from None


def _entries(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What stands below a directory and is none itself, by path. Raises SpecError."""
    if not os.path.lexists(root):
        return
    try:
        if root.is_symlink():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root))
        pending = [("", os.fspath(root))]
        while pending:
            prefix, directory = pending.pop()
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((f"{prefix}{entry.name}/", entry.path))
                    else:
                        yield f"{prefix}{entry.name}", entry
    except OSError as error:
        raise _unreadable(os.fspath(error.filename or root), error.strerror) from None


def _read_small(path: str) -> bytes:
    """A regular file's bytes, without a file object: a fleet has ten thousand. Raises SpecError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unreadable(path, error.strerror) from None
    try:
        size = os.fstat(descriptor).st_size
        if size > _MOST_BYTES:
            raise _unreadable(path, f"larger than {_MOST_BYTES >> 20} MiB")
        parts = []
        while part := os.read(descriptor, max(size + 1, 1 << 16)):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as it is to be written. With a ``target`` the bytes go there, and ``path`` becomes a link to it."""

    path: str
    content: bytes
    mode: int
    target: str | None = None
    policy: Policy = Policy.MANAGED


def write_rendered(directory: Path, files: Iterable[Opened]) -> None:
    """Write opened files below a directory, each in one step. Raises OutputError."""
    umask = os.umask(0o022)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with filesystem.locked(directory):
            for file in files:
                with _placing(directory, file.target or file.path) as pending:
                    _write_pending(pending, file.content, file.mode)
                if file.target is not None:
                    with _placing(directory, file.path) as pending:
                        pending.symlink_to(os.path.basename(file.target))
    except OSError as error:
        raise _failed(error.filename or directory, error, "cannot write") from None
    finally:
        os.umask(umask)


@contextmanager
def _placing(directory: Path, path: str) -> Iterator[Path]:
    """A name to make something under, which then goes to its place below a directory."""
    target = directory
    for part in path.split("/")[:-1]:
        target = target / part
        if target.is_symlink():
            raise OSError(0, "a symbolic link stands in the way", str(target))
        target.mkdir(exist_ok=True)
    target = target / path.rpartition("/")[2]
    if target.is_dir() and not target.is_symlink():
        raise OSError(0, "a directory stands in the way", str(target))
    # Always the same name: the next run removes a copy of a key that a killed one left.
    pending = target.with_name(f".kcompile-{target.name}")
    pending.unlink(missing_ok=True)
    try:
        yield pending
        os.replace(pending, target)
    except BaseException:
        pending.unlink(missing_ok=True)
        raise


def create_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist yet, in one step. Raises OutputError."""
    _in_one_step(path, content, mode, replace=False)


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file in place of the one that stands there, or that a link there leads to. Raises OutputError."""
    _in_one_step(path.resolve() if path.is_symlink() else path, content, mode, replace=True)


def _write_pending(pending: Path, content: bytes, mode: int, *, sync: bool = False) -> None:
    """Write a file that is not in its place yet: nobody else's to read until it is whole."""
    descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb", buffering=0) as stream:
        _write_all(stream.write, content)
        os.fchmod(descriptor, mode)
        if sync:
            os.fsync(descriptor)


def _in_one_step(path: Path, content: bytes, mode: int, *, replace: bool) -> None:
    pending = path.with_name(f".kcompile-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_pending(pending, content, mode, sync=True)
            if replace:
                os.replace(pending, path)
            else:
                os.link(pending, path)
        finally:
            pending.unlink(missing_ok=True)
        filesystem.sync_directory(path.parent)
    except FileExistsError:
        hint = "it is never overwritten: remove it yourself if you are sure"
        raise OutputError(Problem("K1001", "is there already", hint=hint, position=Position(str(path), 1, 1))) from None
    except OSError as error:
        raise _failed(path, error, "cannot write the file") from None
