"""Bounded runs of the fuzzers, and every input that once broke the loader."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcompile import load, validate
from kcompile.errors import KcompileError, Problem
from kcompile.report.problems import FORMATS

from conftest import ROOT, clean_environment
from strategies import near_specs

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CRASHERS = Path(__file__).parent / "fuzz" / "crashers"
BYTES = (
    b"\x00",
    b"\t",
    b"\r",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"'",
    b'"',
    b"[",
    b"{",
    b"&a ",
    b"*a",
    b"<<: ",
)


def problems_of(content: bytes) -> tuple[Problem, ...]:
    """A spec's problems; any other exception than a KcompileError is a defect."""
    try:
        _, problems = validate.cluster(load.parse("f.yaml", content), NOW)
    except KcompileError as error:
        problems = error.problems
    for style in FORMATS.values():
        style(problems)
    return problems


def placed(content: bytes) -> None:
    """Every problem has a code and a place in the file."""
    lines = len(content.splitlines()) + 1
    for problem in problems_of(content):
        assert problem.position is not None
        assert 1 <= problem.position.line <= lines
        assert problem.position.column >= 1
        assert problem.code.startswith("K0")


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(near_specs())
def test_specs_near_the_valid_ones(document: dict[str, Any]) -> None:
    placed(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(max_examples=500, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_bytes_near_a_spec(data: st.DataObject) -> None:
    content = (ROOT / "clusters" / "edge.yaml").read_bytes()
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(0, len(content)))
        until = where + data.draw(st.integers(0, 12))
        content = content[:where] + data.draw(st.sampled_from(BYTES) | st.binary(max_size=6)) + content[until:]
    placed(content)


@pytest.mark.parametrize("name", sorted(path.name for path in CRASHERS.iterdir()))
def test_what_once_crashed(name: str) -> None:
    placed((CRASHERS / name).read_bytes())


def test_the_coverage_guided_fuzzer_finds_nothing_in_a_bounded_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "fuzz" / "loader.py", "-runs=10000", "-seed=20261124"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, "Done 10000 runs" in done.stderr) == (0, True), done.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
