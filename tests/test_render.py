"""A built tree opened: what lands where, for whom to read, and nothing that the tree's manifest does not vouch for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import killer
from conftest import ALICE, clean_environment, tool
from killer import NOBODY, Run, Runner, snapshot, stamps

IDENTITY = {"SOPS_AGE_KEY": ALICE.read_text()}
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def runner(examples: Path) -> Iterator[Runner]:
    with killer.runner(clean_environment()) as made:
        warm = made.run("render", "out/prod", "cp-1", "--to", "warm", cwd=examples, env=IDENTITY, warm=True)
        assert warm.code == 0, warm.err
        shutil.rmtree(examples / "warm")
        yield made


@pytest.fixture
def here(examples: Path, tmp_path: Path) -> Path:
    """A directory with a copy of the example tree ``prod``, which a test may spoil, and of nothing else."""
    shutil.copytree(examples / "out" / "prod", tmp_path / "here" / "out" / "prod")
    return tmp_path / "here"


@pytest.fixture
def render(runner: Runner, here: Path) -> Callable[..., Run]:
    def render(*what: str, to: str = "to", **how: Any) -> Run:
        return runner.run("render", "out/prod", *what, "--to", to, cwd=here, **{"env": IDENTITY, **how})

    return render


def expect_nothing_written(run: Run, here: Path, code: int, err: str) -> None:
    assert (run.code, run.out, run.err) == (code, "", err)
    assert run.points == ()
    assert not (here / "to").exists()


def modes(directory: Path) -> dict[str, str]:
    return {path: entry[1] for path, entry in snapshot(directory).items() if entry[0] == "file"}


# --- what is written ------------------------------------------------------------------------------

EVERY_HOST = {
    "etc/kubernetes/pki/ca.crt": "0o644",
    "etc/modules-load.d/kcompile.conf": "0o644",
    "etc/sysctl.d/90-kcompile.conf": "0o644",
    "etc/systemd/system/kubelet.service": "0o644",
    "etc/systemd/system/kubelet.service.d/20-kcompile.conf": "0o644",
    "var/lib/kubelet/config.yaml": "0o644",
    "var/lib/kubelet/instance-config.yaml": "0o644",
    "var/lib/kubelet/kubeadm-flags.env": "0o644",
}
CONTROL_PLANE = EVERY_HOST | {
    "etc/kubernetes/admin.conf": "0o600",
    "etc/kubernetes/controller-manager.conf": "0o600",
    "etc/kubernetes/kubelet.conf": "0o600",
    "etc/kubernetes/manifests/etcd.yaml": "0o600",
    "etc/kubernetes/manifests/kube-apiserver.yaml": "0o600",
    "etc/kubernetes/manifests/kube-controller-manager.yaml": "0o600",
    "etc/kubernetes/manifests/kube-scheduler.yaml": "0o600",
    "etc/kubernetes/pki/apiserver-etcd-client.crt": "0o644",
    "etc/kubernetes/pki/apiserver-etcd-client.key": "0o600",
    "etc/kubernetes/pki/apiserver-kubelet-client.crt": "0o644",
    "etc/kubernetes/pki/apiserver-kubelet-client.key": "0o600",
    "etc/kubernetes/pki/apiserver.crt": "0o644",
    "etc/kubernetes/pki/apiserver.key": "0o600",
    "etc/kubernetes/pki/ca.key": "0o600",
    "etc/kubernetes/pki/etcd/ca.crt": "0o644",
    "etc/kubernetes/pki/etcd/ca.key": "0o600",
    "etc/kubernetes/pki/etcd/healthcheck-client.crt": "0o644",
    "etc/kubernetes/pki/etcd/healthcheck-client.key": "0o600",
    "etc/kubernetes/pki/etcd/peer.crt": "0o644",
    "etc/kubernetes/pki/etcd/peer.key": "0o600",
    "etc/kubernetes/pki/etcd/server.crt": "0o644",
    "etc/kubernetes/pki/etcd/server.key": "0o600",
    "etc/kubernetes/pki/front-proxy-ca.crt": "0o644",
    "etc/kubernetes/pki/front-proxy-ca.key": "0o600",
    "etc/kubernetes/pki/front-proxy-client.crt": "0o644",
    "etc/kubernetes/pki/front-proxy-client.key": "0o600",
    "etc/kubernetes/pki/sa.key": "0o600",
    "etc/kubernetes/pki/sa.pub": "0o600",  # as kubeadm writes it
    "etc/kubernetes/scheduler.conf": "0o600",
    "var/lib/kubelet/pki/kubelet-client-2026-11-23-00-00-00.pem": "0o600",
}
DATED = "-2026-11-23-00-00-00"
"""How what the kubelet rotates is named; kubelet-client-current.pem is a link to it."""
WANTED = {
    "cp-1": CONTROL_PLANE | {"etc/kubernetes/super-admin.conf": "0o600"},
    "cp-2": CONTROL_PLANE,
    "w-1": EVERY_HOST
    | {
        "etc/kubernetes/bootstrap-kubelet.conf": "0o600",
        "etc/kubernetes/join.sh": "0o700",
        "etc/kubernetes/kubeadm-discovery.yaml": "0o600",
        "etc/kubernetes/kubeadm-join.yaml": "0o600",
    },
    "s-1": EVERY_HOST
    | {
        "etc/kubernetes/kubelet.conf": "0o600",
        "var/lib/kubelet/pki/kubelet-client-2026-11-23-00-00-00.pem": "0o600",
        "var/lib/kubelet/pki/kubelet.crt": "0o644",
        "var/lib/kubelet/pki/kubelet.key": "0o600",
    },
    "--cluster": {
        "00-cluster-admins.yaml": "0o644",
        "10-kubeadm-config.yaml": "0o644",
        "11-kubelet-config.yaml": "0o644",
        "20-bootstrap-token-pool01.yaml": "0o600",
        "30-bootstrap-rbac.yaml": "0o644",
        "40-cluster-info.yaml": "0o644",
        "50-coredns.yaml": "0o644",
        "60-kube-proxy.yaml": "0o644",
        "bootstrap.sh": "0o755",
        "kustomization.yaml": "0o644",
        "manifests/addons/priority-classes.yaml": "0o644",
        "mark-control-plane.sh": "0o755",
    },
    "--admin": {
        "admin.conf": "0o600",
        "super-admin.conf": "0o600",
    },
}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("what", WANTED)
def test_files_and_modes_are_the_expected_ones_under_any_umask(
    what: str, umask: int, render: Callable[..., Run], here: Path
) -> None:
    run = render(what, to="new/to", umask=umask)
    assert (run.code, run.out, run.err) == (0, f"new/to: {len(WANTED[what])} files\n", "")
    assert modes(here / "new" / "to") == WANTED[what]
    directories = {path: entry[1] for path, entry in snapshot(here / "new").items() if entry[0] == "directory"}
    assert set(directories.values()) == {"0o755"}
    files = {f"to/{path}" for path in WANTED[what]}
    assert set(directories) == {".", "to"} | {str(parent) for file in files for parent in Path(file).parents}


def test_several_things_at_once(render: Callable[..., Run], here: Path) -> None:
    wanted = WANTED["--cluster"] | WANTED["--admin"]
    run = render("--cluster", "--admin")
    assert (run.code, run.out, run.err) == (0, f"to: {len(wanted)} files\n", "")
    assert modes(here / "to") == wanted


@pytest.mark.parametrize("what", ["--cluster", "--admin"])
def test_what_goes_to_a_host_is_not_mixed_with_what_does_not(what: str, render: Callable[..., Run], here: Path) -> None:
    run = render("w-1", what)
    says = "Error: a host's files have their own places: render --cluster and --admin apart from them"
    assert (run.code, run.out, run.err.splitlines()[-1], (here / "to").exists()) == (2, "", says, False)


@pytest.mark.parametrize("host", ["cp-1", "w-1", "s-1"])
def test_what_is_not_sealed_is_written_as_it_stands_and_what_is_sealed_is_opened(
    host: str, render: Callable[..., Run], here: Path
) -> None:
    assert render(host).code == 0
    found = {path: entry[2] for path, entry in snapshot(here / "to").items() if entry[0] == "file"}
    plain, sealed = here / "out" / "prod" / "hosts" / host / "rootfs", here / "out" / "prod" / "hosts" / host / "sealed"
    expected = {path: entry[2] for path, entry in snapshot(plain).items() if entry[0] == "file"}
    assert {path: content for path, content in found.items() if path in expected} == expected
    opened = {path: content for path, content in found.items() if path not in expected}
    assert sorted(opened) == sorted(path.replace("client-current", f"client{DATED}") for path in modes(sealed))
    assert [path for path, content in opened.items() if b"ENC[" in content or b"sops" in content] == []
    keys = {path: content.partition(b"\n")[0] for path, content in opened.items() if path.endswith(".key")}
    assert set(keys.values()) <= {b"-----BEGIN EC PRIVATE KEY-----"}
    assert all(content.endswith(b"\n") for content in found.values())


def test_host_json_says_what_is_rendered(render: Callable[..., Run], here: Path) -> None:
    assert render("cp-1").code == 0
    listed = json.loads((here / "out" / "prod" / "hosts" / "cp-1" / "host.json").read_text())["files"]
    assert {entry.get("target", entry["path"]): oct(int(entry["mode"], 8)) for entry in listed} == {
        f"/{path}": mode for path, mode in modes(here / "to").items()
    }


@pytest.mark.parametrize("host", ["w-1", "s-1", "cp-1"])
def test_a_host_s_own_disk_is_written_again_once_its_kubelet_has_run(
    host: str, render: Callable[..., Run], here: Path
) -> None:
    assert render(host).code == 0
    pki = here / "to" / "var/lib/kubelet/pki"
    pki.mkdir(exist_ok=True)
    for path in (pki / "kubelet.crt", pki / "kubelet.key", here / "to/etc/kubernetes/kubelet.conf"):
        path.write_text("the kubelet's\n")
    (pki / "kubelet-client-2027-01-01-00-00-00.pem").write_text("newer\n")
    (pki / "kubelet-client-current.pem").unlink(missing_ok=True)
    (pki / "kubelet-client-current.pem").symlink_to("kubelet-client-2027-01-01-00-00-00.pem")
    assert render(host).code == 0


def test_a_directory_with_more_than_trees_takes_plain_text(runner: Runner, here: Path) -> None:
    """A tree that was copied to a machine, or one level below /."""
    (here / "out/prod").rename(here / "tree")
    (here / "opened-before").mkdir()
    (here / "opened-before/mine").touch()
    for to in ("opened", "opened-before", "opened/anew"):
        assert runner.run("render", "tree", "--admin", "--to", to, cwd=here, env=IDENTITY).code == 0


@pytest.mark.parametrize("what", ["cp-1", "--cluster", "--admin"])
@pytest.mark.parametrize(
    ("to", "lies"),
    [
        ("out/prod", "in"),
        ("out/prod/hosts/cp-1/rootfs", "in"),
        ("x/../out/prod/y", "in"),
        ("out", "beside"),
        ("out/prod.kept-1f0a9c3e/x", "beside"),
        ("out/x/y", "beside"),
    ],
)
def test_no_plain_text_goes_where_the_trees_are(
    to: str, lies: str, what: str, render: Callable[..., Run], here: Path
) -> None:
    for name in ("prod.kept-1f0a9c3e", "empty"):  # what a build put aside, and what is nobody's
        (here / "out" / name).mkdir()
    (here / "out/prod.kept-1f0a9c3e/notes").touch()
    before = snapshot(here)
    run = render(what, to=to)
    assert (run.code, run.out, run.err) == (
        2,
        "",
        f"{to}:1:1: lies {lies} the tree out/prod, where secrets are sealed [K1010]\n"
        f"   hint: choose a path outside {here}/out, and outside what is committed\n",
    )
    assert snapshot(here) == before


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        ("cp-1", "w-1", "cp-1 has and w-1 has not: etc/kubernetes/admin.conf and 15 more"),
        ("cp-1", "cp-2", "cp-1 has and cp-2 has not: etc/kubernetes/super-admin.conf"),
        ("w-1", "s-1", "w-1 has and s-1 has not: etc/kubernetes/bootstrap-kubelet.conf and 2 more"),
        ("s-1", "w-1", f"cp-1 has and w-1 has not: var/lib/kubelet/pki/kubelet-client{DATED}.pem and 1 more"),
        ("s-1", "cp-1", "s-1 has and cp-1 has not: var/lib/kubelet/pki/kubelet.key"),
    ],
)
def test_a_directory_with_secrets_of_another_host_is_refused(
    first: str, then: str, says: str, render: Callable[..., Run], here: Path
) -> None:
    """They would go to the host with its own."""
    assert render(first).code == 0
    before = snapshot(here)
    run = render(then)
    assert (run.code, run.out, run.err) == (
        4,
        "",
        f"to:1:1: has secrets that {says} [K1016]\n"
        f"   hint: remove them, or name a directory that is for {then} alone\n",
    )
    assert snapshot(here) == before


# --- where it is written --------------------------------------------------------------------------


def test_what_the_kubelet_rotates_is_a_link(render: Callable[..., Run], here: Path) -> None:
    """The kubelet's certificate store refuses to rotate where kubelet-client-current.pem is a file."""
    pki = here / "to" / "var" / "lib" / "kubelet" / "pki"
    pki.mkdir(parents=True)
    (pki / "kubelet-client-current.pem").write_text("a file\n")
    for _ in range(2):
        assert render("s-1").code == 0
        assert os.readlink(pki / "kubelet-client-current.pem") == f"kubelet-client{DATED}.pem"
        assert (pki / "kubelet-client-current.pem").read_text().count("-----BEGIN") == 2


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "/var/lib/kubelet/pki/..", "/var/lib/kubelet/pki/", "kubelet.pem", "/var/lib/kubelet/pki/../x", 5],
)
def test_link_that_leads_elsewhere_is_refused(target: object, render: Callable[..., Run], here: Path) -> None:
    forge(here, "hosts/s-1/sealed/var/lib/kubelet/pki/kubelet-client-current.pem", target=target)
    expect_nothing_written(
        render("s-1"), here, 2, "out/prod/kcompile.json:1:1: is no tree manifest of kcompile [K1004]\n"
    )


