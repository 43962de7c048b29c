"""Cross-field rules: each a function of the cluster that yields the problems it finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from kcompile import marked
from kcompile.errors import Path, Problem
from kcompile.needs import View, can_speak
from kcompile.rules import access, dates, flags, networking, nodes, patches, settings
from kcompile.spec import Cluster

Rule = Callable[[Cluster], Iterator[Problem]]
RULES: tuple[Rule, ...] = (
    *networking.RULES,
    *nodes.RULES,
    *settings.RULES,
    *access.RULES,
    *flags.RULES,
    *patches.RULES,
    *dates.RULES,
)


def check(cluster: Cluster, now: datetime, data: Any = None, wrong: Collection[Path] = ()) -> Iterator[Problem]:
    """Every problem that the rules find. Only those on dates look at ``now``.

    Where something is ``wrong``, ``data`` are those that the cluster is made of, marked: the paths of problems are
    those of the data, and what goes by something wrong is left out.
    """
    view = View(cluster, data, wrong) if wrong else None
    origins = marked.Origins(data)
    present: list[Rule] = [partial(dated, now=now) for dated in dates.RULES_ON_THE_PRESENT]
    rules: list[Rule] = [*RULES, *present]
    for rule in rules:
        if view is None:
            yield from rule(cluster)
        elif can_speak(rule, wrong):
            for problem in rule(view.seen()):
                told = _counted_with_all(problem, origins)
                if not view.is_blind(told.path):
                    yield told


def _counted_with_all(problem: Problem, origins: marked.Origins) -> Problem:
    """With the path in the data of what the rules counted without that which was left out."""
    path, first = problem.path, problem.first
    there = origins.of(path)
    return replace(
        problem,
        path=(*there, *path[len(there) :]),
        first=origins.of(first) if first is not None else None,
    )
