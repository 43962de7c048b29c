"""What Go decodes from JSON into its structs and writes of them, and what is wrong with what it does not decode.

The structs are told by tables of their fields.

A type is written as in Go: a scalar's name, ``[]T``, ``map[string]T`` or a struct's name. ``any`` takes every value.
Sources: encoding/json; k8s.io/apimachinery ``meta/v1`` (Duration, Time), ``api/resource`` (Quantity) and
``util/intstr`` (IntOrString).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kcompile import names, quantity, timefmt
from kcompile.errors import Path, described

Structs = Mapping[str, Mapping[str, str]]
"""The Go type of each field, by struct."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that Go would not decode, or one field that it would drop."""

    path: Path
    message: str
    hint: str | None = None
    unknown: bool = False
    """The field is none of the kind's: Go goes on without it."""
    example: str = field(default="", compare=False)
    """What could stand there, where there is nothing better to say."""

    @property
    def mend(self) -> str | None:
        """What to do about it."""
        return self.hint or self.example or None


_WANTED = {
    "string": "a string",
    "bool": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "uint32": "a whole number",
    "float32": "a number",
    "float64": "a number",
    "Duration": "a duration such as 10s",
    "TimeOrMetaDuration": "a duration such as 10s or a whole number of nanoseconds",
    "IntOrString": "a whole number or a string",
    "Quantity": "a quantity such as 1Gi",
    "Time": "a time such as 2026-11-23T00:00:00Z",
}
_LISTED = {"string": "strings", "int32": "whole numbers", "int64": "whole numbers"}
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "IntOrString": (-(2**31), 2**31 - 1),
    "TimeOrMetaDuration": (-(2**63), 2**63 - 1),
}
_LARGEST = {"float32": (2 - 2**-23) * 2.0**127, "float64": (2 - 2**-52) * 2.0**1023}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


_READERS: dict[str, Callable[[str], object]] = {
    "string": str,
    "Duration": timefmt.parse_duration,
    "TimeOrMetaDuration": timefmt.parse_duration,
    "IntOrString": str,
    "Quantity": quantity.canonical,
    "Time": _time,
}
"""What is written as a string, and what reads it or raises ValueError."""


