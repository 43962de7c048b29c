"""A document to a cluster, or every problem that the document has."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kcompile import load, rules
from kcompile.errors import Path, Problem, Severity, SpecError, described
from kcompile.load import Document
from kcompile.manifest import ClusterSecrets
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


def _models(annotation: Any) -> Iterator[Any]:
    """The annotations inside optional, list and mapping ones."""
    if get_origin(annotation) in (Union, types.UnionType, tuple, dict) or hasattr(annotation, "__metadata__"):
        for argument in get_args(annotation):
            yield from _models(argument)
    else:
        yield annotation


def field_names(model: type[BaseModel], path: Path) -> list[str]:
    """The fields that may stand at a path of a model."""
    for item in path:
        found = None
        if isinstance(item, str):
            for name, info in model.model_fields.items():
                if (info.alias or name) == item:
                    found = next(
                        (a for a in _models(info.annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None
                    )
        elif isinstance(item, int):
            found = model
        if found is None:
            return []
        model = found
    return [info.alias or name for name, info in model.model_fields.items()]


def _problem(document: Document, model: type[BaseModel], error: ErrorDetails) -> Problem:
    location: Path = tuple(item for item in error["loc"] if item != "[key]")
    kind = error["type"]
    path = document.existing(location)
    confidential = "bootstrapTokens" in path or not document.show_lines
    if kind == "extra_forbidden":
        known = field_names(model, path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"fields here are {', '.join(known)}" if known else None
        return Problem("unknown field", path, hint).at(document.position(path, key=True))
    if kind == "missing":
        position = document.position(path, key=True)
        example = _STAND_INS.get(location)
        hint = f"for example {location[-1]}: {example}" if isinstance(example, str) else None
        return Problem("is required and missing", location, hint).at(replace(position, excerpt=None))
    position = document.position(path, key="[key]" in error["loc"])
    if kind in _TYPE_WORDS and not document.show_lines:
        return Problem(f"must be {_TYPE_WORDS[kind]}", path).at(position)  # of a secrets file: values are withheld
    if kind in _TYPE_WORDS:
        return _wrong_type(document, model, path, kind, error["input"]).at(position)
    if kind == "value_error":
        cause = error["ctx"]["error"]
        return Problem(str(cause), path, getattr(cause, "hint", None)).at(position)
    if kind == "literal_error":
        hint = f"use {error['ctx']['expected'].replace(chr(39) * 2 + ', ', '').replace(chr(39), '')}"
        shown = "" if confidential else f"{error['input']!r} "
        return Problem(f"{shown}is not one of the values allowed here", path, hint).at(position)
    if kind == "too_short":
        return Problem("must not be empty", path).at(position)
    return Problem(error["msg"][0].lower() + error["msg"][1:], path).at(position)


def _is_echo(error: ErrorDetails) -> bool:
    """Whether an error only repeats that the items of a list, all of them, were refused."""
    return error["type"] == "too_short" and len(error["input"]) > 0


def _wrong_type(document: Document, model: type[BaseModel], path: Path, kind: str, value: object) -> Problem:
    wanted = _TYPE_WORDS[kind]
    spelled = load.raw_text(document, path)
    if kind == "string_type" and isinstance(value, bool | int | float) and spelled is not None:
        message = f"must be a string, but YAML reads {spelled} as {described(value)}"
        return Problem(message, path, _hint_on(document, model, path, spelled) or f'put it in quotes: "{spelled}"')
    hint = None
    if kind in ("int_type", "bool_type") and isinstance(value, str):
        hint = "leave out the quotes" if load.is_quoted(document, path) else f"write {_EXAMPLES[kind]}"
    return Problem(f"must be {wanted}, not {described(value)}", path, hint)


_EXAMPLES = {"int_type": "a number, for example 6443", "bool_type": "true or false"}


def _hint_on(document: Document, model: type[BaseModel], path: Path, text: str) -> str | None:
    """How to mend a value that would not be right as a string either. In lists nothing is tried: they can be long."""
    if any(isinstance(item, int) for item in path):
        return None
    try:
        model.model_validate(_replaced(document.data, path, text))
    except ValidationError as error:
        for found in error.errors(include_url=False):
            if found["loc"] == path and found["type"] == "value_error":
                hint: str | None = getattr(found["ctx"]["error"], "hint", None)
                return hint
    return None


def _replaced(data: Any, path: Path, value: Any) -> Any:
    """A copy of the data with another value at a path that is there."""
    if not path:
        return value
    head, *rest = path
    if isinstance(data, tuple) and isinstance(head, int):
        return (*data[:head], _replaced(data[head], tuple(rest), value), *data[head + 1 :])
    return {**data, head: _replaced(data[head], tuple(rest), value)}


_REMOVED: Any = object()
"""Stands where an item of a list was, so that the others keep their indices."""


def _without(data: Any, path: Path) -> Any:
    """A copy of the data without what stands at a path."""
    head, *rest = path
    if isinstance(data, tuple) and isinstance(head, int):
        child = _without(data[head], tuple(rest)) if rest else _REMOVED
        return (*data[:head], child, *data[head + 1 :])
    if rest:
        return {**data, head: _without(data[head], tuple(rest))}
    return {key: value for key, value in data.items() if key != head}


def _with(data: Any, path: Path, value: Any) -> Any:
    """A copy of the data with a value at a path of keys."""
    head, *rest = path
    base = data if isinstance(data, dict) else {}
    return {**base, head: _with(base.get(head), tuple(rest), value) if rest else value}


def _compacted(data: Any) -> Any:
    """The data without the marks of what was removed."""
    if isinstance(data, dict):
        return {key: _compacted(value) for key, value in data.items()}
    if isinstance(data, tuple):
        return tuple(_compacted(item) for item in data if item is not _REMOVED)
    return data


def _original(data: Any, path: Path) -> Path:
    """The path in marked data of a path in its compacted copy, as far as it exists."""
    found: list[str | int] = []
    for item in path:
        if isinstance(data, tuple) and isinstance(item, int):
            indices = [index for index, child in enumerate(data) if child is not _REMOVED]
            if item >= len(indices):
                break
            found.append(indices[item])
            data = data[indices[item]]
        elif isinstance(data, dict) and item in data:
            found.append(item)
            data = data[item]
        else:
            break
    return tuple(found)


def _salvaged(document: Document, errors: list[ErrorDetails]) -> tuple[Cluster | None, Any, set[Path]]:
    """The cluster without what is wrong in it, for the rules to look at; its marked data; what was left out."""
    data: Any = document.data
    touched: set[Path] = set()
    for _ in range(_SALVAGE_ROUNDS):
        removed: set[Path] = set()
        for error in errors:
            location: Path = tuple(item for item in error["loc"] if item != "[key]")
            stand_ins = [p for p in _STAND_INS if location[: len(p)] == p or p[: len(location)] == location]
            for stand_in in stand_ins:
                touched.add(stand_in)
                data = _with(data, stand_in, _STAND_INS[stand_in])
            if not stand_ins:
                # of a field that is missing, what it is missing from: the longest path that is there
                removed.add(_original(data, location))
        if () in removed:
            break
        for path in removed:
            if not any(path[:length] in removed for length in range(1, len(path))):
                data = _without(data, path)
        touched |= removed
        try:
            return Cluster.model_validate(_compacted(data)), data, touched
        except ValidationError as error:
            errors = error.errors(include_url=False)
    return None, data, touched


def _overlaps(path: Path, others: set[Path]) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in others)


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (p.position.line, p.position.column) if p.position else (0, 0))


def cluster(document: Document, now: datetime) -> tuple[Cluster, tuple[Problem, ...]]:
    """The cluster a document describes, and its warnings. Raises SpecError with every problem found.

    ``now`` is only for warnings about dates; nothing that is built depends on it.
    """
    if not isinstance(document.data, dict):
        position = document.position(())
        raise SpecError(Problem("the file holds no cluster spec", hint="see `kcompile init`").at(position))
    problems = list(document.problems)
    touched = {problem.path for problem in problems}
    data = document.data
    found: Cluster | None
    try:
        found = Cluster.model_validate(document.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [_problem(document, Cluster, e) for e in errors if not _is_echo(e)]
        found, data, left_out = _salvaged(document, errors)
        touched |= left_out
    if found is not None:
        for problem in rules.check(found, now):
            path = (*(there := _original(data, problem.path)), *problem.path[len(there) :])
            if not _overlaps(path, touched):
                message = problem.message
                if problem.first is not None:
                    message += f", on line {document.position(_original(data, problem.first)).line}"
                problems.append(replace(problem, path=path, message=message, position=document.position(path)))
    problems = _sorted(problems)
    if found is None or any(p.severity is Severity.ERROR for p in problems):
        raise SpecError(problems)
    return found, tuple(problems)


def secrets(document: Document) -> ClusterSecrets:
    """The secrets file of a document read without its sops block. Raises SpecError with every problem found."""
    if not isinstance(document.data, dict):
        raise SpecError(Problem("the file holds no secrets").at(document.position(())))
    try:
        return ClusterSecrets.model_validate(document.data)
    except ValidationError as error:
        problems = [_problem(document, ClusterSecrets, e) for e in error.errors(include_url=False, include_input=False)]
        raise SpecError(_sorted(problems)) from None
