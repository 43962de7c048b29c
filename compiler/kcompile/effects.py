"""What has to be done on a host once one of its files has changed: install.sh does it, and diff says it."""

from __future__ import annotations

from typing import Literal

from kcompile.hosts import KUBELET_DIR, KUBELET_PKI, KUBELET_UNIT, KUBERNETES_DIR, MODULES_FILE, SYSCTL_FILE

Effect = Literal["none", "kubelet", "bootstrap", "unit", "drop-in", "modules", "parameters"]
"""Nothing; restart the kubelet; that where it has not joined yet; that and reload systemd, for the unit only where no
package brings one; load kernel modules; set kernel parameters."""
RESTARTING: frozenset[Effect] = frozenset(("kubelet", "unit", "drop-in"))
"""Those that restart the kubelet of a host that has joined."""

KUBELET_CONF = f"{KUBERNETES_DIR}/kubelet.conf"
_EFFECTS: dict[str, Effect] = {
    KUBELET_UNIT: "unit",
    MODULES_FILE: "modules",
    SYSCTL_FILE: "parameters",
    KUBELET_CONF: "kubelet",
    f"{KUBERNETES_DIR}/bootstrap-kubelet.conf": "bootstrap",
    f"{KUBELET_DIR}/config.yaml": "kubelet",
    f"{KUBELET_DIR}/kubeadm-flags.env": "kubelet",
}


def effect(path: str, *, is_authority: bool) -> Effect:
    """Of a file by its path on the host; of the authority whose clients the kubelet serves, that it is that."""
    if path.startswith(f"{KUBELET_UNIT}.d/"):
        return "drop-in"
    if is_authority or path.startswith(f"{KUBELET_PKI}/"):
        return "kubelet"
    return _EFFECTS.get(path, "none")
