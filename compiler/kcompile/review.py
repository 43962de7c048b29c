"""What a reviewer asks: two trees are read, compared, and each change told with its causes, impact and order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kcompile import diff, meaning, pipeline, store
from kcompile.causes import causes, of_secrets, spec_changes
from kcompile.diff import File, Tree, with_impact
from kcompile.errors import Position, Problem, SpecError
from kcompile.impact import impact
from kcompile.report.changes import Report
from kcompile.reseal import resealed
from kcompile.revisions import Repository
from kcompile.rollout import plan

_SECRETS = ("the secrets file",)


def _report(before: Tree, after: Tree, old_spec: bytes | None, new_spec: bytes | None) -> Report:
    spec = spec_changes(_data(old_spec), _data(new_spec))
    other_secrets = _digest(before, "secrets") != _digest(after, "secrets")
    changes = tuple(
        with_impact(c, impact(c), causes(c, spec) or (_SECRETS if other_secrets and of_secrets(c) else ()))
        for c in diff.compare(before, after)
    )
    unknown = changes and (old_spec is None or new_spec is None)
    notes = ("the specs of both sides are not known, so no causes are named",) if unknown else ()
    return Report(before.name, after.name, changes, plan(before, after, changes, spec.pools), notes)


def _data(spec: bytes | None) -> Mapping[str, Any] | None:
    """A spec's data; None of one that is not known or no mapping."""
    try:
        found = meaning.documents(spec) if spec is not None else []
    except ValueError:
        return None
    return found[0] if len(found) == 1 and isinstance(found[0], dict) else None


def _is_of(tree: Tree, spec: bytes | None) -> bool:
    """Whether a tree was built from a spec, by the digest in its manifest."""
    return spec is not None and _digest(tree, "spec") == hashlib.sha256(spec).hexdigest()


def _digest(tree: Tree, role: str) -> str | None:
    """The digest of one of the files that a tree was built from."""
    try:
        return str(tree.manifest["inputs"][role]["sha256"])
    except (KeyError, TypeError):
        return None


def _tree(name: str, contents: Mapping[str, bytes]) -> Tree:
    try:
        return Tree.of(name, contents)
    except ValueError:
        problem = Problem("K1004", "is no tree of kcompile", hint="name a tree that kcompile built, such as out/prod")
        raise SpecError(problem.at(Position(name, 1, 1))) from None


def trees(before: Path, after: Path) -> Report:
    """Two trees on disk. Raises SpecError."""
    return _report(_tree(str(before), store.read_all(before)), _tree(str(after), store.read_all(after)), None, None)


def revisions(spec: str, out: Path, old: str, new: str) -> Report:
    """The committed trees of a spec's cluster at two revisions. Raises SpecError."""
    repository = Repository.around(Path(spec))
    sides = []
    for revision in (old, new):
        commit = repository.commit(revision)
        content = repository.file(commit, Path(spec))
        name = _name_at(repository, revision, spec)
        if content is None and revision == old:  # the spec had another name, or there was none
            name = _name_at(repository, new, spec)
            if name is None or not repository.files(commit, out / name):
                name = None
        if not isinstance(name, str):
            message = f"there is no cluster spec at the revision {revision}"
            raise SpecError(Problem("K1023", message, position=Position(spec, 1, 1)))
        tree = _tree(f"{out / name} at {revision}", repository.files(commit, out / name))
        sides.append((tree, content if _is_of(tree, content) else None))
    (before, old_spec), (after, new_spec) = sides
    return _report(before, after, old_spec, new_spec)


def _name_at(repository: Repository, revision: str, spec: str) -> str | None:
    """The name of the cluster that a spec is for at a revision."""
    data = _data(repository.file(repository.commit(revision), Path(spec)))
    metadata = data.get("metadata") if data else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else None


def standing(spec: str, out: Path, environ: Mapping[str, str], now: datetime) -> Report:
    """What a spec would build, and the tree that stands. Raises KcompileError."""
    return of_build(pipeline.build(spec, out, environ, now, allow_version_jump=True), spec, environ)


def of_build(built: pipeline.Built, spec: str, environ: Mapping[str, str], former: bytes | None = None) -> Report:
    """What a tree that is not written yet changes in the one that stands. Raises SpecError.

    ``former`` is the spec that the one that stands may have been built from; else it is looked for in git.
    """
    contents = store.read_all(built.root)
    standing = _tree(str(built.root), contents).listed() if contents else Tree(str(built.root), {})
    files = {f.path: File(f.content, f"{f.mode:04o}", f.policy.value, f.target) for f in built.files}
    after = Tree(spec, files)
    before = resealed(standing, after, environ)
    old_spec = former if _is_of(before, former) else _former(before, Path(spec), built.spec)
    return _report(before, after, old_spec, built.spec)


def _former(tree: Tree, spec: Path, current: bytes) -> bytes | None:
    """The spec that the tree that stands was built from: the one at hand, or one that git has."""
    digest = _digest(tree, "spec")
    if digest is None or _is_of(tree, current):
        return current if digest else None
    try:
        return Repository.around(spec).version(spec, digest)
    except SpecError:
        return None
