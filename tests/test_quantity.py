"""Quantities and patched workloads in the spelling that Go gives them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompile import quantity, workload

CANONICAL = {
    "0": "0",
    "0Ki": "0",
    "-0": "0",
    "0.0m": "0",
    "1": "1",
    "+1": "1",
    "1.": "1",
    ".5": "500m",
    "1.5": "1500m",
    "0.1": "100m",
    "100m": "100m",
    "1000m": "1",
    "2500m": "2500m",
    "10": "10",
    "1000": "1k",
    "1100": "1100",
    "1e3": "1e3",
    "1E3": "1e3",
    "1.5e3": "1500",
    "1e-3": "1e-3",
    "12e6": "12e6",
    "1E": "1E",
    "1Ki": "1Ki",
    "1024": "1024",
    "1024Ki": "1Mi",
    "1024Mi": "1Gi",
    "1536Mi": "1536Mi",
    "1.5Gi": "1536Mi",
    "0.5Ki": "512",
    "1.1Ki": "1126400m",
    "0.5Mi": "512Ki",
    "-2048Mi": "-2Gi",
    "-1.5": "-1500m",
    "1n": "1n",
    "0.1n": "1n",
    "1234567u": "1234567u",
    "9223372036854775807": "9223372036854775807",
    "9223372036854775808": "9223372036854775807",
    "100E": "9223372036854775807",
}


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical(text: str) -> None:
    assert quantity.canonical(text) == CANONICAL[text]


def test_numbers_are_quantities() -> None:
    assert [quantity.canonical(value) for value in (2, 0.5, 0)] == ["2", "500m", "0"]


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "1K", "1ki", "1mi", "ki", ".", "1e", "1e1000", "0x1", "1,5", "١", "1_0", "nan", "--1", True, None],
)
def test_no_quantity(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(str(value)))} is not a quantity$"):
        quantity.canonical(value)


SUFFIXES = {"m": Fraction(1, 1000)} | {suffix: 1000**power for power, suffix in enumerate(["", *"kMGTPE"])}
SUFFIXES |= {f"{suffix}i": 1024**power for power, suffix in enumerate("KMGTPE", 1)}


@given(st.integers(0, 10**7), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_the_canonical_spelling_says_the_same_and_is_stable(number: int, suffix: str) -> None:
    found = quantity.canonical(f"{number}{suffix}")
    digits = re.match(r"\d+", found)
    assert digits is not None
    assert Fraction(digits[0]) * SUFFIXES.get(found[digits.end() :], 0) == number * SUFFIXES[suffix]
    assert quantity.canonical(found) == found


def test_a_patched_pod_as_go_writes_it() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "creationTimestamp": None,
            "name": "p",
            "labels": {"divisor": "", "limits": "x"},
            "annotations": {},
        },
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "command": [],
                    "env": [
                        {"name": "EMPTY", "value": ""},
                        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                    ],
                    "resources": {"limits": {"cpu": 2, "memory": "1024Mi"}, "requests": {}},
                    "livenessProbe": {"httpGet": {"port": 80, "host": ""}, "initialDelaySeconds": 0},
                    "securityContext": {"readOnlyRootFilesystem": False, "capabilities": {"add": [], "drop": ["ALL"]}},
                    "volumeMounts": [{"mountPath": "/a", "name": "v", "readOnly": False}],
                },
                {"name": "sidecar", "image": "x"},
            ],
            "hostNetwork": False,
            "automountServiceAccountToken": False,
            "overhead": {"cpu": 0.25},
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "0.5Gi"}}, {"name": "w", "emptyDir": {}}],
        },
        "status": {},
    }
    assert workload.marshalled(pod) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"creationTimestamp": None, "name": "p", "labels": {"divisor": "", "limits": "x"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "env": [
                        {"name": "EMPTY"},
                        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
                    ],
                    "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
                    "livenessProbe": {"httpGet": {"port": 80}},
                    "securityContext": {"readOnlyRootFilesystem": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"mountPath": "/a", "name": "v"}],
                },
                {"name": "sidecar", "image": "x", "resources": {}},
            ],
            "automountServiceAccountToken": False,
            "overhead": {"cpu": "250m"},
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "512Mi"}}, {"name": "w", "emptyDir": {}}],
        },
        "status": {},
    }
