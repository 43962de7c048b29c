"""A document to a cluster, or every problem that the document has."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path as FilePath
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kcompile import load, marked, names, rules
from kcompile.errors import Path, Problem, SpecError, described, errors_among, format_path
from kcompile.load import Document
from kcompile.manifest import ClusterSecrets
from kcompile.secret import looks_secret
from kcompile.spec import Cluster

_TYPE_WORDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "float_type": "a number",
}
_STAND_INS: dict[Path, Any] = {
    ("apiVersion",): "kcompile.dev/v1alpha1",
    ("kind",): "Cluster",
    ("metadata", "name"): "cluster",
    ("spec", "kubernetesVersion"): "v1.36.0",
    ("spec", "pki", "issuedAt"): "2026-01-01T00:00:00Z",
    ("spec", "secrets", "recipients"): ("age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf",),
}
"""Values for required fields that are wrong, so that the rules can look at the rest in the same run."""


_SALVAGE_ROUNDS = 20
MAX_PROBLEMS = 1000
"""More than a person would read."""
_MANY = MAX_PROBLEMS + 1


def _models(annotation: Any) -> Iterator[Any]:
    """The annotations inside optional, list and mapping ones."""
    if get_origin(annotation) in (Union, types.UnionType, tuple, dict) or hasattr(annotation, "__metadata__"):
        for argument in get_args(annotation):
            yield from _models(argument)
    else:
        yield annotation


def _annotations(model: type[BaseModel], path: Path) -> list[Any]:
    """The types that may stand at a path of a model."""
    found: list[Any] = [model]
    for item in path:
        if isinstance(item, str) and any(map(_is_model, found)):
            found = [
                inner
                for annotation in filter(_is_model, found)
                for name, info in annotation.model_fields.items()
                if (info.alias or name) == item
                for inner in _models(info.annotation)
            ]
    return found


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def field_names(model: type[BaseModel], path: Path) -> list[str]:
    """The fields that may stand at a path of a model."""
    found = next(filter(_is_model, _annotations(model, path)), None)
    return [info.alias or name for name, info in found.model_fields.items()] if found else []


def _location(error: ErrorDetails) -> Path:
    return tuple(item for item in error["loc"] if item != "[key]")


def _problem(document: Document, model: type[BaseModel], error: ErrorDetails) -> Problem:
    location = _location(error)
    kind, value = error["type"], error.get("input")  # of a secrets file there is none
    path = document.existing(location)
    confidential = "bootstrapTokens" in path or not document.show_lines
    if kind == "extra_forbidden":
        known = field_names(model, path[:-1])
        close = names.nearest(str(path[-1]), known)
        hint = f"did you mean {close}?" if close else f"fields here are {', '.join(known)}" if known else None
        return Problem("K0201", "unknown field", path, hint).at(document.position(path, key=True))
    if kind == "missing":
        position = document.position(path, key=True)
        example = _STAND_INS.get(location)
        explain = f"`kcompile explain {format_path(location)}` shows what it is"
        if model is ClusterSecrets:
            explain = f"restore it with `sops edit`: `kcompile secrets create` wrote {location[-1]} there"
        hint = f"for example {location[-1]}: {example}" if isinstance(example, str) else explain
        return Problem("K0202", "is required and missing", location, hint).at(replace(position, excerpt=None))
    position = document.position(path, key="[key]" in error["loc"])
    if kind in _TYPE_WORDS and not document.show_lines:  # values of a secrets file are withheld
        return Problem("K0203", f"must be {_TYPE_WORDS[kind]}", path, _SHAPES[kind]).at(position)
    if kind in _TYPE_WORDS:
        return _wrong_type(document, model, path, kind, value).at(position)
    if kind == "value_error":
        cause = error["ctx"]["error"]
        hint = _block_hint(document, path) or getattr(cause, "hint", None)
        return Problem(cause.code, str(cause), path, hint).at(position)
    if kind == "literal_error":
        allowed = [
            word for found in _annotations(model, path) if get_origin(found) is Literal for word in get_args(found)
        ]
        hint = f"use one of {', '.join(map(str, filter(None, allowed)))}" if allowed[1:] else f"use {allowed[0]}"
        close = None if confidential else names.nearest(str(value), allowed)
        hint = f"did you mean {close}? Otherwise {hint}" if close and allowed[1:] else hint
        shown = "" if confidential else f"{value!r} " if isinstance(value, str) else f"{described(value)} "
        return Problem("K0205", f"{shown}is not one of the values allowed here", path, hint).at(position)
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"{error['ctx']['ge']} or more" if kind == "greater_than_equal" else f"{error['ctx']['le']} or less"
        return Problem("K0207", f"must be {bound}, not {described(value)}", path).at(position)
    if kind == "too_short":
        return Problem("K0206", "must not be empty", path, "write at least one").at(position)
    return Problem("K0207", "is no value for this field", path).at(position)


def _block_hint(document: Document, path: Path) -> str | None:
    scalar = document.scalar(path)
    if scalar is None or not load.is_block(scalar) or not scalar.value.endswith("\n") or looks_secret(scalar.value):
        return None
    return "a block ends with a line break: write |- in place of |, or the value behind the key"


def _is_echo(error: ErrorDetails) -> bool:
    """Whether an error only repeats that the items of a list, all of them, were refused."""
    return error["type"] == "too_short" and len(error["input"]) > 0


def _wrong_type(document: Document, model: type[BaseModel], path: Path, kind: str, value: object) -> Problem:
    wanted = _TYPE_WORDS[kind]
    scalar = document.scalar(path)
    spelled = scalar.value if scalar else None
    if kind == "string_type" and isinstance(value, bool | int | float) and spelled is not None:
        message = f"must be a string, but YAML reads {spelled} as {described(value)}"
        quoted = f'put it in quotes: "{spelled.lower() if isinstance(value, bool) else spelled}"'
        hint = None if isinstance(value, bool) else _hint_on(model, path, spelled)
        return Problem("K0204", message, path, hint or quoted)
    hint = None
    if kind in ("int_type", "bool_type") and isinstance(value, str):
        hint = "leave out the quotes" if scalar and load.is_quoted(scalar) else f"write {_EXAMPLES[kind]}"
    elif kind == "tuple_type" and isinstance(value, str) and spelled is not None and "\n" not in spelled:
        hint = f"write [{spelled}]"
    return Problem("K0203", f"must be {wanted}, not {described(value)}", path, hint or _SHAPES[kind])


_SHAPES = {
    "string_type": "write one text, in quotes if need be",
    "int_type": "write a number, for example 6443",
    "float_type": "write a number, for example 0.5",
    "bool_type": "write true or false",
    "dict_type": "write names with values below it, name: value",
    "model_type": "write its fields below it, name: value",
    "tuple_type": "write '- ' before each entry",
}
_EXAMPLES = {"int_type": "a number, for example 6443", "bool_type": "true or false"}


def _hint_on(model: type[BaseModel], path: Path, text: str) -> str | None:
    """How to mend a value that would not be right as a string either."""
    for check in _checks(model, path):
        try:
            check(text)
        except names.Invalid as error:
            return error.hint
    return None


def _checks(model: type[BaseModel], path: Path) -> Iterator[Callable[[str], object]]:
    """What a field's text is checked with. Nothing of the keys and values of a mapping that is free."""
    *above, last = path if isinstance(path[-1], str) else path[:-1]
    for found in filter(_is_model, _annotations(model, tuple(above))):
        for name, info in found.model_fields.items():
            if (info.alias or name) == last:
                yield from _validators(info.annotation, info.metadata)


