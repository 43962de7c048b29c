"""The objects in a user's own manifests: what may go into a tree, and what the API server will take."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator

from kcompile import load, names, network, own_objects, yamlread
from kcompile.errors import Path, Position, Problem, Severity, SpecError, described, errors_among
from kcompile.needs import can_speak, needs
from kcompile.own_objects import Identity
from kcompile.spec import Cluster
from kcompile.versions import served_apis
from kcompile.yamlread import MappingNode, Node, ScalarNode, SequenceNode, child, text_at

_PATH_SEGMENTS = ("CertificateSigningRequest", "CSIDriver", "IPAddress")
"""Kinds beside RBAC's whose names are no DNS names."""
_STRINGS = {
    ("metadata", "annotations"): "annotations",
    ("metadata", "labels"): "labels",
    ("data",): "data",
}
"""Maps of strings: those of every object, and a ConfigMap's data."""


def check(
    file: str, content: bytes, cluster: Cluster, seen: dict[Identity, str], wrong: Collection[Path] = ()
) -> tuple[Problem, ...]:
    """The warnings about a file of Kubernetes objects. Raises SpecError with every problem found.

    ``seen`` has the objects that are there already, with where they come from in words; this file's are added. What
    goes by fields of the spec that are ``wrong`` is not looked at.
    """
    try:
        documents = yamlread.documents(yamlread.decode(content), yamlread.MAX_NODES_OF_OBJECTS)
    except yamlread.YamlError as error:
        position = Position(file, error.line, error.column)
        raise SpecError(Problem(error.code, error.message, hint=error.hint, position=position)) from None
    problems = [
        problem if problem.position else problem.at(_position(file, node))
        for document in documents
        for node in _objects(document)
        for problem in _problems(file, node, cluster, seen, wrong)
    ]
    if errors_among(problems):
        raise SpecError(problems)
    return tuple(problems)