@pytest.mark.parametrize("mode", ["0644", "0755"])
def test_key_that_others_could_read_is_refused(mode: str, render: Callable[..., Run], here: Path) -> None:
    forge(here, KEY, mode=mode)
    expect_nothing_written(
        render("cp-1"), here, 2, "out/prod/kcompile.json:1:1: is no tree manifest of kcompile [K1004]\n"
    )


def test_second_render_gives_the_same(render: Callable[..., Run], here: Path) -> None:
    assert render("cp-1").code == 0
    before = snapshot(here / "to")
    assert render("cp-1", umask=0).code == 0
    assert snapshot(here / "to") == before


def test_what_else_is_in_the_directory_is_left_alone(render: Callable[..., Run], here: Path) -> None:
    """A host's own root, in which much more stands."""
    etc = here / "to" / "etc"
    etc.mkdir(parents=True)
    etc.chmod(0o700)
    (etc / "passwd").write_text("root:x:0:0\n")
    (etc / "kubernetes").mkdir()
    (etc / "kubernetes" / "mine.conf").write_text("mine\n")
    before = stamps(etc / "passwd")
    assert render("w-1").code == 0
    assert modes(here / "to") == WANTED["w-1"] | {"etc/passwd": "0o644", "etc/kubernetes/mine.conf": "0o644"}
    assert snapshot(etc)["."] == ("directory", "0o700")
    assert stamps(etc / "passwd") == before


