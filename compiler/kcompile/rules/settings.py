"""Version, component flags, component configurations, etcd."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kcompile import configuration_fields, mounts, names, network, versions
from kcompile.configuration_fields import Kind
from kcompile.errors import Path, Problem, Severity
from kcompile.hosts import KUBELET_DIR, KUBERNETES_DIR
from kcompile.mounts import Mount
from kcompile.rules.places import components, levels
from kcompile.secret import holds_key
from kcompile.spec import Cluster, Component, ControlPlaneNode, HostPathMount, LocalEtcd, NodeSettings, WorkerNode
from kcompile.versions.table import Version

_OWNED = {
    "kube-apiserver": (
        "advertise-address",
        "client-ca-file",
        "etcd-cafile",
        "etcd-certfile",
        "etcd-keyfile",
        "etcd-servers",
        "kubelet-client-certificate",
        "kubelet-client-key",
        "proxy-client-cert-file",
        "proxy-client-key-file",
        "requestheader-client-ca-file",
        "secure-port",
        "service-account-key-file",
        "service-account-signing-key-file",
        "service-cluster-ip-range",
        "tls-cert-file",
        "tls-private-key-file",
    ),
    "kube-controller-manager": (
        "client-ca-file",
        "cluster-cidr",
        "cluster-signing-cert-file",
        "cluster-signing-key-file",
        "kubeconfig",
        "requestheader-client-ca-file",
        "root-ca-file",
        "service-account-private-key-file",
        "service-cluster-ip-range",
    ),
    "kube-scheduler": ("kubeconfig",),
}
"""Flags that name what kcompile compiles: another value leaves the component without its own files."""
_DOUBTFUL_ETCD: dict[str, Callable[[str], bool]] = {
    "advertise-client-urls": lambda _: True,
    "initial-advertise-peer-urls": lambda _: True,
    "client-cert-auth": lambda value: value == "false",
    "initial-cluster": lambda _: True,
    "initial-cluster-state": lambda _: True,
    "listen-client-urls": lambda value: "http://" in value,
    "listen-peer-urls": lambda value: "http://" in value,
    "peer-client-cert-auth": lambda value: value == "false",
}
"""Flags of etcd, and the values with which members do not find each other, or answer whoever asks."""
_OWNED_ETCD = ("cert-file", "data-dir", "key-file", "name", "peer-cert-file", "peer-key-file", "trusted-ca-file")


def _table(cluster: Cluster) -> Version | None:
    """The table of the spec's minor, if it has one."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    return versions.for_minor(minor) if minor in versions.supported_minors() else None


def _supported() -> str:
    minors = versions.supported_minors()
    return f"supported are v1.{minors[0]} to v1.{minors[-1]}"


_VERSION: Path = ("spec", "kubernetesVersion")


def minor_is_supported(cluster: Cluster) -> Iterator[Problem]:
    """There is a table for the minor."""
    if _table(cluster) is None:
        yield Problem("K0601", f"{cluster.spec.kubernetes_version} is not supported", _VERSION, _supported())


def patch_exists(cluster: Cluster) -> Iterator[Problem]:
    """A minor that gets no more patch releases has a last one."""
    text, table = cluster.spec.kubernetes_version, _table(cluster)
    if table is not None and table.latest_patch is not None and names.patch_version(text) > table.latest_patch:
        last = f"v1.{table.minor} ended with v1.{table.minor}.{table.latest_patch}"
        yield Problem(
            "K0602", f"{text} does not exist: {last}", _VERSION, f"write v1.{table.minor}.{table.latest_patch}"
        )


def patch_is_known(cluster: Cluster) -> Iterator[Problem]:
    """A minor that still gets patch releases may have one that came later than this kcompile."""
    text, table = cluster.spec.kubernetes_version, _table(cluster)
    if table is not None and table.latest_patch is None and names.patch_version(text) > table.known_patch:
        newest = f"v1.{table.minor}.{table.known_patch}"
        message = f"{text} is newer than the newest patch release known to kcompile, {newest}"
        hint = f"see that it exists, or write {newest}; images and flags are taken as those of {newest}"
        yield Problem("K0634", message, _VERSION, hint, Severity.WARNING)


