"""The stages composed: load, validate, compile, seal, write; and a built tree opened again."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kcompile import (
    __version__,
    extra_objects,
    hostkeys,
    load,
    names,
    own_objects,
    pki,
    seal,
    secretsfile,
    sops,
    store,
    validate,
)
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
from kcompile.errors import Position, Problem, SecretsError, Severity, SpecError, gathered
from kcompile.hosts import Host, ResolvedCluster, resolve
from kcompile.keyring import Keyring
from kcompile.load import Document
from kcompile.manifest import ClusterSecrets
from kcompile.needs import can_speak, needs
from kcompile.rules import agreement
from kcompile.secret import Sealed
from kcompile.spec import Cluster
from kcompile.validate import Checked


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
    spec: bytes
    """The text of the spec that it was compiled from."""


def files_read(file: str) -> tuple[Path, ...]:
    """What a build of a spec reads: files, and a directory. Of a spec that is not valid, as much as it still names."""
    try:
        data = load.parse(file, load.read_file(file)).data
    except SpecError:
        data = None
    spec = data.get("spec") if isinstance(data, Mapping) else None
    manifests = spec.get("manifests") if isinstance(spec, Mapping) else None
    named = [name for name in manifests if isinstance(name, str)] if isinstance(manifests, tuple) else []
    beside = (Path(secretsfile.path_for(file)), secretsfile.certificates_directory(file))
    return (Path(file), *beside, *(Path(file).parent / name for name in named))


def read_spec(file: str, now: datetime, without_secrets: Severity | None = None) -> Spec:
    """Load and validate a spec and the manifests and patches in it. Raises SpecError with every problem.

    ``without_secrets`` is how bad it is that there is no secrets file, if that is one.
    """
    content = load.read_file(file)
    document = load.parse(file, content)
    validate.refuse_secrets(document)
    checked = validate.examined(document, now)
    problems = list(checked.problems)
    found: dict[str, bytes] = {}
    if checked.cluster is not None:
        wrong = {*checked.wrong, *(problem.path for problem in _errors(problems))}
        problems += _manifests(document, checked, checked.cluster, found, wrong)
        problems += _patches(document, checked, checked.cluster, {*checked.wrong, *(p.path for p in _errors(problems))})
    if checked.cluster is None or _errors(problems):
        problems = _in_order(file, problems)
        if without_secrets is not None and isinstance(document.data, Mapping):
            problems += _of_the_secrets_file(file, without_secrets)
        raise SpecError(problems)
    return Spec(file, content, document, checked.cluster, found, secretsfile.signed_elsewhere(file), tuple(problems))


def _errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _in_order(file: str, problems: Iterable[Problem]) -> list[Problem]:
    """A spec's own problems from its top to its end, then those of other files."""

    def place(problem: Problem) -> tuple[bool, str, int, int]:
        at = problem.position or Position(file, 1, 1)
        return at.file != file, at.file, at.line, at.column

    return sorted(problems, key=place)


@needs("spec.kubernetesVersion", "spec.dns.disabled", "spec.proxy.disabled")
def _compiled(cluster: Cluster) -> set[own_objects.Identity]:
    return own_objects.compiled(cluster)


def _manifests(
    document: Document, checked: Checked, cluster: Cluster, found: dict[str, bytes], wrong: Collection[FieldPath]
) -> Iterator[Problem]:
    """What is wrong with the files of manifests, which are read."""
    seen = dict.fromkeys(_compiled(cluster), "compiled") if can_speak(_compiled, wrong) else {}
    named: set[str] = set()
    for index, path in enumerate(cluster.spec.manifests):
        if path in named:  # a rule says so
            continue
        named.add(path)
        place = str(Path(document.file).parent / path)
        where = checked.in_document(("spec", "manifests", index))
        try:
            found[path] = load.read_file(place)
        except SpecError as error:
            (fault,) = error.problems
            message = f"{place}: {fault.message}"
            yield Problem(fault.code, message, where, fault.hint).at(document.position(where))
            continue
        try:
            yield from extra_objects.check(place, found[path], cluster, seen, wrong)
        except SpecError as error:
            yield from error.problems


def check_agreement(spec: Spec, cluster: ResolvedCluster, secrets: ClusterSecrets, sealed_for: tuple[str, ...]) -> None:
    """The spec and its secrets file, which is sealed for those, must fit together. Raises SpecError or SecretsError."""

    def found(rules: Iterable[agreement.Rule]) -> list[Problem]:
        problems = (problem for rule in rules for problem in rule(cluster, secrets))
        return [_where_it_is(spec, problem) for problem in problems]

    contradictions = found(agreement.CONTRADICTIONS)
    lacking = [*_recipients(spec, cluster, sealed_for), *found(agreement.LACKS), *_against_requests(spec, secrets)]
    if contradictions:
        raise SpecError([*contradictions, *lacking])
    if lacking:
        raise SecretsError(lacking)


def check_update(spec: Spec, cluster: ResolvedCluster, opened: secretsfile.Opened) -> None:
    """What has to be right before a secrets file is updated: whose it is, and, for hosts' keys, who can open it.

    Raises SpecError or SecretsError.
    """
    if other := list(agreement.clusters_are_the_same(cluster, opened.secrets)):
        raise SpecError([problem.at(spec.document.position(problem.path)) for problem in other])
    if problems := _recipients(spec, cluster, opened.recipients):
        raise SecretsError(problems)


def _recipients(spec: Spec, cluster: ResolvedCluster, sealed_for: tuple[str, ...]) -> list[Problem]:
    found = _errors(agreement.recipients_agree(cluster, sealed_for))
    return [problem.at(spec.document.position(problem.path)) for problem in found]


