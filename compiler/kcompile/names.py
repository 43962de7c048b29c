"""The grammars of names: labels, DNS names, taints, versions, tokens, recipients.

Each check returns its argument or raises :class:`Invalid`, which says what is wrong and how to mend it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from kcompile import network, timefmt
from kcompile.secret import looks_secret

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_FLAG = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ENV_NAME = r"[-._A-Za-z][-._A-Za-z0-9]*"
_VERSION = r"v1\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
_TOKEN_ID = r"[a-z0-9]{6}"
_IMAGE_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_IMAGE_REPOSITORY = r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_SSH_RECIPIENT = r"ssh-(ed25519|rsa) [A-Za-z0-9+/]+={0,2}( .*)?"
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]"


def _is(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern, which is compiled when it is first asked for."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


class Invalid(ValueError):
    """A value that is not of its grammar. ``hint`` says how to mend it, where that can be said."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def cluster_name(text: str) -> str:
    """An RFC 1123 label: it is kubeadm's clusterName and a directory's name."""
    if len(text) > 63 or not _is(_DNS_LABEL, text):
        raise Invalid(f"{text!r} is not an RFC 1123 label", "use lower-case letters, digits and '-', 63 at most")
    return text


def dns_subdomain(text: str) -> str:
    """An RFC 1123 subdomain, 253 characters at most: what Kubernetes takes as a node name."""
    labels = text.split(".")
    if len(text) > 253 or any(len(label) > 63 for label in labels):
        raise Invalid(f"a name of {len(text)} characters is too long", "use 253 at most, 63 between two dots")
    if not all(_is(_DNS_LABEL, label) for label in labels):
        raise Invalid(
            f"{text!r} is not an RFC 1123 subdomain",
            "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit",
        )
    return text


def dns_name(text: str) -> str:
    """A DNS name in lower case that is not an address."""
    if network.is_ip(text) or _is(r"[\d.]+", text):
        raise Invalid(f"{text!r} is not a DNS name")
    return dns_subdomain(text)


def subject_alt_name(text: str) -> str:
    """What may stand among a certificate's names: an address, a DNS name, or a DNS name with a leading ``*.``."""
    if network.is_ip(text):
        return text
    try:
        dns_name(text.removeprefix("*."))
    except Invalid as error:
        raise Invalid(f"{text!r} is neither an IP address nor a DNS name", error.hint) from None
    return text


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address in its canonical spelling."""
    if not network.is_ip(text):
        prefixed = "/" in text and network.is_ip(text.split("/", maxsplit=1)[0])
        hint = "leave out the prefix length" if prefixed else "write it as 10.0.0.11 or fd00::11"
        raise Invalid(f"{text!r} is not an IP address", hint)
    canonical = str(ipaddress.ip_address(text))
    if canonical != text:
        raise Invalid(f"{text!r} is not written in its canonical form", f"write {canonical}")
    return text


def address_list(text: str) -> str:
    """A node's address, or two of different families separated by a comma (dual stack)."""
    parts = network.split_list(text)
    for part in parts:
        ip_address(part)
    if len(parts) > 2 or len({ipaddress.ip_address(part).version for part in parts}) != len(parts):
        raise Invalid(f"{text!r} is not one address or a pair of an IPv4 and an IPv6 address")
    return ",".join(parts)


def subnet_list(text: str) -> str:
    """A CIDR range, or two of different families separated by a comma (dual stack)."""
    parts = network.split_list(text)
    found = []
    for part in parts:
        try:
            found.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            hint = f"add a prefix length, for example {part}/16" if network.is_ip(part) else "write it as 10.244.0.0/16"
            raise Invalid(f"{part!r} is not a CIDR range", hint) from None
        if "/" not in part:
            raise Invalid(f"{part!r} is not a CIDR range", f"add a prefix length, for example {part}/16")
        if str(found[-1]) != part:
            same = ipaddress.ip_interface(part).ip == found[-1].network_address
            what = "is not written in its canonical form" if same else "has host bits set"
            raise Invalid(f"{part} {what}", f"write {found[-1]}")
    if len(parts) > 2 or len({n.version for n in found}) != len(found):
        raise Invalid(f"{text!r} is not one range or a pair of an IPv4 and an IPv6 range")
    return ",".join(parts)


def endpoint(text: str) -> str:
    """A control-plane endpoint: a DNS name or an address, with or without a port."""
    try:
        host = network.split_endpoint(text).host
    except ValueError:
        raise Invalid(
            f"{text!r} is not an endpoint", "write name:port, 10.0.0.10:6443 or [fd00::10]:6443; the port is optional"
        ) from None
    if not network.is_ip(host):
        dns_name(host)
    return text


def kubernetes_version(text: str) -> str:
    """``v1.<minor>.<patch>``."""
    if not _is(_VERSION, text):
        bare = f"v{text}"
        hint = f"write {bare}" if _is(_VERSION, bare) else "write it as v1.36.2"
        raise Invalid(f"{text!r} is not a Kubernetes version", hint)
    return text


def minor_version(version: str) -> int:
    """The minor of a checked Kubernetes version: 36 of v1.36.2."""
    return int(version.split(".")[1])


def patch_version(version: str) -> int:
    """The patch of a checked Kubernetes version: 2 of v1.36.2."""
    return int(version.split(".")[2])


