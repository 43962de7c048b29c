"""The scripts of a tree, judged by shellcheck and systemd, and really run."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ALL_EXAMPLES, clean_environment, files_below, files_of_host, kcompile, run, succeed, tool


def modes_below(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): oct(stat.S_IMODE(p.stat().st_mode)) for p in files_of_host(directory)}


def rendered(examples: Path, target: Path, *what: str) -> Path:
    succeed(kcompile("render", examples / "out/prod", *what, "--to", target))
    return target


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_shellcheck_finds_nothing(name: str, examples: Path) -> None:
    scripts = [p for p in sorted((examples / "out" / name).rglob("*.sh")) if "sealed" not in p.parts]
    assert len(scripts) > 2
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", *scripts) == ""


def test_shellcheck_finds_nothing_in_a_join_script(examples: Path, tmp_path: Path) -> None:
    script = rendered(examples, tmp_path / "w-1", "w-1") / "etc/kubernetes/join.sh"
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", script) == ""


def test_systemd_takes_the_drop_in(examples: Path, tmp_path: Path) -> None:
    unit = tmp_path / "kubelet.service"
    drop_in = examples / "out/prod/hosts/cp-1/rootfs/etc/systemd/system/kubelet.service.d/20-kcompile.conf"
    text = drop_in.read_text().replace("/usr/bin/kubelet", "/bin/true")  # no kubelet is installed here
    unit.write_text("[Unit]\nDescription=kubelet\n[Service]\nExecStart=/bin/true\n")
    (tmp_path / "kubelet.service.d").mkdir()
    (tmp_path / "kubelet.service.d" / "20-kcompile.conf").write_text(text)
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    own = [line for line in done.stderr.splitlines() if "kubelet" in line or "kcompile" in line]
    assert (own, done.returncode) == ([], 0)


def install(examples: Path, host: str, root: Path, *args: str | Path, code: int = 0) -> str:
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    script = examples / "out/prod/hosts" / host / "install.sh"
    return run("sh", script, "--root", root, *args, env=env, code=code)


@pytest.mark.parametrize("host", ["cp-1", "w-1", "s-1"])
def test_install_puts_every_file_where_it_belongs(host: str, examples: Path, tmp_path: Path) -> None:
    opened = rendered(examples, tmp_path / "opened", host)
    root = tmp_path / "a b'$c"
    install(examples, host, root, "--from", opened)
    assert files_below(root) == files_below(opened)
    assert modes_below(root) == modes_below(opened)
    links = {
        directory: [(str(p.relative_to(directory)), os.readlink(p)) for p in directory.rglob("*") if p.is_symlink()]
        for directory in (root, opened)
    }
    link = ("var/lib/kubelet/pki/kubelet-client-current.pem", "kubelet-client-2026-11-23-00-00-00.pem")
    assert links == dict.fromkeys(links, [link] if host != "w-1" else [])
    assert install(examples, host, root, "--from", opened) == "0 files changed\n"
    managed, created = root / "var/lib/kubelet/config.yaml", root / "var/lib/kubelet/pki/kubelet-client-current.pem"
    before = managed.read_bytes()
    managed.write_text("changed by hand\n")
    managed.chmod(0o600)
    if host != "w-1":
        created.write_text("rotated by the kubelet\n")
    assert install(examples, host, root, "--from", opened) == f"installed {managed}\n1 files changed\n"
    assert (managed.read_bytes(), oct(stat.S_IMODE(managed.stat().st_mode))) == (before, "0o644")
    if host != "w-1":
        assert created.read_text() == "rotated by the kubelet\n"


def test_install_opens_sealed_files_itself(examples: Path, tmp_path: Path) -> None:
    opened = rendered(examples, tmp_path / "opened", "cp-1")
    root = tmp_path / "root"
    install(examples, "cp-1", root)
    installed, wanted = files_below(root), files_below(opened)
    assert modes_below(root) == modes_below(opened)
    for path in wanted:
        if path.endswith(".conf") and "kubelet" not in path:
            assert yaml.safe_load(installed.pop(path)) == yaml.safe_load(wanted[path])
    assert installed == {path: wanted[path] for path in installed}


def test_install_without_a_key_leaves_no_half_file(examples: Path, tmp_path: Path) -> None:
    env = clean_environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    script = examples / "out/prod/hosts/cp-1/install.sh"
    done = subprocess.run(["sh", script, "--root", tmp_path / "r"], env=env, capture_output=True, check=False)
    assert done.returncode != 0
    assert [
        p for p in (tmp_path / "r").rglob("*") if ".kcompile" in p.name or (p.is_file() and not p.stat().st_size)
    ] == []


def test_install_refuses_what_it_does_not_know(examples: Path, tmp_path: Path) -> None:
    install(examples, "cp-1", tmp_path / "root", "--nonsense", code=2)
    assert not (tmp_path / "root").exists()


def test_join_runs_kubeadm_with_the_authority_s_hash(examples: Path, tmp_path: Path) -> None:
    host = rendered(examples, tmp_path / "w-1", "w-1")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/kubeadm"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    env = clean_environment(PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    bootstrap = yaml.safe_load((host / "etc/kubernetes/bootstrap-kubelet.conf").read_text())
    der = tmp_path / "ca.der"
    key = run(tool("openssl"), "x509", "-in", host / "etc/kubernetes/pki/ca.crt", "-noout", "-pubkey")
    run(tool("openssl"), "pkey", "-pubin", "-outform", "DER", "-out", der, input=key)
    digest = run(tool("openssl"), "dgst", "-sha256", "-r", der).split()[0]
    assert run("sh", host / "etc/kubernetes/join.sh", "--v=5", env=env).splitlines() == [
        *("join", "api.prod.example.com:6443", "--token", bootstrap["users"][0]["user"]["token"]),
        *("--discovery-token-ca-cert-hash", f"sha256:{digest}", "--node-name", "w-1"),
        *("--cri-socket", "unix:///run/containerd/containerd.sock", "--v=5"),
    ]


def test_mark_control_plane_labels_and_taints(examples: Path, tmp_path: Path) -> None:
    fake = tmp_path / "kubectl"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    env = clean_environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
    out = run("sh", examples / "out/prod/cluster/mark-control-plane.sh", "--context=x", env=env).splitlines()
    role = "node-role.kubernetes.io/control-plane"
    assert out[:2] == [
        f"--context=x label --overwrite node cp-1 {role}= node.kubernetes.io/exclude-from-external-load-balancers=",
        f"--context=x taint --overwrite node cp-1 {role}:NoSchedule",
    ]
    assert len(out) == 6


def test_preflight_names_what_is_missing(examples: Path) -> None:
    script = examples / "out/prod/hosts/cp-1/preflight.sh"
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAIL this machine does not have the address 10.0.0.11" in done.stderr.splitlines()
    assert "FAIL no container runtime at /run/containerd/containerd.sock" in done.stderr.splitlines()


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAP_LINE = re.compile("^(?:ok  |FAIL) swap.*", re.MULTILINE)


@pytest.mark.parametrize(
    ("swaps", "config", "line"),
    [
        (SWAPS, "", "ok   swap is off"),
        (
            f"{SWAPS}/dev/zram0  partition 8388604 0 100\n",
            "",
            "FAIL swap is on: turn it off, or set failSwapOn: false under kubelet in the spec",
        ),
        (
            f"{SWAPS}/dev/zram0  partition 8388604 0 100\n",
            "failSwapOn: false\n",
            "ok   swap is on, and the kubelet is configured to run with it",
        ),
        ("", "", "ok   swap is off"),  # a kernel without swap
    ],
)
def test_preflight_takes_swap_as_the_kubelet_will(
    swaps: str, config: str, line: str, examples: Path, tmp_path: Path
) -> None:
    host = tmp_path / "-host of mine"
    shutil.copytree(examples / "out/prod/hosts/cp-1", host)
    with (host / "rootfs/var/lib/kubelet/config.yaml").open("a") as file:
        file.write(config)
    (tmp_path / "swaps").write_text(swaps)
    inside = f'mount --bind {tmp_path}/swaps /proc/swaps && exec sh -- "{host.name}/preflight.sh"'
    own_mounts = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", inside]
    done = subprocess.run(own_mounts, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert SWAP_LINE.findall(done.stdout + done.stderr) == [line]


def test_render_checks_the_tree_and_the_host(examples: Path, tmp_path: Path) -> None:
    tree = tmp_path / "prod"
    shutil.copytree(examples / "out/prod", tree)
    unknown = kcompile("render", tree, "cp-4", "--to", tmp_path / "x")
    assert (unknown.code, unknown.err) == (2, f"{tree}:1:1: there is no host cp-4\n   hint: did you mean cp-3?\n")
    changed = tree / "hosts/cp-1/rootfs/var/lib/kubelet/config.yaml"
    changed.write_text("x\n")
    refused = kcompile("render", tree, "cp-1", "--to", tmp_path / "x")
    assert (refused.code, refused.err) == (
        2,
        f"{changed}:1:1: was changed after it was built: its digest is not the one in kcompile.json\n"
        "   hint: build the tree again, or restore the file from git\n",
    )
    assert not (tmp_path / "x").exists()


def test_render_sets_kubeadm_s_modes(examples: Path, tmp_path: Path) -> None:
    found = modes_below(rendered(examples, tmp_path / "cp-1", "cp-1"))
    open_to_all = sorted(path for path, mode in found.items() if mode != "0o600")
    assert open_to_all == sorted(path for path in found if path.endswith(".crt")) + [
        "etc/systemd/system/kubelet.service.d/20-kcompile.conf",
        "var/lib/kubelet/config.yaml",
        "var/lib/kubelet/instance-config.yaml",
        "var/lib/kubelet/kubeadm-flags.env",
    ]
