"""The stages composed: read, compile, seal; and a spec validated as far as no key is needed."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kcompile import __version__, hostkeys, names, seal, secretsfile, sops, spec_and_secrets, store
from kcompile.artifact import Artifact, TreeFile
from kcompile.emit import (
    addons,
    bootstrap,
    certificates,
    cluster_objects,
    etcd_member,
    install,
    join,
    kubeconfigs,
    kubelet,
    kubelet_service,
    manifests,
    overview,
    preflight,
    ready,
    static_pods,
)
from kcompile.errors import Path as FieldPath
from kcompile.errors import Problem, SecretsError, Severity, SpecError, errors_among
from kcompile.hosts import ResolvedCluster, resolve
from kcompile.keyring import Keyring
from kcompile.manifest import ClusterSecrets
from kcompile.reading import Spec, in_order, read_spec


@dataclass(frozen=True)
class Built:
    """A tree that was compiled and is to be written."""

    root: Path
    files: list[TreeFile]
    warnings: tuple[Problem, ...]
    spec: bytes
    """The text of the spec that it was compiled from."""


def compile_cluster(cluster: ResolvedCluster, keyring: Keyring, extra: Mapping[str, bytes]) -> list[Artifact]:
    """Every artifact of a cluster but those that describe the tree itself. A function of its arguments alone."""
    return [
        *certificates.emit(cluster, keyring),
        *kubeconfigs.emit(cluster, keyring),
        *static_pods.emit(cluster, keyring),
        *kubelet.emit(cluster),
        *kubelet_service.emit(cluster),
        *cluster_objects.emit(cluster, keyring),
        *addons.emit(cluster),
        *manifests.emit(extra),
        *preflight.emit(cluster),
        *join.emit(cluster, keyring),
        *etcd_member.emit(cluster),
        *ready.emit(cluster),
        *bootstrap.emit(cluster),
    ]


@contextmanager
def _placed(spec: Spec) -> Iterator[None]:
    """Give problems that only compiling finds (a patch that does not apply) their place in the spec."""
    try:
        yield
    except SpecError as error:
        raise SpecError([p if p.position else p.at(spec.document.position(p.path)) for p in error.problems]) from None


Inputs = Mapping[str, Mapping[str, str]]
"""What a tree was built from, as kcompile.json has it: the digest of each file, by its role."""


def inputs_of(spec: Spec, secrets_file: str, secrets: bytes) -> Inputs:
    """The digests of a spec, of its secrets file, and of what else they name."""
    digests = {
        "spec": {"file": Path(spec.file).name, "sha256": _digest(spec.content)},
        "secrets": {"file": Path(secrets_file).name, "sha256": _digest(secrets)},
        "manifests": {path: _digest(content) for path, content in spec.manifests.items()},
    }
    if spec.certificates:
        digests["certificates"] = {name: _digest(content) for name, content in spec.certificates.items()}
    return digests


def keyring_of(spec: Spec, cluster: ResolvedCluster, secrets: ClusterSecrets, sealed_for: tuple[str, ...]) -> Keyring:
    """The keys and certificates of a cluster. Raises SpecError or SecretsError where the two files do not agree."""
    secrets = secretsfile.with_certificates(secrets, spec.certificates)
    spec_and_secrets.check_agreement(spec, cluster, secrets, sealed_for)
    return Keyring(cluster, secrets)


def sealing(spec: Spec, cluster: ResolvedCluster, opened: secretsfile.Opened) -> Callable[[Artifact], TreeFile]:
    """What seals the artifacts of a cluster: under the data key of their host, or the secrets file's own."""
    issued_at = spec.cluster.spec.pki.issued_at
    common = sops.Sealer(opened.data_key, opened.file.envelopes, issued_at)
    own = {
        entry.node: sops.Sealer(hostkeys.data_key(entry), hostkeys.envelopes(entry), issued_at)
        for entry in hostkeys.of_hosts(cluster, opened.secrets)
    }
    return lambda artifact: seal.seal(artifact, own.get(artifact.host or "", common))


