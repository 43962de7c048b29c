"""install.sh of every host.

It carries the digest of each file of its folder, and the tree manifest is signed and carries the digest of install.sh:
what is signed reaches to every byte that it installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcompile import templates
from kcompile.artifact import SCRIPT_MODE, Artifact, TreeFile
from kcompile.effects import KUBELET_CONF, effect
from kcompile.hosts import KUBELET_PKI, KUBELET_UNIT, KUBERNETES_DIR, MODULES_FILE, SYSCTL_FILE, Host, ResolvedCluster
from kcompile.keyring import Keyring

_MANIFESTS = f"{KUBERNETES_DIR}/manifests"


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
            effect(artifact.path, is_authority=artifact.path == cluster.pki_path("ca.crt")),
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
        identity=f"{cluster.name}/{host.name}",
        path=path,
        signer="".join(keyring.manifest_signer.splitlines()[1:-1]),
        directories=cluster.private_directories(host),
        files=rows,
        beside=[(file.sha256, file.path.rpartition("/")[2]) for file in beside],
        authority=cluster.pki_path("ca.crt"),
        manifests=_MANIFESTS,
        kubelet_conf=KUBELET_CONF,
        kubelet_pki=KUBELET_PKI,
        unit_name=KUBELET_UNIT.rpartition("/")[2],
        modules=MODULES_FILE,
        parameters=SYSCTL_FILE,
    )
    return Artifact(path, content, mode=SCRIPT_MODE)
