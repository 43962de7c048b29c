"""Pods, and what has a template of one, as Go marshals them once they were decoded into core/v1's structs.

kubeadm does so with whatever it has patched. Source: the json tags of k8s.io/api's core/v1 and apps/v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcompile import quantity

_OMITTED_WHEN_ZERO = frozenset(
    """
    add args annotations apiVersion claims command containerName dnsPolicy drop effect env envFrom
    ephemeralContainers failureThreshold finalizers fsType generation generateName host hostAliases hostIP hostIPC
    hostNetwork hostPID hostPort hostname httpHeaders image imagePullPolicy imagePullSecrets initContainers
    initialDelaySeconds items labels limits managedFields matchExpressions matchLabels medium minReadySeconds
    nameservers namespace nodeName nodeSelector operator options overhead ownerReferences paused periodSeconds ports
    preferredDuringSchedulingIgnoredDuringExecution prefix priorityClassName protocol readOnly readinessGates requests
    resizePolicy resourceClaims resourceVersion restartPolicy schedulerName schedulingGates scheme searches
    serviceAccount serviceAccountName sources stdin stdinOnce subPath subPathExpr subdomain successThreshold
    supplementalGroups sysctls terminationMessagePath terminationMessagePolicy timeoutSeconds tolerations
    topologySpreadConstraints tty uid value values volumeDevices volumeMounts volumes workingDir
    """.split()
)
"""Fields that are no pointers and carry omitempty: they vanish with their zero value."""

_CONTAINER = {"name": "", "resources": {}}
_WRITTEN: dict[str, dict[str, Any]] = {
    "configMapKeyRef": {"key": ""},
    "containers": _CONTAINER,
    "env": {"name": ""},
    "ephemeralContainers": _CONTAINER,
    "fieldRef": {"fieldPath": ""},
    "grpc": {"port": 0, "service": None},
    "hostAliases": {"ip": ""},
    "hostPath": {"path": ""},
    "httpGet": {"port": 0},
    "httpHeaders": {"name": "", "value": ""},
    "initContainers": _CONTAINER,
    "items": {"path": ""},
    "ports": {"containerPort": 0},
    "resourceFieldRef": {"divisor": "0", "resource": ""},
    "seccompProfile": {"type": ""},
    "secretKeyRef": {"key": ""},
    "sleep": {"seconds": 0},
    "sysctls": {"name": "", "value": ""},
    "tcpSocket": {"port": 0},
    "topologySpreadConstraints": {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": ""},
    "volumeDevices": {"devicePath": "", "name": ""},
    "volumeMounts": {"mountPath": "", "name": ""},
    "volumes": {"name": ""},
}
"""Fields without omitempty, by the field above them: they are written with their zero value, too."""

_LISTS = {"resources": ("limits", "requests"), "spec": ("overhead",)}
"""ResourceLists (quantities by the resource's name), by the field above them."""
_QUANTITIES = {"emptyDir": "sizeLimit", "resourceFieldRef": "divisor"}
"""Single quantities, by the field above them."""


def marshalled(document: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod, Deployment or DaemonSet, of which Go can decode every value, as Go would write it."""
    result = _struct("", document)
    result["apiVersion"], result["kind"] = document["apiVersion"], document["kind"]
    return result


def variable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a container's ``env``. What is none of its fields' values is left as it is."""
    try:
        return _struct("env", fields)
    except ValueError:  # no quantity; no component would start with it
        return dict(fields)


def _value(field: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_value(field, item) for item in value]
    return _struct(field, value) if isinstance(value, Mapping) else value


def _struct(field: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` are those of a struct, or the entries of a map of strings, in the field of this name."""
    if field in ("annotations", "labels", "matchLabels", "nodeSelector"):
        return dict(fields)
    result: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None and name != "creationTimestamp":
            continue
        if name in _LISTS.get(field, ()) and isinstance(value, Mapping):
            found: Any = {resource: quantity.canonical(amount) for resource, amount in value.items()}
        elif name == _QUANTITIES.get(field):
            found = quantity.canonical(value)
        else:
            found = _value(name, value)
        if found or name not in _OMITTED_WHEN_ZERO:
            result[name] = found
    return {**_WRITTEN.get(field, {}), **result}
