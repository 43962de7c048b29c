"""Exports: what the tools that read them make of them, what never leaves, and what is never overwritten."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import yaml

from conftest import ALICE, BOB, MakeCluster, clean_environment, files_below, run, tool
from exports import (
    CURRENT,
    DATED,
    HOSTS,
    export,
    export_in_a_process,
    exported,
    first_boot,
    listing,
    mode,
    of_the_host,
    rendered,
)
from test_leaks import FLEET, every_secret, leaks

FORMATS = ("tar", "cloud-init", "ignition", "butane")
SUFFIX = {"tar": "tar", "cloud-init": "user-data.yaml", "ignition": "ign", "butane": "bu"}
IGNITION = "/usr/lib/dracut/modules.d/30ignition/ignition"
TARS = {"GNU": ["tar"], "busybox": ["busybox", "tar"], "BSD": ["bsdtar"]}


@pytest.fixture(scope="module")
def prod(examples: Path) -> Path:
    return examples / "out" / "prod"


@pytest.fixture(scope="module")
def wanted(prod: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, tuple[object, ...]]]:
    """What a host has once it is installed: by `kcompile render`."""
    directory = tmp_path_factory.mktemp("rendered")
    found: dict[str, dict[str, tuple[object, ...]]] = {}

    def of(host: str) -> dict[str, tuple[object, ...]]:
        if host not in found:
            found[host] = listing(rendered(prod, host, directory / host))
        return found[host]

    return of


@pytest.fixture
def spoiled(prod: Path, tmp_path: Path) -> Path:
    """A copy of the tree that a test may change, in a directory of trees of its own."""
    shutil.copytree(prod, tmp_path / "trees" / "prod")
    return tmp_path / "trees" / "prod"


def unpack(archive: bytes, root: Path, flavour: str = "GNU") -> Path:
    """Extract as root does on a host, with a umask that would spoil modes; not a word may be said."""
    root.mkdir(parents=True, exist_ok=True)
    command = [tool(TARS[flavour][0]), *TARS[flavour][1:], "-x", "-f", "-", "-C", str(root)]
    done = subprocess.run(command, input=archive, capture_output=True, umask=0o077, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return root


# --- tar ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", TARS)
@pytest.mark.parametrize("host", HOSTS)
def test_tar_puts_a_new_hosts_files_in_place(
    host: str, flavour: str, prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    root = unpack(exported(prod, host, "--format", "tar", "--new-host"), tmp_path / "root", flavour)
    assert listing(root) == wanted(host)
    assert [mode(root / path) for path in ("etc/kubernetes", "etc/kubernetes/pki", "var/lib/kubelet")] == [
        "0755",
        "0755",
        "0700",
    ]
    if host == "cp-1":
        private = ("etc/kubernetes/manifests", "var/lib/etcd")
        assert [mode(root / path) for path in private] == ["0700", "0700"]


def test_members_are_roots_and_in_the_order_of_installing(prod: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(exported(prod, "cp-1", "--format", "tar", "--new-host"))) as archive:
        members = archive.getmembers()
        assert archive.pax_headers == {"comment": "written by kcompile: host cp-1 of cluster prod"}
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "root", "root", 0)}
    names = [m.name for m in members if m.isreg()]
    manifests = [name for name in names if name.startswith("etc/kubernetes/manifests/")]
    assert len(manifests) == 4
    assert names == sorted(set(names) - set(manifests)) + sorted(manifests)
    assert names.index(CURRENT.replace("kubelet-client-current.pem", DATED)) < len(names) - 4
    assert [m.name for m in members if m.isdir()] == [
        "etc/kubernetes",
        "etc/kubernetes/manifests",
        "etc/kubernetes/pki",
        "etc/kubernetes/pki/etcd",
        "var/lib/etcd",
        "var/lib/kubelet",
        "var/lib/kubelet/pki",
    ]


@pytest.mark.parametrize("flavour", TARS)
def test_tar_takes_nothing_from_a_host_that_runs(
    flavour: str, prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    """A rotated certificate stays, data behind a link stays, a directory's mode stays."""
    done = export(prod, "cp-1", "--format", "tar")
    assert done.code == 0
    assert done.err == (
        f"warning: /{CURRENT} of cp-1 is left out: "
        "a host that runs has a newer one, which its kubelet rotates [K1032]\n"
        "   hint: --new-host adds it, for a machine that never was in the cluster\n"
    )
    root = unpack(exported(prod, "cp-1", "--format", "tar", "--new-host"), tmp_path / "root", flavour)
    newer = root / CURRENT.replace("current", "2027-09-01-00-00-00")
    newer.write_bytes(b"newer")
    (root / CURRENT).unlink()
    (root / CURRENT).symlink_to(newer.name)
    (root / "var/lib/etcd").rename(root / "data")
    (root / "var/lib/etcd").symlink_to(root / "data")
    (root / "data/member").write_bytes(b"member")
    (root / "etc/kubernetes/manifests").chmod(0o750)
    (root / "etc/kubernetes/manifests/etcd.yaml").write_bytes(b"older")
    before = listing(root)
    unpack(done.out, root, flavour)
    etcd = "etc/kubernetes/manifests/etcd.yaml"
    assert listing(root) == before | {etcd: wanted("cp-1")[etcd]}
    assert mode(root / "etc/kubernetes/manifests") == "0750"


