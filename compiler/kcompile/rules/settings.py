"""Version, component flags, etcd, patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import configuration_fields, names, versions
from kcompile.configuration_fields import Kind
from kcompile.errors import Path, Problem, Severity
from kcompile.rules.nodes import levels
from kcompile.spec import Cluster, Component, LocalEtcd

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


def external_etcd(cluster: Cluster) -> Iterator[Problem]:
    """As kubeadm checks it: certificates go with an authority, and with https alone."""
    external = cluster.spec.etcd.external
    if external is None:
        return
    path: Path = ("spec", "etcd", "external")
    if external.cert_file and external.key_file and not external.ca_file:
        yield Problem(
            "certFile and keyFile need caFile",
            (*path, "certFile"),
            "give the authority that signed etcd's certificates",
        )
    if external.ca_file or external.cert_file or external.key_file:
        for index, endpoint in enumerate(external.endpoints):
            if not endpoint.startswith("https://"):
                message = f"{endpoint} is not https, and certificates are given"
                yield Problem(message, (*path, "endpoints", index), "write https://, or give no files")


def etcd_version(cluster: Cluster) -> Iterator[Problem]:
    """The etcd flags of kubeadm from 1.36 on are those of etcd 3.6."""
    local, minor = cluster.spec.etcd.local, names.minor_version(cluster.spec.kubernetes_version)
    version = names.etcd_version(local.image_tag) if local is not None and local.image_tag else None
    if version is not None and version < (3, 6) and minor >= 36:
        message = f"an etcd before 3.6 does not know the flags that kubeadm v1.{minor} gives it"
        yield Problem(message, ("spec", "etcd", "local", "imageTag"), "leave it out, or name 3.6 or later")


def authorization(cluster: Cluster) -> Iterator[Problem]:
    """The API server takes modes or a configuration, and the latter from 1.30 on as kubeadm starts it."""
    args = cluster.spec.api_server.extra_args
    if "authorization-config" not in args:
        return
    path: Path = ("spec", "apiServer", "extraArgs", "authorization-config")
    minor = names.minor_version(cluster.spec.kubernetes_version)
    if "authorization-mode" in args:
        yield Problem("the API server does not take it together with authorization-mode", path, "keep one of them")
    elif minor < 30:
        message = f"kubeadm v1.{minor} always sets authorization-mode, which the API server does not take with it"
        yield Problem(message, path, "list the modes in authorization-mode", Severity.WARNING)


def older_configuration(cluster: Cluster) -> Iterator[Problem]:
    """What v1beta3, which kubeadm stores up to 1.30, cannot say: a later ``kubeadm upgrade`` would not know of it."""
    spec = cluster.spec
    minor = names.minor_version(spec.kubernetes_version)
    if minor > 30:
        return
    places: list[tuple[Path, Component | LocalEtcd]] = [
        (("spec", "apiServer"), spec.api_server),
        (("spec", "controllerManager"), spec.controller_manager),
        (("spec", "scheduler"), spec.scheduler),
        (("spec", "etcd", "local"), spec.etcd.local or LocalEtcd.model_construct()),
    ]
    for place, component in places:
        for flag, values in component.extra_args.items():
            if len(values) > 1 and flag != "authorization-mode":
                message = f"the kubeadm-config of v1.{minor} holds each flag once: it will say {values[-1]}"
                hint = "kubeadm upgrade would write the manifest with that alone"
                yield Problem(message, (*place, "extraArgs", flag), hint, Severity.WARNING)
        if component.extra_envs:
            message = f"the kubeadm-config of v1.{minor} knows no environment variables"
            hint = "kubeadm upgrade would write the manifest without them"
            yield Problem(message, (*place, "extraEnvs"), hint, Severity.WARNING)


_PORTS = {
    2379: "etcd",
    2380: "etcd",
    2381: "etcd's metrics",
    10248: "the kubelet's health check",
    10249: "kube-proxy's metrics",
    10250: "the kubelet",
    10256: "kube-proxy's health check",
    10257: "the controller manager",
    10259: "the scheduler",
}


def bind_ports(cluster: Cluster) -> Iterator[Problem]:
    """The API server's port is not another component's on the same host."""
    spec = cluster.spec.control_plane
    places: list[tuple[Path, int]] = [(("spec", "controlPlane"), spec.local_api_endpoint.bind_port)]
    for index, node in enumerate(spec.nodes):
        if node.local_api_endpoint is not None:
            places.append((("spec", "controlPlane", "nodes", index), node.local_api_endpoint.bind_port))
    for place, port in places:
        if port in _PORTS:
            path: Path = (*place, "localAPIEndpoint", "bindPort")
            yield Problem(f"{port} is the port of {_PORTS[port]}", path, "choose another, for example 6443")


def kubelet_owned(cluster: Cluster) -> Iterator[Problem]:
    """Kubelet settings that do not become what they say."""
    places: list[tuple[Path, Mapping[str, Any]]] = [(("spec",), cluster.spec.kubelet)]
    places += [(path, level.kubelet) for path, level in levels(cluster)]
    for place, fields in places:
        if fields.get("rotateCertificates") is False:
            path: Path = (*place, "kubelet", "rotateCertificates")
            yield Problem("kubeadm always writes true", path, "leave it out", Severity.WARNING)
        if fields.get("staticPodPath", "/etc/kubernetes/manifests") != "/etc/kubernetes/manifests":
            path = (*place, "kubelet", "staticPodPath")
            message = "the control plane's manifests are in /etc/kubernetes/manifests"
            yield Problem(message, path, "leave it out", Severity.WARNING)


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


RULES = (
    version,
    feature_gates,
    component_configurations,
    owned_flags,
    etcd,
    external_etcd,
    etcd_version,
    authorization,
    older_configuration,
    bind_ports,
    kubelet_owned,
    extra_names,
    patches,
)
