"""Shell scripts and the kubelet's systemd drop-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from kcompile import templates
from kcompile.artifact import PRIVATE_SCRIPT_MODE, SCRIPT_MODE, Artifact, SealedBinary
from kcompile.hosts import CONTROL_PLANE_TAINT, KUBELET_DIR, KUBERNETES_DIR, Host, ResolvedCluster
from kcompile.keyring import Keyring
from kcompile.secret import Secret

_DROP_IN = f"""\
# How the kubelet of a kubeadm-style host is started. Written by kcompile; do not edit.
[Service]
Environment="KUBELET_BOOTSTRAP_ARGS=--bootstrap-kubeconfig={KUBERNETES_DIR}/bootstrap-kubelet.conf"
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig={KUBERNETES_DIR}/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config={KUBELET_DIR}/config.yaml"
EnvironmentFile=-{KUBELET_DIR}/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_BOOTSTRAP_ARGS $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS \\
    $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
""".encode()
_DROP_IN_PATH = "/etc/systemd/system/kubelet.service.d/20-kcompile.conf"
_KUBELET_PORT = 10250
_CONTROL_PLANE_PORTS = (10257, 10259)
_ETCD_PORTS = (2379, 2380)


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """preflight.sh and the drop-in of every host, join.sh of bootstrapping workers, mark-control-plane.sh."""
    for host in cluster.hosts:
        yield Artifact(_DROP_IN_PATH, _DROP_IN, host.name)
        yield Artifact(f"hosts/{host.name}/preflight.sh", _preflight(cluster, host), mode=SCRIPT_MODE)
    yield from _join_scripts(cluster, keyring)
    marked = [
        {"name": host.name, "taints": (CONTROL_PLANE_TAINT,) if host.settings.taints is None else host.settings.taints}
        for host in cluster.control_plane
    ]
    script = templates.render("mark-control-plane.sh", nodes=marked)
    yield Artifact("cluster/mark-control-plane.sh", script, mode=SCRIPT_MODE)


def _preflight(cluster: ResolvedCluster, host: Host) -> bytes:
    ports: tuple[int, ...] = (_KUBELET_PORT,)
    if host.is_control_plane:
        ports = (
            host.settings.bind_port,
            *(_ETCD_PORTS if cluster.has_local_etcd else ()),
            *ports,
            *_CONTROL_PLANE_PORTS,
        )
    return templates.render(
        "preflight.sh",
        kubernetes_version=cluster.cluster.spec.kubernetes_version,
        socket=host.settings.cri_socket.removeprefix("unix://"),
        addresses=host.addresses,
        ports=ports,
        config=f"{KUBELET_DIR}/config.yaml",
    )


def _join_scripts(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    token = cluster.join_token
    joining = [host for host in cluster.workers if host.settings.credentials == "bootstrapToken"]
    if token is None or not joining:
        return
    secret = keyring.token_secret(token).reveal().decode()
    hashes = keyring.discovery_hashes()
    for host in joining:
        script = templates.render(
            "join.sh",
            endpoint=cluster.endpoint,
            token=f"{token}.{secret}",
            hashes=hashes,
            node=host.name,
            cri_socket=host.settings.cri_socket,
        )
        yield Artifact(f"{KUBERNETES_DIR}/join.sh", SealedBinary(Secret(script)), host.name, PRIVATE_SCRIPT_MODE)


@lru_cache(maxsize=1024)
def _install(directories: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> bytes:
    return templates.render("install.sh", directories=directories, files=rows)


def install_script(cluster: ResolvedCluster, host: Host, artifacts: Sequence[Artifact]) -> Artifact:
    """install.sh for a host's files. Manifests come last: the kubelet starts a pod as soon as it sees one."""
    ordered = sorted(artifacts, key=lambda a: ("/manifests/" in a.path, a.path))
    rows = tuple((f"{a.mode:04o}", a.policy.value, a.sops_type or "plain", a.path, a.target or "") for a in ordered)
    local = cluster.cluster.spec.etcd.local
    data_dir = local.data_dir if local else "/var/lib/etcd"
    directories = (data_dir,) if host.is_control_plane and cluster.has_local_etcd else ()
    return Artifact(f"hosts/{host.name}/install.sh", _install(directories, rows), mode=SCRIPT_MODE)
