"""What a field of the spec means, in words for a terminal, as ``kubectl explain`` does it, all from the schema."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from kcompile import load, yamlfmt
from kcompile.errors import Path, Problem, SpecError
from kcompile.schema import Schema, document

_PART = re.compile(r"""\.?(?:\[(?P<index>[0-9]*)\]|\['(?P<one>[^']*)'\]|\["(?P<two>[^"]*)"\]|(?P<name>[^.\[\]]+))""")
_PLAIN = re.compile(r"[A-Za-z0-9/._*~-][A-Za-z0-9/._:@+=*~-]*")
_WIDTH = 100
_NEAREST = 3


def field_help(path: str) -> str:
    """Type, default, meaning and examples of the field at a path such as ``spec.controlPlane.nodes``.

    An index may stand behind a list, as in ``nodes[0].address``, with or without its number, or be left out; a dot may
    stand at the end, where a shell has completed a path. Raises SpecError for an unknown path.
    """
    path = path.removesuffix(".")
    root = document()
    definitions: dict[str, Schema] = root["$defs"]
    steps = _parsed(path)
    parent, found = root, root
    for number, step in enumerate(steps):
        parent, child = found, _child(_resolved(found, definitions), step, definitions)
        if child is None:
            raise SpecError(
                Problem("K1014", f"the spec has no field {path}", hint=_nearest(path, steps[:number], found, root))
            )
        found = child if "description" in _resolved(child, definitions) else {**_words(found), **child}
    if not steps:
        raise SpecError(Problem("K1014", "no field is named", hint="name one, for example spec.controlPlane.nodes"))
    return _text(path, steps[-1], found, _resolved(parent, definitions), definitions)


def _parsed(path: str) -> Path:
    """The names and indices of a path. What is no part of one ends it as a name that no field has."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        part = _PART.match(path, position)
        if part is None:
            return (*steps, path[position:])
        steps.append(
            int(part["index"] or 0) if part["index"] is not None else part["name"] or part["one"] or part["two"] or ""
        )
        position = part.end()
    return tuple(steps)


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A schema with what it refers to, of which its own words say it better."""
    if "anyOf" in schema:
        schema = {**schema["anyOf"][0], **schema}
    if "$ref" not in schema:
        return schema
    return {**definitions[schema["$ref"].rpartition("/")[2]], **schema}


def _child(schema: Schema, step: str | int, definitions: dict[str, Schema]) -> Schema | None:
    """What stands at a name or an index of a resolved schema."""
    if "items" in schema:
        items: Schema = schema["items"]
        return items if isinstance(step, int) else _child(_resolved(items, definitions), step, definitions)
    if isinstance(step, int):
        return None
    of_any_name = schema.get("additionalProperties")
    found: Schema | None = schema.get("properties", {}).get(step)
    return of_any_name if found is None and isinstance(of_any_name, dict) else found


def _words(schema: Schema) -> Schema:
    """The description alone: an entry of a map or a list of scalars means what the whole does."""
    return {"description": schema["description"]} if "description" in schema else {}


# --- unknown paths ----------------------------------------------------------------------------------


def _paths(schema: Schema, prefix: str, definitions: dict[str, Schema]) -> Iterator[str]:
    """Every path of fields below a schema, without indices."""
    schema = _resolved(schema, definitions)
    if "items" in schema:
        schema = _resolved(schema["items"], definitions)
    for name, child in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path
        yield from _paths(child, path, definitions)


def _nearest(path: str, known: Path, parent: Schema, root: Schema) -> str:
    """A hint to what may have been meant: that name elsewhere, a name like it here, a path like it."""
    definitions = root["$defs"]
    words = ".".join(str(step) for step in _parsed(path) if isinstance(step, str))
    every = list(_paths(root, "", definitions))
    last = words.rpartition(".")[2]
    found = [other for other in every if f".{other}".lower().endswith(f".{words}".lower())]
    prefix = ".".join(step for step in known if isinstance(step, str))
    here = {name.rpartition(".")[2]: name for name in _paths(parent, prefix, definitions) if _depth(name, prefix) == 1}
    if not found:
        step = _parsed(path)[len(known)]
        found = [here[name] for name in difflib.get_close_matches(str(step), here, _NEAREST)]
    found = found or [other for other in every if f".{other}".lower().endswith(f".{last}".lower())]
    found = found or difflib.get_close_matches(words, every, _NEAREST)
    if found:
        nearest = sorted(found, key=lambda other: (other.count("."), found.index(other)))[:_NEAREST]
        return f"did you mean {' or '.join(nearest)}?"
    return f"fields here are {', '.join(here)}" if here else "it has no fields"


