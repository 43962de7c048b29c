"""A spec read with all that it names (manifests, patches, certificates), and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kcompile import extra_objects, load, own_objects, secretsfile, validate
from kcompile.emit import addons, kubelet, static_pods
from kcompile.errors import Path as FieldPath
from kcompile.errors import Position, Problem, Severity, SpecError, errors_among, gathered
from kcompile.hosts import Host, ResolvedCluster, resolve
from kcompile.load import Document
from kcompile.needs import can_speak, needs
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
        problems += _manifests(document, checked, checked.cluster, found, _wrong(checked, problems))
        problems += _patches(document, checked, checked.cluster, _wrong(checked, problems))
    if checked.cluster is None or errors_among(problems):
        problems = in_order(file, problems)
        if without_secrets is not None and isinstance(document.data, Mapping):
            problems += secretsfile.faults(file, without_secrets)
        raise SpecError(problems)
    return Spec(file, content, document, checked.cluster, found, secretsfile.signed_elsewhere(file), tuple(problems))


def _wrong(checked: Checked, problems: Iterable[Problem]) -> set[FieldPath]:
    return {*checked.wrong, *(problem.path for problem in errors_among(problems))}


def in_order(file: str, problems: Iterable[Problem]) -> list[Problem]:
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
