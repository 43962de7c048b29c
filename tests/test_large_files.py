"""Files that are too large, too deep or too many: an error, within two seconds and 512 MiB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import clean_environment, kcompile

LIMIT = 16 << 20
SECONDS = 2.0
"""Of a machine of its own; what is measured is processor time, with room for one that is shared."""
MIB = 512
HEAD = """\
apiVersion: kcompile.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetesVersion: v1.36.2
  pki: {issuedAt: 2026-11-23T00:00:00Z}
  secrets: {recipients: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}
"""
ONE = HEAD + "  controlPlane: {nodes: [{name: a, address: 10.0.0.1}]}\n"
FILES = {
    "keys": ("".join(f"k{n}: 1\n" for n in range(1_200_000)), "K0114"),
    "a-flow-list": (f"a: [{','.join(['1'] * 8_000_000)}]", "K0114"),
    "a-block-list": ("a:\n" + "- 1\n" * 4_000_000, "K0114"),
    "a-long-value": (f'{ONE}  dns: {{imageTag: "{"x y" * (5 << 20)}"}}\n', "K0323"),
    "a-long-key": (f"{'a' * (LIMIT - 10)}: 1\n", "K0104"),
    "comments": ("# x\n" * (LIMIT // 4 - 1), "K0113"),
    "a-long-number": (f"{ONE}  x: {'9' * (LIMIT - 500)}\n", "K0112"),
    "unknown-fields": (ONE + "".join(f"  unknown{n}: 1\n" for n in range(28_000)), "K0208"),
    "wrong-nodes": (
        f"{HEAD}  controlPlane:\n    nodes:\n"
        + "".join(f"    - {{name: cp_{n}, addres: 10.0.0.300}}\n" for n in range(11_000)),
        "K0208",
    ),
    "equal-nodes": (
        f"{ONE}  nodePools:\n  - name: p\n    nodes:\n" + "    - {name: w, address: 10.0.0.1}\n" * 11_000,
        "K0501",
    ),
    "anchors": ("".join(f"a{n}: &a{n} x\n" for n in range(600_000)), "K0114"),
    "merges": (f"a: &a {{{', '.join(f'k{n}: 1' for n in range(300))}}}\nb:\n" + "- <<: *a\n" * 400, "K0108"),
    "nothing-but-nul": ("\0" * LIMIT, "K0105"),
    "documents": ("---\n" * (LIMIT // 4), "K0114"),
    "wrong-scalars": (
        f"{HEAD}  networking: {{podSubnet: 5, serviceSubnet: 6, dnsDomain: 7}}\n  controlPlane:\n    nodes:\n"
        + "".join(f"    - {{name: {n}, address: 10}}\n" for n in range(450))
        + "  nodePools:\n  - name: p\n    nodes:\n"
        + "".join(f"    - {{name: w{n}, address: 10.1.{n // 250}.{n % 250}}}\n" for n in range(8_000)),
        "K0204",
    ),
    "a-merge-list": (
        f"{ONE}  apiServer:\n    extraArgs:\n      <<:\n"
        + "".join(f"      - {{flag-{n}: {n}}}\n" for n in range(18_000)),
        "K0208",
    ),
    "unknown-nodes": (
        f"{ONE}  nodePools:\n  - name: p\n    nodes:\n"
        + "".join(
            f"    - {{name: worker-{n}, address: 10.{n // 62500}.{n // 250 % 250}.{n % 250 + 2}}}\n"
            for n in range(9_000)
        )
        + f"  patches:\n  - {{target: etcd, patch: {{}}, nodes: [{', '.join(f'wrker-{n}x' for n in range(900))}]}}\n",
        "K0804",
    ),
    "unknown-flags-and-gates": (
        f"{ONE}  apiServer:\n    extraArgs:\n"
        + "".join(f'      flagg-{n}: ""\n' for n in range(400))
        + f"      feature-gates: {','.join(f'Gaate{n}=true' for n in range(5_000))}\n  featureGates:\n"
        + "".join(f"    Gate{n}: true\n" for n in range(400)),
        "K0603",
    ),
    "patches": (
        f"{ONE}  patches:\n" + "  - {target: etcd, patch: {spec: {containers: 5}}}\n" * 5_000,
        "K0801",
    ),
    "keys-twice-on-a-line": (f"{ONE}  kubelet: {{{','.join(['a: 1'] * 29_000)}}}\n", "K0208"),
    "a-spec-on-a-line": (
        json.dumps(
            {
                "apiVersion": "kcompile.dev/v1alpha1",
                "kind": "Cluster",
                "metadata": {"name": "t"},
                "spec": {
                    "nodePools": [
                        {
                            "name": "p",
                            "nodes": [
                                {"name": f"w{n}", "address": f"10.1.{n // 250}.{n % 250}", "labels": {"rack": "a b"}}
                                for n in range(5_000)
                            ],
                        }
                    ]
                },
            }
        ),
        "K0208",
    ),
    "wide-characters": (f'{ONE}  dns: {{imageTag: "{"😀" * 4_000_000}"}}\n', "K0323"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file(name: str, tmp_path: Path) -> None:
    content, code = FILES[name]
    (tmp_path / "f.yaml").write_text(content[: LIMIT - 1])
    with subprocess.Popen(
        [sys.executable, "-m", "kcompile", "validate", "f.yaml"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, f"[{code}]" in said, usage.ru_maxrss >> 10 < MIB) == (2, True, True), said[:300]
    assert usage.ru_utime + usage.ru_stime < 3 * SECONDS


def test_manifests_may_be_larger_than_specs(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(f"{ONE}  manifests: [crds.yaml]\n")
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large, namespace: default}\ndata:\n"
    (tmp_path / "crds.yaml").write_text(head + "".join(f"  k{n}: v\n" for n in range(100_000)))
    assert kcompile("validate", "f.yaml", cwd=tmp_path).code == 0
    (tmp_path / "crds.yaml").write_text(head + "".join(f"  k{n}: v\n" for n in range(150_000)))
    found = kcompile("validate", "f.yaml", cwd=tmp_path)
    assert (found.code, found.err.splitlines()[0]) == (2, "crds.yaml:149998:12: more than 300,000 values [K0114]")
