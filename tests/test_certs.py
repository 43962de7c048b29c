"""What ends when, from git alone: openssl reads the same ends, and no key is at hand."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from kcompile import expiry
from kcompile.report import expiry as report

from conftest import ALL_EXAMPLES, ROOT, MakeCluster, kcompile, run, succeed, tool

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def listed(*args: str, cwd: Path = ROOT) -> list[dict[str, object]]:
    """What certs lists, without any identity."""
    result = succeed(kcompile("certs", *args, "--format", "json", cwd=cwd, identity=None))
    found: list[dict[str, object]] = json.loads(result.out)["expiry"]
    return found


@pytest.mark.parametrize("name", ALL_EXAMPLES)
def test_every_certificate_file_is_listed_with_the_end_that_openssl_reads(name: str) -> None:
    tree = ROOT / "out" / name
    wanted = {}
    for path in sorted(tree.rglob("*.crt")):
        text = run(tool("openssl"), "x509", "-noout", "-enddate", "-ext", "basicConstraints", "-in", path)
        ends = re.search(r"notAfter=(.*) GMT", text)
        assert ends is not None
        if "CA:TRUE" not in text:
            host, _, below = str(path.relative_to(tree / "hosts")).partition("/rootfs")
            wanted[host, below] = datetime.strptime(f"{ends[1]} +0000", "%b %d %H:%M:%S %Y %z").strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
    found = {
        (e["host"], e["name"]): e["ends"] for e in listed(f"clusters/{name}.yaml") if str(e["name"]).endswith("crt")
    }
    assert found == wanted
    assert wanted


def test_kubeconfigs_kubelets_authorities_and_tokens_are_listed() -> None:
    found = listed("clusters/prod.yaml", "clusters/prod.secrets.yaml")
    others = sorted(f"{e['kind']} {e['host'] or ''}{e['name']}" for e in found if not str(e["name"]).endswith("crt"))
    pem = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    assert others == sorted(
        [
            *(f"authority {name} (active)" for name in ("kubernetes", "etcd", "front-proxy")),
            *("certificate admin/admin.conf", "certificate admin/super-admin.conf", "token pool01"),
            *(
                f"certificate cp-{n}/etc/kubernetes/{name}.conf"
                for n in (1, 2, 3)
                for name in ("admin", "controller-manager", "scheduler")
            ),
            "certificate cp-1/etc/kubernetes/super-admin.conf",
            *(f"certificate {host}{pem}" for host in ("cp-1", "cp-2", "cp-3", "s-1", "s-2")),
        ]
    )
    ends = [str(entry["ends"]) for entry in found]
    assert ends == sorted(ends)


DAY = timedelta(days=1)
FOUND = (
    expiry.Expiry(NOW - DAY, "token", "abcdef"),
    *(expiry.Expiry(NOW + 29 * DAY, "certificate", "/etc/x.crt", f"w-{n}") for n in range(1, 8)),
    expiry.Expiry(NOW + 30 * DAY, "authority", "etcd (active)"),
    expiry.Expiry(None, "token", "ghijkl"),
)


def test_the_table() -> None:
    assert report.as_text({"prod": FOUND}, NOW, 30).splitlines() == [
        "ENDS                  DAYS  PROD                     HOSTS",
        "2026-11-23T00:00:00Z  -1 !  token abcdef",
        "2026-12-23T00:00:00Z  29 !  certificate /etc/x.crt   w-1, w-2, w-3, w-4, w-5 and 2 more",
        "2026-12-24T00:00:00Z    30  authority etcd (active)",
        "never                       token ghijkl",
    ]


def test_prometheus_reads_the_textfile(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    workspace.build()
    out = succeed(workspace.run("certs", "c.yaml", "--format", "prometheus", identity=None)).out
    (family,) = text_string_to_metric_families(out)
    assert (family.name, family.type) == ("kcompile_expiry_timestamp_seconds", "gauge")
    entries = listed("c.yaml", cwd=workspace.path)
    samples = [
        (sample.labels.get("cluster"), sample.labels.get("host"), sample.labels["name"], sample.value)
        for sample in family.samples
    ]
    assert samples == [
        (e["cluster"], e["host"], e["name"], datetime.fromisoformat(str(e["ends"])).timestamp()) for e in entries
    ]


def test_min_days_decides_the_exit_status(make_cluster: MakeCluster) -> None:
    issued = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
    workspace = make_cluster(
        pki={"issuedAt": issued, "certificateValidityPeriod": "480h", "encryptionAlgorithm": "ECDSA-P256"}
    )
    workspace.build()
    codes = {days: workspace.run("certs", "c.yaml", "--min-days", days, identity=None).code for days in ("10", "30")}
    assert codes == {"10": 0, "30": 1}


def test_what_is_not_there_or_was_changed_is_said(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    missing = workspace.run("certs", "c.yaml", identity=None)
    assert (missing.code, missing.out, missing.err) == (
        2,
        "",
        "out/test/kcompile.json:1:1: cannot read the file: No such file or directory [K1004]\n"
        "   hint: name a tree that kcompile built, such as out/prod\n",
    )
    workspace.build()
    path = "hosts/cp-1/rootfs/etc/kubernetes/pki/apiserver.crt"
    (workspace.tree / path).write_text("x")
    changed = workspace.run("certs", "c.yaml", identity=None)
    assert (changed.code, changed.err.splitlines()[0]) == (
        2,
        f"out/test/{path}:1:1: was changed after it was built: its digest is not the one in kcompile.json [K1007]",
    )
    manifest = json.loads((workspace.tree / "kcompile.json").read_text())
    entry = next(file for file in manifest["files"] if file["path"] == path)
    entry["sha256"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of x
    (workspace.tree / "kcompile.json").write_text(json.dumps(manifest))
    forged = workspace.run("certs", "c.yaml", identity=None)
    assert (forged.code, forged.err) == (2, f"out/test/{path}:1:1: holds no certificate that can be read [K1015]\n")


def test_a_tree_that_was_not_built_again_is_listed_as_it_stands(make_cluster: MakeCluster, tmp_path: Path) -> None:
    workspace = make_cluster()
    workspace.build()
    shutil.copytree(workspace.tree, tmp_path / "before")
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["pki"]["issuedAt"] = "2027-01-01T00:00:00Z"
    workspace.write_spec(document)
    (apiserver,) = (e for e in listed("c.yaml", cwd=workspace.path) if str(e["name"]).endswith("/apiserver.crt"))
    assert apiserver["ends"] == "2027-11-23T00:05:00Z"
