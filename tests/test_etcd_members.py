"""etcd-member.sh against real etcds: members added as learners, promoted, replaced, removed; and what it refuses.

A thread plays the kubelet of a host: it runs etcd for as long as the manifest stands in its place.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeCluster, run, tool
from etcd_cluster import ADDRESS, DEADLINE_SECONDS, FOUNDERS, MEMBERS, Cluster, Member, etcd_3_5, etcd_cluster

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
URL = {name: f"https://{ADDRESS[name]}" for name in MEMBERS}


@pytest.fixture
def etcd(make_cluster: MakeCluster) -> Iterator[Cluster]:
    with etcd_cluster(make_cluster) as cluster:
        yield cluster


@pytest.fixture
def etcd_of_today(etcd: Cluster) -> Cluster:
    """Of a version whose list of members is the majority's, as that of every compiled minor."""
    for member in etcd.members.values():
        member.program = etcd_3_5()
    return etcd


def root_of(member: Member) -> Path:
    """The host's rendered files as its /, with its data in their place."""
    data = member.host / "var/lib/etcd"
    if not data.is_symlink():
        member.data.mkdir(mode=0o700, exist_ok=True)
        data.symlink_to(member.data)
    return member.host


def manifest_of(member: Member) -> tuple[Path, Path]:
    """Where etcd's manifest is, and where it waits while a member is replaced."""
    directory = root_of(member) / "etc/kubernetes"
    return directory / "manifests/etcd.yaml", directory / ".kcompile-etcd.yaml"


