"""Patches: strategic merge with Kubernetes' merge keys, JSON merge (RFC 7386), JSON patch (RFC 6902).

Source of the strategic merge: k8s.io/apimachinery ``pkg/util/strategicpatch``; of the merge keys: the
``patchMergeKey`` tags of k8s.io/api's core/v1 and apps/v1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from kcompile import configuration_fields, workload, workload_fields
from kcompile.errors import Path, Problem, SpecError, format_path
from kcompile.spec import Patch

_MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists of objects that a strategic merge patch merges by a key; any other list is replaced."""
_PRIMITIVE_LISTS = frozenset(("finalizers",))
_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


class PatchError(ValueError):
    """A patch that does not apply. ``place`` leads to the part of it that does not, ``hint`` says the mend."""

    def __init__(self, message: str, place: Path = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        self.hint = hint


def apply(document: Mapping[str, Any], patch: Any, kind: str) -> dict[str, Any]:
    """A document with one patch of a kind (strategic, merge or json) applied. Raises PatchError."""
    if kind == "json":
        return _json_patch(document, patch)
    if not isinstance(patch, Mapping):
        raise PatchError("must be a mapping")
    return _strategic(document, patch) if kind == "strategic" else _merge(document, patch)


def apply_all(
    document: dict[str, Any], patches: Iterable[Patch], target: str, node: str | None = None, *, structured: bool = True
) -> dict[str, Any]:
    """A document with the spec's patches for a target, and for a node where it is one's, applied in their order.

    ``structured`` is false for component configurations, which kubeadm writes as the patch left them; a workload
    it decodes and marshals again, if there was a patch. Raises SpecError that names the patch.
    """
    result = document
    for index, patch in enumerate(patches):
        if patch.target != target or (patch.nodes and node not in patch.nodes):
            continue
        try:
            document = apply(document, patch.patch, patch.type)
            if document.get("kind") != _KINDS[target] or "apiVersion" not in document:
                raise PatchError(f"it leaves no {_KINDS[target]}")
            _check(document, structured=structured)
            result = workload.marshalled(document) if structured else document
        except PatchError as error:
            whose = f" on {node}" if node else ""
            path: Path = ("spec", "patches", index, "patch", *error.place)
            raise SpecError(Problem(f"does not apply to {target}{whose}: {error}", path, error.hint)) from None
    return result


def _check(document: Mapping[str, Any], *, structured: bool) -> None:
    """Refuse what Go would not decode; in a workload also what it does not know, which it would drop."""
    faults = (
        workload_fields.check(document)
        if structured
        else (fault for fault in configuration_fields.check("KubeletConfiguration", document) if not fault.unknown)
    )
    for fault in faults:
        raise PatchError(f"{format_path(fault.path)}: {fault.message}", hint=fault.hint)


_KINDS = {
    "corednsdeployment": "Deployment",
    "etcd": "Pod",
    "kube-apiserver": "Pod",
    "kube-controller-manager": "Pod",
    "kube-proxy": "DaemonSet",
    "kube-scheduler": "Pod",
    "kubeletconfiguration": "KubeletConfiguration",
}


# --- JSON merge patch and JSON patch --------------------------------------------------------------


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return _plain(patch)
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _plain(value: Any) -> Any:
    """A value with lists in place of tuples, and nothing shared."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value


def _json_patch(document: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    import jsonpatch  # only a spec with such a patch pays for it
    import jsonpointer

    if not isinstance(patch, list | tuple):
        raise PatchError("must be a list of operations")
    result: Any = copy.deepcopy(_plain(document))
    for index, operation in enumerate(_plain(patch)):
        if not isinstance(operation, Mapping):
            raise PatchError("is no operation", (index,))
        try:
            result = jsonpatch.JsonPatch([operation]).apply(result)
        except jsonpatch.JsonPatchTestFailed:
            raise PatchError(f"test: the value at {operation['path']} is another", (index,)) from None
        except jsonpatch.InvalidJsonPatch as error:
            raise PatchError(str(error), (index,)) from None
        except (jsonpatch.JsonPatchConflict, jsonpointer.JsonPointerException):
            # their messages repeat the whole document
            message = f"{operation['op']}: there is no such place, {operation.get('path')}"
            raise PatchError(message, (index,)) from None
        except TypeError:
            raise PatchError(f"{operation['op']}: does not fit what is at {operation['path']}", (index,)) from None
    if not isinstance(result, dict):
        raise PatchError("leaves no object")
    return result


# --- strategic merge patch ------------------------------------------------------------------------


def _without_nulls(value: Any) -> Any:
    """What a patch adds where nothing was: without nulls, which only delete, and without directives."""
    if isinstance(value, Mapping):
        return {
            key: _without_nulls(child)
            for key, child in value.items()
            if child is not None and not key.startswith(("$", _DELETE_FROM, _ORDER))
        }
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value if not (isinstance(item, Mapping) and _DIRECTIVE in item)]
    return value


def _strategic(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return dict(_without_nulls(patch))
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown directive {_DIRECTIVE}: {directive}")
    result = dict(document)
    if _RETAIN in patch:
        retained = _listed(patch, _RETAIN)
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            result[name] = [item for item in result.get(name, []) if item not in _listed(patch, key)]
        elif key in (_DIRECTIVE, _RETAIN) or key.startswith(_ORDER):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            merged = _strategic(result[key], value)
            if value.get(_DIRECTIVE) == "delete":
                del result[key]
            else:
                result[key] = merged
        elif isinstance(value, list | tuple) and isinstance(result.get(key), list | tuple):
            result[key] = _strategic_list(key, list(result[key]), list(value))
        else:
            result[key] = _without_nulls(value)
    for key in patch:
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if isinstance(result.get(name), list):
                result[name] = _ordered(name, result[name], _listed(patch, key))
    return result


def _listed(patch: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(patch[key], list | tuple):
        raise PatchError(f"{key} must be a list")
    return list(patch[key])


def _strategic_list(name: str, items: list[Any], patch: list[Any]) -> list[Any]:
    if name in _PRIMITIVE_LISTS:
        return items + [item for item in patch if item not in items]
    merge_key = _MERGE_KEYS.get(name)
    if merge_key is None or not all(isinstance(item, Mapping) for item in [*items, *patch]):
        return list(_without_nulls(patch))
    if any(item.get(_DIRECTIVE) == "replace" and len(item) == 1 for item in patch):
        return list(_without_nulls([item for item in patch if item.get(_DIRECTIVE) != "replace"]))
    result = items
    for item in patch:
        if merge_key not in item:
            raise PatchError(f"an item of {name} has no {merge_key}")
        places = [i for i, known in enumerate(result) if known.get(merge_key) == item[merge_key]]
        if item.get(_DIRECTIVE) == "delete":
            result = [known for known in result if known.get(merge_key) != item[merge_key]]
        elif places:
            result = [_strategic(known, item) if i == places[0] else known for i, known in enumerate(result)]
        else:
            result = [*result, _without_nulls(item)]
    return result


def _ordered(name: str, items: list[Any], order: list[Any]) -> list[Any]:
    """The items in the order given; what it does not name keeps its place behind what it stood behind."""
    merge_key = _MERGE_KEYS.get(name)

    def identity(item: Any) -> Any:
        return item.get(merge_key) if isinstance(item, Mapping) and merge_key else item

    wanted = [identity(item) for item in order]
    named = sorted((item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    result = list(named)
    for index, item in enumerate(items):
        if identity(item) not in wanted:
            result.insert(min(index, len(result)), item)
    return result
