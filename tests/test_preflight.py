"""preflight.sh on machines that the test makes up: in namespaces of their own, with their own /etc, /run and tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from conftest import MakeCluster, kcompile, succeed, tool

SHELLS = {"dash": "dash", "bash": "bash --posix", "busybox": "busybox sh"}
OPTIONS = """
    NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_PIDS CGROUP_SCHED
    CPUSETS MEMCG INET EXT4_FS PROC_FS IP_NF_TARGET_REDIRECT NETFILTER_XT_MATCH_COMMENT FAIR_GROUP_SCHED OVERLAY_FS
""".split()
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SYSTEMCTL = """
case $* in
'cat kubelet.service' | 'is-enabled --quiet kubelet.service') exit 0 ;;
*) exit 3 ;;
esac
"""
TOOLS = {
    "kubelet": "echo Kubernetes v1.36.2",
    "systemctl": SYSTEMCTL,
    "iptables": "",
    "ethtool": "",
    "tc": "",
    "timedatectl": "echo yes",
    "modprobe": "",
    "crictl": "case $* in *pause*) ;; *images*) echo sha256:1 ;; esac",
    "nproc": "echo 4",
    "date": "echo 20270101000000",
    "uname": "case $1 in -s) echo Linux ;; -r) echo 6.1.0-9-test ;; *) echo cp-1 ;; esac",
}
LISTENER = """
import pathlib, select, socket, sys
listening = [socket.create_server((address, int(port))) for address, port in (a.split("=") for a in sys.argv[2:])]
pathlib.Path(sys.argv[1]).touch()
while True:
    for ready in select.select(listening, [], [])[0]:
        ready.accept()[0].close()
