"""What describes the tree itself: README.md, kustomization.yaml, host.json and kcompile.json."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kcompile import images, pki, templates, timefmt, yamlfmt
from kcompile.artifact import Artifact, TreeFile
from kcompile.hosts import Host, ResolvedCluster
from kcompile.keyring import Keyring
from kcompile.spec import API_VERSION

MANIFEST = "kcompile.json"


def emit(
    cluster: ResolvedCluster, keyring: Keyring, inputs: Mapping[str, str], tool_version: str
) -> Iterator[Artifact]:
    """README.md, once every certificate of the tree has been issued. ``inputs`` are file names by role."""
    spec = cluster.cluster.spec
    leaves: dict[str, list[str]] = {}
    for leaf in keyring.issued:
        leaves.setdefault(leaf.authority, [])
        if leaf.name not in leaves[leaf.authority]:
            leaves[leaf.authority].append(leaf.name)
    authorities = [
        {
            "id": row.name.replace("-", ""),
            "common_name": certificate.subject.rfc4514_string().removeprefix("CN="),
            "hash": pki.public_key_hash(certificate),
            "not_after": timefmt.format_timestamp(certificate.not_valid_after_utc),
            "leaves": sorted(leaves.get(row.name, ())) if index == 0 else [],
        }
        for row in pki.AUTHORITIES
        if row.name != "etcd" or cluster.has_local_etcd
        for index, certificate in enumerate(keyring.certificates(row.name))
    ]
    content = templates.render(
        "README.md",
        name=cluster.name,
        tool_version=tool_version,
        spec_file=inputs["spec"],
        secrets_file=inputs["secrets"],
        kubernetes_version=spec.kubernetes_version,
        endpoint=cluster.endpoint,
        pod_subnet=spec.networking.pod_subnet,
        service_subnet=spec.networking.service_subnet,
        dns_address=cluster.dns_address,
        algorithm=spec.key_algorithm,
        issued_at=spec.pki.issued_at,
        first_expiry=timefmt.format_timestamp(min(c.not_after for c in keyring.issued.values())),
        control_plane=cluster.control_plane,
        pools=[{"name": p.name, "count": len(p.nodes), "credentials": p.credentials} for p in spec.node_pools],
        authorities=authorities,
        images=images.every(cluster),
    )
    yield Artifact("README.md", content)


def kustomization(paths: Iterable[str]) -> Artifact:
    """cluster/kustomization.yaml, for the tree paths of the cluster's objects in their order."""
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [path.removeprefix("cluster/") for path in paths],
        "sortOptions": {"order": "fifo"},
    }
    return Artifact("cluster/kustomization.yaml", yamlfmt.dump(document))


def _lines(head: Mapping[str, Any], files: Sequence[str], tail: Mapping[str, Any] | None = None) -> bytes:
    """A JSON object with one line for each file, so that a diff names the files that changed."""

    def fields(values: Mapping[str, Any]) -> list[str]:
        return [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]

    body = [*fields(head), ' "files": [\n' + ",\n".join(files) + "\n ]", *fields(tail or {})]
    return ("{\n" + ",\n".join(body) + "\n}\n").encode()


_quoted = json.JSONEncoder().encode
"""json.dumps without its overhead, for ten thousand paths."""


def _entry(path: str, file: TreeFile, sops_type: str | None = None) -> str:
    more = f', "sops": "{sops_type}"' if sops_type else ""
    more += f', "target": {_quoted(file.target)}' if file.target else ""
    return (
        f'  {{"path": {_quoted(path)}, "sha256": "{file.sha256}", "mode": "{file.mode:04o}", '
        f'"owner": "root:root", "policy": "{file.policy.value}"{more}}}'
    )


def host_index(host: Host, files: Iterable[tuple[Artifact, TreeFile]]) -> Artifact:
    """host.json: what belongs on a host, by its path there. Digests are of the files as they stand in the tree."""
    role = "control-plane" if host.is_control_plane else "worker"
    head = {"apiVersion": API_VERSION, "kind": "HostFiles", "name": host.name, "role": role}
    entries = [
        _entry(artifact.path, file, artifact.sops_type)
        for artifact, file in sorted(files, key=lambda pair: pair[0].path)
    ]
    return Artifact(f"hosts/{host.name}/host.json", _lines(head, entries))


def tree_manifest(
    cluster: ResolvedCluster,
    keyring: Keyring,
    inputs: Mapping[str, Mapping[str, str]],
    tool_version: str,
    files: Iterable[TreeFile],
) -> Artifact:
    """kcompile.json: every file of the tree, signed. The signature is over the file without its signature field."""
    head = {
        "apiVersion": API_VERSION,
        "kind": "TreeManifest",
        "cluster": cluster.name,
        "kcompile": tool_version,
        "kubernetesVersion": cluster.cluster.spec.kubernetes_version,
        "inputs": inputs,
    }
    entries = [_entry(file.path, file) for file in sorted(files, key=lambda file: file.path)]
    public_key, signature = keyring.sign_manifest(_lines(head, entries))
    tail = {"signature": {"publicKey": public_key, "ed25519": base64.b64encode(signature).decode()}}
    return Artifact(MANIFEST, _lines(head, entries, tail))
