"""Problems for people and for machines: colours, JSON, SARIF, GitHub's annotations."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kcompile import catalogue

from conftest import ROOT, SECRETS, clean_environment, kcompile, stored_schema

SPEC = """\
apiVersion: kcompile.dev/v1alpha1
kind: Cluster
metadata: {name: test}
spec:
  kubernetesVersion: v1.27.3
  pki: {issuedAt: 2999-01-01T00:00:00Z, encryptionAlgorithm: ECDSA-P256}
  secrets: {recipients: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}
  controlPlane: {nodes: [{name: cp-1, address: 10.0.0.11}]}
"""
OLD = "v1.27.3 is not supported"
SUPPORTED = "supported are v1.28 to v1.37"
FUTURE = "2999-01-01T00:00:00Z is in the future: the certificates are not valid yet"
WAIT = "use today's date, or wait"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec with an error and a warning, in a file whose name needs escaping."""
    directory = tmp_path / "a b,100%"
    directory.mkdir()
    (directory / "f.yaml").write_text(SPEC)
    (directory / "f.secrets.yaml").write_bytes(SECRETS.read_bytes())
    return directory


def said(spec: Path, style: str) -> str:
    result = kcompile("validate", f"{spec.name}/f.yaml", "--format", style, cwd=spec.parent)
    assert (result.code, result.out) == (2, "")
    return result.err


def test_json(spec: Path) -> None:
    assert json.loads(said(spec, "json")) == {
        "problems": [
            {
                "code": "K0601",
                "severity": "error",
                "file": "a b,100%/f.yaml",
                "line": 5,
                "column": 22,
                "endColumn": 29,
                "path": "spec.kubernetesVersion",
                "message": OLD,
                "hint": SUPPORTED,
            },
            {
                "code": "K0702",
                "severity": "warning",
                "file": "a b,100%/f.yaml",
                "line": 6,
                "column": 19,
                "endColumn": 39,
                "path": "spec.pki.issuedAt",
                "message": FUTURE,
                "hint": WAIT,
            },
        ]
    }


def test_github(spec: Path) -> None:
    file = "a b%2C100%25/f.yaml"
    assert said(spec, "github").splitlines() == [
        f"::error file={file},line=5,col=22,endColumn=29,title=K0601::"
        f"spec.kubernetesVersion: {OLD}%0Ahint: {SUPPORTED}",
        f"::warning file={file},line=6,col=19,endColumn=39,title=K0702::spec.pki.issuedAt: {FUTURE}%0Ahint: {WAIT}",
    ]


def test_gitlab(spec: Path) -> None:
    file = "a b,100%/f.yaml"

    def entry(code: str, severity: str, path: str, message: str, hint: str, line: int) -> dict[str, Any]:
        return {
            "description": f"{path}: {message}\nhint: {hint}",
            "check_name": code,
            "fingerprint": hashlib.sha256(f"{code}\0{file}\0{path}\0{message}".encode()).hexdigest(),
            "severity": severity,
            "location": {"path": file, "lines": {"begin": line}},
        }

    assert json.loads(said(spec, "gitlab")) == [
        entry("K0601", "major", "spec.kubernetesVersion", OLD, SUPPORTED, 5),
        entry("K0702", "minor", "spec.pki.issuedAt", FUTURE, WAIT, 6),
    ]


def result(code: str, level: str, text: str, line: int, start: int, end: int) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": start, "endColumn": end}
    location = {"artifactLocation": {"uri": "a%20b%2C100%25/f.yaml"}, "region": region}
    return {
        "ruleId": code,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }


def test_sarif(spec: Path) -> None:
    sarif = json.loads(said(spec, "sarif"))
    jsonschema.Draft7Validator(stored_schema("https://json.schemastore.org/sarif-2.1.0.json")).validate(sarif)
    (run,) = sarif["runs"]
    assert (sarif["version"], run["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    assert run["results"] == [
        result("K0601", "error", f"spec.kubernetesVersion: {OLD}\nhint: {SUPPORTED}", 5, 22, 29),
        result("K0702", "warning", f"spec.pki.issuedAt: {FUTURE}\nhint: {WAIT}", 6, 19, 39),
    ]
    pages = [catalogue.page("K0601"), catalogue.page("K0702")]
    assert run["tool"]["driver"] == {
        "name": "kcompile",
        "rules": [
            {
                "id": page.code,
                "name": page.name,
                "shortDescription": {"text": page.title},
                "fullDescription": {"text": page.text},
                "help": {"text": page.text, "markdown": catalogue.markdown(page)},
            }
            for page in pages
        ],
    }


def test_a_name_that_is_no_text(spec: Path) -> None:
    name = os.fsdecode(b"f\xff.yaml")
    (spec / "f.yaml").rename(spec / name)
    for style, shown in (
        ("text", "f\\udcff.yaml"),
        ("json", "f\\udcff.yaml"),
        ("github", "f\\udcff.yaml"),
        ("sarif", "f%FF.yaml"),
    ):
        result = kcompile("validate", name, "--format", style, cwd=spec)
        assert (result.code, result.out, shown in result.err, "internal" in result.err) == (2, "", True, False)


def test_sarif_of_a_file_that_is_right_has_no_results(tmp_path: Path) -> None:
    for name in ("edge.yaml", "edge.secrets.yaml"):
        (tmp_path / name).write_bytes((ROOT / "clusters" / name).read_bytes())
    found = kcompile("validate", "edge.yaml", "edge.secrets.yaml", "--format", "sarif", cwd=tmp_path)
    results = json.loads(found.err)["runs"][0]["results"]
    assert ({problem["ruleId"]: problem["level"] for problem in results}, found.out) == (
        {"K0416": "warning", "K0705": "warning"},
        "",
    )


# --- colour ---------------------------------------------------------------------------------------


def on_a_terminal(spec: Path, **env: str) -> str:
    """What a terminal is sent."""
    terminal, own_end = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "kcompile", "validate", "f.yaml"],
            cwd=spec,
            env=clean_environment(**{"TERM": "xterm", **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=own_end,
        ) as process:
            os.close(own_end)
            sent = b""
            while True:
                try:
                    part = os.read(terminal, 4096)
                except OSError:  # Linux's way to say that the other end is closed
                    break
                sent += part
            assert process.wait(60) == 2
    finally:
        os.close(terminal)
    return sent.decode().replace("\r\n", "\n")


PLAIN = f"""\
f.yaml:5:22: spec.kubernetesVersion: {OLD} [K0601]
    5 |   kubernetesVersion: v1.27.3
      |                      ^^^^^^^
   hint: {SUPPORTED}
f.yaml:6:19: warning: spec.pki.issuedAt: {FUTURE} [K0702]
    6 |   pki: {{issuedAt: 2999-01-01T00:00:00Z, encryptionAlgorithm: ECDSA-P256}}
      |                   ^^^^^^^^^^^^^^^^^^^^
   hint: {WAIT}
"""
COLOURED = f"""\
\x1b[1mf.yaml:5:22:\x1b[0m spec.kubernetesVersion: {OLD} \x1b[2m[K0601]\x1b[0m
    5 |   kubernetesVersion: v1.27.3
      |                      \x1b[1;31m^^^^^^^\x1b[0m
   \x1b[36mhint:\x1b[0m {SUPPORTED}
\x1b[1mf.yaml:6:19:\x1b[0m \x1b[1;33mwarning:\x1b[0m spec.pki.issuedAt: {FUTURE} \x1b[2m[K0702]\x1b[0m
    6 |   pki: {{issuedAt: 2999-01-01T00:00:00Z, encryptionAlgorithm: ECDSA-P256}}
      |                   \x1b[1;33m^^^^^^^^^^^^^^^^^^^^\x1b[0m
   \x1b[36mhint:\x1b[0m {WAIT}
"""
MORE = "`kcompile explain K0601` says more, and so of each code\n"


def test_colour_on_a_terminal(spec: Path) -> None:
    assert on_a_terminal(spec) == COLOURED + MORE


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_where_none_is_wanted(env: dict[str, str], spec: Path) -> None:
    assert on_a_terminal(spec, **env) == PLAIN + MORE


def test_no_colour_and_no_advice_off_a_terminal(spec: Path) -> None:
    assert kcompile("validate", "f.yaml", cwd=spec).err == PLAIN
