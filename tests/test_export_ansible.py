"""The Ansible export, run by ansible-playbook against root directories over a local connection."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from conftest import ALICE, ROOT, MakeCluster, clean_environment, files_below, run, tool
from exports import CURRENT, HOSTS, SOPS, export, listing, mode, rendered
from test_docs import blocks, sessions, shell

STRANGER = "mine, not kcompile's\n"


@pytest.fixture(scope="module")
def prod(examples: Path) -> Path:
    return examples / "out" / "prod"


@pytest.fixture(scope="module")
def open_export(prod: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("open") / "deploy"
    assert export(prod, *HOSTS, "--format", "ansible", "--to", to).code == 0
    return to


@pytest.fixture(scope="module")
def sealed_export(prod: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("sealed") / "deploy"
    done = export(prod, *HOSTS, "--format", "ansible", "--sealed", "--to", to, identity=None)
    assert (done.code, done.out, done.err) == (0, f"{to}: 3 hosts\n".encode(), "")
    return to


def ansible(command: str, cwd: Path, *args: str | Path, code: int = 0) -> str:
    """One of Ansible's commands, that keeps what it makes below a directory."""
    path = f"{SOPS.parent}:{os.environ['PATH']}"
    environment = clean_environment(
        ANSIBLE_LOCAL_TEMP=str(cwd / "tmp"),
        ANSIBLE_REMOTE_TEMP=str(cwd / "remote"),
        ANSIBLE_HOME=str(cwd / "home"),
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_PIPELINING="1",
        LC_ALL="C.UTF-8",
        PATH=path,
    )
    return run(tool(command), *args, cwd=cwd, env=environment, code=code)


Recap = dict[str, dict[str, int]]
"""By host, how many tasks ended how."""


def play(deploy: Path, roots: Path, *args: str, code: int = 0) -> Recap:
    return played(deploy, roots, *args, code=code)[0]


