"""Ranges, addresses and endpoints."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcompile import network
from kcompile.errors import Path, Problem, Severity
from kcompile.flags import GO_TRUE
from kcompile.needs import needs
from kcompile.network import Network
from kcompile.rules.places import node_addresses
from kcompile.spec import Cluster, NodeSettings

_POD: Path = ("spec", "networking", "podSubnet")
_SERVICE: Path = ("spec", "networking", "serviceSubnet")
_EXAMPLES = ("10.96.0.0/16", "10.112.0.0/16", "172.20.0.0/16", "192.168.128.0/17", "fd00:10:96::/112")
_MAX_SERVICE_BITS = 20
_NODE_MASK = {4: 24, 6: 64}
_KUBELET_MAX_PODS = 110


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
                yield Problem("K0401", f"{service} overlaps podSubnet {pod}", _SERVICE, hint)


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
                        yield Problem("K0402", f"{text} lies in {name} {found}", path, hint)


def _not_unicast(text: str) -> str | None:
    """What kind of address it is, if one that no other machine can send to."""
    address = ipaddress.ip_address(text)
    kinds = {
        "the unspecified address": address.is_unspecified,
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "a link-local address": address.is_link_local,
        "the broadcast address": text == "255.255.255.255",
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def unicast(cluster: Cluster) -> Iterator[Problem]:
    """A node's address must be one that others can send to (kubeadm's VerifyAPIServerBindAddress)."""
    for path, node in node_addresses(cluster):
        for text in network.split_list(node):
            kind = _not_unicast(text)
            if kind is not None:
                hint = "give the address at which the other nodes reach it"
                yield Problem("K0403", f"{text} is {kind}, which is no node's own", path, hint)


def service_range_size(cluster: Cluster) -> Iterator[Problem]:
    """The API server allocates from at most 2^20 addresses."""
    for service in _ranges(cluster)[1]:
        if service.max_prefixlen - service.prefixlen > _MAX_SERVICE_BITS:
            hint = f"use a prefix length of {service.max_prefixlen - _MAX_SERVICE_BITS} or more"
            yield Problem("K0404", f"{service} is larger than kubeadm allows", _SERVICE, hint)


def room_for_cluster_dns(cluster: Cluster) -> Iterator[Problem]:
    """The tenth address of the service range is cluster DNS's, so there has to be one."""
    for service in _ranges(cluster)[1]:
        if service.max_prefixlen - service.prefixlen < 4:
            hint = f"use a prefix length of {service.max_prefixlen - 4} or less; /{service.max_prefixlen - 16} is usual"
            yield Problem("K0405", f"{service} is too small: cluster DNS takes its tenth address", _SERVICE, hint)


_MASK = "node-cidr-mask-size"
_CONTROLLER_MANAGER: Path = ("spec", "controllerManager", "extraArgs")


@dataclass(frozen=True)
class _Masks:
    """What the controller manager gives nodes of the pod ranges (setNodeCIDRMaskSizes in its app/core.go)."""

    pods: tuple[Network, ...]
    place: Path
    """Where the ranges are named: podSubnet, or the flag that overrides it."""
    sizes: Mapping[str, int]
    """The flags for the prefix lengths that are set; 0 is as good as not set."""
    unread: tuple[str, ...] = ()
    """Those that are no number, so that the controller manager does not start."""

    def flag(self, version: int) -> str:
        """The flag that decides for a range of an IP version."""
        return f"{_MASK}-ipv{version}" if len(self.pods) > 1 or f"{_MASK}-ipv{version}" in self.sizes else _MASK


def _masks(cluster: Cluster) -> _Masks | None:
    """None where nodes are given no ranges, as for network plugins that do so themselves.

    kubeadm has the controller manager give them out where there is a podSubnet.
    """
    args = cluster.spec.controller_manager.extra_args
    subnet = cluster.spec.networking.pod_subnet
    allocates = (args.get("allocate-node-cidrs") or ("true" if subnet else "false",))[-1]
    ranges = (args.get("cluster-cidr") or (subnet or "",))[-1]
    place = (*_CONTROLLER_MANAGER, "cluster-cidr") if args.get("cluster-cidr") else _POD
    try:
        pods = network.networks(ranges)
    except ValueError:
        return None
    if allocates not in GO_TRUE:
        return None
    texts = {flag: args[flag][-1] for flag in (_MASK, f"{_MASK}-ipv4", f"{_MASK}-ipv6") if args.get(flag)}
    sizes = {flag: _go_int(text) for flag, text in texts.items()}
    unread = tuple(flag for flag, size in sizes.items() if size is None)
    return _Masks(pods, place, {flag: size for flag, size in sizes.items() if size}, unread)