def test_file_that_all_could_read_becomes_private(render: Callable[..., Run], here: Path) -> None:
    assert render("w-1").code == 0
    wanted = snapshot(here / "to")
    place = here / "to" / "etc" / "kubernetes" / "bootstrap-kubelet.conf"
    place.write_text("old\n")
    place.chmod(0o666)
    with place.open() as reader:  # who has the old file open does not come to see the new one
        assert render("w-1").code == 0
        assert reader.read() == "old\n"
    assert snapshot(here / "to") == wanted


@pytest.fixture
def outside(here: Path) -> Path:
    directory = here / "outside"
    (directory / "kubernetes" / "pki").mkdir(parents=True)
    (directory / "ca.key").write_text("outside\n")
    (directory / "ca.key").chmod(0o644)
    return directory


@pytest.mark.parametrize("place", ["etc", "etc/kubernetes", "etc/kubernetes/pki", "var/lib/kubelet/pki"])
@pytest.mark.parametrize("target", ["outside", "nothing", "outside/ca.key"])
def test_link_in_place_of_a_directory_is_not_followed(
    place: str, target: str, render: Callable[..., Run], here: Path, outside: Path
) -> None:
    (here / "to" / place).parent.mkdir(parents=True)
    (here / "to" / place).symlink_to(here / target)
    before, content = stamps(outside), snapshot(outside)
    run = render("cp-1")
    assert (run.code, run.out) == (4, "")
    assert run.err == f"to/{place}:1:1: cannot write: a symbolic link stands in the way [K1002]\n"
    assert (stamps(outside), snapshot(outside)) == (before, content)
    assert not (here / "nothing").exists()


