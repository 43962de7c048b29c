"""What changed in one file, by its meaning: fields, flags, facts of certificates and kubeconfigs, lines of scripts.

Nothing of a secret is ever a value here: of what is sealed, or stands where secrets do, only that it changed is said.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kcompile import load, timefmt, yamlread
from kcompile.artifact import SEALED
from kcompile.errors import format_path
from kcompile.secret import looks_secret

Kind = Literal["field", "flag", "certificate", "kubeconfig", "line", "secret", "recipient", "object", "file", "host"]
Action = Literal["added", "removed", "changed", "reordered"]

CREDENTIALS = "kcompile.dev/credentials-sha256"
_ENCRYPTED = "ENC[AES256_GCM,"
_SECRET_KEYS = frozenset({"client-key-data", "token", "password", "secret", "key", "data", "stringData", "mac"})
"""Below these keys of a sealed file nothing is shown, whether it is encrypted or not."""
_EMBEDDED = ("certificate-authority-data", "client-certificate-data")
"""Certificates in base64."""
_ORDER = "order"
_MERGE_KEYS = {
    "bootstrapTokens": "id",
    "clusters": "name",
    "containers": "name",
    "contexts": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "extraArgs": "name",
    "extraEnvs": "name",
    "extraVolumes": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "keys": "name",
    "nodePools": "name",
    "nodes": "name",
    "ports": "name",
    "subjects": "name",
    "taints": "key",
    "registerWithTaints": "key",
    "tolerations": "key",
    "users": "name",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""What tells the items of a list apart, by the list's field: Kubernetes' patchMergeKey, and the spec's names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of two versions of a file. ``before`` and ``after`` are words to be shown, never a secret."""

    kind: Kind
    subject: str
    action: Action
    before: str | None = None
    after: str | None = None


def documents(content: bytes) -> list[Any]:
    """The documents of a YAML file, as plain data. Raises ValueError."""
    try:
        if content.startswith(b"{"):
            return [json.loads(content)]  # what sops seals as a whole
        return [load.plain(n) for n in yamlread.documents(yamlread.decode(content), yamlread.MAX_NODES_OF_OBJECTS)]
    except (yamlread.YamlError, ValueError, RecursionError) as error:
        raise ValueError("not YAML") from error


def shown(value: Any) -> str:
    """A value of a document in one line."""
    if isinstance(value, str) and value and value.isprintable() and value.strip() == value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


# --- data by path ---------------------------------------------------------------------------------


def _is_secret(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_ENCRYPTED)


@dataclass(frozen=True, slots=True)
class _Item:
    """The key of a list's item, written in brackets without quotes."""

    key: str


_Step = str | int | _Item


def _path(path: tuple[_Step, ...]) -> str:
    text = ""
    for step in path:
        if isinstance(step, _Item):
            text += f"[{step.key}]"
        elif isinstance(step, str) and text and step and all(c.isalnum() or c in "_-" for c in step):
            text += f".{step}"
        else:
            text += format_path((step,))
    return text


def _one(path: tuple[_Step, ...], action: Action, before: Any, after: Any, *, hidden: bool) -> Difference:
    subject = _path(path)
    if hidden or _is_secret(before) or _is_secret(after):
        return Difference("secret", subject, action)
    was = None if action == "added" else shown(before)
    now = None if action == "removed" else shown(after)
    if looks_secret(f"{was} {now}"):
        return Difference("secret", subject, action)
    if subject.endswith(f"'{CREDENTIALS}']"):
        return Difference("field", subject, action)  # a digest, another one on each host
    return Difference("field", subject, action, was, now)


def _keyed(name: _Step | None, items: Sequence[Any]) -> dict[str, Any] | None:
    """A list's items by what tells them apart, if something does."""
    key = _MERGE_KEYS.get(name) if isinstance(name, str) else None
    if key is None or not all(isinstance(item, Mapping) and key in item for item in items):
        return None
    found = {str(item[key]): item for item in items}
    return found if len(found) == len(items) else None