def gate_is_known(cluster: Cluster) -> Iterator[Problem]:
    """Kubeadm refuses a gate that is not its own; the components have flags for theirs."""
    table = _table(cluster)
    known = sorted(table.feature_gates) if table is not None else []
    for gate in cluster.spec.feature_gates if table is not None else ():
        if gate not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            close = names.nearest(gate, known)
            hint = f"did you mean {close}?" if close else f"it {has}; gates of a component go to its feature-gates"
            message = f"kubeadm v1.{names.minor_version(cluster.spec.kubernetes_version)} has no feature gate {gate}"
            yield Problem("K0603", message, ("spec", "featureGates", gate), hint, at_key=True)


def gate_is_free(cluster: Cluster) -> Iterator[Problem]:
    """A gate that went GA is locked to true before it goes away."""
    table = _table(cluster)
    for gate, on in cluster.spec.feature_gates.items():
        if table is not None and gate in table.locked_gates and not on:
            message = f"{gate} is locked to true in v1.{table.minor}"
            yield Problem("K0604", message, ("spec", "featureGates", gate), "leave it out", at_key=True)


def control_plane_runs_as_root(cluster: Cluster) -> Iterator[Problem]:
    """The users of RootlessControlPlane are made by kubeadm, on each host."""
    table = _table(cluster)
    gate = "RootlessControlPlane"
    if table is not None and gate in table.feature_gates and cluster.spec.feature_gates.get(gate):
        message = "RootlessControlPlane runs the control plane as users that kubeadm makes on each host"
        hint = "leave it out, and set users with patches"
        yield Problem("K0605", message, ("spec", "featureGates", gate), hint, at_key=True)


def gate_and_algorithm_agree(cluster: Cluster) -> Iterator[Problem]:
    """PublicKeysECDSA and encryptionAlgorithm say the same."""
    spec = cluster.spec
    algorithm = spec.pki.encryption_algorithm
    if "encryption_algorithm" in spec.pki.model_fields_set and spec.key_algorithm != algorithm:
        message = f"PublicKeysECDSA makes keys {spec.key_algorithm}, and pki.encryptionAlgorithm says {algorithm}"
        path: Path = ("spec", "featureGates", "PublicKeysECDSA")
        yield Problem("K0606", message, path, "keep one of them", at_key=True)


def _configurations(cluster: Cluster) -> Iterator[tuple[Path, Kind, Mapping[str, Any]]]:
    """Every mapping of component configuration fields."""
    yield ("spec", "kubelet"), "KubeletConfiguration", cluster.spec.kubelet
    yield ("spec", "kubeProxy"), "KubeProxyConfiguration", cluster.spec.kube_proxy
    for path, level in levels(cluster):
        yield (*path, "kubelet"), "KubeletConfiguration", level.kubelet


def configuration_fields_are_known(cluster: Cluster) -> Iterator[Problem]:
    """A component goes on without fields that it does not know."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    for place, kind, fields in _configurations(cluster):
        for fault in configuration_fields.check(kind, fields, minor):
            if fault.unknown:
                where = (*place, *fault.path)
                yield Problem("K0607", fault.message, where, fault.mend, Severity.WARNING, at_key=True)


def configuration_values_are_read(cluster: Cluster) -> Iterator[Problem]:
    """A component does not start with a value that Go does not decode."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    for place, kind, fields in _configurations(cluster):
        for fault in configuration_fields.check(kind, fields, minor):
            if not fault.unknown:
                yield Problem("K0608", fault.message, (*place, *fault.path), fault.mend)


