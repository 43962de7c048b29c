"""A file to a document: plain data, and the line and column of everything in it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from kcompile import yamlread
from kcompile.errors import Path, PathItem, Position, Problem, SpecError
from kcompile.secret import looks_secret
from kcompile.yamlread import MappingNode, Node, ScalarNode, SequenceNode

# YAML 1.1, as the Kubernetes tools read it; timestamps and base-60 numbers stay strings, as in go-yaml.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
_INT = re.compile(r"[-+]?(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_MAX_DIGITS = 40
"""A whole number with more digits is taken for infinite: no field holds one, and Python would not print it."""
_CONFIDENTIAL = ("bootstrapTokens",)
"""Below these keys a person may by mistake have put a secret: lines there are not shown in errors."""


def read_file(path: str) -> bytes:
    """A file's bytes. Raises SpecError."""
    try:
        with FilePath(path).open("rb") as file:
            return file.read(yamlread.MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(Problem(f"cannot read the file: {error.strerror}", position=Position(path, 1, 1))) from None


@dataclass(frozen=True)
class Document:
    """A parsed file. ``data`` has dicts, tuples and scalars; ``problems`` are what YAML itself lets pass."""

    file: str
    text: str
    data: Any
    root: Node | None
    show_lines: bool
    problems: tuple[Problem, ...] = field(default=())

    def existing(self, path: Path) -> Path:
        """The longest beginning of a path that is there."""
        node, found = self.root, []
        for item in path:
            child = _child(node, item)
            if child is None:
                break
            found.append(item)
            node = child[1]
        return tuple(found)

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where a path's value stands, or its key; of a path that is not there, its nearest ancestor."""
        node, key_node = self.root, None
        for item in path:
            child = _child(node, item)
            if child is None:
                chosen = node if key_node is None else key_node
                return self._span(chosen, show=False)
            key_node, node = child
        chosen = key_node if key and key_node is not None else node
        confidential = any(item in _CONFIDENTIAL for item in path)
        return self._span(chosen, show=self.show_lines and not confidential)

    def _span(self, node: Node | None, *, show: bool) -> Position:
        if node is None:
            return Position(self.file, 1, 1)
        start, end = node.start_mark, node.end_mark
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            end = node.value[0][0].end_mark  # a block mapping is shown by its first key
        line = _line(self.text, start.line)
        if isinstance(node, SequenceNode) and not node.flow_style:
            length = 1  # and a list by its first dash
        elif end.line == start.line:
            length = max(1, end.column - start.column)
        else:
            length = max(1, len(line.rstrip()) - start.column)
        excerpt = line if show and not looks_secret(line) else None
        return Position(self.file, start.line + 1, start.column + 1, length, excerpt)


def _line(text: str, number: int) -> str:
    """A line of a text, counted from 0."""
    lines = text.split("\n")
    return lines[number] if number < len(lines) else ""


def _child(node: Node | None, item: PathItem) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(item, int) and item < len(node.value):
        return None, node.value[item]
    if isinstance(node, MappingNode) and isinstance(item, str):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == item:
                return key, value
    return None


def raw_text(document: Document, path: Path) -> str | None:
    """How a scalar is spelled in the file."""
    node = document.root
    for item in path:
        child = _child(node, item)
        if child is None:
            return None
        node = child[1]
    return node.value if isinstance(node, ScalarNode) else None


def is_quoted(document: Document, path: Path) -> bool:
    """Whether a scalar stands in quotes."""
    node = document.root
    for item in path:
        child = _child(node, item)
        if child is None:
            return False
        node = child[1]
    return isinstance(node, ScalarNode) and node.style in ("'", '"')


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    if node.style or node.tag not in _PLAIN_TAGS:
        return text
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INT.fullmatch(text):
        digits = text.replace("_", "").lower()
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
        if len(digits) > _MAX_DIGITS:
            return math.inf
        with suppress(ValueError):  # 08 is no octal number, and 0x_ is none at all: go-yaml goes on, too
            return int(f"{octal[1]}0o{octal[2]}" if octal else digits, 0)
    if _FLOAT.fullmatch(text) and text not in (".", "+", "-"):
        return float(text.replace("_", ""))
    return _SPECIAL.get(text.lower(), text)


_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)


