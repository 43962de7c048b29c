"""The grammars of names: labels, DNS names, taints, versions, tokens, recipients.

Each check returns its argument or raises :class:`Invalid`, which says what is wrong and how to mend it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress

from kcompile import network, timefmt
from kcompile.secret import looks_secret

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_NO_SECRET = "remove it, and replace the secret: whoever has seen the file has it"
_FLAG = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_ENV_NAME = r"[-._A-Za-z][-._A-Za-z0-9]*"
_VERSION = r"v1\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})"
_TOKEN_ID = r"[a-z0-9]{6}"
_IMAGE_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_IMAGE_REPOSITORY = r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_SSH_RECIPIENT = r"ssh-(ed25519|rsa) [A-Za-z0-9+/]+={0,2}( .*)?"
_LABEL_HINT = "use letters, digits, '-', '_' and '.', 63 at most, a letter or a digit at both ends"
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ALIKE = 65
"""Of a hundred, how much two words have in common for one to be taken for the other."""
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""What ends a line, steers a terminal, or turns the direction of what stands behind it."""


def _is(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern, which is compiled when it is first asked for."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


_SECOND = 1_000_000_000
"""In nanoseconds: what certificates count in."""


class Invalid(ValueError):
    """A value that is not of its grammar: the problem's code, and where it can be said, how to mend it."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def cluster_name(text: str) -> str:
    """An RFC 1123 label: it is kubeadm's clusterName and a directory's name."""
    if len(text) > 63 or not _is(_DNS_LABEL, text):
        raise Invalid(
            "K0301", f"{text!r} is not an RFC 1123 label", "use lower-case letters, digits and '-', 63 at most"
        )
    return text


def dns_subdomain(text: str) -> str:
    """An RFC 1123 subdomain, 253 characters at most: what Kubernetes takes as a node name."""
    labels = text.split(".")
    if len(text) > 253 or any(len(label) > 63 for label in labels):
        raise Invalid("K0302", f"a name of {len(text)} characters is too long", "use 253 at most, 63 between two dots")
    if not all(_is(_DNS_LABEL, label) for label in labels):
        if all(_is(_DNS_LABEL, label) for label in text.lower().split(".")):
            raise Invalid("K0302", f"{text!r} is not an RFC 1123 subdomain", f"write {text.lower()}")
        raise Invalid(
            "K0302",
            f"{text!r} is not an RFC 1123 subdomain",
            "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit",
        )
    return text


def dns_name(text: str) -> str:
    """A DNS name in lower case that is not an address."""
    if network.is_ip(text) or _is(r"[\d.]+", text):
        hint = None if network.is_ip(text) else "each of the four parts of an IPv4 address is 0 to 255"
        raise Invalid("K0303", f"{text!r} is not a DNS name", hint)
    return dns_subdomain(text)


def subject_alt_name(text: str) -> str:
    """What may stand among a certificate's names: an address, a DNS name, or a DNS name with a leading ``*.``.

    In lower case, whatever was written: names of load balancers have capitals (kubeadm's LowercaseSANs).
    """
    text = text.lower()
    if network.is_ip(text):
        return text
    try:
        dns_name(text.removeprefix("*."))
    except Invalid as error:
        hint = error.hint
        if "*" in text:
            hint = "a wildcard is the whole first label: *.example.com"
        elif text.endswith("."):
            hint = "leave out the final dot"
        elif "://" in text:
            hint = "write the name alone, without scheme and port"
        elif network.is_ip(text.split("/", maxsplit=1)[0]):
            hint = "leave out the prefix length"
        raise Invalid("K0304", f"{text!r} is neither an IP address nor a DNS name", hint) from None
    return text


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address in its canonical spelling."""
    if not network.is_ip(text):
        hint = _address_meant(text) or "write it as 10.0.0.11 or fd00::11"
        raise Invalid("K0305", f"{text!r} is not an IP address", hint)
    _refuse_mapped(ipaddress.ip_address(text))
    canonical = str(ipaddress.ip_address(text))
    if canonical != text:
        raise Invalid("K0329", f"{text!r} is not written in its canonical form", f"write {canonical}")
    return text


def _address_meant(text: str) -> str | None:
    """How to mend what has an address in it."""
    if "%" in text:
        return "leave out the zone"
    if network.is_ip(text.partition("/")[0]):
        return "leave out the prefix length"
    if network.is_ip(text.strip("[]")):
        return "leave out the brackets"
    if _is(r"[\d.]+:\d+|\[[^]]+\]:\d+", text):
        return "leave out the port"
    bare = _without_zeros(text)
    return f"write {bare}" if network.is_ip(bare) else None


def _without_zeros(text: str) -> str:
    """Without the zeros before a number, which would make it octal to some and decimal to others."""
    return re.sub(r"(?<![\d.])0+(?=\d)|(?<=\.)0+(?=\d)", "", text)


def _refuse_mapped(address: network.Address) -> None:
    """The canonical spelling of ::ffff:10.0.0.1 differs between versions of Python, and between them and Go."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None:
        raise Invalid("K0329", "is an IPv4 address written as an IPv6 one", f"write {mapped}")


def address_list(text: str) -> str:
    """A node's address, or two of different families separated by a comma (dual stack)."""
    parts = network.split_list(text)
    for part in parts:
        ip_address(part)
    if len(parts) > 2 or len({ipaddress.ip_address(part).version for part in parts}) != len(parts):
        hint = "give one address, or one of each family separated by a comma"
        raise Invalid("K0306", f"{text!r} is not one address or a pair of an IPv4 and an IPv6 address", hint)
    return ",".join(parts)


def subnet_list(text: str) -> str:
    """A CIDR range, or two of different families separated by a comma (dual stack)."""
    parts = network.split_list(text)
    found = []
    for part in parts:
        try:
            found.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            raise Invalid("K0307", f"{part!r} is not a CIDR range", _range_meant(part)) from None
        _refuse_mapped(found[-1].network_address)
        if "/" not in part:
            raise Invalid("K0307", f"{part!r} is not a CIDR range", _range_meant(part))
        if str(found[-1]) != part:
            same = ipaddress.ip_interface(part).ip == found[-1].network_address
            if same:
                raise Invalid("K0329", f"{part} is not written in its canonical form", f"write {found[-1]}")
            raise Invalid("K0328", f"{part} has host bits set", f"write {found[-1]}")
    if len(parts) > 2 or len({n.version for n in found}) != len(found):
        hint = "give one range, or one of each family separated by a comma"
        raise Invalid("K0307", f"{text!r} is not one range or a pair of an IPv4 and an IPv6 range", hint)
    return ",".join(parts)


def _range_meant(text: str) -> str:
    """How to write a range. No other range is proposed: it could be that of something else."""
    address, slash, length = _without_zeros(text).partition("/")
    if network.is_ip(address) and not slash:
        return "add the length of its prefix" + (
            f": {address}/16" if address.endswith(".0.0") else ", as in /16 or /112"
        )
    for padding in ("", ".0", ".0.0", ".0.0.0"):
        with suppress(ValueError):
            return f"write {ipaddress.ip_network(f'{address}{padding}/{length}', strict=False)}"
    return "write an address and the length of its prefix, as in 192.0.2.0/24 or 2001:db8::/112"


def endpoint(text: str) -> str:
    """A control-plane endpoint: a DNS name or an address, with or without a port."""
    try:
        host = network.split_endpoint(text).host
    except ValueError:
        raise Invalid(
            "K0308",
            f"{text!r} is not an endpoint",
            "write name:port, 10.0.0.10:6443 or [fd00::10]:6443; the port is optional",
        ) from None
    if network.is_ip(host):
        _refuse_mapped(ipaddress.ip_address(host))
    else:
        dns_name(host)
    return text


def kubernetes_version(text: str) -> str:
    """``v1.<minor>.<patch>``."""
    if not _is(_VERSION, text):
        bare = f"v{text}"
        hint = f"write {bare}" if _is(_VERSION, bare) else "write it as v1.36.2"
        raise Invalid("K0309", f"{text!r} is not a Kubernetes version", hint)
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
        raise Invalid(
            "K0310", f"{text!r} is not a duration", "write hours, minutes and seconds, for example 8760h"
        ) from None
    if value < _SECOND:
        what = "shorter than a second" if value > 0 else "not a positive duration"
        raise Invalid("K0310", f"{text!r} is {what}", "write how long, for example 8760h")
    return text


def timestamp(text: str) -> str:
    """An RFC 3339 timestamp in UTC and whole seconds."""
    try:
        year = timefmt.parse_timestamp(text).year
    except ValueError:
        raise Invalid("K0311", f"{text!r} is not a UTC timestamp", "write it as 2026-11-23T00:00:00Z") from None
    if not 1970 <= year < 9000:  # certificates know 1950 to 9999, and validity is added
        raise Invalid("K0311", f"{text!r} is not a date for a certificate", "choose a year from 1970 to 8999")
    return text


def label_key(text: str) -> str:
    """The key of a label or a taint: an optional DNS prefix and a name of 63 characters at most."""
    prefix, slash, name = text.rpartition("/")
    if slash and "/" not in prefix:
        dns_subdomain(prefix)
    if not name or len(name) > 63 or "/" in prefix or not _is(_LABEL_VALUE, name):
        raise Invalid("K0312", f"{text!r} is not a label key", "write name or prefix.example.com/name")
    return text


def label_value(text: str) -> str:
    """The value of a label or a taint."""
    if len(text) > 63 or not _is(_LABEL_VALUE, text):
        raise Invalid("K0313", f"{text!r} is not a label value", _LABEL_HINT)
    return text


def taint_effect(text: str) -> str:
    """What a taint does to a pod."""
    if text not in _TAINT_EFFECTS:
        close = nearest(text, _TAINT_EFFECTS)
        hint = f"did you mean {close}?" if close else f"use one of {', '.join(_TAINT_EFFECTS)}"
        raise Invalid("K0314", f"{text!r} is not a taint effect", hint)
    return text


def flag_name(text: str) -> str:
    """A component's flag without its dashes."""
    if not _is(_FLAG, text):
        name, equals, value = text.lstrip("-").partition("=")
        name = name.replace("_", "-")  # as the components read it; etcd does not, and has none with a '_'
        hint = f'write {name}: "{value}"' if equals else f"write {name}" if _is(_FLAG, name) else None
        raise Invalid("K0315", f"{text!r} is not a flag name", hint)
    return text


def one_line(text: str) -> str:
    """Text without line breaks or other control characters."""
    if re.search(_CONTROL, text):
        raise Invalid(
            "K0316", "has a line break or another control character", "write it on one line; of a block, use |-"
        )
    return text


def free_text(text: str) -> str:
    """A line for people, which the tree repeats in plain text."""
    if looks_secret(text):
        raise Invalid("K0330", "holds what looks like a secret", _NO_SECRET)
    return one_line(text)


def env_value(text: str) -> str:
    """What a process can have in its environment; of several lines, too."""
    if re.search(_CONTROL, text.replace("\n", " ")):
        raise Invalid("K0316", "has a control character", "leave it out; a tab and a line break are allowed")
    return text


def env_name(text: str) -> str:
    """An environment variable's name as Kubernetes takes it."""
    if not _is(_ENV_NAME, text):
        hint = (
            "split it into name and value" if "=" in text else "use letters, digits, '_', '-' and '.'; no digit first"
        )
        raise Invalid("K0317", f"{text!r} is not an environment variable's name", hint)
    return text


def absolute_path(text: str) -> str:
    """A clean absolute path on a host, which a pod's command can name."""
    one_line(text)
    if "$" in text:
        hint = "use a path without it"
        raise Invalid("K0318", "has a '$', with which the kubelet begins a variable in a pod's command", hint)
    parts = text.split("/")
    if not text.startswith("/") or any(part in ("", ".", "..") for part in parts[1:]):
        raise Invalid(
            "K0318", f"{text!r} is not a clean absolute path", "begin with '/', without '.', '..', '//' or a final '/'"
        )
    return text


def relative_path(text: str) -> str:
    """A path that stays below the directory it is read from."""
    one_line(text)
    if text.startswith("/") or any(part in ("", ".", "..") for part in text.split("/")):
        raise Invalid("K0319", f"{text!r} is not a path below the spec's directory", "write it relative, without '..'")
    return text


def cri_socket(text: str) -> str:
    """The container runtime's endpoint, ``unix:///run/containerd/containerd.sock``."""
    one_line(text)
    if not text.startswith("unix:///") or any(c in text for c in " \"'\\$`"):
        hint = (
            f"write unix://{text}" if _is(r"/[\w./-]+", text) else "write it as unix:///run/containerd/containerd.sock"
        )
        raise Invalid("K0320", f"{text!r} is not a socket", hint)
    return text


def token_id(text: str) -> str:
    """The public half of a bootstrap token. What is refused is not repeated: it may be a whole token."""
    if not _is(_TOKEN_ID, text):
        raise Invalid(
            "K0321",
            "is not a token id",
            "write six lower-case letters or digits, those before the '.'; the rest belongs in the secrets file",
        )
    return text


def token_group(text: str) -> str:
    """A group of a bootstrap token, below ``system:bootstrappers:``."""
    if not _is(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]", text):
        raise Invalid("K0322", f"{text!r} is not a bootstrap group", "begin with system:bootstrappers:")
    return text


def image_tag(text: str) -> str:
    """An image's tag."""
    if not _is(_IMAGE_TAG, text):
        raise Invalid("K0323", f"{text!r} is not an image tag", "write it as v1.2.3, without the image's name")
    return text


def etcd_version(tag: str) -> tuple[int, int] | None:
    """The etcd minor of an image's tag: (3, 6) of ``3.6.8-0``. None of a tag that does not tell."""
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})\.", tag, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def image_repository(text: str) -> str:
    """A registry with an optional path, without a tag."""
    if not _is(_IMAGE_REPOSITORY, text):
        raise Invalid("K0324", f"{text!r} is not an image repository", "write it as registry.example.com/path")
    return text