def _go_int(text: str) -> int | None:
    """A number as Go's flags read it (strconv.ParseInt of base 0)."""
    found = re.fullmatch(
        r"[-+]?(0[xX][0-9a-fA-F]{1,8}|0[oO]?[0-7]{1,8}|0[bB][01]{1,32}|[1-9][0-9]{0,8}|0)", text, re.ASCII
    )
    if found is None:
        return None
    digits = re.sub(r"^([-+]?)0(?=[0-7])", r"\g<1>0o", text)
    return int(digits, 0)


def node_masks_are_read(cluster: Cluster) -> Iterator[Problem]:
    """The flags for node ranges go by the families of the pod ranges."""
    masks = _masks(cluster)
    if masks is None:
        return
    versions = [pod.version for pod in masks.pods]
    named = f"{_MASK}-ipv{versions[0]}" if len(versions) == 1 else f"{_MASK}-ipv4 and {_MASK}-ipv6"
    for flag in masks.unread:
        yield _of_masks(flag, "is no number, and the controller manager does not start", "write one, for example 24")
    for flag, size in masks.sizes.items():
        family = int(flag[-1]) if flag != _MASK else None
        longest = 32 if 4 in (versions if family is None else [family]) else 128
        if family is None and len(versions) > 1:
            yield _of_masks(
                flag, "is not allowed with two pod ranges: each family has a flag of its own", f"use {named}"
            )
        elif family is not None and family not in versions:
            yield _of_masks(flag, f"is not allowed: there is no IPv{family} pod range", f"use {named}, or leave it out")
        elif family is not None and _MASK in masks.sizes and len(versions) == 1:
            yield _of_masks(flag, f"is not allowed beside {_MASK}", "keep one of them")
        elif not 0 < size <= longest:
            yield _of_masks(flag, f"is {size}, and prefix lengths go from 1 to {longest}", f"write {longest} or less")


def _of_masks(flag: str, message: str, hint: str) -> Problem:
    return Problem("K0419", message, (*_CONTROLLER_MANAGER, flag), hint)


def _node_masks(cluster: Cluster) -> Iterator[tuple[Path, Network, str, int]]:
    """Each pod range with its place, the flag for the ranges that nodes get of it, and their prefix length."""
    masks = _masks(cluster)
    if masks is None or masks.unread:
        return
    for pod in masks.pods:
        flag = masks.flag(pod.version)
        mask = masks.sizes.get(flag, _NODE_MASK[pod.version])
        if 0 < mask <= pod.max_prefixlen:
            yield masks.place, pod, flag, mask


def pod_range_holds_a_node(cluster: Cluster) -> Iterator[Problem]:
    """A pod range is at least as large as what one node gets of it."""
    for place, pod, flag, mask in _node_masks(cluster):
        if mask < pod.prefixlen:
            hint = f"use a prefix length of {mask} or less, or set {flag} in controllerManager.extraArgs"
            yield Problem("K0406", f"{pod} is smaller than the /{mask} that each node gets of it", place, hint)


def pod_range_is_countable(cluster: Cluster) -> Iterator[Problem]:
    """The controller manager keeps a bit for each node range, 2^16 at most (MaxDiff in its range allocator)."""
    for place, pod, flag, mask in _node_masks(cluster):
        if mask - pod.prefixlen > 16:
            hint = f"use a prefix length of {mask - 16} or more, or set {flag} in controllerManager.extraArgs"
            message = f"{pod} holds more than 65,536 node ranges of /{mask}, which the controller manager refuses"
            yield Problem("K0407", message, place, hint)


@needs("spec.controlPlane.nodes[]", "spec.nodePools[]", "spec.nodePools[].nodes[]")
def pod_range_holds_all_nodes(cluster: Cluster) -> Iterator[Problem]:
    """Every node needs a range of its own."""
    count = sum(1 for _ in node_addresses(cluster))
    for place, pod, flag, mask in _node_masks(cluster):
        room = 2 ** max(0, mask - pod.prefixlen)
        if mask >= pod.prefixlen and room < count:
            needed = mask - (count - 1).bit_length()
            hint = f"use a prefix length of {needed} or less, or a longer {flag} in controllerManager.extraArgs"
            nodes = f"{room} node{'s' if room > 1 else ''}"
            yield Problem("K0408", f"{pod} has room for {nodes} of /{mask} each, and the spec has {count}", place, hint)