@contextmanager
def kubelet(member: Member, *, dead: bool = False) -> Iterator[None]:
    """Runs the host's etcd again and again, as long as its manifest is there; a dead one only once that was away."""
    over = threading.Event()
    manifest = root_of(member) / "etc/kubernetes/manifests/etcd.yaml"

    def watch() -> None:
        while dead and manifest.exists() and not over.wait(0.01):
            pass
        while not over.wait(0.2):
            wanted = manifest.exists()
            if member.process is not None and (not wanted or member.process.poll() is not None):
                member.kill()
            elif wanted and member.process is None:
                try:
                    member.start()
                except FileNotFoundError:  # the manifest went away just now
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def script(
    etcd: Cluster, host: str, *args: str, shell: str = "dash", timeout: int = 40, path: Path | None = None
) -> Any:
    """etcd-member.sh on a host: its exit status, its output and its errors. Programs in ``path`` come first."""
    member = etcd.members[host]
    own = etcd.workspace.tree / "hosts" / host / "etcd-member.sh"
    tool(SHELLS[shell][0])
    done = subprocess.run(
        [tool("ip"), "netns", "exec", etcd.network.space(host), *SHELLS[shell], own]
        + ["--root", str(root_of(member)), "--timeout", str(timeout), *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def states(etcd: Cluster, host: str, shell: str = "dash") -> list[str]:
    """The members as the script lists them, without their numbers."""
    code, out, err = script(etcd, host, "list", shell=shell)
    assert (code, err) == (0, "")
    return sorted(re.sub(r" \d+$", "", line) for line in out.splitlines())


def listed(**state: str) -> list[str]:
    return [f"{name.replace('_', '-')} {what} {URL[name.replace('_', '-')]}:2380" for name, what in state.items()]


def until_states(etcd: Cluster, host: str, wanted: list[str]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while (found := states(etcd, host)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.2)


def found_cluster(etcd: Cluster) -> None:
    etcd.compile(FOUNDERS, bootstrapped=False)
    for name in FOUNDERS:
        etcd.members[name].start()
    etcd.until("put", "before", "1", to="cp-1")


def test_a_fourth_member_is_added_promoted_and_removed(etcd: Cluster) -> None:
    found_cluster(etcd)
    etcd.compile(MEMBERS, bootstrapped=True)
    before = script(etcd, "cp-4", "promote")
    assert before == (1, "", "cp-4 is no member\nmend: etcd-member.sh add\n")

    with kubelet(etcd.members["cp-4"]):
        added = script(etcd, "cp-4", "add")
        assert added == (
            0,
            f"added cp-4 as a learner\nwaiting for the etcd at {URL['cp-4']}:2379\npromoted cp-4: it votes\n",
            "",
        )
        assert etcd.until("get", "before", "--print-value-only", to="cp-4") == "1\n"
        everyone = listed(cp_1="voter up", cp_2="voter up", cp_3="voter up", cp_4="voter up")
        assert {shell: states(etcd, "cp-4", shell) for shell in SHELLS} == dict.fromkeys(SHELLS, everyone)
        assert script(etcd, "cp-4", "add") == (0, "cp-4 is a member already\n", "")
        assert script(etcd, "cp-4", "promote") == (0, "cp-4 votes already\n", "")
        assert script(etcd, "cp-4", "replace") == (
            1,
            "",
            "the etcd of cp-4 answers: there is nothing to replace\nmend: etcd-member.sh list\n",
        )

    assert script(etcd, "cp-1", "remove", "cp-4", shell="busybox") == (0, "removed cp-4\n", "")
    assert script(etcd, "cp-1", "remove", "cp-4") == (
        0,
        "no member is called cp-4: there are cp-1 cp-2 cp-3\n",
        "",
    )
    nobody = (1, "", "no member is called nope: there are cp-1 cp-2 cp-3\n")
    assert {shell: script(etcd, "cp-1", "remove", "nope", shell=shell) for shell in SHELLS} == dict.fromkeys(
        SHELLS, nobody
    )
    assert states(etcd, "cp-1") == listed(cp_1="voter up", cp_2="voter up", cp_3="voter up")

    etcd.until("member", "add", "cp-4", f"--peer-urls={URL['cp-4']}:2380", to="cp-1")
    said = "cp-4 is a member already, and has not started yet\n"
    assert script(etcd, "cp-4", "add") == (0, said, "")
    manifest, parked = manifest_of(etcd.members["cp-4"])
    manifest.rename(parked)  # a replace broke off, and somebody added the member by hand
    assert script(etcd, "cp-4", "add") == (
        1,
        said,
        f"{root_of(etcd.members['cp-4'])}/var/lib/etcd/member/wal has the log of an etcd that is no member of this"
        " cluster\nmend: etcd-member.sh replace moves it aside\n",
    )
    etcd.members["cp-4"].wipe()
    assert script(etcd, "cp-4", "add") == (0, f"{said}put {manifest} back\n", "")


def test_an_interrupted_add_goes_on_and_there_is_one_learner_at_a_time(etcd: Cluster) -> None:
    found_cluster(etcd)
    etcd.compile(MEMBERS, bootstrapped=True)
    time.sleep(5)  # etcd adds nobody before its members have been connected for so long
    code, out, err = script(etcd, "cp-4", "add", timeout=2, shell="busybox")
    assert (code, out) == (1, f"added cp-4 as a learner\nwaiting for the etcd at {URL['cp-4']}:2379\n")
    said, mend = err.splitlines()
    assert said.startswith(f"it does not answer: (7) Failed to connect to {ADDRESS['cp-4']} port 2379")
    assert mend == ("mend: crictl logs of the etcd container, or journalctl -u kubelet; then etcd-member.sh promote")
    assert states(etcd, "cp-1") == sorted(
        [*listed(cp_1="voter up", cp_2="voter up", cp_3="voter up"), f"- learner down {URL['cp-4']}:2380"]
    )

    etcd.members["cp-3"].kill()
    refused = script(etcd, "cp-3", "replace", shell="bash")
    assert refused == (
        1,
        "",
        f"- at {URL['cp-4']}:2380 is a learner, and etcd takes one at a time\n"
        f"mend: let it be promoted there, or etcd-member.sh remove {URL['cp-4']}:2380\n",
    )
    etcd.members["cp-3"].start()
    code, out, _ = script(etcd, "cp-4", "add", shell="bash", timeout=0)
    assert (code, out) == (1, f"cp-4 is a learner already\nwaiting for the etcd at {URL['cp-4']}:2379\n")
    manifest, parked = manifest_of(etcd.members["cp-4"])
    manifest.rename(parked)  # the machine went down before a replace put it back
    text = parked.read_text()
    parked.write_text(text.replace("=existing", "=new"))
    code, out, err = script(etcd, "cp-4", "promote")
    assert (code, out, err.splitlines()[0]) == (
        1,
        "",
        f"{parked} is of a new cluster, and this host's etcd is to join one that runs",
    )
    parked.write_text(text)
    with kubelet(etcd.members["cp-4"]):
        assert script(etcd, "cp-4", "promote", shell="bash") == (
            0,
            f"put {manifest} back\nwaiting for the etcd at {URL['cp-4']}:2379\npromoted cp-4: it votes\n",
            "",
        )


def test_a_member_that_lost_its_disk_is_replaced(etcd: Cluster) -> None:
    found_cluster(etcd)
    etcd.compile(FOUNDERS, bootstrapped=True)
    lost = etcd.members["cp-3"]
    lost.kill()
    lost.wipe()
    etcd.until("put", "without", "2", to="cp-1")
    data = root_of(lost) / "var/lib/etcd"
    with kubelet(lost, dead=True):
        done = script(etcd, "cp-3", "replace")
        moved = [line for line in done[1].splitlines() if line.startswith("moved ")]
        assert set(moved) <= {f"moved {data}/member to {data}/member.replaced-1; delete it when all is well"}
        assert (done[0], [line for line in done[1].splitlines() if line not in moved], done[2]) == (
            0,
            [
                "removed cp-3",
                "added cp-3 as a learner",
                f"waiting for the etcd at {URL['cp-3']}:2379",
                "promoted cp-3: it votes",
            ],
            "",
        )
        assert etcd.until("get", "without", "--print-value-only", to="cp-3") == "2\n"
        assert states(etcd, "cp-1") == listed(cp_1="voter up", cp_2="voter up", cp_3="voter up")
        manifests = root_of(lost) / "etc/kubernetes"
        assert [p.name for p in manifests.iterdir() if "etcd" in p.name] == []
        assert (manifests / "manifests/etcd.yaml").exists()


def test_a_member_with_data_that_is_wrong_is_replaced_and_its_data_kept(etcd: Cluster) -> None:
    found_cluster(etcd)
    etcd.compile(FOUNDERS, bootstrapped=True)
    broken = etcd.members["cp-2"]
    broken.kill()
    assert script(etcd, "cp-1", "remove", "cp-2") == (0, "removed cp-2\n", "")
    data = root_of(broken) / "var/lib/etcd"
    assert script(etcd, "cp-2", "add") == (
        1,
        "",
        f"{data}/member/wal has the log of an etcd that is no member of this cluster\n"
        "mend: etcd-member.sh replace moves it aside\n",
    )
    (data / "member.replaced-1").mkdir()
    with kubelet(broken, dead=True):
        assert script(etcd, "cp-2", "replace", shell="busybox") == (
            0,
            f"moved {data}/member to {data}/member.replaced-2; delete it when all is well\n"
            f"added cp-2 as a learner\nwaiting for the etcd at {URL['cp-2']}:2379\npromoted cp-2: it votes\n",
            "",
        )
    assert list((data / "member.replaced-2/wal").glob("*.wal")) != []


def lossy_curl(directory: Path, rules: str) -> Path:
    """A curl that does as the rules say, shell's cases of what is asked for, with ``ask`` and ``lose`` at hand."""
    directory.mkdir()
    curl = directory / "curl"
    curl.write_text(
        f"#!/bin/sh\nhere='{directory}'\n"
        f'ask() {{ {tool("curl")} "$@"; }}\n'
        "lose() { cat >/dev/null; echo 'curl: (28) timed out' >&2; exit 28; }\n"
        f'case $* in {rules} esac\nask "$@"\n'
    )
    curl.chmod(0o755)
    return directory


def test_a_removal_whose_answer_is_lost_is_told_as_what_the_members_say(etcd_of_today: Cluster, tmp_path: Path) -> None:
    etcd = etcd_of_today
    found_cluster(etcd)
    etcd.compile(FOUNDERS, bootstrapped=True)
    etcd.members["cp-3"].kill()
    lost = lossy_curl(tmp_path / "never-asked", "*member/remove*) lose ;;")
    assert script(etcd, "cp-1", "remove", "cp-3", path=lost, timeout=1) == (
        1,
        "",
        "etcd does not remove cp-3:\ncp-2: (28) timed out\ncp-1: (28) timed out\n",
    )
    lost = lossy_curl(tmp_path / "asked", '*member/remove*) ask "$@" >/dev/null 2>&1; lose ;;')
    assert script(etcd, "cp-1", "remove", "cp-3", path=lost, timeout=1) == (0, "removed cp-3\n", "")
    assert states(etcd, "cp-1") == listed(cp_1="voter up", cp_2="voter up")


def test_a_replacement_that_breaks_off_starts_no_etcd_on_old_data(etcd_of_today: Cluster, tmp_path: Path) -> None:
    etcd = etcd_of_today
    found_cluster(etcd)
    etcd.compile(FOUNDERS, bootstrapped=True)
    broken = etcd.members["cp-3"]
    broken.kill()
    manifest, parked = manifest_of(broken)
    data = root_of(broken) / "var/lib/etcd"

    text = manifest.read_text()
    manifest.write_text(text.replace(",cp-3=", ",cp-4="))  # as it was before the control plane changed
    assert script(etcd, "cp-3", "replace") == (
        1,
        "",
        f"{manifest} is of another tree than this script: its etcd would start with other members\n"
        "mend: install.sh --no-start here; then this again\n",
    )
    manifest.write_text(text)

    for verb, said in (("add", "is a member"), ("promote", "votes")):  # a replace was killed before the removal
        manifest.rename(parked)
        assert script(etcd, "cp-3", verb) == (0, f"cp-3 {said} already\nput {manifest} back\n", "")

    refused = lossy_curl(tmp_path / "no-removal", "*member/remove*) lose ;;")
    assert script(etcd, "cp-3", "replace", path=refused, timeout=1) == (
        1,
        "",
        "etcd does not remove cp-3:\ncp-1: (28) timed out\ncp-2: (28) timed out\n",
    )
    assert (manifest.exists(), parked.exists()) == (True, False)

    lost = "*member/remove*) : >$here/lost; lose ;; *member/list*) if [ -e $here/lost ]; then lose; fi ;;"
    unknown = lossy_curl(tmp_path / "nothing-is-known", lost)
    assert script(etcd, "cp-3", "replace", path=unknown, timeout=1) == (
        1,
        "",
        "it is not known whether cp-3 was removed\n"
        "no member of etcd answers:\ncp-1: (28) timed out\ncp-2: (28) timed out\n"
        "mend: start the others' kubelets; where most members are lost for good, restore a backup\n",
    )
    assert (manifest.exists(), parked.exists()) == (True, False)

    refused = lossy_curl(tmp_path / "no-addition", "*member/add*) lose ;;")
    assert script(etcd, "cp-3", "replace", path=refused, timeout=1) == (
        1,
        f"removed cp-3\nmoved {data}/member to {data}/member.replaced-1; delete it when all is well\n",
        "etcd does not add cp-3:\ncp-1: (28) timed out\ncp-2: (28) timed out\n"
        f"{manifest} waits in {parked}: run etcd-member.sh replace again\n",
    )
    assert (manifest.exists(), parked.exists()) == (False, True)

    # once it was asked for an addition, four lists are lost
    passing = (
        "*member/add*) : >$here/asked ;; "
        "*member/list*) if [ -e $here/asked ] && [ $(ls $here | wc -l) -lt 6 ]; then : >$here/$$; lose; fi ;;"
    )
    with kubelet(broken, dead=True):
        assert script(etcd, "cp-3", "replace", path=lossy_curl(tmp_path / "elections", passing)) == (
            0,
            f"added cp-3 as a learner\nwaiting for the etcd at {URL['cp-3']}:2379\npromoted cp-3: it votes\n",
            "",
        )
    assert (manifest.exists(), parked.exists()) == (True, False)


def test_members_are_what_a_majority_says(etcd_of_today: Cluster) -> None:
    etcd = etcd_of_today
    found_cluster(etcd)
    etcd.compile(MEMBERS, bootstrapped=True)
    for peer in ("cp-2", "cp-3"):  # cp-1 is reached by cp-4 still, and knows no more of the others
        run(tool("ip"), "-n", etcd.network.space("cp-1"), "route", "add", "blackhole", f"{ADDRESS[peer]}/32")
    etcd.until("member", "add", "stranger", "--peer-urls=https://10.77.0.99:2380", "--learner", to="cp-2")
    stranger = "- learner down https://10.77.0.99:2380"
    until_states(etcd, "cp-4", sorted([stranger, *listed(cp_1="voter down", cp_2="voter up", cp_3="voter up")]))

    etcd.members["cp-3"].kill()
    etcd.members["cp-2"].kill()
    code, out, err = script(etcd, "cp-4", "list")
    assert (code, err) == (0, "one member says so, and no majority\n")
    assert sorted(re.sub(r" \d+$", "", line) for line in out.splitlines()) == listed(
        cp_1="voter down", cp_2="voter down", cp_3="voter down"
    )
    code, out, err = script(etcd, "cp-4", "remove", "cp-3")
    said, mend = err.splitlines()
    count, down = said.split(", not: ")
    assert (code, out, count, sorted(down.split()), mend) == (
        1,
        "",
        "etcd has no quorum: 0 of 3 members answer",
        ["cp-1", "cp-2", "cp-3"],
        "mend: start them first, or restore a backup",
    )


def test_a_member_is_not_removed_where_no_quorum_would_be_left(etcd: Cluster) -> None:
    found_cluster(etcd)
    etcd.compile(FOUNDERS, bootstrapped=True)
    etcd.members["cp-3"].kill()
    assert script(etcd, "cp-1", "remove", "cp-2") == (
        1,
        "",
        "without cp-2, 1 of 2 members would answer and 2 are needed, not up: cp-3\n"
        "mend: start them first, or add a member\n",
    )
    assert script(etcd, "cp-1", "remove", "cp-3") == (0, "removed cp-3\n", "")
    etcd.members["cp-2"].kill()
    until_states(etcd, "cp-1", listed(cp_1="voter down", cp_2="voter down"))
    no_quorum = "etcd has no quorum: 0 of 2 members answer, not: cp-1 cp-2\n"
    assert script(etcd, "cp-1", "remove", "cp-2") == (
        1,
        "",
        f"{no_quorum}mend: start them first, or restore a backup\n",
    )


def test_a_host_whose_manifest_founds_a_cluster_joins_none(etcd: Cluster) -> None:
    found_cluster(etcd)
    lost = etcd.members["cp-3"]
    lost.kill()
    lost.wipe()
    manifest = root_of(lost) / "etc/kubernetes/manifests/etcd.yaml"
    said = (
        f"{manifest} is of a new cluster, and this host's etcd is to join one that runs\n"
        "mend: controlPlane.bootstrapped: true in the spec; kcompile build; install.sh --no-start here; "
        "then this again\n"
    )
    assert {shell: script(etcd, "cp-3", "replace", shell=shell) for shell in SHELLS} == dict.fromkeys(
        SHELLS, (1, "", said)
    )
    assert manifest.exists()
    assert states(etcd, "cp-1") == listed(cp_1="voter up", cp_2="voter up", cp_3="voter down")

    assert script(etcd, "cp-1", "remove", "cp-3") == (0, "removed cp-3\n", "")
    assert script(etcd, "cp-3", "add") == (1, "", said)
    manifest.unlink()
    assert script(etcd, "cp-3", "add") == (1, "", f"{manifest} is not there\nmend: install.sh --no-start\n")
    assert states(etcd, "cp-1") == listed(cp_1="voter up", cp_2="voter up")


def test_the_last_member_stays(etcd: Cluster) -> None:
    etcd.compile(("cp-1",), bootstrapped=False)
    etcd.members["cp-1"].start()
    etcd.until("put", "key", "value", to="cp-1")
    assert script(etcd, "cp-1", "add") == (
        1,
        "",
        "the spec declares no other control-plane node: there is no etcd to join\n"
        "mend: declare the nodes that run, and build again\n",
    )
    for name in ("cp-1", f"{URL['cp-1']}:2380"):
        assert script(etcd, "cp-1", "remove", name) == (
            1,
            "",
            f"{name} is the only voting member: without it there is no etcd\n",
        )


def test_what_the_spec_declares_and_what_the_cluster_has_must_agree(etcd: Cluster) -> None:
    etcd.compile(FOUNDERS[:2], bootstrapped=False)
    for name in FOUNDERS[:2]:
        etcd.members[name].start()
    etcd.until("put", "key", "value", to="cp-1")
    etcd.compile(MEMBERS, bootstrapped=True)
    assert script(etcd, "cp-4", "add") == (
        1,
        "",
        "the spec declares cp-3, which is no member yet: an etcd that starts with it in its list is refused\n"
        "mend: add one control-plane node to the spec at a time\n",
    )
    etcd.until("member", "add", "stranger", "--peer-urls=https://10.77.0.99:2380", "--learner", to="cp-1")
    assert script(etcd, "cp-4", "add")[::2] == (
        1,
        "- at https://10.77.0.99:2380 is a learner, and etcd takes one at a time\n"
        "mend: let it be promoted there, or etcd-member.sh remove https://10.77.0.99:2380\n",
    )
    assert script(etcd, "cp-1", "remove", "https://10.77.0.99:2380") == (0, "removed https://10.77.0.99:2380\n", "")


USAGE = "usage: etcd-member.sh [--root DIR] [--timeout SECONDS] list | add | promote | remove NAME | replace"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], USAGE),
        (["list", "add"], USAGE),
        (["remove"], USAGE),
        (["--what"], USAGE),
        (["--timeout", "soon", "list"], "--timeout needs a number of seconds"),
        (["--root"], "--root needs a directory"),
    ],
    ids=repr,
)
def test_a_wrong_command_line_is_said_before_anything_is_done(
    args: list[str], said: str, shell: str, examples: Path
) -> None:
    own = examples / "out/prod/hosts/cp-1/etcd-member.sh"
    done = subprocess.run([*SHELLS[shell], own, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", said)


def test_without_the_host_s_files_it_says_so(examples: Path, tmp_path: Path) -> None:
    own = examples / "out/prod/hosts/cp-1/etcd-member.sh"
    done = subprocess.run(["sh", own, "--root", tmp_path, "list"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"{tmp_path}/etc/kubernetes/pki/etcd/ca.crt cannot be read\n"
        "mend: run this as root, after `install.sh --no-start` "
        "(or with --root, where `kcompile render` put the files)\n",
    )


def test_hosts_without_etcd_have_no_such_script(examples: Path) -> None:
    found = {str(p.relative_to(examples / "out")) for p in (examples / "out").rglob("etcd-member.sh")}
    assert found == {
        f"{cluster}/hosts/{host}/etcd-member.sh"
        for cluster, hosts in (("prod", ("cp-1", "cp-2", "cp-3")), ("lab", ("k8s-master",)), ("edge", ("edge-cp",)))
        for host in hosts
    }
