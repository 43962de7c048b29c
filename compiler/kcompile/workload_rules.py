"""What Kubernetes refuses of a Pod, a Deployment or a DaemonSet that Go decodes: the kubelet, or the API server.

Sources: kubernetes, ``pkg/apis/core/validation`` (which the kubelet runs on static pods too) and
``pkg/apis/apps/validation``. Not all of it: what a patch takes away, and what stands twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcompile.errors import Path
from kcompile.go_fields import Fault


def refused(document: Mapping[str, Any]) -> Iterator[Fault]:
    """What keeps a document from being taken, in its order; its ``kind`` says what it is."""
    if not (document.get("metadata") or {}).get("name"):
        yield _missing(("metadata", "name"))
    spec, place = document.get("spec") or {}, ("spec",)
    if document["kind"] == "Pod":
        yield from _pod(spec, place)
        return
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector") or {}
    if not any(selector.get(field) for field in ("matchLabels", "matchExpressions")):
        yield _missing((*place, "selector"))
    elif not _matches(selector, labels):
        message = "does not match spec.selector"
        yield Fault((*place, "template", "metadata", "labels"), message, "change the two together")
    yield from _pod(template.get("spec") or {}, (*place, "template", "spec"))


def _missing(place: Path) -> Fault:
    return Fault(place, "is required, and nothing is left of it", "leave it as it is, or replace it")


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels are selected, as far as the selector names them; expressions are left to Kubernetes."""
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


def _pod(spec: Mapping[str, Any], place: Path) -> Iterator[Fault]:
    volumes: dict[Any, int] = {}
    if not spec.get("containers"):
        yield _missing((*place, "containers"))
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _named(volume, "volume", volumes, (*place, "volumes", index))
    names: dict[Any, int] = {}
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = (*place, field, index)
            yield from _named(container, "container", names, where)
            if not (container or {}).get("image"):
                yield _missing((*where, "image"))
            yield from _mounts(container or {}, volumes, where)


def _named(item: Mapping[str, Any] | None, what: str, seen: dict[Any, int], place: Path) -> Iterator[Fault]:
    name = (item or {}).get("name")
    if not name:
        yield _missing((*place, "name"))
    elif name in seen:
        yield Fault((*place, "name"), f"there is another {what} {name}", "give it a name of its own")
    seen.setdefault(name, len(seen))


def _mounts(container: Mapping[str, Any], volumes: Mapping[Any, int], place: Path) -> Iterator[Fault]:
    paths = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where, path = (*place, "volumeMounts", index), (mount or {}).get("mountPath")
        if (mount or {}).get("name") not in volumes:
            yield Fault((*where, "name"), "there is no volume of this name", "add the volume, or take the mount away")
        if not path:
            yield _missing((*where, "mountPath"))
        elif path in paths:
            yield Fault((*where, "mountPath"), f"{path} is mounted twice", "keep one of the two")
        paths.add(path)
