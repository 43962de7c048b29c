"""A spec and its secrets file together: whether they fit, and where what does not fit stands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from kcompile import load, pki, secretsfile
from kcompile.errors import Position, Problem, SecretsError, SpecError, errors_among
from kcompile.hosts import ResolvedCluster, resolve
from kcompile.manifest import ClusterSecrets
from kcompile.reading import Spec
from kcompile.rules import agreement
from kcompile.secret import Sealed


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


def doubts(spec: Spec, secrets: ClusterSecrets, sealed_for: tuple[str, ...], now: datetime) -> list[Problem]:
    """Warnings about a spec and its secrets file together."""
    cluster = resolve(spec.cluster)
    all_secrets = secretsfile.with_certificates(secrets, spec.certificates)
    found = agreement.doubts(cluster, all_secrets, sealed_for, now)
    return [_where_it_is(spec, problem) for problem in found]


def _recipients(spec: Spec, cluster: ResolvedCluster, sealed_for: tuple[str, ...]) -> list[Problem]:
    found = errors_among(agreement.recipients_agree(cluster, sealed_for))
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