_PORT = (0, 65535)
_MOST = 2**31 - 1
_BOUNDS: dict[Kind, dict[str, tuple[int, int]]] = {
    "KubeletConfiguration": {
        **dict.fromkeys(("eventBurst", "eventRecordQPS", "kubeAPIBurst", "kubeAPIQPS", "maxPods"), (0, _MOST)),
        **dict.fromkeys(("maxOpenFiles", "podsPerCore", "registryBurst", "registryPullQPS"), (0, 2**63 - 1)),
        **dict.fromkeys(("imageGCHighThresholdPercent", "imageGCLowThresholdPercent"), (0, 100)),
        **dict.fromkeys(("healthzPort", "readOnlyPort"), _PORT),
        "nodeLeaseDurationSeconds": (1, _MOST),
        "nodeStatusMaxImages": (-1, _MOST),
        "oomScoreAdj": (-1000, 1000),
        "port": (1, 65535),
    },
    "KubeProxyConfiguration": {"oomScoreAdj": (-1000, 1000)},
}
_WORDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "KubeletConfiguration": {
        "cgroupDriver": ("systemd", "cgroupfs"),
        "configMapAndSecretChangeDetectionStrategy": ("Get", "Cache", "Watch"),
        "cpuManagerPolicy": ("none", "static"),
        "hairpinMode": ("promiscuous-bridge", "hairpin-veth", "none"),
        "memoryManagerPolicy": ("None", "Static"),
        "topologyManagerPolicy": ("none", "best-effort", "restricted", "single-numa-node"),
        "topologyManagerScope": ("container", "pod"),
    },
}
"""What the components' own validation takes on Linux; an empty text is as good as none. Modes of kube-proxy go by its
version, and have a rule of their own."""


def configuration_values_are_taken(cluster: Cluster) -> Iterator[Problem]:
    """A component decodes a value and refuses it: it is out of bounds, or a word that it does not know."""
    for place, kind, fields in _configurations(cluster):
        for name, value in fields.items():
            bounds, known = _BOUNDS[kind].get(name), _WORDS.get(kind, {}).get(name)
            message, hint = None, "correct it, or leave it out for the default"
            if bounds and isinstance(value, int) and not isinstance(value, bool):
                least, most = bounds
                if not least <= value <= most:
                    message = f"must be {least} or more" if value < least else f"must be {most} or less"
            elif known and isinstance(value, str) and value and value not in known:
                close = names.nearest(value, known)
                message = f"{value!r} is not one of {', '.join(known)}"
                hint = f"did you mean {close}?" if close else hint
            if message is not None:
                yield Problem("K0637", message, (*place, name), hint)


def cluster_dns_is_there(cluster: Cluster) -> Iterator[Problem]:
    """Pods ask the addresses that their kubelet tells them; of the services' range, CoreDNS has the tenth."""
    ranges = network.networks(cluster.spec.networking.service_subnet)
    own = [network.nth_address(found, 10) for found in ranges if found.num_addresses > 10]
    for place, kind, fields in _configurations(cluster):
        given = fields.get("clusterDNS") if kind == "KubeletConfiguration" and not cluster.spec.dns.disabled else None
        for index, text in enumerate(given if isinstance(given, tuple | list) else ()):
            if isinstance(text, str) and network.is_ip(text) and text not in own:
                address = ipaddress.ip_address(text)
                if any(found.version == address.version and address in found for found in ranges):
                    message = f"{text} is not the address of cluster DNS, {own[0] if own else 'which has none'}"
                    hint = "leave clusterDNS out"
                    yield Problem("K0638", message, (*place, "clusterDNS", index), hint, Severity.WARNING)


def flags_of_compiled_files(cluster: Cluster) -> Iterator[Problem]:
    """Flags whose change would leave a component without the files that are compiled for it."""
    for name, place, component in components(cluster):
        for flag in component.extra_args:
            if flag in _OWNED[name]:
                message = (
                    f"{flag} is compiled, or goes by another field of the spec; another value may break the cluster"
                )
                hint = "leave it out unless you are sure"
                yield Problem("K0609", message, (*place, "extraArgs", flag), hint, Severity.WARNING, at_key=True)
    local = cluster.spec.etcd.local
    for flag, values in local.extra_args.items() if local is not None else ():
        if flag in _DOUBTFUL_ETCD and any(map(_DOUBTFUL_ETCD[flag], values)):
            message = f"{flag} is compiled so that members find each other and answer nobody without a certificate"
            path: Path = ("spec", "etcd", "local", "extraArgs", flag)
            yield Problem("K0609", message, path, "leave it out unless you are sure", Severity.WARNING, at_key=True)
    for path, flag in _other_addresses(cluster):
        message = f"{flag} is not the node's address, for which its certificates and files are compiled"
        yield Problem("K0609", message, path, "leave it out unless you are sure", Severity.WARNING, at_key=True)


