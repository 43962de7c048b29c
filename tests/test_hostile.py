"""Values aimed at paths, shells, unit files, YAML and certificates: refused where they stand, or carried as they are.

Every string of a spec that uses every field is replaced by every hostile text, one at a time. Either validating names
the very place, or the tree is built and the text is found nowhere but as a value.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompile import pipeline
from kcompile.errors import KcompileError, Severity

from conftest import ALICE, ROOT, MakeCluster, Workspace

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CANARY = "pwned-by-a-spec"
HOSTILE = {
    "newline": f"a\n{CANARY}",
    "carriage-return": f"a\r{CANARY}",
    "single-quote": f"a'; touch {CANARY}; '",
    "double-quote": f'a"; touch {CANARY}; "',
    "command": f"$(touch {CANARY})",
    "backtick": f"`touch {CANARY}`",
    "semicolon": f"a;touch {CANARY}",
    "backslash": f"a\\\n{CANARY}\\",
    "parent": f"../../{CANARY}",
    "absolute": f"/{CANARY}",
    "odd-path": f"/a'b\"$(touch {CANARY})`touch {CANARY}` \\",
    "dash": f"-{CANARY}",
    "percent": f"%i %n {CANARY}",
    "template": f"{{{{ {CANARY} }}}}",
    "yaml": f"{{a: b}} # {CANARY}",
    "anchor": f"*{CANARY}",
    "null": f"a\0{CANARY}",
    "escape": f"\x1b]0;{CANARY}\x07",
    "line-separator": f"a\u2028{CANARY}",
    "homoglyph": f"kube-\u0430piserver-{CANARY}",
    "right-to-left": f"\u202e{CANARY}",
    "surrogate-pair": f"\U0001f600{CANARY}",
    "long": CANARY * 100,
}
SPEC: dict[str, Any] = {
    "kubernetesVersion": "v1.36.2",
    "controlPlaneEndpoint": "api.example.com:6443",
    "imageRepository": "registry.k8s.io",
    "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16", "dnsDomain": "cluster.local"},
    "pki": {
        "issuedAt": "2026-11-23T00:00:00Z",
        "certificateValidityPeriod": "8760h",
        "encryptionAlgorithm": "ECDSA-P256",
        "certificatesDir": "/etc/kubernetes/pki",
    },
    "secrets": {"recipients": ["age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37"]},
    "apiServer": {
        "certSANs": ["api.example.com"],
        "extraArgs": {"audit-log-path": "/var/log/audit.log"},
        "extraEnvs": [{"name": "NO_PROXY", "value": "a"}],
        "extraVolumes": [{"name": "audit", "hostPath": "/var/log", "mountPath": "/var/log", "pathType": "Directory"}],
    },
    "etcd": {"local": {"dataDir": "/var/lib/etcd", "imageTag": "3.6.8-0", "serverCertSANs": ["etcd.example.com"]}},
    "dns": {"imageRepository": "registry.example.com", "imageTag": "v1.14.2"},
    "kubelet": {"clusterDomain": "cluster.local", "evictionHard": {"memory.available": "100Mi"}},
    "kubeProxy": {"mode": "ipvs", "ipvs": {"scheduler": "rr"}},
    "featureGates": {},
    "bootstrapTokens": [
        {
            "id": "abcdef",
            "expires": "2999-01-01T00:00:00Z",
            "description": "first",
            "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        }
    ],
    "controlPlane": {
        "nodeRegistration": {"criSocket": "unix:///run/containerd/containerd.sock"},
        "nodes": [{"name": "cp-1", "address": "10.0.0.11"}],
    },
    "nodePools": [
        {
            "name": "general",
            "labels": {"tier": "general"},
            "taints": [{"key": "dedicated", "value": "a", "effect": "NoSchedule"}],
            "nodeRegistration": {"kubeletExtraArgs": {"node-ip": "10.0.1.1"}},
            "nodes": [{"name": "w-1", "address": "10.0.1.1"}],
        }
    ],
    "patches": [
        {
            "target": "kube-scheduler",
            "patch": {"metadata": {"annotations": {"team": "infra"}}},
            "nodes": ["cp-1"],
        }
    ],
}
DOCUMENT = {"apiVersion": "kcompile.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "test"}, "spec": SPEC}
Path_ = tuple[Any, ...]
_KEY = "(key)"
"""Stands before a key that is to be replaced, where else a value is."""


def strings(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every string of a document, and every key that is the user's own."""
    if isinstance(value, dict):
        for key, child in value.items():
            if path[-1:] in (("extraArgs",), ("kubeletExtraArgs",), ("labels",), ("annotations",), ("evictionHard",)):
                yield (*path, _KEY, key)
            yield from strings(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from strings(child, (*path, index))
    elif isinstance(value, str):
        yield path


def replaced(value: Any, path: Path_, text: str) -> Any:
    if not path:
        return text
    head, *rest = path
    if head == _KEY:
        return {text if key == rest[0] else key: child for key, child in value.items()}
    if isinstance(value, list):
        return [replaced(child, tuple(rest), text) if i == head else child for i, child in enumerate(value)]
    return {key: replaced(child, tuple(rest), text) if key == head else child for key, child in value.items()}


PLACES = list(strings(DOCUMENT))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    path = tmp_path_factory.mktemp("hostile")
    (path / "c.yaml").write_text(yaml.safe_dump(DOCUMENT, sort_keys=False))
    made = Workspace(path, "", "", "test")
    assert made.run("secrets", "create", "c.yaml", identity=ALICE).code == 0
    return made


def scalars(value: Any) -> Iterator[str]:
    """Every string in a document, keys too."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield str(key)
            yield from scalars(child)
    elif isinstance(value, list):
        for child in value:
            yield from scalars(child)
    elif isinstance(value, str):
        yield value
        if CANARY in value and "\n" in value:
            with suppress(yaml.YAMLError):
                yield from scalars(yaml.safe_load(value))  # a document in a ConfigMap


_QUOTED = re.compile(r"""'[^']*'(?:"'"'[^']*')*""")


