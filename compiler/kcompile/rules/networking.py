"""Ranges, addresses and endpoints."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from kcompile import network
from kcompile.errors import Path, Problem, Severity
from kcompile.network import Network
from kcompile.spec import Cluster

_POD: Path = ("spec", "networking", "podSubnet")
_SERVICE: Path = ("spec", "networking", "serviceSubnet")
_EXAMPLES = ("10.96.0.0/16", "10.112.0.0/16", "172.20.0.0/16", "192.168.128.0/17", "fd00:10:96::/112")
_MAX_SERVICE_BITS = 20
_NODE_MASK = {4: 24, 6: 64}


def _ranges(cluster: Cluster) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
    networking = cluster.spec.networking
    pods = network.networks(networking.pod_subnet) if networking.pod_subnet else ()
    return pods, network.networks(networking.service_subnet)


def _free(version: int, taken: list[Network]) -> str | None:
    for example in _EXAMPLES:
        candidate = ipaddress.ip_network(example)
        if candidate.version == version and not any(
            other.version == version and candidate.overlaps(other) for other in taken
        ):
            return example
    return None


def overlaps(cluster: Cluster) -> Iterator[Problem]:
    """Pod and service ranges must not overlap."""
    pods, services = _ranges(cluster)
    for service in services:
        for pod in pods:
            if service.version == pod.version and service.overlaps(pod):
                free = _free(service.version, [pod])
                example = f", for example {free}" if free else ""
                hint = f"choose a range outside {pod}{example}"
                yield Problem(f"{service} overlaps podSubnet {pod}", _SERVICE, hint)


def nodes_outside(cluster: Cluster) -> Iterator[Problem]:
    """No node's address may lie in the pod or the service range."""
    pods, services = _ranges(cluster)
    for path, node in node_addresses(cluster):
        for text in network.split_list(node):
            address = ipaddress.ip_address(text)
            for name, ranges in (("podSubnet", pods), ("serviceSubnet", services)):
                for found in ranges:
                    if found.version == address.version and address in found:
                        hint = "give the node an address outside it, or choose another range"
                        yield Problem(f"{text} lies in {name} {found}", path, hint)


def node_addresses(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """The address field of each node, with its path."""
    for index, node in enumerate(cluster.spec.control_plane.nodes):
        yield ("spec", "controlPlane", "nodes", index, "address"), node.address
    for number, pool in enumerate(cluster.spec.node_pools):
        for index, worker in enumerate(pool.nodes):
            yield ("spec", "nodePools", number, "nodes", index, "address"), worker.address


def unicast(cluster: Cluster) -> Iterator[Problem]:
    """A node's address must be one that others can send to (kubeadm's VerifyAPIServerBindAddress)."""
    for path, node in node_addresses(cluster):
        for text in network.split_list(node):
            address = ipaddress.ip_address(text)
            kinds = {
                "the unspecified address": address.is_unspecified,
                "a loopback address": address.is_loopback,
                "a multicast address": address.is_multicast,
                "a link-local address": address.is_link_local,
                "the broadcast address": text == "255.255.255.255",
            }
            for kind, applies in kinds.items():
                if applies:
                    hint = "give the address at which the other nodes reach it"
                    yield Problem(f"{text} is {kind}, which is no node's own", path, hint)


def sizes(cluster: Cluster) -> Iterator[Problem]:
    """The sizes that the API server and the controller manager refuse."""
    pods, services = _ranges(cluster)
    for service in services:
        bits = service.max_prefixlen - service.prefixlen
        if bits > _MAX_SERVICE_BITS:
            smallest = service.max_prefixlen - _MAX_SERVICE_BITS
            hint = f"use a prefix length of {smallest} or more"
            yield Problem(f"{service} is larger than the API server allows", _SERVICE, hint)
        elif bits < 4:
            hint = f"use a prefix length of {service.max_prefixlen - 8} or less"
            yield Problem(f"{service} is too small: cluster DNS takes its tenth address", _SERVICE, hint)
    args = cluster.spec.controller_manager.extra_args
    for pod in pods:
        dual = len(pods) > 1
        flag = f"node-cidr-mask-size-ipv{pod.version}" if dual else "node-cidr-mask-size"
        text = (args.get(flag) or (str(_NODE_MASK[pod.version]),))[-1]
        if not text.isdecimal():
            continue
        mask = int(text)
        if mask < pod.prefixlen:
            hint = f"use a prefix length of {mask} or less, or set {flag} in controllerManager.extraArgs"
            yield Problem(f"{pod} is smaller than the /{mask} that each node gets of it", _POD, hint)
        elif mask - pod.prefixlen > 16:
            hint = f"use a prefix length of {mask - 16} or more, or set {flag} in controllerManager.extraArgs"
            message = f"{pod} holds more than 65,536 node ranges of /{mask}, which the controller manager refuses"
            yield Problem(message, _POD, hint)
        elif 2 ** (mask - pod.prefixlen) < (count := sum(1 for _ in node_addresses(cluster))):
            room = 2 ** (mask - pod.prefixlen)
            hint = f"use a shorter prefix, or a longer {flag}"
            yield Problem(f"{pod} has room for {room} nodes of /{mask} each, and the spec has {count}", _POD, hint)


def families(cluster: Cluster) -> Iterator[Problem]:
    """Pod, service and node addresses must be of the same families."""
    pods, services = _ranges(cluster)
    service_families = [found.version for found in services]
    if pods and sorted(found.version for found in pods) != sorted(service_families):
        hint = "give both the same families"
        yield Problem("podSubnet and serviceSubnet are not of the same address families", _POD, hint)
    for path, node in node_addresses(cluster):
        own = [ipaddress.ip_address(part).version for part in network.split_list(node)]
        if own[0] not in service_families:
            yield Problem(f"an IPv{own[0]} address in a cluster whose services are IPv{service_families[0]}", path)
        elif path[1] == "controlPlane" and own[0] != service_families[0]:
            message = (
                f"its API server would advertise IPv{own[0]}, and the first service range is IPv{service_families[0]}"
            )
            yield Problem(message, path, "put the address of that family first, or the ranges in the other order")


def endpoint(cluster: Cluster) -> Iterator[Problem]:
    """Several control-plane nodes need an endpoint that is none of theirs alone."""
    path: Path = ("spec", "controlPlaneEndpoint")
    control_plane = cluster.spec.control_plane.nodes
    given = cluster.spec.control_plane_endpoint
    if given is None:
        if len(control_plane) > 1:
            hint = "set it to a name or an address that reaches all of them: a load balancer, kube-vip, DNS"
            yield Problem(f"is required with {len(control_plane)} control-plane nodes", path, hint)
        return
    host = network.split_endpoint(given).host
    if network.is_ip(host) and (ipaddress.ip_address(host).is_unspecified or ipaddress.ip_address(host).is_loopback):
        yield Problem(f"no other machine reaches {host}", path, "use an address or a name that reaches the API servers")
    if len(control_plane) > 1 and host in [network.split_list(node.address)[0] for node in control_plane]:
        hint = "use an address that moves, or a name"
        yield Problem(f"{host} is one node's own address", path, hint, Severity.WARNING)


RULES = (overlaps, nodes_outside, unicast, sizes, families, endpoint)
