"""What differs between Kubernetes minors, as data: one module a minor, each stating what it changed.

``v1_28`` is the oldest table and complete; each later one replaces the fields that kubeadm changed. A new
minor is one new module ``v1_<minor>.py`` with a constant ``VERSION``.
"""

from __future__ import annotations

import importlib
import pkgutil

from kcompile.versions.table import Version


def supported_minors() -> tuple[int, ...]:
    """The minors that have a table, oldest first."""
    found = (module.name.removeprefix("v1_") for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(int(name) for name in found if name.isdigit()))


def for_minor(minor: int) -> Version:
    """The table of a supported minor."""
    module = importlib.import_module(f"{__name__}.v1_{minor}")
    version: Version = module.VERSION
    return version