def _position(file: str, node: Node) -> Position:
    return Position(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _objects(node: Node) -> Iterator[Node]:
    """The objects of a document: itself, or the items of a list."""
    items = child(node, "items") if (text_at(node, "kind"), text_at(node, "apiVersion")) == ("List", "v1") else None
    if items is not None and isinstance(items[1], SequenceNode):
        for item in items[1].value:
            yield from _objects(item)
    else:
        yield node


def _problems(
    file: str, node: Node, cluster: Cluster, seen: dict[Identity, str], wrong: Collection[Path]
) -> Iterator[Problem]:
    kind, api = text_at(node, "kind"), text_at(node, "apiVersion")
    if not (isinstance(node, MappingNode) and kind and api):
        missing = " and ".join(name for name, found in (("apiVersion", api), ("kind", kind)) if not found)
        message = f"not a Kubernetes object: no {missing}" if missing else "not a Kubernetes object"
        yield Problem("K0807", message, hint="write apiVersion and kind, or remove the document")
    elif kind.endswith("List") and child(node, "items") is not None:
        hint = "write its items as documents, or as a List of v1"
        yield Problem("K0808", f"a {kind} is no object of its own", hint=hint)
    elif api.startswith("kcompile.dev/"):
        message = "not an object for the cluster but a file of kcompile's own"
        yield Problem("K0809", message, hint="name files with Kubernetes objects")
    else:
        yield from _named(file, node, api, kind, seen)
        yield from _strings(file, node, api, kind)
        yield from _plain_secret(node, api, kind)
        if can_speak(_served, wrong):
            yield from _served(file, node, api, kind, names.minor_version(cluster.spec.kubernetes_version))
        if can_speak(_service_address, wrong):
            yield from _service_address(file, node, api, kind, cluster)


def _named(file: str, node: Node, api: str, kind: str, seen: dict[Identity, str]) -> Iterator[Problem]:
    """An object has a name that the API server takes, and no other object has it."""
    name, place = text_at(node, "metadata", "name"), _value(node, "metadata", "name")
    if not name or place is None:
        if text_at(node, "metadata", "generateName"):
            return
        yield Problem("K0815", f"the {kind} has no name", hint="write metadata: {name: ...}")
        return
    if api.startswith("rbac.authorization.k8s.io/") or kind in _PATH_SEGMENTS:
        wrong = name in (".", "..") or "/" in name or "%" in name
        mend: str | None = "leave out '/' and '%'"
    else:
        wrong, mend = _no_dns_name(name)
    if wrong:
        yield Problem("K0815", f"{name!r} is no name for a {kind}", hint=mend, position=_position(file, place))
        return
    own = own_objects.identity(api, kind, text_at(node, "metadata", "namespace"), name)
    if own in seen:
        message = f"the {kind} {name} is {seen[own]} already"
        yield Problem("K0814", message, hint="leave it out, or give it another name", position=_position(file, place))
    else:
        seen[own] = f"in {file}, line {node.start_mark.line + 1},"


def _no_dns_name(name: str) -> tuple[bool, str | None]:
    try:
        names.dns_subdomain(name)
    except names.Invalid as error:
        return True, error.hint
    return False, None


def _value(node: Node, *path: str) -> Node | None:
    """What stands at a path of a node."""
    at: Node | None = node
    for step in path:
        found = child(at, step)
        at = found[1] if found is not None else None
    return at


def _strings(file: str, node: Node, api: str, kind: str) -> Iterator[Problem]:
    """Values of labels, annotations and of a ConfigMap's data are strings; null is an empty one."""
    for path, field in _STRINGS.items():
        entries = _value(node, *path) if path != ("data",) or (api, kind) == ("v1", "ConfigMap") else None
        if not isinstance(entries, MappingNode):
            continue
        for key, value in entries.value:
            found = None if yamlread.is_merge(key) else load.plain(value)
            if found is not None and not isinstance(found, str):
                name = key.value if isinstance(key, ScalarNode) else "?"
                hint = (
                    f'put it in quotes: "{value.value}"'
                    if isinstance(value, ScalarNode)
                    else "write it as a text, after |-"
                )
                message = f"{field}: {name} must be a string, and YAML reads {described(found)}"
                yield Problem("K0816", message, hint=hint, position=_position(file, value))


def _plain_secret(node: Node, api: str, kind: str) -> Iterator[Problem]:
    """A Secret stands in the tree as it stands in the file."""
    if (api, kind) != ("v1", "Secret"):
        return
    for name in ("data", "stringData"):
        values = child(node, name)
        entries = values[1].value if values is not None and isinstance(values[1], MappingNode) else []
        if not all(isinstance(v, ScalarNode) and (v.value.startswith("ENC[") or not v.value) for _, v in entries):
            message = f"a Secret whose {name} would stand in plain text in the tree"
            hint = "encrypt the file with sops (Flux opens it), or make the Secret in the cluster"
            yield Problem("K0810", message, hint=hint)


@needs("spec.kubernetesVersion")
def _served(file: str, node: Node, api: str, kind: str, minor: int) -> Iterator[Problem]:
    """The API server serves each version of an API for some minors only."""
    known = served_apis.REMOVED.get((api, kind))
    place = child(node, "apiVersion")
    if known is None or place is None:
        return
    position = _position(file, place[1])
    hint = f"use {known.instead}" if known.instead else None
    if known.removed is not None and minor >= known.removed:
        message = f"{kind} of {api} is not served since v1.{known.removed}"
        yield Problem("K0811", message, hint=hint, position=position)
    elif known.deprecated is not None and minor >= known.deprecated:
        until = f" and goes with v1.{known.removed}" if known.removed is not None else ""
        message = f"{kind} of {api} is deprecated since v1.{known.deprecated}{until}"
        yield Problem("K0812", message, hint=hint, severity=Severity.WARNING, position=position)


@needs("spec.networking.serviceSubnet", "spec.dns.disabled")
def _service_address(file: str, node: Node, api: str, kind: str, cluster: Cluster) -> Iterator[Problem]:
    """The first address of the service range is the API server's, the tenth cluster DNS's."""
    address = text_at(node, "spec", "clusterIP") if (api, kind) == ("v1", "Service") else None
    place = child(child(node, "spec")[1], "clusterIP") if address else None  # type: ignore[index]
    if address is None or place is None or not network.is_ip(address):
        return
    ranges = network.networks(cluster.spec.networking.service_subnet)
    own = {network.nth_address(ranges[0], 1): "the API server"}
    # without CoreDNS, whoever takes its place takes its address, which kubelets give to pods
    if not cluster.spec.dns.disabled:
        own[network.nth_address(ranges[0], 10)] = "cluster DNS"
    position = _position(file, place[1])
    names_itself = (text_at(node, "metadata", "namespace"), text_at(node, "metadata", "name"))
    if address in own and names_itself not in (("kube-system", "kube-dns"), ("default", "kubernetes")):
        message = f"{address} is the address of {own[address]}"
        yield Problem("K0813", message, hint="leave clusterIP out, or choose another", position=position)
    elif not any(ipaddress.ip_address(address) in found for found in ranges):
        message = f"{address} is not in serviceSubnet {cluster.spec.networking.service_subnet}"
        yield Problem("K0813", message, hint="leave clusterIP out, or choose one inside", position=position)
