"""The secrets file on disk: read, opened, created and extended."""

from __future__ import annotations

import base64
import os
import re
import secrets as random
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kcompile import age, hostkeys, identities, load, pki, sops, timefmt, validate, yamlread
from kcompile.errors import Position, Problem, SecretsError, Severity, SpecError
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import leaves, stored_leaves
from kcompile.manifest import SECRETS_REGEX, ClusterSecrets
from kcompile.secret import Secret
from kcompile.spec import API_VERSION

_TOKEN_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def path_for(spec: str) -> str:
    """The secrets file that goes with a spec: prod.secrets.yaml beside prod.yaml."""
    path = Path(spec)
    return str(path.with_name(f"{path.stem}.secrets{path.suffix}"))


def is_secrets_file(path: str) -> bool:
    """Whether a path is named like a secrets file."""
    return Path(path).stem.endswith(".secrets")


@dataclass(frozen=True)
class Opened:
    """A secrets file that was opened."""

    secrets: ClusterSecrets
    data_key: Secret
    file: sops.SopsFile
    content: bytes
    name: str

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who can open the file."""
        return tuple(envelope.recipient for envelope in self.file.envelopes)


def _parse(file: str, content: bytes) -> sops.SopsFile:
    try:
        return sops.parse(yamlread.decode(content))
    except sops.SopsError as error:
        raise SpecError(_no_sops_file(file, content, error)) from None
    except yamlread.YamlError as error:
        position = Position(file, error.line, error.column)
        raise SpecError(Problem(error.code, error.message, hint=error.hint, position=position)) from None


_OF_A_LINE = re.compile(r"line (\d+): (.*)")
_OF_A_VALUE = re.compile(r"([\w.-]+) (?:should be|was changed|is) encrypted|([\w.-]+) was changed after")


def _no_sops_file(file: str, content: bytes, error: sops.SopsError) -> Problem:
    """What sops' format does not allow, at its place, as far as the words of the error tell it."""
    message, position = str(error), Position(file, 1, 1)
    if found := _OF_A_LINE.fullmatch(message):
        message, position = found[2], Position(file, int(found[1]), 1)
    elif found := _OF_A_VALUE.match(message):
        steps = tuple((found[1] or found[2]).split("."))
        position = load.parse(file, content, show_lines=False).position(steps, key=True)
    hint = "restore the file from git, and change it with `sops edit` alone"
    if "is not a SOPS file" in message:
        hint = f"encrypt it with `sops encrypt --in-place {shlex.quote(file)}`, or restore it from git"
    return Problem("K0903", message, hint=hint, position=position)


def _positioned(file: str, content: bytes, data: dict[str, Any]) -> load.Document:
    """The data with the positions of the file it came from. Its lines are never shown: they hold secrets."""
    plain = load.parse(file, content, show_lines=False)
    return load.Document(file, plain.text, _tuples(data), plain.root, show_lines=False)


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(child) for key, child in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _read(file: str, hint: str | None) -> bytes:
    try:
        return load.read_file(file)
    except SpecError as error:
        problem = error.problems[0]
        code, hint = (problem.code, problem.hint) if os.path.lexists(file) else ("K0901", hint)
        raise SecretsError(Problem(code, problem.message, hint=hint, position=problem.position)) from None


@dataclass(frozen=True)
class Closed:
    """What anyone can read of a secrets file."""

    secrets: ClusterSecrets
    file: sops.SopsFile
    content: bytes

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who can open it."""
        return tuple(envelope.recipient for envelope in self.file.envelopes)


def of_spec(spec: str) -> Closed:
    """The public part of the secrets file beside a spec. Raises SecretsError where there is none, and SpecError."""
    file = path_for(spec)
    return _closed(file, _read(file, f"`kcompile secrets create {shlex.quote(spec)}` makes it"))


def read(file: str) -> Closed:
    """The public part of a secrets file, for which no key is needed. Raises SpecError."""
    return _closed(file, load.read_file(file))


def faults(spec: str, missing: Severity) -> list[Problem]:
    """What is wrong with a spec's secrets file in itself; or that there is none, as bad as ``missing`` says."""
    file = path_for(spec)
    if not os.path.lexists(file):
        hint = f"`kcompile secrets create {shlex.quote(spec)}` makes it"
        position = Position(spec, 1, 1)
        return [Problem("K0901", f"there is no {file}", hint=hint, severity=missing, position=position)]
    try:
        read(file)
    except SpecError as error:
        return list(error.problems)
    return []