def assemble(
    spec: Spec,
    cluster: ResolvedCluster,
    keyring: Keyring,
    inputs: Inputs,
    sealed: Callable[[Artifact], TreeFile],
    tool_version: str = __version__,
) -> list[TreeFile]:
    """The whole tree of a cluster: compiled, sealed by ``sealed``, indexed and signed."""
    with _placed(spec):
        artifacts = compile_cluster(cluster, keyring, spec.manifests)
    artifacts += overview.emit(cluster, keyring, inputs, tool_version)
    objects = [a.path for a in artifacts if a.path.startswith("cluster/") and not a.path.endswith(".sh")]
    artifacts.append(overview.kustomization(objects))  # emitters yield them in the order of applying
    artifacts.append(bootstrap.script(cluster, keyring, objects))

    files: list[TreeFile] = []
    on_host: dict[str, list[tuple[Artifact, TreeFile]]] = {host.name: [] for host in cluster.hosts}
    for artifact in artifacts:
        file = sealed(artifact)
        files.append(file)
        if artifact.host is not None:
            on_host[artifact.host].append((artifact, file))
    files += (sealed(overview.host_index(cluster, host, on_host[host.name])) for host in cluster.hosts)
    beside = _beside(files)
    files += (
        sealed(install.script(cluster, keyring, host, on_host[host.name], beside[host.name])) for host in cluster.hosts
    )
    files += map(sealed, overview.tree_manifest(cluster, keyring, inputs, tool_version, files))
    return files


def _beside(files: Iterable[TreeFile]) -> dict[str, list[TreeFile]]:
    """By host, the files of its folder that are not for the host itself."""
    found: dict[str, list[TreeFile]] = {}
    for file in files:
        parts = file.path.split("/")
        if len(parts) == 3 and parts[0] == "hosts":
            found.setdefault(parts[1], []).append(file)
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def build(
    file: str,
    out: Path,
    environ: Mapping[str, str],
    now: datetime,
    *,
    allow_version_jump: bool = False,
) -> Built:
    """Compile a spec, for ``out/<cluster>``. Raises KcompileError."""
    spec = read_spec(file, now, Severity.ERROR)
    root = out / spec.cluster.metadata.name
    if not allow_version_jump:
        _check_version_step(spec, root)
    secrets_file = secretsfile.path_for(file)
    hint = f"`kcompile secrets create {shlex.quote(file)}` makes it once; a build never does"
    opened = secretsfile.open_file(secrets_file, environ, hint)
    cluster = resolve(spec.cluster)
    keyring = keyring_of(spec, cluster, opened.secrets, opened.recipients)
    inputs = inputs_of(spec, secrets_file, opened.content)
    files = assemble(spec, cluster, keyring, inputs, sealing(spec, cluster, opened))
    warnings = (*spec.warnings, *spec_and_secrets.doubts(spec, opened.secrets, opened.recipients, now))
    return Built(root, files, warnings, spec.content)


def _check_version_step(spec: Spec, root: Path) -> None:
    """Kubernetes is upgraded one minor at a time, and not downgraded. Raises SpecError."""
    standing = store.standing_version(root)
    try:
        before = names.minor_version(names.kubernetes_version(standing)) if standing else None
    except names.Invalid:
        return
    after = names.minor_version(spec.cluster.spec.kubernetes_version)
    if before is not None and not before <= after <= before + 1:
        path: FieldPath = ("spec", "kubernetesVersion")
        if after < before:
            message = f"the tree at {root} is for {standing}: a control plane does not go back to an older minor"
            hint = "pass --allow-version-jump for a cluster that does not run yet"
        else:
            message = f"the tree at {root} is for {standing}: Kubernetes goes up one minor at a time"
            hint = "build the minor between first, or pass --allow-version-jump for a cluster that does not run yet"
        raise SpecError(Problem("K0630", message, path, hint).at(spec.document.position(path)))


def validate_file(file: str, now: datetime) -> tuple[Problem, ...]:
    """Check a spec, or a secrets file by its public part, without any key; the warnings. Raises KcompileError."""
    if secretsfile.is_secrets_file(file):
        secretsfile.read(file)
        return ()
    spec = read_spec(file, now, Severity.WARNING)
    missing = secretsfile.faults(file, Severity.WARNING)
    if missing:
        problems = [*in_order(file, spec.warnings), *missing]
        if errors_among(missing):
            raise SpecError(problems)
        return tuple(problems)
    closed = secretsfile.read(secretsfile.path_for(file))
    try:
        secrets = secretsfile.with_certificates(closed.secrets, spec.certificates)
        spec_and_secrets.check_agreement(spec, resolve(spec.cluster), secrets, closed.recipients)
    except (SpecError, SecretsError) as error:
        raise type(error)(in_order(file, [*spec.warnings, *error.problems])) from None
    doubts = spec_and_secrets.doubts(spec, closed.secrets, closed.recipients, now)
    return tuple(in_order(file, [*spec.warnings, *doubts]))
