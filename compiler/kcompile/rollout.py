"""The order in which a change reaches a running cluster, and what to wait for in between.

Sources: Kubernetes' version skew policy; kubeadm's order of an upgrade (control plane, then kubelets); etcd's advice
to change one member at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kcompile import names
from kcompile.diff import CLUSTER, Change, Tree, natural
from kcompile.errors import Position, Problem
from kcompile.impact import API_SERVER, ETCD, KUBELET, restarts

_OLDEST_KUBELET = 3
"""How many minors a kubelet may be behind its API server."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One step: what is done, on which hosts, and what has to be true before the next one."""

    title: str
    hosts: tuple[str, ...]
    does: tuple[str, ...]
    wait: tuple[str, ...] = ()
    one_at_a_time: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """The waves in their order, and the rules that the change breaks."""

    waves: tuple[Wave, ...]
    problems: tuple[Problem, ...] = ()


_RIGHTS = ("Role ", "ClusterRole ", "RoleBinding ", "ClusterRoleBinding ")
_ETCD_HEALTHY = "`etcdctl endpoint health --cluster` is healthy for every member"
_READY = "`kubectl get --raw '/readyz'` on that host answers ok"
_NODES = "each Node is Ready"


def plan(before: Tree, after: Tree, changes: Sequence[Change], pools: Mapping[str, str]) -> Rollout:
    """The waves of a change from one tree to another. ``pools`` says which pool a worker is in, where that is known."""
    by_host: dict[str, dict[str, None]] = {}
    touched: dict[str, None] = {}
    for change in changes:
        if change.where == "hosts" and _installed(change):
            for host in change.hosts:
                touched[host] = None
                by_host.setdefault(host, {}).update(dict.fromkeys(restarts(change)))
    of = _Plan(before, after, by_host, touched, pools)
    waves = (
        *_rights(changes),
        *of.control_plane(),
        *of.removed_control_plane(),  # first: etcd takes no member while one is there that the spec no longer has
        *of.new_control_plane(),
        *_objects(changes),
        *of.kubelets_of_the_control_plane(),
        *of.workers(),
        *of.new_workers(),
        *of.removed_workers(),
    )
    return Rollout(tuple(_merged(waves)), (*skew(before, after), *_authorities(after, changes), *of.several_members()))


def _authorities(after: Tree, changes: Iterable[Change]) -> Iterator[Problem]:
    """An authority cannot be exchanged in one step: hosts with the old one do not believe those with the new."""
    for change in changes:
        if (change.kind, change.subject, change.action) == ("certificate", "key", "changed"):
            for path in change.paths:
                if path.endswith("ca.crt"):
                    message = f"{path} is another authority, and while hosts have one or the other none of them agree"
                    hint = "roll it out as `trusted` first; a cluster that does not run yet needs no order"
                    yield Problem("K1024", message, hint=hint, position=Position(after.name, 1, 1))


def _installed(change: Change) -> bool:
    """Whether install.sh brings something to the hosts that have it already."""
    beside = set(change.paths) <= {"preflight.sh", "install.sh", "join.sh", "etcd-member.sh", "ready.sh", "host.json"}
    return change.kind not in ("host", "recipient") and change.subject != "seal" and not beside


def _merged(waves: Iterable[Wave]) -> Iterator[Wave]:
    """Neighbouring waves that are alike but for the host as one, on one host at a time."""
    last: Wave | None = None
    for wave in waves:
        if last is not None and last.one_at_a_time and replace(wave, hosts=last.hosts) == last:
            last = replace(last, hosts=last.hosts + wave.hosts)
            continue
        if last is not None:
            yield last
        last = wave
    if last is not None:
        yield last


def _minor(version: str | None) -> int | None:
    try:
        return names.minor_version(names.kubernetes_version(version)) if version else None
    except names.Invalid:
        return None


