"""ready.sh with a curl that answers what the test says, and a clock of its own; and against a real etcd."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from test_etcd_members import root_of

from conftest import MakeCluster, clean_environment, tool
from etcd_cluster import ADDRESS, FOUNDERS, etcd_cluster

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
CURL = """#!/bin/sh
# Each address has a file with its answers, a line each; the last one stays.
echo "$*" >>"$STATE/calls"
for url; do :; done
file=$STATE/$(echo "$url" | tr -c 'a-z0-9.\\n' _)
[ -e "$file" ] || { echo 'curl: (7) Connection refused' >&2; printf 000; exit 7; }
answer=$(head -n 1 "$file")
[ "$(wc -l <"$file")" = 1 ] || sed -i 1d "$file"
printf '%s' "$answer"
"""
CLOCK = '#!/bin/sh\nread -r now <"$STATE/now"\necho "$now"\n'
SLEEP = '#!/bin/sh\nread -r now <"$STATE/now"\necho $((now + $1)) >"$STATE/now"\n'
ETCD, SERVER = "https://10.0.0.11:2379", "https://10.0.0.11:6443"
WELL = "the control plane here is well\n"


class Host:
    def __init__(self, path: Path, script: Path) -> None:
        self.path, self.script = path, script
        (path / "bin").mkdir()
        (path / "root/etc/kubernetes/pki").mkdir(parents=True)
        for name, text in (("curl", CURL), ("date", CLOCK), ("sleep", SLEEP)):
            (path / "bin" / name).write_text(text)
            (path / "bin" / name).chmod(0o755)

    def answer(self, url: str, *answers: str) -> None:
        (self.path / re.sub("[^a-z0-9.]", "_", url)).write_text("".join(f"{line}\n" for line in answers))

    def run(self, *args: str, shell: str = "dash") -> tuple[int, str, str, int]:
        """Exit status, output, errors, and how many seconds went by."""
        (self.path / "now").write_text("1000\n")
        done = subprocess.run(
            [*SHELLS[shell], self.script, "--root", self.path / "root", *args],
            env=clean_environment(PATH=f"{self.path}/bin:/usr/bin:/bin", STATE=str(self.path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr, int((self.path / "now").read_text()) - 1000


@pytest.fixture
def host(examples: Path, tmp_path: Path) -> Host:
    """cp-1 of a cluster of three that is new, the others up."""
    made = Host(tmp_path, examples / "out/prod/hosts/cp-1/ready.sh")
    for peer in ("10.0.0.12", "10.0.0.13"):
        made.answer(f"https://{peer}:2379/health", "503")
    made.answer(f"{ETCD}/health", "200")
    made.answer(f"{SERVER}/readyz", "200")
    return made


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_well_for_a_while_without_a_break(shell: str, host: Host) -> None:
    assert host.run(shell=shell) == (0, WELL, "", 60)
    own = f"--silent --show-error --globoff --noproxy * --connect-timeout 3 --max-time 10 --output {'/dev/null'}"
    assert [line for line in (host.path / "calls").read_text().splitlines() if "10.0.0.11" in line][:2] == [
        f"{own} --cacert etcd/ca.crt --cert ./etcd/healthcheck-client.crt --key ./etcd/healthcheck-client.key "
        f"--write-out %{{http_code}} {ETCD}/health",
        f"{own} --cacert ca.crt --cert ./apiserver-kubelet-client.crt --key ./apiserver-kubelet-client.key "
        f"--write-out %{{http_code}} {SERVER}/readyz",
    ]
    # the kubelet restarts the API server after 20 seconds: the minute begins anew
    host.answer(f"{SERVER}/readyz", *["200"] * 10, *["500"] * 5, "200")
    assert host.run(shell=shell) == (0, WELL, "", 90)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_says_what_is_not_well(shell: str, host: Host) -> None:
    host.answer(f"{SERVER}/readyz", "500")
    mend = "mend: journalctl -u kubelet, and the logs below /var/log/pods\n"
    said = f"the API server at {SERVER} is not well: HTTP status 500\n{mend}"
    assert host.run("--timeout", "30", shell=shell) == (1, "", said, 30)
    host.answer(f"{ETCD}/health", "503")
    said = f"etcd at {ETCD} is not well: HTTP status 503\n{mend}"
    assert host.run("--timeout", "0", shell=shell) == (1, "", said, 0)
    (host.path / re.sub("[^a-z0-9.]", "_", f"{ETCD}/health")).unlink()
    said = f"etcd at {ETCD} is not well: (7) Connection refused\n{mend}"
    assert host.run("--timeout", "0", shell=shell) == (1, "", said, 0)


def test_the_first_host_of_a_new_cluster_has_nobody_to_wait_for(host: Host) -> None:
    for peer in ("10.0.0.12", "10.0.0.13"):
        (host.path / re.sub("[^a-z0-9.]", "_", f"https://{peer}:2379/health")).unlink()
    new = "a new cluster: its etcd waits for the other hosts of the control plane\n"
    assert host.run() == (0, new, "", 0)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["now"], "usage: ready.sh [--settle SECONDS] [--timeout SECONDS] [--root DIR]"),
        (["--settle", "x"], "--settle needs a number of seconds"),
        (["--root"], "--root needs a directory"),
    ],
    ids=repr,
)
def test_a_wrong_command_line_is_2(args: list[str], said: str, shell: str, host: Host) -> None:
    code, out, err, _ = host.run(*args, shell=shell)
    assert (code, out, err.splitlines()[0]) == (2, "", said)


@pytest.fixture
def running(make_cluster: MakeCluster) -> Iterator[list[list[str]]]:
    """A bootstrapped cluster whose etcd has a quorum of two: the script's command on cp-1 and on cp-3."""
    with etcd_cluster(make_cluster) as etcd:
        etcd.compile(FOUNDERS, bootstrapped=False)
        for name in FOUNDERS[:2]:
            etcd.members[name].start()
        etcd.until("put", "key", "value", to="cp-1")
        etcd.compile(FOUNDERS, bootstrapped=True)
        yield [
            [tool("ip"), "netns", "exec", etcd.network.space(name)]
            + ["sh", str(etcd.workspace.tree / f"hosts/{name}/ready.sh")]
            + ["--timeout", "0", "--root", str(root_of(etcd.members[name]))]
            for name in ("cp-1", "cp-3")
        ]


def test_a_real_etcd_is_asked(running: list[list[str]]) -> None:
    found = [subprocess.run(command, capture_output=True, text=True, check=False).stderr for command in running]
    assert [re.sub(" after [0-9]+ ms.*", "", text.splitlines()[0]) for text in found] == [
        f"the API server at https://{ADDRESS['cp-1']}:6443 is not well: "
        f"(7) Failed to connect to {ADDRESS['cp-1']} port 6443",
        f"etcd at https://{ADDRESS['cp-3']}:2379 is not well: (7) Failed to connect to {ADDRESS['cp-3']} port 2379",
    ]
