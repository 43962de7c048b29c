"""Commands for reviewing a change."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from kcompile.cli.console import counted, errors, format_option, named, present, print_, specs_of, tell
from kcompile.errors import KcompileError, Problem, SpecError


@click.command("diff", short_help="Say what a change does, by host and by meaning.")
@click.argument("subject", metavar="SPEC|TREE", callback=named)
@click.argument("other", metavar="[TREE]", required=False, callback=named)
@click.option("--out", default="out", callback=named, show_default=True, help="The directory that holds the trees.")
@click.option("--from", "old", metavar="REVISION", callback=named, help="Compare the committed trees of two revisions.")
@click.option("--to", "new", metavar="REVISION", callback=named, help="The newer revision.  [default: HEAD]")
@click.option(
    "--format", "style", type=click.Choice(["text", "markdown", "json"]), default="text", help="How it is told."
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1000),
    help="The longest Markdown: what does not fit is counted.  [default: 65536, a comment on GitHub]",
)
def diff(
    subject: str, other: str | None, out: str, old: str | None, new: str | None, style: str, max_bytes: int | None
) -> None:
    """Compare what SPEC would build with the tree that stands, or two trees, or a tree at two git revisions.

    Told are fields, flags, facts of certificates and kubeconfigs, lines of scripts, what each change restarts, the
    change of the spec that made it, and an order to roll it out. Of secrets it is said only that they changed.
    To build needs an identity, as `build` does; trees and revisions need none.

    \b
    Examples:
      kcompile diff clusters/prod.yaml
      kcompile diff out/prod /mnt/other/prod
      kcompile diff clusters/prod.yaml --from main --format markdown

    Exit status: 0 no difference, 1 differences, 2 bad input or a skew that Kubernetes does not support, 3 secrets.
    """
    if other is not None and (old or new):
        raise click.UsageError("two trees, or a spec with --from; not both")
    if new and not old:
        raise click.UsageError("--to goes with --from")
    if max_bytes and style != "markdown":
        raise click.UsageError("--max-bytes goes with --format markdown")
    with errors("json" if style == "json" else "text"):
        from kcompile import review
        from kcompile.report.changes import COMMENT_LIMIT, FORMATS, as_markdown

        if other is not None:
            found = review.trees(Path(subject), Path(other))
        elif old:
            found = review.revisions(subject, Path(out), old, new or "HEAD")
        else:
            found = review.standing(subject, Path(out), os.environ, present())
        text = as_markdown(found, max_bytes or COMMENT_LIMIT) if style == "markdown" else FORMATS[style](found)
        print_(text.removesuffix("\n"))
        if found.rollout.problems:
            raise SpecError(found.rollout.problems)
        if found.changes:
            sys.exit(1)


@click.command(short_help="Hold trees against their specs, without a key.")
@click.argument("specs", nargs=-1, required=True, callback=named)
@click.option("--out", default="out", callback=named, show_default=True, help="The directory that holds the trees.")
@format_option
def check(specs: tuple[str, ...], out: str, style: str) -> None:
    """Hold the tree of each of SPECS against what the spec and its secrets file give. Needs no key.

    A directory stands for the specs in it.

    Everything public is compiled anew and compared byte for byte. Certificates are verified, each with its authority
    and against what the spec says; sealed files are compared but for what is encrypted; the manifest's signature is
    verified. Where an identity opens the secrets file the secrets are compared too. A tree whose spec is gone is told.
    Nothing is written.

    \b
    Examples:
      kcompile check clusters
      kcompile check clusters/prod.yaml --format sarif 2> check.sarif

    Exit status: 0 the trees are what they are to be, 1 they are not, 2 bad input, 3 no secrets file.
    """
    with errors(style):
        from kcompile import check as checks

        found: list[checks.Checked] = []
        problems: list[Problem] = []
        named_specs, status = specs_of(specs), 0
        for spec in named_specs:
            try:
                checked = checks.check(spec, Path(out), os.environ, present())
                found.append(checked)
                problems += checked.problems
            except KcompileError as error:  # of one cluster, and the others are checked all the same
                problems += error.problems
                status = status or error.exit_code
        strays = checks.without_a_spec(Path(out), named_specs, whole=any(Path(spec).is_dir() for spec in specs))
        tell((*problems, *strays), style)
        if style == "text":
            for checked in found:
                if checked.is_right:
                    certificates = counted(checked.certificates, "certificate")
                    secrets = f", the secrets in {checked.sealed} not compared" if checked.sealed else ""
                    print_(f"{checked.root}: right, {counted(checked.files, 'file')}, {certificates}{secrets}")
        if strays or not all(checked.is_right for checked in found):
            status = status or 1
        if status:
            sys.exit(status)


@click.command(short_help="List what ends when: certificates, authorities, tokens.")
@click.argument("specs", nargs=-1, required=True, callback=named)
@click.option("--out", default="out", callback=named, show_default=True, help="The directory that holds the trees.")
@click.option("--min-days", type=click.IntRange(0, 36500), help="Exit with 1 if anything ends within so many days.")
@click.option("--format", "style", type=click.Choice(["text", "json", "prometheus"]), default="text", show_default=True)
def certs(specs: tuple[str, ...], out: str, min_days: int | None, style: str) -> None:
    """List every certificate and token of SPECS' clusters with its end, the soonest first. Needs no key.

    Reads the specs, the public part of their secrets files, and the trees that were built from them. Tokens without an
    end never count for --min-days.

    \b
    Examples:
      kcompile certs clusters/*.yaml
      kcompile certs clusters/prod.yaml --min-days 30
      kcompile certs clusters/prod.yaml --format prometheus > /var/lib/node_exporter/prod.prom
    """
    with errors():
        from kcompile import expiry, reading, secretsfile
        from kcompile.hosts import resolve
        from kcompile.report import expiry as report

        now = present()
        found: dict[str, tuple[expiry.Expiry, ...]] = {}
        for spec in specs_of(specs):
            read = reading.read_spec(spec, now)
            name = read.cluster.metadata.name
            closed = secretsfile.of_spec(spec)
            secrets = secretsfile.with_certificates(closed.secrets, read.certificates)
            found[name] = expiry.of_cluster(resolve(read.cluster), secrets, Path(out) / name)
        if style == "text":
            print_(report.as_text(found, now, min_days))
        else:
            print_(report.as_json(found, now) if style == "json" else report.as_prometheus(found))
        days = (entry.days(now) for entries in found.values() for entry in entries)
        if min_days is not None and any(left is not None and left < min_days for left in days):
            sys.exit(1)