def test_a_host_that_joins_by_token_has_nothing_of_its_own_yet(prod: Path) -> None:
    archive = exported(prod, "w-1", "--format", "tar")
    assert export(prod, "w-1", "--format", "tar").err == ""
    names = tarfile.open(fileobj=io.BytesIO(archive)).getnames()
    assert "etc/kubernetes/bootstrap-kubelet.conf" in names


@pytest.mark.parametrize("flavour", TARS)
def test_a_sealed_archive_is_the_folder_and_installs_itself(
    flavour: str, prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    archive = exported(prod, "s-1", "--format", "tar", "--sealed", identity=None)
    folder = unpack(archive, tmp_path / "unpacked", flavour) / "s-1"
    assert files_below(folder) == files_below(prod / "hosts" / "s-1")
    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE), PATH=f"{Path(tool('sops')).parent}:{os.environ['PATH']}")
    (tmp_path / "root").mkdir()
    run(folder / "install.sh", "--root", tmp_path / "root", env=env)
    installed = listing(tmp_path / "root")
    assert {path: installed.get(path) for path in wanted("s-1")} == wanted("s-1")


# --- cloud-init -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [(), ("--sealed",)])
@pytest.mark.parametrize("host", HOSTS)
def test_cloud_init_takes_its_user_data(host: str, sealed: tuple[str, ...], prod: Path, tmp_path: Path) -> None:
    file = tmp_path / "user-data.yaml"
    assert export(prod, host, "--format", "cloud-init", *sealed, "--to", file).code == 0
    assert run(tool("cloud-init"), "schema", "--config-file", file).splitlines() == [f"Valid cloud-config: {file}"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_first_boot_puts_files_in_place_and_starts_the_kubelet(
    host: str, prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    user_data = exported(prod, host, "--format", "cloud-init")
    asked = first_boot(tmp_path, user_data)
    assert asked[-3:] == ["daemon-reload", "enable kubelet.service", "restart kubelet.service"]
    assert of_the_host(listing(tmp_path)) == wanted(host)
    if host == "cp-1":
        assert mode(tmp_path / "var/lib/etcd") == "0700"
    if host != "w-1":  # an image made of the host, booted as another instance
        (tmp_path / CURRENT).unlink()
        (tmp_path / CURRENT).with_name("newer.pem").write_text("newer")
        (tmp_path / CURRENT).symlink_to("newer.pem")
        first_boot(tmp_path, user_data)
        assert (tmp_path / CURRENT).read_text() == "newer"


def test_a_first_boot_of_a_sealed_host_opens_it_and_leaves_no_folder(
    prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    first_boot(tmp_path, exported(prod, "s-1", "--format", "cloud-init", "--sealed", identity=None))
    installed = of_the_host(listing(tmp_path))
    assert {path: installed.get(path) for path in wanted("s-1")} == wanted("s-1")
    assert not (tmp_path / "var/lib/kcompile/first-boot").exists()


def test_user_data_that_a_cloud_may_not_take(prod: Path) -> None:
    small = export(prod, "w-1", "--format", "cloud-init")
    assert (small.err, len(small.out) < 16_384) == ("", True)
    for host, sealed, limit, more in (
        ("cp-1", (), "EC2 takes 16,384 bytes", ""),
        (
            "cp-1",
            ("--sealed",),
            "EC2 takes 16,384 bytes, OpenStack and Azure take 65,535",
            "; where that is too much, let `#include` name a URL that only this machine can fetch",
        ),
    ):
        large = export(prod, host, "--format", "cloud-init", *sealed)
        packed = len(gzip.compress(large.out, mtime=0))
        assert large.code == 0
        assert large.err == (
            f"warning: the user data of {host} has {len(large.out):,} bytes ({packed:,} gzipped), and {limit} [K1033]\n"
            f"   hint: gzip it: cloud-init reads that{more}\n"
        )


# --- Ignition and Butane --------------------------------------------------------------------------


def ignite(config: bytes, directory: Path) -> Path:
    """Apply a configuration with Ignition's own stages to a root, which is returned."""
    root = directory / "sysroot"
    (root / "etc/selinux").mkdir(parents=True)
    (root / "etc/selinux/config").write_text("SELINUX=disabled\nSELINUXTYPE=none\n")
    (directory / "stubs").mkdir()
    (directory / "stubs/setfiles").write_text("#!/bin/sh\n")
    (directory / "stubs/setfiles").chmod(0o755)
    (directory / "config.ign").write_bytes(config)
    places = ["-config-cache", directory / "cache", "-state-file", directory / "state", "-log-to-stdout"]
    places += ["-neednet", directory / "neednet", "-platform", "file"]
    path = f"{directory / 'stubs'}:{os.environ['PATH']}"  # Debian's Ignition relabels for SELinux, always
    env = clean_environment(IGNITION_CONFIG_FILE=str(directory / "config.ign"), PATH=path)
    run(IGNITION, *places, "-stage", "fetch", env=env)
    run(IGNITION, *places, "-stage", "files", "-root", root, env=env)
    return root


IGNITIONS_OWN = ("etc/.ignition-result.json", "etc/selinux/config", "etc/systemd/system-preset/20-ignition.preset")


@pytest.mark.parametrize("host", HOSTS)
def test_ignition_puts_a_hosts_files_in_place(
    host: str, prod: Path, tmp_path: Path, wanted: Callable[[str], Any]
) -> None:
    config = exported(prod, host, "--format", "ignition")
    (tmp_path / "checked.ign").write_bytes(config)
    assert run(tool("ignition-validate"), tmp_path / "checked.ign") == ""
    root = ignite(config, tmp_path)
    found = listing(root)
    own = {path: found.pop(path) for path in IGNITIONS_OWN}
    assert own["etc/systemd/system-preset/20-ignition.preset"][2] == b"enable kubelet.service\n"
    assert found == wanted(host)
    if host == "cp-1":
        assert mode(root / "var/lib/etcd") == "0700"


def test_ignition_lays_down_a_sealed_folder_and_a_unit_that_installs_it(prod: Path, tmp_path: Path) -> None:
    config = exported(prod, "s-1", "--format", "ignition", "--sealed", identity=None)
    (tmp_path / "checked.ign").write_bytes(config)
    assert run(tool("ignition-validate"), tmp_path / "checked.ign") == ""
    root = ignite(config, tmp_path)
    assert files_below(root / "var/lib/kcompile/first-boot") == files_below(prod / "hosts" / "s-1")
    preset = (root / "etc/systemd/system-preset/20-ignition.preset").read_text()
    assert preset == "enable kcompile-first-boot.service\n"
    unit = root / "etc/systemd/system/kcompile-first-boot.service"
    assert unit.read_text() == (
        "# Written by kcompile. Not ordered before the kubelet, which install.sh starts.\n"
        "[Unit]\n"
        "Description=Install the files of host s-1 of cluster prod\n"
        "ConditionPathExists=/var/lib/kcompile/first-boot/install.sh\n"
        "After=local-fs.target\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        "Environment=HOME=/root\n"
        "ExecStart=/bin/sh /var/lib/kcompile/first-boot/install.sh\n"
        "ExecStartPost=/bin/rm -r /var/lib/kcompile/first-boot\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )
    verify = [tool("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert (done.returncode, [line for line in said if "kcompile-first-boot" in line]) == (0, [])


def test_the_validator_does_not_take_anything(tmp_path: Path) -> None:
    (tmp_path / "wrong.ign").write_text('{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "x"}]}}')
    run(tool("ignition-validate"), tmp_path / "wrong.ign", code=1)


def decoded(contents: dict[str, str]) -> bytes:
    """What a data URL of an Ignition configuration holds."""
    head, _, data = contents["source"].partition(",")
    content = base64.b64decode(data) if head == "data:;base64" else unquote_to_bytes(data)
    return gzip.decompress(content) if contents.get("compression") == "gzip" else content


def as_butane_does(document: dict[str, Any]) -> dict[str, Any]:
    """An Ignition configuration of a Butane one, contents decoded: Debian has no Butane."""
    assert (document.pop("variant"), document.pop("version")) == ("fcos", "1.4.0")
    for file in document["storage"]["files"]:
        contents = file["contents"]
        file["contents"] = contents["inline"].encode() if "inline" in contents else decoded(contents)
    return {"ignition": {"version": "3.3.0"}, **document}


@pytest.mark.parametrize("sealed", [(), ("--sealed",)])
@pytest.mark.parametrize("host", HOSTS)
def test_butane_says_what_ignition_says(host: str, sealed: tuple[str, ...], prod: Path) -> None:
    ignition = json.loads(exported(prod, host, "--format", "ignition", *sealed))
    for file in ignition["storage"]["files"]:
        file["contents"] = decoded(file["contents"])
    assert as_butane_does(yaml.safe_load(exported(prod, host, "--format", "butane", *sealed))) == ignition


# --- secrets --------------------------------------------------------------------------------------


def every_layer(content: bytes) -> Iterator[bytes]:
    """Bytes as they are, and what is packed, encoded or quoted in them, as deep as it goes."""
    yield content
    if content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if file := archive.extractfile(member):
                    yield from every_layer(file.read())
        return
    if content[:2] == b"\x1f\x8b":
        yield from every_layer(gzip.decompress(content))
    for found in re.findall(rb"data:,([^\"]*)", content):
        yield from every_layer(unquote_to_bytes(found))
    for found in re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", content):
        yield from every_layer(base64.b64decode(found[: len(found) // 4 * 4]))


def test_sealed_nothing_in_plain_text_leaves(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(**FLEET)
    workspace.build()
    for what in (["cp-1"], ["w-1"], ["s-1"], ["--admin"]):
        workspace.render(*what)
    secrets = every_secret(workspace)
    assert len(secrets) > 15
    leaking = {}
    for form, sealed in itertools.product((*FORMATS, "ansible"), (True, False)):
        to = workspace.path / f"{form}-{sealed}"
        args = (workspace.tree, "--format", form, *(("--sealed",) if sealed else ()), "--to", to)
        done = export(*args, identity=None, **({} if sealed else {"SOPS_AGE_KEY": workspace.identity}))
        assert done.code == 0, done.err
        assert leaks({"out": done.out, "err": done.err.encode()}, secrets) == []
        layers = {layer for content in files_below(to).values() for layer in every_layer(content)}
        leaking[form, sealed] = leaks({"": b"\0".join(layers)}, secrets) != []
    assert leaking == {key: not key[1] for key in leaking}


def test_a_file_is_for_its_owner_alone_whatever_the_umask(prod: Path, tmp_path: Path) -> None:
    for form in FORMATS:
        file = tmp_path / f"one {form}\n" / "w-1"
        assert export(prod, "w-1", "--format", form, "--to", file, umask=0).code == 0
        assert mode(file) == "0600"
        several = tmp_path / f"several {form}\n"
        assert export(prod, "w-1", "w-2", "--format", form, "--to", several, umask=0).code == 0
        assert {str(path.relative_to(several)): mode(path) for path in several.iterdir()} == {
            f"w-1.{SUFFIX[form]}": "0600",
            f"w-2.{SUFFIX[form]}": "0600",
        }
        assert mode(several) == "0700"
        assert (several / f"w-1.{SUFFIX[form]}").read_bytes() == file.read_bytes()
        assert file.read_bytes() == exported(prod, "w-1", "--format", form)


def on_a_terminal(*args: str | Path) -> tuple[int, str]:
    """The exit status of ``kcompile export`` with a terminal for everything, and what shows there."""
    command = [sys.executable, "-m", "kcompile", "export", *map(str, args)]
    master, slave = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(master, 65536):
                shown.extend(chunk)
        except OSError:
            pass  # the terminal's other end is closed

    env = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE), NO_COLOR="1")
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        reader = threading.Thread(target=read)
        reader.start()
        code = process.wait(60)
        reader.join(60)
    os.close(master)
    return code, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("form", FORMATS)
def test_neither_secrets_nor_archives_show_on_a_terminal(form: str, prod: Path) -> None:
    says = (
        "standard output is a terminal, where {} [K1030]\n   hint: send it on with a pipe, or name a file with --to\n"
    )
    says += "`kcompile explain K1030` says more\n"
    assert on_a_terminal(prod, "w-1", "--format", form) == (4, says.format("secrets are not shown"))
    code, shown = on_a_terminal(prod, "w-1", "--format", form, "--sealed")
    if form == "tar":
        assert (code, shown) == (4, says.format("an archive is not written"))
    else:
        plain = exported(prod, "w-1", "--format", form, "--sealed").decode()
        assert code == 0
        assert shown.startswith(plain)


def test_without_an_identity_nothing_leaves_that_is_not_sealed(prod: Path, tmp_path: Path) -> None:
    for form in (*FORMATS, "ansible"):
        done = export(prod, "w-1", "--format", form, "--to", tmp_path / form, identity=None)
        assert (done.code, done.out) == (3, b"")
        assert ": no identity opens this file." in done.err
    assert list(tmp_path.iterdir()) == []


# --- the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [(), ("--sealed",)])
@pytest.mark.parametrize("form", [*FORMATS, "ansible"])
def test_the_same_tree_gives_the_same_bytes(form: str, sealed: tuple[str, ...], prod: Path, tmp_path: Path) -> None:
    here = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}
    there = {"TZ": "Pacific/Apia", "LC_ALL": "tr_TR.ISO-8859-9", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0"}
    moved = tmp_path / "moved" / "prod"
    shutil.copytree(prod, moved, copy_function=shutil.copy)
    how = ("--format", form, *sealed, "--to")
    one = export_in_a_process(prod, "s-1", "w-1", "cp-1", *how, tmp_path / "a", **here)
    other = export_in_a_process(
        moved, "cp-1", "cp-1", "w-1", "s-1", *how, tmp_path / "b", umask=0o777, identity=BOB, **there
    )
    assert (one.code, other.code) == (0, 0)
    assert files_below(tmp_path / "a") == files_below(tmp_path / "b")
    assert len(files_below(tmp_path / "a")) == (3 if form != "ansible" else 8)


def test_without_names_all_hosts_are_written(prod: Path, tmp_path: Path) -> None:
    assert export(prod, "--format", "ignition", "--sealed", "--to", tmp_path / "all").code == 0
    hosts = ("cp-1", "cp-2", "cp-3", "s-1", "s-2", "w-1", "w-2", "w-3")
    assert sorted(os.listdir(tmp_path / "all")) == [f"{host}.ign" for host in hosts]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*FORMATS, "ansible"])
def test_unknown_host(form: str, prod: Path, tmp_path: Path) -> None:
    done = export(prod, "cp-1", "cp1", "--format", form, "--to", tmp_path / "to")
    says = f"{prod}:1:1: there is no host cp1 [K1005]\n   hint: did you mean cp-1?\n"
    assert (done.code, done.out, done.err) == (2, b"", says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (
            ("cp-1",),
            "Missing option '--format'. Choose from:\n\ttar,\n\tcloud-init,\n\tignition,\n\tbutane,\n\tansible",
        ),
        (("--format", "tar"), "a file is for one host: name a directory for 8 hosts, --to DIR"),
        (("cp-1", "w-1", "--format", "ignition"), "a file is for one host: name a directory for 2 hosts, --to DIR"),
        (("cp-1", "--format", "ansible"), "ansible is a directory: name it, --to DIR"),
        (("cp-1", "--format", "tar", "--to", ""), "Invalid value for '--to': the name is empty"),
        (("", "--format", "tar"), "Invalid value for '[HOST]...': the name is empty"),
        *(
            (args, "--new-host is for --format tar without --sealed; first boots have those files anyway")
            for args in (
                ("cp-1", "--format", "ignition", "--new-host"),
                ("cp-1", "--format", "tar", "--sealed", "--new-host"),
            )
        ),
    ],
)
def test_usage(args: tuple[str, ...], says: str, prod: Path) -> None:
    done = export(prod, *args)
    assert (done.code, done.out) == (2, b"")
    assert done.err.endswith(f"Error: {says}\n")


@pytest.mark.parametrize(
    "path", ["hosts/cp-1/rootfs/etc/kubernetes/pki/ca.crt", "hosts/cp-1/sealed/etc/kubernetes/pki/ca.key"]
)
@pytest.mark.parametrize("sealed", [(), ("--sealed",)])
@pytest.mark.parametrize("form", [*FORMATS, "ansible"])
def test_a_changed_tree_is_refused(
    form: str, sealed: tuple[str, ...], path: str, spoiled: Path, tmp_path: Path
) -> None:
    (spoiled / path).write_bytes((spoiled / path).read_bytes() + b"\n")
    done = export(spoiled, "cp-1", "w-1", "--format", form, *sealed, "--to", tmp_path / "to")
    assert (done.code, done.out, done.err) == (
        2,
        b"",
        f"{spoiled}/{path}:1:1: was changed after it was built: its digest is not the one in kcompile.json [K1007]\n"
        "   hint: build the tree again, or restore the file from git\n",
    )
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("cluster", "x\n- y"), ("cluster", None), ("files", [{"path": "hosts/a b/host.json"}])]
)
def test_a_manifest_that_kcompile_did_not_write(field: str, value: Any, spoiled: Path) -> None:
    manifest = json.loads((spoiled / "kcompile.json").read_text())
    if field == "files":
        entry = next(file for file in manifest["files"] if file["path"] == "hosts/w-1/host.json")
        value = [{**entry, "path": "hosts/a b/host.json"}]
        (spoiled / "hosts/w-1").rename(spoiled / "hosts/a b")
    (spoiled / "kcompile.json").write_text(json.dumps(manifest | {field: value}))
    host = "a b" if field == "files" else "w-1"
    done = export(spoiled, host, "--format", "ignition")
    says = f"{spoiled}/hosts/{host}/host.json:1:1: is no index of a host of kcompile [K1004]\n"
    assert (done.code, done.out, done.err) == (2, b"", says)


def test_a_manifest_without_hosts(spoiled: Path) -> None:
    manifest = json.loads((spoiled / "kcompile.json").read_text())
    (spoiled / "kcompile.json").write_text(json.dumps(manifest | {"files": []}))
    done = export(spoiled, "--format", "tar")
    assert (done.code, done.out, done.err) == (2, b"", f"{spoiled}:1:1: has no hosts [K1004]\n")


@pytest.mark.parametrize("form", [*FORMATS, "ansible"])
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("prod", "lies in the tree {tree}"),
        ("prod/x/y", "lies in the tree {tree}"),
        ("x", "lies beside the tree {tree}"),
        (".", "lies beside the tree {tree}"),
        ("lab/hosts", "lies beside the tree {tree}"),
        ("../outside/link/x", "lies beside the tree {tree}"),
    ],
)
def test_nothing_is_written_among_the_trees(form: str, place: str, says: str, prod: Path, tmp_path: Path) -> None:
    outside = prod.parent.parent / "outside"
    outside.mkdir(exist_ok=True)
    if not (outside / "link").is_symlink():
        (outside / "link").symlink_to(prod.parent)
    before = sorted(prod.parent.rglob("*"))
    to = os.path.join(prod.parent, place)
    done = export(prod, "w-1", "--format", form, "--to", to)
    assert (done.code, done.out, done.err) == (
        2,
        b"",
        f"{Path(to)}:1:1: {says.format(tree=prod)}, where secrets are sealed [K1010]\n"
        f"   hint: choose a path outside {prod.parent}, and outside what is committed\n",
    )
    assert sorted(prod.parent.rglob("*")) == before


def in_the_way(path: Path, says: str, hint: str) -> str:
    return f"{path}:1:1: {says} [K1031]\n   hint: {hint}\n"


FOREIGN = ("is no earlier export of this format, and is not overwritten", "choose another name, or move it away")


@pytest.mark.parametrize("form", FORMATS)
def test_only_an_earlier_export_of_the_same_format_is_overwritten(form: str, prod: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    for host in ("w-1", "cp-1"):
        assert export(prod, host, "--format", form, "--to", to).code == 0
        assert to.read_bytes() == exported(prod, host, "--format", form)
    for other in FORMATS:
        if other != form:
            before = to.read_bytes()
            done = export(prod, "w-1", "--format", other, "--to", to)
            assert (done.code, done.err) == (4, in_the_way(to, *FOREIGN))
            assert to.read_bytes() == before
    for content in (
        b"",
        b"#cloud-config\n",
        b'{"ignition": {"version": "3.3.0"}}\n',
        b"variant: fcos\n",
        b"\0" * 10240,
    ):
        to.write_bytes(content)
        done = export(prod, "w-1", "--format", form, "--to", to)
        assert (done.code, done.err) == (4, in_the_way(to, *FOREIGN))
        assert to.read_bytes() == content
    several = tmp_path / "several"
    several.mkdir()
    (several / f"w-2.{SUFFIX[form]}").write_text("mine")
    done = export(prod, "w-1", "w-2", "--format", form, "--to", several)
    assert (done.code, done.err) == (4, in_the_way(several / f"w-2.{SUFFIX[form]}", *FOREIGN))
    assert files_below(several) == {f"w-2.{SUFFIX[form]}": b"mine"}


def test_what_is_no_file_stays_what_it_is(prod: Path, tmp_path: Path) -> None:
    directory, fifo, link, device = (tmp_path / name for name in ("directory", "fifo", "link", "device"))
    directory.mkdir()
    os.mkfifo(fifo)
    link.symlink_to(tmp_path / "elsewhere")
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for path in (directory, fifo, link, device):
        before = path.lstat().st_mode, path.lstat().st_ino
        done = export(prod, "w-1", "--format", "tar", "--to", path)
        says = ("is no regular file", "write to standard output, without --to")
        if path is directory:
            says = ("is a directory", "name a file, or several hosts")
        assert (done.code, done.err) == (4, in_the_way(path, *says))
        assert (path.lstat().st_mode, path.lstat().st_ino) == before
    file = tmp_path / "file"
    file.write_text("mine")
    says = ("is not a directory, and several files are to be written", "choose another name, or move it away")
    for args in (("w-1", "w-2", "--format", "tar"), ("w-1", "--format", "ansible")):
        done = export(prod, *args, "--to", file)
        assert (done.code, done.err) == (4, in_the_way(file, *says))
    assert file.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["device", "directory", "fifo", "file", "link"]


# --- standard output ------------------------------------------------------------------------------


def test_a_full_device_is_said(prod: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = export_in_a_process(prod, "w-1", "--format", "tar", stdout=full)
    assert (done.code, done.err) == (4, "cannot write to standard output: No space left on device [K1011]\n")


def test_a_reader_that_goes_away_is_no_crash(prod: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = export_in_a_process(prod, "cp-1", "--format", "tar", "--new-host", stdout=pipe)
    assert "Traceback" not in done.err
    assert done.code in (1, -signal.SIGPIPE)