def structs(table: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The structs of a table that gives, by struct and Go type, the names of the fields with spaces between them."""
    return {
        struct: {name: go for go, names in types.items() for name in names.split()} for struct, types in table.items()
    }


@dataclass(frozen=True, slots=True)
class Tags:
    """What the json tags of the fields say, by struct."""

    omitted: Mapping[str, frozenset[str]]
    """Fields that are no pointers and no structs and carry omitempty: their zero value is not written."""
    written: Mapping[str, Mapping[str, Any]]
    """Fields without omitempty of what stands in lists, with the zero values that are written where nothing is set."""
    newer: Mapping[str, frozenset[str]]
    """Fields that came later than the version that decodes, which drops them."""


_ZEROS: dict[str, Any] = {"string": "", "bool": False, "Quantity": "0", "Duration": "0s"}
_ZEROS |= dict.fromkeys(("int32", "int64", "uint32", "float32", "float64"), 0)


def decoded(structs: Structs, tags: Tags, go: str, value: Any) -> Any:
    """A value that Go decodes as a type (see :func:`check`), with all that is set in it, as Go writes it.

    Scalars that Go cannot tell from unset are left out. What is no field of a struct stays as it is.
    """
    if value is None:  # an entry of a list or a map: null leaves Go's zero value
        return decoded(structs, tags, go, {}) if go in structs else _ZEROS.get(go)
    if go.startswith("[]"):
        return [decoded(structs, tags, go.removeprefix("[]"), item) for item in value]
    if go.startswith("map[string]"):
        return {name: decoded(structs, tags, go.removeprefix("map[string]"), child) for name, child in value.items()}
    if go in structs:
        result = dict(tags.written.get(go, {}))
        for name, child in value.items():
            field = structs[go].get(name)
            if name in tags.newer.get(go, ()):
                continue
            if child is not None and (isinstance(child, Mapping | list | tuple) or child or not _omits(tags, go, name)):
                result[name] = child if field is None else decoded(structs, tags, field, child)
        return result
    return _written(go, value)


def _omits(tags: Tags, struct: str, name: str) -> bool:
    return name in tags.omitted.get(struct, ())


def _written(go: str, value: Any) -> Any:
    if isinstance(value, str) and go in ("Duration", "TimeOrMetaDuration"):
        return timefmt.format_duration(timefmt.parse_duration(value))
    if go == "Quantity":
        return quantity.canonical(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value  # as JSON has it


def without_empty(structs: Structs, tags: Tags, go: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A decoded struct without the lists, maps and scalars that omitempty leaves out."""
    result = {}
    for name, value in fields.items():
        if value or not _omits(tags, go, name):
            below = structs[go].get(name, "")
            result[name] = without_empty(structs, tags, below, value) if below in structs and value else value
    return result


def check(structs: Structs, kind: str, value: Any) -> Iterator[Fault]:
    """What is wrong with a value for the struct of a kind, in the value's order.

    null is a field left unset. Whether a value makes sense is for whoever reads the struct to say.
    """
    return _faults(structs, kind, kind, value, ())


def _faults(structs: Structs, kind: str, go: str, value: Any, path: Path) -> Iterator[Fault]:
    if value is None or go == "any":
        return
    if go.startswith("[]"):
        item_type = go.removeprefix("[]")
        if isinstance(value, tuple | list):
            for index, item in enumerate(value):
                yield from _faults(structs, kind, item_type, item, (*path, index))
        else:
            mend = "write '-' before each item" if isinstance(value, Mapping) else "put it in brackets"
            message = f"must be a list of {_LISTED.get(item_type, 'mappings')}, not {described(value)}"
            yield Fault(path, message, example=mend)
    elif go.startswith("map[string]") or go in structs:
        if not isinstance(value, Mapping):
            yield Fault(path, f"must be a mapping, not {described(value)}", example="write its fields below it")
            return
        fields = structs.get(go)
        for name, child in value.items():
            child_type = go.removeprefix("map[string]") if fields is None else fields.get(name)
            if child_type is not None:
                yield from _faults(structs, kind, child_type, child, (*path, name))
            else:
                close = names.nearest(name, fields or ())
                hint = f"did you mean {close}?" if close else None
                mend = "leave it out, or write its name as Kubernetes does"
                yield Fault((*path, name), f"unknown field of {kind}", hint, unknown=True, example=mend)
    elif not _decodes(go, value):
        yield Fault(path, _message(go, value), _hint(go, value), example=f"for example {_EXAMPLES[go]}")


def _decodes(go: str, value: Any) -> bool:
    """Whether Go reads a value as a scalar type. A float is never a whole number, as in JSON."""
    if isinstance(value, bool):
        return go == "bool"
    if isinstance(value, int) and go in _RANGES:
        low, high = _RANGES[go]
        return low <= value <= high
    if isinstance(value, int | float) and go in _LARGEST:
        return abs(value) <= _LARGEST[go]
    if go not in _READERS or not isinstance(value, str | int | float if go == "Quantity" else str):
        return False
    try:
        _READERS[go](value)
    except ValueError:
        return False
    return True


def _message(go: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and go in _RANGES:
            low, high = _RANGES[go]
            return f"must be a whole number from {low} to {high}"
        if go in _LARGEST:
            return "must be a finite number"
    if isinstance(value, str) and go in _READERS:
        return f"must be {_WANTED[go]}"
    return f"must be {_WANTED[go]}, not {described(value)}"


_EXAMPLES = {
    "string": "text",
    "bool": "true",
    "Duration": "10s",
    "TimeOrMetaDuration": "10s",
    "IntOrString": "1 or 25%",
    "Quantity": "500Mi",
    "Time": "2026-11-23T00:00:00Z",
    **dict.fromkeys(("int32", "int64", "uint32"), "10"),
    **dict.fromkeys(("float32", "float64"), "0.5"),
}


def _hint(go: str, value: Any) -> str | None:
    if go == "string":
        return "put it in quotes" if isinstance(value, bool | int | float) else None
    if go == "Duration":
        digits = value if isinstance(value, str) else described(value).removeprefix("the number ")
        is_number = _NUMBER.fullmatch(digits) and _decodes(go, f"{digits}s")
        return f"add the unit, for example {digits}s" if is_number else None
    literal = {"bool": re.compile("true|false"), "float32": _NUMBER, "float64": _NUMBER}.get(go, _WHOLE)
    is_quoted = isinstance(value, str) and go not in _READERS and literal.fullmatch(value)
    return "leave out the quotes" if is_quoted else None