def age_recipient(text: str) -> str:
    """Who can open what is sealed: an age X25519 recipient or an SSH public key."""
    from kcompile import age  # loads a compiled library: only when a recipient is read

    if looks_secret(text):
        raise Invalid(
            "K0326", "is a private key, not a recipient", "remove it, replace the key, and write the age1… line here"
        )
    if _is(r"age1[02-9ac-hj-np-z]{20,}", text) and not age.is_recipient(text):
        hint = "copy it again: a character was lost or changed"
        raise Invalid("K0325", "is not an age recipient: its checksum does not fit", hint)
    if _is(r"(ecdsa-|sk-|ssh-dss )\S+( .*)?", text):
        raise Invalid("K0325", "is an SSH key of a type that age cannot seal for", "take one of ssh-ed25519 or ssh-rsa")
    if _is(rf"\S+ {_SSH_RECIPIENT}", text):
        hint = "leave out the name in front, which ssh-keyscan writes, once you know that the key is the host's"
        raise Invalid("K0325", "is not an age recipient", hint)
    strange = text != text.strip() or text[:4].isupper() or not age.is_recipient(text)
    if strange or (text.startswith("ssh-") and not _is(_SSH_RECIPIENT, text)):
        raise Invalid("K0325", "is not an age recipient", "write age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…")
    return text


def bare_recipient(text: str) -> str:
    """A recipient without the comment that an SSH public key may end with: equal keys are equal texts."""
    return " ".join(text.split()[:2])


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
        host = (rest or text).strip("[]")
        shown = "10.0.0.1:2379" if host.count(":") < 2 else "[fd00::1]:2379"
        if network.is_ip(host) and ":" not in host:
            shown = f"{host}:2379"
        raise Invalid("K0327", f"{text!r} is not an etcd endpoint", f"write it as https://{shown}") from None
    return text


def nearest(word: str, known: Iterable[str], alike: int | None = None) -> str | None:
    """The known word that a misspelled one was meant to be, also where only the case or '-' and '_' differ.

    ``alike`` is how much of a hundred they have in common at the least, where the usual is not right.
    """
    from rapidfuzz import fuzz, process  # a compiled library: only when something is misspelled

    names, cutoff = list(known), alike or _ALIKE
    found = process.extractOne(word[:100], names, scorer=fuzz.ratio, score_cutoff=cutoff)
    if found is None:
        plain = [_plain(name) for name in names]
        found = process.extractOne(_plain(word[:100]), plain, scorer=fuzz.ratio, score_cutoff=cutoff)
    return names[found[2]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
