"""A fuzzer for everything between a spec's bytes and its problems. Run it long: ``python tests/fuzz/loader.py CORPUS``.

It stops at the first input that raises anything but a KcompileError, takes two seconds or more than 512 MiB.
The corpus is the examples' specs and the cases of tests/problems; options are libFuzzer's.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kcompile"]):
    from kcompile import load, validate
    from kcompile.errors import KcompileError
    from kcompile.report.problems import FORMATS

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
WORDS = sorted(
    {word for spec in (ROOT / "clusters").glob("*.yaml") for word in spec.read_text().split() if len(word) < 40}
)


def check(content: bytes) -> None:
    """A spec's bytes to its problems, in every format."""
    try:
        _, problems = validate.cluster(load.parse("f.yaml", content), NOW)
    except KcompileError as error:
        problems = error.problems
    for name in ("text", "json", "github"):
        FORMATS[name](problems[:20])


def main() -> None:
    """Fuzz until told to stop."""
    with tempfile.TemporaryDirectory() as directory:
        seeds = Path(directory) / "seeds"
        seeds.mkdir()
        sources = [*(ROOT / "clusters").glob("*.yaml"), *(ROOT / "tests" / "problems").glob("*.yaml")]
        for number, source in enumerate(sorted(sources)):
            if ".secrets." not in source.name:
                (seeds / str(number)).write_bytes(source.read_bytes())
        dictionary = Path(directory) / "words.dict"
        escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in WORDS if word.isascii())
        dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
        options = [f"-dict={dictionary}", "-timeout=2", "-rss_limit_mb=512", "-max_len=8192"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(seeds)], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