@dataclass(frozen=True, slots=True)
class _Plan:
    before: Tree
    after: Tree
    by_host: Mapping[str, Mapping[str, None]]
    touched: Mapping[str, None]
    pools: Mapping[str, str]

    def _upgraded(self, host: str) -> str | None:
        """The version of the kubelet that a host gets, if it is another one."""
        was, now = self.before.kubelet_version(host), self.after.kubelet_version(host)
        return now if was != now else None

    def _both(self, *, control_plane: bool) -> list[str]:
        there = set(self.before.hosts)
        return [h for h in self.after.hosts if h in there and self.after.is_control_plane(h) is control_plane]

    def control_plane(self) -> Iterator[Wave]:
        """Hosts on which etcd or the API server restarts, each alone; then the others together."""
        rest = []
        for host in self._both(control_plane=True):
            own = self.by_host.get(host, {})
            if ETCD in own or API_SERVER in own:
                wait = (*((_ETCD_HEALTHY,) if ETCD in own else ()), _READY)
                yield Wave("control plane", (host,), _installing(own), wait, one_at_a_time=True)
            elif host in self.touched:
                rest.append(host)
        for pods, hosts in _alike(rest, self.by_host):
            wait = ("what restarted is Ready",) if pods else ()
            yield Wave("control plane", hosts, _installing(pods), wait, one_at_a_time=bool(pods))

    def new_control_plane(self) -> Iterator[Wave]:
        """Hosts that join the control plane, each alone."""
        there = set(self.before.hosts)
        for host in self.after.hosts:
            if host not in there and self.after.is_control_plane(host):
                has_etcd = self._has_etcd(self.after, host)
                adding = (
                    ("run install.sh --no-start", "run etcd-member.sh add")
                    if has_etcd and there
                    else ("run install.sh",)
                )
                wait = (*((_ETCD_HEALTHY,) if has_etcd else ()), _READY)
                yield Wave("new control-plane host", (host,), adding, wait, one_at_a_time=True)

    def kubelets_of_the_control_plane(self) -> Iterator[Wave]:
        """Once every API server is new: a kubelet is never newer than one that it may talk to."""
        title = "kubelets of the control plane"
        yield from self._kubelets(title, self._both(control_plane=True), one_at_a_time=True)

    def _kubelets(self, title: str, hosts: Sequence[str], *, one_at_a_time: bool = False) -> Iterator[Wave]:
        versions: dict[str, list[str]] = {}
        for host in hosts:
            if version := self._upgraded(host):
                versions.setdefault(version, []).append(host)
        for version, found in versions.items():
            few = "" if one_at_a_time else ", as many at once as the workloads can spare"
            does = (
                f"drain the node{few}",
                f"install the package of kubelet {version}",
                "run install.sh",
                "uncordon it",
            )
            wait = (f"the Node is Ready and reports {version}",)
            yield Wave(title, tuple(found), does, wait, one_at_a_time)

    def workers(self) -> Iterator[Wave]:
        """Pool by pool: those with another kubelet drained, the others as they are."""
        by_pool: dict[str, list[str]] = {}
        for host in self._both(control_plane=False):
            if host in self.touched or self._upgraded(host):
                by_pool.setdefault(self._title(host), []).append(host)
        for title, hosts in by_pool.items():
            yield from self._kubelets(title, hosts)
            rest = [host for host in hosts if not self._upgraded(host)]
            for pods, alike in _alike(rest, self.by_host):
                wait = (_NODES,) if KUBELET in pods else ()
                yield Wave(title, alike, _installing(pods), wait)

    def _title(self, host: str) -> str:
        pool = self.pools.get(host)
        return f"pool {pool}" if pool else "workers"

    def new_workers(self) -> Iterator[Wave]:
        """Machines that join."""
        there = set(self.before.hosts)
        new = tuple(h for h in self.after.hosts if h not in there and not self.after.is_control_plane(h))
        if new:
            yield Wave("new workers", new, ("run join.sh",), (_NODES,))

    def several_members(self) -> Iterator[Problem]:
        """Etcd starts only with a list of members that is the cluster's to the letter: one can be added at a time."""
        there = set(self.before.hosts)
        new = [host for host in self.after.hosts if host not in there and self._has_etcd(self.after, host)]
        if there and len(new) > 1:
            message = f"{' and '.join(new)} are new members of etcd, which takes one at a time"
            hint = (
                "declare one, build, and roll that out before the next; a cluster that does not run yet needs no order"
            )
            yield Problem("K1025", message, hint=hint, position=Position(self.after.name, 1, 1))

    @staticmethod
    def _has_etcd(tree: Tree, host: str) -> bool:
        return f"hosts/{host}/rootfs/etc/kubernetes/manifests/etcd.yaml" in tree.files

    def _gone(self, *, control_plane: bool) -> list[str]:
        kept = set(self.after.hosts)
        return [h for h in self.before.hosts if h not in kept and self.before.is_control_plane(h) is control_plane]

    def removed_workers(self) -> Iterator[Wave]:
        """Workers that leave, together."""
        workers = tuple(self._gone(control_plane=False))
        if workers:
            does = ("drain the nodes", "`kubectl delete node`", "stop their kubelets")
            yield Wave("removed workers", workers, does, ("their pods run elsewhere",))

    def removed_control_plane(self) -> Iterator[Wave]:
        """Members of etcd that leave, each alone."""
        for host in self._gone(control_plane=True):
            has_etcd = self._has_etcd(self.before, host)
            member = (f"run etcd-member.sh remove {host} on another",) if has_etcd else ()
            does = ("drain the node", *member, "`kubectl delete node`", "stop its kubelet")
            wait = (_ETCD_HEALTHY,) if has_etcd else ()
            yield Wave("removed control-plane host", (host,), does, wait, one_at_a_time=True)


