"""``kcompile`` and ``python -m kcompile``."""

from __future__ import annotations

import signal
import sys


def run() -> None:
    """Run the command line and exit.

    Until something is written an interrupt ends the process as it ends any other, also while modules load.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from kcompile.cli import main

    try:
        main(prog_name="kcompile")
    except OSError as error:  # of --help, which click prints
        sys.stderr.write(f"cannot write to standard output: {error.strerror}\n")
        sys.exit(4)


if __name__ == "__main__":
    run()