def _closed(file: str, content: bytes) -> Closed:
    found = _parse(file, content)
    try:
        data = sops.closed(found)
    except sops.SopsError as error:
        raise SpecError(_no_sops_file(file, content, error)) from None
    document = _positioned(file, content, data)
    secrets = validate.secrets(document)
    _check(document, secrets)
    return Closed(secrets, found, content)


def open_file(file: str, environ: Mapping[str, str], hint: str | None = None) -> Opened:
    """A secrets file with its secrets. Raises SecretsError when no identity opens it, SpecError when it is broken."""
    content = _read(file, hint)
    found = _parse(file, content)
    data_key = identities.open_data_key(file, found.envelopes, environ)
    try:
        data = sops.opened(found, data_key)
    except sops.SopsError as error:
        raise SecretsError(_no_sops_file(file, content, error)) from None
    document = _positioned(file, content, _public_in_plain(data))
    secrets = validate.secrets(document)
    _check(document, secrets)
    return Opened(secrets, data_key, found, content, file)


def _public_in_plain(value: Any, key: str = "") -> Any:
    """Fields that are public, as text, also in a file whose rule encrypts everything."""
    if isinstance(value, Mapping):
        return {name: _public_in_plain(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [_public_in_plain(child) for child in value]
    if isinstance(value, Secret) and key not in ("key", "secret"):
        return value.reveal().decode()
    return value


def _check(document: load.Document, secrets: ClusterSecrets) -> None:
    """What models cannot say: one active entry in each set, certificates and keys that can be read and agree."""
    problems: list[Problem] = []

    def add(code: str, message: str, *path: str | int) -> None:
        problems.append(Problem(code, message, path, _MENDS[code]).at(document.position(path)))

    for row in pki.AUTHORITIES:
        entries = secrets.authorities.named(row.name)
        if sum(entry.state == "active" for entry in entries) != 1 and (entries or row.name != "etcd"):
            add("K0904", "needs exactly one active authority", "authorities", row.name)
        for index, entry in enumerate(entries):
            where = ("authorities", row.name, index)
            try:
                certificate = pki.load_certificate(entry.certificate)
            except ValueError:
                add("K0905", "is not a PEM certificate", *where, "certificate")
                continue
            if not pki.is_authority(certificate):
                add("K0906", "is not the certificate of an authority", *where, "certificate")
            if isinstance(entry.key, Secret):
                try:
                    key = pki.load_private_key(entry.key)
                except ValueError as error:
                    add("K0907", str(error), *where, "key")
                    continue
                if not pki.same_public_key(key.public_key(), certificate.public_key()):
                    add("K0907", "does not belong to the certificate beside it", *where, "key")
    if sum(entry.state == "active" for entry in secrets.service_account_keys) != 1:
        add("K0904", "needs exactly one active key", "serviceAccountKeys")
    for index, pair in enumerate(secrets.service_account_keys):
        if pair.key is None and pair.state == "active":
            add(
                "K0908",
                "has no key, and service account tokens are signed with it: restore it",
                "serviceAccountKeys",
                index,
            )
        if isinstance(pair.key, Secret):
            try:
                own = pki.public_key_pem(pki.load_private_key(pair.key).public_key())
            except ValueError as error:
                add("K0907", str(error), "serviceAccountKeys", index, "key")
                continue
            if own.decode().strip() != pair.public_key.strip():
                add("K0907", "does not belong to the public key beside it", "serviceAccountKeys", index, "key")
    for index, pair in enumerate(secrets.service_account_keys):
        try:
            pki.load_public_key(pair.public_key)
        except ValueError as error:
            add("K0909", str(error), "serviceAccountKeys", index, "publicKey")
    for path, message in hostkeys.faults(secrets):
        add("K0927", message, *path)
    signing = secrets.manifest_signing
    if isinstance(signing.key, Secret) and not _is_signer(signing.key, signing.public_key):
        add("K0907", "is not the Ed25519 key of the public key beside it", "manifestSigning", "key")
    for index, token in enumerate(secrets.bootstrap_tokens):
        if isinstance(token.secret, Secret):
            text = token.secret.reveal().decode("utf-8", "replace")
            if len(text) != 16 or not set(text) <= set(_TOKEN_ALPHABET):
                add("K0910", "must be 16 lower-case letters and digits", "bootstrapTokens", index, "secret")
    if problems:
        raise SpecError(problems)


_MENDS = {
    "K0904": "with `sops edit`, set state: active on one, and trusted on the others",
    "K0905": "restore it: a certificate begins with -----BEGIN CERTIFICATE-----",
    "K0906": "put in the certificate of the authority that signs, not one that it signed",
    "K0907": "restore both from git, or with `sops edit` put in those that belong together",
    "K0908": "with `sops edit`, put the key back, or set state: active on one that has its key",
    "K0909": "restore it: a public key begins with -----BEGIN PUBLIC KEY-----",
    "K0927": "restore the file from git, or remove the entry with `sops edit` and run `kcompile secrets update`",
    "K0910": "remove the entry with `sops edit`, and let `kcompile secrets update` make a new one",
}
"""What to do about an entry, by the code of its problem."""


def _is_signer(key: Secret, public_key: str) -> bool:
    try:
        own = serialization.load_pem_private_key(key.reveal(), password=None)
    except (TypeError, ValueError):
        return False
    if not isinstance(own, ed25519.Ed25519PrivateKey):
        return False
    return pki.public_key_pem(own.public_key()).decode().strip() == public_key.strip()


def certificates_directory(spec: str) -> Path:
    """Where signing requests go, and certificates that were signed elsewhere are found: prod.certificates/."""
    path = Path(spec)
    return path.with_name(f"{path.stem}.certificates")


def signed_elsewhere(spec: str) -> dict[str, bytes]:
    """The certificates beside a spec that an authority elsewhere signed, by leaf. Raises SpecError."""
    directory = certificates_directory(spec)
    return {
        str(path.relative_to(directory).with_suffix("")): load.read_file(str(path))
        for path in sorted(directory.rglob("*.crt"))
    }


def with_certificates(secrets: ClusterSecrets, certificates: Mapping[str, bytes]) -> ClusterSecrets:
    """The secrets with those certificates beside their keys."""
    if not certificates:
        return secrets
    entries = tuple(
        entry.model_copy(update={"certificate": certificates[entry.name].decode("utf-8", "replace")})
        if entry.name in certificates
        else entry
        for entry in secrets.leaf_keys
    )
    return secrets.model_copy(update={"leaf_keys": entries})


# --- making one -----------------------------------------------------------------------------------


def _authority(row: pki.AuthorityRow, cluster: ResolvedCluster, now: datetime) -> dict[str, Any]:
    spec = cluster.cluster.spec.pki
    key = pki.generate_key(cluster.cluster.spec.key_algorithm)
    period = timefmt.timedelta_of(spec.ca_certificate_validity_period)
    not_before, not_after = pki.validity(min(now, timefmt.parse_timestamp(spec.issued_at)), period)
    certificate = pki.issue_authority(row, key, not_before, not_after)
    return {
        "id": _new_id(),
        "state": "active",
        "certificate": pki.certificate_pem(certificate).decode(),
        "key": pki.key_pem(key),
    }


def _new_id() -> str:
    """A random id that begins with a letter, so that no YAML parser takes it for a number."""
    return f"k{random.token_hex(4)}"


def new_token_id() -> str:
    """A random id for a bootstrap token."""
    return "".join(random.choice(_TOKEN_ALPHABET) for _ in range(6))


def _token(token_id: str) -> dict[str, Any]:
    secret = "".join(random.choice(_TOKEN_ALPHABET) for _ in range(16))
    return {"id": token_id, "secret": Secret(secret.encode())}


def _leaf_key(name: str, algorithm: str) -> dict[str, Any]:
    return {"name": name, "key": pki.key_pem(pki.generate_key(algorithm))}


def _leaf_key_names(cluster: ResolvedCluster) -> list[str]:
    algorithm = cluster.cluster.spec.key_algorithm
    return [] if pki.is_derivable(algorithm) else [leaf.key_name for leaf in leaves(cluster)]


def _new(cluster: ResolvedCluster, now: datetime) -> dict[str, Any]:
    algorithm = cluster.cluster.spec.key_algorithm
    service_account = pki.generate_key(algorithm)
    signing = ed25519.Ed25519PrivateKey.generate()
    signing_pem = signing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "ClusterSecrets",
        "metadata": {"name": cluster.name},
        "authorities": {row.name: [_authority(row, cluster, now)] for row in pki.AUTHORITIES},
        "serviceAccountKeys": [
            {
                "id": _new_id(),
                "state": "active",
                "publicKey": pki.public_key_pem(service_account.public_key()).decode(),
                "key": pki.key_pem(service_account),
            }
        ],
        "bootstrapTokens": [_token(token.id) for token in cluster.cluster.spec.bootstrap_tokens],
        "encryptionKeys": [{"name": "key-1", "key": Secret(base64.b64encode(os.urandom(32)))}],
        "manifestSigning": {
            "publicKey": pki.public_key_pem(signing.public_key()).decode(),
            "key": Secret(signing_pem),
        },
        "leafKeys": [_leaf_key(name, algorithm) for name in _leaf_key_names(cluster)],
        "hostRecipients": [hostkeys.new(cluster, node, who) for node, who in hostkeys.wanted(cluster).items()],
    }
    return {key: value for key, value in document.items() if value != []}


def create(cluster: ResolvedCluster, now: datetime) -> str:
    """The text of a new secrets file: fresh authorities, keys and tokens, sealed for the spec's recipients."""
    data_key = sops.new_data_key()
    envelopes = []
    for index, recipient in enumerate(cluster.cluster.spec.secrets.recipients):
        try:
            envelopes.append(sops.Envelope(recipient, age.encrypt(data_key, recipient)))
        except age.AgeError as error:
            raise SpecError(Problem("K0921", str(error), ("spec", "secrets", "recipients", index))) from None
    document = _new(cluster, now)
    return sops.write(document, data_key, tuple(envelopes), timefmt.format_timestamp(now), SECRETS_REGEX)


def extend(cluster: ResolvedCluster, opened: Opened, now: datetime) -> tuple[str | None, list[str]]:
    """The secrets file with what the spec needs and it lacks, and what was added; None when nothing is missing.

    The keys of hosts are not looked at; see :func:`update`.
    """
    known_tokens = {token.id for token in opened.secrets.bootstrap_tokens}
    known_keys = {entry.name for entry in opened.secrets.leaf_keys}
    tokens = [token.id for token in cluster.cluster.spec.bootstrap_tokens if token.id not in known_tokens]
    keys = [leaf.key_name for leaf in stored_leaves(cluster, opened.secrets) if leaf.key_name not in known_keys]
    algorithm = cluster.cluster.spec.key_algorithm
    additions = {
        "bootstrapTokens": [_token(token) for token in tokens],
        "leafKeys": [_leaf_key(name, algorithm) for name in keys],
    }
    said = [*(f"bootstrap token {token}" for token in tokens), *(f"leaf key {name}" for name in keys)]
    return _amended(opened, opened.content.decode(), additions, {}, now), said


def _amended(
    opened: Opened,
    text: str,
    added: Mapping[str, list[sops.Entry]],
    changed: Mapping[str, Mapping[int, sops.Entry | None]],
    now: datetime,
) -> str | None:
    """The text with those entries; None where there are none. Raises SecretsError."""
    added = {key: entries for key, entries in added.items() if entries}
    changed = {key: entries for key, entries in changed.items() if entries}
    if not added and not changed:
        return None
    try:
        return sops.amend(text, opened.data_key, timefmt.format_timestamp(now), added, changed)
    except sops.SopsError as error:
        raise SecretsError(Problem("K0903", str(error), position=Position(opened.name, 1, 1))) from None


@dataclass(frozen=True)
class Updated:
    """What was done to a secrets file."""

    text: str | None
    """None where nothing was to do."""
    said: tuple[str, ...] = ()
    shuts_out: bool = False
    """Someone who could open the whole file is no longer sealed for, and may have kept its data key."""


def update(cluster: ResolvedCluster, opened: Opened, now: datetime) -> Updated:
    """The secrets file with what the spec needs and it lacks, and the keys of hosts sealed for whom the spec says.

    Raises SpecError when a recipient cannot be sealed for, and SecretsError when the file cannot be amended.
    """
    text, added = extend(cluster, opened, now)
    plan = hostkeys.plan(cluster, opened.secrets)
    after = _amended(
        opened,
        opened.content.decode() if text is None else text,
        {"hostRecipients": plan.added},
        {"hostRecipients": plan.changed},
        now,
    )
    said = (*(f"added {what}" for what in added), *plan.said)
    return Updated(text if after is None else after, said, plan.shuts_out)