def _data(before: Any, after: Any, path: tuple[_Step, ...], *, hidden: bool, sealed: bool) -> Iterator[Difference]:
    """Differences of two values. With ``sealed``, what stands below keys of secrets is hidden."""
    if type(before) is type(after) and before == after and not _differ_in_type(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            below = (*path, str(key))
            covered = hidden or (sealed and str(key) in _SECRET_KEYS)
            if key not in after:
                yield from _whole(below, "removed", before[key], hidden=covered, sealed=sealed)
            elif key not in before:
                yield from _whole(below, "added", after[key], hidden=covered, sealed=sealed)
            else:
                yield from _data(before[key], after[key], below, hidden=covered, sealed=sealed)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path, hidden=hidden, sealed=sealed)
    elif path and path[-1] in _EMBEDDED and not hidden:
        yield from _embedded(_path(path), before, after)
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after and not hidden:
        yield from _texts(before, after, path)
    else:
        yield _one(path, "changed", before, after, hidden=hidden)


def _differ_in_type(before: Any, after: Any) -> bool:
    """Python takes 1 and True for equal; YAML does not."""
    if not isinstance(before, list | dict):
        return False
    return json.dumps(before, default=str, sort_keys=True) != json.dumps(after, default=str, sort_keys=True)


def _whole(
    path: tuple[_Step, ...], action: Literal["added", "removed"], value: Any, *, hidden: bool, sealed: bool
) -> Iterator[Difference]:
    """Something that is on one side only: what secrets are in it are hidden one by one."""
    if sealed and isinstance(value, dict | list) and not hidden:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            covered = str(key) in _SECRET_KEYS
            yield from _whole((*path, key), action, item, hidden=covered, sealed=sealed)
    else:
        yield _one(path, action, value, value, hidden=hidden)


def _lists(
    before: list[Any], after: list[Any], path: tuple[_Step, ...], *, hidden: bool, sealed: bool
) -> Iterator[Difference]:
    name = next((step for step in reversed(path) if isinstance(step, str)), None)
    if name in ("command", "args") and _are_flags(before) and _are_flags(after):
        yield from _flags(before, after)
        return
    old, new = _keyed(name, before), _keyed(name, after)
    if old is not None and new is not None:
        found = False
        for key in [*old, *(key for key in new if key not in old)]:
            below = (*path, _Item(key))
            if key not in new:
                changes = _whole(below, "removed", old[key], hidden=hidden, sealed=sealed)
            elif key not in old:
                changes = _whole(below, "added", new[key], hidden=hidden, sealed=sealed)
            else:
                changes = _data(old[key], new[key], below, hidden=hidden, sealed=sealed)
            for change in changes:
                found = True
                yield change
        if not found:
            yield Difference("field", _path(path), "reordered")
        return
    gone, come = _without(before, after), _without(after, before)
    if not gone and not come:
        yield Difference("field", _path(path), "reordered")
    elif _are_mappings(gone, come) and len(before) == len(after) and before.index(gone[0]) == after.index(come[0]):
        yield from _data(gone[0], come[0], (*path, before.index(gone[0])), hidden=hidden, sealed=sealed)
    else:
        for item in gone:
            yield from _whole(path, "removed", item, hidden=hidden, sealed=sealed)
        for item in come:
            yield from _whole(path, "added", item, hidden=hidden, sealed=sealed)


def _are_mappings(gone: list[Any], come: list[Any]) -> bool:
    """Whether one mapping was replaced by one."""
    return len(gone) == len(come) == 1 and isinstance(gone[0], dict) and isinstance(come[0], dict)


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    """The items that have no equal among the others, each of which answers for one."""
    left = [json.dumps(other, default=str, sort_keys=True) for other in others]
    rest = []
    for item in items:
        key = json.dumps(item, default=str, sort_keys=True)
        if key in left:
            left.remove(key)
        else:
            rest.append(item)
    return rest


def _texts(before: str, after: str, path: tuple[_Step, ...]) -> Iterator[Difference]:
    """A text in a field: a document of its own (kubeadm-config), or lines (a Corefile)."""
    try:
        old, new = documents(before.encode()), documents(after.encode())
    except ValueError:
        old = new = []
    if len(old) == len(new) == 1 and isinstance(old[0], dict) and isinstance(new[0], dict):
        found = list(_data(old[0], new[0], path, hidden=False, sealed=False))
        yield from found or [Difference("field", _path(path), "reordered")]
        return
    for change in lines(before, after):
        yield replace(change, subject=_path(path))


