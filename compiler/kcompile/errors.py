"""What can go wrong, as data. Only the command line turns these into words and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

PathItem = str | int
Path = tuple[PathItem, ...]


class Severity(Enum):
    """How bad a problem is: an error stops the command, a warning is printed and passed over."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Position:
    """A span in a file. ``line`` and ``column`` count from 1; ``excerpt`` is the line's text, if it may be shown."""

    file: str
    line: int
    column: int
    length: int = 1
    excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (path in the document, position in the file), what, and the mend.

    ``code`` is stable and has a page: ``kcompile explain K0401``.
    """

    code: str
    message: str
    path: Path = ()
    hint: str | None = None
    severity: Severity = Severity.ERROR
    position: Position | None = None
    at_key: bool = False
    """The key is at fault, not its value."""
    first: Path | None = None
    """Where what is doubled stands the first time."""
    within: str | None = None
    """The word of the value that is at fault, where it holds several."""

    def at(self, position: Position | None) -> Problem:
        """The same problem with its place in a file."""
        return replace(self, position=position)


def errors_among(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop the command."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def described(value: object) -> str:
    """A value of a document in words, for messages: ``the number 5``, ``a list``. Strings are not repeated."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"  # Python refuses to write out thousands of digits
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, tuple | list) else "a string"


def format_path(path: Sequence[PathItem]) -> str:
    """``("spec", "nodes", 0, "name")`` as ``spec.nodes[0].name``; keys that are not plain words are quoted."""
    text = ""
    for item in path:
        if isinstance(item, int):
            text += f"[{item}]"
        elif item and all(c.isalnum() or c in "_-" for c in item):
            text += f".{item}" if text else item
        else:
            text += f"[{item!r}]"
    return text


class KcompileError(Exception):
    """The root of every error kcompile raises on purpose. ``exit_code`` is the command's exit status."""

    exit_code = 2

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("; ".join(p.message for p in self.problems))


class SpecError(KcompileError):
    """Bad input: a spec, a secrets file or an argument. Exit status 2."""


@contextmanager
def gathered(problems: list[Problem]) -> Iterator[None]:
    """Add to ``problems`` what a step finds that is no acceptable input, so that the steps behind it are taken too."""
    try:
        yield
    except SpecError as error:
        problems += error.problems


class SecretsError(KcompileError):
    """Secrets that are missing or cannot be opened. Exit status 3."""

    exit_code = 3


class OutputError(KcompileError):
    """Output that could not be written. What stood there before still stands. Exit status 4."""

    exit_code = 4
