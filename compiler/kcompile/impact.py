"""What a change does to a running cluster: what restarts, what is reissued, what a person has to do."""

from __future__ import annotations

import re

from kcompile import effects
from kcompile.diff import CLUSTER, DATA_KEY, UNLISTED, Change

ETCD, API_SERVER, KUBELET = "etcd", "kube-apiserver", "kubelet"
_MANIFEST = re.compile(r"/etc/kubernetes/manifests/(.+)\.yaml")
_WORKLOADS = ("Deployment ", "DaemonSet ", "StatefulSet ")
_OF_RECIPIENTS = {
    (False, True): "can open every secret of the cluster",
    (False, False): "may have copied what it could read: `sops rotate`, and new secrets",
    (True, True): "can open what is sealed for the host",
    (True, False): "may have copied what it could read: new secrets of the host",
}
"""By whether it is one host's alone, and whether it came."""
_AT_REGISTRATION = {
    "--node-labels": "a node that is registered keeps its labels: `kubectl label node`",
    "--register-with-taints": "a node that is registered keeps its taints: `kubectl taint node`",
}


def restarts(change: Change) -> tuple[str, ...]:
    """The components that restart on the change's hosts: static pods by name, and ``kubelet``."""
    if change.where != "hosts" or change.kind in ("host", "recipient"):
        return ()
    if change.subject == "seal" or (change.kind == "file" and change.subject in ("order", "mode", "policy")):
        return ()
    found: dict[str, None] = {}
    for path in change.paths:
        if pod := _MANIFEST.fullmatch(path):
            if not (change.kind == "file" and change.action != "changed"):
                found[pod[1]] = None
        elif change.policy != "create":
            # certificatesDir is not known here: of two authorities called ca.crt, etcd's is in a folder of its own
            is_authority = path.endswith("/ca.crt") and not path.endswith("/etcd/ca.crt")
            if effects.effect(path, is_authority=is_authority) in effects.RESTARTING:
                found[KUBELET] = None
    return tuple(found)


def _of_hosts(change: Change) -> list[str]:
    said = []
    if change.policy == UNLISTED:
        return ["kcompile did not write it"]
    if change.kind == "host":
        if change.action == "added":
            return ["install its files and start the kubelet"]
        member = "remove its member of etcd where it has one, " if "control-plane" in change.subject else ""
        return [f"drain it, {member}delete its Node"]
    if change.kind == "file" and change.action == "removed":
        said.append(
            "stays on hosts that have it until it is removed there"
            if change.policy == "create"
            else "install.sh removes it where it put it, unless it was changed there"
        )
    if change.kind == "file" and change.subject == "kubelet":
        said.append("another kubelet: drain the node, install the package, uncordon it")
    if change.policy == "create":
        said.append("a host that has the file keeps its own, which the kubelet rotates")
    if change.subject in _AT_REGISTRATION:
        said.append(_AT_REGISTRATION[change.subject])
    if "/etc/kubernetes/pki/sa.key" in change.paths and change.kind == "secret" and not change.subject:
        said.append("service-account tokens are signed by another key")
    return said


def _of_certificates(change: Change) -> list[str]:
    authorities = all(path.endswith("ca.crt") for path in change.paths)
    if authorities or change.subject.startswith("authority: ") or "certificate-authority-data" in change.subject:
        return ["believes another authority: roll out one that is `trusted` first, and let it sign afterwards"]
    return ["reissued"]


def impact(change: Change) -> tuple[str, ...]:
    """What follows from a change, in words."""
    components = [name if name != KUBELET else "the kubelet" for name in restarts(change)]
    said = [f"restarts {', '.join(components)}"] if components else []
    if change.kind == "file" and change.action == "added":
        said += (f"starts {pod[1]}" for path in change.paths if (pod := _MANIFEST.fullmatch(path)))
    if change.subject == "seal":
        return ()
    if change.kind == "certificate":
        said += _of_certificates(change)
    if change.kind == "kubeconfig" or change.subject.startswith("client certificate: "):
        said.append(
            "the kubeconfig is to be handed out again" if change.where == "admin" else "the kubeconfig is replaced"
        )
    if change.subject == DATA_KEY:
        said.append("whether secrets changed as well is to be told only with an identity")
    elif change.kind == "recipient":
        said.append(_OF_RECIPIENTS[change.where == "hosts", change.action == "added"])
    if change.where == "hosts":
        said += _of_hosts(change)
    if change.where == CLUSTER and change.kind != "recipient" and not change.paths[0].endswith(".sh"):
        said.append(
            "stays until it is deleted" if change.kind == "object" and change.action == "removed" else "kubectl apply"
        )
        if change.paths[0].startswith(_WORKLOADS) and change.subject.startswith("spec.template"):
            said.append("rolls the pods")
    return tuple(dict.fromkeys(said))
