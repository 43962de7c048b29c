"""Problems as text, JSON, SARIF 2.1.0 or GitHub workflow commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from kcompile.errors import Problem, Severity, format_path
from kcompile.secret import redacted

_TAB_WIDTH = 4


def printable(text: str) -> str:
    """Text without control characters: what a file holds must not steer a terminal. What looks secret is left out."""
    text = redacted(text)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def _headline(problem: Problem) -> str:
    path = format_path(problem.path)
    words = f"{path}: {problem.message}" if path else problem.message
    return f"warning: {words}" if problem.severity is Severity.WARNING else words


def _text_of(problem: Problem) -> list[str]:
    position = problem.position
    if position is None:
        lines = [printable(_headline(problem))]
    else:
        lines = [printable(f"{position.file}:{position.line}:{position.column}: {_headline(problem)}")]
        if position.excerpt is not None:
            before = position.excerpt[: position.column - 1].expandtabs(_TAB_WIDTH)
            marked = position.excerpt[position.column - 1 :][: position.length]
            lines.append(f"{position.line:>5} | {printable(position.excerpt.expandtabs(_TAB_WIDTH))}")
            lines.append(f"      | {' ' * len(printable(before))}{'^' * max(1, len(printable(marked)))}")
    if problem.hint:
        lines.append(printable(f"   hint: {problem.hint}"))
    return lines


def as_text(problems: Sequence[Problem]) -> str:
    """For people: place, message, the line with a caret, the hint."""
    return "\n".join(line for problem in problems for line in _text_of(problem))


def _fields(problem: Problem) -> dict[str, Any]:
    position = problem.position
    return {
        "severity": problem.severity.value,
        "file": position.file if position else None,
        "line": position.line if position else None,
        "column": position.column if position else None,
        "path": format_path(problem.path) or None,
        "message": redacted(problem.message),
        "hint": redacted(problem.hint) if problem.hint else None,
    }


def as_json(problems: Sequence[Problem]) -> str:
    """One JSON object with a list of problems."""
    return json.dumps({"problems": [_fields(problem) for problem in problems]}, indent=1, ensure_ascii=False)


def _escaped(text: str, *, value: bool) -> str:
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), *(((":", "%3A"), (",", "%2C")) if value else ())):
        text = text.replace(char, code)
    return text


def _words(problem: Problem) -> str:
    path = format_path(problem.path)
    words = f"{path}: {problem.message}" if path else problem.message
    return redacted(f"{words}\nhint: {problem.hint}" if problem.hint else words)


def as_github(problems: Sequence[Problem]) -> str:
    """GitHub workflow commands, which annotate a pull request's lines."""
    lines = []
    for problem in problems:
        position = problem.position
        place = ""
        if position is not None:
            file = _escaped(position.file, value=True)
            place = f" file={file},line={position.line},col={position.column}"
        lines.append(f"::{problem.severity.value}{place}::{_escaped(_words(problem), value=False)}")
    return "\n".join(lines)


def as_sarif(problems: Sequence[Problem]) -> str:
    """SARIF 2.1.0, which code-scanning services read."""
    results = []
    for problem in problems:
        result: dict[str, Any] = {
            "ruleId": "kcompile",
            "level": problem.severity.value,
            "message": {"text": _words(problem)},
        }
        if problem.position is not None:
            region = {"startLine": problem.position.line, "startColumn": problem.position.column}
            location = {"artifactLocation": {"uri": problem.position.file}, "region": region}
            result["locations"] = [{"physicalLocation": location}]
        results.append(result)
    run = {"tool": {"driver": {"name": "kcompile", "rules": [{"id": "kcompile"}]}}, "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
