"""Patches: strategic merge with Kubernetes' merge keys, JSON merge (RFC 7386), JSON patch (RFC 6902).

Source of the strategic merge: k8s.io/apimachinery ``pkg/util/strategicpatch``; of the merge keys: the
``patchMergeKey`` tags of k8s.io/api's core/v1 and apps/v1; of JSON patches: evanphx/json-patch v4, as kubeadm runs it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kcompile import configuration_fields, workload, workload_fields, workload_rules
from kcompile.errors import Path, Problem, SpecError, format_path
from kcompile.go_fields import Fault
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
_INDEX = re.compile(r"[+-]?[0-9]{1,18}")
_DIRECTIVE = "$patch"
_DIRECTIVES = "write delete or replace, or leave it out to merge"
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
        raise PatchError(
            "must be a mapping", hint="write the fields that change; a list of operations is of type: json"
        )
    return _strategic(document, patch) if kind == "strategic" else _merge(document, patch)


def apply_all(
    document: dict[str, Any], patches: Iterable[Patch], target: str, node: str | None = None, *, structured: bool = True
) -> dict[str, Any]:
    """A document with the spec's patches for a target, and for a node where it is one's, applied in their order.

    ``structured`` is false for component configurations, which kubeadm writes as the patch left them; a workload
    it decodes and marshals again, if there was a patch. Raises SpecError that names each patch that does not apply to
    what those before it left, and each that leaves what Kubernetes refuses when all are applied.
    """
    own = [(i, p) for i, p in enumerate(patches) if p.target == target and (not p.nodes or node in p.nodes)]
    if not own:
        return document
    result, problems = document, []
    stood = set(workload_rules.refused(document)) if structured else set()
    came: dict[Fault, int] = {}

    def problem(index: int, error: PatchError) -> Problem:
        whose = f" on {node}" if node else ""
        path: Path = ("spec", "patches", index, "patch", *error.place)
        return Problem("K0801", f"does not apply to {target}{whose}: {error}", path, error.hint)

    for index, patch in own:
        try:
            changed = apply(result, patch.patch, patch.type)
            if changed.get("kind") != _KINDS[target] or "apiVersion" not in changed:
                raise PatchError(f"it leaves no {_KINDS[target]}", hint="leave kind and apiVersion as they are")
            _check(changed, patch, structured=structured)
            result = workload.marshalled(changed) if structured else changed
        except PatchError as error:
            problems.append(problem(index, error))
            continue
        if structured:
            came = {fault: came.get(fault, index) for fault in workload_rules.refused(result) if fault not in stood}
    of_index = dict(own)
    problems += [problem(index, _error(fault, of_index[index], result)) for fault, index in came.items()]
    if problems:
        raise SpecError(problems)
    return result


def _error(fault: Fault, patch: Patch, document: Mapping[str, Any]) -> PatchError:
    """A fault of a document that a patch left, at the part of the patch that it comes from."""
    by_operation = patch.type == "json"
    place = _in_operations(patch.patch, fault.path) if by_operation else _in(patch.patch, document, fault.path)
    return PatchError(f"{format_path(fault.path)}: {fault.message}", place, fault.mend)


def _check(document: Mapping[str, Any], patch: Patch, *, structured: bool) -> None:
    """Refuse what Go would not decode; in a workload also what it does not know, which it would drop."""
    faults = (
        workload_fields.check(document)
        if structured
        else (fault for fault in configuration_fields.check("KubeletConfiguration", document) if not fault.unknown)
    )
    for fault in faults:
        raise _error(fault, patch, document)


def _in(patch: Any, document: Any, path: Path) -> Path:
    """Where a merge patch has what stands at a path of the document, as far as it is in it."""
    place: list[str | int] = []
    for item in path:
        found: str | int | None = item
        if isinstance(patch, list | tuple) and isinstance(item, int):
            key = _MERGE_KEYS.get(str(place[-1]) if place else "", "")
            same = (
                i for i, one in enumerate(patch) if isinstance(one, Mapping) and one.get(key) == document[item].get(key)
            )
            found = next(same, None) if key and isinstance(document[item], Mapping) else item
        if found is None or not (found in patch if isinstance(patch, Mapping) else isinstance(patch, list | tuple)):
            break
        place.append(found)
        if item not in document if isinstance(document, Mapping) else not _is_index(item, document):
            break  # the patch took it away
        patch, document = patch[found], document[item]
    return tuple(place)


def _is_index(item: str | int, document: Any) -> bool:
    return isinstance(document, list | tuple) and isinstance(item, int) and item < len(document)


def _in_operations(patch: Any, path: Path) -> Path:
    """The operation of a JSON patch that set what stands at a path of the document."""
    steps = [str(item) for item in path]
    for index, operation in enumerate(patch):
        pointer = str(operation.get("path", "")).split("/")[1:]
        if all(a in (b, "-") for a, b in zip(pointer, steps, strict=False)):
            return (index, "value") if "value" in operation else (index,)
    return ()


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
        raise PatchError("must be a list of operations", hint=f"write {_OPERATION}")
    result: Any = copy.deepcopy(_plain(document))
    for index, operation in enumerate(_plain(patch)):
        if not isinstance(operation, Mapping):
            raise PatchError("is no operation", (index,), f"write {_OPERATION[1:-1]}")
        try:
            result = jsonpatch.JsonPatch([_with_indices(operation, result)]).apply(result)
        except jsonpatch.JsonPatchTestFailed:
            hint = "leave the test out, or write what is compiled there"
            raise PatchError(f"test: the value at {operation['path']} is another", (index,), hint) from None
        except jsonpatch.InvalidJsonPatch as error:
            raise PatchError(str(error), (index,), f"write {_OPERATION[1:-1]}") from None
        except (jsonpatch.JsonPatchConflict, jsonpointer.JsonPointerException):
            # their messages repeat the whole document
            message = f"{operation['op']}: there is no such place, {operation.get('path')}"
            raise PatchError(message, (index,), _what_is_there(operation, result)) from None
        except TypeError:
            message = f"{operation['op']}: does not fit what is at {operation['path']}"
            raise PatchError(message, (index,), "name an item of a list by its index, a field by its name") from None
    if not isinstance(result, dict):
        raise PatchError("leaves no object", hint="change what is in the object, not the whole of it")
    return result


_OPERATION = "[{op: add, path: /metadata/labels/tier, value: front}]"


def _what_is_there(operation: Mapping[str, Any], document: Any) -> str:
    """How far an operation's place exists, and what is there."""
    pointer = operation.get("from" if operation.get("op") in ("copy", "move") else "path")
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        return "begin the path with '/', as in /spec/containers/0/image"
    at, known = document, ""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        below = at.get(key) if isinstance(at, Mapping) else None
        if isinstance(at, list) and _INDEX.fullmatch(token) and 0 <= int(token) < len(at):
            below = at[int(token)]
        if not isinstance(below, Mapping | list):
            break
        at, known = below, f"{known}/{token}"
    where = known or "the top"
    if isinstance(at, list):
        return f"at {where} is a list of {len(at)}, the first of which is 0"
    return f"at {where} there is {', '.join(sorted(at)) or 'nothing'}"


