"""Whom the API server lets in: anonymous requests, and what decides on the others."""

from __future__ import annotations

from collections.abc import Iterator

from kcompile import names
from kcompile.errors import Path, Problem, Severity
from kcompile.flags import GO_FALSE, authorization_modes
from kcompile.spec import Cluster

_ARGS: Path = ("spec", "apiServer", "extraArgs")


def authorization_is_said_once(cluster: Cluster) -> Iterator[Problem]:
    """The API server takes modes or a configuration."""
    args = cluster.spec.api_server.extra_args
    if "authorization-config" in args and "authorization-mode" in args:
        message = "the API server does not take it together with authorization-mode"
        yield Problem("K0616", message, (*_ARGS, "authorization-config"), "keep one of them", at_key=True)


def authorization_config_is_possible(cluster: Cluster) -> Iterator[Problem]:
    """Up to 1.29 kubeadm always writes authorization-mode, also beside a configuration."""
    args = cluster.spec.api_server.extra_args
    minor = names.minor_version(cluster.spec.kubernetes_version)
    if "authorization-config" in args and "authorization-mode" not in args and minor < 30:
        message = f"kubeadm v1.{minor} always sets authorization-mode, which the API server does not take with it"
        hint = "list the modes in authorization-mode"
        yield Problem("K0617", message, (*_ARGS, "authorization-config"), hint, Severity.WARNING, at_key=True)


def authorization_decides(cluster: Cluster) -> Iterator[Problem]:
    """With AlwaysAllow every credential is an administrator's."""
    if "AlwaysAllow" in _modes(cluster):
        message = "AlwaysAllow lets whoever has credentials do everything: every pod, kubelet and bootstrap token"
        yield _of_modes("K0640", message, "leave it out: the default is Node,RBAC")


def authorization_has_its_own(cluster: Cluster) -> Iterator[Problem]:
    """Kubelets have their rights from Node, everything else of a cluster from RBAC."""
    modes = _modes(cluster)
    if modes and modes.isdisjoint(_MAY_GIVE_EVERY_RIGHT):
        for mode in sorted(_RIGHTS.keys() - modes):
            yield _of_modes("K0641", f"without {mode}, {_RIGHTS[mode]} have not the rights they need", f"add {mode}")


def probes_are_answered(cluster: Cluster) -> Iterator[Problem]:
    """The kubelet probes the API server as nobody, and restarts one that refuses it."""
    spec = cluster.spec
    values = spec.api_server.extra_args.get("anonymous-auth", ())
    if any(patch.target == "kube-apiserver" for patch in spec.patches):
        return
    if values and values[-1] in GO_FALSE:
        yield _of_probes("the API server refuses its own probes", "anonymous-auth", "leave it out")
    elif "AlwaysAllow" in _modes(cluster) and "authentication-config" not in spec.api_server.extra_args:
        # ApplyAuthorization, in its pkg/kubeapiserver/options/authentication.go, looks at the flag alone
        message = "with AlwaysAllow the API server turns anonymous-auth off, and refuses its own probes"
        yield _of_probes(message, "authorization-mode", "leave it out: the default is Node,RBAC")


_RIGHTS = {"Node": "kubelets", "RBAC": "the controllers, the scheduler and CoreDNS"}
"""Who has rights by a mode."""
_MAY_GIVE_EVERY_RIGHT = frozenset(("ABAC", "AlwaysAllow", "Webhook"))
"""Modes that give every right, or of which the spec does not say what they give."""


def _modes(cluster: Cluster) -> frozenset[str]:
    """The modes that the spec names; none where it leaves them to kubeadm."""
    args = cluster.spec.api_server.extra_args
    return frozenset(authorization_modes(args).split(",")) if "authorization-mode" in args else frozenset()


def _of_modes(code: str, message: str, hint: str) -> Problem:
    return Problem(code, message, (*_ARGS, "authorization-mode"), hint, Severity.WARNING)


def _of_probes(message: str, flag: str, hint: str) -> Problem:
    consequence = f"{message}, which are anonymous: the kubelet restarts it again and again"
    return Problem("K0639", consequence, (*_ARGS, flag), hint, Severity.WARNING)


RULES = (
    authorization_is_said_once,
    authorization_config_is_possible,
    authorization_decides,
    authorization_has_its_own,
    probes_are_answered,
)
