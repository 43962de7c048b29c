"""Every code has a page, an example that shows it, and a case: a spec in, the exact problems out."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompile import catalogue, pipeline
from kcompile.errors import KcompileError, Problem, Severity
from kcompile.report.problems import as_text

from conftest import ROOT, kcompile

CASES = Path(__file__).parent / "problems"
PAGES = catalogue.pages()
BASE = """
apiVersion: kcompile.dev/v1alpha1
kind: Cluster
metadata: {name: test}
spec:
  kubernetesVersion: v1.36.2
  pki: {issuedAt: "2026-11-23T00:00:00Z", encryptionAlgorithm: ECDSA-P256}
  secrets: {recipients: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}
  controlPlane: {nodes: [{name: cp-1, address: 10.0.0.11}]}
"""
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NO_SECRETS = "K0901"
"""There is no secrets file beside a case."""
WITHOUT_A_CASE = {
    **dict.fromkeys(("K0101", "K0102", "K0103", "K0105", "K0107", "K0108", "K0114", "K0208"), "tests/test_errors.py"),
    "K0630": "tests/test_errors.py: it takes a tree",
    **dict.fromkeys(("K0706", "K0707", "K0708"), "tests/test_errors.py, tests/test_external_ca.py: a secrets file"),
}
"""Codes that a spec alone does not show, and where they are tested; see ELSEWHERE for the others."""
ELSEWHERE = ("K09", "K10", "K11")


def sources() -> Iterator[tuple[str, str, str]]:
    """Each code in the package, with the module and the function that reports it."""
    for path in sorted((ROOT / "compiler" / "kcompile").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Constant) and re.fullmatch(r"K\d{4}", str(node.value)):
                        yield str(node.value), path.stem, function.name


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {code for code, _, _ in sources()} == set(PAGES)


def test_every_rule_has_one_code() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "compiler" / "kcompile" / "rules").glob("*.py")):
        for function in ast.parse(path.read_text()).body:
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Constant) and re.fullmatch(r"K\d{4}", str(node.value)):
                        found[f"{path.stem}.{function.name}"].add(str(node.value))
    several = {name: codes for name, codes in found.items() if len(codes) > 1}
    assert several == {}


def test_pages_are_generated_from_the_catalogue() -> None:
    directory = ROOT / "docs" / "errors"
    pages = {f"{code}.md": catalogue.markdown(page) for code, page in PAGES.items()}
    assert {path.name: path.read_text() for path in directory.glob("*.md")} == pages | {"README.md": catalogue.index()}


def test_names_are_unique() -> None:
    names = [page.name for page in PAGES.values()]
    assert (len(names), [name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)]) == (
        len(set(names)),
        [],
    )


# --- cases ----------------------------------------------------------------------------------------


def expected_codes() -> set[str]:
    return {code for code in PAGES if not code.startswith(ELSEWHERE) and code not in WITHOUT_A_CASE}


def test_every_code_of_a_spec_has_a_case() -> None:
    cases = {path.stem for path in CASES.glob("K????.txt")}
    assert cases == expected_codes()
    for code in cases:
        assert f"[{code}]" in (CASES / f"{code}.txt").read_text()


@pytest.mark.parametrize("code", sorted(path.stem for path in CASES.glob("K????.yaml")))
def test_a_case_is_reported_as_it_stands_beside_it(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    assert as_text(reported(Path(f"{code}.yaml"))) + "\n" == Path(f"{code}.txt").read_text()


# --- examples -------------------------------------------------------------------------------------


def merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base.get(key), value) for key, value in over.items()}
    return over


def reported(file: Path) -> list[Problem]:
    """What validating a spec reports, but for its missing secrets file."""
    try:
        found = pipeline.validate_file(str(file), NOW)
    except KcompileError as error:
        found = error.problems
    return [problem for problem in found if problem.code != NO_SECRETS]


def example_file(page: catalogue.Page, example: str, directory: Path) -> Path:
    file = directory / "c.yaml"
    if page.merge:
        file.write_text(yaml.safe_dump(merged(yaml.safe_load(BASE), yaml.safe_load(example)), sort_keys=False))
    elif page.code.startswith("K08"):
        (directory / "objects.yaml").write_text(example)
        file.write_text(f"{BASE}  manifests: [objects.yaml]\n")
    else:
        file.write_text(example)
    return file


@pytest.mark.parametrize("code", [code for code, page in PAGES.items() if page.language == "yaml"])
def test_examples_show_what_they_say(code: str, tmp_path: Path) -> None:
    page = PAGES[code]
    wrong = reported(example_file(page, page.wrong, tmp_path))
    errors = {problem.code for problem in wrong if problem.severity is Severity.ERROR}
    assert code in {problem.code for problem in wrong}
    assert errors <= {code}
    assert [(p.code, p.message) for p in reported(example_file(page, page.right, tmp_path))] == []


# --- explain --------------------------------------------------------------------------------------


def test_explain_prints_a_page() -> None:
    for topic in ("K0401", "k0401"):
        result = kcompile("explain", topic, identity=None)
        assert (result.code, result.out, result.err) == (0, catalogue.markdown(PAGES["K0401"]), "")
    assert catalogue.markdown(PAGES["K0401"]) == (ROOT / "docs" / "errors" / "K0401.md").read_text()


def test_explain_lists_all_codes() -> None:
    result = kcompile("explain", identity=None)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [f"{code}  {page.title}" for code, page in PAGES.items()]


def test_a_code_that_is_none() -> None:
    result = kcompile("explain", "K0499", identity=None)
    says = "there is no code K0499 [K1013]\n   hint: `kcompile explain` lists all of them\n"
    assert (result.code, result.out, result.err) == (2, "", says)
