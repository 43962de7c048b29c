"""``python -m kcompile``."""

from kcompile.cli import main

main(prog_name="kcompile")