def duration(text: str) -> str:
    """A positive Go duration."""
    try:
        value = timefmt.parse_duration(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a duration", "write hours, minutes and seconds, for example 8760h") from None
    if value <= 0:
        raise Invalid(f"{text!r} is not a positive duration")
    return text


def timestamp(text: str) -> str:
    """An RFC 3339 timestamp in UTC and whole seconds."""
    try:
        year = timefmt.parse_timestamp(text).year
    except ValueError:
        raise Invalid(f"{text!r} is not a UTC timestamp", "write it as 2026-11-23T00:00:00Z") from None
    if not 1970 <= year < 9000:  # certificates know 1950 to 9999, and validity is added
        raise Invalid(f"{text!r} is not a date for a certificate", "choose a year from 1970 to 8999")
    return text


def label_key(text: str) -> str:
    """The key of a label or a taint: an optional DNS prefix and a name of 63 characters at most."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        dns_subdomain(prefix)
    if not name or len(name) > 63 or not _is(_LABEL_VALUE, name):
        raise Invalid(f"{text!r} is not a label key", "write name or prefix.example.com/name")
    return text


def label_value(text: str) -> str:
    """The value of a label or a taint."""
    if len(text) > 63 or not _is(_LABEL_VALUE, text):
        raise Invalid(f"{text!r} is not a label value", "use letters, digits, '-', '_' and '.', 63 at most")
    return text


def taint_effect(text: str) -> str:
    """What a taint does to a pod."""
    if text not in _TAINT_EFFECTS:
        raise Invalid(f"{text!r} is not a taint effect", f"use one of {', '.join(_TAINT_EFFECTS)}")
    return text


def flag_name(text: str) -> str:
    """A component's flag without its dashes."""
    if not _is(_FLAG, text):
        hint = f"write {text.lstrip('-')}" if text.startswith("-") else None
        raise Invalid(f"{text!r} is not a flag name", hint)
    return text


def one_line(text: str) -> str:
    """Text without line breaks or other control characters."""
    if re.search(_CONTROL, text):
        raise Invalid("has a line break or another control character")
    return text


def env_name(text: str) -> str:
    """An environment variable's name as Kubernetes takes it."""
    if not _is(_ENV_NAME, text):
        raise Invalid(f"{text!r} is not an environment variable's name")
    return text


def absolute_path(text: str) -> str:
    """A clean absolute path on a host."""
    one_line(text)
    parts = text.split("/")
    if not text.startswith("/") or any(part in ("", ".", "..") for part in parts[1:]):
        raise Invalid(
            f"{text!r} is not a clean absolute path", "begin with '/', without '.', '..', '//' or a final '/'"
        )
    return text


def relative_path(text: str) -> str:
    """A path that stays below the directory it is read from."""
    one_line(text)
    if text.startswith("/") or any(part in ("", ".", "..") for part in text.split("/")):
        raise Invalid(f"{text!r} is not a path below the spec's directory", "write it relative, without '..'")
    return text


def cri_socket(text: str) -> str:
    """The container runtime's endpoint, ``unix:///run/containerd/containerd.sock``."""
    one_line(text)
    if not text.startswith("unix:///") or any(c in text for c in " \"'\\$`"):
        raise Invalid(f"{text!r} is not a socket", "write it as unix:///run/containerd/containerd.sock")
    return text


def token_id(text: str) -> str:
    """The public half of a bootstrap token. What is refused is not repeated: it may be a whole token."""
    if not _is(_TOKEN_ID, text):
        raise Invalid(
            "is not a token id",
            "write the six characters before the '.'; the secret half belongs in the secrets file",
        )
    return text


def token_group(text: str) -> str:
    """A group of a bootstrap token, below ``system:bootstrappers:``."""
    if not _is(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]", text):
        raise Invalid(f"{text!r} is not a bootstrap group", "begin with system:bootstrappers:")
    return text


def image_tag(text: str) -> str:
    """An image's tag."""
    if not _is(_IMAGE_TAG, text):
        raise Invalid(f"{text!r} is not an image tag")
    return text


def etcd_version(tag: str) -> tuple[int, int] | None:
    """The etcd minor of an image's tag: (3, 6) of ``3.6.8-0``. None of a tag that does not tell."""
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})\.", tag, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def image_repository(text: str) -> str:
    """A registry with an optional path, without a tag."""
    if not _is(_IMAGE_REPOSITORY, text):
        raise Invalid(f"{text!r} is not an image repository", "write it as registry.example.com/path")
    return text


def age_recipient(text: str) -> str:
    """Who can open what is sealed: an age X25519 recipient or an SSH public key."""
    from kcompile import age  # loads a compiled library: only when a recipient is read

    if looks_secret(text):
        raise Invalid("is a private key, not a recipient", "remove it, replace the key, and write the age1… line here")
    if not age.is_recipient(text) or (text.startswith("ssh-") and not _is(_SSH_RECIPIENT, text)):
        raise Invalid("is not an age recipient", "write age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…")
    return text


def url(text: str) -> str:
    """An etcd endpoint, ``https://10.0.0.1:2379``."""
    scheme, separator, rest = text.partition("://")
    try:
        unbracketed = network.is_ip(rest) and ":" in rest
        if scheme not in ("http", "https") or not separator or "/" in rest or unbracketed:
            raise ValueError(text)
        found = network.split_endpoint(rest)
        if not network.is_ip(found.host):
            dns_name(found.host)
    except ValueError:
        raise Invalid(f"{text!r} is not an etcd endpoint", "write it as https://10.0.0.1:2379") from None
    return text


Check = Callable[[str], str]
