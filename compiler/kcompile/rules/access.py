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
    """With AlwaysAllow every request is an administrator's."""
    if "AlwaysAllow" in _modes(cluster):
        message = "AlwaysAllow lets whoever reaches the API server do everything, also without credentials"
        yield _of_modes("K0640", message, "leave it out: the default is Node,RBAC")


def authorization_has_its_own(cluster: Cluster) -> Iterator[Problem]:
    """Kubelets have their rights from Node, everything else of a cluster from RBAC."""
    modes = _modes(cluster)
    if modes and modes.isdisjoint(_MAY_GIVE_EVERY_RIGHT):
        for mode in sorted(_RIGHTS.keys() - modes):
            yield _of_modes("K0641", f"without {mode}, {_RIGHTS[mode]} have no rights", f"add {mode}")


def probes_are_answered(cluster: Cluster) -> Iterator[Problem]:
    """The kubelet probes the API server as nobody, and restarts one that refuses it."""
    spec = cluster.spec
    values = spec.api_server.extra_args.get("anonymous-auth", ())
    if not values or values[-1] not in GO_FALSE or any(patch.target == "kube-apiserver" for patch in spec.patches):
        return
    message = "the API server refuses its own probes, which are anonymous, and is restarted again and again"
    hint = "leave it out"
    if names.minor_version(spec.kubernetes_version) >= _ENDPOINTS_FOR_ANYBODY:
        hint += ", or have an authentication-config let anonymous requests reach /livez, /readyz and /healthz alone"
    yield Problem("K0639", message, (*_ARGS, "anonymous-auth"), hint, Severity.WARNING)


_RIGHTS = {"Node": "kubelets", "RBAC": "the controllers, the scheduler, CoreDNS and administrators"}
"""Whose rights come from a mode."""
_MAY_GIVE_EVERY_RIGHT = frozenset(("ABAC", "AlwaysAllow", "Webhook"))
"""Modes of which the spec does not say what they let through."""
_ENDPOINTS_FOR_ANYBODY = 32
"""The minor from which AnonymousAuthConfigurableEndpoints is on by default."""


def _modes(cluster: Cluster) -> frozenset[str]:
    """The modes that the spec names; none where it leaves them to kubeadm."""
    args = cluster.spec.api_server.extra_args
    return frozenset(authorization_modes(args).split(",")) if "authorization-mode" in args else frozenset()


def _of_modes(code: str, message: str, hint: str) -> Problem:
    return Problem(code, message, (*_ARGS, "authorization-mode"), hint, Severity.WARNING)


RULES = (
    authorization_is_said_once,
    authorization_config_is_possible,
    authorization_decides,
    authorization_has_its_own,
    probes_are_answered,
)