def _with_indices(operation: Mapping[str, Any], document: Any) -> dict[str, Any]:
    """An operation with its list indices as Go's Atoi reads them, negative ones counted from the end."""
    result = dict(operation)
    for field in ("path", "from"):
        if isinstance(result.get(field), str):
            adds = field == "path" and operation.get("op") in ("add", "copy", "move")
            result[field] = _with_index(result[field], document, adds=adds)
    return result


def _with_index(pointer: str, document: Any, *, adds: bool) -> str:
    tokens = pointer.split("/")
    at = document
    for index, token in enumerate(tokens[1:], 1):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and _INDEX.fullmatch(token):
            number = int(token)
            if number < 0:
                number += len(at) + (adds and index == len(tokens) - 1)
            tokens[index] = str(number)
            at = at[number] if 0 <= number < len(at) else None
        else:
            at = at.get(key) if isinstance(at, Mapping) else None
    return "/".join(tokens)


# --- strategic merge patch ------------------------------------------------------------------------


def _bare(value: Any) -> Any:
    """What Go decodes of what a patch puts somewhere as it is: directives are no fields, null is a field unset."""
    if isinstance(value, Mapping):
        return {key: _bare(child) for key, child in value.items() if child is not None and not key.startswith("$")}
    return [_bare(item) for item in value] if isinstance(value, list | tuple) else value


def _is_directive(value: Any) -> bool:
    return isinstance(value, Mapping) and _DIRECTIVE in value


def _added(value: Any) -> Any:
    """A field that was not there: what has a directive anywhere in it is left out (removeDirectives)."""
    if isinstance(value, Mapping):
        kept = {key: child for key, child in value.items() if child is not None and not key.startswith("$")}
        return {key: _added(child) for key, child in kept.items() if not _is_directive(child)}
    if isinstance(value, list | tuple):
        return [_added(item) for item in value if not _is_directive(item)]
    return value