def _validators(annotation: Any, metadata: Iterable[Any]) -> Iterator[Callable[[str], object]]:
    for item in metadata:
        if isinstance(item, AfterValidator):
            yield cast("Callable[[str], object]", item.func)
    if get_origin(annotation) in (Union, types.UnionType, tuple) or hasattr(annotation, "__metadata__"):
        for argument in get_args(annotation):
            yield from _validators(argument, getattr(annotation, "__metadata__", ()))


def _salvaged(document: Document, errors: list[ErrorDetails]) -> tuple[Cluster | None, Any, set[Path]]:
    """The cluster without what is wrong in it, for the rules to look at; its marked data; what was left out."""
    data: Any = document.data
    touched: set[Path] = set()
    for _ in range(_SALVAGE_ROUNDS):
        removed: set[Path] = set()
        before = len(touched)
        origins = marked.Origins(data)
        for error in errors:
            location = _location(error)
            stand_ins = [p for p in _STAND_INS if location[: len(p)] == p or p[: len(location)] == location]
            touched |= {*stand_ins, *((location,) if stand_ins else ())}
            for stand_in in stand_ins:
                data = marked.changed(data, stand_in, _STAND_INS[stand_in])
            if not stand_ins:
                # of a field that is missing, what it is missing from: the longest path that is there
                removed.add(origins.of(location))
        touched |= removed
        if () in removed or len(touched) == before:  # nothing more to leave out
            break
        for path in removed:
            if not any(path[:length] in removed for length in range(1, len(path))):
                data = marked.without(data, path)
        try:
            return Cluster.model_validate(marked.compacted(data)), data, touched
        except ValidationError as error:
            errors = [found for found in error.errors(include_url=False) if not _is_echo(found)]
    return None, data, touched


