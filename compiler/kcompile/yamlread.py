"""YAML text to a tree of nodes that know their line and column, in bounded memory, depth and time.

libyaml's composer is used because it keeps positions and reads a spec of a thousand nodes in a hundredth
of a second. It recurses, so the depth is bounded on the stream of events before it starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 60_000
"""Twice what a cluster of five thousand nodes has."""
MAX_NODES_OF_OBJECTS = 300_000
"""The custom resource definitions of an operator are a hundred thousand."""

Node = yaml.nodes.Node
MappingNode = yaml.nodes.MappingNode
SequenceNode = yaml.nodes.SequenceNode
ScalarNode = yaml.nodes.ScalarNode


@dataclass(frozen=True)
class YamlError(Exception):
    """Text that is not acceptable YAML. Line and column count from 1."""

    code: str
    message: str
    line: int = 1
    column: int = 1
    hint: str | None = None
    is_syntax: bool = False
    """Whether showing the line helps: it is one of many."""


_WORDS: dict[str, tuple[str, str | None]] = {
    "found unexpected end of stream": ("a quote is opened here and not closed", "close it in front of the line's end"),
    "did not find expected ',' or ']'": ("a list in brackets is not closed, or lacks a comma", "write [one, other]"),
    "did not find expected ',' or '}'": (
        "a mapping in braces is not closed, or lacks a comma",
        "write {key: value, other: value}",
    ),
    "mapping values are not allowed in this context": (
        "a ':' where no key can stand",
        "indent the line as its neighbours are, or put a value that holds ': ' in quotes",
    ),
    "could not find expected ':'": ("a key without its ':'", "write key: value"),
    "did not find expected key": ("no key where one should stand", "indent the line as its neighbours are"),
    "did not find expected '-' indicator": ("no '-' where one should stand", "indent the line as its neighbours are"),
    "found undefined alias": ("an alias without its anchor", "YAML takes * at the beginning for an alias: use quotes"),
    "did not find expected <document start>": (
        "something stands behind the document's end",
        "keep one document in a file; what is open in a line has to be closed once",
    ),
    "found invalid Unicode character escape code": (
        "an escape that is no character: half of a pair, or beyond U+10FFFF",
        "write the character itself, or \\U and eight digits",
    ),
    "found unknown escape character": (
        "an escape that YAML does not know",
        "in double quotes write \\\\ for a backslash, or use single quotes",
    ),
    "did not find expected hexdecimal number": (
        "an escape that lacks a hexadecimal digit",
        "\\x has two digits, \\u four",
    ),
    "found incompatible YAML document": ("a version of YAML that is not read", "leave the line out: it is YAML 1.1"),
    "found unknown directive name": ("a directive that YAML does not know", "leave the line out"),
    "found duplicate %YAML directive": ("the version of YAML stands twice", "leave both lines out"),
    "did not find expected alphabetic or numeric character": (
        "an anchor or an alias without its name",
        "YAML takes & and * at the beginning for these: use quotes",
    ),
    "did not find expected comment or line break": (
        "text behind | or >, whose block begins in the next line",
        "begin the text in a line of its own",
    ),
    "found unexpected document indicator": ("a quote is not closed before a new document begins", "close the quote"),
    "did not find expected node content": ("nothing where a value should stand", "write a value, or remove the comma"),
    "did not find the expected '>'": ("a tag is opened and not closed", "leave the tag out"),
    "found undefined tag handle": ("a tag of which nobody has said what it means", "leave the tag out"),
    "found character that cannot start any token": ("a character that cannot begin a value", "put the value in quotes"),
}
"""What libyaml says of a syntax error, and what a person would."""
_LACKS_A_SPACE = ("a key without its ':'", "a ':' where no key can stand")
_OPENED = ("a quote", "a list in", "a mapping in", "a key without")
"""Errors of which the place where it was opened says more than the place where it was missed."""


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, 16 MiB at most. Raises YamlError."""
    if len(content) > MAX_BYTES:
        raise YamlError("K0102", f"the file is larger than {MAX_BYTES >> 20} MiB", hint="is this the right file?")
    if content.startswith(_UTF_32) or content[:4].count(0) == 3:  # without a mark, of four bytes three are zero
        raise YamlError("K0103", "the file is UTF-32", hint="save it as UTF-8")
    if content.startswith(_UTF_16) or content[:2].count(0) == 1:  # without a mark, of two bytes one is zero
        raise YamlError("K0103", "the file is UTF-16", hint="save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise YamlError("K0103", "the file is not UTF-8", line, column, "save it as UTF-8") from None
    text = text.removeprefix("\ufeff")
    unseen = _UNSEEN.search(text)
    if unseen:
        found = ord(unseen[0])
        what, hint = f"U+{found:04X}, {_NAMES[found]}", f'remove it, or write it as "\\u{found:04x}", in quotes'
        raise _not_allowed(text, unseen.start(), what, hint)
    return text


def _not_allowed(text: str, index: int, what: str, hint: str) -> YamlError:
    before = lines(text[:index])
    return YamlError("K0105", f"not valid YAML: {what}, is not allowed here", len(before), len(before[-1]) + 1, hint)


def compose(text: str) -> Node | None:
    """The one document in a text, or None when it is empty. Raises YamlError."""
    found = documents(text)
    if len(found) > 1:
        starts = (e for e in yaml.parse(text, Loader=yaml.CSafeLoader) if isinstance(e, yaml.DocumentStartEvent))
        next(starts)
        mark: Any = next(starts).start_mark  # an empty document's node stands behind it
        hint = "keep one document in a file"
        raise YamlError("K0106", "a second document begins here", mark.line + 1, mark.column + 1, hint)
    return found[0] if found else None


UNTAGGED = "?"
"""The tag of what has none in the file: what a plain scalar is, ``load`` decides."""


class _Composer(yaml.CSafeLoader):
    """Keeps apart the values that have a tag in the file and those that have none."""

    def resolve(self, *_: object) -> str:
        return UNTAGGED


def documents(text: str, most: int = MAX_NODES) -> list[Node]:
    """The documents in a text that are not empty, of so many nodes at the most. Raises YamlError."""
    try:
        _check_size(text, most)
        found = [node for node in yaml.compose_all(text, Loader=_Composer) if node is not None]
    except yaml.MarkedYAMLError as error:
        said = str(error.problem or error.context)
        if said == "exceeded maximum nesting depth":  # libyaml's own bound, which its scanner may meet first
            raise _too_deep(error.problem_mark) from None
        conflict = _conflict(text, error.problem_mark) if error.problem_mark else None
        if conflict is not None:
            raise conflict from None
        slip = _slip(text, error.problem_mark) if error.problem_mark else None
        message, hint = slip or _WORDS.get(said, (said, None))
        opened = error.context_mark if message.startswith(_OPENED) else None
        mark = opened or error.problem_mark or error.context_mark
        tab = _tab_hint(text, mark.line) if mark else None
        raise YamlError(
            "K0104",
            f"not valid YAML: {'a tab where spaces belong' if tab else message}",
            mark.line + 1 if mark else 1,
            mark.column + 1 if mark else 1,
            tab or (_space_hint(text, mark.line) if mark and message in _LACKS_A_SPACE else None) or hint,
            is_syntax=mark is not None,
        ) from None
    except yaml.YAMLError as error:
        offset = getattr(error, "position", 0)  # in bytes: libyaml reads UTF-8
        index = len(text.encode("utf-8")[:offset].decode("utf-8", "ignore"))
        what = f"U+{ord(text[index]):04X}, a character that nobody sees" if index < len(text) else "a character"
        raise _not_allowed(text, index, what, "remove it") from None
    for node in found:
        _check_aliases(node, most)
    return found


_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")


def _conflict(text: str, mark: Any) -> YamlError | None:
    """A mark of a merge conflict, in the line that the parser stopped at or the one above it."""
    found = lines(text)
    for number in (mark.line - 1, mark.line):
        if 0 <= number < len(found) and _CONFLICT.match(found[number]):
            message, hint = "not valid YAML: a mark of a merge conflict", "resolve the conflict, and remove its marks"
            return YamlError("K0104", message, number + 1, 1, hint, is_syntax=True)
    return None


def _slip(text: str, mark: Any) -> tuple[str, str | None] | None:
    """What is wrong where a parser only sees that something does not go on."""
    found = lines(text)
    line = found[mark.line] if mark.line < len(found) else ""
    before, rest = line[: mark.column].rstrip(), line[mark.column :]
    if rest[:1] in ("]", "}") and before[-1:] in ("]", "}"):
        return f"a '{rest[0]}' closes what is not open", "remove it"
    if rest[:1].isalnum() and before.endswith("'") and before.count("'") % 2 == 0:
        return "text behind a quote that is closed", "inside single quotes write '' for a quote, or use double quotes"
    if rest[:1].isalnum() and before.endswith('"'):
        return "text behind a quote that is closed", 'inside double quotes write \\" for a quote'
    return None


def _tab_hint(text: str, line: int) -> str | None:
    found = lines(text)
    tabbed = line < len(found) and "\t" in re.match(r"\s*", found[line])[0]  # type: ignore[index]
    return "indent with spaces: YAML does not allow tabs" if tabbed else None


def _space_hint(text: str, line: int) -> str | None:
    """A key whose colon is followed by its value at once is the beginning of a text, which goes on in the next line."""
    found = lines(text)
    for number in (line, line - 1):
        joined = re.match(r"\s*(?:- )?[\w.-]+:(?=[^\s/:])", found[number]) if 0 <= number < len(found) else None
        if joined:
            return f"put a space after {joined[0].strip()}" + ("" if number == line else f" on line {number + 1}")
    return None


def _check_size(text: str, most: int) -> None:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            nodes += 1
            if depth > MAX_DEPTH:
                raise _too_deep(event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
        if nodes > most:
            mark: Any = event.start_mark
            hint = "a cluster of five thousand nodes has half of that: is this the right file?"
            if most > MAX_NODES:
                hint = "split the file into several"
            raise YamlError("K0114", f"more than {most:,} values", mark.line + 1, mark.column + 1, hint)


def _too_deep(mark: Any) -> YamlError:
    line, column = (mark.line, mark.column) if mark else (0, 0)
    hint = "a spec has a tenth of that: is this the right file?"
    return YamlError("K0107", f"nested more than {MAX_DEPTH} levels deep", line + 1, column + 1, hint)


def lines(text: str) -> list[str]:
    """A text's lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


_UTF_32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NAMES = {0x85: "next line", 0x2028: "line separator", 0x2029: "paragraph separator", 0xFEFF: "byte order mark"}
_UNSEEN = re.compile("[\x85\u2028\u2029\ufeff]")
"""Some of YAML's versions, and some editors, end a line with them: which line is meant, nobody could say."""


# --- nodes ----------------------------------------------------------------------------------------


def is_merge(key: Node) -> bool:
    """Whether a key is YAML's merge key, which takes in the mappings that it names."""
    return isinstance(key, ScalarNode) and not key.style and key.value == "<<"


def merged(node: Node) -> list[tuple[Node, Node]]:
    """What a mapping takes in by its merge keys, each with its key, in the order of precedence."""
    values = ((key, value) for key, value in node.value if is_merge(key))
    return [
        (key, part) for key, value in values for part in (value.value if isinstance(value, SequenceNode) else (value,))
    ]


Entries = dict[str, tuple[Node, Node]]
"""A mapping's keys and values, by name."""


def entries(node: MappingNode) -> Entries:
    """What a mapping has: its own keys, of two that are equal the first, and then those that it takes in."""
    found: Entries = {}
    for key, value in node.value:
        if isinstance(key, ScalarNode) and not is_merge(key):
            found.setdefault(key.value, (key, value))
    for _, part in merged(node):
        if isinstance(part, MappingNode):
            for name, entry in entries(part).items():
                found.setdefault(name, entry)
    return found


def child(node: Node | None, item: str | int) -> tuple[Node | None, Node] | None:
    """A list's item, or a mapping's key and value: its own, or one that it takes in."""
    if isinstance(node, SequenceNode) and isinstance(item, int) and item < len(node.value):
        return None, node.value[item]
    return entries(node).get(item) if isinstance(node, MappingNode) and isinstance(item, str) else None


def text_at(node: Node, *path: str | int) -> str | None:
    """The text of a scalar at a path."""
    for item in path:
        entry = child(node, item)
        if entry is None:
            return None
        node = entry[1]
    return str(node.value) if isinstance(node, ScalarNode) else None


Span = tuple[Any, Any]
"""Where something begins and ends."""


def aliases(text: str) -> tuple[dict[tuple[str | int, ...], Span], set[tuple[str | int, ...]]]:
    """Where the aliases of a well-formed document stand, by path, and every path at which something is written.

    A tree of nodes does not say so: what an alias stands for is there as often as it is named, at one place.
    """
    found: dict[tuple[str | int, ...], Span] = {}
    written: set[tuple[str | int, ...]] = set()
    path: list[str | int] = []
    keys: list[str | None] = []  # of each collection that is open, a mapping's key; "" where one comes, None of a list

    def begin(event: Any) -> bool:
        """Whether a value begins with an event, which may be a key. The path is that of the value."""
        if not keys or keys[-1] is None:
            path.append(int(path.pop()) + 1) if keys else None
        elif keys[-1] == "":
            keys[-1] = f"={getattr(event, 'value', '')}"
            return False
        else:
            path[-1] = keys[-1][1:]
            keys[-1] = ""
        written.add(tuple(path))
        return True

    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            keys.pop()
            path.pop()
        elif isinstance(event, yaml.NodeEvent):
            is_value = begin(event)
            if isinstance(event, yaml.AliasEvent) and is_value:
                found[tuple(path)] = (event.start_mark, event.end_mark)
            elif isinstance(event, yaml.CollectionStartEvent):
                keys.append(None if isinstance(event, yaml.SequenceStartEvent) else "")
                path.append(-1)
    return found, written


def _check_aliases(root: Node, most: int) -> None:
    """Refuse aliases that contain themselves, or that would expand to an unreasonable size or depth."""
    measured: dict[int, tuple[int, int]] = {}
    written = 0

    def measure(node: Node) -> tuple[int, int]:
        """How many nodes there are in one, and how deep they stand."""
        nonlocal written
        known = measured.get(id(node))
        if known is not None:
            if known == _BEING_MEASURED:
                mark, hint = node.start_mark, "write out what the alias inside it is to be"
                raise YamlError("K0108", "an anchor contains itself", mark.line + 1, mark.column + 1, hint)
            return known
        written += 1
        if isinstance(node, ScalarNode):
            measured[id(node)] = 1, 0
            return 1, 0
        measured[id(node)] = _BEING_MEASURED
        if isinstance(node, SequenceNode):
            below = [measure(item) for item in node.value]
        else:
            below = [measure(part) for pair in node.value for part in pair]
        found = 1 + sum(size for size, _ in below), 1 + max((depth for _, depth in below), default=0)
        if found[1] > MAX_DEPTH:
            raise _too_deep(node.start_mark)
        measured[id(node)] = found
        return found

    if measure(root)[0] > written + most:
        raise YamlError("K0108", "its aliases expand to an unreasonable size", hint="write the values out")


_BEING_MEASURED = (-1, -1)
