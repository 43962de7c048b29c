"""Constructors of the Kubernetes objects that kubeadm creates, and how a minor writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from kcompile import workload, yamlfmt
from kcompile.spec import EnvVar
from kcompile.versions.table import Version

_RBAC = "rbac.authorization.k8s.io"
_HASH = "kubeadm.kubernetes.io/component-config.hash"

Object = dict[str, Any]


def _metadata(name: str, namespace: str | None) -> Object:
    return {"name": name} if namespace is None else {"name": name, "namespace": namespace}


def environment_variable(variable: EnvVar) -> dict[str, Any]:
    """An entry of a container's ``env`` as Go marshals it."""
    fields: dict[str, Any] = {"name": variable.name}
    if variable.value:
        fields["value"] = variable.value
    if variable.value_from is not None:
        fields["valueFrom"] = variable.value_from
    return workload.variable(fields)


def config_map(name: str, namespace: str, data: Mapping[str, str], *, signed: bool = False) -> Object:
    """A ConfigMap; ``signed`` adds the hash by which kubeadm tells a configuration of its own making."""
    metadata = _metadata(name, namespace)
    if signed:
        text = "".join(data[key] for key in sorted(data))  # componentconfigs.ChecksumForConfigMap
        metadata["annotations"] = {_HASH: f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}
    return {"apiVersion": "v1", "data": dict(data), "kind": "ConfigMap", "metadata": metadata}


def role(name: str, rules: Sequence[Object], namespace: str | None = None) -> Object:
    """A Role, or without a namespace a ClusterRole."""
    kind = "ClusterRole" if namespace is None else "Role"
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, namespace),
        "rules": list(rules),
    }


def binding(name: str, kind: str, granted: str, subjects: Sequence[Object], namespace: str | None = None) -> Object:
    """A RoleBinding, or without a namespace a ClusterRoleBinding, of the role ``granted`` of that kind."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding" if namespace is None else "RoleBinding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": granted},
        "subjects": list(subjects),
    }


def group(name: str) -> Object:
    """A group as a subject."""
    return {"kind": "Group", "name": name}


def user(name: str) -> Object:
    """A user as a subject."""
    return {"kind": "User", "name": name}


def service_account(name: str) -> Object:
    """A service account in kube-system."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, "kube-system")}


def service_account_subject(name: str) -> Object:
    """A service account of kube-system as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}


def _with_creation_timestamp(value: Any) -> Any:
    """``creationTimestamp: null`` in the metadata of an object and of its pod template, as apimachinery wrote it."""
    if not isinstance(value, dict):
        return value
    result = {key: _with_creation_timestamp(child) for key, child in value.items()}
    if isinstance(result.get("metadata"), dict):
        result["metadata"] = {**result["metadata"], "creationTimestamp": None}
    return result


def written(document: Object, version: Version) -> Object:
    """An object as the minor writes it."""
    result: Object = _with_creation_timestamp(document) if version.writes_creation_timestamp else document
    return result


def dump(documents: Sequence[Object], version: Version) -> bytes:
    """Objects as one YAML stream, as the minor writes them."""
    return yamlfmt.dump_all([written(document, version) for document in documents])
