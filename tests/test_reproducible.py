"""Same spec and same secrets: same bytes, on any machine, on any day, for any of the recipients."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ALL_EXAMPLES, BOB, ROOT, clean_environment, files_below, kcompile, run, succeed, tool

VARIATIONS = {
    "elsewhere": {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    "turkish": {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
}


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_committed_tree_is_what_a_fresh_build_gives(name: str, examples: Path) -> None:
    assert files_below(examples / "out" / name) == files_below(ROOT / "out" / name)


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_place_time_zone_locale_umask_and_recipient_change_no_byte(
    name: str, variation: str, examples: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "a b'c;$d" / variation
    shutil.copytree(ROOT / "clusters", strange / "specs")
    umask = {"elsewhere": "0", "turkish": "077"}[variation]
    command = f'umask {umask} && cd / && exec "$0" -m kcompile build "$1" --out "$2"'
    subprocess.run(
        ["sh", "-c", command, sys.executable, strange / "specs" / f"{name}.yaml", strange / "trees"],
        env=clean_environment(SOPS_AGE_KEY_FILE=str(BOB), **VARIATIONS[variation]),
        check=True,
        capture_output=True,
    )
    assert files_below(strange / "trees" / name) == files_below(examples / "out" / name)
    modes = {p.stat().st_mode & 0o7777 for p in (strange / "trees" / name).rglob("*") if p.is_file()}
    assert modes == {0o644, 0o755}


def test_building_again_after_removing_out_changes_no_byte(tmp_path: Path, examples: Path) -> None:
    shutil.copytree(examples / "clusters", tmp_path / "clusters")
    succeed(kcompile("build", "clusters/prod.yaml", cwd=tmp_path, identity=ALICE))
    shutil.rmtree(tmp_path / "out")
    succeed(kcompile("build", "clusters/prod.yaml", cwd=tmp_path, identity=BOB))
    assert files_below(tmp_path / "out" / "prod") == files_below(examples / "out" / "prod")


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_tree_says_nothing_of_the_machine_that_built_it(name: str, examples: Path) -> None:
    words = {str(examples).encode(), str(ROOT).encode(), b"/nonexistent", sys.prefix.encode()}
    found = {
        (path, word)
        for path, content in files_below(examples / "out" / name).items()
        for word in words
        if word in content
    }
    assert found == set()


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_every_file_is_utf8_and_ends_with_a_newline(name: str, examples: Path) -> None:
    files = files_below(examples / "out" / name)
    assert [path for path, content in files.items() if not content.endswith(b"\n") or not content.decode()] == []


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_manifest_lists_every_other_file_with_its_digest(name: str, examples: Path) -> None:
    import hashlib

    files = files_below(examples / "out" / name)
    manifest = json.loads(files.pop("kcompile.json"))
    del files["kcompile.json.sig"]
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"]} == {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items()
    }


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_manifest_is_signed(name: str, examples: Path, tmp_path: Path) -> None:
    """With the key in the secrets file, as openssl alone can tell on any host."""
    tree = examples / "out" / name
    secrets = yaml.safe_load((examples / "clusters" / f"{name}.secrets.yaml").read_text())
    (tmp_path / "signer.pem").write_text(secrets["manifestSigning"]["publicKey"])
    assert json.loads((tree / "kcompile.json").read_text())["signer"] == secrets["manifestSigning"]["publicKey"]
    (tmp_path / "sig").write_bytes(base64.b64decode((tree / "kcompile.json.sig").read_bytes()))
    verify = ["pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "signer.pem", "-rawin", "-sigfile", tmp_path / "sig"]
    assert run(tool("openssl"), *verify, "-in", tree / "kcompile.json") == "Signature Verified Successfully\n"
    (tmp_path / "changed").write_bytes((tree / "kcompile.json").read_bytes() + b" ")
    run(tool("openssl"), *verify, "-in", tmp_path / "changed", code=1)
