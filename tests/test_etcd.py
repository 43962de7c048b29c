"""A real etcd, started from the compiled manifests' own arguments and the rendered files.

Three members (later four), each in a network namespace of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from conftest import MakeCluster
from etcd_cluster import ADDRESS, FOUNDERS, MEMBERS, Cluster, etcd_cluster


@pytest.fixture
def etcd(make_cluster: MakeCluster) -> Iterator[Cluster]:
    with etcd_cluster(make_cluster) as cluster:
        yield cluster


@pytest.mark.parametrize("order", [("cp-1", "cp-2", "cp-3"), ("cp-3", "cp-1", "cp-2")], ids="-".join)
def test_three_members_found_one_cluster_in_any_order(etcd: Cluster, order: tuple[str, ...]) -> None:
    etcd.compile(FOUNDERS, bootstrapped=False)
    for name in order:
        etcd.members[name].start()
        time.sleep(0.5)
    assert etcd.until("put", "key", "value", to=order[-1]) == "OK\n"
    assert {name: etcd.until("get", "key", "--print-value-only", to=name) for name in FOUNDERS} == dict.fromkeys(
        FOUNDERS, "value\n"
    )
    assert {name: etcd.names(name) for name in FOUNDERS} == dict.fromkeys(FOUNDERS, list(FOUNDERS))
    assert len({etcd.cluster_id(name) for name in FOUNDERS}) == 1


def test_only_the_authority_s_clients_are_served(etcd: Cluster, make_cluster: MakeCluster) -> None:
    etcd.compile(FOUNDERS, bootstrapped=False)
    for name in FOUNDERS:
        etcd.members[name].start()
    etcd.until("put", "key", "value", to="cp-1")
    stranger = make_cluster()
    stranger.build()
    without = etcd.etcdctl("get", "key", to="cp-1", client=False)
    foreign = etcd.etcdctl("get", "key", to="cp-1", pki=stranger.render("cp-1") / "etc/kubernetes/pki")
    known = etcd.etcdctl("get", "key", "--print-value-only", to="cp-1")
    assert (without.returncode, without.stdout) == (1, "")
    assert (foreign.returncode, foreign.stdout) == (1, "")
    assert (known.returncode, known.stdout) == (0, "value\n")
    log = etcd.members["cp-1"].log.read_text()
    assert "tls: client didn't provide a certificate" in log
    assert "x509: certificate signed by unknown authority" in log or "tls: failed to verify certificate" in log


def test_a_killed_member_comes_back_and_a_fourth_joins(etcd: Cluster) -> None:
    etcd.compile(FOUNDERS, bootstrapped=False)
    for name in FOUNDERS:
        etcd.members[name].start()
    etcd.until("put", "before", "1", to="cp-1")
    identity = etcd.cluster_id("cp-1")

    etcd.members["cp-2"].kill()
    etcd.until("put", "without", "2", to="cp-1")
    etcd.compile(FOUNDERS, bootstrapped=True)
    etcd.members["cp-2"].start()
    assert etcd.until("get", "without", "--print-value-only", to="cp-2") == "2\n"

    etcd.compile(MEMBERS, bootstrapped=True)
    etcd.until("member", "add", "cp-4", f"--peer-urls=https://{ADDRESS['cp-4']}:2380", to="cp-1")
    etcd.members["cp-4"].start()
    assert etcd.until("get", "before", "--print-value-only", to="cp-4") == "1\n"
    assert etcd.names("cp-4") == list(MEMBERS)
    assert {etcd.cluster_id(name) for name in MEMBERS} == {identity}


def test_a_founder_that_lost_its_disk_founds_no_second_cluster(etcd: Cluster) -> None:
    etcd.compile(FOUNDERS, bootstrapped=False)
    for name in FOUNDERS:
        etcd.members[name].start()
    etcd.until("put", "key", "value", to="cp-1")
    identity = etcd.cluster_id("cp-1")
    etcd.stop()

    etcd.compile(FOUNDERS, bootstrapped=True)
    etcd.members["cp-3"].wipe()
    etcd.members["cp-3"].start()  # alone: nobody is there whom it could join
    assert etcd.members["cp-3"].ended() != 0
    assert "cannot fetch cluster info from peer urls" in etcd.members["cp-3"].log.read_text()
    assert not (etcd.members["cp-3"].data / "member/wal").exists()

    for name in ("cp-1", "cp-2"):
        etcd.members[name].start()
    assert etcd.until("get", "key", "--print-value-only", to="cp-1") == "value\n"
    etcd.until("member", "remove", member_id(etcd, "cp-3"), to="cp-1")
    etcd.until("member", "add", "cp-3", f"--peer-urls=https://{ADDRESS['cp-3']}:2380", to="cp-1")
    etcd.members["cp-3"].wipe()
    etcd.members["cp-3"].start()
    assert etcd.until("get", "key", "--print-value-only", to="cp-3") == "value\n"
    assert {etcd.cluster_id(name) for name in FOUNDERS} == {identity}


def member_id(cluster: Cluster, name: str) -> str:
    found = json.loads(cluster.until("member", "list", "--write-out=json", to="cp-1"))
    (member,) = [m for m in found["members"] if m.get("name") == name]
    return f"{member['ID']:x}"
