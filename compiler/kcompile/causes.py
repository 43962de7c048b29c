"""Which change of the spec made a change of the tree: a table from fields of the spec to what follows from them.

Where the table is not sure, no cause is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcompile.diff import Change
from kcompile.meaning import CREDENTIALS, Difference, data

_ANY = r".*"
_KUBELET = r"/var/lib/kubelet/(config|instance-config)\.yaml|/var/lib/kubelet/kubeadm-flags\.env|host\.json"
_PKI = r"/etc/kubernetes/.*|/var/lib/kubelet/pki/.*|admin/.*|sealed files"
_CONFIG = r"ConfigMap kube-system/kubeadm-config"
_COMPONENT = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What follows from a field. Named groups of ``field`` bind: ``host``, ``pool``, ``flag``."""

    field: str
    paths: str
    subjects: str = _ANY
    kinds: tuple[str, ...] = ()
    """Empty: all."""
    weak: bool = False
    """It names so much that it counts only where no other row does."""


_ARGS = r"extraArgs(\.|\[)(?P<flag>[^\]]+)\]?"
_SAN = r"name|.*" + re.escape(CREDENTIALS) + r".*|signature"
_DERIVED = ("certificate", "secret", "kubeconfig", "field", "file")
ROWS = (
    Row(
        r"spec\.kubernetesVersion",
        r"/etc/kubernetes/manifests/.*|host\.json|/var/lib/kubelet/config\.yaml|/var/lib/kubelet/kubeadm-flags\.env"
        r"|[A-Z]\w+ .*",
        rf"(?!.*{re.escape(CREDENTIALS)}).*",
        ("field", "flag", "line", "file", "object"),
        weak=True,
    ),
    Row(
        r"spec\.kubernetesVersion",
        rf"{_PKI}|/etc/kubernetes/manifests/.*",
        rf"(client certificate: )?(subject|name|usage)|.*{re.escape(CREDENTIALS)}.*",
        weak=True,
    ),
    Row(r"spec\.imageRepository", r"/etc/kubernetes/manifests/.*|(Deployment|DaemonSet|ConfigMap) .*", r".*[iI]mage.*"),
    Row(r"spec\.controlPlaneEndpoint", _PKI, rf"server|{_SAN}"),
    Row(r"spec\.controlPlaneEndpoint", rf"{_CONFIG}|ConfigMap kube-public/cluster-info|.*/join\.sh"),
    Row(
        r"spec\.pki\.issuedAt",
        rf"{_PKI}|/etc/kubernetes/manifests/.*|Secret .*",
        rf"(?!name$).*valid .*|.*key|key|seal|target|.*signature|.*-data|.*{re.escape(CREDENTIALS)}.*|",
        _DERIVED,
    ),
    Row(r"spec\.pki\.(?!issuedAt).*", rf"{_PKI}|/etc/kubernetes/manifests/.*", _ANY, _DERIVED),
    Row(r"spec\.pki\.(?!issuedAt).*", _CONFIG),
    Row(r"spec\.secrets\.recipients.*", r"sealed files", _ANY, ("recipient",)),
    Row(r"spec\.apiServer\.certSANs.*", r"/etc/kubernetes/pki/apiserver\.crt", _SAN),
    Row(
        r"spec\.apiServer\.certSANs.*",
        r"/etc/kubernetes/manifests/kube-apiserver\.yaml",
        rf".*{re.escape(CREDENTIALS)}.*",
    ),
    Row(r"spec\.apiServer\.certSANs.*", _CONFIG, r".*certSANs.*"),
    *(
        Row(rf"spec\.{name}\.{_ARGS}", rf"/etc/kubernetes/manifests/{component}\.yaml", _ANY, ("flag",))
        for name, component in {**_COMPONENT, r"etcd\.local": "etcd"}.items()
    ),
    *(
        Row(rf"spec\.{name}\.(?!extraArgs|certSANs).*", rf"/etc/kubernetes/manifests/{component}\.yaml", r"spec\..*")
        for name, component in {**_COMPONENT, r"etcd\.local": "etcd"}.items()
    ),
    *(Row(rf"spec\.{name}\b.*", _CONFIG, rf".*\.{name}\b.*") for name in (*_COMPONENT, "etcd", "networking", "dns")),
    Row(
        r"spec\.etcd\.local\.(serverCertSANs|peerCertSANs).*",
        r"/etc/kubernetes/(pki/etcd/.*|manifests/etcd\.yaml)",
        _SAN,
    ),
    Row(r"spec\.networking\.podSubnet", r"/etc/kubernetes/manifests/.*", r"--(cluster-cidr|allocate-node-cidrs)"),
    Row(r"spec\.networking\.podSubnet", r"ConfigMap kube-system/kube-proxy"),
    Row(r"spec\.networking\.serviceSubnet", r"/etc/kubernetes/manifests/.*", r"--service-cluster-ip-range"),
    Row(r"spec\.networking\.serviceSubnet", _KUBELET, r"clusterDNS.*"),
    Row(r"spec\.networking\.(serviceSubnet|dnsDomain)", r"/etc/kubernetes/(pki|manifests)/.*", _SAN),
    Row(r"spec\.networking\.dnsDomain", _KUBELET, r"clusterDomain"),
    Row(r"spec\.dns\b.*", r".* kube-system/(coredns|kube-dns)|.* system:coredns"),
    Row(r"spec\.kubelet\.(?P<name>\w+).*", r"/var/lib/kubelet/config\.yaml|ConfigMap kube-system/kubelet-config"),
    Row(r"spec\.kubeProxy\b.*", r"ConfigMap kube-system/kube-proxy"),
    Row(r"spec\.bootstrapTokens.*", r"Secret kube-system/bootstrap-token-.*|.*/bootstrap-kubelet\.conf|.*/join\.sh"),
    Row(r"spec\.featureGates\b.*", r"/etc/kubernetes/manifests/.*|ConfigMap .*", r".*feature-?[gG]ates.*"),
    Row(r"spec\.controlPlane\.bootstrapped", r"/etc/kubernetes/manifests/etcd\.yaml", r"--initial-cluster-state"),
    Row(r"spec\.controlPlane\.nodes\[(?P<added>[^\]]+)\]", _ANY, _ANY, ("host",)),
    Row(r"spec\.controlPlane\.nodes\[[^\]]+\]", r"/etc/kubernetes/manifests/.*", r"--(initial-cluster|etcd-servers)"),
    Row(r"spec\.controlPlane\.nodes\[[^\]]+\]", r"cluster/mark-control-plane\.sh"),
    Row(r"spec\.controlPlane\.nodes\[(?P<host>[^\]]+)\]\..*", _ANY),
    Row(r"spec\.controlPlane\.(labels|kubelet|kubeletVersion|nodeRegistration|taints).*", _KUBELET),
    Row(r"spec\.controlPlane\.(labels|taints|nodeRegistration).*", r"cluster/mark-control-plane\.sh"),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\](\.nodes\[(?P<added>[^\]]+)\])?", _ANY, _ANY, ("host",)),
    Row(r"spec\.nodePools\[[^\]]+\]\.nodes\[(?P<host>[^\]]+)\]\..*", _ANY),
    Row(rf"spec\.nodePools\[(?P<pool>[^\]]+)\]\.nodeRegistration\.kubeletExtra{_ARGS[5:]}", _KUBELET, _ANY, ("flag",)),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\]\.labels.*", _KUBELET, r"--node-labels"),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\]\.taints.*", _KUBELET, r"--register-with-taints|registerWithTaints.*"),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\]\.kubelet\.(?P<name>\w+).*", r"/var/lib/kubelet/config\.yaml"),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\]\.kubeletVersion", r"host\.json"),
    Row(r"spec\.nodePools\[(?P<pool>[^\]]+)\]\.credentials", _ANY),
    Row(r"spec\.manifests.*", r"cluster/manifests/.*|[A-Z]\w+ .*", _ANY, ("object",)),
)
"""A change of the tree follows from a change of the spec when a row says so and no row ties it to something else."""
_TYING = ("flag", "name", "host", "added", "pool")


