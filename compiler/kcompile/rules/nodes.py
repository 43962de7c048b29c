"""Nodes: their names and addresses, how many of them there are, and what they may be labelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kcompile import names, network
from kcompile.errors import Path, Problem, Severity
from kcompile.needs import needs
from kcompile.rules.places import levels, node_addresses, node_names, node_recipients
from kcompile.spec import Cluster, NodeSettings, Taint

_FORBIDDEN_WORDS = (" ", "\t", '"', "'", "\\", "$", "`")
_OWNED_KUBELET_FLAGS = {
    "bootstrap-kubeconfig": "the kubelet's drop-in sets it",
    "config": "the kubelet's drop-in sets it",
    "hostname-override": "certificates name the node as the spec does",
    "kubeconfig": "the kubelet's drop-in sets it",
}
_CONTROLLED_TAINTS = frozenset(
    (
        "node.kubernetes.io/disk-pressure",
        "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/network-unavailable",
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/pid-pressure",
        "node.kubernetes.io/unreachable",
        "node.kubernetes.io/unschedulable",
    )
)
_MEASURED_LABELS = frozenset(("kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os"))
_ALLOWED_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)


def _doubled(kind: str, named: Iterable[tuple[Path, str]]) -> Iterator[Problem]:
    """What stands a second time."""
    first: dict[str, Path] = {}
    for path, value in named:
        if value in first:
            hint = "remove it" if kind in ("recipient", "endpoint", "manifest") else "give it another"
            yield Problem("K0501", f"the {kind} {value} is there already", path, hint, first=first[value])
        else:
            first[value] = path


def node_names_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """A node's name is its own, in the cluster and in the tree."""
    yield from _doubled("node", node_names(cluster))


def addresses_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """No two nodes have one address."""
    parts = ((path, part) for path, text in node_addresses(cluster) for part in network.split_list(text))
    yield from _doubled("address", parts)


def pool_names_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """A pool's name is its own."""
    pools = enumerate(cluster.spec.node_pools)
    yield from _doubled("node pool", ((("spec", "nodePools", index, "name"), pool.name) for index, pool in pools))


def token_ids_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """A token's id is the name of its Secret."""
    tokens = enumerate(cluster.spec.bootstrap_tokens)
    ids = ((("spec", "bootstrapTokens", index, "id"), token.id) for index, token in tokens)
    yield from _doubled("bootstrap token", ids)


def recipients_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """Whoever can open what is sealed is named once."""
    recipients = enumerate(cluster.spec.secrets.recipients)
    yield from _doubled("recipient", ((("spec", "secrets", "recipients", index), text) for index, text in recipients))


def endpoints_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """A member of an external etcd is named once."""
    external = cluster.spec.etcd.external
    endpoints = enumerate(external.endpoints if external is not None else ())
    places = ((("spec", "etcd", "external", "endpoints", index), url) for index, url in endpoints)
    yield from _doubled("endpoint", places)


def manifests_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """A file's objects are applied once."""
    manifests = enumerate(cluster.spec.manifests)
    yield from _doubled("manifest", ((("spec", "manifests", index), path) for index, path in manifests))


@needs("spec.controlPlane.nodes[]")
def quorum(cluster: Cluster) -> Iterator[Problem]:
    """An even number of etcd members survives no more failures than one fewer."""
    count = len(cluster.spec.control_plane.nodes)
    if count % 2 == 0 and cluster.spec.etcd.external is None:
        message = f"{count} stacked etcd members survive no more failures than {count - 1} would"
        yield Problem("K0502", message, ("spec", "controlPlane", "nodes"), "use an odd number", Severity.WARNING)


def labels_of_kubernetes(cluster: Cluster) -> Iterator[Problem]:
    """The NodeRestriction plugin keeps kubelets from setting most labels of Kubernetes' own namespaces."""
    hint = "set it with kubectl once the node is there, or use a prefix of your own"
    for path, key, _ in _labels(cluster):
        if _is_restricted(key):
            message = f"a kubelet may not give itself the label {key}"
            yield Problem("K0503", message, path, hint, at_key="labels" in path, within=_word(path, key))


def labels_of_the_kubelet(cluster: Cluster) -> Iterator[Problem]:
    """What the kubelet finds out itself, a label would overwrite: volumes and affinity go by it."""
    for path, key, _ in _labels(cluster):
        if key in _MEASURED_LABELS:
            message = f"the kubelet sets {key} itself, and this would overwrite it"
            hint, in_labels = "leave it out", "labels" in path
            yield Problem("K0512", message, path, hint, Severity.WARNING, at_key=in_labels, within=_word(path, key))


