"""A kubeadm configuration (v1beta4) to a kcompile spec: how the reference cases become specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ISSUED_AT = "2026-11-23T00:00:00Z"


def args(entries: list[dict[str, str]] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries or []:
        found.setdefault(entry["name"], []).append(entry["value"])
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def component(config: dict[str, Any]) -> dict[str, Any]:
    result = dict(config)
    if "extraArgs" in result:
        result["extraArgs"] = args(result["extraArgs"])
    return result


def spec_from(kubeadm_yaml: Path, recipient: str) -> dict[str, Any]:
    """The spec, as data, of one reference case."""
    documents = {d["kind"]: d for d in yaml.safe_load_all(kubeadm_yaml.read_text())}
    init, config = documents["InitConfiguration"], documents["ClusterConfiguration"]
    registration = init["nodeRegistration"]
    pki = {"issuedAt": ISSUED_AT}
    for field in ("certificateValidityPeriod", "caCertificateValidityPeriod", "encryptionAlgorithm", "certificatesDir"):
        if field in config:
            pki[field] = config[field]
    node: dict[str, Any] = {
        "name": registration["name"],
        "address": init["localAPIEndpoint"]["advertiseAddress"],
        "localAPIEndpoint": {"bindPort": init["localAPIEndpoint"]["bindPort"]},
        "nodeRegistration": {"criSocket": registration["criSocket"]},
    }
    if "taints" in registration:
        node["nodeRegistration"]["taints"] = registration["taints"]
    if "kubeletExtraArgs" in registration:
        node["nodeRegistration"]["kubeletExtraArgs"] = args(registration["kubeletExtraArgs"])
    spec: dict[str, Any] = {
        "kubernetesVersion": config["kubernetesVersion"],
        "pki": pki,
        "secrets": {"recipients": [recipient]},
        "controlPlane": {"nodes": [node]},
        "bootstrapTokens": [],
    }
    for token in init.get("bootstrapTokens", []):
        entry = {"id": token["token"].split(".")[0]}
        entry |= {key: token[key] for key in ("description", "usages", "groups") if key in token}
        if token.get("ttl") != "0s":
            entry["expires"] = "2026-11-24T00:00:00Z"
        spec["bootstrapTokens"].append(entry)
    for field in ("controlPlaneEndpoint", "imageRepository", "networking", "dns", "proxy", "featureGates"):
        if field in config:
            spec[field] = config[field]
    for field in ("apiServer", "controllerManager", "scheduler"):
        if field in config:
            spec[field] = component(config[field])
    if "etcd" in config:
        spec["etcd"] = {kind: component(value) for kind, value in config["etcd"].items()}
    for kind, field in (("KubeletConfiguration", "kubelet"), ("KubeProxyConfiguration", "kubeProxy")):
        if kind in documents:
            spec[field] = {k: v for k, v in documents[kind].items() if k not in ("apiVersion", "kind")}
    name = config.get("clusterName", "kubernetes")
    return {
        "apiVersion": "kcompile.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": spec,
    }
