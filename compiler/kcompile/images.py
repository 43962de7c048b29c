"""Which container images a cluster runs. Source: kubeadm, ``cmd/kubeadm/app/images/images.go``."""

from __future__ import annotations

from kcompile import names
from kcompile.hosts import ResolvedCluster
from kcompile.versions.table import Tags, tag_of_patch

_DEFAULT_REPOSITORY = "registry.k8s.io"


def component(cluster: ResolvedCluster, name: str) -> str:
    """The image of a Kubernetes component, tagged with the cluster's version."""
    spec = cluster.cluster.spec
    return f"{spec.image_repository}/{name}:{spec.kubernetes_version}"


def etcd(cluster: ResolvedCluster) -> str:
    """The etcd image."""
    local = cluster.cluster.spec.etcd.local
    repository = (local and local.image_repository) or cluster.cluster.spec.image_repository
    return f"{repository}/etcd:{etcd_tag(cluster)}"


def etcd_tag(cluster: ResolvedCluster) -> str:
    """The etcd image's tag."""
    local = cluster.cluster.spec.etcd.local
    return (local and local.image_tag) or _default_tag(cluster, cluster.version.etcd_tags)


def _default_tag(cluster: ResolvedCluster, tags: Tags) -> str:
    return tag_of_patch(tags, names.patch_version(cluster.cluster.spec.kubernetes_version))


def coredns(cluster: ResolvedCluster) -> str:
    """The CoreDNS image; only in the default registry does it stand one level deeper."""
    spec = cluster.cluster.spec
    repository = spec.dns.image_repository or spec.image_repository
    if repository == _DEFAULT_REPOSITORY:
        repository = f"{_DEFAULT_REPOSITORY}/coredns"
    return f"{repository}/coredns:{spec.dns.image_tag or _default_tag(cluster, cluster.version.coredns_tags)}"


def pause(cluster: ResolvedCluster) -> str:
    """The sandbox image."""
    return f"{cluster.cluster.spec.image_repository}/pause:{cluster.version.pause_tag}"


def every(cluster: ResolvedCluster) -> list[str]:
    """All images of a cluster, in the order in which ``kubeadm config images list`` prints them."""
    spec = cluster.cluster.spec
    found = [component(cluster, f"kube-{name}") for name in ("apiserver", "controller-manager", "scheduler")]
    if not spec.proxy.disabled:
        found.append(component(cluster, "kube-proxy"))
    if not spec.dns.disabled:
        found.append(coredns(cluster))
    found.append(pause(cluster))
    if cluster.has_local_etcd:
        found.append(etcd(cluster))
    return found
