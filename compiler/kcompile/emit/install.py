"""install.sh of every host.

It carries the digest of each file of its folder, and the tree manifest is signed and carries the digest of install.sh:
what is signed reaches to every byte that it installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from kcompile import templates
from kcompile.artifact import SCRIPT_MODE, Artifact, TreeFile
from kcompile.hosts import (
    KUBELET_DIR,
    KUBELET_PKI,
    KUBELET_UNIT,
    KUBERNETES_DIR,
    MODULES_FILE,
    SYSCTL_FILE,
    Host,
    ResolvedCluster,
)
from kcompile.keyring import Keyring

_MANIFESTS = f"{KUBERNETES_DIR}/manifests"
_KUBELET_CONF = f"{KUBERNETES_DIR}/kubelet.conf"
Effect = Literal["none", "kubelet", "bootstrap", "unit", "drop-in", "modules", "parameters"]
"""What has to be done once a file has changed: nothing; restart the kubelet; that where it has not joined yet; that and
reload systemd, for the unit only where no package brings one; load kernel modules; set kernel parameters."""
_EFFECTS: dict[str, Effect] = {
    KUBELET_UNIT: "unit",
    MODULES_FILE: "modules",
    SYSCTL_FILE: "parameters",
    _KUBELET_CONF: "kubelet",
    f"{KUBERNETES_DIR}/bootstrap-kubelet.conf": "bootstrap",
    f"{KUBELET_DIR}/config.yaml": "kubelet",
    f"{KUBELET_DIR}/kubeadm-flags.env": "kubelet",
}


def _effect(cluster: ResolvedCluster, path: str) -> Effect:
    if path.startswith(f"{KUBELET_UNIT}.d/"):
        return "drop-in"
    if path == cluster.pki_path("ca.crt") or path.startswith(f"{KUBELET_PKI}/"):
        return "kubelet"
    return _EFFECTS.get(path, "none")


def script(
    cluster: ResolvedCluster,
    keyring: Keyring,
    host: Host,
    files: Iterable[tuple[Artifact, TreeFile]],
    beside: Sequence[TreeFile],
) -> Artifact:
    """install.sh for a host's files, and the digests of what else is ``beside`` it in the host's folder.

    Manifests come last: the kubelet starts a pod as soon as it sees one.
    """
    ordered = sorted(files, key=lambda pair: (pair[0].path.startswith(f"{_MANIFESTS}/"), pair[0].path))
    rows = [
        (
            f"{file.mode:04o}",
            file.policy.value,
            artifact.sops_type or "plain",
            _effect(cluster, artifact.path),
            file.sha256,
            artifact.path,
            file.target or "",
        )
        for artifact, file in ordered
    ]
    path = f"hosts/{host.name}/install.sh"
    content = templates.render(
        "install.sh",
        name=host.name,
        path=path,
        signer="".join(keyring.manifest_signer.splitlines()[1:-1]),
        directories=cluster.private_directories(host),
        files=rows,
        beside=[(file.sha256, file.path.rpartition("/")[2]) for file in beside],
        manifests=_MANIFESTS,
        kubelet_conf=_KUBELET_CONF,
        unit_name=KUBELET_UNIT.rpartition("/")[2],
        modules=MODULES_FILE,
        parameters=SYSCTL_FILE,
    )
    return Artifact(path, content, mode=SCRIPT_MODE)