@dataclass(frozen=True, slots=True)
class SpecChanges:
    """What changed in the spec, and which pool each host is in."""

    differences: Sequence[Difference]
    pools: Mapping[str, str]
    patches: Sequence[str] = ()
    """Targets of patches that changed, with the path of the change: ``target path``."""


def pools(spec: Mapping[str, Any]) -> dict[str, str]:
    """The pool of each worker of a spec's data."""
    found: dict[str, str] = {}
    body = spec.get("spec")
    for pool in (body.get("nodePools") or ()) if isinstance(body, Mapping) else ():
        if isinstance(pool, Mapping):
            for node in pool.get("nodes") or ():
                if isinstance(node, Mapping):
                    found[str(node.get("name"))] = str(pool.get("name"))
    return found


def spec_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> SpecChanges:
    """What is different in two specs' data; where one is not known, nothing, but the pools of the other."""
    of = {**pools(before or {}), **pools(after or {})}
    if before is None or after is None:
        return SpecChanges((), of)
    old, new = _patches(before), _patches(after)
    changed = [*(patch for patch in old if patch not in new), *(patch for patch in new if patch not in old)]
    targets = dict.fromkeys(str(patch.get("target")) for patch in changed if isinstance(patch, Mapping))
    return SpecChanges(data(before, after), of, [f"{target} spec.patches[{target}]" for target in targets])