def _is_in(path: Path, others: Collection[Path]) -> bool:
    return any(path[:length] in others for length in range(len(path) + 1))


def _sorted(document: Document, problems: list[Problem]) -> list[Problem]:
    """In the document's order; what is wrong with an anchor's value is told once, at the path where it stands.

    What is missing has no place of its own: of what lacks several fields, each is told.
    """

    def place(problem: Problem) -> tuple[int, int]:
        return (problem.position.line, problem.position.column) if problem.position else (0, 0)

    def named_at(problem: Problem) -> tuple[int, int]:
        key = document.position(problem.path, key=True)
        return key.line, key.column

    found: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        cause = (place(problem), problem.code, problem.path if problem.code == "K0202" else problem.message)
        if cause not in found or named_at(problem) < named_at(found[cause]):
            found[cause] = problem
    return sorted(found.values(), key=place)


def _told(document: Document, problems: list[Problem]) -> tuple[Problem, ...]:
    """As many in the document's order as a person would read, and last that there are more."""
    found = _sorted(document, problems[:_MANY])
    if len(problems) < _MANY:
        return tuple(found)
    message = f"more than {MAX_PROBLEMS:,} problems: the rest is not shown"
    return (*found[:MAX_PROBLEMS], Problem("K0208", message, hint="is this the right file?").at(document.end()))


@dataclass(frozen=True)
class Checked:
    """What was found out about a document."""

    cluster: Cluster | None
    """The cluster it describes; where there are errors, as much of it as is right, or None."""
    problems: tuple[Problem, ...]
    """Every problem, warnings too, in the document's order."""
    wrong: frozenset[Path] = frozenset()
    """Where values are wrong, so that the cluster is without them or has others in their place."""
    origins: marked.Origins = field(default_factory=lambda: marked.Origins(None))
    """Of the document's data, with marks where items are left out of the cluster."""

    def in_document(self, path: Path) -> Path:
        """Where the document has what stands at a path of the cluster, whose lists lack what is left out."""
        there = self.origins.of(path)
        return (*there, *path[len(there) :])


def cluster(document: Document, now: datetime) -> tuple[Cluster, tuple[Problem, ...]]:
    """The cluster a document describes, and its warnings. Raises SpecError with every problem found."""
    checked = examined(document, now)
    if checked.cluster is None or errors_among(checked.problems):
        raise SpecError(checked.problems)
    return checked.cluster, checked.problems


