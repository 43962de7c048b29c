"""KubeletConfiguration and KubeProxyConfiguration as kubeadm defaults, merges and marshals them.

Source: kubeadm, ``cmd/kubeadm/app/componentconfigs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcompile.configuration_fields import decoded, without_empty
from kcompile.hosts import ResolvedCluster, merge


def kubelet(cluster: ResolvedCluster, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A KubeletConfiguration: kubeadm's defaults, what the cluster decides, and the overrides on top."""
    decided = {
        "authentication": {"x509": {"clientCAFile": cluster.pki_path("ca.crt")}},
        "clusterDNS": [cluster.dns_address],
        "clusterDomain": cluster.cluster.spec.networking.dns_domain,
    }
    defaults = merge(cluster.version.kubelet_defaults, decided)
    document = merge(defaults, decoded("KubeletConfiguration", overrides, cluster.version.minor))
    document |= {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "rotateCertificates": True,  # kubeadm always sets it
    }
    return without_empty("KubeletConfiguration", document)


def kube_proxy(cluster: ResolvedCluster) -> dict[str, Any]:
    """A KubeProxyConfiguration: kubeadm's defaults, what the cluster decides, and the spec's fields on top."""
    spec = cluster.cluster.spec
    decided: dict[str, Any] = {"clusterCIDR": spec.networking.pod_subnet or ""}
    if ":" in cluster.control_plane[0].address:
        decided["bindAddress"] = "::"
    defaults = merge(cluster.version.kube_proxy_defaults, decided)
    document = merge(defaults, decoded("KubeProxyConfiguration", spec.kube_proxy, cluster.version.minor))
    document |= {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
    for name in ("bindAddress", "clusterCIDR"):  # kubeProxyConfig.Default
        document[name] = document[name] or defaults[name]
    client = document["clientConnection"]
    kubeconfig = client["kubeconfig"] or defaults["clientConnection"]["kubeconfig"]
    document["clientConnection"] = {**client, "kubeconfig": kubeconfig}
    return without_empty("KubeProxyConfiguration", document)
