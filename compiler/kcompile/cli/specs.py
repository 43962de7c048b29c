"""Commands for writing a spec: a first one, what is wrong with it, what it means."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from kcompile.cli.console import errors, format_option, named, present, print_, tell, writing
from kcompile.errors import KcompileError, Problem, Severity, SpecError


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


@click.command(short_help="Write a first spec and its secrets file.")
@click.argument("spec", callback=named)
@click.option(
    "--control-plane", multiple=True, required=True, callback=_pairs, metavar="NAME=ADDRESS", help="Repeat for each."
)
@click.option("--worker", multiple=True, callback=_pairs, metavar="NAME=ADDRESS", help="Repeat for each.")
@click.option("--endpoint", metavar="HOST[:PORT]", help="What all API servers are reached by; needed with several.")
@click.option("--kubernetes-version", metavar="VERSION", help="Default: the newest that was compared with kubeadm.")
@click.option("--recipient", "recipients", multiple=True, metavar="RECIPIENT", help="Who can open secrets; repeatable.")
@format_option
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
    with errors(style):
        from kcompile import initialise

        with writing():
            done = initialise.run(
                spec=Path(spec),
                control_plane=control_plane,
                workers=worker,
                endpoint=endpoint,
                kubernetes_version=kubernetes_version,
                recipients=recipients,
                environ=os.environ,
                now=present(),
            )
        for line in done:
            print_(line)


@click.command(short_help="Check specs and secrets files, without a key.")
@click.argument("files", nargs=-1, required=True, callback=named)
@format_option
def validate(files: tuple[str, ...], style: str) -> None:
    """Check each of FILES and report everything that is wrong. Needs no key.

    A spec is checked together with the secrets file beside it, a secrets file by its public part.

    \b
    Example:
      kcompile validate clusters/*.yaml
    """
    with errors(style):
        from kcompile import pipeline

        problems: list[Problem] = []
        status = 0
        for file in files:
            try:
                problems += pipeline.validate_file(file, present())
            except KcompileError as error:
                problems += error.problems
                status = status or error.exit_code
        problems = list(dict.fromkeys(problems))  # a secrets file's stand there again with its spec's
        tell(tuple(problems), style)
        if status:
            sys.exit(status)
        if style != "text":  # for a program, which has the status
            return
        warnings = sum(problem.severity is Severity.WARNING for problem in problems)
        suffix = f", {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
        print_(f"{len(files)} {'file is' if len(files) == 1 else 'files are'} valid{suffix}")


@click.command(short_help="Print what a code or a field of the spec means.")
@click.argument("topic", required=False)
@format_option
def explain(topic: str | None, style: str) -> None:
    """Print the page of a problem's code, or a field's type, default, meaning and an example; or list all codes.

    \b
    Examples:
      kcompile explain K0401
      kcompile explain spec.controlPlane.nodes
    """
    with errors(style):
        from kcompile import catalogue

        code = (topic or "").upper()
        if topic is None:
            print_("\n".join(f"{page.code}  {page.title}" for page in catalogue.pages().values()))
        elif code in catalogue.pages():
            print_(catalogue.markdown(catalogue.page(code)), end="")
        elif catalogue.is_code(code):
            raise SpecError(Problem("K1013", f"there is no code {code}", hint="`kcompile explain` lists all of them"))
        else:
            from kcompile.fields import field_help

            print_(field_help(topic), end="")


@click.command(short_help="Print the spec's JSON schema.")
def schema() -> None:
    """Print the JSON schema of the cluster spec, for editors and linters.

    \b
    Example:
      kcompile schema > schemas/cluster.schema.json
    """
    with errors():
        from kcompile.schema import cluster_schema

        print_(cluster_schema(), end="")