def _against_requests(spec: Spec, secrets: ClusterSecrets) -> Iterator[Problem]:
    """Certificates that are not of the key of the request beside them, where their own key cannot be looked at."""
    sealed = {entry.name for entry in secrets.leaf_keys if isinstance(entry.key, Sealed)}
    for name in sorted(sealed & set(spec.certificates)):
        path = secretsfile.certificates_directory(spec.file) / f"{name}.csr"
        if not path.exists():
            continue
        try:
            request = pki.load_request(load.read_file(str(path)))
            certificate = pki.load_certificate(spec.certificates[name].decode("utf-8", "replace"))
        except ValueError:  # of the certificate that is told already, and a request is written anew
            continue
        if not pki.same_public_key(request.public_key(), certificate.public_key()):
            hint = f"have {path} signed again, or write it anew with `kcompile csr SPEC`"
            message = "the certificate does not belong to the key of the request beside it"
            yield _where_it_is(spec, Problem("K0917", message, (agreement.CERTIFICATE, name), hint))


def _where_it_is(spec: Spec, problem: Problem) -> Problem:
    """A problem of a spec and what goes with it, at its place in the spec or in a certificate beside it."""
    hint = problem.hint and problem.hint.replace("SPEC", shlex.quote(spec.file))
    if problem.path[0] != agreement.CERTIFICATE:
        return replace(problem, hint=hint, position=spec.document.position(problem.path))
    name = str(problem.path[1])
    place = secretsfile.certificates_directory(spec.file) / f"{name}.crt"
    # what sops keeps in the secrets file, beside the key, has no file of its own
    file = str(place) if name in spec.certificates else secretsfile.path_for(spec.file)
    return replace(problem, path=(), hint=hint, position=Position(file, 1, 1))


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


@needs(
    "spec.kubernetesVersion",
    "spec.networking.podSubnet",
    "spec.networking.serviceSubnet",
    "spec.controlPlane.nodes[].address",
    "spec.nodePools[].nodes[].address",
)
def _patches(document: Document, checked: Checked, cluster: Cluster, wrong: Collection[FieldPath]) -> Iterator[Problem]:
    """What is wrong with the patches: each is applied, for which no key is needed."""
    places = [checked.in_document(("spec", "patches", index)) for index in range(len(cluster.spec.patches))]
    left = [index for index, place in enumerate(places) if not any(path[:3] == place for path in wrong)]
    if not left or not can_speak(_patches, wrong):
        return
    some = cluster.spec.model_copy(update={"patches": tuple(cluster.spec.patches[index] for index in left)})
    told: set[FieldPath] = set()
    for problem in _of_patched(resolve(cluster.model_copy(update={"spec": some}))):
        _, _, number, *rest = problem.path
        path: FieldPath = (*places[left[int(number)]], *rest)
        if path[:3] not in told:  # of a patch for many nodes, the first of them
            told.add(path[:3])
            yield replace(problem, path=path, position=document.position(path))


def _of_patched(cluster: ResolvedCluster) -> list[Problem]:
    """What is wrong with what patches change: each kind of object of each kind of host is compiled once."""
    problems: list[Problem] = []
    for host in cluster.control_plane:
        with gathered(problems):
            list(static_pods.documents(cluster, host))
    first: dict[object, Host] = {}
    for host, alike in kubelet.configured_alike(cluster):
        first.setdefault(alike, host)
    for host in first.values():
        with gathered(problems):
            kubelet.configuration(cluster, host)
    with gathered(problems):
        list(addons.emit(cluster))
    return problems


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
    check_agreement(spec, cluster, secrets, sealed_for)
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
    artifacts.append(bootstrap.script(cluster, objects))

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
    warnings = (*spec.warnings, *_doubts(spec, opened.secrets, opened.recipients, now))
    return Built(root, files, warnings, spec.content)


def _doubts(spec: Spec, secrets: ClusterSecrets, sealed_for: tuple[str, ...], now: datetime) -> list[Problem]:
    """Warnings about a spec and its secrets file together."""
    cluster = resolve(spec.cluster)
    all_secrets = secretsfile.with_certificates(secrets, spec.certificates)
    found = agreement.doubts(cluster, all_secrets, sealed_for, now)
    return [_where_it_is(spec, problem) for problem in found]


def _of_the_secrets_file(file: str, severity: Severity) -> list[Problem]:
    """That it is not there, or what is wrong with it in itself."""
    secrets_file = secretsfile.path_for(file)
    if not os.path.lexists(secrets_file):
        hint = f"`kcompile secrets create {shlex.quote(file)}` makes it"
        position = Position(file, 1, 1)
        return [Problem("K0901", f"there is no {secrets_file}", hint=hint, severity=severity, position=position)]
    try:
        secretsfile.read(secrets_file)
    except SpecError as error:
        return list(error.problems)
    return []


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
    missing = _of_the_secrets_file(file, Severity.WARNING)
    if missing:
        problems = [*_in_order(file, spec.warnings), *missing]
        if _errors(missing):
            raise SpecError(problems)
        return tuple(problems)
    closed = secretsfile.read(secretsfile.path_for(file))
    try:
        secrets = secretsfile.with_certificates(closed.secrets, spec.certificates)
        check_agreement(spec, resolve(spec.cluster), secrets, closed.recipients)
    except (SpecError, SecretsError) as error:
        raise type(error)(_in_order(file, [*spec.warnings, *error.problems])) from None
    return tuple(_in_order(file, [*spec.warnings, *_doubts(spec, closed.secrets, closed.recipients, now)]))
