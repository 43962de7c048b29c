"""Flags and feature gates that the components of a minor do not have.

The tables are long and most specs set few flags: they are loaded when one is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kcompile import names, versions
from kcompile.errors import Path, Problem, Severity
from kcompile.rules.places import components, levels
from kcompile.spec import Cluster
from kcompile.versions.table import tag_of_patch

if TYPE_CHECKING:
    from kcompile.versions.component_flags import EtcdFlag, Flag
    from kcompile.versions.component_gates import Gate


def _minor(cluster: Cluster) -> int:
    return names.minor_version(cluster.spec.kubernetes_version)


@dataclass(frozen=True)
class _Given:
    """A flag of a spec: where, of which component, its values; and the version of a kubelet that has its own."""

    path: Path
    component: str
    name: str
    values: tuple[str, ...]
    version: str | None = None

    def minor(self, cluster: Cluster) -> int:
        """The component's minor."""
        return names.minor_version(self.version or cluster.spec.kubernetes_version)


def _flags(cluster: Cluster) -> Iterator[_Given]:
    """Every flag of a spec."""
    for component, place, settings in components(cluster):
        for flag, values in settings.extra_args.items():
            yield _Given((*place, "extraArgs", flag), component, flag, values)
    for place, level in levels(cluster):
        for flag, values in level.node_registration.kubelet_extra_args.items():
            where: Path = (*place, "nodeRegistration", "kubeletExtraArgs", flag)
            yield _Given(where, "kubelet", flag, values, level.kubelet_version)


def _table(component: str) -> Mapping[str, Flag]:
    from kcompile.versions.component_flags import FLAGS

    return FLAGS[component]


def _etcd_table() -> Mapping[str, EtcdFlag]:
    from kcompile.versions.component_flags import ETCD_FLAGS

    return ETCD_FLAGS


def _gate_table() -> tuple[Mapping[str, Gate], int]:
    """The gates, and the last minor of which every one is known."""
    from kcompile.versions.component_gates import COMPLETE_UP_TO, GATES

    return GATES, COMPLETE_UP_TO


def flags_that_are_gone(cluster: Cluster) -> Iterator[Problem]:
    """A component does not start with a flag that it no longer has."""
    for flag in _flags(cluster):
        known, called = _table(flag.component).get(flag.name), f"{flag.component} has no flag --{flag.name}"
        if known is not None and known.until is not None and flag.minor(cluster) >= known.until:
            yield _gone(f"{called} since v1.{known.until}", flag.path, known.instead)


def flags_that_come_later(cluster: Cluster) -> Iterator[Problem]:
    """A component does not start with a flag that only a later minor brings."""
    for flag in _flags(cluster):
        known = _table(flag.component).get(flag.name)
        if known is not None and flag.minor(cluster) < known.since:
            this = f"this is v1.{flag.minor(cluster)}"
            yield _later(f"{flag.component} has the flag --{flag.name} from v1.{known.since} on, and {this}", flag.path)


_UNKNOWN = "leave it out, or see in the component's --help that it is there: then it is passed on as it is"


def flags_that_nobody_knows(cluster: Cluster) -> Iterator[Problem]:
    """A misspelled flag keeps a component from starting; a flag newer than the table is none."""
    for flag in _flags(cluster):
        if flag.name not in _table(flag.component):
            hint = _did_you_mean(flag.name, _table(flag.component))
            message = f"{flag.component} is not known to have a flag --{flag.name}"
            yield Problem("K0626", message, flag.path, hint, Severity.WARNING, at_key=True)


def _gone(message: str, path: Path, instead: str | None) -> Problem:
    return Problem("K0624", message, path, f"use {instead}" if instead else "leave it out", at_key=True)


def _later(message: str, path: Path) -> Problem:
    return Problem("K0625", message, path, "leave it out until then", Severity.WARNING, at_key=True)


def _did_you_mean(flag: str, table: Mapping[str, Flag] | Mapping[str, EtcdFlag]) -> str:
    """The flag that a misspelled one was meant to be; of one that goes away, what to do instead."""
    close = names.nearest(flag, table)
    if close is None:
        return _UNKNOWN
    if table[close].until is None:
        return f"did you mean {close}?"
    instead = table[close].instead
    return f"if you mean {close}: {f'use {instead}' if instead else 'leave it out'}"


_ETCD: Path = ("spec", "etcd", "local")


def _etcd_flags(cluster: Cluster) -> tuple[str, ...]:
    local = cluster.spec.etcd.local
    return tuple(local.extra_args) if local is not None else ()


def _etcd_version(cluster: Cluster) -> tuple[int, int] | None:
    """The etcd that runs: its image's tag says it, or the table of the minor."""
    local, minor = cluster.spec.etcd.local, _minor(cluster)
    if local is not None and local.image_tag is not None:
        return names.etcd_version(local.image_tag)
    if minor not in versions.supported_minors():
        return None
    tags = versions.for_minor(minor).etcd_tags
    return names.etcd_version(tag_of_patch(tags, names.patch_version(cluster.spec.kubernetes_version)))


