"""YAML as the Kubernetes tools write it; kubectl, which writes with the same library as kubeadm, is the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kcompile import yamlfmt

from conftest import run, tool

LONG = " ".join(["word"] * 20)
FOLDED = {
    "plain": (
        LONG,
        b"- word word word word word word word word word word word word word word word word\n  word word word word\n",
    ),
    "single quotes": (
        f"#{LONG}",
        b"- '#word word word word word word word word word word word word word word word word\n"
        b"  word word word word'\n",
    ),
    "double quotes": (
        f"\t{LONG}",
        b'- "\\tword word word word word word word word word word word word word word word word\n'
        b'  word word word word"\n',
    ),
    "no space to fold at": ("x" * 200, b"- " + b"x" * 200 + b"\n"),
    "two spaces are none": ("  ".join(["word"] * 20), b"- " + b"  ".join([b"word"] * 20) + b"\n"),
    "a literal block": (f"{LONG}\n", b"- |\n  " + LONG.encode() + b"\n"),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_is_longer_than_a_line_is_folded(name: str) -> None:
    text, expected = FOLDED[name]
    assert yamlfmt.dump([text]) == expected


KEYS = ["a.b", "a-b", "aB", "ab", "a_b", "a2", "a10", "a1", "v1-x", "v10-x", "B", "9", "a100", "a1000", "10"]
KEYS += ["A", "a/b", "a20"]
"""Whose order is one: go-yaml's comparison has none for some sets of names, as a2, a10, a1b."""


def test_keys_are_in_their_natural_order() -> None:
    assert yamlfmt.dump(dict.fromkeys(["v10", "v9", "B", "a", "v_1", "v1", "a-b", "ab"], 0)) == (
        b"B: 0\na: 0\na-b: 0\nab: 0\nv_1: 0\nv1: 0\nv9: 0\nv10: 0\n"
    )


def test_kubectl_writes_the_same() -> None:
    texts = {f"t{number}": text for number, (text, _) in enumerate(FOLDED.values())}
    texts |= {f"{kind}{n}": f"{kind}{'x' * n} {LONG}" for n in range(60, 90) for kind in ("p", ": ", "\t")}
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "data": texts | dict.fromkeys(KEYS, "1"),
        "kind": "ConfigMap",
        "metadata": {"annotations": {"a": "b"}, "creationTimestamp": None, "name": "c"},
    }
    command = (tool("kubectl"), "annotate", "--local", "-f", "-", "a=b", "-o", "yaml")
    assert yamlfmt.dump(document).decode() == run(*command, input=json.dumps(document))