def refuse_secrets(document: Document) -> None:
    """Tell a secrets file from a spec with everything wrong in it. Raises SpecError."""
    data = document.data if isinstance(document.data, dict) else {}
    if data.get("kind") == "ClusterSecrets" or "sops" in data:
        file = FilePath(document.file)
        spec = file.with_name(f"{file.stem.removesuffix('.secrets')}{file.suffix}")
        hint = "give the spec that it goes with" + (f", {spec}" if spec != file else "")
        place = document.position(("kind",) if "kind" in data else ("sops",), key="kind" not in data)
        raise SpecError(Problem("K0113", "this is a secrets file and no cluster spec", hint=hint).at(place))


def examined(document: Document, now: datetime) -> Checked:
    """The cluster a document describes, and all that is wrong with it.

    ``now`` is only for warnings about dates; nothing that is built depends on it.
    """
    if not isinstance(document.data, dict):
        problem = Problem("K0113", "the file holds no cluster spec", hint="see `kcompile init`")
        return Checked(None, (problem.at(document.position(())),))
    if len(document.problems) > MAX_PROBLEMS:
        return Checked(None, _told(document, list(document.problems)))
    problems = list(document.problems)
    wrong = {problem.path for problem in problems}
    data = document.data
    found: Cluster | None
    try:
        found = Cluster.model_validate(document.data)
    except ValidationError as error:
        errors = [found for found in error.errors(include_url=False) if not _is_echo(found)]
        misspelled = _misspelled(errors)
        problems += _of_the_shape(document, errors, misspelled)
        wrong |= misspelled
        found, data, left_out = _salvaged(document, errors) if len(errors) <= MAX_PROBLEMS else (None, data, set())
        wrong |= left_out
    if found is not None:
        above = {path[:length] for path in wrong for length in range(len(path))}
        for problem in rules.check(found, now, data, wrong):
            if len(problems) > MAX_PROBLEMS:
                break
            if problem.path not in above and not _is_in(problem.path, wrong):
                problems.append(_placed(document, problem))
    return Checked(found, _told(document, problems), frozenset(wrong), marked.Origins(data))


def _of_the_shape(document: Document, errors: list[ErrorDetails], misspelled: Collection[Path]) -> list[Problem]:
    """What the models found, but for what follows from something that is told already."""
    unread = {problem.path for problem in document.problems if problem.code in _UNREAD}
    causes = (
        error
        for error in errors
        if _location(error) not in unread and (error["type"] != "missing" or _location(error) not in misspelled)
    )
    return [_problem(document, Cluster, error) for error in islice(causes, _MANY)]


def _misspelled(errors: list[ErrorDetails]) -> set[Path]:
    """The fields that unknown ones were meant to be: it is not known what they hold."""
    meant: dict[Path, str | None] = {}
    found: set[Path] = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            *above, last = _location(error)
            field = (*(item for item in above if isinstance(item, str)), last)
            if field not in meant:
                meant[field] = names.nearest(str(last), field_names(Cluster, tuple(above)))
            if meant[field] is not None:
                found.add((*above, str(meant[field])))
    return found


_UNREAD = ("K0112", "K0115")
"""Of a value with one of these, what it is is not known."""


def _placed(document: Document, problem: Problem) -> Problem:
    message, position = problem.message, document.position(problem.path, key=problem.at_key)
    if problem.first is not None:
        first = document.position(problem.first)
        message += f", on line {first.line}"
        if position == first:  # by an anchor, it is what it repeats
            position = document.naming(problem.path) or position
    if problem.within:
        position = document.word(problem.path, problem.within) or position
    return replace(problem, message=message, position=position)


def secrets(document: Document) -> ClusterSecrets:
    """The secrets file of a document read without its sops block. Raises SpecError with every problem found."""
    if not isinstance(document.data, dict):
        raise SpecError(Problem("K0113", "the file holds no secrets").at(document.position(())))
    try:
        return ClusterSecrets.model_validate(document.data)
    except ValidationError as error:
        problems = [_problem(document, ClusterSecrets, e) for e in error.errors(include_url=False, include_input=False)]
        raise SpecError(_sorted(document, problems)) from None
