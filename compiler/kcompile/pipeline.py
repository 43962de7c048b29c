"""The stages composed: load, validate, compile, seal, write; and a built tree opened again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kcompile import __version__, load, names, seal, secretsfile, sops, store, validate
from kcompile.artifact import Artifact, TreeFile
from kcompile.emit import (
    addons,
    certificates,
    cluster_objects,
    kubeconfigs,
    kubelet,
    manifests,
    overview,
    scripts,
    static_pods,
)
from kcompile.errors import Path as FieldPath
from kcompile.errors import Position, Problem, SecretsError, Severity, SpecError
from kcompile.hosts import ResolvedCluster, resolve
from kcompile.keyring import Keyring
from kcompile.load import Document
from kcompile.manifest import ClusterSecrets
from kcompile.rules import agreement
from kcompile.spec import Cluster


@dataclass(frozen=True)
class Spec:
    """A spec that was read and is valid."""

    file: str
    content: bytes
    document: Document
    cluster: Cluster
    manifests: Mapping[str, bytes]
    certificates: Mapping[str, bytes]
    """Certificates that an authority elsewhere signed, by leaf."""
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class Built:
    """A tree that was compiled and is to be written."""

    root: Path
    files: list[TreeFile]
    warnings: tuple[Problem, ...]


def read_spec(file: str, now: datetime, without_secrets: Severity | None = None) -> Spec:
    """Load and validate a spec and the manifests that it names. Raises SpecError with every problem.

    Among them, with the severity given, that there is no secrets file.
    """
    content = load.read_file(file)
    document = load.parse(file, content)
    try:
        return _checked(file, content, document, now)
    except SpecError as error:
        if without_secrets is None or not isinstance(document.data, Mapping):
            raise
        raise SpecError([*error.problems, *_missing_secrets(file, without_secrets)]) from None


def _checked(file: str, content: bytes, document: Document, now: datetime) -> Spec:
    cluster, warnings = validate.cluster(document, now)
    found: dict[str, bytes] = {}
    problems = []
    for index, path in enumerate(cluster.spec.manifests):
        place = str(Path(file).parent / path)
        try:
            found[path] = load.read_file(place)
            load.check_manifest(place, found[path])
        except SpecError as error:
            where: FieldPath = ("spec", "manifests", index)
            first = error.problems[0]
            problems.append(Problem(f"{place}: {first.message}", where, first.hint).at(document.position(where)))
    if problems:
        raise SpecError(problems)
    return Spec(file, content, document, cluster, found, secretsfile.signed_elsewhere(file), warnings)


def check_agreement(spec: Spec, cluster: ResolvedCluster, secrets: ClusterSecrets) -> None:
    """The spec and its secrets file must fit together. Raises SpecError or SecretsError."""

    def placed(problems: Iterator[Problem]) -> list[Problem]:
        return [problem.at(spec.document.position(problem.path)) for problem in problems]

    contradictions = placed(agreement.contradictions(cluster, secrets))
    lacking = placed(agreement.lacking(cluster, secrets))
    if contradictions:
        raise SpecError([*contradictions, *lacking])
    if lacking:
        raise SecretsError(lacking)


def compile_cluster(cluster: ResolvedCluster, keyring: Keyring, extra: Mapping[str, bytes]) -> list[Artifact]:
    """Every artifact of a cluster but those that describe the tree itself. A function of its arguments alone."""
    return [
        *certificates.emit(cluster, keyring),
        *kubeconfigs.emit(cluster, keyring),
        *static_pods.emit(cluster, keyring),
        *kubelet.emit(cluster),
        *cluster_objects.emit(cluster, keyring),
        *addons.emit(cluster),
        *manifests.emit(extra),
        *scripts.emit(cluster, keyring),
    ]


@contextmanager
def _placed(spec: Spec) -> Iterator[None]:
    """Give problems that only compiling finds (a patch that does not apply) their place in the spec."""
    try:
        yield
    except SpecError as error:
        raise SpecError([p if p.position else p.at(spec.document.position(p.path)) for p in error.problems]) from None


def _check_patches(spec: Spec, cluster: ResolvedCluster) -> None:
    """Apply every patch, for which no key is needed. Raises SpecError."""
    with _placed(spec):
        for host in cluster.control_plane:
            list(static_pods.documents(cluster, host))
        for host in cluster.hosts:
            kubelet.configuration(cluster, host)
        list(addons.emit(cluster))


def assemble(spec: Spec, opened: secretsfile.Opened, secrets_file: str) -> list[TreeFile]:
    """The whole tree of a cluster: compiled, sealed, indexed and signed."""
    cluster = resolve(spec.cluster)
    secrets = secretsfile.with_certificates(opened.secrets, spec.certificates)
    check_agreement(spec, cluster, secrets)
    keyring = Keyring(cluster, secrets)
    with _placed(spec):
        artifacts = compile_cluster(cluster, keyring, spec.manifests)
    inputs = {"spec": Path(spec.file).name, "secrets": Path(secrets_file).name}
    artifacts += overview.emit(cluster, keyring, inputs, __version__)
    objects = [a.path for a in artifacts if a.path.startswith("cluster/") and not a.path.endswith(".sh")]
    artifacts.append(overview.kustomization(objects))  # emitters yield them in the order of applying
    by_host: dict[str, list[Artifact]] = {host.name: [] for host in cluster.hosts}
    for artifact in artifacts:
        if artifact.host is not None:
            by_host[artifact.host].append(artifact)
    artifacts += (scripts.install_script(cluster, host, by_host[host.name]) for host in cluster.hosts)

    sealer = sops.Sealer(opened.data_key, opened.file.envelopes, spec.cluster.spec.pki.issued_at)
    files: list[TreeFile] = []
    on_host: dict[str, list[tuple[Artifact, TreeFile]]] = {host.name: [] for host in cluster.hosts}
    for artifact in artifacts:
        file = seal.seal(artifact, sealer)
        files.append(file)
        if artifact.host is not None:
            on_host[artifact.host].append((artifact, file))
    files += (seal.seal(overview.host_index(host, on_host[host.name]), sealer) for host in cluster.hosts)
    digests = {
        "spec": {"file": inputs["spec"], "sha256": _digest(spec.content)},
        "secrets": {"file": inputs["secrets"], "sha256": _digest(opened.content)},
        "manifests": {path: _digest(content) for path, content in spec.manifests.items()},
    }
    if spec.certificates:
        digests["certificates"] = {name: _digest(content) for name, content in spec.certificates.items()}
    files.append(seal.seal(overview.tree_manifest(cluster, keyring, digests, __version__, files), sealer))
    return files


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
    hint = f"`kcompile secrets create {file}` makes it once; a build never does"
    opened = secretsfile.open_file(secrets_file, environ, hint)
    files = assemble(spec, opened, secrets_file)
    sealed_for = tuple(envelope.recipient for envelope in opened.file.envelopes)
    return Built(root, files, (*spec.warnings, *_doubts(spec, opened.secrets, sealed_for, now)))


def _doubts(spec: Spec, secrets: ClusterSecrets, sealed_for: tuple[str, ...], now: datetime) -> list[Problem]:
    """Warnings about a spec and its secrets file together."""
    cluster = resolve(spec.cluster)
    all_secrets = secretsfile.with_certificates(secrets, spec.certificates)
    found = [*agreement.recipients(cluster, sealed_for), *agreement.lifetimes(cluster, all_secrets, now)]
    return [problem.at(spec.document.position(problem.path)) for problem in found]


def _missing_secrets(file: str, severity: Severity) -> tuple[Problem, ...]:
    secrets_file = secretsfile.path_for(file)
    if Path(secrets_file).exists():
        return ()
    hint = f"`kcompile secrets create {file}` makes it"
    return (Problem(f"there is no {secrets_file}", hint=hint, severity=severity, position=Position(file, 1, 1)),)


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
        raise SpecError(Problem(message, path, hint).at(spec.document.position(path)))


def validate_file(file: str, now: datetime) -> tuple[Problem, ...]:
    """Check a spec, or a secrets file by its public part, without any key; the warnings. Raises KcompileError."""
    if secretsfile.is_secrets_file(file):
        secretsfile.read(file)
        return ()
    spec = read_spec(file, now, Severity.WARNING)
    if spec.cluster.spec.patches:
        _check_patches(spec, resolve(spec.cluster))
    secrets_file = secretsfile.path_for(file)
    missing = _missing_secrets(file, Severity.WARNING)
    if missing:
        return (*spec.warnings, *missing)
    closed = secretsfile.read(secrets_file)
    check_agreement(spec, resolve(spec.cluster), secretsfile.with_certificates(closed.secrets, spec.certificates))
    return (*spec.warnings, *_doubts(spec, closed.secrets, closed.recipients, now))
