"""Command-line flags in the order in which kubeadm writes them (``util.ArgumentsToCommand``)."""

from __future__ import annotations

from collections.abc import Mapping

Args = Mapping[str, tuple[str, ...]]
"""Flags with their values; several values repeat the flag."""

GO_TRUE = ("1", "t", "T", "TRUE", "true", "True")
GO_FALSE = ("0", "f", "F", "FALSE", "false", "False")
"""What Go's strconv.ParseBool reads as true and as false."""
DEFAULT_AUTHORIZATION_MODES = "Node,RBAC"
_AUTHORIZATION_MODES = ("Node", "RBAC", "Webhook", "ABAC", "AlwaysAllow", "AlwaysDeny")


def authorization_modes(extra: Args) -> str:
    """The valid ones among the modes asked for, or Node and RBAC when none is (kubeadm's getAuthzModes)."""
    requested = ",".join(extra.get("authorization-mode", ()))
    valid = [mode for mode in requested.split(",") if mode in _AUTHORIZATION_MODES]
    return ",".join(valid) or DEFAULT_AUTHORIZATION_MODES


def arguments(base: Mapping[str, str], extra: Args, *, extra_follow: bool) -> list[str]:
    """``--name=value`` words: the defaults sorted, without those that ``extra`` names, and ``extra``.

    With ``extra_follow`` (kubeadm from 1.35 on) the extra flags come last in their own order; before, all
    were sorted together by name and value.
    """
    defaults = sorted((name, value) for name, value in base.items() if name not in extra)
    own = [(name, value) for name, values in extra.items() for value in values]
    pairs = defaults + own if extra_follow else sorted(defaults + own)
    return [f"--{name}={value}" for name, value in pairs]