def same_families(cluster: Cluster) -> Iterator[Problem]:
    """Pods and services are of the same address families."""
    pods, services = _ranges(cluster)
    if pods and sorted(found.version for found in pods) != sorted(found.version for found in services):
        own, other = _family_names(pods), _family_names(services)
        message = f"podSubnet is {own} and serviceSubnet {other}: they must be of the same address families"
        yield Problem("K0409", message, _POD, "give both the same families")


def _family_names(ranges: tuple[Network, ...]) -> str:
    return " and ".join(f"IPv{found.version}" for found in ranges)


def node_families(cluster: Cluster) -> Iterator[Problem]:
    """A node's first address is of a family that services have."""
    families = [found.version for found in _ranges(cluster)[1]]
    for path, node in node_addresses(cluster):
        own = _first_family(node)
        if own not in families:
            message = f"an IPv{own} address in a cluster whose services are IPv{families[0]}"
            hint = "add a service range of that family, or give the node another address"
            if any(ipaddress.ip_address(part).version in families for part in network.split_list(node)[1:]):
                hint = f"put its IPv{families[0]} address first"
            yield Problem("K0410", message, path, hint)


def advertised_family(cluster: Cluster) -> Iterator[Problem]:
    """An API server advertises an address of the first service range's family, or it does not start."""
    families = [found.version for found in _ranges(cluster)[1]]
    for path, node in node_addresses(cluster):
        own = _first_family(node)
        if path[1] == "controlPlane" and own in families and own != families[0]:
            message = f"its API server would advertise IPv{own}, and the first service range is IPv{families[0]}"
            hint = "put the address of that family first, or the ranges in the other order"
            yield Problem("K0411", message, path, hint)


def _first_family(addresses: str) -> int:
    return ipaddress.ip_address(network.split_list(addresses)[0]).version


_ENDPOINT: Path = ("spec", "controlPlaneEndpoint")


def endpoint_is_there(cluster: Cluster) -> Iterator[Problem]:
    """Several control-plane nodes need one endpoint."""
    if cluster.spec.control_plane_endpoint is None and len(cluster.spec.control_plane.nodes) > 1:
        hint = "set it to a name or an address that reaches all of them: a load balancer, kube-vip, DNS"
        yield Problem("K0412", "is required with more than one control-plane node", _ENDPOINT, hint)


def _endpoint_host(cluster: Cluster) -> str:
    given = cluster.spec.control_plane_endpoint
    return network.split_endpoint(given).host if given is not None else ""


def endpoint_is_reachable(cluster: Cluster) -> Iterator[Problem]:
    """The endpoint is no address that means the machine itself, or none at all."""
    host = _endpoint_host(cluster)
    kind = _not_unicast(host) if network.is_ip(host) else None
    if host == "localhost" or host.endswith(".localhost"):
        kind = "the machine itself"
    if kind is not None:
        hint = "use an address or a name that reaches the API servers"
        yield Problem("K0413", f"no other machine reaches {host}: it is {kind}", _ENDPOINT, hint)


def endpoint_is_shared(cluster: Cluster) -> Iterator[Problem]:
    """An endpoint that is one node's own address is gone with that node."""
    nodes = cluster.spec.control_plane.nodes
    host = _endpoint_host(cluster)
    for node in nodes if len(nodes) > 1 else ():
        if host == node.name or host in network.split_list(node.address):
            message = f"{host} is {node.name}'s own: without that node no other reaches the API"
            yield Problem("K0414", message, _ENDPOINT, "use an address that moves, or a name", Severity.WARNING)


def services_take_no_used_address(cluster: Cluster) -> Iterator[Problem]:
    """Addresses outside the cluster lie in none of its ranges; the first and the tenth are even given away."""
    pods, services = _ranges(cluster)
    named = {f"podSubnet {found}": found for found in pods} | {f"serviceSubnet {found}": found for found in services}
    for path, host in _outside_addresses(cluster):
        address = ipaddress.ip_address(host)
        for name, found in named.items():
            if found.version == address.version and address in found:
                places = {1: "the API server's", 10: "cluster DNS's"} if name.startswith("serviceSubnet") else {}
                owner = places.get(int(address) - int(found.network_address))
                message = f"{host} lies in {name}" + (f" and is {owner} address" if owner else "")
                yield Problem("K0415", message, path, "choose another range, or give it an address outside")