def _data(node: Node, path: Path, file: str, problems: list[Problem]) -> Any:
    if isinstance(node, ScalarNode):
        value = _scalar(node)
        if isinstance(value, float) and not math.isfinite(value):
            position = Position(file, node.start_mark.line + 1, node.start_mark.column + 1)
            problems.append(Problem("is no finite number, or one that is too large", path, position=position))
            return 0
        return value
    if isinstance(node, SequenceNode):
        return tuple(_data(child, (*path, index), file, problems) for index, child in enumerate(node.value))
    found: dict[str, Any] = {}
    for key, child in node.value:
        position = Position(file, key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, ScalarNode):
            problems.append(Problem("a key must be a string", path, position=position))
            continue
        name = str(key.value)
        if not key.style and name == "<<":
            hint = "write the fields out"
            problems.append(Problem("merge keys (<<) are not supported", (*path, name), hint, position=position))
            continue
        if not key.style and not isinstance(_scalar(key), str):
            hint = f'put it in quotes: "{name}"'
            problems.append(Problem(f"YAML reads the key {name} as no string", (*path, name), hint, position=position))
            continue
        if name in found:
            first = next(known for known, _ in node.value if known.value == name).start_mark.line + 1
            message = f"the key stands here a second time; the first is on line {first}"
            problems.append(Problem(message, (*path, name), "keep one of them", position=position))
            continue
        found[name] = _data(child, (*path, name), file, problems)
    return found


def parse(file: str, content: bytes, *, show_lines: bool = True) -> Document:
    """A document of a file's bytes. Raises SpecError when it is no acceptable YAML."""
    try:
        text = yamlread.decode(content)
        root = yamlread.compose(text)
    except yamlread.YamlError as error:
        line = _line(content.decode("utf-8", "replace"), error.line - 1) if error.is_syntax else ""
        shown = line if show_lines and line.strip() and not looks_secret(line) else None
        position = Position(file, error.line, error.column, 1, shown)
        raise SpecError(Problem(error.message, hint=error.hint, position=position)) from None
    problems: list[Problem] = []
    data = None if root is None else _data(root, (), file, problems)
    return Document(file, text, data, root, show_lines, tuple(problems))


def check_manifest(file: str, content: bytes) -> None:
    """A file of Kubernetes objects: YAML documents with a kind each, and no secret in plain text. Raises SpecError."""
    try:
        text = yamlread.decode(content)
        documents = yamlread.documents(text)
    except yamlread.YamlError as error:
        message = f"line {error.line}: {error.message}"
        raise SpecError(Problem(message, hint=error.hint, position=Position(file, error.line, error.column))) from None
    for node in documents:
        for found in _objects(node):
            line = found.start_mark.line + 1
            fault = _manifest_fault(found)
            if fault is not None:
                message, hint = fault
                raise SpecError(Problem(f"line {line}: {message}", hint=hint, position=Position(file, line, 1)))


def _objects(node: Node) -> Iterator[Node]:
    """The objects of a document: itself, or the items of a list."""
    items = _child(node, "items") if (_text_at(node, "kind"), _text_at(node, "apiVersion")) == ("List", "v1") else None
    if items is not None and isinstance(items[1], SequenceNode):
        for item in items[1].value:
            yield from _objects(item)
    else:
        yield node


def _text_at(node: Node, *path: PathItem) -> str | None:
    for item in path:
        child = _child(node, item)
        if child is None:
            return None
        node = child[1]
    return str(node.value) if isinstance(node, ScalarNode) else None


def _manifest_fault(node: Node) -> tuple[str, str | None] | None:
    """What is wrong with an object, and the mend."""
    if not (isinstance(node, MappingNode) and _text_at(node, "kind") and _text_at(node, "apiVersion")):
        return "not a Kubernetes object: no apiVersion and kind", None
    if str(_text_at(node, "kind")).endswith("List") and _child(node, "items") is not None:
        return f"a {_text_at(node, 'kind')} is no object of its own", "write its items as documents, or as a List of v1"
    if str(_text_at(node, "apiVersion")).startswith("kcompile.dev/"):
        return "not an object for the cluster but a file of kcompile's own", "name files with Kubernetes objects"
    if _text_at(node, "kind") == "Secret" and _text_at(node, "apiVersion") == "v1":
        for name in ("data", "stringData"):
            values = _child(node, name)
            entries = values[1].value if values is not None and isinstance(values[1], MappingNode) else []
            if not all(isinstance(v, ScalarNode) and (v.value.startswith("ENC[") or not v.value) for _, v in entries):
                message = f"a Secret whose {name} would stand in plain text in the tree"
                return message, "encrypt the file with sops (Flux opens it), or make the Secret in the cluster"
    return None
