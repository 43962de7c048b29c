"""The places of a spec at which the same thing may stand, each with its path."""

from __future__ import annotations

from collections.abc import Iterator

from kcompile.errors import Path
from kcompile.spec import Cluster, Component, NodeSettings


def node_names(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """The name of each node, with its path."""
    for index, node in enumerate(cluster.spec.control_plane.nodes):
        yield ("spec", "controlPlane", "nodes", index, "name"), node.name
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, worker in enumerate(pool.nodes):
            yield ("spec", "nodePools", number, "nodes", index, "name"), worker.name


def node_addresses(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """The address field of each node, with its path."""
    for index, node in enumerate(cluster.spec.control_plane.nodes):
        yield ("spec", "controlPlane", "nodes", index, "address"), node.address
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, worker in enumerate(pool.nodes):
            yield ("spec", "nodePools", number, "nodes", index, "address"), worker.address


def node_recipients(cluster: Cluster) -> Iterator[tuple[Path, str, str]]:
    """The recipient of each node that has one, with its path and the node's name."""
    for index, node in enumerate(cluster.spec.control_plane.nodes):
        if node.recipient is not None:
            yield ("spec", "controlPlane", "nodes", index, "recipient"), node.name, node.recipient
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, worker in enumerate(pool.nodes):
            if worker.recipient is not None:
                yield ("spec", "nodePools", number, "nodes", index, "recipient"), worker.name, worker.recipient


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


def components(cluster: Cluster) -> Iterator[tuple[str, Path, Component]]:
    """The control plane's components, by what they are called on a command line."""
    spec = cluster.spec
    yield "kube-apiserver", ("spec", "apiServer"), spec.api_server
    yield "kube-controller-manager", ("spec", "controllerManager"), spec.controller_manager
    yield "kube-scheduler", ("spec", "scheduler"), spec.scheduler