def _other_addresses(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """Each kubelet flag node-ip with an address that is not its node's. An unspecified one names a family alone."""
    spec = cluster.spec
    groups: list[tuple[Path, NodeSettings, tuple[ControlPlaneNode | WorkerNode, ...]]] = [
        (("spec", "controlPlane"), spec.control_plane, spec.control_plane.nodes)
    ]
    groups += [(("spec", "nodePools", number), pool, pool.nodes) for number, pool in enumerate(spec.node_pools)]
    found: dict[Path, str] = {}
    for place, shared, nodes in groups:
        for index, node in enumerate(nodes):
            for where, level in (((*place, "nodes", index), node), (place, shared)):
                values = level.node_registration.kubelet_extra_args.get("node-ip")
                if values is None:
                    continue
                if all(map(network.is_ip, network.split_list(values[-1]))) and not {
                    *network.split_list(values[-1])
                } <= {*network.split_list(node.address), "0.0.0.0", "::"}:
                    path: Path = (*where, "nodeRegistration", "kubeletExtraArgs", "node-ip")
                    found.setdefault(path, f"--node-ip={values[-1]}")
                break
    yield from found.items()


_PROXY_MODES = ("", "iptables", "ipvs", "nftables")


def proxy_mode_is_there(cluster: Cluster) -> Iterator[Problem]:
    """kube-proxy does not start in a mode that it does not have, or has behind a gate."""
    mode, path = cluster.spec.kube_proxy.get("mode"), ("spec", "kubeProxy", "mode")
    if not isinstance(mode, str) or cluster.spec.proxy.disabled:
        return
    if mode not in _PROXY_MODES:
        close = names.nearest(mode, _PROXY_MODES[1:])
        hint = f"did you mean {close}?" if close else f"use one of {', '.join(_PROXY_MODES[1:])}"
        yield Problem("K0635", f"kube-proxy has no mode {mode}", path, hint)
    if mode != "nftables":
        return
    minor, gates = names.minor_version(cluster.spec.kubernetes_version), cluster.spec.kube_proxy.get("featureGates")
    if minor < 29:
        hint = "use iptables or ipvs; it came with v1.29"
        yield Problem("K0635", f"kube-proxy v1.{minor} has no mode nftables", path, hint)
    elif minor < 31 and not (isinstance(gates, Mapping) and gates.get("NFTablesProxyMode") is True):
        message = f"kube-proxy v1.{minor} has the mode nftables behind a gate"
        yield Problem("K0635", message, path, "set kubeProxy.featureGates: {NFTablesProxyMode: true}")


def etcd_flags_of_kcompile(cluster: Cluster) -> Iterator[Problem]:
    """An etcd member's name and files are compiled, and its data directory has a field."""
    local = cluster.spec.etcd.local
    for flag in local.extra_args if local is not None else ():
        if flag in _OWNED_ETCD:
            path: Path = ("spec", "etcd", "local", "extraArgs", flag)
            hint = "set etcd.local.dataDir instead" if flag == "data-dir" else "leave it out"
            yield Problem("K0610", f"kcompile sets {flag} itself", path, hint, at_key=True)


def etcd_is_in_one_place(cluster: Cluster) -> Iterator[Problem]:
    """Etcd is local or external."""
    if cluster.spec.etcd.local is not None and cluster.spec.etcd.external is not None:
        yield Problem("K0611", "local and external exclude each other", ("spec", "etcd"), "keep one of them")


_EXTERNAL: Path = ("spec", "etcd", "external")


def etcd_client_files_pair(cluster: Cluster) -> Iterator[Problem]:
    """A certificate is no use without its key."""
    external = cluster.spec.etcd.external
    if external is not None and (external.cert_file is None) != (external.key_file is None):
        path = (*_EXTERNAL, "certFile" if external.cert_file else "keyFile")
        yield Problem("K0612", "certFile and keyFile go together", path, "give both or neither", at_key=True)


def external_etcd_names_its_ports(cluster: Cluster) -> Iterator[Problem]:
    """Etcd's client dials what it is given, and neither it nor kubeadm has a port for an endpoint without one."""
    external = cluster.spec.etcd.external
    for index, endpoint in enumerate(external.endpoints if external is not None else ()):
        if network.split_endpoint(endpoint.partition("://")[2]).port is None:
            message = f"{endpoint} names no port, and the API server's etcd client takes none for granted"
            hint = f"write {endpoint}:2379"
            yield Problem("K0636", message, (*_EXTERNAL, "endpoints", index), hint, Severity.WARNING)


def etcd_client_knows_its_authority(cluster: Cluster) -> Iterator[Problem]:
    """As kubeadm checks it: client files go with an authority."""
    external = cluster.spec.etcd.external
    if external is not None and external.cert_file and external.key_file and not external.ca_file:
        hint = "give the authority that signed etcd's certificates"
        yield Problem("K0613", "certFile and keyFile need caFile", (*_EXTERNAL, "certFile"), hint)


def etcd_files_need_https(cluster: Cluster) -> Iterator[Problem]:
    """As kubeadm checks it: with files there is TLS."""
    external = cluster.spec.etcd.external
    if external is None or not (external.ca_file or external.cert_file or external.key_file):
        return
    for index, endpoint in enumerate(external.endpoints):
        if not endpoint.startswith("https://"):
            message = f"{endpoint} is not https, and certificates are given"
            yield Problem("K0614", message, (*_EXTERNAL, "endpoints", index), "write https://, or give no files")


def etcd_knows_its_flags(cluster: Cluster) -> Iterator[Problem]:
    """The etcd flags of kubeadm from 1.36 on are those of etcd 3.6."""
    local, minor = cluster.spec.etcd.local, names.minor_version(cluster.spec.kubernetes_version)
    version = names.etcd_version(local.image_tag) if local is not None and local.image_tag else None
    if version is not None and version < (3, 6) and minor >= 36:
        message = f"an etcd before 3.6 does not know the flags that kubeadm v1.{minor} gives it"
        hint = "leave it out, or name 3.6 or later"
        yield Problem("K0615", message, ("spec", "etcd", "local", "imageTag"), hint)


def _stored_as_v1beta3(cluster: Cluster) -> Iterator[tuple[Path, Component | LocalEtcd]]:
    """What kubeadm up to 1.30 stores of the components; a later ``kubeadm upgrade`` knows no more of them."""
    if names.minor_version(cluster.spec.kubernetes_version) <= 30:
        for _, place, component in components(cluster):
            yield place, component
        if cluster.spec.etcd.local is not None:
            yield ("spec", "etcd", "local"), cluster.spec.etcd.local


def flags_that_v1beta3_repeats(cluster: Cluster) -> Iterator[Problem]:
    """v1beta3 has a mapping of flags, and so each once."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    for place, component in _stored_as_v1beta3(cluster):
        for flag, values in component.extra_args.items():
            if len(values) > 1 and flag != "authorization-mode":
                message = f"the kubeadm-config of v1.{minor} holds each flag once: it will say {values[-1]}"
                hint = "kubeadm upgrade would write the manifest with that alone"
                yield Problem("K0618", message, (*place, "extraArgs", flag), hint, Severity.WARNING)


def variables_that_v1beta3_has(cluster: Cluster) -> Iterator[Problem]:
    """v1beta3 has no environment variables."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    for place, component in _stored_as_v1beta3(cluster):
        if component.extra_envs:
            message = f"the kubeadm-config of v1.{minor} knows no environment variables"
            hint = "kubeadm upgrade would write the manifest without them"
            yield Problem("K0619", message, (*place, "extraEnvs"), hint, Severity.WARNING)


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
            yield Problem("K0620", f"{port} is the port of {_PORTS[port]}", path, "choose another, for example 6443")


def kubelets_rotate(cluster: Cluster) -> Iterator[Problem]:
    """What a user says of rotateCertificates, kubeadm overwrites."""
    for place, _, fields in _configurations(cluster):
        if fields.get("rotateCertificates") is False:
            path: Path = (*place, "rotateCertificates")
            yield Problem("K0621", "kubeadm always writes true", path, "leave it out", Severity.WARNING)


def kubelets_find_manifests(cluster: Cluster) -> Iterator[Problem]:
    """The control plane's manifests are compiled for one directory."""
    for place, _, fields in _configurations(cluster):
        of_workers = "nodePools" in place
        if not of_workers and fields.get("staticPodPath") not in (None, "", "/etc/kubernetes/manifests"):
            message = "the control plane's manifests are in /etc/kubernetes/manifests"
            yield Problem("K0622", message, (*place, "staticPodPath"), "leave it out", Severity.WARNING)


def extra_names(cluster: Cluster) -> Iterator[Problem]:
    """A volume's or a variable's name stands once in a component."""
    local = cluster.spec.etcd.local
    places: list[tuple[Path, Component | LocalEtcd]] = [
        (place, component) for _, place, component in components(cluster)
    ]
    places += [(("spec", "etcd", "local"), local)] if local is not None else []
    for place, component in places:
        volumes = [volume.name for volume in component.extra_volumes] if isinstance(component, Component) else []
        variables = [variable.name for variable in component.extra_envs]
        for field, entries in (("extraVolumes", volumes), ("extraEnvs", variables)):
            seen: dict[str, int] = {}
            for index, entry in enumerate(entries):
                if entry in seen:
                    path: Path = (*place, field, index, "name")
                    first: Path = (*place, field, seen[entry], "name")
                    yield Problem("K0623", f"{entry} stands there already", path, "keep one of them", first=first)
                seen.setdefault(entry, index)


_OF_A_MOUNT: dict[str, Path] = {
    "k8s-certs": ("spec", "pki", "certificatesDir"),
    "etcd-certs": ("spec", "pki", "certificatesDir"),
    "etcd-data": ("spec", "etcd", "local", "dataDir"),
    "flexvolume-dir": ("spec", "controllerManager", "extraArgs", "flex-volume-plugin-dir"),
}
"""The fields that compiled volumes come from; the others are always the same."""


def _volumes(cluster: Cluster) -> Iterator[tuple[str, Path, tuple[Mount, ...], tuple[HostPathMount, ...]]]:
    """Each static pod, with the place of its extra volumes, those that are compiled, and the extra ones."""
    table = _table(cluster)
    if table is None:
        return
    for name, place, component in components(cluster):
        extra = component.extra_volumes
        yield name, (*place, "extraVolumes"), mounts.compiled(name, cluster.spec, table), extra
    if cluster.spec.etcd.external is None:
        yield "etcd", ("spec", "etcd"), mounts.compiled("etcd", cluster.spec, table), ()


def _reported_last(entry: tuple[Mount, Path]) -> tuple[bool, int]:
    """Of two volumes at one path the one behind the other is told: the one that comes from the spec."""
    mount, where = entry
    return mount.name in _OF_A_MOUNT, len(where)


def mounts_are_apart(cluster: Cluster) -> Iterator[Problem]:
    """The kubelet takes no pod that has two volumes at one path of a container."""
    told: set[Path] = set()
    for pod, place, own, extra in _volumes(cluster):
        by_name = {volume.name for volume in extra}
        entries = [(mount, _OF_A_MOUNT.get(mount.name, place)) for mount in own if mount.name not in by_name]
        last = {volume.name: index for index, volume in enumerate(extra)}
        seen: dict[str, str] = {}
        found = [(mount.name, mount.mount_path, where) for mount, where in sorted(entries, key=_reported_last)]
        found += [(v.name, v.mount_path, (*place, i, "mountPath")) for i, v in enumerate(extra) if last[v.name] == i]
        for name, path, where in found:
            if path in seen and where not in told:
                told.add(where)
                message = f"{pod} sees the volume {seen[path]} at {path} already"
                yield Problem("K0631", message, where, "choose another path, or leave the volume out")
            seen.setdefault(path, name)


def compiled_volumes_stay(cluster: Cluster) -> Iterator[Problem]:
    """An extra volume replaces a compiled one of its name, as with kubeadm, and then its files are not seen."""
    for pod, place, own, extra in _volumes(cluster):
        known = {mount.name: mount for mount in own if mount.name in _WITH_COMPILED_FILES}
        for index, volume in enumerate(extra):
            mount = known.get(volume.name)
            if mount is None or (volume.host_path, volume.mount_path) == (mount.host_path, mount.mount_path):
                continue
            sees = any(
                mount.mount_path == v.mount_path or mount.mount_path.startswith(f"{v.mount_path}/") for v in extra
            )
            message = f"replaces the compiled volume {volume.name}: {pod} would not see {mount.host_path} of the host"
            severity = Severity.WARNING if sees else Severity.ERROR
            yield Problem("K0632", message, (*place, index, "name"), "give it another name", severity)


_WITH_COMPILED_FILES = ("k8s-certs", "kubeconfig")


def certificates_are_no_manifests(cluster: Cluster) -> Iterator[Problem]:
    """The kubelet takes every file among the manifests for a pod's, and its own directory for its own."""
    directory = cluster.spec.pki.certificates_dir
    for owned, what in ((f"{KUBERNETES_DIR}/manifests", "takes files there for pods"), (KUBELET_DIR, "keeps its own")):
        if directory == owned or directory.startswith(f"{owned}/"):
            message = f"is in {owned}, where the kubelet {what}"
            path: Path = ("spec", "pki", "certificatesDir")
            hint = "choose a directory of its own, for example /etc/kubernetes/pki"
            yield Problem("K0633", message, path, hint, Severity.WARNING)


def no_keys(cluster: Cluster) -> Iterator[Problem]:
    """What is passed on stands in the tree in plain text."""
    spec = cluster.spec
    places: list[tuple[Path, Any]] = [(place, fields) for place, _, fields in _configurations(cluster)]
    parts: list[tuple[Path, Component | LocalEtcd]] = [(place, part) for _, place, part in components(cluster)]
    if spec.etcd.local is not None:
        parts.append((("spec", "etcd", "local"), spec.etcd.local))
    for place, part in parts:
        places += _flags((*place, "extraArgs"), part.extra_args)
        places += [((*place, "extraEnvs", i, "value"), variable.value) for i, variable in enumerate(part.extra_envs)]
    for place, level in levels(cluster):
        where = (*place, "nodeRegistration", "kubeletExtraArgs")
        places += _flags(where, level.node_registration.kubelet_extra_args)
    places += [(("spec", "patches", index, "patch"), patch.patch) for index, patch in enumerate(spec.patches)]
    for place, value in places:
        for path in _keys(value, place):
            hint = "put it into a file on the host, name that file, and replace the key: whoever has seen this has it"
            yield Problem("K0330", "holds what looks like a private key", path, hint)


def _flags(place: Path, args: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Path, str]]:
    return (((*place, flag), " ".join(values)) for flag, values in args.items())


def _keys(value: Any, path: Path) -> Iterator[Path]:
    """Where in a value there is a private key."""
    if isinstance(value, str) and holds_key(value):
        yield path
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _keys(child, (*path, key))
    elif isinstance(value, tuple | list):
        for index, child in enumerate(value):
            yield from _keys(child, (*path, index))


RULES = (
    no_keys,
    minor_is_supported,
    patch_exists,
    patch_is_known,
    gate_is_known,
    gate_is_free,
    control_plane_runs_as_root,
    gate_and_algorithm_agree,
    configuration_fields_are_known,
    configuration_values_are_read,
    configuration_values_are_taken,
    cluster_dns_is_there,
    flags_of_compiled_files,
    etcd_flags_of_kcompile,
    etcd_is_in_one_place,
    etcd_client_files_pair,
    etcd_client_knows_its_authority,
    etcd_files_need_https,
    etcd_knows_its_flags,
    flags_that_v1beta3_repeats,
    variables_that_v1beta3_has,
    bind_ports,
    kubelets_rotate,
    kubelets_find_manifests,
    extra_names,
    mounts_are_apart,
    compiled_volumes_stay,
    certificates_are_no_manifests,
    proxy_mode_is_there,
    external_etcd_names_its_ports,
)