def _listed(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise PatchError(f"{key} must be a list", hint=f"write {key}: [...]")
    return list(value)


def _strategic(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A map merged (mergeMap)."""
    if _DIRECTIVE in patch:
        if patch[_DIRECTIVE] == "replace":
            return dict(_bare(patch))
        if patch[_DIRECTIVE] == "delete":
            return {}
        raise PatchError(f"unknown directive {_DIRECTIVE}: {patch[_DIRECTIVE]}", hint=_DIRECTIVES)
    result = _retained(document, patch)
    ordered = {key.removeprefix(_ORDER): _listed(key, value) for key, value in patch.items() if key.startswith(_ORDER)}
    for name, order in ordered.items():
        items, more = (_listed(name, fields.get(name) or ()) for fields in (result, patch))
        if name in result or name in patch:
            result[name] = _list_in_order(name, items, more, order)
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER) or key in ordered:
            continue
        name = key.removeprefix(_DELETE_FROM)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = _strategic(result[name], value)
        elif isinstance(value, list | tuple) and isinstance(result.get(name), list | tuple):
            items = list(result[name])
            if name != key:
                result[name] = [item for item in items if item not in value]
            else:
                result[name] = _strategic_list(name, items, list(value))
        elif name == key and not _is_directive(value):
            result[name] = _added(value)
        elif name == key:
            result.pop(name, None)
    return result


def _retained(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a patch leaves, which are all but where it says $retainKeys (applyRetainKeysDirective)."""
    if _RETAIN not in patch:
        return dict(document)
    retained = _listed(_RETAIN, patch[_RETAIN])
    for key, value in patch.items():
        if key not in retained and value is not None and not key.startswith((_RETAIN, _DELETE_FROM, _ORDER)):
            message = f"{_RETAIN} does not name {key}, which the patch sets"
            raise PatchError(message, hint=f"add {key} to {_RETAIN}, or leave it out")
    return {key: value for key, value in document.items() if key in retained}


def _identity(name: str, item: Any) -> Any:
    """What an item of a merged list is known by: its merge key's value, or a scalar itself."""
    merge_key = _MERGE_KEYS.get(name)
    if merge_key is None:
        return item
    if not isinstance(item, Mapping):
        raise PatchError(f"an item of {name} is no mapping", hint=f"write its fields, {merge_key} among them")
    if merge_key not in item:
        raise PatchError(f"an item of {name} has no {merge_key}", hint=f"say by its {merge_key} which one is meant")
    return item[merge_key]


def _strategic_list(name: str, items: list[Any], patch: list[Any]) -> list[Any]:
    """A list merged, or replaced where its field is not to be merged (mergeSlice)."""
    if name in _PRIMITIVE_LISTS or name in _MERGE_KEYS:
        merged, order, before = _merged_list(name, items, patch)
        return _in_order(name, merged, order, before)
    return list(_bare(patch))


def _merged_list(name: str, items: list[Any], patch: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """A merged list, new items last; then what is ordered by the patch, and what stood there and stays."""
    if name in _PRIMITIVE_LISTS:
        every = [*items, *patch]
        return [item for index, item in enumerate(every) if item not in every[:index]], patch, items
    if name not in _MERGE_KEYS:
        return list(_bare(patch)) if patch else items, patch, items
    replaces, plain = False, []
    for item in patch:
        directive = item.get(_DIRECTIVE) if isinstance(item, Mapping) else None
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            items = [known for known in items if _identity(name, known) != _identity(name, item)]
        elif directive == "replace":
            replaces = True
        else:
            raise PatchError(f"unknown directive {_DIRECTIVE}: {directive}", hint=_DIRECTIVES)
    if replaces:
        return list(_bare(plain)), [], plain
    merged = list(items)
    for item in plain:
        wanted = _identity(name, item)
        at = next((index for index, known in enumerate(merged) if _identity(name, known) == wanted), None)
        if at is None:
            merged.append(_bare(item))
        else:
            merged[at] = _strategic(merged[at], item)
    return merged, plain, items


def _list_in_order(name: str, items: list[Any], patch: list[Any], order: list[Any]) -> list[Any]:
    """A list merged and put into the order of $setElementOrder (mergePatchIntoOriginal)."""
    wanted = [_identity(name, item) for item in order]
    left = [item for item in patch if not (_is_directive(item) and item[_DIRECTIVE] == "delete")]
    for place in wanted:
        while left and _is_directive(left[0]):
            left.pop(0)
        if left and _identity(name, left[0]) == place:
            left.pop(0)
    if wanted and left:
        hint = "write them in that order"
        raise PatchError(f"the items of {name} are not in the order of {_ORDER}{name}", hint=hint)
    merged, _, _ = _merged_list(name, items, patch)
    # Go deletes and adds in the array whose first items it then takes as those that stood there
    return _in_order(name, merged, order, merged[: len(items)])


def _in_order(name: str, merged: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """A merged list as normalizeElementOrder leaves it.

    What ``order`` names has that order among itself, the rest that of the list before. Of the next of either kind the
    one that stood before the other comes first; if one of them did not stand there, the one that is named.
    """
    wanted = [_identity(name, item) for item in order]
    stood = [_identity(name, item) for item in before]
    named = [item for item in merged if _identity(name, item) in wanted]
    named.sort(key=lambda item: wanted.index(_identity(name, item)))
    others = [item for item in merged if _identity(name, item) not in wanted]
    others.sort(key=lambda item: [*stood, _identity(name, item)].index(_identity(name, item)))
    result: list[Any] = []
    while named and others:
        one, other = _identity(name, named[0]), _identity(name, others[0])
        goes_first = one in stood and other in stood and stood.index(other) < stood.index(one)
        result.append(others.pop(0) if goes_first else named.pop(0))
    return [*result, *named, *others]
