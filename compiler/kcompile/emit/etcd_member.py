"""etcd-member.sh of control-plane hosts: adding, promoting, removing and replacing members of the cluster's own etcd.

Source: etcd, ``api/etcdserverpb/rpc.proto`` (the gateway's paths), ``server/etcdserver/api/membership`` (what an etcd
that starts compares).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from kcompile import templates
from kcompile.artifact import SCRIPT_MODE, Artifact
from kcompile.flags import Args
from kcompile.hosts import KUBERNETES_DIR, Host, ResolvedCluster


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """etcd-member.sh of every host on which etcd runs."""
    if not cluster.has_local_etcd:
        return
    for host in cluster.control_plane:
        yield Artifact(f"hosts/{host.name}/etcd-member.sh", _script(cluster, host), mode=SCRIPT_MODE)


def _last(args: Args, name: str, default: str) -> str:
    values = args.get(name)
    return values[-1] if values else default


def _script(cluster: ResolvedCluster, host: Host) -> bytes:
    local = cluster.cluster.spec.etcd.local
    args = local.extra_args if local else {}
    data = f"{_last(args, 'data-dir', local.data_dir if local else '/var/lib/etcd')}/member"
    log = _last(args, "wal-dir", "")
    others_first = sorted(cluster.control_plane, key=lambda peer: peer is host)
    return templates.render(
        "etcd-member.sh",
        name=host.name,
        peer_url=host.etcd_peer_url,
        client_url=host.etcd_client_url,
        pki=cluster.cluster.spec.pki.certificates_dir,
        manifest=f"{KUBERNETES_DIR}/manifests/etcd.yaml",
        parked=f"{KUBERNETES_DIR}/.kcompile-etcd.yaml",
        members=["\t".join((peer.name, peer.etcd_peer_url, peer.etcd_client_url)) for peer in others_first],
        lists_members="initial-cluster" not in args,
        stores=[data, log] if log else [data],
        log=log or f"{data}/wal",
        addition=json.dumps({"peerURLs": [host.etcd_peer_url], "isLearner": True}),
    )