def data(before: Any, after: Any) -> tuple[Difference, ...]:
    """Differences of two documents, by the paths of their fields."""
    return tuple(_data(before, after, (), hidden=False, sealed=False))


# --- flags ----------------------------------------------------------------------------------------


def _are_flags(words: Sequence[Any]) -> bool:
    return all(isinstance(word, str) for word in words) and any(word.startswith("--") for word in words)


def _by_name(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found.setdefault(name, []).append(value if equals else "true")
        else:
            found.setdefault("command", []).append(word)
    return found


def _flags(before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    """By name. The order of one flag's several values counts: of the issuers the first one signs."""
    old, new = _by_name(before), _by_name(after)
    if old == new:
        if list(before) != list(after):
            yield Difference("flag", _ORDER, "reordered")
        return
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) == new.get(name):
            continue
        if name in _LISTS:
            yield from _members(name, old.get(name, []), new.get(name, []))
            continue
        was = ", ".join(old[name]) if name in old else None
        now = ", ".join(new[name]) if name in new else None
        if looks_secret(f"{was} {now}"):
            yield Difference("secret", name, "changed")
            continue
        yield Difference("flag", name, "added" if was is None else "removed" if now is None else "changed", was, now)


_LISTS = ("--node-labels", "--register-with-taints", "--feature-gates", "--initial-cluster", "--etcd-servers")
"""Flags whose value is a list without an order."""


def _members(name: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    old, new = (",".join(words).split(",") if words else [] for words in (before, after))
    if sorted(old) == sorted(new):
        yield Difference("flag", name, "reordered")
    yield from (Difference("flag", name, "removed", item, None) for item in old if item not in new)
    yield from (Difference("flag", name, "added", None, item) for item in new if item not in old)


def _environment(before: bytes, after: bytes) -> Iterator[Difference]:
    """kubeadm-flags.env: the kubelet's flags."""
    yield from _flags(_words(before), _words(after))


def _words(content: bytes) -> list[str]:
    value = content.decode("utf-8", "replace").strip().partition("=")[2]
    return shlex.split(" ".join(shlex.split(value)))


# --- certificates and kubeconfigs -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    subject: str
    names: frozenset[str]
    not_before: str
    not_after: str
    key: str
    """A digest of the public key."""
    algorithm: str
    authority: tuple[str, str]
    """Whose signature it bears: the name, and the identifier of the key."""
    usages: frozenset[str]


def _algorithm(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    return f"ECDSA-P{key.key_size}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


@lru_cache(maxsize=8192)
def certificates(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file. Raises ValueError."""
    return tuple(_certificate(found) for found in x509.load_pem_x509_certificates(pem))


def _certificate(found: x509.Certificate) -> Certificate:
    names: set[str] = set()
    usages: set[str] = set()
    identifier = ""
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            names |= {str(name.value) for name in value}
        elif isinstance(value, x509.ExtendedKeyUsage):
            usages |= {usage._name for usage in value}
        elif isinstance(value, x509.AuthorityKeyIdentifier) and value.key_identifier:
            identifier = value.key_identifier.hex()
    key = found.public_key()
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(encoded)
    return Certificate(
        subject=found.subject.rfc4514_string(),
        names=frozenset(names),
        not_before=timefmt.format_timestamp(found.not_valid_before_utc),
        not_after=timefmt.format_timestamp(found.not_valid_after_utc),
        key=digest.finalize().hex(),
        algorithm=_algorithm(key),
        authority=(found.issuer.rfc4514_string(), identifier),
        usages=frozenset(usages),
    )


def _facts(before: Certificate, after: Certificate) -> Iterator[Difference]:
    def changed(subject: str, was: str, now: str) -> Iterator[Difference]:
        if was != now:
            yield Difference("certificate", subject, "changed", was, now)

    yield from changed("subject", before.subject, after.subject)
    yield from (Difference("certificate", "name", "removed", n, None) for n in sorted(before.names - after.names))
    yield from (Difference("certificate", "name", "added", None, n) for n in sorted(after.names - before.names))
    yield from (Difference("certificate", "usage", "removed", u, None) for u in sorted(before.usages - after.usages))
    yield from (Difference("certificate", "usage", "added", None, u) for u in sorted(after.usages - before.usages))
    yield from changed("valid from", before.not_before, after.not_before)
    yield from changed("valid until", before.not_after, after.not_after)
    if before.authority != after.authority:
        yield from changed("authority", before.authority[0], after.authority[0])
        if before.authority[0] == after.authority[0]:
            yield Difference("certificate", "authority's key", "changed")
    if before.algorithm != after.algorithm:
        yield from changed("key", before.algorithm, after.algorithm)
    elif before.key != after.key:
        yield Difference("certificate", "key", "changed")


def _certificates(before: bytes, after: bytes) -> Iterator[Difference]:
    """One certificate by its facts; of a bundle of authorities, which came and which went."""
    old, new = certificates(before), certificates(after)
    if len(old) == len(new) == 1:
        found = list(_facts(old[0], new[0]))
        yield from found or [Difference("certificate", "signature", "changed")]
        return
    was, now = {c.key: c for c in old}, {c.key: c for c in new}
    for key in [*was, *(key for key in now if key not in was)]:
        if key not in now:
            yield Difference("certificate", "authority", "removed", was[key].subject)
        elif key not in was:
            yield Difference("certificate", "authority", "added", None, now[key].subject)
        else:
            yield from _facts(was[key], now[key])
    if list(was) != list(now) and was.keys() == now.keys():
        yield Difference("certificate", _ORDER, "reordered")


def _kubeconfigs(before: Any, after: Any) -> Iterator[Difference]:
    """By what a client makes of it: where it goes, whom it believes, who it is."""
    old, new = _connection(before), _connection(after)
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if name in _EMBEDDED:
            label = "authority" if name.startswith("certificate") else "client certificate"
            yield from _embedded(label, was, now)
            continue
        action: Action = "added" if was is None else "removed" if now is None else "changed"
        if name in _SECRET_KEYS:
            yield Difference("secret", name, action)
        else:
            yield Difference(
                "kubeconfig", name, action, None if was is None else shown(was), None if now is None else shown(now)
            )


def _connection(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the current context, its cluster and its user. Raises ValueError."""
    found: dict[str, Any] = {"current-context": document.get("current-context")}
    try:
        contexts = {item["name"]: item["context"] for item in document["contexts"]}
        context = contexts[document["current-context"]]
        clusters = {item["name"]: item["cluster"] for item in document["clusters"]}
        users = {item["name"]: item["user"] for item in document["users"]}
        return found | dict(context) | dict(clusters[context["cluster"]]) | dict(users[context["user"]])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no kubeconfig") from error


def _embedded(label: str, before: Any, after: Any) -> Iterator[Difference]:
    if not (isinstance(before, str) and isinstance(after, str)):
        yield Difference("kubeconfig", label, "removed" if after is None else "added")
        return
    try:
        old, new = base64.b64decode(before, validate=True), base64.b64decode(after, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    for change in _certificates(old, new):
        yield replace(change, subject=f"{label}: {change.subject}")


# --- lines ----------------------------------------------------------------------------------------


def lines(before: str, after: str) -> Iterator[Difference]:
    """By line; neighbouring lines that were replaced are one difference."""
    if looks_secret(before) or looks_secret(after):
        yield Difference("secret", "", "changed")  # which lines of it were safe to show, nobody could say
        return
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    yield from _hunks(tuple(old[start : len(old) - end]), tuple(new[start : len(new) - end]))


@lru_cache(maxsize=1024)
def _hunks(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[Difference, ...]:
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            was = "\n".join(old[a:b]) if b > a else None
            now = "\n".join(new[c:d]) if d > c else None
            action: Action = "added" if was is None else "removed" if now is None else "changed"
            found.append(Difference("line", "", action, was, now))
    return tuple(found)


def _script(before: bytes, after: bytes) -> Iterator[Difference]:
    yield from lines(before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))


def _installer(before: bytes, after: bytes) -> Iterator[Difference]:
    """Lines of install.sh, without its list of files, which are told one by one."""
    return _with_a_key("signer=", "key that the tree is signed with", before, after, without=("put ", "beside "))


def _bootstrap(before: bytes, after: bytes) -> Iterator[Difference]:
    """Lines of bootstrap.sh."""
    return _with_a_key("authorities=", "authorities that tell the cluster from others", before, after)


def _with_a_key(
    start: str, subject: str, before: bytes, after: bytes, without: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Lines of a script but for some; and of the one that begins with ``start``, public and long, that it changed."""
    was, now = (content.decode("utf-8", "replace").splitlines() for content in (before, after))
    if [line for line in was if line.startswith(start)] != [line for line in now if line.startswith(start)]:
        yield Difference("line", subject, "changed")
    hidden = (start, *without)
    yield from lines(*("\n".join(line for line in side if not line.startswith(hidden)) for side in (was, now)))


# --- sealed files ---------------------------------------------------------------------------------


def recipients(before: Any, after: Any) -> Iterator[Difference]:
    """Who can open a sealed file, by the sops blocks of both sides."""

    def of(block: Any) -> list[str]:
        entries = block.get("age") if isinstance(block, Mapping) else None
        return [str(e.get("recipient")) for e in entries or () if isinstance(e, Mapping)]

    old, new = of(before), of(after)
    yield from (Difference("recipient", "recipient", "removed", name, None) for name in old if name not in new)
    yield from (Difference("recipient", "recipient", "added", None, name) for name in new if name not in old)


def sealed_documents(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Differences of two documents of SOPS: who can open them, what is plain in them, and of secrets that they changed.

    That says nothing of secrets that are sealed under two data keys.
    """
    was, now = dict(before), dict(after)
    found = (*recipients(was.pop("sops", None), now.pop("sops", None)), *_below_seal(was, now))
    return found or (Difference("secret", "seal", "changed"),)


def _sealed(before: bytes, after: bytes) -> Iterator[Difference]:
    """Files of SOPS."""
    old, new = documents(before), documents(after)
    if not (len(old) == len(new) == 1 and isinstance(old[0], dict) and isinstance(new[0], dict)):
        raise ValueError("no sealed file")
    yield from sealed_documents(old[0], new[0])


def _below_seal(was: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    if was.get("kind") == now.get("kind") == "Config":
        yield from _kubeconfigs(was, now)
    elif was.keys() == now.keys() == {"data"}:
        if was != now:
            yield Difference("secret", "", "changed")
    else:
        yield from _data(was, now, (), hidden=False, sealed=True)


def _any_yaml(before: bytes, after: bytes) -> Iterator[Difference]:
    old, new = documents(before), documents(after)
    if len(old) != len(new):
        yield from _script(before, after)
    for was, now in zip(old, new, strict=False) if len(old) == len(new) else ():
        if isinstance(was, dict) and isinstance(now, dict) and was.get("kind") == now.get("kind") == "Config":
            yield from _kubeconfigs(was, now)
        else:
            yield from objects(was, now)


def objects(before: Any, after: Any) -> tuple[Difference, ...]:
    """Differences of two objects of the cluster. What is in a Secret is not shown."""
    secret = any(isinstance(value, Mapping) and value.get("kind") == "Secret" for value in (before, after))
    return tuple(_data(before, after, (), hidden=False, sealed=secret))


def _public_key(before: bytes, after: bytes) -> Iterator[Difference]:
    del before, after
    yield Difference("certificate", "key", "changed")


_Compare = Callable[[bytes, bytes], Iterator[Difference]]
_BY_NAME: tuple[tuple[str, _Compare], ...] = (
    (".crt", _certificates),
    (".pub", _public_key),
    ("kubeadm-flags.env", _environment),
    (".yaml", _any_yaml),
    ("/install.sh", _installer),
    ("/bootstrap.sh", _bootstrap),
    ("-kcompile.conf", _script),
    ("/kcompile.conf", _script),
    (".conf", _any_yaml),
)


@lru_cache(maxsize=65536)
def _compared(compare: _Compare, before: bytes, after: bytes) -> tuple[Difference, ...]:
    return tuple(compare(before, after))


def differences(path: str, before: bytes, after: bytes) -> tuple[Difference, ...]:
    """What is different in a file of a tree; of bytes that mean the same, that they are written otherwise."""
    sealed = SEALED.match(path) is not None
    compare = _sealed if sealed else next((found for end, found in _BY_NAME if path.endswith(end)), _script)
    try:
        found = _compared(compare, before, after)
    except (ValueError, x509.ExtensionNotFound, TypeError):
        if sealed:
            return (Difference("secret", "", "changed"),)
        found = _compared(_script, before, after)
    return found