def etcd_flags_that_are_gone(cluster: Cluster) -> Iterator[Problem]:
    """The same of etcd's flags, by the etcd that runs."""
    for flag in _etcd_flags(cluster):
        known, version = _etcd_table().get(flag), _etcd_version(cluster)
        if known is not None and known.until is not None and version is not None and version >= known.until:
            message = f"etcd has no flag --{flag} since {_dotted(known.until)}, and this is {_dotted(version)}"
            yield _gone(message, (*_ETCD, "extraArgs", flag), known.instead)


def etcd_flags_that_come_later(cluster: Cluster) -> Iterator[Problem]:
    """The same of etcd's flags, by the etcd that runs."""
    for flag in _etcd_flags(cluster):
        known, version = _etcd_table().get(flag), _etcd_version(cluster)
        if known is not None and version is not None and version < known.since:
            message = f"etcd has the flag --{flag} from {_dotted(known.since)} on, and this is {_dotted(version)}"
            yield _later(message, (*_ETCD, "extraArgs", flag))


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def etcd_flags_that_nobody_knows(cluster: Cluster) -> Iterator[Problem]:
    """The same of etcd's flags, of all its versions."""
    for flag in _etcd_flags(cluster):
        if flag not in _etcd_table():
            message, path = f"etcd is not known to have a flag --{flag}", (*_ETCD, "extraArgs", flag)
            hint = _did_you_mean(flag, _etcd_table())
            yield Problem("K0629", message, path, hint, Severity.WARNING, at_key=True)


def _gates(cluster: Cluster) -> Iterator[tuple[Path, str, Any, int]]:
    """Every feature gate of a component: where, its name, what it is set to, and the component's minor."""
    for flag in _flags(cluster):
        if flag.name == "feature-gates":
            for pair in (pair.strip() for value in flag.values for pair in value.split(",") if pair.strip()):
                name, _, text = pair.removeprefix("kube:").partition("=")
                yield flag.path, name.strip(), text.strip().lower() not in ("false", "f", "0"), flag.minor(cluster)
    spec, minor = cluster.spec, _minor(cluster)
    places: list[tuple[Path, Mapping[str, Any], int]] = [
        (("spec", "kubelet"), spec.kubelet, minor),
        (("spec", "kubeProxy"), spec.kube_proxy, minor),
    ]
    for path, level in levels(cluster):
        own = names.minor_version(level.kubelet_version) if level.kubelet_version else minor
        places.append(((*path, "kubelet"), level.kubelet, own))
    for place, fields, own in places:
        gates = fields.get("featureGates")
        for name, on in gates.items() if isinstance(gates, Mapping) else ():
            yield (*place, "featureGates", name), name, on, own


def gates_that_are_unknown(cluster: Cluster) -> Iterator[Problem]:
    """A component does not start with a feature gate that it does not know."""
    for path, name, _, minor in _gates(cluster):
        gates, complete_up_to = _gate_table()
        gate = gates.get(name)
        close = names.nearest(name, gates, _MISTYPED if minor > complete_up_to else None) if gate is None else None
        hint = f"did you mean {close}?" if close else "leave it out, or correct its name"
        if not name:
            yield _of_gate("K0627", "a feature gate without its name", path, name, "write Name=true")
        elif gate is None and minor <= complete_up_to:
            yield _of_gate("K0627", f"v1.{minor} has no feature gate {name}", path, name, hint)
        elif close is not None:
            yield _of_gate("K0627", f"v1.{minor} is not known to have a feature gate {name}", path, name, hint)
        elif gate is not None and gate.until is not None and minor >= gate.until:
            message = f"v1.{minor} has no feature gate {name}: it went with v1.{gate.until}"
            yield _of_gate("K0627", message, path, name, "leave it out")
        elif gate is not None and minor < gate.since:
            message = f"v1.{minor} has no feature gate {name}: it came with v1.{gate.since}"
            yield _of_gate("K0627", message, path, name, "leave it out until then")


def _of_gate(code: str, message: str, path: Path, name: str, hint: str | None) -> Problem:
    """A warning about a gate: of a mapping its key is shown, and of a flag's value the word."""
    within = name if path[-1] != name else None
    return Problem(code, message, path, hint, Severity.WARNING, at_key=True, within=within)


def gates_that_are_locked(cluster: Cluster) -> Iterator[Problem]:
    """A component does not start with a gate turned off that it has locked."""
    for path, name, on, minor in _gates(cluster):
        gate = _gate_table()[0].get(name)
        if gate is None or gate.locked is None or on is not False:
            continue
        if gate.locked <= minor < (gate.until or minor + 1):
            message = f"{name} is locked to its default since v1.{gate.locked}"
            yield _of_gate("K0628", message, path, name, "leave it out")


_MISTYPED = 93
"""Of a hundred, how much a gate has in common with a known one to be taken for it although there may be new ones."""

RULES = (
    flags_that_are_gone,
    flags_that_come_later,
    flags_that_nobody_knows,
    etcd_flags_that_are_gone,
    etcd_flags_that_come_later,
    etcd_flags_that_nobody_knows,
    gates_that_are_unknown,
    gates_that_are_locked,
)
