"""The scripts of a tree, judged by shellcheck and systemd, and really run."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from conftest import ALL_EXAMPLES, files_of_host, kcompile, run, succeed, tool


def modes_below(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): oct(stat.S_IMODE(p.stat().st_mode)) for p in files_of_host(directory)}


def rendered(examples: Path, target: Path, *what: str) -> Path:
    succeed(kcompile("render", examples / "out/prod", *what, "--to", target))
    return target


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_shellcheck_finds_nothing(name: str, examples: Path) -> None:
    found = sorted((examples / "out" / name).rglob("*.sh"))
    scripts = [p for p in found if "sealed" not in p.parts and p.name != "install.sh"]  # which test_install.py looks at
    assert len(scripts) > 1
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", *scripts) == ""


def test_shellcheck_finds_nothing_in_a_join_script(examples: Path, tmp_path: Path) -> None:
    script = rendered(examples, tmp_path / "w-1", "w-1") / "etc/kubernetes/join.sh"
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", script) == ""


def test_render_checks_the_tree_and_the_host(examples: Path, tmp_path: Path) -> None:
    tree = tmp_path / "out" / "prod"
    shutil.copytree(examples / "out/prod", tree)
    unknown = kcompile("render", tree, "cp-4", "--to", tmp_path / "x")
    assert (unknown.code, unknown.err) == (
        2,
        f"{tree}:1:1: there is no host cp-4 [K1005]\n   hint: did you mean cp-1?\n",
    )
    changed = tree / "hosts/cp-1/rootfs/var/lib/kubelet/config.yaml"
    changed.write_text("x\n")
    refused = kcompile("render", tree, "cp-1", "--to", tmp_path / "x")
    assert (refused.code, refused.err) == (
        2,
        f"{changed}:1:1: was changed after it was built: its digest is not the one in kcompile.json [K1007]\n"
        "   hint: build the tree again, or restore the file from git\n",
    )
    assert not (tmp_path / "x").exists()


def test_render_sets_kubeadm_s_modes(examples: Path, tmp_path: Path) -> None:
    found = modes_below(rendered(examples, tmp_path / "cp-1", "cp-1"))
    open_to_all = sorted(path for path, mode in found.items() if mode != "0o600")
    assert open_to_all == sorted(path for path in found if path.endswith(".crt")) + [
        "etc/modules-load.d/kcompile.conf",
        "etc/sysctl.d/90-kcompile.conf",
        "etc/systemd/system/kubelet.service",
        "etc/systemd/system/kubelet.service.d/20-kcompile.conf",
        "var/lib/kubelet/config.yaml",
        "var/lib/kubelet/instance-config.yaml",
        "var/lib/kubelet/kubeadm-flags.env",
    ]