def played(deploy: Path, roots: Path, *args: str, code: int = 0) -> tuple[Recap, str]:
    """Run the playbook with a root directory for each host: the recap, and all that was said."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kcompile_root": f"{roots}/{{{{ inventory_hostname }}}}",
    }
    said = ansible(
        "ansible-playbook",
        roots,
        "-i",
        deploy / "inventory.yaml",
        deploy / "site.yaml",
        "-e",
        json.dumps(variables),
        *args,
        code=code,
    )
    recap = re.findall(r"^(\S+) +: (.*)$", said, re.MULTILINE)
    assert recap, said
    ended = {host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in recap}
    return ended, said


def changed(recap: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    assert {(host, ended["failed"], ended["unreachable"]) for host, ended in recap.items()} == {
        (host, 0, 0) for host in HOSTS
    }
    return {host: ended["changed"] for host, ended in recap.items()}


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["open_export", "sealed_export"])
def test_the_directory(kind: str, request: pytest.FixtureRequest) -> None:
    deploy = request.getfixturevalue(kind)
    found = files_below(deploy)
    assert sorted(found) == [
        "inventory.yaml",
        "roles/kcompile/defaults/main.yaml",
        *(f"roles/kcompile/files/{host}.tar" for host in sorted(HOSTS)),
        "roles/kcompile/tasks/main.yaml",
        "roles/kcompile/vars/main.yaml",
        "site.yaml",
    ]
    assert {mode(deploy / path) for path in found} == {"0600"}
    assert mode(deploy) == "0700"
    assert yaml.safe_load(found["inventory.yaml"]) == {
        "all": {
            "children": {
                "kcompile": {
                    "children": {
                        "kcompile_control_plane": {"hosts": {"cp-1": {"ansible_host": "10.0.0.11"}}},
                        "kcompile_workers": {
                            "hosts": {"s-1": {"ansible_host": "10.0.2.1"}, "w-1": {"ansible_host": "10.0.1.1"}}
                        },
                    }
                }
            }
        }
    }


def members(archive: bytes) -> Iterator[tuple[str, str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            if file := opened.extractfile(member):
                yield member.name, f"{member.mode:04o}", file.read()


@pytest.mark.parametrize("host", HOSTS)
def test_an_archive_is_the_folder_and_where_it_may_the_files_in_plain_text(
    host: str, prod: Path, open_export: Path, sealed_export: Path, tmp_path: Path
) -> None:
    folder = {f"copy/host/{path}": content for path, content in files_below(prod / "hosts" / host).items()}
    sealed = (sealed_export / "roles/kcompile/files" / f"{host}.tar").read_bytes()
    assert {name: content for name, _, content in members(sealed)} == folder
    plain = {
        name: (octal, content)
        for name, octal, content in members((open_export / "roles/kcompile/files" / f"{host}.tar").read_bytes())
    }
    opened = {name.removeprefix("copy/host/opened/"): plain.pop(name) for name in list(plain) if "/opened/" in name}
    assert {name: content for name, (_, content) in plain.items()} == folder
    wanted = rendered(prod, host, tmp_path / "rendered")
    asked = [path for path in listing(wanted) if not path.endswith("2026-11-23-00-00-00.pem")]
    assert opened == {path: (mode((wanted / path).resolve()), (wanted / path).read_bytes()) for path in asked}


def test_ansible_reads_inventory_and_playbook(sealed_export: Path, tmp_path: Path) -> None:
    listed = json.loads(ansible("ansible-inventory", tmp_path, "-i", sealed_export / "inventory.yaml", "--list"))
    assert listed["_meta"]["hostvars"] == {
        "cp-1": {"ansible_host": "10.0.0.11"},
        "s-1": {"ansible_host": "10.0.2.1"},
        "w-1": {"ansible_host": "10.0.1.1"},
    }
    assert listed["kcompile_control_plane"] == {"hosts": ["cp-1"]}
    assert listed["kcompile_workers"] == {"hosts": ["s-1", "w-1"]}
    site = sealed_export / "site.yaml"
    said = ansible("ansible-playbook", tmp_path, "-i", sealed_export / "inventory.yaml", "--syntax-check", site)
    assert said == f"\nplaybook: {site}\n"
    first, second = yaml.safe_load(site.read_text())
    assert (first["hosts"], first["serial"], first["any_errors_fatal"]) == ("kcompile_control_plane", 1, True)
    assert (second["hosts"], "serial" in second) == ("kcompile_workers", False)


def test_the_page_shows_what_is_written(examples: Path, tmp_path: Path) -> None:
    (block,) = blocks((ROOT / "docs" / "ansible.md").read_text(), "console")
    (tmp_path / "out").symlink_to(examples / "out")
    for command, output in sessions(block):
        assert shell(command, tmp_path, tmp_path) == output, command


def test_a_name_that_is_ansible_s_own_gets_another(make_cluster: MakeCluster, tmp_path: Path) -> None:
    names = ("all", "localhost", "node-localhost", "ungrouped")
    nodes = [{"name": name, "address": f"10.0.1.{index}"} for index, name in enumerate(names, 1)]
    cluster = make_cluster(
        controlPlane={"nodes": [{"name": "kcompile", "address": "10.0.0.10"}]},
        nodePools=[{"name": "p", "credentials": "issued", "nodes": nodes}],
    )
    to = tmp_path / "deploy"
    assert export(cluster.build(), "--format", "ansible", "--sealed", "--to", to, identity=None).err == ""
    listed = json.loads(ansible("ansible-inventory", tmp_path, "-i", to / "inventory.yaml", "--list"))
    assert listed["_meta"]["hostvars"] == {
        "node-all": {"ansible_host": "10.0.1.1", "kcompile_host": "all"},
        "node-kcompile": {"ansible_host": "10.0.0.10", "kcompile_host": "kcompile"},
        "node-localhost": {"ansible_host": "10.0.1.3"},
        "node-node-localhost": {"ansible_host": "10.0.1.2", "kcompile_host": "localhost"},
        "node-ungrouped": {"ansible_host": "10.0.1.4", "kcompile_host": "ungrouped"},
    }
    archives = sorted(path.name for path in (to / "roles/kcompile/files").iterdir())
    assert archives == ["all.tar", "kcompile.tar", "localhost.tar", "node-localhost.tar", "ungrouped.tar"]


# --- what it does ---------------------------------------------------------------------------------


def test_a_run_installs_and_another_changes_nothing(prod: Path, open_export: Path, tmp_path: Path) -> None:
    for host in HOSTS:
        (tmp_path / host).mkdir()
    assert changed(play(open_export, tmp_path)) == dict.fromkeys(HOSTS, 1)
    for host in HOSTS:
        wanted = listing(rendered(prod, host, tmp_path / "wanted" / host))
        found = listing(tmp_path / host)
        assert {path: found.get(path) for path in wanted} == wanted
    (tmp_path / "cp-1" / CURRENT).unlink()
    (tmp_path / "cp-1" / CURRENT).symlink_to("newer.pem")
    (tmp_path / "cp-1" / CURRENT).with_name("newer.pem").write_text("rotated")
    before = {host: listing(tmp_path / host) for host in HOSTS}
    assert changed(play(open_export, tmp_path)) == dict.fromkeys(HOSTS, 0)
    assert {host: listing(tmp_path / host) for host in HOSTS} == before
    assert list((tmp_path / "remote").rglob("*.tar")) == []


def test_a_sealed_export_is_opened_on_the_host(prod: Path, sealed_export: Path, tmp_path: Path) -> None:
    (tmp_path / "s-1").mkdir()
    variables = json.dumps(
        {
            "kcompile_environment": {"SOPS_AGE_KEY_FILE": str(ALICE)},
            "kcompile_ready": ["false"],  # not asked below a root, where nothing is started
        }
    )
    recap = play(sealed_export, tmp_path, "-e", variables, "--limit", "s-1")
    assert {host: ended["changed"] for host, ended in recap.items()} == {"s-1": 1}
    wanted = listing(rendered(prod, "s-1", tmp_path / "wanted"))
    found = listing(tmp_path / "s-1")
    assert {path: found.get(path) for path in wanted} == wanted


CONTRACT = """#!/bin/sh
# What the role counts on of install.sh: --check says what would change and exits with 1, a run says what it changed.
root=${STATE_ROOT:-}
while [ $# -gt 0 ]; do
    case $1 in
        --root) root=$2; shift 2 ;;
        --from) cat "$2/etc/kubernetes/pki/ca.crt" >/dev/null; shift 2 ;;
        --check) check=yes; shift ;;
        *) exit 2 ;;
    esac