def carried(path: str, content: str, text: str) -> None:
    """A file holds the text only as the value that it is."""
    if path.endswith(".sh"):
        assert subprocess.run(["sh", "-n"], input=content, text=True, check=False).returncode == 0, path
        if shlex.quote(text) != text:
            assert CANARY not in _QUOTED.sub("", content), path  # it stands in quotes, as shlex.quote sets them
    elif path.endswith((".yaml", ".conf")):
        found = [value for document in yaml.safe_load_all(content) for value in scalars(document) if CANARY in value]
        assert found, path
        assert any(text in value for value in found), path
    elif path.endswith(".json"):
        found = [value for value in scalars(json.loads(content)) if CANARY in value]
        assert all(text in value for value in found), path
    elif path.endswith(".env"):
        (line,) = content.splitlines()
        assert not set("$`\\") & set(line)
        assert line.count('"') == 2


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_hostile_values_are_refused_where_they_stand_or_carried(
    place: Path_, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.path)
    environ = {"SOPS_AGE_KEY_FILE": str(ALICE)}
    outcomes = {}
    for name, text in HOSTILE.items():
        document = replaced(DOCUMENT, place, text)
        Path("c.yaml").write_text(json.dumps(document))  # JSON is YAML, and spells every character
        try:
            built = pipeline.build("c.yaml", Path("out"), environ, NOW)
        except KcompileError as error:
            wrong = [problem for problem in error.problems if problem.severity is Severity.ERROR]
            asked = tuple(item for item in place if item != _KEY)
            near = [p for p in wrong if p.path[: len(asked) - 1] == asked[: len(p.path)][: len(asked) - 1]]
            assert near, (name, [(p.path, p.message) for p in wrong])
            assert all(p.position is not None for p in wrong), name
            outcomes[name] = "refused"
            continue
        outcomes[name] = "carried"
        for file in built.files:
            assert not any(part in ("", ".", "..") for part in file.path.split("/")), file.path
            content = file.content.decode("utf-8", "surrogateescape")
            if CANARY in content:
                carried(file.path, content, text)
    assert set(outcomes.values()) <= {"refused", "carried"}
    assert len(outcomes) == len(HOSTILE)


def test_no_canary_was_touched(workspace: Workspace) -> None:
    assert [path for path in (workspace.path, ROOT, Path("/")) for path in path.glob(f"*{CANARY}*")] == []


def test_a_file_whose_name_is_hostile(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    for name in ("-f.yaml", "a b$(touch x).yaml", "new\nline.yaml", "100%.yaml", "\u202ex.yaml"):
        (workspace.path / name).write_text("a: 'b\n")
        result = workspace.run("validate", "--", name)
        assert (result.code, len(result.err.splitlines())) == (2, 4)
        assert "\n" not in result.err.splitlines()[0]
        assert "\u202e" not in result.err