def _patches(spec: Mapping[str, Any]) -> list[Any]:
    body = spec.get("spec")
    found = body.get("patches") if isinstance(body, Mapping) else None
    return found if isinstance(found, list) else []


def _follows(row: Row, change: Change, found: re.Match[str], of: Mapping[str, str]) -> bool:
    if row.kinds and change.kind not in row.kinds:
        return False
    if not all(re.fullmatch(row.paths, path, re.DOTALL) for path in change.paths):
        return False
    if not re.fullmatch(row.subjects, change.subject, re.DOTALL):
        return False
    bound = found.groupdict()
    if bound.get("flag") and change.subject != f"--{bound['flag']}":
        return False
    if bound.get("name") and not re.search(rf"\b{re.escape(bound['name'])}\b", change.subject):
        return False
    if bound.get("host") and change.hosts != (bound["host"],):
        return False
    if bound.get("added") and bound["added"] not in change.hosts:
        return False
    return not bound.get("pool") or all(of.get(host) == bound["pool"] for host in change.hosts)


def of_secrets(change: Change) -> bool:
    """Whether a change is one of keys or of what they sign."""
    return change.kind in ("certificate", "secret") or change.subject.endswith(f"'{CREDENTIALS}']")


def causes(change: Change, spec: SpecChanges) -> tuple[str, ...]:
    """The paths of the spec's changes that a change follows from; those that name it, where there are such."""
    named: dict[str, None] = {}
    others: dict[str, None] = {}
    weak: dict[str, None] = {}
    for difference in spec.differences:
        for row in ROWS:
            found = re.fullmatch(row.field, difference.subject)
            if found is not None and _follows(row, change, found, spec.pools):
                ties = any(found.groupdict().get(name) for name in _TYING)
                (named if ties else weak if row.weak else others)[difference.subject] = None
    for entry in spec.patches:
        target, _, path = entry.partition(" ")
        stem = rf".*/{re.escape(target)}\.yaml|.*\b{re.escape(target)}\b.*|.*/config\.yaml"
        exact = stem if target == "kubeletconfiguration" else stem.removesuffix(r"|.*/config\.yaml")
        if change.kind in ("field", "flag") and all(re.fullmatch(exact, item) for item in change.paths):
            others[path] = None
    return tuple(named or others or weak)
