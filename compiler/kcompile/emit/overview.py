"""What describes the tree itself: README.md, kustomization.yaml, host.json and kcompile.json."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kcompile import images, pki, templates, timefmt, yamlfmt
from kcompile.artifact import MANIFEST, SIGNATURE, Artifact, TreeFile
from kcompile.hosts import Host, ResolvedCluster
from kcompile.keyring import Keyring
from kcompile.spec import API_VERSION


def emit(
    cluster: ResolvedCluster, keyring: Keyring, inputs: Mapping[str, Mapping[str, str]], tool_version: str
) -> Iterator[Artifact]:
    """README.md, once every certificate of the tree has been issued. ``inputs`` are the manifest's."""
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
        spec_file=inputs["spec"]["file"],
        secrets_file=inputs["secrets"]["file"],
        inputs=_digests(inputs),
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
        images=[_image(image) for image in images.every(cluster)],
        expiries=_expiries(keyring),
        names=_names(keyring),
        tokens=spec.bootstrap_tokens,
        kubelet_versions=list(dict.fromkeys(host.settings.kubelet_version for host in cluster.hosts)),
    )
    yield Artifact("README.md", content)


def _digests(inputs: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Each input's file and digest."""
    named = [(inputs[role]["file"], inputs[role]["sha256"]) for role in ("spec", "secrets")]
    rest = [(file, digest) for role in ("manifests", "certificates") for file, digest in inputs.get(role, {}).items()]
    return [*named, *rest]


def _image(image: str) -> tuple[str, str, str]:
    """An image's component, version and whole name."""
    name, _, tag = image.rpartition(":")
    return name.rpartition("/")[2], tag, image


def _expiries(keyring: Keyring) -> list[dict[str, Any]]:
    """The leaf certificates of one name that end together, the first to end first."""
    counts: dict[tuple[str, str, str], int] = {}
    for leaf, credential in keyring.issued.items():
        key = (timefmt.format_timestamp(credential.not_after), leaf.authority, leaf.name)
        counts[key] = counts.get(key, 0) + 1
    return [{"until": key[0], "authority": key[1], "name": key[2], "count": counts[key]} for key in sorted(counts)]


def _names(keyring: Keyring) -> list[dict[str, str]]:
    """The names and addresses in serving certificates, by host; certificates of a host that have the same, once."""
    found: dict[tuple[str, str], list[str]] = {}
    for leaf in keyring.issued:
        names = ", ".join((*leaf.request.dns_names, *leaf.request.ip_addresses))
        if names:
            found.setdefault((leaf.host, names), []).append(leaf.name)
    return [{"host": host, "leaves": ", ".join(leaves), "names": names} for (host, names), leaves in found.items()]


def kustomization(paths: Iterable[str]) -> Artifact:
    """cluster/kustomization.yaml, for the tree paths of the cluster's objects in their order."""
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [path.removeprefix("cluster/") for path in paths],
        "sortOptions": {"order": "fifo"},
    }
    return Artifact("cluster/kustomization.yaml", yamlfmt.dump(document))


def _lines(head: Mapping[str, Any], files: Sequence[str]) -> bytes:
    """A JSON object with one line for each file, so that a diff names the files that changed."""

    def fields(values: Mapping[str, Any]) -> list[str]:
        return [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]

    body = [*fields(head), ' "files": [\n' + ",\n".join(files) + "\n ]"]
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


def host_index(cluster: ResolvedCluster, host: Host, files: Iterable[tuple[Artifact, TreeFile]]) -> Artifact:
    """host.json: what belongs on a host, by its path there. Digests are of the files as they stand in the tree."""
    role = "control-plane" if host.is_control_plane else "worker"
    head: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "HostFiles", "name": host.name, "role": role}
    head |= {"addresses": list(host.addresses), "kubeletVersion": host.settings.kubelet_version}
    head["privateDirectories"] = list(cluster.private_directories(host))
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
) -> Iterator[Artifact]:
    """kcompile.json, every file of the tree, and beside it its signature: 64 bytes of Ed25519 in base64."""
    head = {
        "apiVersion": API_VERSION,
        "kind": "TreeManifest",
        "cluster": cluster.name,
        "kcompile": tool_version,
        "kubernetesVersion": cluster.cluster.spec.kubernetes_version,
        "inputs": inputs,
        "signer": keyring.manifest_signer,
    }
    entries = [_entry(file.path, file) for file in sorted(files, key=lambda file: file.path)]
    content = _lines(head, entries)
    yield Artifact(MANIFEST, content)
    yield Artifact(SIGNATURE, base64.b64encode(keyring.sign_manifest(content)) + b"\n")