def _depth(path: str, prefix: str) -> int:
    return path.count(".") - prefix.count(".") + (not prefix)


# --- text -------------------------------------------------------------------------------------------


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(child)}' for key, child in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str):
        return value if _is_plain(value) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "null" if value is None else str(value).lower()


def _is_plain(text: str) -> bool:
    """Whether YAML reads a text without quotes as itself."""
    return bool(_PLAIN.fullmatch(text)) and load.parse("", f"[{text}]".encode()).data == (text,)


def _type(schema: Schema) -> str:
    """The type as Go and kubectl write it: ``[]ControlPlaneNode``, ``map[string]string``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2]).removeprefix("config.")
    if "anyOf" in schema:
        return " or ".join(_type(form) for form in schema["anyOf"] if form != {"type": "null"})
    kinds = schema.get("type", "string" if "const" in schema else "any")
    kinds = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if kinds == ["array"]:
        return f"[]{_type(schema['items'])}"
    if kinds == ["object"]:
        values = schema.get("additionalProperties")
        of = _type(values) if isinstance(values, dict) else "any"
        return f"map[string]({of})" if " or " in of else f"map[string]{of}"
    return " or ".join(kinds)


def _allowed(schema: Schema) -> Iterator[str]:
    """What may stand there, a line each."""
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        yield ", ".join(flow(value) for value in values if value is not None)
    if "minimum" in schema:
        yield f"from {schema['minimum']} to {schema['maximum']}"
    if "patternErrorMessage" in schema:
        yield schema["patternErrorMessage"].removeprefix("must be ")
    if "propertyNames" in schema:
        yield f"each key: {schema['propertyNames']['patternErrorMessage'].removeprefix('must be ')}"
    if "minItems" in schema:
        yield f"{schema['minItems']} or more"
    for items in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(items, dict):
            yield from (f"each: {line}" for line in _allowed(items))


def _fields(schema: Schema) -> Iterator[str]:
    """The fields of a mapping, required ones first: name, type and first sentence of each."""
    required = schema.get("required", ())
    fields = schema.get("properties", {})
    for name, child in sorted(fields.items(), key=lambda field: field[0] not in required):
        yield f"  {name} <{_type(child)}>{' -required-' if name in required else ''}"
        yield textwrap.fill(
            _first_sentence(child["description"]), _WIDTH, initial_indent=" " * 4, subsequent_indent="    "
        )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _example(step: str | int, value: Any) -> list[str]:
    """An example on a line, or where that would be long, in a block."""
    line = f"  {step}: {flow(value)}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"  {line}" for line in yamlfmt.dump({str(step): value}).decode().splitlines()]


def _text(path: str, step: str | int, own: Schema, parent: Schema, definitions: dict[str, Schema]) -> str:
    schema = _resolved(own, definitions)
    required = " -required-" if step in parent.get("required", ()) else ""
    lines = [f"FIELD:    {path}", f"TYPE:     {_type(own)}{required}"]
    if "default" in schema:
        lines.append(f"DEFAULT:  {flow(schema['default'])}")
    inner = _resolved(schema["items"], definitions) if "items" in schema else schema
    sections = {
        "DESCRIPTION": [textwrap.fill(schema["description"], _WIDTH, initial_indent="  ", subsequent_indent="  ")]
        if "description" in schema
        else [],
        "ALLOWED VALUES": [f"  {line}" for line in _allowed(schema)],
        "EXAMPLE": [line for example in schema.get("examples", ()) for line in _example(step, example)],
        "FIELDS": list(_fields(inner)),
    }
    for title, content in sections.items():
        if content:
            lines += ["", f"{title}:", *content]
    return "\n".join(lines) + "\n"