done
case $(cat "$root/state") in
    broken) echo 'no: broken' >&2; exit 1 ;;
    done) echo 'nothing to change' ;;
    *) if [ "${check:-}" ]; then echo "would install $root/x"; exit 1; fi
       echo "installed $root/x"; echo '1 files changed'; echo done >"$root/state" ;;
esac
"""


@pytest.fixture
def by_contract(open_export: Path, tmp_path: Path) -> Path:
    """The export with an install.sh that does nothing but what the role counts on."""
    deploy = tmp_path / "deploy"
    for path, content in files_below(open_export).items():
        target = deploy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if path.endswith(".tar"):
            with tarfile.open(target, "w") as archive:
                for name, octal, member in members(content):
                    data = CONTRACT.encode() if name == "copy/host/install.sh" else member
                    info = tarfile.TarInfo(name)
                    info.mode, info.size = int(octal, 8), len(data)
                    archive.addfile(info, io.BytesIO(data))
    return deploy


def in_states(roots: Path, **states: str) -> Path:
    """Root directories in which the stand-in finds these states."""
    for host in HOSTS:
        (roots / host).mkdir(parents=True, exist_ok=True)
        (roots / host / "state").write_text(f"{states[host.replace('-', '_')]}\n")
    return roots


def test_check_mode_asks_what_would_change(by_contract: Path, tmp_path: Path) -> None:
    roots = in_states(tmp_path / "roots", cp_1="new", w_1="done", s_1="broken")
    before = listing(roots)
    recap, said = played(by_contract, roots, "--check", code=2)
    assert re.findall(r'^ +"(would .*)",?$', said, re.MULTILINE) == [f"would install {roots}/cp-1/x"]
    assert {host: (ended["changed"], ended["failed"]) for host, ended in recap.items()} == {
        "cp-1": (1, 0),
        "w-1": (0, 0),
        "s-1": (0, 1),
    }
    assert listing(roots) == before


def test_after_a_control_plane_host_that_fails_no_other_has_its_turn(by_contract: Path, tmp_path: Path) -> None:
    roots = in_states(tmp_path / "roots", cp_1="broken", w_1="new", s_1="new")
    before = listing(roots)
    recap = play(by_contract, roots, code=2)
    assert {host: ended["failed"] for host, ended in recap.items()} == {"cp-1": 1}
    assert listing(roots) == before


def test_every_host_is_waited_for_changed_or_not(by_contract: Path, tmp_path: Path) -> None:
    roots = in_states(tmp_path / "roots", cp_1="new", w_1="done", s_1="done")
    root = f"{roots}/{{{{ inventory_hostname }}}}"
    variables = {
        "kcompile_root": "",
        "kcompile_environment": {"STATE_ROOT": root},
        "kcompile_ready": ["sh", "-c", f"echo asked >>{root}/asked"],
    }
    recap = play(by_contract, roots, "-e", json.dumps(variables), "--limit", "cp-1,w-1")
    assert {host: ended["changed"] for host, ended in recap.items()} == {"cp-1": 1, "w-1": 0}
    assert {host: (roots / host / "asked").exists() for host in ("cp-1", "w-1")} == {"cp-1": True, "w-1": True}


@pytest.mark.parametrize(("instead", "asked"), [([], ["ready.sh\n"]), (["true"], [])])
def test_the_control_plane_of_a_host_that_changed_is_waited_for(
    instead: list[str], asked: list[str], by_contract: Path, tmp_path: Path
) -> None:
    roots = in_states(tmp_path / "roots", cp_1="new", w_1="done", s_1="new")
    archive = by_contract / "roles/kcompile/files/cp-1.tar"
    found = list(members(archive.read_bytes()))
    with tarfile.open(archive, "w") as packed:
        for name, octal, member in found:
            data = f"echo $(basename $0) >>{roots}/asked\n".encode() if name.endswith("/ready.sh") else member
            info = tarfile.TarInfo(name)
            info.mode, info.size = int(octal, 8), len(data)
            packed.addfile(info, io.BytesIO(data))
    variables = {
        "kcompile_root": "",
        "kcompile_environment": {"STATE_ROOT": f"{roots}/{{{{ inventory_hostname }}}}"},
        "kcompile_ready": instead,
    }
    recap = play(by_contract, roots, "-e", json.dumps(variables))
    assert changed(recap) == {"cp-1": 1, "w-1": 0, "s-1": 1}
    assert [path.read_text() for path in roots.glob("asked")] == asked


# --- again ----------------------------------------------------------------------------------------


def test_an_export_again_keeps_what_others_wrote_and_drops_hosts_that_went(prod: Path, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy"
    assert export(prod, "cp-1", "--format", "ansible", "--to", deploy).code == 0
    (deploy / "group_vars").mkdir()
    (deploy / "group_vars" / "all.yaml").write_text("kcompile_ready: []\n")
    (deploy / "roles/kcompile/files/w-9.tar").write_text("a host that the tree has no more\n")
    assert export(prod, "cp-1", "--format", "ansible", "--sealed", "--to", deploy).code == 0
    alone = tmp_path / "alone"
    assert export(prod, "cp-1", "--format", "ansible", "--sealed", "--to", alone).code == 0
    assert files_below(deploy) == files_below(alone) | {"group_vars/all.yaml": b"kcompile_ready: []\n"}


def test_an_export_of_some_hosts_does_not_drop_the_others(prod: Path, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy"
    assert export(prod, *HOSTS, "--format", "ansible", "--sealed", "--to", deploy).code == 0
    before = files_below(deploy)
    done = export(prod, "cp-1", "--format", "ansible", "--sealed", "--to", deploy)
    says = f"{deploy}:1:1: is an export of other hosts too, which would be lost: s-1, w-1 [K1031]\n"
    says += "   hint: export all hosts, or choose another directory\n"
    assert (done.code, done.out, done.err, files_below(deploy)) == (4, b"", says, before)


@pytest.mark.parametrize("name", ["inventory.yaml", "site.yaml"])
def test_what_someone_else_wrote_is_not_overwritten(name: str, prod: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(STRANGER)
    done = export(prod, "--format", "ansible", "--to", tmp_path)
    says = f"{tmp_path / name}:1:1: is no earlier export of this format, and is not overwritten [K1031]\n"
    says += "   hint: choose another name, or move it away\n"
    assert (done.code, done.out, done.err) == (4, b"", says)
    assert files_below(tmp_path) == {name: STRANGER.encode()}


def test_what_is_linked_is_not_written_through(prod: Path, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy"
    (deploy / "roles").mkdir(parents=True)
    (deploy / "roles" / "kcompile").symlink_to(tmp_path)
    done = export(prod, "w-1", "--format", "ansible", "--to", deploy)
    assert done.code == 4
    assert f"{deploy}/roles/kcompile:1:1: cannot write: a symbolic link stands in the way [K1002]" in done.err
    assert sorted(os.listdir(tmp_path)) == ["deploy"]