@pytest.mark.parametrize("target", ["outside/ca.key", "nothing", "outside"])
def test_link_in_place_of_a_file_is_replaced(
    target: str, render: Callable[..., Run], here: Path, outside: Path
) -> None:
    pki = here / "to" / "etc" / "kubernetes" / "pki"
    pki.mkdir(parents=True)
    (pki / "ca.key").symlink_to(here / target)
    before, content = stamps(outside), snapshot(outside)
    assert render("cp-1").code == 0
    assert modes(here / "to") == WANTED["cp-1"]
    assert (stamps(outside), snapshot(outside)) == (before, content)
    assert not (here / "nothing").exists()


def test_directory_in_place_of_a_file_is_refused(render: Callable[..., Run], here: Path) -> None:
    place = "etc/kubernetes/pki/ca.crt"
    (here / "to" / place).mkdir(parents=True)
    run = render("w-1")
    assert (run.code, run.out) == (4, "")
    assert run.err == f"to/{place}:1:1: cannot write: a directory stands in the way [K1002]\n"


@pytest.mark.parametrize("place", ["etc/kubernetes", ""])
def test_file_in_place_of_a_directory_is_refused(place: str, render: Callable[..., Run], here: Path) -> None:
    (here / "to" / place).parent.mkdir(parents=True, exist_ok=True)
    (here / "to" / place).write_text("mine\n")
    run = render("w-1")
    assert (run.code, run.out) == (4, "")
    assert run.err == f"{Path('to', place)}:1:1: cannot write: File exists [K1002]\n"
    assert (here / "to" / place).read_text() == "mine\n"