def _word(path: Path, key: str) -> str | None:
    """The key as a word of the value, where that is a flag's."""
    return key if "kubeletExtraArgs" in path else None


def _labels(cluster: Cluster) -> Iterator[tuple[Path, str, str]]:
    """Every label that a kubelet is told to set: where, its key and its value."""
    for path, level in levels(cluster):
        for key, value in level.labels.items():
            yield (*path, "labels", key), key, value
        where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", "node-labels")
        for text in level.node_registration.kubelet_extra_args.get("node-labels", ()):
            for pair in filter(None, text.split(",")):
                key, _, value = pair.partition("=")
                yield where, key, value


def _is_restricted(key: str) -> bool:
    """Whether the kubelet refuses to set a label of Kubernetes' own namespaces (kubelet's ValidateKubeletLabels)."""
    prefix = key.rpartition("/")[0]
    if key in _ALLOWED_LABELS or not _below(prefix, ("kubernetes.io", "k8s.io")):
        return False
    return not _below(prefix, ("kubelet.kubernetes.io", "node.kubernetes.io"))


def _below(prefix: str, domains: tuple[str, ...]) -> bool:
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in domains)


def labels_in_one_place(cluster: Cluster) -> Iterator[Problem]:
    """Labels stand in the field or in the flag node-labels, which is written last and alone holds."""
    for path, level in levels(cluster):
        if "node-labels" in level.node_registration.kubelet_extra_args and level.labels:
            where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", "node-labels")
            yield Problem("K0504", "node-labels and labels are both set", where, "move them to labels")


def labels_together(cluster: Cluster) -> Iterator[Problem]:
    """Labels and the flag node-labels do not come together from a pool and its nodes: the flag would replace them."""
    spec = cluster.spec
    groups: list[tuple[Path, NodeSettings, Sequence[NodeSettings]]] = [
        (("spec", "controlPlane"), spec.control_plane, spec.control_plane.nodes)
    ]
    groups += [(("spec", "nodePools", number), pool, pool.nodes) for number, pool in enumerate(spec.node_pools)]
    for path, shared, nodes in groups:
        for index, node in enumerate(nodes):
            own, above = ("node-labels" in level.node_registration.kubelet_extra_args for level in (node, shared))
            if (own and shared.labels and not node.labels) or (above and node.labels and not own):
                message = "labels and the flag node-labels come together here, and the flag would replace the labels"
                flag: Path = ("nodeRegistration", "kubeletExtraArgs", "node-labels")
                where = (*path, "nodes", index, *flag) if own else (*path, *flag)
                yield Problem("K0505", message, where, "move all of them to labels", at_key=True)


def _taints(cluster: Cluster) -> Iterator[tuple[Path, tuple[Taint, ...]]]:
    """Every list of taints."""
    for path, level in levels(cluster):
        yield (*path, "taints"), level.taints or ()
        yield (*path, "nodeRegistration", "taints"), level.node_registration.taints or ()


def taints_are_unique(cluster: Cluster) -> Iterator[Problem]:
    """The API server refuses a node with two taints of one key and effect."""
    for path, taints in _taints(cluster):
        seen: dict[tuple[str, str], int] = {}
        for index, taint in enumerate(taints):
            if (taint.key, taint.effect) in seen:
                message = f"the taint {taint.key}:{taint.effect} is there already"
                yield Problem(
                    "K0506", message, (*path, index), "keep one of them", first=(*path, seen[taint.key, taint.effect])
                )
            seen.setdefault((taint.key, taint.effect), index)


def taints_of_the_node_controller(cluster: Cluster) -> Iterator[Problem]:
    """What the node controller sets by a node's state, it also takes away again."""
    for path, key in _taint_keys(cluster):
        if key in _CONTROLLED_TAINTS:
            message = f"the node controller sets {key} by the node's state, and takes it away again"
            hint = "leave it out, or use a key of your own"
            yield Problem("K0511", message, path, hint, Severity.WARNING, within=_word(path, key))


