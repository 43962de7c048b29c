"""Objects to YAML bytes: the only place in the package that writes YAML.

:func:`dump` writes as the Kubernetes tools do (keys sorted, block sequences not indented, literal blocks,
doubtful strings in double quotes, long ones folded), so that files compare equal to kubeadm's. :func:`dump_sops`
writes as sops itself does, so that a file that sops re-emits keeps its lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key, lru_cache
from typing import Any

import yaml

from kcompile.secret import Secret

# What a YAML 1.1 parser, as Kubernetes uses, reads as something other than a string (go-yaml's resolve.go).
_NOT_A_STRING = re.compile(
    r"""(?x) ~ | null | Null | NULL
    | [yY] | [nN] | yes | Yes | YES | no | No | NO | true | True | TRUE | false | False | FALSE
    | on | On | ON | off | Off | OFF
    | [-+]?(0[bB][01_]+ | 0[oO]?[0-7_]+ | 0[xX][0-9a-fA-F_]+ | [0-9][0-9_]*)
    | [-+]?(\.[0-9]+ | [0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?
    | <<? | = """,
    re.ASCII,
)


@lru_cache(maxsize=8192)
def _is_plain(text: str) -> bool:
    return bool(text) and not _is_ambiguous(text)


def _is_ambiguous(text: str) -> bool:
    """Whether a string has to be quoted to stay one; go-yaml strips underscores before it looks for a number."""
    return any(_NOT_A_STRING.fullmatch(spelling) for spelling in {text, _without_underscores(text)})


def _without_underscores(text: str) -> str:
    return text.replace("_", "") if text[:1] in "+-.0123456789" else text


def _compared(a: str, b: str) -> int:
    """Less than, equal to or more than 0 as one key stands before another: numbers by value (go-yaml's keyList)."""
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if at is None:
        return len(a) - len(b)
    x, y = a[at], b[at]
    if x.isalpha() != y.isalpha():
        return 1 if x.isalpha() else -1
    if not x.isalpha():
        # a zero counts within a number, and not where one begins
        before = re.search(r"[1-9][0-9]*$", a[:at], re.ASCII) if "0" in (x, y) else None
        digits = [re.match(r"[0-9]*", text[at:], re.ASCII)[0] for text in (a, b)]  # type: ignore[index]
        one, other = ((int(f"{'1' if before else '0'}{run}"), len(run)) for run in digits)
        if one != other:
            return -1 if one < other else 1
    return ord(x) - ord(y)


_by_key = cmp_to_key(_compared)


def _ordered(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = sorted(mapping, key=None if "".join(mapping).isalpha() else _by_key)
    return [(name, mapping[name]) for name in names]


_WIDTH = 80
"""Behind which go-yaml v2 folds what is no literal block, unless a program calls FutureLineWrap; none of these does."""


class _Dumper(yaml.CSafeDumper):
    """libyaml's emitter with the Kubernetes tools' choice of styles."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML calls it so
        return True


def _represent_str(dumper: _Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None if _is_plain(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _refuse_secret(_dumper: _Dumper, _value: Secret) -> yaml.Node:
    raise TypeError("a secret was about to be written into a plain document")


_Dumper.add_representer(dict, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", _ordered(data)))
_Dumper.add_representer(str, _represent_str)
_Dumper.add_representer(Secret, _refuse_secret)
_Dumper.add_multi_representer(tuple, lambda dumper, data: dumper.represent_list(data))


def dump(document: Any) -> bytes:
    """One document as the Kubernetes tools write it."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        width=_WIDTH,
        allow_unicode=True,
        encoding="utf-8",
    )


def dump_all(documents: Sequence[Any]) -> bytes:
    """Several documents, separated by ``---`` lines."""
    return b"---\n".join(map(dump, documents))


def load_all(content: bytes) -> list[Any]:
    """The documents of a YAML stream that kcompile itself or a trusted emitter wrote. Raises yaml.YAMLError."""
    return list(yaml.load_all(content, Loader=yaml.CSafeLoader))


# --- the style of sops (go-yaml v3) -------------------------------------------------------------------

_GO_SINGLE_QUOTED = re.compile(
    r"""(?x) \s.* | .*\s | [\#,\[\]{}&*!|>'"%@`].* | ---.* | \.\.\..* | [-?:](\s.*)? | .*:(\s.*)? | .*\s\#.* """,
    re.DOTALL,
)
_GO_DOUBLE_QUOTED = re.compile(r"[\t\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\U00010000-\U0010ffff]")
_GO_ESCAPES = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f"}
_GO_ESCAPES |= {"\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\ufeff": "\\uFEFF"}
_GO_ESCAPES |= {"\u2028": "\\L", "\u2029": "\\P"}


def _go_escape(char: str) -> str:
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    code = ord(char)
    if code > 0xFFFF:
        return f"\\U{code:08X}"
    return f"\\x{code:02X}" if code < 0x20 or 0x7F <= code < 0xA0 else char


def _go_string(text: str) -> str:
    """A one-line string as go-yaml quotes it."""
    if _GO_DOUBLE_QUOTED.search(text) or "\n" in text or not text or _is_ambiguous(text):
        return '"' + "".join(map(_go_escape, text)) + '"'
    if _GO_SINGLE_QUOTED.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _go_scalar(value: object) -> str:
    if isinstance(value, str):
        return _go_string(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in a SOPS file")


def _is_literal(value: object) -> bool:
    return (
        isinstance(value, str)
        and "\n" in value
        and value.strip("\n") != ""
        and not _GO_DOUBLE_QUOTED.search(value)
        and not any(line.endswith(" ") for line in value.split("\n"))
    )


def _emit(value: object, indent: int, write: Callable[[str], None]) -> None:
    """Write a value behind its key or dash: on the same line, or as a block at the indent given."""
    pad = " " * indent
    if isinstance(value, Mapping) and value:
        write("\n")
        _emit_mapping(value, indent, write)
    elif isinstance(value, list | tuple) and value:
        write("\n")
        _emit_sequence(value, indent, write)
    elif isinstance(value, str) and _is_literal(value):
        chomp = "" if value.endswith("\n") and not value.endswith("\n\n") else "+" if value.endswith("\n") else "-"
        indicator = str(min(indent, 9)) if value[0] in " \n" else ""
        write(f" |{indicator}{chomp}\n")
        for line in value.removesuffix("\n").split("\n"):
            write(f"{pad}{line}\n" if line else "\n")
    else:
        write(f" {_go_empty_or_scalar(value)}\n")


def _go_empty_or_scalar(value: object) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _go_scalar(value)


def _emit_mapping(value: Mapping[str, object], indent: int, write: Callable[[str], None], *, first: str = "") -> None:
    pad = " " * indent
    for number, (key, child) in enumerate(value.items()):
        write(f"{first if number == 0 and first else pad}{_go_string(key)}:")
        _emit(child, 4 * ((indent + 4) // 4), write)


def _emit_sequence(value: Sequence[object], indent: int, write: Callable[[str], None], *, first: str = "") -> None:
    pad = " " * indent
    for number, child in enumerate(value):
        dash = f"{first if number == 0 and first else pad}-"
        if isinstance(child, Mapping) and child:
            _emit_mapping(child, indent + 2, write, first=f"{dash} ")
        elif isinstance(child, list | tuple) and child:
            _emit_sequence(child, indent + 2, write, first=f"{dash} ")
        else:
            write(dash)
            _emit(child, indent + 2, write)


def dump_sops(document: Mapping[str, object]) -> str:
    """A mapping as sops (go-yaml v3, indent 4) writes it, keys in their given order. Tokens stand as strings."""
    parts: list[str] = []
    _emit_mapping(document, 0, parts.append)
    return "".join(parts)