"""


class Machine:
    """What a script meets: files in place of the machine's own, and shims first on the PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tools = dict(TOOLS)
        self.addresses = ["10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.10"]
        self.listeners: dict[str, tuple[str, ...]] = {}
        self.commands = ["echo 1 >/proc/sys/net/ipv4/ip_forward"]
        self.write("etc/passwd", "root:x:0:0::/:/bin/sh\n")
        self.write("etc/nsswitch.conf", "hosts: files\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n10.0.0.11 cp-1\n10.0.0.10 api.prod.example.com\n")
        self.write("boot/config-6.1.0-9-test", "".join(f"CONFIG_{name}=y\n" for name in OPTIONS))
        self.write("cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n")
        self.write("swaps", SWAPS)
        self.write("meminfo", "MemTotal:        4028440 kB\nMemFree: 1 kB\n")
        self.write("net/ipv4/ip_forward", "1\n")
        self.write("net/bridge/bridge-nf-call-iptables", "1\n")
        self.write("filesystems", "nodev\tproc\nnodev\toverlay\n")
        shutil.copytree("/etc/alternatives", path / "etc/alternatives", symlinks=True)
        for directory in ("run/systemd/system", "run/containerd", "lib/kubelet", "bin"):
            (path / directory).mkdir(parents=True)
        self.commands.append(f"{tool('python3')} -c \"import socket; socket.socket(1).bind('{self.socket}')\"")
        self.commands.insert(0, "rm -f /run/containerd/containerd.sock")

    socket = "/run/containerd/containerd.sock"

    def write(self, name: str, content: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(content)

    def script(self) -> str:
        """Takes the machine's own places, then runs what it is given."""
        for name, body in self.tools.items():
            self.write(f"bin/{name}", f"#!/bin/sh\n{body}\n")
            (self.path / "bin" / name).chmod(0o755)
        binds = {"etc": "/etc", "run": "/run", "lib": "/var/lib", "boot": "/boot", "cgroup": "/sys/fs/cgroup"}
        binds["net"] = "/proc/sys/net"
        binds |= {name: f"/proc/{name}" for name in ("swaps", "meminfo", "filesystems")}
        lines = ["set -e", *(f"mount --bind {self.path}/{name} {place}" for name, place in binds.items())]
        lines += ["ip link set lo up", *(f"ip addr add {a}/32 dev lo" for a in self.addresses), *self.commands]
        for name, places in self.listeners.items():
            (self.path / "bin" / name).unlink(missing_ok=True)
            shutil.copy(os.path.realpath(tool("python3")), self.path / name)
            ready = self.path / f"{name}-is-ready"
            home = f"PYTHONHOME={Path(os.__file__).parents[2]} LD_LIBRARY_PATH={Path(os.__file__).parents[1]}"
            ready.unlink(missing_ok=True)
            lines.append(f"{home} {self.path}/{name} -c '{LISTENER}' {ready} {' '.join(places)} & pids=\"$pids $!\"")
            lines.append(f"until [ -e {ready} ]; do sleep 0.05; done")
        return "\n".join([*lines, "set +e", '"$@"', "status=$?", '[ -z "$pids" ] || kill $pids', "exit $status"])

    def preflight(self, host: Path, *args: str, shell: str = "dash", env: Mapping[str, str] | None = None) -> Answer:
        tool(SHELLS[shell].split()[0])
        done = subprocess.run(
            [tool("unshare"), "--mount", "--net", "sh", "-c", self.script(), "sh"]
            + [*SHELLS[shell].split(), str(host / "preflight.sh"), *args],
            env={"PATH": f"{self.path}/bin:/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout


Answer = tuple[int, str]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.fixture(scope="session")
def host(examples: Path) -> Path:
    return examples / "out/prod/hosts/cp-1"


def report(answer: Answer, *starts: str) -> list[str]:
    """The lines of a report that are no success, mends included; or those that begin so."""
    lines = answer[1].splitlines()
    return [line for line in lines if line.startswith(starts or ("FAIL", "warn", "     mend"))]


IMAGES = [
    "registry.k8s.io/kube-apiserver:v1.36.2",
    "registry.k8s.io/kube-controller-manager:v1.36.2",
    "registry.k8s.io/kube-scheduler:v1.36.2",
    "registry.k8s.io/kube-proxy:v1.36.2",
    "registry.k8s.io/pause:3.10.2",
    "registry.k8s.io/etcd:3.6.8-0",
]


def refused(what: str, address: str, port: int) -> list[str]:
    return [
        f"warn nothing listens for {what} at {address} port {port}",
        "     mend: right on a first boot; else start it",
    ]


READY = [
    "ok   running as root",
    "ok   the system is Linux",
    "ok   the kernel is 6.1.0-9-test",
    "ok   the kernel has what Kubernetes needs",
    "ok   the kernel module overlay is loaded",
    "ok   the kernel module br_netfilter is loaded",
    "ok   net.ipv4.ip_forward is 1",
    "ok   swap is off",
    "ok   cgroups are version 2",
    "ok   the cgroup controllers are there",
    "ok   systemd runs, and the kubelet leaves cgroups to it",
    *(f"ok   {name} is installed" for name in ("kubelet", "systemctl", "mount", "cp", "losetup")),
    "ok   the kubelet is v1.36.2",
    "ok   kubelet.service is enabled",
    "ok   the container runtime at /run/containerd/containerd.sock answers",
    *(f"ok   the image {image} is here" for image in IMAGES[:4]),
    f"warn the image {IMAGES[4]} is not here",
    f"     mend: the kubelet pulls it; or crictl pull {IMAGES[4]}",
    f"ok   the image {IMAGES[5]} is here",
    "ok   there are 4 CPUs",
    "ok   there are 3934 MiB of memory",
    "ok   this machine has the address 10.0.0.11",
    "ok   the host name is cp-1",
    "ok   cp-1 resolves",
    "ok   the clock is synchronized",
    "ok   the clock is within the life of the certificates",
    *(f"ok   port {port} is free" for port in (10250, 6443, 10257, 10259, 2379, 2380)),
    "ok   /var/lib/etcd is empty",
    *refused("the endpoint", "api.prod.example.com", 6443),
    *refused("the API server of cp-2", "10.0.0.12", 6443),
    *refused("etcd of cp-2", "10.0.0.12", 2379),
    *refused("etcd's peer port of cp-2", "10.0.0.12", 2380),
    *refused("the API server of cp-3", "10.0.0.13", 6443),
    *refused("etcd of cp-3", "10.0.0.13", 2379),
    *refused("etcd's peer port of cp-3", "10.0.0.13", 2380),
    "0 failures, 8 warnings",
]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_machine_that_is_ready(shell: str, machine: Machine, host: Path) -> None:
    code, out = machine.preflight(host, shell=shell)
    assert (out.splitlines(), code) == (READY, 0)


BROKEN = [
    "FAIL the kernel is 4.4.0, and 4.19 is the oldest that will do",
    "     mend: install a newer kernel",
    "FAIL the kernel lacks MEMCG OVERLAY_FS",
    "     mend: use the kernel of a distribution",
    "warn net.ipv4.ip_forward is 0, not 1",
    "     mend: install.sh brings it in /etc/sysctl.d",
    "FAIL swap is on",
    "     mend: swapoff -a and take it out of /etc/fstab, or set failSwapOn: false under kubelet in the spec",
    "FAIL cgroup controllers are missing: memory",
    "     mend: take cgroup_disable= from the kernel command line",
    "warn cgroups of version 2 are whole from kernel 5.8, and this is 4.4.0",
    "     mend: install a newer kernel",
    "FAIL systemd does not run, and the kubelet leaves cgroups to it",
    "     mend: boot with systemd, or set cgroupDriver: cgroupfs under kubelet in the spec",
    "warn iptables is not on the PATH",
    "     mend: install the package that has iptables, where it is wanted",
    "FAIL the kubelet is v1.35.0, and this host is to run v1.36.2",
    "     mend: install kubelet v1.36.2",
    "warn kubelet.service is not enabled",
    "     mend: install.sh enables it; or systemctl enable kubelet",
    "warn firewalld runs",
    "     mend: open the ports 10250 6443 10257 10259 2379 2380, or stop it",
    "FAIL systemd-resolved runs, and pods would get its stub, which they cannot reach",
    "     mend: set resolvConf: /run/systemd/resolve/resolv.conf under kubelet in the spec",
    "FAIL the container runtime at /run/containerd/containerd.sock does not answer: unknown service",
    '     mend: start it; containerd must not have disabled_plugins = ["cri"]',
    *(
        line
        for image in IMAGES
        for line in (f"warn the image {image} is not here", f"     mend: the kubelet pulls it; or crictl pull {image}")
    ),
    "FAIL there is 1 CPU, and a control plane needs 2",
    "     mend: use a larger machine",
    "FAIL there are 976 MiB of memory, and a control plane needs 1700",
    "     mend: use a larger machine",
    "FAIL this machine does not have the address 10.0.0.11",
    "     mend: give it the address, or correct the spec",
    "warn cp-1 does not resolve here",
    "     mend: put 10.0.0.11 cp-1 into /etc/hosts, or into DNS",
    "warn the clock is not known to be synchronized",
    "     mend: timedatectl set-ntp true, or install chrony",
    "FAIL the clock says 20200101000000 (UTC), before the certificates begin at 20261123000000",
    "     mend: set the clock",
    "warn this shell has a proxy",
    "     mend: let no_proxy have 10.96.0.0/16,10.244.0.0/16,10.0.0.11,10.0.0.12,10.0.0.13, and the runtime's and the "
    "kubelet's services too",
    "FAIL port 6443 is in use by nginx, and kube-apiserver needs it",
    "     mend: stop what listens there",
    "FAIL /etc/kubernetes/manifests/etcd.yaml is there, and this host is not installed",
    "     mend: kubeadm reset, or remove it",
    "warn the kubelet runs /etc/kubernetes/manifests/other.yaml too",
    "     mend: remove it if it is none of yours",
    "FAIL /var/lib/etcd has the data of another etcd",
    "     mend: move it away, or let the disk be a new one",
    "FAIL /etc/kubernetes/pki/ca.crt is another cluster's",
    "     mend: kubeadm reset, or remove it",
    "FAIL /var/lib/kubelet/pki/kubelet-client-current.pem is no certificate of this cluster, and install.sh keeps it",
    "     mend: remove /var/lib/kubelet/pki/kubelet-client-current.pem",
    "FAIL the endpoint does not resolve: api.prod.example.com",
    "     mend: put api.prod.example.com into DNS or /etc/hosts",
    *refused("etcd of cp-2", "10.0.0.12", 2379),
    *refused("etcd's peer port of cp-2", "10.0.0.12", 2380),
    *refused("etcd of cp-3", "10.0.0.13", 2379),
    *refused("etcd's peer port of cp-3", "10.0.0.13", 2380),
]


def test_every_failure_is_said_in_one_run(machine: Machine, host: Path) -> None:
    del machine.tools["iptables"]
    machine.tools |= {
        "kubelet": "echo Kubernetes v1.35.0",
        "systemctl": "case $* in *is-enabled*) exit 1 ;; *) exit 0 ;; esac",
        "timedatectl": "echo no",
        "crictl": 'case $* in *info) echo "E1"; echo "unknown service"; exit 1 ;; esac',
        "nproc": "echo 1",
        "date": "echo 20200101000000",
        "uname": "case $1 in -s) echo Linux ;; -r) echo 4.4.0 ;; *) echo cp-1 ;; esac",
    }
    machine.commands[1] = "echo 0 >/proc/sys/net/ipv4/ip_forward"
    machine.addresses.remove("10.0.0.11")
    machine.write("etc/hosts", "127.0.0.1 localhost\n")
    lacking = {"MEMCG", "OVERLAY_FS"}
    machine.write("boot/config-4.4.0", "".join(f"CONFIG_{n}=y\n" for n in OPTIONS if n not in lacking))
    machine.write("cgroup/cgroup.controllers", "cpuset cpu io hugetlb pids rdma\n")
    machine.write("swaps", f"{SWAPS}/dev/zram0  partition 8388604 0 100\n")
    machine.write("meminfo", "MemTotal:        1000000 kB\n")
    (machine.path / "run/systemd/system").rmdir()
    machine.write("etc/kubernetes/manifests/etcd.yaml", "")
    machine.write("etc/kubernetes/manifests/other.yaml", "")
    machine.write("etc/kubernetes/pki/ca.crt", "another\n")
    machine.write("lib/etcd/member/x", "")
    machine.write("lib/kubelet/pki/kubelet-client-current.pem", "another\n")
    machine.listeners = {"nginx": ("0.0.0.0=6443",)}
    answer = machine.preflight(host, env={"https_proxy": "http://proxy:3128"})
    found = report(answer)
    assert (found, answer[0]) == (BROKEN, 1)
    failures = sum(line.startswith("FAIL") for line in found)
    warnings = sum(line.startswith("warn") for line in found)
    assert answer[1].splitlines()[-1] == f"{failures} failures, {warnings} warnings"


def test_a_host_that_runs_already_is_ready(machine: Machine, host: Path) -> None:
    machine.listeners = {
        "kubelet": ("0.0.0.0=10250",),
        "kube-apiserver": ("0.0.0.0=6443",),
        "kube-controller-manager": ("127.0.0.1=10257",),
        "etcd": ("127.0.0.1=2379", "10.0.0.11=2379", "10.0.0.11=2380"),
    }
    del machine.tools["kubelet"]
    machine.write("etc/kubernetes/kubelet.conf", "")
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        machine.write(f"etc/kubernetes/manifests/{name}.yaml", "")
    machine.write("etc/kubernetes/pki/ca.crt", (host / "rootfs/etc/kubernetes/pki/ca.crt").read_text())
    machine.write("lib/etcd/member/x", "")
    code, out = machine.preflight(host)
    wanted = ("ok   port", "ok   /var", "FAIL", "warn port", "warn /")
    assert report((code, out), *wanted) == [
        "FAIL kubelet is not on the PATH",
        "ok   port 10250 is held by this host's own kubelet",
        "ok   port 6443 is held by this host's own kube-apiserver",
        "ok   port 10257 is held by this host's own kube-controller",
        "ok   port 10259 is free",
        "ok   port 2379 is held by this host's own etcd",
        "ok   port 2380 is held by this host's own etcd",
        "ok   /var/lib/etcd is this host's own",
    ]


def test_the_kubelet_s_own_certificate_is_this_node_s(machine: Machine, examples: Path, host: Path) -> None:
    opened = machine.path / "opened"
    for name in ("cp-1", "cp-2"):
        succeed(kcompile("render", examples / "out/prod", name, "--to", opened / name))
    (machine.path / "lib/kubelet/pki").mkdir()
    found = []
    for name in ("cp-1", "cp-2"):
        pem = opened / name / "var/lib/kubelet/pki/kubelet-client-current.pem"
        shutil.copy(pem, machine.path / "lib/kubelet/pki/kubelet-client-current.pem")
        found += report(machine.preflight(host), "ok   /var/lib/kubelet", "FAIL")
    own = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    assert found == [
        f"ok   {own} is this node's",
        f"FAIL {own} is the certificate of another node, and install.sh keeps it",
    ]


@pytest.mark.parametrize(
    ("swaps", "config", "line"),
    [
        (SWAPS, "", "ok   swap is off"),
        (f"{SWAPS}/dev/zram0  partition 8388604 0 100\n", "", "FAIL swap is on"),
        (
            f"{SWAPS}/dev/zram0  partition 8388604 0 100\n",
            "failSwapOn: false\n",
            "ok   swap is on, and the kubelet is configured to run with it",
        ),
        ("", "", "ok   swap is off"),  # a kernel without swap
    ],
)
def test_swap_is_taken_as_the_kubelet_will(
    swaps: str, config: str, line: str, machine: Machine, host: Path, tmp_path: Path
) -> None:
    own = tmp_path / "-host of mine"
    shutil.copytree(host, own)
    with (own / "rootfs/var/lib/kubelet/config.yaml").open("a") as file:
        file.write(config)
    machine.write("swaps", swaps)
    assert report(machine.preflight(own), "ok   swap", "FAIL swap") == [line]


def test_what_install_sh_brings_is_no_failure(machine: Machine, host: Path, tmp_path: Path) -> None:
    own = tmp_path / "cp-1"
    shutil.copytree(host, own)
    for name, text in (("sysctl.d/k.conf", "net.ipv4.ip_forward = 1\n"), ("modules-load.d/k.conf", "overlay\n")):
        (own / "rootfs/etc" / name).parent.mkdir(exist_ok=True)
        (own / "rootfs/etc" / name).write_text(text)
    machine.commands[1] = "echo 0 >/proc/sys/net/ipv4/ip_forward"
    code, out = machine.preflight(own)
    assert (code, report((code, out), "FAIL", "warn net", "warn the kernel")) == (
        0,
        ["warn net.ipv4.ip_forward is 0, not 1"],
    )


@pytest.mark.parametrize(
    ("minor", "config", "line"),
    [
        (34, {}, "warn cgroups are version 1, which Kubernetes no longer develops"),
        (36, {}, "FAIL cgroups are version 1, with which the kubelet does not start"),
        (36, {"failCgroupV1": False}, "warn cgroups are version 1, which Kubernetes no longer develops"),
    ],
)
def test_cgroups_of_version_1(
    minor: int, config: dict[str, bool], line: str, machine: Machine, make_cluster: MakeCluster
) -> None:
    cluster = make_cluster(kubernetesVersion=f"v1.{minor}.1", kubelet=config)
    (machine.path / "cgroup/cgroup.controllers").unlink()
    (machine.path / "cgroup/memory").mkdir()
    found = machine.preflight(cluster.build() / "hosts/cp-1")
    assert report(found, "FAIL cgroups", "warn cgroups") == [line]


@pytest.mark.parametrize("minor", [29, 31, 32])
def test_what_older_kubeadms_ask_for(minor: int, machine: Machine, make_cluster: MakeCluster) -> None:
    cluster = make_cluster(kubernetesVersion=f"v1.{minor}.1")
    machine.tools["uname"] = TOOLS["uname"].replace("cp-1", "cp-9")
    machine.tools["kubelet"] = f"echo Kubernetes v1.{minor}.1"
    machine.write("net/bridge/bridge-nf-call-iptables", "0\n")
    code, out = machine.preflight(cluster.build() / "hosts/cp-1")
    assert (report((code, out), "FAIL"), code) == (
        ["FAIL conntrack is not on the PATH"] if minor < 32 else [],
        1 if minor < 32 else 0,
    )
    bridged = ["warn net.bridge.bridge-nf-call-iptables is 0, not 1"] if minor < 30 else []
    assert report((code, out), "warn net.bridge") == bridged
    assert "ok   the host name is cp-9, and the kubelet is told to be cp-1" in out.splitlines()


@pytest.mark.parametrize("loadable", [True, False])
def test_a_module_that_install_sh_could_not_load_is_a_failure(loadable: bool, machine: Machine, host: Path) -> None:
    shutil.rmtree(machine.path / "net/bridge")
    machine.tools["modprobe"] = '[ "$*" = "-n br_netfilter" ]' if loadable else "exit 1"
    answer = machine.preflight(host)
    found = "warn the kernel module br_netfilter is not loaded"
    cannot = "FAIL the kernel module br_netfilter is not loaded and cannot be, and install.sh loads it"
    assert (answer[0], report(answer, "warn the kernel", "FAIL")) == ((0, [found]) if loadable else (1, [cannot]))


def test_without_curl_busybox_s_nc_is_asked(machine: Machine, make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        controlPlaneEndpoint="nowhere.example.com:6443",
        controlPlane={"nodes": [{"name": f"cp-{n}", "address": f"10.0.0.1{n}"} for n in (1, 2)]},
        etcd={"external": {"endpoints": ["http://10.0.0.9:2379"]}},
    )
    machine.listeners = {"elsewhere": ("10.0.0.12=6443",)}
    folder = cluster.build() / "hosts/cp-1"
    machine.tools["nc"] = f'exec {tool("busybox")} nc "$@"'
    for name in ("grep", "sed", "awk", "cat", "id", "ls", "tail", "head", "tr", "cut", "wc", "mount", "ip", "sleep"):
        machine.tools.setdefault(name, f'exec {tool(name)} "$@"')
    for name in ("dash", "touch", "rm", "sh", "kill", "dirname", "cmp", "gzip", "nslookup"):
        machine.tools.setdefault(name, f'exec {shutil.which(name) or "/bin/false"} "$@"')
    answer = machine.preflight(folder, env={"PATH": f"{machine.path}/bin"})
    assert report(answer, "FAIL the endpoint", "ok   the API server of", "warn nothing") == [
        "FAIL the endpoint does not resolve: nowhere.example.com",
        "ok   the API server of cp-2 is reached at 10.0.0.12 port 6443",
        "warn nothing listens for etcd at 10.0.0.9 port 2379",
    ]


OLDER = "ebtables ethtool socat tc touch"


@pytest.mark.parametrize(
    ("minor", "needed", "wanted"),
    [
        (28, "mount iptables ip conntrack nsenter crictl", OLDER),
        (30, "mount iptables ip conntrack nsenter crictl", OLDER),
        (31, "mount iptables ip conntrack nsenter", f"{OLDER} crictl"),
        (32, "mount iptables ip nsenter", "ethtool tc touch crictl"),
        (33, "mount cp losetup", "iptables ip crictl"),
        (37, "mount cp losetup", "iptables ip crictl"),
    ],
)
def test_programs_are_those_of_the_minor(minor: int, needed: str, wanted: str, make_cluster: MakeCluster) -> None:
    tree = make_cluster(kubernetesVersion=f"v1.{minor}.0").build()
    lines = (tree / "hosts/cp-1/preflight.sh").read_text().splitlines()
    assert [line for line in lines if line.startswith("for tool in ")] == [
        f"for tool in kubelet systemctl {needed}; do",
        f"for tool in {wanted} curl openssl; do",
    ]


def test_files_of_an_etcd_elsewhere_have_to_be_there(machine: Machine, make_cluster: MakeCluster) -> None:
    files = {f"{name}File": f"/etc/external etcd/{name}.pem" for name in ("ca", "cert", "key")}
    cluster = make_cluster(etcd={"external": {"endpoints": ["https://10.0.0.9:2379"], **files}})
    machine.write("etc/external etcd/ca.pem", "")
    answer = machine.preflight(cluster.build() / "hosts/cp-1")
    assert (report(answer, "FAIL", "ok   /etc/external"), answer[0]) == (
        [
            "ok   /etc/external etcd/ca.pem, for the etcd elsewhere, is there",
            "FAIL /etc/external etcd/cert.pem, for the etcd elsewhere, is not there",
            "FAIL /etc/external etcd/key.pem, for the etcd elsewhere, is not there",
        ],
        1,
    )


def test_files_that_flags_and_volumes_name_are_missed(machine: Machine, make_cluster: MakeCluster) -> None:
    volumes = [
        {"name": "audit", "hostPath": "/etc/au dit", "mountPath": "/audit", "readOnly": True},
        {"name": "logs", "hostPath": "/var/lib/logs", "mountPath": "/logs", "pathType": "DirectoryOrCreate"},
        {"name": "plugin", "hostPath": "/run/kms.sock", "mountPath": "/run/kms.sock", "pathType": "Socket"},
    ]
    args = {
        "audit-policy-file": "/audit/policy.yaml",
        "audit-webhook-config-file": "/audit/webhook.yaml",
        "audit-log-path": "/logs/audit.log",
    }
    cluster = make_cluster(apiServer={"extraArgs": args, "extraVolumes": volumes})
    machine.write("etc/au dit/policy.yaml", "")
    answer = machine.preflight(cluster.build() / "hosts/cp-1")
    names = ("/etc/au", "/var/lib/logs", "/run/kms")
    assert report(answer, *(f"{word} {name}" for word in ("ok  ", "warn", "FAIL") for name in names)) == [
        "warn /run/kms.sock, which the volume plugin of the API server names, is not there",
        "ok   /etc/au dit/policy.yaml, which --audit-policy-file of the API server names, is there",
        "warn /etc/au dit/webhook.yaml, which --audit-webhook-config-file of the API server names, is not there",
    ]


def test_a_worker_is_asked_less_and_an_existing_cluster_is_to_be_there(
    machine: Machine, make_cluster: MakeCluster
) -> None:
    cluster = make_cluster(
        controlPlane={"bootstrapped": True, "nodes": [{"name": "cp-1", "address": "10.0.0.10"}]},
        nodePools=[{"name": "p", "credentials": "issued", "nodes": [{"name": "w-1", "address": "10.0.0.11"}]}],
    )
    machine.tools |= {"nproc": "echo 1", "uname": TOOLS["uname"].replace("cp-1", "w-1")}
    tree = cluster.build()
    code, out = machine.preflight(tree / "hosts/w-1")
    assert (code, report((code, out), "FAIL", "ok   port", "ok   there")) == (
        1,
        ["ok   port 10250 is free", "FAIL nothing listens for the endpoint at 10.0.0.10 port 6443"],
    )
    machine.listeners = {"elsewhere": ("10.0.0.10=6443",)}
    code, out = machine.preflight(tree / "hosts/w-1")
    assert (code, report((code, out), "FAIL", "ok   the endpoint")) == (
        0,
        ["ok   the endpoint is reached at 10.0.0.10 port 6443"],
    )


HOSTILE = 'v1"\\\n\x01\x1b[31mü\xff</script>$(id)`id`'


@pytest.mark.parametrize("shell", SHELLS)
def test_json_holds_what_the_text_says(shell: str, machine: Machine, host: Path) -> None:
    machine.tools["kubelet"] = f"printf 'Kubernetes %s' '{HOSTILE}'".replace("`", "")
    machine.tools["crictl"] = f"printf '%s' '{HOSTILE}'; exit 1".replace("`", "")
    text = machine.preflight(host, shell=shell)
    code, out = machine.preflight(host, "--format", "json", shell=shell)
    found = json.loads(out)
    words = {"ok": "ok   ", "warning": "warn ", "failure": "FAIL "}
    lines: list[str] = []
    for check in found["checks"]:
        assert list(check) == ["check", "status", "message", *(["mend"] if check["status"] != "ok" else [])]
        lines.append(words[check["status"]] + check["message"])
        lines += [f"     mend: {check['mend']}"] if "mend" in check else []
    assert (code, text[0], list(found), found["host"]) == (1, 1, ["host", "checks", "failures", "warnings"], "cp-1")
    assert [*lines, f"{found['failures']} failures, {found['warnings']} warnings"] == text[1].splitlines()
    (kubelet,) = [c["message"] for c in found["checks"] if c["check"] == "kubelet"]
    assert kubelet.startswith('the kubelet is v1"\\')
    assert out.isascii()


@pytest.mark.parametrize("args", [["--format"], ["--format", "xml"], ["now"]], ids=" ".join)
def test_a_wrong_command_line_is_2(args: Sequence[str], host: Path) -> None:
    done = subprocess.run(["sh", host / "preflight.sh", *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (
        2,
        "",
        "usage: preflight.sh [--format text|json]",
    )


def test_who_is_not_root_is_told(examples: Path) -> None:
    folder = Path("/tmp")
    script = (examples / "out/prod/hosts/w-1/preflight.sh").read_text()
    done = subprocess.run(
        [tool("unshare"), "--user", "sh", "-s"], input=script, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[:2] == ["FAIL not running as root", "     mend: sudo sh preflight.sh"]


def test_the_spec_s_own_values_are_quoted(machine: Machine, make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        etcd={"local": {"dataDir": "/var/lib/`touch pwned` 'x\"y"}},
    )
    code, out = machine.preflight(cluster.build() / "hosts/cp-1", "--format", "json")
    messages = [check["message"] for check in json.loads(out)["checks"]]
    assert code == 0
    assert "/var/lib/`touch pwned` 'x\"y is empty" in messages
    assert not Path("pwned").exists()


def test_the_kernel_s_defaults_are_looked_at_where_the_kubelet_insists(
    machine: Machine, make_cluster: MakeCluster
) -> None:
    cluster = make_cluster(kubelet={"protectKernelDefaults": True})
    machine.write("panic", "77\n")
    machine.commands.append(f"mount --bind {machine.path}/panic /proc/sys/kernel/panic")
    tree = cluster.build()
    assert yaml.safe_load((tree / "hosts/cp-1/rootfs/var/lib/kubelet/config.yaml").read_text())["protectKernelDefaults"]
    assert report(machine.preflight(tree / "hosts/cp-1"), "FAIL kernel.panic ") == ["FAIL kernel.panic is 77, not 10"]
