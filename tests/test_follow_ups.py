"""One cause, one problem: what is malformed is told, and nothing that would only follow from it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcompile import load, validate
from kcompile.errors import Path as FieldPath
from kcompile.errors import Problem

from conftest import ROOT

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPECS = sorted([*(ROOT / "clusters").glob("*[!s].yaml"), *(ROOT / "tests" / "problems").glob("K0[4-8]??.yaml")])
MALFORMED = ({"?": 1}, "\0", 0.5)
"""What no field can be: of the wrong type, or a text that no grammar allows."""


def problems(data: Any) -> tuple[Problem, ...]:
    return validate.examined(load.parse("f.yaml", json.dumps(data).encode()), NOW).problems


def places(data: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """The path of every value in a document."""
    for item, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, item)
        yield from places(value, (*path, item))


def at(data: Any, path: FieldPath) -> Any:
    for item in path:
        data = data[item]
    return data


def replaced(data: Any, path: FieldPath, value: Any) -> Any:
    result = place = copy.deepcopy(data)
    for item in path[:-1]:
        place = place[item]
    place[path[-1]] = value
    return result


def misspelled(data: Any, path: FieldPath) -> Any:
    """The data with another key in a key's place, at which the same stands."""
    result = place = copy.deepcopy(data)
    for item in path[:-1]:
        place = place[item]
    entries = [(f"{key}x" if key == path[-1] else key, value) for key, value in place.items()]
    place.clear()
    place.update(entries)
    return result


def of_the_file(file: Path) -> Any:
    return json.loads(json.dumps(load.parse(str(file), file.read_bytes()).data))


def new(before: set[tuple[str, FieldPath]], data: Any, broken: list[FieldPath]) -> list[tuple[str, FieldPath, str]]:
    """What is wrong with the data only since something in them was broken, but for that itself."""
    return [
        (problem.code, problem.path, problem.message)
        for problem in problems(data)
        if (problem.code, problem.path) not in before and not any(problem.path[: len(path)] == path for path in broken)
    ]


def told(data: Any) -> set[tuple[str, FieldPath]]:
    return {(problem.code, problem.path) for problem in problems(data)}


FREE = {"extraArgs", "kubeletExtraArgs", "labels", "kubelet", "kubeProxy", "featureGates", "patch", "valueFrom"}
"""Below them keys are what a user calls them."""


@pytest.mark.parametrize("file", SPECS, ids=lambda file: str(file.name))
def test_a_malformed_value_is_told_and_nothing_else(file: Path) -> None:
    data = of_the_file(file)
    before = told(data)
    follow = [
        (path, value, *found)
        for path in places(data)
        for value in MALFORMED
        if not (isinstance(value, dict) and isinstance(at(data, path), dict))  # of the right type, and empty
        for found in new(before, replaced(data, path, value), [path])
    ]
    assert follow == []


@pytest.mark.parametrize("file", SPECS, ids=lambda file: str(file.name))
def test_a_misspelled_key_is_told_and_nothing_else(file: Path) -> None:
    data = of_the_file(file)
    before = told(data)
    follow = [
        (path, *found)
        for path in places(data)
        if isinstance(path[-1], str) and not FREE.intersection(path[:-1])
        for found in new(before, misspelled(data, path), [path, (*path[:-1], f"{path[-1]}x")])
    ]
    assert follow == []


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_of_several_faults_each_is_told_and_nothing_else(draw: st.DataObject) -> None:
    data = of_the_file(draw.draw(st.sampled_from(SPECS)))
    before = told(data)
    broken: list[FieldPath] = []
    for _ in range(draw.draw(st.integers(2, 4))):
        path = draw.draw(st.sampled_from([path for path in places(data) if not any(overlap(path, b) for b in broken)]))
        if isinstance(path[-1], str) and not FREE.intersection(path[:-1]) and draw.draw(st.booleans()):
            data = misspelled(data, path)
            broken += [path, (*path[:-1], f"{path[-1]}x")]
        else:
            value = draw.draw(st.sampled_from(MALFORMED[1:]))
            data = replaced(data, path, value)
            broken.append(path)
    assert new(before, data, broken) == []


def overlap(one: FieldPath, other: FieldPath) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one


def test_a_misspelled_field_is_told_and_not_what_follows_from_its_default() -> None:
    data = load.parse("f.yaml", (ROOT / "tests/problems/K0410.yaml").read_bytes()).data
    data["spec"]["networking"] = {"podSubnt": "fd00:10::/56", "serviceSubnt": "fd00:20::/108"}
    data["spec"]["controlPlane"]["nodes"][0]["address"] = "fd00::11"
    assert [(problem.code, problem.path[2:]) for problem in problems(data)] == [
        ("K0201", ("podSubnt",)),
        ("K0201", ("serviceSubnt",)),
    ]


def test_a_rule_is_looked_at_although_only_what_has_a_stand_in_is_wrong() -> None:
    data = of_the_file(ROOT / "tests/problems/K0401.yaml")
    before = told(data)
    data["metadata"]["name"] = "PROD"
    assert told(data) == {("K0301", ("metadata", "name")), *before}
    assert ("K0401", ("spec", "networking", "serviceSubnet")) in before