def _taint_keys(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """The key of every taint that a node registers with, also of the kubelet's own flag and field."""
    for path, taints in _taints(cluster):
        for index, taint in enumerate(taints):
            yield (*path, index), taint.key
    for path, level in levels(cluster):
        where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", "register-with-taints")
        for text in level.node_registration.kubelet_extra_args.get("register-with-taints", ()):
            for word in text.split(","):
                yield where, word.partition(":")[0].partition("=")[0]
    fields: list[tuple[Path, Mapping[str, Any]]] = [(("spec", "kubelet"), cluster.spec.kubelet)]
    fields += [((*path, "kubelet"), level.kubelet) for path, level in levels(cluster)]
    for path, kubelet in fields:
        given = kubelet.get("registerWithTaints")
        for index, entry in enumerate(given if isinstance(given, tuple | list) else ()):
            if isinstance(entry, Mapping) and isinstance(entry.get("key"), str):
                yield (*path, "registerWithTaints", index), entry["key"]


def taints_in_one_place(cluster: Cluster) -> Iterator[Problem]:
    """Taints stand in the short field or in kubeadm's."""
    for path, level in levels(cluster):
        if level.taints is not None and level.node_registration.taints is not None:
            yield Problem("K0507", "taints stand in nodeRegistration too", (*path, "taints"), "keep one of the two")


def taints_lost(cluster: Cluster) -> Iterator[Problem]:
    """Taints of workers are written as a flag, which the same flag replaces, and which itself replaces the field.

    Those of control-plane nodes are set by cluster/apply.sh, as kubeadm does it.
    """
    flag: Path = ("nodeRegistration", "kubeletExtraArgs", "register-with-taints")
    told: set[Path] = set()
    of_all = bool(cluster.spec.kubelet.get("registerWithTaints"))
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, node in enumerate(pool.nodes):
            places = ((("spec", "nodePools", number, "nodes", index), node), (("spec", "nodePools", number), pool))
            taints = next(filter(lambda own: own is not None, (_declared(level) for _, level in places)), None)
            flags = [p for p, level in places if "register-with-taints" in level.node_registration.kubelet_extra_args]
            fields = [(*p, "kubelet") for p, level in places if level.kubelet.get("registerWithTaints")]
            fields += [("spec", "kubelet")] * of_all
            found = [((*p, *flag), "the flag register-with-taints replaces the taints") for p in flags[:1] if taints]
            by = "the taints" if taints else "the flag register-with-taints"
            lost = f"{by} would replace the field registerWithTaints"
            found += [((*p, "registerWithTaints"), lost) for p in fields[:1] if taints or flags]
            for where, message in found:
                if where not in told:
                    told.add(where)
                    yield Problem("K0516", message, where, "move all of them to taints", at_key=True)


def _declared(level: NodeSettings) -> Sequence[Taint] | None:
    return level.taints if level.taints is not None else level.node_registration.taints


def kubelet_files_of_kcompile(cluster: Cluster) -> Iterator[Problem]:
    """A kubelet whose certificates are compiled finds them in the directory and the pair that are named to it."""
    spec = cluster.spec
    groups: list[tuple[Path, NodeSettings, Sequence[NodeSettings], tuple[bool, ...]]] = [
        (
            ("spec", "controlPlane"),
            spec.control_plane,
            spec.control_plane.nodes,
            (True,) * len(spec.control_plane.nodes),
        )
    ]
    for number, pool in enumerate(spec.node_pools):
        issued = tuple((node.credentials or pool.credentials) == "issued" for node in pool.nodes)
        groups.append((("spec", "nodePools", number), pool, pool.nodes, issued))
    told: set[Path] = set()
    for place, shared, nodes, issued in groups:
        for index, (node, has_own) in enumerate(zip(nodes, issued, strict=True)):
            flags: dict[str, Path] = {}
            for where, level in ((place, shared), ((*place, "nodes", index), node)):
                given = level.node_registration.kubelet_extra_args
                for name in ("cert-dir", *_KUBELET_PAIR):
                    if name in given:
                        flags[name] = (*where, "nodeRegistration", "kubeletExtraArgs", name)
            alone = [name for name in _KUBELET_PAIR if name in flags]
            directory = "the kubelet's certificates are compiled for /var/lib/kubelet/pki"
            found = [(flags["cert-dir"], directory)] if "cert-dir" in flags else []
            if len(alone) == 1 and place[1] == "nodePools":
                found.append((flags[alone[0]], f"--{alone[0]} replaces one of a certificate and its key"))
            for path, message in found if has_own else ():
                if path not in told:
                    told.add(path)
                    hint = "leave it out; tlsCertFile and tlsPrivateKeyFile under kubelet name a pair of your own"
                    yield Problem("K0517", message, path, hint, at_key=True)


_KUBELET_PAIR = ("tls-cert-file", "tls-private-key-file")


def kubelet_flags_of_kcompile(cluster: Cluster) -> Iterator[Problem]:
    """Flags that the kubelet's drop-in sets, and those that would give the node another name."""
    for path, level in levels(cluster):
        for name in level.node_registration.kubelet_extra_args:
            if name in _OWNED_KUBELET_FLAGS:
                where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", name)
                message = f"kcompile sets {name} itself: {_OWNED_KUBELET_FLAGS[name]}"
                yield Problem("K0508", message, where, "leave it out", at_key=True)


def kubelet_flags_are_words(cluster: Cluster) -> Iterator[Problem]:
    """kubeadm-flags.env is read by systemd, which splits and expands what stands in it."""
    for path, level in levels(cluster):
        for name, values in level.node_registration.kubelet_extra_args.items():
            if any(word in value for value in values for word in _FORBIDDEN_WORDS):
                where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", name)
                message = "holds a space, a quote, a '$' or a backslash, which kubeadm-flags.env cannot carry"
                yield Problem("K0509", message, where, "set it in the field kubelet, which is a file")


@needs("spec.bootstrapTokens[]")
def tokens(cluster: Cluster) -> Iterator[Problem]:
    """Nodes that join by token need one."""
    if any("authentication" in token.usages for token in cluster.spec.bootstrap_tokens):
        return
    hint = "add an entry to spec.bootstrapTokens, or set credentials: issued"
    which = "none" if not cluster.spec.bootstrap_tokens else "none with the usage authentication"
    for number, pool in enumerate(cluster.spec.node_pools):
        if any((node.credentials or pool.credentials) == "bootstrapToken" for node in pool.nodes):
            path: Path = ("spec", "nodePools", number)
            yield Problem("K0510", f"its nodes join by bootstrap token, and the spec has {which}", path, hint)


def kubelet_skew(cluster: Cluster) -> Iterator[Problem]:
    """A kubelet is not newer than the API server, and at most three minors older."""
    wanted = names.minor_version(cluster.spec.kubernetes_version)
    for path, level in levels(cluster):
        if level.kubelet_version is None:
            continue
        own, where = names.minor_version(level.kubelet_version), (*path, "kubeletVersion")
        if own > wanted:
            message = f"{level.kubelet_version} is newer than the API server, {cluster.spec.kubernetes_version}"
            yield Problem("K0513", message, where, "upgrade the control plane first")
        elif own < wanted - 3:
            message = f"{level.kubelet_version} is more than three minors behind {cluster.spec.kubernetes_version}"
            yield Problem("K0513", message, where, f"upgrade these kubelets to v1.{wanted - 3} or later first")


def recipients_are_of_one_node(cluster: Cluster) -> Iterator[Problem]:
    """A key that two nodes have opens the files of both."""
    first: dict[str, tuple[Path, str]] = {}
    for path, node, recipient in node_recipients(cluster):
        key = names.bare_recipient(recipient)
        if key in first:
            where, other = first[key]
            message = f"{node} and {other} open each other's secrets: they have the same recipient"
            hint = "give each node a key of its own"
            yield Problem("K0514", message, path, hint, Severity.WARNING, first=where)
        else:
            first[key] = path, node


def recipients_of_nodes_are_no_administrators(cluster: Cluster) -> Iterator[Problem]:
    """A node whose key is among spec.secrets.recipients opens everything."""
    everything = set(map(names.bare_recipient, cluster.spec.secrets.recipients))
    for path, node, recipient in node_recipients(cluster):
        if names.bare_recipient(recipient) in everything:
            message = f"is among spec.secrets.recipients too, so {node} opens every secret of the cluster"
            yield Problem("K0515", message, path, "give the node a key of its own", Severity.WARNING)


RULES = (
    node_names_are_unique,
    addresses_are_unique,
    pool_names_are_unique,
    token_ids_are_unique,
    recipients_are_unique,
    endpoints_are_unique,
    manifests_are_unique,
    quorum,
    labels_of_kubernetes,
    labels_of_the_kubelet,
    labels_in_one_place,
    labels_together,
    taints_are_unique,
    taints_of_the_node_controller,
    taints_in_one_place,
    taints_lost,
    kubelet_files_of_kcompile,
    kubelet_flags_of_kcompile,
    kubelet_flags_are_words,
    tokens,
    kubelet_skew,
    recipients_are_of_one_node,
    recipients_of_nodes_are_no_administrators,
)
