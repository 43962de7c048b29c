"""Whom patches are for. Whether one applies, compiling finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import configuration_fields, names
from kcompile.errors import Path, Problem, Severity
from kcompile.needs import needs
from kcompile.spec import Cluster

_OF_NO_NODE = ("corednsdeployment", "kube-proxy")


def cluster_wide(cluster: Cluster) -> Iterator[Problem]:
    """What runs from one object in the cluster has no version for each node."""
    for index, patch in enumerate(cluster.spec.patches):
        if patch.nodes and patch.target in _OF_NO_NODE:
            path: Path = ("spec", "patches", index, "nodes")
            yield Problem("K0802", f"{patch.target} is no node's own", path, "leave nodes out")


def of_local_etcd(cluster: Cluster) -> Iterator[Problem]:
    """An external etcd has no manifest to patch."""
    for index, patch in enumerate(cluster.spec.patches):
        if patch.target == "etcd" and cluster.spec.etcd.external is not None:
            path: Path = ("spec", "patches", index, "target")
            yield Problem("K0803", "there is no local etcd", path, "remove the patch, or the external etcd")


@needs("spec.controlPlane.nodes[]", "spec.nodePools[]", "spec.nodePools[].nodes[]")
def of_known_nodes(cluster: Cluster) -> Iterator[Problem]:
    """A patch names nodes that are there."""
    spec = cluster.spec
    known = {node.name for node in spec.control_plane.nodes} | {n.name for pool in spec.node_pools for n in pool.nodes}
    listed = sorted(known)
    for index, patch in enumerate(spec.patches):
        for number, name in enumerate(patch.nodes if patch.target not in _OF_NO_NODE else ()):
            if name not in known:
                close = names.nearest(name, listed)
                hint = f"did you mean {close}?" if close else f"nodes are {', '.join(listed[:10])}"
                yield Problem("K0804", f"there is no node {name}", ("spec", "patches", index, "nodes", number), hint)


def of_nodes_that_run_it(cluster: Cluster) -> Iterator[Problem]:
    """Workers run a kubelet and no control plane."""
    spec = cluster.spec
    workers = {node.name for pool in spec.node_pools for node in pool.nodes}
    for index, patch in enumerate(spec.patches):
        if patch.target in (*_OF_NO_NODE, "kubeletconfiguration"):
            continue
        for number, name in enumerate(patch.nodes):
            if name in workers:
                message = f"{name} is no control-plane node: it runs no {patch.target}"
                hint = "name control-plane nodes, or leave nodes out"
                yield Problem("K0805", message, ("spec", "patches", index, "nodes", number), hint)


def _set_by(operation: Any) -> dict[str, Any]:
    """The fields of a configuration that an operation of a JSON patch sets, as far as it goes through no list."""
    if not isinstance(operation, Mapping) or operation.get("op") not in ("add", "replace"):
        return {}
    value = operation.get("value")
    for token in reversed(str(operation.get("path", "")).split("/")[1:]):
        value = {token.replace("~1", "/").replace("~0", "~"): value}
    return value if isinstance(value, dict) else {}


def kubelet_fields_are_known(cluster: Cluster) -> Iterator[Problem]:
    """A kubelet goes on without fields that it does not know, whoever wrote them."""
    minor = names.minor_version(cluster.spec.kubernetes_version)
    for index, patch in enumerate(cluster.spec.patches):
        if patch.target != "kubeletconfiguration":
            continue
        place: Path = ("spec", "patches", index, "patch")
        parts: list[tuple[Path | None, Any]] = [(None, patch.patch)]
        if patch.type == "json":
            operations = patch.patch if isinstance(patch.patch, list | tuple) else ()
            parts = [((*place, number, "path"), _set_by(one)) for number, one in enumerate(operations)]
        for where, fields in parts:
            for fault in configuration_fields.check("KubeletConfiguration", _without_directives(fields), minor):
                if fault.unknown:
                    path = where or (*place, *fault.path)
                    yield Problem("K0607", fault.message, path, fault.mend, Severity.WARNING, at_key=where is None)


def _without_directives(value: Any) -> Any:
    """A patch's fields without what takes fields away."""
    if not isinstance(value, Mapping):
        return value
    kept = {key: child for key, child in value.items() if child is not None and not key.startswith("$")}
    return {key: _without_directives(child) for key, child in kept.items()}


RULES = (cluster_wide, of_local_etcd, of_known_nodes, of_nodes_that_run_it, kubelet_fields_are_known)
