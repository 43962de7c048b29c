"""The command line: the one place that prints, reads the environment and the clock, and exits.

Modules that do the work are imported by the commands themselves, so that ``--help`` stays quick.
"""

from __future__ import annotations

import os

import click

from kcompile import __version__
from kcompile.cli import export, review, secrets, specs, trees

# Looking for pydantic plugins among all that is installed takes longer than a small build; none is wanted here.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="kcompile")
def main() -> None:
    """Compile one cluster spec into everything that kubeadm would have written, offline and reproducibly.

    \b
    kcompile init clusters/lab.yaml --control-plane lab-1=192.168.1.10
    kcompile build clusters/lab.yaml
    kcompile render out/lab lab-1 --to /mnt/lab-1
    """


for _command in (
    specs.init,
    secrets.secrets,
    secrets.csr,
    specs.validate,
    specs.explain,
    specs.schema,
    trees.build,
    trees.render,
    export.export,
    review.check,
    review.diff,
    review.certs,
):
    main.add_command(_command)