def test_directory_that_may_not_be_written(render: Callable[..., Run], here: Path) -> None:
    assert os.geteuid() == 0, "the tests drop privileges: run them as root"
    (here / "to").mkdir()
    run = render("w-1", uid=NOBODY)
    assert (run.code, run.out, run.err) == (4, "", "to/etc:1:1: cannot write: Permission denied [K1002]\n")
    assert os.listdir(here / "to") == []
    run = render("w-1", to="other", uid=NOBODY)
    assert (run.code, run.out, run.err) == (4, "", "other:1:1: cannot write: Permission denied [K1002]\n")


def test_full_disk(render: Callable[..., Run], here: Path) -> None:
    assert render("cp-1", to="whole").code == 0
    with killer.runner(clean_environment(), tool("unshare"), "-m" if os.geteuid() == 0 else "-rm") as apart:
        (here / "to").mkdir()
        apart.command(tool("mount"), "-t", "tmpfs", "-o", "size=64k", "tmpfs", here / "to")
        run = apart.run("render", "out/prod", "cp-1", "--to", "to", cwd=here, env=IDENTITY)
        left = snapshot(apart.root / here.relative_to("/") / "to")
    assert left.pop(".") == ("directory", "0o1777")  # the file system's own root
    assert (run.code, run.out, run.err) == (4, "", "to:1:1: cannot write: No space left on device [K1002]\n")
    assert 4 < len(left) < len(WANTED["cp-1"])
    assert left.items() <= snapshot(here / "whole").items()  # each file whole, none pending


# --- while it is written --------------------------------------------------------------------------


IN_WRITING = ("write", "written", "chmod", "rename")
"""The points at which a file stands under another name."""


@pytest.mark.parametrize("host", ["w-1", "s-1"])
def test_nothing_is_there_in_part_or_for_others_to_read_at_any_moment(
    host: str, render: Callable[..., Run], here: Path
) -> None:
    """Killed everywhere, under a umask that forbids nothing: each file is whole, or private and not yet in place."""
    whole = render(host, umask=0)
    wanted = snapshot(here / "to")
    assert len(whole.points) > 5 * len(WANTED[host])
    for point in range(1, len(whole.points) + 1):
        hint = (point, whole.points[point - 1])
        shutil.rmtree(here / "to", ignore_errors=True)
        assert render(host, umask=0, point=point).code == KILLED, hint
        found = snapshot(here / "to") if (here / "to").exists() else {}
        pending = [path for path in found if Path(path).name.startswith(".kcompile-")]
        kind, _, target = hint[1].partition(" ")
        wanted_there = ("file", "0o600")
        if kind == "rename":
            wanted_there = wanted[target.removeprefix("to/")][:2]
        assert [found.pop(path)[:2] for path in pending] == [wanted_there] * (kind in IN_WRITING), hint
        assert found.items() <= wanted.items(), hint


