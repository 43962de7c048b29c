"""A document to a cluster, or every problem that the document has."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kcompile import load, rules
from kcompile.errors import Path, Problem, Severity, SpecError
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


def _word(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, tuple | list) else "a string"


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
        close = difflib.get_close_matches(str(path[-1]), field_names(model, path[:-1]), 1)
        hint = f"did you mean {close[0]}?" if close else None
        return Problem("unknown field", path, hint).at(document.position(path, key=True))
    if kind == "missing":
        return Problem("is required and missing", location).at(document.position(path, key=True))
    position = document.position(path, key="[key]" in error["loc"])
    if kind in _TYPE_WORDS:
        return _wrong_type(document, path, kind, error["input"]).at(position)
    if kind == "value_error":
        cause = error["ctx"]["error"]
        return Problem(str(cause), path, getattr(cause, "hint", None)).at(position)
    if kind == "literal_error":
        hint = f"use {error['ctx']['expected'].replace(chr(39), '')}"
        shown = "" if confidential else f"{error['input']!r} "
        return Problem(f"{shown}is not one of the values allowed here", path, hint).at(position)
    if kind == "too_short":
        return Problem("must not be empty", path).at(position)
    return Problem(error["msg"][0].lower() + error["msg"][1:], path).at(position)


def _wrong_type(document: Document, path: Path, kind: str, value: object) -> Problem:
    wanted = _TYPE_WORDS[kind]
    spelled = load.raw_text(document, path)
    if kind == "string_type" and isinstance(value, bool | int | float) and spelled is not None:
        message = f"must be a string, but YAML reads {spelled} as {_word(value)}"
        return Problem(message, path, f'put it in quotes: "{spelled}"')
    if kind in ("int_type", "bool_type") and isinstance(value, str):
        return Problem(f"must be {wanted}, not a string", path, "leave out the quotes" if spelled else None)
    return Problem(f"must be {wanted}, not {_word(value)}", path)


def _pruned(data: Any, path: Path) -> Any:
    """A copy of the data without what stands at a path, or with a stand-in there."""
    if not path:
        return {}
    head, *rest = path
    if isinstance(data, tuple) and isinstance(head, int) and head < len(data):
        if not rest:
            return data[:head] + data[head + 1 :]
        return (*data[:head], _pruned(data[head], tuple(rest)), *data[head + 1 :])
    if isinstance(data, dict) and isinstance(head, str):
        result = dict(data)
        if not rest:
            result.pop(head, None)
        else:
            result[head] = _pruned(result.get(head, {}), tuple(rest))
        return result
    return data


def _placed(data: Any, path: Path, value: Any) -> Any:
    head, *rest = path
    base = dict(data) if isinstance(data, dict) else {}
    base[str(head)] = value if not rest else _placed(base.get(str(head)), tuple(rest), value)
    return base


def _salvaged(document: Document, errors: list[ErrorDetails]) -> tuple[Cluster | None, list[Path]]:
    """The cluster without what is wrong in it, for the rules to look at; and what was left out."""
    data = document.data
    touched: list[Path] = []
    for _ in range(20):
        # from the back, so that the indices of what is still to be removed stay right
        for error in sorted(errors, key=lambda e: [str(i).zfill(9) for i in e["loc"]], reverse=True):
            location: Path = tuple(item for item in error["loc"] if item != "[key]")
            stand_ins = [p for p in _STAND_INS if location[: len(p)] == p or p[: len(location)] == location]
            if stand_ins:
                path = min(location, stand_ins[0], key=len)
                for stand_in in stand_ins:
                    data = _placed(data, stand_in, _STAND_INS[stand_in])
            else:
                path = location[:-1] if error["type"] in ("missing", "too_short") else location
                if not path:
                    return None, touched
                data = _pruned(data, path)
            touched.append(path)
        try:
            return Cluster.model_validate(data), touched
        except ValidationError as error:
            errors = error.errors(include_url=False)
    return None, touched


def _overlaps(path: Path, others: list[Path]) -> bool:
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
    touched: list[Path] = [problem.path for problem in problems]
    found: Cluster | None
    try:
        found = Cluster.model_validate(document.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [_problem(document, Cluster, e) for e in errors]
        found, more = _salvaged(document, errors)
        touched += more
    if found is not None:
        problems += [
            problem.at(document.position(problem.path))
            for problem in rules.check(found, now)
            if not _overlaps(problem.path, touched)
        ]
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
