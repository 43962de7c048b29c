"""Nodes: their names and addresses, how many of them there are, and what they may be labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcompile import network
from kcompile.errors import Path, Problem, Severity
from kcompile.rules.networking import node_addresses
from kcompile.spec import Cluster, NodeSettings

_FORBIDDEN_WORDS = (" ", "\t", '"', "'", "\\", "$", "`")
_OWNED_KUBELET_FLAGS = {
    "bootstrap-kubeconfig": "the kubelet's drop-in sets it",
    "config": "the kubelet's drop-in sets it",
    "hostname-override": "certificates name the node as the spec does",
    "kubeconfig": "the kubelet's drop-in sets it",
}
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


def node_names(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """The name of each node, with its path."""
    for index, node in enumerate(cluster.spec.control_plane.nodes):
        yield ("spec", "controlPlane", "nodes", index, "name"), node.name
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, worker in enumerate(pool.nodes):
            yield ("spec", "nodePools", number, "nodes", index, "name"), worker.name


def unique(cluster: Cluster) -> Iterator[Problem]:
    """Names of nodes and pools, addresses, token ids and recipients must be unique."""
    named: list[tuple[Path, str, str]] = [(path, "node", name) for path, name in node_names(cluster)]
    named += [(path, "address", part) for path, text in node_addresses(cluster) for part in network.split_list(text)]
    named += [
        (("spec", "nodePools", i, "name"), "node pool", pool.name) for i, pool in enumerate(cluster.spec.node_pools)
    ]
    named += [
        (("spec", "bootstrapTokens", i, "id"), "bootstrap token", token.id)
        for i, token in enumerate(cluster.spec.bootstrap_tokens)
    ]
    named += [
        (("spec", "secrets", "recipients", i), "recipient", recipient)
        for i, recipient in enumerate(cluster.spec.secrets.recipients)
    ]
    first: dict[tuple[str, str], Path] = {}
    for path, kind, value in named:
        if (kind, value) in first:
            hint = "remove it" if kind == "recipient" else "give it another"
            yield Problem(f"the {kind} {value} is there already", path, hint, first=first[kind, value])
        else:
            first[kind, value] = path


def quorum(cluster: Cluster) -> Iterator[Problem]:
    """An even number of etcd members survives no more failures than one fewer."""
    count = len(cluster.spec.control_plane.nodes)
    if count % 2 == 0 and cluster.spec.etcd.external is None:
        message = f"{count} stacked etcd members tolerate no more failures than {count - 1}"
        yield Problem(message, ("spec", "controlPlane", "nodes"), "use an odd number", Severity.WARNING)


def levels(cluster: Cluster) -> Iterator[tuple[Path, NodeSettings]]:
    """Every place at which node settings may stand."""
    spec = cluster.spec
    yield ("spec", "controlPlane"), spec.control_plane
    for index, node in enumerate(spec.control_plane.nodes):
        yield ("spec", "controlPlane", "nodes", index), node
    for number, pool in enumerate(spec.node_pools):
        yield ("spec", "nodePools", number), pool
        for index, worker in enumerate(pool.nodes):
            yield ("spec", "nodePools", number, "nodes", index), worker


def labels(cluster: Cluster) -> Iterator[Problem]:
    """The NodeRestriction plugin keeps kubelets from setting most labels of Kubernetes' own namespaces."""
    for path, level in levels(cluster):
        hint = "set it with kubectl once the node is there, or use a prefix of your own"
        for key in filter(_is_restricted, level.labels):
            yield Problem(f"a kubelet may not give itself the label {key}", (*path, "labels", key), hint)
        where: Path = (*path, "nodeRegistration", "kubeletExtraArgs", "node-labels")
        for value in level.node_registration.kubelet_extra_args.get("node-labels", ()):
            for key in filter(_is_restricted, (pair.partition("=")[0] for pair in value.split(","))):
                yield Problem(f"a kubelet may not give itself the label {key}", where, hint)


def _is_restricted(key: str) -> bool:
    """Whether the kubelet refuses to set a label of Kubernetes' own namespaces (kubelet's ValidateKubeletLabels)."""
    prefix = key.rpartition("/")[0]
    if key in _ALLOWED_LABELS or not _below(prefix, ("kubernetes.io", "k8s.io")):
        return False
    return not _below(prefix, ("kubelet.kubernetes.io", "node.kubernetes.io"))


def _below(prefix: str, domains: tuple[str, ...]) -> bool:
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in domains)


def registration(cluster: Cluster) -> Iterator[Problem]:
    """Taints stand in one place; kubelet flags stay one word each and leave alone what kcompile sets."""
    for path, level in levels(cluster):
        if level.taints is not None and level.node_registration.taints is not None:
            yield Problem("taints stand in nodeRegistration too", (*path, "taints"), "keep one of the two")
        flags = level.node_registration.kubelet_extra_args
        where: Path = (*path, "nodeRegistration", "kubeletExtraArgs")
        if "node-labels" in flags and level.labels:
            yield Problem("node-labels and labels are both set", (*where, "node-labels"), "move them to labels")
        for name, values in flags.items():
            if name in _OWNED_KUBELET_FLAGS:
                reason = _OWNED_KUBELET_FLAGS[name]
                yield Problem(f"kcompile sets {name} itself: {reason}", (*where, name), "leave it out")
            for value in values:
                if any(word in value for word in _FORBIDDEN_WORDS):
                    message = "holds a space, a quote, a '$' or a backslash, which kubeadm-flags.env cannot carry"
                    yield Problem(message, (*where, name), "use the kubelet field of the configuration file")


def labels_twice(cluster: Cluster) -> Iterator[Problem]:
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
                yield Problem(message, (*path, "nodes", index), "move all of them to labels")


def taints(cluster: Cluster) -> Iterator[Problem]:
    """The API server refuses a node with two taints of one key and effect."""
    for path, level in levels(cluster):
        registration = level.node_registration.taints
        for field, found in ((("taints",), level.taints), (("nodeRegistration", "taints"), registration)):
            seen = set()
            for index, taint in enumerate(found or ()):
                if (taint.key, taint.effect) in seen:
                    message = f"the taint {taint.key}:{taint.effect} is there already"
                    yield Problem(message, (*path, *field, index), "keep one of them")
                seen.add((taint.key, taint.effect))


def tokens(cluster: Cluster) -> Iterator[Problem]:
    """Nodes that join by token need one."""
    if any("authentication" in token.usages for token in cluster.spec.bootstrap_tokens):
        return
    for number, pool in enumerate(cluster.spec.node_pools):
        joining = any((node.credentials or pool.credentials) == "bootstrapToken" for node in pool.nodes)
        if joining:
            hint = "add an entry to spec.bootstrapTokens, or set credentials: issued"
            yield Problem(
                "its nodes join by bootstrap token, and the spec has none", ("spec", "nodePools", number), hint
            )


RULES = (unique, quorum, labels, labels_twice, taints, registration, tokens)