def test_render_after_a_killed_one_leaves_no_copy_of_a_key_behind(render: Callable[..., Run], here: Path) -> None:
    whole = render("s-1")
    wanted = snapshot(here / "to")
    shutil.rmtree(here / "to")
    key = "rename to/var/lib/kubelet/pki/kubelet.key"
    assert render("s-1", point=whole.points.index(key) + 1).code == KILLED
    assert render("s-1").code == 0
    assert snapshot(here / "to") == wanted


# --- what cannot be rendered ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("cp1", "did you mean cp-1?"),
        ("w-4", "did you mean w-1?"),
        ("../cp-1", "did you mean cp-1?"),
        ("cp-1/rootfs", "hosts are cp-1, cp-2, cp-3, s-1, s-2, w-1, w-2, w-3"),
        ("cp-1/", "did you mean cp-1?"),
        ("./cp-1", "did you mean cp-1?"),
        ("/etc", "hosts are cp-1, cp-2, cp-3, s-1, s-2, w-1, w-2, w-3"),
        ("..", "hosts are cp-1, cp-2, cp-3, s-1, s-2, w-1, w-2, w-3"),
        ("*", "hosts are cp-1, cp-2, cp-3, s-1, s-2, w-1, w-2, w-3"),
        ("x\x1b[2J", "hosts are cp-1, cp-2, cp-3, s-1, s-2, w-1, w-2, w-3"),
    ],
)
def test_unknown_host(host: str, hint: str, render: Callable[..., Run], here: Path) -> None:
    name = host.replace("\x1b", "\\x1b")
    err = f"out/prod:1:1: there is no host {name} [K1005]\n   hint: {hint}\n"
    expect_nothing_written(render(host), here, 2, err)


def test_nothing_to_render_is_a_usage_error(render: Callable[..., Run], here: Path) -> None:
    for what in ((), ("",)):
        run = render(*what)
        assert (run.code, run.out) == (2, "")
        assert run.err.splitlines()[-1] == "Error: name a host, or say --cluster or --admin"
    assert not (here / "to").exists()


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("cp-1", "hosts/cp-1/rootfs/etc/kubernetes/manifests/etcd.yaml"),
        ("cp-1", "hosts/cp-1/sealed/etc/kubernetes/pki/ca.key"),
        ("--cluster", "cluster/50-coredns.yaml"),
        ("--admin", "admin/admin.conf"),
    ],
)
def test_changed_file_is_named_and_nothing_written(
    what: str, path: str, render: Callable[..., Run], here: Path
) -> None:
    file = here / "out" / "prod" / path
    file.write_bytes(file.read_bytes() + b"\n")
    err = (
        f"out/prod/{path}:1:1: was changed after it was built: its digest is not the one in kcompile.json [K1007]\n"
        "   hint: build the tree again, or restore the file from git\n"
    )
    expect_nothing_written(render(what), here, 2, err)


def test_what_is_not_rendered_may_have_changed(render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / "hosts" / "cp-1" / "rootfs" / "etc" / "kubernetes" / "pki" / "ca.crt").unlink()
    assert render("cp-2").code == 0
    assert modes(here / "to") == WANTED["cp-2"]


CRT = "hosts/cp-1/rootfs/etc/kubernetes/pki/ca.crt"


def test_lost_file_is_named(render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / CRT).unlink()
    err = f"out/prod/{CRT}:1:1: cannot read the file: No such file or directory [K1007]\n"
    expect_nothing_written(render("cp-1"), here, 2, err)


def test_linked_file_of_the_tree_is_not_followed(render: Callable[..., Run], here: Path) -> None:
    """Though its bytes are the right ones."""
    (here / "out" / "prod" / CRT).rename(here / "ca.crt")
    (here / "out" / "prod" / CRT).symlink_to(here / "ca.crt")
    err = f"out/prod/{CRT}:1:1: is a symbolic link or leaves the tree [K1006]\n"
    expect_nothing_written(render("cp-1"), here, 2, err)


@pytest.mark.parametrize("place", ["hosts", "hosts/cp-1", "hosts/cp-1/rootfs/etc/kubernetes"])
def test_linked_directory_of_the_tree_is_not_followed(place: str, render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / place).rename(here / "moved")
    (here / "out" / "prod" / place).symlink_to(here / "moved")
    err = f"out/prod/{place}:1:1: is a symbolic link or leaves the tree [K1006]\n"
    expect_nothing_written(render("cp-1"), here, 2, err)


