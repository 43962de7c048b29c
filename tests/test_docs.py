"""What README.md and docs/ show is what happens."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ROOT, MakeCluster, clean_environment, minimal, succeed

README = (ROOT / "README.md").read_text()
SHAPES = (ROOT / "docs" / "shapes.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def sessions(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it prints."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def shell(command: str, cwd: Path, home: Path) -> str:
    env = clean_environment(HOME=str(home))
    done = subprocess.run(["sh", "-c", command], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    return re.sub(r"age1[0-9a-z]{58}", "age1…", done.stdout + done.stderr)


def test_the_tour_is_what_a_new_user_sees(tmp_path: Path) -> None:
    first, second = (sessions(block) for block in blocks(README, "console")[:2])
    home = tmp_path / "home"
    home.mkdir()
    for command, output in first:
        assert shell(command, tmp_path, home) == re.sub(r"age1[0-9a-z]{58}", "age1…", output), command
    spec = tmp_path / "clusters" / "lab.yaml"
    spec.write_text(spec.read_text().replace("serviceSubnet: 10.96.0.0/16", "serviceSubnet: 10.244.128.0/17"))
    for command, output in second:
        assert shell(command, tmp_path, home) == output, command


def test_what_a_reviewer_sees_stands_in_the_committed_tree() -> None:
    (block,) = blocks(README, "yaml")
    lines = (ROOT / "out/prod/admin/admin.conf").read_text().splitlines()
    start = lines.index("users:")
    shown = block.splitlines()
    assert all(line.startswith(wanted.rstrip("…")) for wanted, line in zip(shown, lines[start:], strict=False))
    assert len(shown) == 5


def test_the_other_committed_examples_open_as_the_readme_says(tmp_path: Path) -> None:
    (line,) = re.findall(r"^export (SOPS_AGE_KEY_FILE=.*)$", README, re.MULTILINE)
    assert line == f"SOPS_AGE_KEY_FILE={ALICE.relative_to(ROOT)}"


@pytest.mark.parametrize("index", range(len(blocks(SHAPES, "yaml"))))
def test_every_shape_builds(index: int, make_cluster: MakeCluster) -> None:
    shape = yaml.safe_load(blocks(SHAPES, "yaml")[index])
    algorithm = {"encryptionAlgorithm": "ECDSA-P256"}
    pki = {"pki": {**shape["pki"], **algorithm}} if "pki" in shape else {}
    workspace = make_cluster(minimal("", **{**shape, **pki}))
    result = succeed(workspace.run("build", "c.yaml"))
    assert result.err == ""


def test_every_link_leads_somewhere() -> None:
    files = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md"))
    links = [(file, target) for file in files for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text())]
    assert [(file.name, target) for file, target in links if not (file.parent / target).exists()] == []
    assert len(links) > 15
