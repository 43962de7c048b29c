"""Addresses, ranges and endpoints as Kubernetes writes them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def join_host_port(host: str, port: int | str) -> str:
    """``host:port``, an IPv6 address in brackets (Go's net.JoinHostPort)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A control-plane endpoint: a name or an address, and a port if one was given."""

    host: str
    port: int | None


def split_endpoint(text: str) -> Endpoint:
    """Read ``name``, ``name:port``, ``10.0.0.1:port``, ``fd00::1`` or ``[fd00::1]:port``. Raises ValueError."""
    if is_ip(text):
        return Endpoint(text, None)
    if text.startswith("["):
        host, closing, rest = text[1:].partition("]")
        if not closing or not is_ip(host) or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(text)
        port_text: str | None = rest[1:] if rest else None
    else:
        host, colon, port = text.partition(":")
        port_text = port if colon else None
    if not host:
        raise ValueError(text)
    if port_text is None:
        return Endpoint(host, None)
    if not (port_text.isascii() and port_text.isdigit()) or not 1 <= int(port_text) <= 65535:
        raise ValueError(text)
    return Endpoint(host, int(port_text))


def split_list(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated value."""
    return tuple(part.strip() for part in text.split(","))


def networks(text: str) -> tuple[Network, ...]:
    """The ranges of ``podSubnet`` or ``serviceSubnet``: one, or a comma-separated pair. Raises ValueError."""
    return tuple(ipaddress.ip_network(part) for part in split_list(text))


def nth_address(network: Network, index: int) -> str:
    """The index-th address of a range: 1 is the API server's service address, 10 cluster DNS (as in kubeadm).

    Raises IndexError where the range has no such address.
    """
    return str(network[index])
