"""The scripts that give a new cluster its objects, labels and taints: bootstrap.sh and mark-control-plane.sh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography import x509

from kcompile import pki, templates
from kcompile.artifact import SCRIPT_MODE, Artifact
from kcompile.hosts import CONTROL_PLANE_TAINT, KUBERNETES_DIR, ResolvedCluster
from kcompile.keyring import Keyring


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """mark-control-plane.sh."""
    marked = [
        {
            "name": host.name,
            "taints": (CONTROL_PLANE_TAINT,) if host.settings.taints is None else host.settings.taints,
            "annotations": cluster.node_annotations(host),
        }
        for host in cluster.control_plane
    ]
    script = templates.render("mark-control-plane.sh", nodes=marked)
    yield Artifact("cluster/mark-control-plane.sh", script, mode=SCRIPT_MODE)


def _published(cluster: ResolvedCluster, keyring: Keyring) -> list[str]:
    """What tells the authorities in kube-root-ca.crt; nothing where the spec may have another file published there."""
    spec = cluster.cluster.spec
    patched = any(patch.target == "kube-controller-manager" for patch in spec.patches)
    if patched or "root-ca-file" in spec.controller_manager.extra_args:
        return []
    return [_end(certificate) for certificate in keyring.certificates("kubernetes")]


def _end(certificate: x509.Certificate) -> str:
    """The last 48 bytes of a certificate in base64, all of its signature: no two certificates end alike."""
    return "".join(pki.certificate_pem(certificate).decode().splitlines()[1:-1])[-64:]


def script(cluster: ResolvedCluster, keyring: Keyring, objects: Sequence[str]) -> Artifact:
    """cluster/bootstrap.sh, for the tree paths of the cluster's objects in their order."""
    first = "super-admin.conf" if cluster.version.has_super_admin_conf else "admin.conf"
    content = templates.render(
        "bootstrap.sh",
        name=cluster.name,
        authorities=_published(cluster, keyring),
        kubeconfigs=[f"{KUBERNETES_DIR}/{name}" for name in ("super-admin.conf", "admin.conf")],
        servers=[{"name": host.name, "url": f"https://{host.api_endpoint}"} for host in cluster.control_plane],
        objects=[path.removeprefix("cluster/") for path in objects],
        control_plane=[host.name for host in cluster.control_plane],
        workers=[host.name for host in cluster.workers],
        rights_mend=f"use {first}: in {KUBERNETES_DIR} on {cluster.control_plane[0].name}, "
        "or from kcompile render OUT --admin --to DIR",
    )
    return Artifact("cluster/bootstrap.sh", content, mode=SCRIPT_MODE)
