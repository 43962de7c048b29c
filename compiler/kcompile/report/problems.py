"""Problems as text, JSON, SARIF 2.1.0, GitHub workflow commands or a GitLab report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kcompile import catalogue
from kcompile.errors import Position, Problem, Severity, format_path
from kcompile.secret import redacted

_TAB_WIDTH = 4
_WINDOW = 160
"""Characters of a line that are shown at most, so that a file of one line does not fill the screen."""
_LONGEST = 1000
"""Characters of a message, which may quote a value of any length."""
_BEFORE = 60
"""Characters before the place, of a line that is not shown whole."""


def printable(text: str) -> str:
    """Text without control characters: what a file holds must not steer a terminal. What looks secret is left out."""
    text = redacted(text)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def _words(problem: Problem) -> str:
    path, message = format_path(problem.path), problem.message
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST // 2]}…{message[-_LONGEST // 2 :]}"
    return f"{path}: {message}" if path else message


# --- text -----------------------------------------------------------------------------------------


_BOLD, _DIM, _CYAN = "1", "2", "36"
_OF_SEVERITY = {Severity.ERROR: "1;31", Severity.WARNING: "1;33"}
Paint = Callable[[str, str], str]


def _plain(text: str, _: str) -> str:
    return text


def _coloured(text: str, rendition: str) -> str:
    """Text in a graphic rendition of ECMA-48."""
    return f"\x1b[{rendition}m{text}\x1b[0m"


def _cells(text: str) -> int:
    """How many columns a terminal gives a text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _widened(text: str, column: int) -> str:
    """A part of a line as it is shown, its tabs widened; ``column`` is where it begins."""
    first, *rest = text.split("\t")
    shown = printable(first)
    for part in rest:
        shown += " " * (_TAB_WIDTH - (column + _cells(shown)) % _TAB_WIDTH) + printable(part)
    return shown


def _excerpt(position: Position, line: str) -> tuple[str, str]:
    """The line that is shown, and the carets below it."""
    start = position.column - 1
    cut = 0
    if len(line) > _WINDOW:
        cut = max(0, start - _BEFORE)
        line = line[cut : cut + _WINDOW]
    before = ("…" if cut else "") + _widened(line[: start - cut], 1 if cut else 0)
    marked = _widened(line[start - cut :][: position.length], _cells(before))
    after = _widened(line[start - cut + position.length :], _cells(before + marked))
    more = "…" if cut + len(line) < len(position.excerpt or "") else ""
    return f"{before}{marked}{after}{more}", " " * _cells(before) + "^" * max(1, _cells(marked))


def _text_of(problem: Problem, paint: Paint) -> list[str]:
    position, of_severity = problem.position, _OF_SEVERITY[problem.severity]
    place = f"{position.file}:{position.line}:{position.column}:" if position is not None else ""
    warning = paint("warning:", of_severity) if problem.severity is Severity.WARNING else ""
    words = (paint(printable(place), _BOLD) if place else "", warning, printable(_words(problem)))
    lines = [" ".join((*filter(None, words), paint(f"[{problem.code}]", _DIM)))]
    if position is not None and position.excerpt is not None:
        line, carets = _excerpt(position, position.excerpt)
        lines.append(f"{position.line:>5} | {line}".rstrip())
        lines.append(f"      | {carets[: -len(carets.lstrip())]}{paint(carets.lstrip(), of_severity)}")
    if problem.hint:
        lines.append(f"   {paint('hint:', _CYAN)} {printable(problem.hint)}")
    return lines


def as_text(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """For people: place, message, code, the line with carets, the hint."""
    paint = _coloured if colour else _plain
    return "\n".join(line for problem in problems for line in _text_of(problem, paint))


# --- for machines ---------------------------------------------------------------------------------


def _fields(problem: Problem) -> dict[str, Any]:
    position = problem.position
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "file": position.file if position else None,
        "line": position.line if position else None,
        "column": position.column if position else None,
        "endColumn": position.column + position.length if position else None,
        "path": format_path(problem.path) or None,
        "message": redacted(problem.message),
        "hint": redacted(problem.hint) if problem.hint else None,
    }


def as_json(problems: Sequence[Problem]) -> str:
    """One JSON object with a list of problems."""
    return json.dumps({"problems": [_fields(problem) for problem in problems]}, indent=1, ensure_ascii=False)


def _with_hint(problem: Problem) -> str:
    words = _words(problem)
    return redacted(f"{words}\nhint: {problem.hint}" if problem.hint else words)


def _escaped(text: str, *, value: bool) -> str:
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), *(((":", "%3A"), (",", "%2C")) if value else ())):
        text = text.replace(char, code)
    return text


def as_github(problems: Sequence[Problem]) -> str:
    """GitHub workflow commands, which annotate a pull request's lines."""
    lines = []
    for problem in problems:
        position = problem.position
        place = ""
        if position is not None:
            file = _escaped(position.file, value=True)
            end = position.column + position.length
            place = f"file={file},line={position.line},col={position.column},endColumn={end},"
        words = _escaped(_with_hint(problem), value=False)
        lines.append(f"::{problem.severity.value} {place}title={problem.code}::{words}")
    return "\n".join(lines)


_OF_GITLAB = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def as_gitlab(problems: Sequence[Problem]) -> str:
    """GitLab's code quality report, which marks a merge request's lines.

    Its fingerprint tells a problem from others, and is the same when lines above it are added.
    """
    found = []
    for problem in problems:
        file, line = (problem.position.file, problem.position.line) if problem.position else (".", 1)
        facts = "\0".join((problem.code, file, format_path(problem.path), problem.message))
        found.append(
            {
                "description": _with_hint(problem),
                "check_name": problem.code,
                "fingerprint": hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest(),
                "severity": _OF_GITLAB[problem.severity],
                "location": {"path": file, "lines": {"begin": line}},
            }
        )
    return json.dumps(found, indent=1, ensure_ascii=False)


def _uri(file: str) -> str:
    """A file as a URI reference; a name with a colon in its first part would else be read as a scheme."""
    if file.startswith("/"):
        return Path(file).as_uri()
    text = quote(file, errors="surrogateescape")  # a name in bytes that are no UTF-8
    return f"./{text}" if ":" in text.split("/")[0] else text


def _result(problem: Problem) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "level": problem.severity.value,
        "message": {"text": _with_hint(problem)},
    }
    position = problem.position
    if position is not None:
        region = {
            "startLine": position.line,
            "startColumn": position.column,
            "endColumn": position.column + position.length,
        }
        location = {"artifactLocation": {"uri": _uri(position.file)}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _rule(code: str) -> dict[str, Any]:
    page = catalogue.page(code)
    help_text = catalogue.markdown(page)
    return {
        "id": code,
        "name": page.name,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.text},
        "help": {"text": page.text, "markdown": help_text},
    }


def as_sarif(problems: Sequence[Problem]) -> str:
    """SARIF 2.1.0, which code-scanning services read."""
    codes = sorted({problem.code for problem in problems})
    run = {
        "tool": {"driver": {"name": "kcompile", "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in problems],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
    "gitlab": as_gitlab,
}
