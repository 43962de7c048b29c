"""Which cluster objects are compiled, by what Kubernetes tells them apart by; a test holds it against the trees."""

from __future__ import annotations

from kcompile import names, versions
from kcompile.spec import Cluster

Identity = tuple[str, str, str, str]
"""An object's API group, kind, namespace and name. Of no namespace is one in ``default``, or in none at all."""
_RBAC = "rbac.authorization.k8s.io"
_ALWAYS = """
    /ConfigMap/kube-public/cluster-info
    /ConfigMap/kube-system/kubeadm-config
    /ConfigMap/kube-system/kubelet-config
    RBAC/ClusterRole//kubeadm:get-nodes
    RBAC/ClusterRoleBinding//kubeadm:get-nodes
    RBAC/ClusterRoleBinding//kubeadm:kubelet-bootstrap
    RBAC/ClusterRoleBinding//kubeadm:node-autoapprove-bootstrap
    RBAC/ClusterRoleBinding//kubeadm:node-autoapprove-certificate-rotation
    RBAC/Role/kube-public/kubeadm:bootstrap-signer-clusterinfo
    RBAC/Role/kube-system/kubeadm:kubelet-config
    RBAC/Role/kube-system/kubeadm:nodes-kubeadm-config
    RBAC/RoleBinding/kube-public/kubeadm:bootstrap-signer-clusterinfo
    RBAC/RoleBinding/kube-system/kubeadm:kubelet-config
    RBAC/RoleBinding/kube-system/kubeadm:nodes-kubeadm-config
"""
_COREDNS = """
    /ConfigMap/kube-system/coredns
    /Service/kube-system/kube-dns
    /ServiceAccount/kube-system/coredns
    RBAC/ClusterRole//system:coredns
    RBAC/ClusterRoleBinding//system:coredns
    apps/Deployment/kube-system/coredns
"""
_KUBE_PROXY = """
    /ConfigMap/kube-system/kube-proxy
    /ServiceAccount/kube-system/kube-proxy
    RBAC/ClusterRoleBinding//kubeadm:node-proxier
    RBAC/Role/kube-system/kube-proxy
    RBAC/RoleBinding/kube-system/kube-proxy
    apps/DaemonSet/kube-system/kube-proxy
"""
_ADMINS = "RBAC/ClusterRoleBinding//kubeadm:cluster-admins"
_KUBELET_CLIENT = "RBAC/ClusterRoleBinding//kubeadm:apiserver-kubelet-client"


def identity(api_version: str, kind: str, namespace: str | None, name: str) -> Identity:
    """An object by its fields. Versions of an API are views of the same object."""
    group, slash, _ = api_version.rpartition("/")
    return (group if slash else "", kind, namespace or "default", name)


def compiled(cluster: Cluster) -> set[Identity]:
    """The objects of a cluster but those of its own manifests."""
    spec = cluster.spec
    minor = names.minor_version(spec.kubernetes_version)
    lines = _ALWAYS.split()
    lines += [] if spec.dns.disabled else _COREDNS.split()
    lines += [] if spec.proxy.disabled else _KUBE_PROXY.split()
    if minor in versions.supported_minors():
        table = versions.for_minor(minor)
        lines += [_ADMINS] * table.has_super_admin_conf + [_KUBELET_CLIENT] * table.binds_kubelet_client
    lines += [f"/Secret/kube-system/bootstrap-token-{token.id}" for token in spec.bootstrap_tokens]
    found = set()
    for line in lines:
        group, kind, namespace, name = line.split("/")
        found.add((_RBAC if group == "RBAC" else group, kind, namespace or "default", name))
    return found
