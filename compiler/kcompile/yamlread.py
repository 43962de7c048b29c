"""YAML text to a tree of nodes that know their line and column, in bounded memory, depth and time.

libyaml's composer is used because it keeps positions and reads a spec of a thousand nodes in a hundredth
of a second. It recurses, so the depth is bounded on the stream of events before it starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES_FROM_ALIASES = 100_000

Node = yaml.nodes.Node
MappingNode = yaml.nodes.MappingNode
SequenceNode = yaml.nodes.SequenceNode
ScalarNode = yaml.nodes.ScalarNode


@dataclass(frozen=True)
class YamlError(Exception):
    """Text that is not acceptable YAML. Line and column count from 1."""

    message: str
    line: int = 1
    column: int = 1
    hint: str | None = None
    is_syntax: bool = False
    """Whether showing the line helps: it is one of many."""


_WORDS = {
    "found unexpected end of stream": ("a quote is opened here and not closed", None),
    "did not find expected ',' or ']'": ("a list in brackets is not closed, or lacks a comma", None),
    "did not find expected ',' or '}'": ("a mapping in braces is not closed, or lacks a comma", None),
    "mapping values are not allowed in this context": (
        "a ':' where no key can stand",
        "indent the line as its neighbours are, or put a value that holds ': ' in quotes",
    ),
    "could not find expected ':'": ("a key without its ':'", "write key: value"),
    "did not find expected key": ("no key where one should stand", "indent the line as its neighbours are"),
    "did not find expected '-' indicator": ("no '-' where one should stand", "indent the line as its neighbours are"),
    "found undefined alias": ("an alias without its anchor", "YAML takes * at the beginning for an alias: use quotes"),
    "found character that cannot start any token": ("a character that cannot begin a value", "put the value in quotes"),
}
"""What libyaml says of a syntax error, and what a person would."""
_OPENED = ("a quote", "a list in", "a mapping in")
"""Errors of which the place where it was opened says more than the place where it was missed."""


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, 16 MiB at most. Raises YamlError."""
    if len(content) > MAX_BYTES:
        raise YamlError(f"the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise YamlError("the file is not UTF-8", line, column, "save it as UTF-8") from None
    return text.removeprefix("\ufeff")


def compose(text: str) -> Node | None:
    """The one document in a text, or None when it is empty. Raises YamlError."""
    found = documents(text)
    if len(found) > 1:
        mark = found[1].start_mark
        hint = "keep one document in a file"
        raise YamlError("a second document begins here", mark.line + 1, mark.column + 1, hint)
    return found[0] if found else None


def documents(text: str) -> list[Node]:
    """The documents in a text that are not empty. Raises YamlError."""
    try:
        _check_depth(text)
        found = [node for node in yaml.compose_all(text, Loader=yaml.CSafeLoader) if node is not None]
    except yaml.MarkedYAMLError as error:
        said = str(error.problem or error.context)
        message, hint = _WORDS.get(said, (said, None))
        opened = error.context_mark if message.startswith(_OPENED) else None
        mark = opened or error.problem_mark or error.context_mark
        raise YamlError(
            f"not valid YAML: {message}",
            mark.line + 1 if mark else 1,
            mark.column + 1 if mark else 1,
            (_tab_hint(text, mark.line) if mark else None) or hint,
            is_syntax=mark is not None,
        ) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        raise YamlError("not valid YAML: a character that YAML does not allow", line) from None
    for node in found:
        _check_aliases(node)
    return found


def _tab_hint(text: str, line: int) -> str | None:
    lines = text.split("\n")
    tabbed = line < len(lines) and "\t" in re.match(r"\s*", lines[line])[0]  # type: ignore[index]
    return "indent with spaces: YAML does not allow tabs" if tabbed else None


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line, column = (event.start_mark.line, event.start_mark.column) if event.start_mark else (0, 0)
                raise YamlError(f"nested more than {MAX_DEPTH} levels deep", line + 1, column + 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_aliases(root: Node) -> None:
    """Refuse aliases that contain themselves or that would expand to an unreasonable size."""
    sizes: dict[int, int] = {}
    written = 0

    def size(node: Node) -> int:
        nonlocal written
        known = sizes.get(id(node))
        if known is not None:
            if known < 0:
                raise YamlError("an anchor contains itself", node.start_mark.line + 1, node.start_mark.column + 1)
            return known
        written += 1
        total = 1
        if isinstance(node, ScalarNode):
            sizes[id(node)] = 1
            return 1
        sizes[id(node)] = -1
        if isinstance(node, SequenceNode):
            total += sum(map(size, node.value))
        else:
            total += sum(size(key) + size(value) for key, value in node.value)
        sizes[id(node)] = total
        return total

    if size(root) > written + MAX_NODES_FROM_ALIASES:
        raise YamlError("its aliases expand to an unreasonable size", hint="write the values out")