def _installing(pods: Iterable[str]) -> tuple[str, ...]:
    return ("run install.sh", *(f"{name} restarts" for name in sorted(pods)))


def _alike(
    hosts: Iterable[str], by_host: Mapping[str, Mapping[str, None]]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Hosts on which the same restarts."""
    found: dict[tuple[str, ...], list[str]] = {}
    for host in hosts:
        found.setdefault(tuple(sorted(by_host.get(host, {}))), []).append(host)
    for pods, alike in found.items():
        yield pods, tuple(sorted(alike, key=natural))


def _rights(changes: Sequence[Change]) -> Iterator[Wave]:
    """What components of the new tree may do has to be granted before they run."""
    granted = tuple(
        f"`kubectl apply` of {path}"
        for change in changes
        for path in change.paths
        if change.kind == "object" and change.action == "added" and path.startswith(_RIGHTS)
    )
    if granted and any(restarts(change) for change in changes):
        yield Wave("new rights", (), granted)


def _objects(changes: Sequence[Change]) -> Iterator[Wave]:
    inside = [c for c in changes if c.where == CLUSTER and c.kind != "recipient" and c.subject != "seal"]
    inside = [c for c in inside if c.paths != ("cluster/bootstrap.sh",)]  # that is run where it is needed
    marks = [c for c in inside if c.paths[0].endswith(".sh")]
    gone = [path for c in inside if c.kind == "object" and c.action == "removed" for path in c.paths]
    applied = [c for c in inside if c not in marks and not (c.kind == "object" and c.action == "removed")]
    does = (
        *(("`kubectl apply -k` of the cluster's objects",) if applied else ()),
        *(f"delete {name}" for name in gone),
        *(("run mark-control-plane.sh",) if marks else ()),
    )
    if does:
        yield Wave("objects of the cluster", (), does, ("rolled-out workloads are available",) if applied else ())


def skew(before: Tree, after: Tree) -> Iterator[Problem]:
    """What the version skew policy does not allow: of the new tree, and on the way to it."""
    position = Position(after.name, 1, 1)

    def problem(message: str, hint: str) -> Problem:
        return Problem("K1022", message, hint=hint, position=position)

    was, now = _minor(before.kubernetes_version), _minor(after.kubernetes_version)
    if was is None or now is None:
        return
    if now < was:
        message = f"{before.kubernetes_version} to {after.kubernetes_version}: a control plane does not go back"
        yield problem(message, "restore a backup of etcd into a new cluster instead")
    elif now > was + 1:
        message = f"{before.kubernetes_version} to {after.kubernetes_version}: Kubernetes goes up one minor at a time"
        yield problem(message, "build and roll out the minor between first")
    newer, far = [], []
    for host in after.hosts:
        kubelet = _minor(after.kubelet_version(host))
        if kubelet is not None and kubelet > now:
            newer.append(host)
        standing = _minor(before.kubelet_version(host)) if host in before.hosts else kubelet
        if standing is not None and now - standing > _OLDEST_KUBELET:
            far.append(host)
    if newer:
        yield problem(f"the kubelet of {', '.join(newer)} would be newer than the API server", "upgrade it first")
    if far:
        message = f"the kubelet of {', '.join(far)} is more than three minors behind {after.kubernetes_version}"
        yield problem(message, "upgrade the kubelets of the tree that stands first")
