"""The command that hands hosts to other tools."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kcompile.cli.console import counted, errors, named, print_, tell, writing
from kcompile.errors import OutputError, Position, Problem, Severity, SpecError

if TYPE_CHECKING:
    from kcompile.export.formats import Format
    from kcompile.export.hostfiles import HostFiles

_ANSIBLE = "ansible"


@click.command(short_help="Hand hosts to tar, cloud-init, Ignition, Butane or Ansible.")
@click.argument("tree", callback=named)
@click.argument("hosts", nargs=-1, metavar="[HOST]...", callback=named)
@click.option(
    "--format",
    "name",
    type=click.Choice(["tar", "cloud-init", "ignition", "butane", _ANSIBLE]),
    required=True,
    help="What is written.",
)
@click.option("--sealed", is_flag=True, help="Secrets stay sealed, and install.sh opens them on the host.")
@click.option("--new-host", is_flag=True, help="For tar: also what a host's kubelet rotates, for hosts that never ran.")
@click.option("--to", "destination", callback=named, help="A file; a directory for several hosts, and for ansible.")
def export(tree: str, hosts: tuple[str, ...], name: str, sealed: bool, new_host: bool, destination: str | None) -> None:
    """Write HOSTs of a built TREE, all without a name, in the format of another tool.

    One host goes to standard output, or to a file with --to; several go to a directory, a file each; ansible is always
    a directory. What is written is for its owner alone, and never lies among the trees. Without --sealed secrets are in
    it in plain text, which needs an identity that opens them.

    \b
    Examples:
      kcompile export out/prod cp-1 --format tar --new-host | ssh cp-1 'sudo tar -x -C /'
      kcompile export out/prod w-1 --format cloud-init --to /run/user/1000/w-1.yaml
      kcompile export out/prod --format ansible --sealed --to ~/prod-ansible
    """
    if new_host and (sealed or name != "tar"):
        raise click.UsageError("--new-host is for --format tar without --sealed; first boots have those files anyway")
    with errors():
        from kcompile.export.hostfiles import gather
        from kcompile.render import Tree, check_place

        opened = Tree(Path(tree), os.environ)
        for host in hosts:
            opened.check_host(host)
        chosen = sorted(set(hosts)) or opened.hosts
        if not chosen:
            raise SpecError(Problem("K1004", "has no hosts", position=Position(tree, 1, 1)))
        to = None if destination is None else Path(destination)
        if to is None and name == _ANSIBLE:
            raise click.UsageError("ansible is a directory: name it, --to DIR")
        if to is None and len(chosen) > 1:
            count = counted(len(chosen), "host")
            raise click.UsageError(f"a file is for one host: name a directory for {count}, --to DIR")
        if to is None:
            _check_terminal(name, sealed=sealed)
        else:
            check_place(to, Path(tree))
        gathered = [gather(opened, Path(tree), host, sealed=sealed) for host in chosen]
        if to is not None and name == _ANSIBLE:
            _write_ansible(gathered, to, others=sorted(set(opened.hosts) - set(chosen)))
        else:
            _write_each(gathered, name, to, new_host=new_host)


def _check_terminal(name: str, *, sealed: bool) -> None:
    """Raises OutputError where standard output is a terminal, which is for neither secrets nor archives."""
    if sys.stdout is not None and sys.stdout.isatty() and (name == "tar" or not sealed):
        what = "an archive is not written" if sealed else "secrets are not shown"
        hint = "send it on with a pipe, or name a file with --to"
        raise OutputError(Problem("K1030", f"standard output is a terminal, where {what}", hint=hint))


def _write_ansible(hosts: list[HostFiles], to: Path, others: list[str]) -> None:
    from kcompile.export import ansible
    from kcompile.export import destination as places

    with writing():
        places.write_ansible(to, ansible.write(hosts).items(), others)
    print_(f"{to}: {counted(len(hosts), 'host')}")


def _write_each(hosts: list[HostFiles], name: str, to: Path | None, *, new_host: bool) -> None:
    from kcompile.export import destination as places
    from kcompile.export.formats import FORMATS

    form: Format = FORMATS[name]
    doubts: list[Problem] = []
    contents: list[tuple[str, bytes]] = []
    for host in hosts:
        leaving = host
        if form.is_for_running_hosts and not new_host:
            doubts += (_left_out(host.name, path) for path in host.rotated)
            leaving = host.running()
        content = form.write(leaving)
        doubts += form.doubts(leaving, content)
        contents.append((f"{host.name}.{form.suffix}", content))
    if to is None:
        print_(contents[0][1])
    else:
        with writing():
            if len(contents) == 1:
                places.write_file(to, contents[0][1], form.is_own)
            else:
                places.write_files(to, contents, form.is_own)
        print_(f"{to}: {counted(len(hosts), 'host')}")
    tell(tuple(doubts), "text")


def _left_out(host: str, path: str) -> Problem:
    message = f"{path} of {host} is left out: a host that runs has a newer one, which its kubelet rotates"
    hint = "--new-host adds it, for a machine that never was in the cluster"
    return Problem("K1032", message, hint=hint, severity=Severity.WARNING)
