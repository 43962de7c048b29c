"""What commands share: options, printing, problems in words, exit statuses. Nothing else prints or exits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kcompile.errors import KcompileError, OutputError, Position, Problem, SpecError

_INTERNAL_ERROR = 70
_INTERRUPTED = 130
format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "sarif", "github", "gitlab"]),
    default="text",
    help="How problems are written to standard error.",
)


def present() -> datetime:
    """The time of the call, in whole seconds: for dates that are made, and warnings about those that pass."""
    return datetime.now(UTC).replace(microsecond=0)


def named(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """An empty name is an unset variable of the caller's script, and never the current directory."""
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise click.BadParameter("the name is empty", context, parameter)
    return value


def counted(count: int, what: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {what if count == 1 else f'{what}s'}"


def specs_of(named_ones: Iterable[str]) -> list[str]:
    """Specs by their names, or by their directory's. Secrets files are none. Raises SpecError."""
    from kcompile import secretsfile

    found: list[str] = []
    for name in named_ones:
        if Path(name).is_dir():
            inside = [path for path in sorted(Path(name).glob("*.y*ml")) if path.suffix in (".yaml", ".yml")]
            specs = [str(path) for path in inside if not path.name.startswith(".")]
        else:
            specs = [name]
        specs = [spec for spec in specs if not secretsfile.is_secrets_file(spec)]  # of clusters/*.yaml too
        if not specs and Path(name).is_dir():
            hint = "name the directory of the specs; those in directories below it are not looked for"
            raise SpecError(Problem("K1040", "there is no spec in here", hint=hint, position=Position(name, 1, 1)))
        found += specs
    if not found:
        raise SpecError(Problem("K1040", "no spec is named: secrets files are none", hint="name the specs beside them"))
    return found


def print_(text: str | bytes, *, end: str = "\n") -> None:
    """Write to standard output; bytes as they are. Raises OutputError."""
    try:
        click.echo(text if isinstance(text, bytes) else f"{text}{end}", nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(Problem("K1011", f"cannot write to standard output: {error.strerror}")) from None


@contextmanager
def writing() -> Iterator[None]:
    """While files are written an interrupt is an exception, so that what is half done can be cleared up."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def tell(problems: tuple[Problem, ...], style: str) -> None:
    """Write problems to standard error, as people or machines read them."""
    from kcompile.report.problems import FORMATS, as_text

    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    colour = on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    text = as_text(problems, colour=colour) if style == "text" else FORMATS[style](problems)
    if text:
        with suppress(OSError):  # nowhere to say it: the exit status says that there is something
            click.echo(text, err=True, color=colour)
    if on_terminal and style == "text" and problems:
        codes = sorted({problem.code for problem in problems})
        click.echo(
            f"`kcompile explain {codes[0]}` says more" + (", and so of each code" if codes[1:] else ""), err=True
        )


@contextmanager
def errors(style: str = "text") -> Iterator[None]:
    """Turn errors into words and an exit status; never into a traceback, which could show a secret."""
    try:
        yield
    except KcompileError as error:
        tell(error.problems, style)
        sys.exit(error.exit_code)
    except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except MemoryError:
        click.echo("out of memory", err=True)
        sys.exit(_INTERNAL_ERROR)
    except Exception as error:  # noqa: BLE001 - the last resort: what is not understood is not shown
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "nowhere"
        click.echo(f"internal error: {type(error).__name__} at {place}; please report it", err=True)
        sys.exit(_INTERNAL_ERROR)


class Bar:
    """A progress bar that shows only on a terminal, and only when a build takes over a second."""

    _AFTER_SECONDS = 1.0

    def __init__(self, total: int) -> None:
        import time

        self._total, self._done = total, 0

        self._clock: Callable[[], float] = time.monotonic
        self._started = self._clock()
        self._enabled = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, count: int) -> None:
        """Say that so many more files are written."""
        self._done += count
        if not self._enabled or (self._bar is None and self._clock() - self._started < self._AFTER_SECONDS):
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("writing files", total=self._total)
            self._bar.start()
        self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
