"""Files of a git repository at a revision, read with git itself and without a checkout."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kcompile.errors import Position, Problem, SpecError

_REGULAR = (b"100644", b"100755")
_ONLY_DATA = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false")
"""What a branch holds is data: a directory in it that looks like a repository is none, and nothing is fetched."""
_SEARCHED = 200
"""How many commits of a file are looked through for one version of it."""


def _git(directory: Path, *words: str, stdin: bytes = b"") -> bytes:
    """Git's output. Raises OSError where there is no git, CalledProcessError where it fails."""
    done = subprocess.run(  # noqa: S603 - no shell, and revisions cannot be options
        ["git", *_ONLY_DATA, "-C", os.fspath(directory), *words],  # noqa: S607 - the user's git
        input=stdin,
        capture_output=True,
        check=True,
        env=os.environ | {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"},
    )
    return done.stdout


@dataclass(frozen=True)
class Repository:
    """A git repository, by its work tree."""

    root: Path

    @classmethod
    def around(cls, file: Path) -> Repository:
        """The repository in which a file is. Raises SpecError."""
        directory = file.absolute().parent
        try:
            top = _git(directory, "rev-parse", "--show-toplevel")
        except (OSError, subprocess.CalledProcessError):
            problem = Problem("K1020", "is not in a git repository", hint="--from and --to compare committed trees")
            raise SpecError(problem.at(Position(str(file), 1, 1))) from None
        return cls(Path(os.fsdecode(top.rstrip(b"\n"))))

    def commit(self, revision: str) -> str:
        """The commit of a revision. Raises SpecError."""
        try:
            found = _git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except (OSError, ValueError, subprocess.CalledProcessError):
            hint = "name a branch, a tag or a commit that is here; a shallow clone may lack it: `git fetch`"
            raise SpecError(Problem("K1021", f"git knows no revision {revision}", hint=hint)) from None
        return found.decode().strip()

    def _inside(self, path: Path) -> str:
        """A path as git names it. Raises SpecError."""
        parent = Path(os.path.realpath(path.absolute().parent)) / path.name
        try:
            return parent.relative_to(os.path.realpath(self.root)).as_posix()
        except ValueError:
            problem = Problem("K1020", "is not in the git repository of the spec", hint="pass --out")
            raise SpecError(problem.at(Position(str(path), 1, 1))) from None

    def file(self, commit: str, path: Path) -> bytes | None:
        """A file's bytes at a commit, None where it has none."""
        try:
            return _git(self.root, "cat-file", "blob", f"{commit}:{self._inside(path)}")
        except subprocess.CalledProcessError:
            return None

    def files(self, commit: str, directory: Path) -> dict[str, bytes]:
        """The bytes of every regular file below a directory at a commit, by path in it."""
        try:
            listed = _git(self.root, "ls-tree", "-r", "-z", "--full-tree", f"{commit}:{self._inside(directory)}")
        except subprocess.CalledProcessError:
            return {}
        names: dict[str, str] = {}
        for line in filter(None, listed.split(b"\0")):
            facts, _, path = line.partition(b"\t")
            mode, _, identifier = facts.split(b" ")
            if mode in _REGULAR:
                names[os.fsdecode(path)] = identifier.decode()
        blobs = self._blobs(dict.fromkeys(names.values()))
        return {path: blobs[identifier] for path, identifier in names.items()}

    def _blobs(self, identifiers: Iterable[str]) -> dict[str, bytes]:
        """Each blob once, by one git process."""
        wanted = list(identifiers)
        if not wanted:
            return {}
        said = _git(self.root, "cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode())
        found: dict[str, bytes] = {}
        start = 0
        for name in wanted:
            end = said.index(b"\n", start)
            size = int(said[start:end].split(b" ")[2])
            found[name] = said[end + 1 : end + 1 + size]
            start = end + 1 + size + 1
        return found

    def version(self, path: Path, sha256: str) -> bytes | None:
        """The version of a file that has a digest, among its last commits."""
        try:
            name = self._inside(path)
            commits = _git(self.root, "log", f"--max-count={_SEARCHED}", "--format=%H", "--", name).decode().split()
        except (SpecError, OSError, subprocess.CalledProcessError):
            return None
        for commit in commits:
            content = self.file(commit, path)
            if content is not None and hashlib.sha256(content).hexdigest() == sha256:
                return content
        return None
