"""The host paths that etcd and the control plane's components see.

Source: kubeadm, ``cmd/kubeadm/app/phases/controlplane/volumes.go`` and ``phases/etcd/local.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kcompile.hosts import KUBERNETES_DIR
from kcompile.spec import ClusterSpec, HostPathMount
from kcompile.versions.table import Version

_SYSTEM_CA_MOUNTS = (
    ("ca-certs", "/etc/ssl/certs"),
    ("etc-ca-certificates", "/etc/ca-certificates"),
    ("usr-local-share-ca-certificates", "/usr/local/share/ca-certificates"),
    ("usr-share-ca-certificates", "/usr/share/ca-certificates"),
)
_FLEXVOLUME_DIR = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path mounted in the container."""

    name: str
    host_path: str
    mount_path: str
    read_only: bool
    path_type: str


def _read_only(name: str, path: str, kind: str = "DirectoryOrCreate") -> Mount:
    return Mount(name, path, path, read_only=True, path_type=kind)


def compiled(pod: str, spec: ClusterSpec, version: Version) -> tuple[Mount, ...]:
    """What a pod sees before any extra volumes, each path at the same path."""
    certificates = _read_only("k8s-certs", spec.pki.certificates_dir)
    system = tuple(_read_only(*mount) for mount in _SYSTEM_CA_MOUNTS)
    if pod == "kube-scheduler":
        return (_kubeconfig("scheduler.conf"),)
    if pod == "kube-controller-manager":
        more: tuple[Mount, ...] = ()
        if version.mounts_flexvolume_dir:
            values = spec.controller_manager.extra_args.get("flex-volume-plugin-dir")
            path = values[-1] if values else _FLEXVOLUME_DIR
            more = (Mount("flexvolume-dir", path, path, read_only=False, path_type="DirectoryOrCreate"),)
        return (certificates, _kubeconfig("controller-manager.conf"), *system, *more)
    if pod == "kube-apiserver":
        external = spec.etcd.external
        files = (external.ca_file, external.cert_file, external.key_file) if external else ()
        return (certificates, *system, *_of_external_etcd([f for f in files if f], spec.pki.certificates_dir))
    data = spec.etcd.local.data_dir if spec.etcd.local else "/var/lib/etcd"
    own = f"{spec.pki.certificates_dir}/etcd"
    return (
        Mount("etcd-data", data, data, read_only=False, path_type="DirectoryOrCreate"),
        Mount("etcd-certs", own, own, read_only=False, path_type="DirectoryOrCreate"),
    )


def _kubeconfig(name: str) -> Mount:
    return _read_only("kubeconfig", f"{KUBERNETES_DIR}/{name}", "FileOrCreate")


def _of_external_etcd(files: Sequence[str], certificates_dir: str) -> list[Mount]:
    """The directories of an external etcd's files that no other mount covers (kubeadm's getEtcdCertVolumes)."""
    covered = ("/etc/ssl/certs", "/etc/pki/ca-trust", "/etc/pki/tls/certs", *(p for _, p in _SYSTEM_CA_MOUNTS))
    found: set[str] = set()
    for directory in (file.rpartition("/")[0] or "/" for file in files):
        if directory.startswith((*covered, certificates_dir)):
            continue
        if any(directory.startswith(known) for known in found):
            continue
        found = {known for known in found if not known.startswith(directory)} | {directory}
    return [_read_only(f"etcd-certs-{number}", directory) for number, directory in enumerate(sorted(found))]


def with_extra(mounts: Iterable[Mount], extra: Iterable[HostPathMount]) -> list[Mount]:
    """By name, an extra volume in place of a compiled one of its name (as kubeadm's maps do)."""
    found = {mount.name: mount for mount in mounts}
    found |= {e.name: Mount(e.name, e.host_path, e.mount_path, e.read_only, e.path_type) for e in extra}
    return [found[name] for name in sorted(found)]