def test_linked_manifest_is_not_followed(render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / "kcompile.json").rename(here / "kcompile.json")
    (here / "out" / "prod" / "kcompile.json").symlink_to(here / "kcompile.json")
    run = render("cp-1")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("out/prod/kcompile.json:1:1: cannot read the file: ")
    assert not (here / "to").exists()


@pytest.mark.parametrize("place", [CRT, "kcompile.json"])
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_read(
    put: Callable[[Path], None], place: str, render: Callable[..., Run], here: Path
) -> None:
    (here / "out" / "prod" / place).unlink()
    put(here / "out" / "prod" / place)
    run = render("cp-1", alarm=10)
    assert (run.code, run.out) == (2, "")
    assert run.err.splitlines()[0].startswith(f"out/prod/{place}:1:1: cannot read the file: ")
    assert not (here / "to").exists()


# --- manifests that were not made by kcompile -----------------------------------------------------


def forge(here: Path, path: str, **fields: object) -> None:
    """Change the manifest's entry for a file."""
    manifest = here / "out" / "prod" / "kcompile.json"
    document = json.loads(manifest.read_text())
    (entry,) = (entry for entry in document["files"] if entry["path"] == path)
    entry.update(fields)
    manifest.write_text(json.dumps(document))


def claim(here: Path, path: str, content: bytes = b"outside\n") -> None:
    """Add a file to the manifest, with the right digest."""
    manifest = here / "out" / "prod" / "kcompile.json"
    document = json.loads(manifest.read_text())
    digest = hashlib.sha256(content).hexdigest()
    document["files"].append(
        {
            "path": path,
            "sha256": digest,
            "mode": "0600" if "admin" in path else "0644",
            "owner": "root:root",
            "policy": "managed",
        }
    )
    manifest.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("what", "path", "named"),
    [
        ("cp-1", "hosts/cp-1/rootfs/../../../../outside", "hosts/cp-1/rootfs/.."),
        ("cp-1", "hosts/cp-1/rootfs/etc/../../../../../outside", "hosts/cp-1/rootfs/etc/.."),
        ("cp-1", "hosts/cp-1/rootfs/./x", "hosts/cp-1/rootfs"),
        ("cp-1", "hosts/cp-1/rootfs//outside", "hosts/cp-1/rootfs"),
        ("cp-1", "hosts/cp-1/rootfs/", "hosts/cp-1/rootfs"),
        ("--cluster", "cluster/../../outside", "cluster/.."),
        ("--admin", "admin/../../outside", "admin/.."),
        ("..", "hosts/../rootfs/../../outside", "hosts/.."),
    ],
)
def test_path_that_leaves_the_tree_is_refused(
    what: str, path: str, named: str, render: Callable[..., Run], here: Path
) -> None:
    (here / "outside").write_text("outside\n")
    claim(here, path)
    err = f"out/prod/{named}:1:1: is a symbolic link or leaves the tree [K1006]\n"
    expect_nothing_written(render(what), here, 2, err)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "", "hosts", "hosts/", "cluster", "hosts/cp-1/x"])
def test_path_that_belongs_to_no_host_is_passed_over(path: str, render: Callable[..., Run], here: Path) -> None:
    (here / "outside").write_text("outside\n")
    claim(here, path)
    assert render("cp-1").code == 0
    assert modes(here / "to") == WANTED["cp-1"]
    assert sorted(os.listdir(here)) == ["out", "outside", "to"]


@pytest.mark.parametrize("path", ["hosts/cp-1/rootfs/\0", "hosts/cp-1/rootfs/\ud800", f"hosts/cp-1/rootfs/{'x' * 300}"])
def test_path_that_cannot_be_is_refused(path: str, render: Callable[..., Run], here: Path) -> None:
    claim(here, path)
    run = render("cp-1")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("out/prod/")
    assert len(run.err.splitlines()) == 1
    assert not (here / "to").exists()


