"""Cross-field rules: each a function of the cluster that yields the problems it finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kcompile.errors import Problem
from kcompile.rules import dates, networking, nodes, settings
from kcompile.spec import Cluster

_RULES = (*networking.RULES, *nodes.RULES, *settings.RULES)


def check(cluster: Cluster, now: datetime) -> Iterator[Problem]:
    """Every problem that every rule finds. Only the rules on dates look at ``now``."""
    for rule in _RULES:
        yield from rule(cluster)
    yield from dates.validity(cluster)
    yield from dates.present(cluster, now)
