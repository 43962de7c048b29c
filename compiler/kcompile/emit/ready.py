"""ready.sh of control-plane hosts: whether one is well again, before the next has its turn.

Source: etcd, ``server/etcdserver/api/etcdhttp/health.go``: /health of the client URL reads through the quorum.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import templates
from kcompile.artifact import SCRIPT_MODE, Artifact
from kcompile.hosts import Host, ResolvedCluster


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """ready.sh of every host of the control plane."""
    for host in cluster.control_plane:
        yield Artifact(f"hosts/{host.name}/ready.sh", _script(cluster, host), mode=SCRIPT_MODE)


def _script(cluster: ResolvedCluster, host: Host) -> bytes:
    is_new = cluster.has_local_etcd and not cluster.cluster.spec.control_plane.bootstrapped
    return templates.render(
        "ready.sh",
        pki=cluster.cluster.spec.pki.certificates_dir,
        server=f"https://{host.api_endpoint}",
        etcd=host.etcd_client_url if cluster.has_local_etcd else None,
        founders=[peer.etcd_client_url for peer in cluster.control_plane if peer is not host] if is_new else [],
        quorum=len(cluster.control_plane) // 2 + 1,
    )