@pytest.mark.parametrize("mode", ["4755", "1777", "-1", "77777777777777777777", "rw-------", "", None, []])
def test_mode_that_kcompile_does_not_write_is_refused(mode: object, render: Callable[..., Run], here: Path) -> None:
    forge(here, CRT, mode=mode)
    err = "out/prod/kcompile.json:1:1: is no tree manifest of kcompile [K1004]\n"
    expect_nothing_written(render("cp-1"), here, 2, err)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"files": {}}',
        '{"files": "abc"}',
        '{"files": [null]}',
        '{"files": ["hosts"]}',
        '{"files": [{"path": "hosts/cp-1/rootfs/x"}]}',
        '{"files": [{"path": "hosts/cp-1/rootfs/x", "sha256": ""}]}',
    ],
)
def test_json_that_is_no_manifest(text: str, render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / "kcompile.json").write_text(text)
    err = "out/prod/kcompile.json:1:1: is no tree manifest of kcompile [K1004]\n"
    expect_nothing_written(render("cp-1"), here, 2, err)


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"", "1:1", "not valid JSON [K1004]"),
        (b"{\n<<<<<<< HEAD\n", "2:1", "not valid JSON [K1004]"),
        (b'{"files": "\xff"}', "1:1", "not valid JSON [K1004]"),
        (b"[" * 200_000, "1:1", "not valid JSON [K1004]"),
        (b"[]", "1:1", "not a JSON object [K1004]"),
        (b"null", "1:1", "not a JSON object [K1004]"),
    ],
    ids=["empty", "conflict", "latin-1", "deep", "list", "null"],
)
def test_manifest_that_cannot_be_read(
    content: bytes, place: str, message: str, render: Callable[..., Run], here: Path
) -> None:
    (here / "out" / "prod" / "kcompile.json").write_bytes(content)
    expect_nothing_written(render("cp-1"), here, 2, f"out/prod/kcompile.json:{place}: {message}\n")


@pytest.mark.parametrize("tree", ["nothing", "."])
def test_directory_that_is_no_tree(tree: str, runner: Runner, here: Path) -> None:
    run = runner.run("render", tree, "cp-1", "--to", "to", cwd=here, env=IDENTITY)
    err = (
        f"{Path(tree) / 'kcompile.json'}:1:1: cannot read the file: No such file or directory [K1004]\n"
        "   hint: name a tree that kcompile built, such as out/prod\n"
    )
    expect_nothing_written(run, here, 2, err)


# --- what cannot be opened ------------------------------------------------------------------------


def test_without_an_identity_nothing_is_written(render: Callable[..., Run], here: Path) -> None:
    for what in ("cp-1", "w-1", "--cluster", "--admin"):
        run = render(what, env={})
        assert (run.code, run.out) == (3, "")
        assert ": no identity opens this file." in run.err.splitlines()[0]
        assert run.points == ()
        assert not (here / "to").exists()


KEY = "hosts/cp-1/sealed/etc/kubernetes/pki/ca.key"


def test_sealed_file_that_was_exchanged_for_another_does_not_pass(render: Callable[..., Run], here: Path) -> None:
    """SOPS seals a file but not its place; the manifest's digest does that."""
    other = here / "out" / "prod" / "hosts" / "cp-1" / "sealed" / "etc" / "kubernetes" / "pki" / "sa.key"
    shutil.copy(other, here / "out" / "prod" / KEY)
    err = (
        f"out/prod/{KEY}:1:1: was changed after it was built: its digest is not the one in kcompile.json [K1007]\n"
        "   hint: build the tree again, or restore the file from git\n"
    )
    expect_nothing_written(render("cp-1"), here, 2, err)


@pytest.mark.parametrize("content", [b"", b"{}", b"null\n", b"{\n", b'{"data": "x"}', b"\xff"])
def test_sealed_file_that_is_not_sealed(content: bytes, render: Callable[..., Run], here: Path) -> None:
    (here / "out" / "prod" / KEY).write_bytes(content)
    forge(here, KEY, sha256=hashlib.sha256(content).hexdigest())
    run = render("cp-1")
    assert (run.code, run.out) == (3, "")
    assert run.err.startswith(f"out/prod/{KEY}:1:1: ")
    assert len(run.err.splitlines()) == 1
    assert not (here / "to").exists()


def test_sealed_file_that_was_tampered_with(render: Callable[..., Run], here: Path) -> None:
    text = (here / "out" / "prod" / KEY).read_text()
    start = text.index("GCM,data:") + 9
    changed = f"{text[:start]}{'B' if text[start] == 'A' else 'A'}{text[start + 1 :]}".encode()
    (here / "out" / "prod" / KEY).write_bytes(changed)
    forge(here, KEY, sha256=hashlib.sha256(changed).hexdigest())
    run = render("cp-1")
    assert (run.code, run.out) == (3, "")
    assert run.err.startswith(f"out/prod/{KEY}:1:1: ")
    assert not (here / "to").exists()
