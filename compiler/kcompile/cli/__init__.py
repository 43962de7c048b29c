"""The command line: the one place that prints, reads the environment and the clock, and exits.

Modules that do the work are imported by the commands themselves, so that ``--help`` stays quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kcompile import __version__
from kcompile.errors import KcompileError, OutputError, Position, Problem, Severity, SpecError

# Looking for pydantic plugins among all that is installed takes longer than a small build; none is wanted here.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_INTERNAL_ERROR = 70
_INTERRUPTED = 130
_format = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="How problems are written to standard error.",
)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _named(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """An empty name is an unset variable of the caller's script, and never the current directory."""
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise click.BadParameter("the name is empty", context, parameter)
    return value


def _counted(count: int, what: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {what if count == 1 else f'{what}s'}"


def _print(text: str, *, end: str = "\n") -> None:
    """Write to standard output. Raises OutputError."""
    try:
        click.echo(f"{text}{end}", nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(Problem(f"cannot write to standard output: {error.strerror}")) from None


@contextmanager
def _writing() -> Iterator[None]:
    """While files are written an interrupt is an exception, so that what is half done can be cleared up."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _report(problems: tuple[Problem, ...], style: str) -> None:
    from kcompile.report.problems import FORMATS

    text = FORMATS[style](problems)
    if text:
        click.echo(text, err=True)


@contextmanager
def _errors(style: str = "text") -> Iterator[None]:
    """Turn errors into words and an exit status; never into a traceback, which could show a secret."""
    try:
        yield
    except KcompileError as error:
        _report(error.problems, style)
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


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="kcompile")
def main() -> None:
    """Compile one cluster spec into everything that kubeadm would have written, offline and reproducibly.

    \b
    kcompile init clusters/lab.yaml --control-plane lab-1=192.168.1.10
    kcompile build clusters/lab.yaml
    kcompile render out/lab lab-1 --to /mnt/lab-1
    """


# --- build ----------------------------------------------------------------------------------------


class _Bar:
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
        if self._bar is not None:
            self._bar.stop()


@main.command(short_help="Compile a spec into out/<cluster>/.")
@click.argument("spec", callback=_named)
@click.option("--out", default="out", callback=_named, show_default=True, help="The directory that holds the trees.")
@click.option("--allow-version-jump", is_flag=True, help="Accept a step of more than one minor from the tree there.")
@_format
def build(spec: str, out: str, allow_version_jump: bool, style: str) -> None:
    """Compile SPEC and its secrets file into OUT/<cluster>/.

    The tree that stands is replaced as a whole, or not at all; unchanged files are not touched.
    Needs an identity that opens the secrets file, found where sops finds it
    (SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, SOPS_AGE_KEY_CMD, the default key file, SSH keys).

    \b
    Example:
      kcompile build clusters/prod.yaml
    """
    with _errors(style):
        from kcompile import pipeline, store
        from kcompile.report.problems import printable

        built = pipeline.build(spec, Path(out), os.environ, _now(), allow_version_jump=allow_version_jump)
        bar = _Bar(len(built.files))
        try:
            with _writing():
                result = store.write(built.root, built.files, bar)
        finally:
            bar.close()
        _report(built.warnings, style)
        notes = [f"overwritten: {built.root / path} had been changed by hand" for path in result.edited]
        notes += [f"kept: {built.root / path} was not written by kcompile" for path in result.foreign]
        for note in notes:
            click.echo(printable(note), err=True)
        changed = len(result.written) + len(result.removed)
        if not changed:
            _print(f"{built.root}: unchanged, {_counted(result.unchanged, 'file')}")
        else:
            written = _counted(len(result.written), "file")
            _print(f"{built.root}: {written} written, {len(result.removed)} removed, {result.unchanged} unchanged")


# --- render ---------------------------------------------------------------------------------------


@main.command(short_help="Open a built tree's files in plain text.")
@click.argument("tree", callback=_named)
@click.argument("host", required=False)
@click.option("--cluster", is_flag=True, help="The cluster's objects.")
@click.option("--admin", is_flag=True, help="The operator's kubeconfigs.")
@click.option(
    "--to", "directory", required=True, callback=_named, help="Where the files go; it is made if it is not there."
)
@_format
def render(tree: str, host: str | None, cluster: bool, admin: bool, directory: str, style: str) -> None:
    """Write what belongs on HOST (or --cluster, or --admin) from a built TREE below a directory, opened.

    Modes are set, keys and kubeconfigs readable by the owner alone. Each file is checked against the
    tree's manifest first. Needs an identity that opens the sealed files.

    \b
    Examples:
      kcompile render out/prod cp-1 --to /mnt/cp-1       # /mnt/cp-1/etc/kubernetes/...
      kcompile render out/prod --cluster --to objects
      kcompile render out/prod --admin --to ~/.kube/prod
    """
    if not (host or cluster or admin):
        raise click.UsageError("name a host, or say --cluster or --admin")
    with _errors(style):
        from kcompile import store
        from kcompile.render import Tree

        opened = Tree(Path(tree), os.environ)
        if Path(directory).resolve().is_relative_to(Path(tree).resolve()):
            hint = "choose a directory outside it, and outside what is committed"
            message = f"lies in the tree {tree}, where secrets are sealed"
            raise SpecError(Problem(message, hint=hint, position=Position(directory, 1, 1)))
        files = [
            *(opened.host(host) if host else ()),
            *(opened.cluster() if cluster else ()),
            *(opened.admin() if admin else ()),
        ]
        with _writing():
            store.write_rendered(Path(directory), files)
        _print(f"{directory}: {_counted(len(files), 'file')}")


# --- validate -------------------------------------------------------------------------------------


@main.command(short_help="Check specs and secrets files, without a key.")
@click.argument("files", nargs=-1, required=True, callback=_named)
@_format
def validate(files: tuple[str, ...], style: str) -> None:
    """Check each of FILES and report everything that is wrong. Needs no key.

    A spec is checked together with the secrets file beside it, a secrets file by its public part.

    \b
    Example:
      kcompile validate clusters/*.yaml
    """
    with _errors(style):
        from kcompile import pipeline

        problems: list[Problem] = []
        status = 0
        for file in files:
            try:
                problems += pipeline.validate_file(file, _now())
            except KcompileError as error:
                problems += error.problems
                status = status or error.exit_code
        problems = list(dict.fromkeys(problems))  # a secrets file's stand there again with its spec's
        _report(tuple(problems), style)
        if status:
            sys.exit(status)
        warnings = sum(problem.severity is Severity.WARNING for problem in problems)
        suffix = f", {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
        _print(f"{len(files)} {'file is' if len(files) == 1 else 'files are'} valid{suffix}")


# --- secrets --------------------------------------------------------------------------------------


@main.group()
def secrets() -> None:
    """Make and extend the secrets file that goes with a spec."""


@secrets.command("create", short_help="Make the secrets file of a new cluster.")
@click.argument("spec", callback=_named)
@_format
def secrets_create(spec: str, style: str) -> None:
    """Make fresh authorities, keys and tokens for SPEC, sealed for its recipients, beside it.

    An existing secrets file is never overwritten.

    \b
    Example:
      kcompile secrets create clusters/prod.yaml      # writes clusters/prod.secrets.yaml
    """
    with _errors(style):
        from kcompile import pipeline, secretsfile, store
        from kcompile.hosts import resolve

        now = _now()
        target = Path(secretsfile.path_for(spec))
        read = pipeline.read_spec(spec, now)
        if target.exists():
            hint = "`kcompile secrets update` adds what is missing; rename the file to start anew"
            raise OutputError(
                Problem("is there already and is not overwritten", hint=hint, position=Position(str(target), 1, 1))
            )
        text = secretsfile.create(resolve(read.cluster), now)
        with _writing():
            store.create_file(target, text.encode(), 0o644)
        _report(read.warnings, style)
        _print(f"{target}: made, sealed for {_counted(len(read.cluster.spec.secrets.recipients), 'recipient')}")


@secrets.command("update", short_help="Add what a spec needs and its secrets file lacks.")
@click.argument("spec", callback=_named)
@_format
def secrets_update(spec: str, style: str) -> None:
    """Add to the secrets file what SPEC needs and it lacks: a new token's secret, keys of new RSA certificates.

    Nothing that is there is changed or removed; lines that need no change stay as they are.

    \b
    Example:
      kcompile secrets update clusters/prod.yaml
    """
    with _errors(style):
        from kcompile import pipeline, secretsfile, store
        from kcompile.hosts import resolve

        now = _now()
        target = secretsfile.path_for(spec)
        read = pipeline.read_spec(spec, now)
        opened = secretsfile.open_file(target, os.environ, f"`kcompile secrets create {spec}` makes it")
        text, added = secretsfile.extend(resolve(read.cluster), opened, now)
        _report(read.warnings, style)
        if text is None:
            _print(f"{target}: nothing is missing")
            return
        with _writing():
            store.replace_file(Path(target), text.encode(), 0o644)
        for what in added:
            _print(f"{target}: added {what}")


# --- init -----------------------------------------------------------------------------------------


def _pairs(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    from kcompile import names

    pairs = []
    for value in values:
        name, equals, address = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} is not NAME=ADDRESS", context, option)
        try:
            pairs.append((names.dns_subdomain(name), names.address_list(address)))
        except names.Invalid as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise click.BadParameter(f"{error}{hint}", context, option) from None
    return pairs


@main.command(short_help="Write a first spec and its secrets file.")
@click.argument("spec", callback=_named)
@click.option(
    "--control-plane", multiple=True, required=True, callback=_pairs, metavar="NAME=ADDRESS", help="Repeat for each."
)
@click.option("--worker", multiple=True, callback=_pairs, metavar="NAME=ADDRESS", help="Repeat for each.")
@click.option("--endpoint", metavar="HOST[:PORT]", help="What all API servers are reached by; needed with several.")
@click.option("--kubernetes-version", metavar="VERSION", help="Default: the newest that was compared with kubeadm.")
@click.option("--recipient", "recipients", multiple=True, metavar="RECIPIENT", help="Who can open secrets; repeatable.")
@_format
def init(
    spec: str,
    control_plane: list[tuple[str, str]],
    worker: list[tuple[str, str]],
    endpoint: str | None,
    kubernetes_version: str | None,
    recipients: tuple[str, ...],
    style: str,
) -> None:
    """Write a commented SPEC for these nodes, and the secrets file that goes with it.

    Without --recipient the age identity at hand is used; when there is none, one is made in SOPS's default
    key file. Nothing is overwritten. The cluster is named after the file.

    \b
    Example:
      kcompile init clusters/lab.yaml --control-plane k8s-master=192.168.217.143
    """
    with _errors(style):
        from kcompile import initialise

        with _writing():
            done = initialise.run(
                spec=Path(spec),
                control_plane=control_plane,
                workers=worker,
                endpoint=endpoint,
                kubernetes_version=kubernetes_version,
                recipients=recipients,
                environ=os.environ,
                now=_now(),
            )
        for line in done:
            _print(line)


# --- csr ------------------------------------------------------------------------------------------


@main.command(short_help="Write signing requests for an authority whose key is elsewhere.")
@click.argument("spec", callback=_named)
@_format
def csr(spec: str, style: str) -> None:
    """Write a signing request for each certificate of SPEC whose authority's key is not in the secrets file.

    They go to SPEC's name.certificates/HOST/NAME.csr; their keys are made if need be and kept in the secrets file.
    Put what was signed beside each as NAME.crt: the next build checks it against the key, the request and the
    authority, and compiles it.

    \b
    Example:
      kcompile csr clusters/prod.yaml      # clusters/prod.certificates/cp-1/apiserver.csr ...
    """
    with _errors(style):
        from kcompile import pipeline, secretsfile, store
        from kcompile.hosts import resolve
        from kcompile.keyring import Keyring, signs_elsewhere, stored_leaves
        from kcompile.pki import request_pem

        now = _now()
        target = secretsfile.path_for(spec)
        cluster = resolve(pipeline.read_spec(spec, now).cluster)
        hint = f"`kcompile secrets create {spec}` makes it"
        opened = secretsfile.open_file(target, os.environ, hint)
        text, added = secretsfile.extend(cluster, opened, now)
        if text is not None:
            with _writing():
                store.replace_file(Path(target), text.encode(), 0o644)
            opened = secretsfile.open_file(target, os.environ, hint)
        keyring = Keyring(cluster, opened.secrets)
        requests = [
            store.Opened(f"{leaf.key_name}.csr", request_pem(keyring.signing_request(leaf)), 0o644)
            for leaf in stored_leaves(cluster, opened.secrets)
            if signs_elsewhere(opened.secrets, leaf.authority)
        ]
        if not requests:
            _print("nothing is to be signed elsewhere: the secrets file holds every authority's key")
            return
        directory = secretsfile.certificates_directory(spec)
        with _writing():
            store.write_rendered(directory, requests)
        if added:
            _print(f"{target}: added {_counted(len(added), 'key')}")
        count = _counted(len(requests), "signing request")
        unsigned = sum(not (directory / request.path).with_suffix(".crt").exists() for request in requests)
        rest = f"{unsigned} not signed yet; put what is signed beside each as NAME.crt" if unsigned else "all signed"
        _print(f"{directory}: {count}, {rest}")


# --- schema ---------------------------------------------------------------------------------------


@main.command(short_help="Print the spec's JSON schema.")
def schema() -> None:
    """Print the JSON schema of the cluster spec, for editors and linters.

    \b
    Example:
      kcompile schema > schemas/cluster.schema.json
    """
    with _errors():
        from kcompile.schema import cluster_schema

        _print(cluster_schema(), end="")