def _outside_addresses(cluster: Cluster) -> Iterator[tuple[Path, str]]:
    """Addresses that the cluster is to reach and does not give out: the endpoint's and external etcd's."""
    host = _endpoint_host(cluster)
    if network.is_ip(host):
        yield _ENDPOINT, host
    external = cluster.spec.etcd.external
    for index, url in enumerate(external.endpoints if external is not None else ()):
        host = network.split_endpoint(url.partition("://")[2]).host
        if network.is_ip(host):
            yield ("spec", "etcd", "external", "endpoints", index), host


def names_that_clients_take(cluster: Cluster) -> Iterator[Problem]:
    """Names in certificates that TLS clients refuse although Kubernetes takes them."""
    spec = cluster.spec
    places: list[tuple[Path, tuple[str, ...]]] = [(("spec", "apiServer", "certSANs"), spec.api_server.cert_sans)]
    places += [
        (("spec", "controlPlane", "nodes", index, "certSANs"), node.cert_sans)
        for index, node in enumerate(spec.control_plane.nodes)
    ]
    if spec.etcd.local is not None:
        places.append((("spec", "etcd", "local", "serverCertSANs"), spec.etcd.local.server_cert_sans))
        places.append((("spec", "etcd", "local", "peerCertSANs"), spec.etcd.local.peer_cert_sans))
    for place, sans in places:
        for index, name in enumerate(sans):
            yield from _doubtful_name(name, (*place, index))
    host = _endpoint_host(cluster)
    if host and not network.is_ip(host):
        yield from _doubtful_name(host, _ENDPOINT)


def _doubtful_name(name: str, path: Path) -> Iterator[Problem]:
    if network.is_ip(name):
        return
    labels = name.split(".")
    if labels[0] == "*" and len(labels) == 2:
        message = f"many clients refuse {name}: a wildcard right below a top-level domain"
        yield Problem("K0418", message, path, f"name the hosts, or use *.something.{labels[1]}", Severity.WARNING)
    elif labels[-1].isdecimal():
        message = f"{name} ends in a number: URL parsers take it for a broken IPv4 address"
        yield Problem("K0418", message, path, "end it with a letter", Severity.WARNING)


def pods_have_addresses(cluster: Cluster) -> Iterator[Problem]:
    """A node that runs more pods than its range has addresses leaves some of them without one."""
    for path, most in _max_pods(cluster):
        for _, pod, flag, mask in _node_masks(cluster):
            room = max(0, 2 ** min(32, pod.max_prefixlen - mask) - 2)
            if mask >= pod.prefixlen and most > room:
                message = f"a node runs up to {most} pods, and the /{mask} it gets of {pod} has {room} addresses"
                hint = f"lower maxPods, or set a shorter {flag} in controllerManager.extraArgs"
                yield Problem("K0416", message, path, hint, Severity.WARNING)


def _max_pods(cluster: Cluster) -> Iterator[tuple[Path, int]]:
    """The maxPods that nodes run with, each with its path; of nodes for which there is none, the kubelet's own."""
    spec = cluster.spec
    everywhere: _Level = (("spec",), spec.kubelet)
    groups: list[tuple[_Level, Sequence[NodeSettings]]] = [
        ((("spec", "controlPlane"), spec.control_plane.kubelet), spec.control_plane.nodes)
    ]
    groups += [((("spec", "nodePools", i), pool.kubelet), pool.nodes) for i, pool in enumerate(spec.node_pools)]
    found: dict[Path, int] = {}
    for shared, nodes in groups:
        for index, node in enumerate(nodes):
            own: _Level = ((*shared[0], "nodes", index), node.kubelet)
            path, most = next(
                (
                    ((*path, "kubelet", "maxPods"), fields["maxPods"])
                    for path, fields in (own, shared, everywhere)
                    if fields.get("maxPods") is not None
                ),
                (_POD, _KUBELET_MAX_PODS),
            )
            if isinstance(most, int) and not isinstance(most, bool):
                found[path] = most
    yield from found.items()


_Level = tuple[Path, Mapping[str, Any]]


RULES = (
    overlaps,
    nodes_outside,
    unicast,
    service_range_size,
    room_for_cluster_dns,
    node_masks_are_read,
    pod_range_holds_a_node,
    pod_range_is_countable,
    pod_range_holds_all_nodes,
    same_families,
    node_families,
    advertised_family,
    endpoint_is_there,
    endpoint_is_reachable,
    endpoint_is_shared,
    services_take_no_used_address,
    names_that_clients_take,
    pods_have_addresses,
)
