"""Version, component flags, etcd, patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import configuration_fields, names, versions
from kcompile.configuration_fields import Kind
from kcompile.errors import Path, Problem, Severity
from kcompile.rules.nodes import levels
from kcompile.spec import Cluster

_OWNED = {
    "apiServer": (
        "client-ca-file",
        "etcd-cafile",
        "etcd-certfile",
        "etcd-keyfile",
        "kubelet-client-certificate",
        "kubelet-client-key",
        "proxy-client-cert-file",
        "proxy-client-key-file",
        "requestheader-client-ca-file",
        "service-account-key-file",
        "service-account-signing-key-file",
        "service-cluster-ip-range",
        "tls-cert-file",
        "tls-private-key-file",
    ),
    "controllerManager": (
        "client-ca-file",
        "cluster-signing-cert-file",
        "cluster-signing-key-file",
        "kubeconfig",
        "requestheader-client-ca-file",
        "root-ca-file",
        "service-account-private-key-file",
    ),
    "scheduler": ("kubeconfig",),
}
"""Flags that name what kcompile compiles: another value leaves the component without its own files."""
_OWNED_ETCD = ("cert-file", "data-dir", "key-file", "name", "peer-cert-file", "peer-key-file", "trusted-ca-file")


def version(cluster: Cluster) -> Iterator[Problem]:
    """The version must have a table, and the patch must exist."""
    path: Path = ("spec", "kubernetesVersion")
    text = cluster.spec.kubernetes_version
    minors = versions.supported_minors()
    supported = f"supported are v1.{minors[0]} to v1.{minors[-1]}"
    minor = names.minor_version(text)
    if minor not in minors:
        yield Problem(f"{text} is not supported", path, supported)
        return
    latest = versions.for_minor(minor).latest_patch
    if latest is not None and names.patch_version(text) > latest:
        yield Problem(f"{text} does not exist: v1.{minor} ended with v1.{minor}.{latest}", path, supported)


def feature_gates(cluster: Cluster) -> Iterator[Problem]:
    """Gates of kubeadm's own, which it refuses when it does not know them; the components have flags for theirs."""
    spec = cluster.spec
    minor = names.minor_version(spec.kubernetes_version)
    if minor not in versions.supported_minors():
        return
    table = versions.for_minor(minor)
    known = sorted(table.feature_gates)
    for gate, on in spec.feature_gates.items():
        path: Path = ("spec", "featureGates", gate)
        if gate not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            hint = f"it {has}; gates of a component go to its extraArgs, as feature-gates"
            yield Problem(f"kubeadm v1.{minor} has no feature gate {gate}", path, hint)
        elif gate in table.locked_gates and not on:
            yield Problem(f"{gate} is locked to true in v1.{minor}", path, "leave it out")
        elif gate == "RootlessControlPlane" and on:
            message = "RootlessControlPlane runs the control plane as users that kubeadm makes on each host"
            yield Problem(message, path, "leave it out, and set users with patches")
    algorithm = spec.pki.encryption_algorithm
    if "encryption_algorithm" in spec.pki.model_fields_set and spec.key_algorithm != algorithm:
        message = f"PublicKeysECDSA makes keys {spec.key_algorithm}, and pki.encryptionAlgorithm says {algorithm}"
        yield Problem(message, ("spec", "featureGates", "PublicKeysECDSA"), "keep one of them")


def component_configurations(cluster: Cluster) -> Iterator[Problem]:
    """Fields that the components know, with values that they can read."""
    spec = cluster.spec
    places: list[tuple[Path, Kind, Mapping[str, Any]]] = [
        (("spec", "kubelet"), "KubeletConfiguration", spec.kubelet),
        (("spec", "kubeProxy"), "KubeProxyConfiguration", spec.kube_proxy),
    ]
    places += [((*path, "kubelet"), "KubeletConfiguration", level.kubelet) for path, level in levels(cluster)]
    for place, kind, fields in places:
        for fault in configuration_fields.check(kind, fields):
            severity = Severity.WARNING if fault.unknown else Severity.ERROR
            yield Problem(fault.message, (*place, *fault.path), fault.hint, severity)


def owned_flags(cluster: Cluster) -> Iterator[Problem]:
    """Flags whose change would leave a component without the files that are compiled for it."""
    spec = cluster.spec
    components = {
        "apiServer": spec.api_server,
        "controllerManager": spec.controller_manager,
        "scheduler": spec.scheduler,
    }
    for name, component in components.items():
        for flag in component.extra_args:
            if flag in _OWNED[name]:
                path: Path = ("spec", name, "extraArgs", flag)
                message = f"{flag} names a file or a range that kcompile compiles; another value may break the cluster"
                yield Problem(message, path, "leave it out unless you are sure", Severity.WARNING)
    if spec.etcd.local:
        for flag in spec.etcd.local.extra_args:
            if flag in _OWNED_ETCD:
                path = ("spec", "etcd", "local", "extraArgs", flag)
                yield Problem(f"kcompile sets {flag} itself", path, "leave it out; dataDir has a field of its own")


def etcd(cluster: Cluster) -> Iterator[Problem]:
    """Etcd is local or external; client files come in pairs."""
    found = cluster.spec.etcd
    path: Path = ("spec", "etcd")
    if found.local is not None and found.external is not None:
        yield Problem("local and external exclude each other", path, "keep one of them")
    external = found.external
    if external is not None and (external.cert_file is None) != (external.key_file is None):
        yield Problem("certFile and keyFile go together", (*path, "external"), "give both or neither")


def extra_names(cluster: Cluster) -> Iterator[Problem]:
    """A volume's or a variable's name stands once in a component."""
    spec = cluster.spec
    for name, component in (
        ("apiServer", spec.api_server),
        ("controllerManager", spec.controller_manager),
        ("scheduler", spec.scheduler),
    ):
        volumes = [volume.name for volume in component.extra_volumes]
        variables = [variable.name for variable in component.extra_envs]
        for field, entries in (("extraVolumes", volumes), ("extraEnvs", variables)):
            for index, entry in enumerate(entries):
                if entry in entries[:index]:
                    yield Problem(f"{entry} stands there already", ("spec", name, field, index, "name"))


def patches(cluster: Cluster) -> Iterator[Problem]:
    """A patch names nodes that are there."""
    spec = cluster.spec
    control_plane = {node.name for node in spec.control_plane.nodes}
    known = control_plane | {node.name for pool in spec.node_pools for node in pool.nodes}
    for index, patch in enumerate(spec.patches):
        path: Path = ("spec", "patches", index, "nodes")
        if patch.nodes and patch.target in ("corednsdeployment", "kube-proxy"):
            yield Problem(f"{patch.target} is no node's own", path, "leave nodes out")
            continue
        if patch.target == "etcd" and spec.etcd.external is not None:
            yield Problem("there is no local etcd", ("spec", "patches", index, "target"))
        for number, name in enumerate(patch.nodes):
            if name not in known:
                yield Problem(f"there is no node {name}", (*path, number))
            elif patch.target != "kubeletconfiguration" and name not in control_plane:
                yield Problem(f"{name} is no control-plane node: it runs no {patch.target}", (*path, number))


RULES = (version, feature_gates, component_configurations, owned_flags, etcd, extra_names, patches)
