"""A file to a document: plain data, and the line and column of everything in it."""

from __future__ import annotations

import errno
import math
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from kcompile import yamlread
from kcompile.errors import Path, Position, Problem, SpecError, described
from kcompile.secret import holds_secrets, looks_secret, may_be_secret
from kcompile.yamlread import MappingNode, Node, ScalarNode, SequenceNode, child

# YAML 1.1, as the Kubernetes tools read it; timestamps and base-60 numbers stay strings, as in go-yaml.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
_INT = re.compile(r"[-+]?(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_MAX_DIGITS = 40
"""A whole number with more digits is taken for infinite: no field holds one, and Python would not print it."""
_MERGED = 20
"""Of so many mappings that are merged in a list, the alias of one is found."""
_CONFIDENTIAL = ("bootstrapTokens",)
"""Below these keys a person may by mistake have put a secret: lines there are not shown in errors."""


def read_file(path: str) -> bytes:
    """A file's bytes. Raises SpecError."""
    try:
        with FilePath(path).open("rb") as file:
            return file.read(yamlread.MAX_BYTES + 1)
    except OSError as error:
        hint = _UNREADABLE.get(error.errno or 0, "see that it is a file that you can read")
        message = f"cannot read the file: {error.strerror}"
        raise SpecError(Problem("K0101", message, hint=hint, position=Position(path, 1, 1))) from None


_UNREADABLE = {
    errno.ENOENT: "correct the name, or put the file there",
    errno.ENOTDIR: "correct the name: part of it is a file and no directory",
    errno.EISDIR: "name a file in that directory",
    errno.EACCES: "its mode keeps you out: change that, or run as its owner",
    errno.ELOOP: "its symbolic links lead in a circle: put the file itself there",
    errno.ENAMETOOLONG: "no file can have that name: correct it",
}
"""What to do about a file, by the system's error."""


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
        return path[: self._walk(path)[0]]

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where a path's value stands, or its key; of a path that is not there, its nearest ancestor."""
        depth, key_node, node = self._walk(path)
        if depth < len(path):
            return self._span(node if key_node is None else key_node, show=False)
        return self.at_node(path, key_node if key and key_node is not None else node)

    def naming(self, path: Path) -> Position | None:
        """Where the alias stands by which a path is there, of those that are named by one."""
        found, written = self._aliases
        for length in range(len(path), -1, -1):
            merge = (*path[:length], "<<")
            takes_in = length < len(path) and path[: length + 1] not in written
            for place in (path[:length], *((merge, *((*merge, n) for n in range(_MERGED))) if takes_in else ())):
                if place in found:
                    return self._of_marks(*found[place], show=self.show_lines and not _is_confidential(path))
        return None

    @cached_property
    def _aliases(self) -> tuple[dict[Path, yamlread.Span], set[Path]]:
        return yamlread.aliases(self.text)

    def word(self, path: Path, word: str) -> Position | None:
        """Where a word stands in the value at a path, or in an item of the list there, if it is on one line."""
        depth, _, node = self._walk(path)
        values: list[Any] = node.value if isinstance(node, SequenceNode) else [node]
        for scalar in values if depth == len(path) else ():
            start, end = scalar.start_mark, scalar.end_mark
            if isinstance(scalar, ScalarNode) and start.line == end.line:
                place = _word_in(self._lines[start.line], word, start.column, end.column)
                if place is not None:
                    return replace(self.at_node(path, scalar), column=place + 1, length=len(word))
        return None

    def scalar(self, path: Path) -> ScalarNode | None:
        """The scalar at a path, which knows how it is spelled."""
        depth, _, node = self._walk(path)
        return node if depth == len(path) and isinstance(node, ScalarNode) else None

    def _walk(self, path: Path) -> tuple[int, Node | None, Node | None]:
        """How many of a path's items are there, and the key and the value of the last of them."""
        key, node = None, self.root
        for depth, item in enumerate(path):
            entry = self._child(node, item)
            if entry is None:
                return depth, key, node
            key, node = entry
        return len(path), key, node

    def _child(self, node: Node | None, item: str | int) -> tuple[Node | None, Node] | None:
        if not isinstance(node, MappingNode):
            return child(node, item)
        if id(node) not in self._entries:
            self._entries[id(node)] = yamlread.entries(node)
        return self._entries[id(node)].get(item) if isinstance(item, str) else None

    @cached_property
    def _entries(self) -> dict[int, yamlread.Entries]:
        """Of each mapping that was asked for: a file may have thousands of problems in one."""
        return {}

    def at_node(self, path: Path, node: Node | None) -> Position:
        """Where a node stands that belongs to a path."""
        return self._span(node, show=self.show_lines and not _is_confidential(path))

    def end(self) -> Position:
        """Behind the last line."""
        return Position(self.file, len(self._lines), len(self._lines[-1]) + 1)

    def _shown(self, number: int) -> str | None:
        """The line of a number from 0, unless what looks secret is in it."""
        if number not in self._secret:  # a file of one line may have thousands of problems
            line = self._lines[number] if number < len(self._lines) else ""
            self._secret[number] = looks_secret(line)
        return None if self._secret[number] else self._lines[number] if number < len(self._lines) else ""

    @cached_property
    def _secret(self) -> dict[int, bool]:
        """Of each line that was asked for, whether something in it looks secret."""
        return {}

    @cached_property
    def _lines(self) -> list[str]:
        return yamlread.lines(self.text)

    def _span(self, node: Node | None, *, show: bool) -> Position:
        if node is None:
            return Position(self.file, 1, 1)
        start, end = node.start_mark, node.end_mark
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            end = node.value[0][0].end_mark  # a block mapping is shown by its first key
        if isinstance(node, SequenceNode) and not node.flow_style:
            length = 1  # and a list by its first dash
        else:
            return self._of_marks(start, end, show=show)
        excerpt = self._shown(start.line) if show else None
        return Position(self.file, start.line + 1, start.column + 1, length, excerpt)

    def _of_marks(self, start: Any, end: Any, *, show: bool) -> Position:
        if end.line == start.line:
            length = max(1, end.column - start.column)
        else:
            line = self._lines[start.line] if start.line < len(self._lines) else ""
            length = max(1, len(line.rstrip()) - start.column)
        return Position(self.file, start.line + 1, start.column + 1, length, self._shown(start.line) if show else None)


def _word_in(line: str, word: str, start: int, end: int) -> int | None:
    """Where a word stands in a part of a line, and not as a part of a longer one."""
    place = line.find(word, start, end)
    while place >= 0:
        around = line[place - 1 : place] + line[place + len(word) : place + len(word) + 1]
        if not any(char.isalnum() or char in "_./-" for char in around):
            return place
        place = line.find(word, place + 1, end)
    return None


def _is_confidential(path: Path) -> bool:
    return any(item in _CONFIDENTIAL for item in path)


def is_quoted(node: ScalarNode) -> bool:
    """Whether a scalar stands in quotes."""
    return node.style in ("'", '"')


def is_block(node: ScalarNode) -> bool:
    """Whether a scalar is a block, after | or >."""
    return node.style in ("|", ">")


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    if node.style or node.tag != yamlread.UNTAGGED:
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


_TAGS: dict[type[Node], tuple[str, str]] = {
    kind: (yamlread.UNTAGGED, f"tag:yaml.org,2002:{tag}")
    for kind, tag in ((ScalarNode, "str"), (SequenceNode, "seq"), (MappingNode, "map"))
}
"""What a value has without a tag, and the tag that says what it is. Numbers need none: they are what they look like."""


Faults = list[tuple[Problem, Node]]
"""What YAML lets pass and a spec does not, with the node that is at fault."""


def _data(node: Node, path: Path, faults: Faults) -> Any:
    if node.tag not in _TAGS[type(node)]:
        message = f"has the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}, which means nothing in a spec"
        faults.append((Problem("K0115", message, path, "leave the tag out"), node))
    if isinstance(node, ScalarNode):
        value = _scalar(node)
        if isinstance(value, float) and not math.isfinite(value):
            hint = "leave it out, or use the field's own value for no limit"
            faults.append((Problem("K0112", "is no finite number, or one that is too large", path, hint), node))
            return 0
        return value
    if isinstance(node, SequenceNode):
        return tuple(_data(item, (*path, index), faults) for index, item in enumerate(node.value))
    found: dict[str, Any] = {}
    for key, merged in yamlread.merged(node):
        if isinstance(merged, MappingNode):
            for name, value in _data(merged, path, faults).items():
                found.setdefault(name, value)  # of two that are merged, the first has the word
        else:
            message = "only a mapping, or a list of mappings, can be merged here"
            faults.append((Problem("K0111", message, (*path, "<<"), "name the anchor of a mapping"), key))
    own: dict[str, int] = {}
    merges: list[Node] = []
    for key, value in node.value:
        if yamlread.is_merge(key):
            merges.append(key)
            continue
        if not isinstance(key, ScalarNode):
            faults.append((Problem("K0110", "a key must be a string", path, "write it as one word"), key))
            continue
        name = str(key.value)
        if not key.style and not isinstance(_scalar(key), str):
            message = f"YAML reads the key {name} as {described(_scalar(key))}, and keys are strings"
            faults.append((Problem("K0110", message, (*path, name), f'put it in quotes: "{name}"'), key))
        elif name in own:
            message = f"the key stands here a second time; the first is on line {own[name]}"
            faults.append((Problem("K0109", message, (*path, name), "keep one of them"), key))
        else:
            own[name] = key.start_mark.line + 1
            found[name] = _data(value, (*path, name), faults)
    for key in merges[1:]:
        message = f"the key stands here a second time; the first is on line {merges[0].start_mark.line + 1}"
        faults.append((Problem("K0109", message, (*path, "<<"), "write <<: [*one, *other]"), key))
    return found


def plain(node: Node) -> Any:
    """A node's value as dicts, lists and scalars, as the Kubernetes tools read it. Nothing is checked."""
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    if isinstance(node, MappingNode):
        return {name: plain(value) for name, (_, value) in yamlread.entries(node).items()}
    raise AssertionError(node)  # there is no fourth kind


def parse(file: str, content: bytes, *, show_lines: bool = True) -> Document:
    """A document of a file's bytes. Raises SpecError when it is no acceptable YAML.

    Of a file that holds secrets no line is ever shown, also where ``show_lines`` asks for it.
    """
    show_lines = show_lines and not holds_secrets(content.decode("utf-8", "replace"))
    try:
        text = yamlread.decode(content)
        root = yamlread.compose(text)
    except yamlread.YamlError as error:
        found = yamlread.lines(content.decode("utf-8", "replace").removeprefix("\ufeff"))
        line = found[error.line - 1] if error.is_syntax and error.line <= len(found) else ""  # the end is a line too
        shown = line if show_lines and line.strip() and not may_be_secret(line) else None
        position = Position(file, error.line, error.column, 1, shown)
        raise SpecError(Problem(error.code, error.message, hint=error.hint, position=position)) from None
    faults: Faults = []
    data = None if root is None else _data(root, (), faults)
    document = Document(file, text, data, root, show_lines)
    return replace(
        document, problems=tuple(problem.at(document.at_node(problem.path, node)) for problem, node in faults)
    )
