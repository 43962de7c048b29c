"""Commands that make trees and open them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from kcompile.cli.console import Bar, counted, errors, format_option, named, present, print_, tell, writing
from kcompile.errors import KcompileError

if TYPE_CHECKING:
    from kcompile import pipeline


@click.command(short_help="Compile a spec into out/<cluster>/.")
@click.argument("spec", callback=named)
@click.option("--out", default="out", callback=named, show_default=True, help="The directory that holds the trees.")
@click.option("--allow-version-jump", is_flag=True, help="Accept a step of more than one minor from the tree there.")
@click.option("--watch", is_flag=True, help="Build anew whenever a file that was read changes, and show the diff.")
@format_option
def build(spec: str, out: str, allow_version_jump: bool, watch: bool, style: str) -> None:
    """Compile SPEC and its secrets file into OUT/<cluster>/.

    The tree that stands is replaced as a whole, or not at all; unchanged files are not touched.
    Needs an identity that opens the secrets file, found where sops finds it
    (SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, SOPS_AGE_KEY_CMD, the default key file, SSH keys).

    \b
    Examples:
      kcompile build clusters/prod.yaml
      kcompile build clusters/prod.yaml --watch      # until Ctrl-C, which exits with 130
    """
    with errors(style):
        if watch:
            _keep_building(spec, Path(out), style, allow_version_jump=allow_version_jump)
        from kcompile import pipeline

        built = pipeline.build(spec, Path(out), os.environ, present(), allow_version_jump=allow_version_jump)
        _write(built, style)


def _write(built: pipeline.Built, style: str) -> None:
    """Write a tree, and say what that did."""
    from kcompile import store
    from kcompile.report.problems import printable

    bar = Bar(len(built.files))
    try:
        with writing():
            result = store.write(built.root, built.files, bar)
    finally:
        bar.close()
    tell(built.warnings, style)
    notes = [f"overwritten: {built.root / path} had been changed by hand" for path in result.edited]
    notes += [f"kept: {built.root / path} was not written by kcompile" for path in result.foreign]
    for note in notes:
        click.echo(printable(note), err=True)
    changed = len(result.written) + len(result.removed)
    if not changed:
        print_(f"{built.root}: unchanged, {counted(result.unchanged, 'file')}")
    else:
        written = counted(len(result.written), "file")
        print_(f"{built.root}: {written} written, {len(result.removed)} removed, {result.unchanged} unchanged")


def _keep_building(spec: str, out: Path, style: str, *, allow_version_jump: bool) -> NoReturn:
    """Build, and at each change build anew and tell what that changes, until interrupted. Problems end nothing."""
    from kcompile import pipeline, review
    from kcompile.cli.watch import Watch
    from kcompile.report.changes import as_text
    from kcompile.report.problems import printable

    def note(text: str) -> None:
        if style == "text":  # between problems for machines there is nothing else
            click.echo(printable(text), err=True)

    files, former, is_first = Watch(spec), None, True
    with writing():  # an interrupt is the ordinary end, with the same exit status at any moment
        while True:
            files.look()
            try:
                built = pipeline.build(spec, out, os.environ, present(), allow_version_jump=allow_version_jump)
                report = None if is_first else review.of_build(built, spec, os.environ, former)
                _write(built, style)
                former = built.spec
                if report is not None and report.changes:
                    print_(as_text(report))
                    tell(report.rollout.problems, style)
            except KcompileError as error:
                tell(error.problems, style)
            if is_first:
                note(f"watching {spec} and what it names; Ctrl-C ends")
            is_first = False
            changed = ", ".join(str(path) for path in files.wait())
            note(f"{present().astimezone():%H:%M:%S} changed: {changed}")


@click.command(short_help="Open a built tree's files in plain text.")
@click.argument("tree", callback=named)
@click.argument("host", required=False)
@click.option("--cluster", is_flag=True, help="The cluster's objects.")
@click.option("--admin", is_flag=True, help="The operator's kubeconfigs.")
@click.option(
    "--to", "directory", required=True, callback=named, help="Where the files go; it is made if it is not there."
)
@format_option
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
    if host and (cluster or admin):
        raise click.UsageError("a host's files have their own places: render --cluster and --admin apart from them")
    with errors(style):
        from kcompile import store
        from kcompile.render import Tree, check_place

        opened = Tree(Path(tree), os.environ)
        check_place(Path(directory), Path(tree))
        if host:
            opened.check_no_other(host, Path(directory))
        files = [
            *(opened.host(host) if host else ()),
            *(opened.cluster() if cluster else ()),
            *(opened.admin() if admin else ()),
        ]
        with writing():
            store.write_rendered(Path(directory), files)
        print_(f"{directory}: {counted(len(files), 'file')}")
