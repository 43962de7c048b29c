"""The SOPS file format (sops 3.11): YAML and binary documents with age recipients.

Reading checks the MAC. Writing is deterministic: initialisation vectors are synthetic, and the envelopes
that wrap the data key are repeated from a file that has them, because a new one would be random.
Format: https://getsops.io, ``sops.go``, ``aes/cipher.go``, ``stores/`` of tag v3.11.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kcompile import yamlfmt, yamlread
from kcompile.secret import SEALED, Secret

FORMAT_VERSION = "3.11.0"
_TOKEN = re.compile(r"ENC\[AES256_GCM,data:([^,]*),iv:([^,]*),tag:([^,]*),type:([^,\]]*)\]")
_RULES = ("encrypted_regex", "unencrypted_regex", "encrypted_suffix", "unencrypted_suffix")
_UNSUPPORTED_RULES = ("encrypted_comment_regex", "unencrypted_comment_regex")
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?", re.ASCII)
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = ("", "~", "null", "Null", "NULL")

Path = tuple[str, ...]
Leaf = str | int | bool | None


class SopsError(Exception):
    """A SOPS file that cannot be read or does not hold together. The text never shows a value."""


@dataclass(frozen=True)
class Envelope:
    """One recipient's copy of the data key: an armored age file."""

    recipient: str
    enc: str


@dataclass(frozen=True)
class SopsFile:
    """A SOPS document as it stands in a file: its tree with tokens, and its metadata."""

    tree: dict[str, Any]
    envelopes: tuple[Envelope, ...]
    lastmodified: str
    mac: str
    rule: tuple[str, str]
    mac_only_encrypted: bool = False


# --- reading --------------------------------------------------------------------------------------


def _resolve(node: yamlread.ScalarNode) -> Leaf:
    """A scalar as go-yaml v3 reads it; what a MAC would see. Floats and timestamps have no place here."""
    text = str(node.value)
    if node.style or node.tag in ("tag:yaml.org,2002:binary", "tag:yaml.org,2002:str"):
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        digits = text.replace("_", "")
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
        return int(f"{octal[1]}0o{octal[2]}" if octal else digits, 0)
    if _FLOAT.fullmatch(text) and "inf" not in text.lower() and "nan" not in text.lower() and isinf(float(text)):
        return text  # too large for Go to parse: a string
    if _FLOAT.fullmatch(text) or _DATE.fullmatch(text):
        raise SopsError(f"line {node.start_mark.line + 1}: a number with a fraction or a bare date: put it in quotes")
    return text


def _tree(node: yamlread.Node) -> Any:
    if isinstance(node, yamlread.ScalarNode):
        return _resolve(node)
    if isinstance(node, yamlread.SequenceNode):
        return [_tree(child) for child in node.value]
    found: dict[str, Any] = {}
    for key, child in node.value:
        if not isinstance(key, yamlread.ScalarNode) or key.value in found:
            raise SopsError(f"line {key.start_mark.line + 1}: a key that is no text or stands there twice")
        found[key.value] = _tree(child)
    return found


def parse(text: str) -> SopsFile:
    """Read a SOPS YAML file, or a binary one (which is JSON, and so YAML). Raises SopsError and YamlError."""
    root = yamlread.compose(text)
    if not isinstance(root, yamlread.MappingNode):
        raise SopsError("is not a SOPS file: it holds no mapping")
    tree = _tree(root)
    meta = tree.pop("sops", None)
    if not isinstance(meta, dict):
        raise SopsError("is not a SOPS file: it has no sops block")
    if meta.get("key_groups"):
        raise SopsError("splits its data key among key groups, which kcompile does not read")
    rules = [(name, str(meta[name])) for name in _RULES if meta.get(name)]
    if len(rules) > 1 or any(meta.get(name) for name in _UNSUPPORTED_RULES):
        raise SopsError("has more than one encryption rule, or one on comments, which kcompile does not read")
    entries = meta.get("age") or []
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("recipient"), str) and isinstance(e.get("enc"), str) for e in entries
    ):
        raise SopsError("its sops.age block is malformed")
    if not isinstance(meta.get("lastmodified"), str) or not isinstance(meta.get("mac"), str):
        raise SopsError("its sops block has no lastmodified or no mac")
    return SopsFile(
        tree=tree,
        envelopes=tuple(Envelope(e["recipient"], e["enc"]) for e in entries),
        lastmodified=meta["lastmodified"],
        mac=meta["mac"],
        rule=rules[0] if rules else ("unencrypted_suffix", "_unencrypted"),
        mac_only_encrypted=meta.get("mac_only_encrypted") is True,
    )


def _is_encrypted(rule: tuple[str, str]) -> Callable[[Path], bool]:
    """Whether a leaf is under the encryption rule. Each test runs over every key on the leaf's path."""
    name, argument = rule
    try:
        pattern = re.compile(argument) if name.endswith("regex") else None
    except re.error:
        raise SopsError(f"its {name} is not a regular expression") from None

    def matches(path: Path) -> bool:
        return any(pattern.search(key) if pattern else key.endswith(argument) for key in path)

    return (lambda path: not matches(path)) if name.startswith("unencrypted") else matches


def _aad(path: Path) -> bytes:
    return (":".join(path) + ":").encode()


def _plaintext(value: Leaf) -> tuple[bytes, str]:
    """A leaf's bytes, as encrypted and as hashed for the MAC, and its type's name."""
    if isinstance(value, bool):
        return (b"True" if value else b"False"), "bool"
    if isinstance(value, int):
        return str(value).encode(), "int"
    if isinstance(value, str):
        return value.encode(), "str"
    raise SopsError(f"a {type(value).__name__} cannot be sealed")


def _open_token(cipher: AESGCM, token: str, aad: bytes, where: str) -> tuple[bytes, str]:
    match = _TOKEN.match(token)
    if match is None:
        raise SopsError(f"{where} should be encrypted and is not")
    try:
        data, iv, tag = (base64.b64decode(part, validate=True) for part in match.groups()[:3])
        return cipher.decrypt(iv, data + tag, aad), match[4]
    except (ValueError, InvalidTag):
        raise SopsError(f"{where} was changed after it was encrypted") from None


def opened(file: SopsFile, data_key: Secret) -> dict[str, Any]:
    """The document with a :class:`Secret` at every encrypted leaf. Raises SopsError when anything was changed."""
    cipher = AESGCM(data_key.reveal())
    document, digest = _decrypted(file, cipher)
    expected, _ = _open_token(cipher, file.mac, file.lastmodified.encode(), "sops.mac")
    if not hmac.compare_digest(expected, digest):
        raise SopsError("does not match its MAC: it was changed without sops")
    return document


def _decrypted(file: SopsFile, cipher: AESGCM) -> tuple[dict[str, Any], bytes]:
    """The document, and the digest that its MAC must hold."""
    encrypted = _is_encrypted(file.rule)
    digest = hashlib.sha512()
    if file.mac_only_encrypted:
        digest.update(hashlib.sha256(b"sops").digest())

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: visit(child, (*path, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [visit(child, path) for child in value]
        if value is None:
            return None
        if not encrypted(path):
            if not file.mac_only_encrypted:
                digest.update(_plaintext(value)[0])
            return value
        if value == "":
            return Secret(b"")
        if not isinstance(value, str):
            raise SopsError(f"{'.'.join(path)} should be encrypted and is not")
        plaintext, kind = _open_token(cipher, value, _aad(path), ".".join(path))
        digest.update(plaintext)
        if kind not in ("str", "bytes", "int", "bool"):
            raise SopsError(f"{'.'.join(path)} is encrypted with type {kind}, which kcompile does not read")
        return Secret(plaintext)

    document = visit(file.tree, ())
    return document, digest.hexdigest().upper().encode()


def closed(file: SopsFile) -> dict[str, Any]:
    """The document as anyone can read it: :data:`SEALED` at every encrypted leaf. Nothing is verified."""
    encrypted = _is_encrypted(file.rule)

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: visit(child, (*path, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [visit(child, path) for child in value]
        if value is None or not encrypted(path):
            return value
        if not isinstance(value, str) or (value and not _TOKEN.match(value)):
            raise SopsError(f"{'.'.join(path)} should be encrypted and is not")
        return SEALED

    return visit(file.tree, ())  # type: ignore[no-any-return]


# --- writing --------------------------------------------------------------------------------------


def _token(cipher: AESGCM, iv: bytes, plaintext: bytes, kind: str, aad: bytes) -> str:
    sealed = cipher.encrypt(iv, plaintext, aad)
    data, tag = sealed[:-16], sealed[-16:]
    parts = (base64.b64encode(part).decode() for part in (data, iv, tag))
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]".format(*parts, kind)


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf with its path, in document order. List indices are not in a path."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _leaves(child, path)
    elif value is not None:
        yield path, value


@dataclass(frozen=True)
class _Skeleton:
    """A document's text around its secrets: ``parts[i]``, then the token of ``secrets[i]``, and so on."""

    parts: tuple[str, ...]
    secrets: tuple[tuple[bytes, bytes], ...]
    """AAD and plaintext of each secret leaf."""
    regex: str
    mac: bytes
    document: Any
    """Kept so that the identity by which a skeleton is remembered stays taken."""


_SLOT = "ENC[kcompile:slot]"


def _skeleton(document: Mapping[str, Any]) -> _Skeleton:
    secret_keys: dict[str, None] = {}
    plain_keys: set[str] = set()
    secrets: list[tuple[bytes, bytes]] = []
    digest = hashlib.sha512()
    for path, value in _leaves(document):
        if isinstance(value, Secret):
            plaintext = value.reveal()
            secrets.append((_aad(path), plaintext))
            secret_keys[path[-1]] = None
        else:
            plaintext = _plaintext(value)[0]
            plain_keys.update(path)
        digest.update(plaintext)
    if not secrets or plain_keys & secret_keys.keys():
        raise ValueError("a sealed document has a secret, under keys that hold nothing else")

    def slotted(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: slotted(child) for key, child in value.items()}
        if isinstance(value, list | tuple):
            return [slotted(child) for child in value]
        return _SLOT if isinstance(value, Secret) else value

    parts = tuple(yamlfmt.dump_sops(slotted(document)).split(_SLOT))
    if len(parts) != len(secrets) + 1:
        raise ValueError("a plain value looks like an encrypted one")
    keys = "|".join(map(re.escape, sorted(secret_keys))).replace("\\-", "-")
    regex = f"^({keys})$" if len(secret_keys) > 1 else f"^{keys}$"
    return _Skeleton(parts, tuple(secrets), regex, digest.hexdigest().upper().encode(), document)


_HOLE = "ENC[]"
"""Stands for a token in the text that all documents share; no recipient and no envelope holds it."""


def _yaml_frame(envelopes: tuple[Envelope, ...], lastmodified: str) -> tuple[str, str]:
    """The sops block of a YAML document before its MAC's token, and after it but for the rule."""
    age = yamlfmt.dump_sops({"sops": {"age": [{"recipient": e.recipient, "enc": e.enc} for e in envelopes]}})
    return f'{age}    lastmodified: "{lastmodified}"\n    mac: ', "\n    encrypted_regex: {}\n    version: {}\n"


def _binary_frame(envelopes: tuple[Envelope, ...], lastmodified: str) -> list[str]:
    """A binary document before its data's token, between that and the MAC's, and after it."""
    document = {
        "data": _HOLE,
        "sops": {
            "age": [{"recipient": e.recipient, "enc": e.enc} for e in envelopes],
            "lastmodified": lastmodified,
            "mac": _HOLE,
            "unencrypted_suffix": "_unencrypted",
            "version": FORMAT_VERSION,
        },
    }
    return (json.dumps(document, indent="\t", ensure_ascii=False) + "\n").split(_HOLE)


class Sealer:
    """Seals documents under one data key, the same bytes each time.

    The initialisation vector of a value is an HMAC over where it stands and what it is, under a key derived
    from the data key: equal values at equal places give equal ciphertext, and no vector is used for two
    different plaintexts. An empty secret cannot be sealed: SOPS leaves empty strings as they are.
    """

    def __init__(self, data_key: Secret, envelopes: tuple[Envelope, ...], lastmodified: str) -> None:
        self._cipher = AESGCM(data_key.reveal())
        self._iv_key = HKDF(SHA256(), 32, salt=None, info=b"kcompile.dev/v1 sops iv").derive(data_key.reveal())
        self._lastmodified = lastmodified
        self._skeletons: dict[int, _Skeleton] = {}
        self._yaml = _yaml_frame(envelopes, lastmodified)
        self._binary = _binary_frame(envelopes, lastmodified)

    def _seal(self, path: str, aad: bytes, plaintext: bytes) -> str:
        if not plaintext:
            raise ValueError("an empty secret cannot be sealed")
        place = path.encode()
        message = b"".join(len(part).to_bytes(8, "big") + part for part in (place, aad, b"str", plaintext))
        return _token(self._cipher, hmac.digest(self._iv_key, message, "sha256"), plaintext, "str", aad)

    def yaml(self, path: str, document: Mapping[str, Any]) -> bytes:
        """A document as a SOPS YAML file, its Secret leaves encrypted. ``path`` is the file's place in the tree."""
        skeleton = self._skeletons.get(id(document))
        if skeleton is None:
            skeleton = self._skeletons[id(document)] = _skeleton(document)
        text = [skeleton.parts[0]]
        for (aad, plaintext), part in zip(skeleton.secrets, skeleton.parts[1:], strict=True):
            text += (self._seal(path, aad, plaintext), part)
        mac = self._seal(path, self._lastmodified.encode(), skeleton.mac)
        head, tail = self._yaml
        text += (head, mac, tail.format(skeleton.regex, FORMAT_VERSION))
        return "".join(text).encode()

    def binary(self, path: str, content: Secret) -> bytes:
        """A whole file as a SOPS binary document. The content must be UTF-8 text, as PEM files and scripts are."""
        plaintext = content.reveal()
        mac = hashlib.sha512(plaintext).hexdigest().upper().encode()
        head, middle, tail = self._binary
        data = self._seal(path, b"data:", plaintext)
        return f"{head}{data}{middle}{self._seal(path, self._lastmodified.encode(), mac)}{tail}".encode()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a sealed file, for all to see, and the line where."""

    line: int
    message: str


class Onlooker:
    """Knows how documents sealed for some envelopes look to whoever cannot open them: all but their tokens."""

    def __init__(self, envelopes: tuple[Envelope, ...], lastmodified: str) -> None:
        self._envelopes = envelopes
        self._skeletons: dict[int, _Skeleton] = {}
        self._yaml = _yaml_frame(envelopes, lastmodified)
        self._binary = _binary_frame(envelopes, lastmodified)

    def yaml(self, document: Mapping[str, Any], content: bytes) -> Fault | None:
        """How a file differs from the document sealed; what its Secret leaves hold does not matter."""
        skeleton = self._skeletons.get(id(document))
        if skeleton is None:
            skeleton = self._skeletons[id(document)] = _skeleton(document)
        head, tail = self._yaml
        *parts, last = skeleton.parts
        return self._told([*parts, last + head, tail.format(skeleton.regex, FORMAT_VERSION)], content)

    def binary(self, content: bytes) -> Fault | None:
        """How a file differs from a sealed binary document."""
        return self._told(self._binary, content)

    def _told(self, texts: Sequence[str], content: bytes) -> Fault | None:
        text = content.decode("utf-8", "replace")
        fault = _difference(texts, text)
        if fault is None:
            return None
        try:
            found = parse(text).envelopes
        except (SopsError, yamlread.YamlError):
            return Fault(fault.line, "is no file that sops sealed")
        if found != self._envelopes:
            return Fault(fault.line, "is not sealed for the recipients and with the envelopes of the secrets file")
        return fault


def _difference(texts: Sequence[str], found: str) -> Fault | None:
    """Where a text is not the given ones with a token between each two of them."""
    place = 0
    for index, text in enumerate(texts):
        if not found.startswith(text, place):
            pairs = enumerate(zip(text, found[place : place + len(text)], strict=False))
            same = next((at for at, (wanted, is_there) in pairs if wanted != is_there), len(found) - place)
            return Fault(found.count("\n", 0, place + same) + 1, "this line is not what the spec gives")
        place += len(text)
        if index < len(texts) - 1:
            token = _TOKEN.match(found, place)
            if token is None or _is_bare(token):
                return Fault(
                    found.count("\n", 0, place) + 1, "holds in plain text, or not encrypted as sops does, a secret"
                )
            place = token.end()
    return None if place == len(found) else Fault(found.count("\n", 0, place) + 1, "goes on where it is to end")


def _is_bare(token: re.Match[str]) -> bool:
    """Whether what stands as a token is none: of the wrong lengths or type, or with a readable text for ciphertext."""
    try:
        data, iv, tag = (base64.b64decode(part, validate=True) for part in token.groups()[:3])
    except ValueError:
        return True
    readable = len(data) >= _TELLING and all(byte in _PRINTABLE for byte in data)
    return readable or not data or (len(iv), len(tag), token[4]) != (32, 16, "str")


_TELLING = 16
"""So many bytes of ciphertext are not all printable by chance, but once in five million."""
_PRINTABLE = frozenset(range(32, 127)) | {9, 10, 13}


def new_data_key() -> Secret:
    """A random 32-byte data key."""
    return Secret(os.urandom(32))


def _random_token(cipher: AESGCM, plaintext: bytes, aad: bytes) -> str:
    return _token(cipher, os.urandom(32), plaintext, "str", aad)


def _encrypted_leaves(value: Any, path: Path, cipher: AESGCM) -> Any:
    """A document with a token, under a random vector, at every Secret."""
    if isinstance(value, Mapping):
        return {key: _encrypted_leaves(child, (*path, key), cipher) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_encrypted_leaves(child, path, cipher) for child in value]
    return _random_token(cipher, value.reveal(), _aad(path)) if isinstance(value, Secret) else value


def write(
    document: Mapping[str, Any], data_key: Secret, envelopes: tuple[Envelope, ...], lastmodified: str, regex: str
) -> str:
    """A document as SOPS YAML text with random vectors; its Secret leaves must be those under keys that match."""
    encrypted = _is_encrypted(("encrypted_regex", regex))
    for path, value in _leaves(document):
        if isinstance(value, Secret) != encrypted(path):
            raise ValueError(f"{'.'.join(path)}: what is secret and what is encrypted are not the same")
    cipher = AESGCM(data_key.reveal())
    digest = hashlib.sha512()
    for _, value in _leaves(document):
        digest.update(value.reveal() if isinstance(value, Secret) else _plaintext(value)[0])
    tree = _encrypted_leaves(document, (), cipher)
    tree["sops"] = {
        "age": [{"recipient": e.recipient, "enc": e.enc} for e in envelopes],
        "lastmodified": lastmodified,
        "mac": _random_token(cipher, digest.hexdigest().upper().encode(), lastmodified.encode()),
        "encrypted_regex": regex,
        "version": FORMAT_VERSION,
    }
    return yamlfmt.dump_sops(tree)


Entry = dict[str, Any]


def amend(
    text: str,
    data_key: Secret,
    lastmodified: str,
    added: Mapping[str, Sequence[Entry]],
    changed: Mapping[str, Mapping[int, Entry | None]] = MappingProxyType({}),
) -> str:
    """A SOPS YAML file with entries added to top-level lists, and some replaced, or removed where they are None.

    No other line changes but lastmodified and mac. Raises SopsError when the file's encryption rule would not seal
    what is secret in them, and where a list is not written as sops writes one.
    """
    cipher = AESGCM(data_key.reveal())
    encrypted = _is_encrypted(parse(text).rule)

    def sealed(key: str, entry: Entry) -> Entry:
        for path, value in _leaves(entry, (key,)):
            if isinstance(value, Secret) and not encrypted(path):
                raise SopsError(f"its encryption rule does not cover {'.'.join(path)}")
            if not isinstance(value, Secret) and encrypted(path):
                raise SopsError(f"its encryption rule covers {'.'.join(path)}, which is public: add it with sops")
        encrypted_entry: Entry = _encrypted_leaves(entry, (key,), cipher)
        return encrypted_entry

    for key, entries in changed.items():
        text = _with_changes(text, key, {i: entry and sealed(key, entry) for i, entry in entries.items()})
    for key, new in added.items():
        text = _with_entries(text, key, [sealed(key, entry) for entry in new])
    _, digest = _decrypted(parse(text), cipher)
    text = _with_metadata(text, "lastmodified", f'"{lastmodified}"')
    return _with_metadata(text, "mac", _random_token(cipher, digest, lastmodified.encode()))


def _top_level(text: str, key: str) -> tuple[yamlread.Node, yamlread.Node] | None:
    root = yamlread.compose(text)
    pairs = root.value if isinstance(root, yamlread.MappingNode) else []
    return next(((name, value) for name, value in pairs if name.value == key), None)


def _block(key: str, entries: Sequence[Entry], indent: int) -> list[str]:
    """Entries of a top-level list as sops writes them, with their dashes in a column."""
    lines = yamlfmt.dump_sops({key: entries}).removesuffix("\n").split("\n")[1:]
    shift = indent - 4  # dump_sops puts the entries of a top-level list at column 4
    return [line[-shift:] if shift < 0 else " " * shift + line for line in lines]


def _spread(key: str, node: yamlread.Node) -> yamlread.SequenceNode:
    if not isinstance(node, yamlread.SequenceNode) or node.flow_style:
        raise SopsError(f"{key} is written in one line: run `sops edit` once, which spreads it")
    return node


def _with_entries(text: str, key: str, entries: Sequence[Entry]) -> str:
    lines = text.split("\n")
    found = _top_level(text, key)
    if found is None or not found[1].value:
        block = yamlfmt.dump_sops({key: entries}).removesuffix("\n").split("\n")
        if found is not None:
            start = found[0].start_mark.line
            return "\n".join([*lines[:start], *block, *lines[start + 1 :]])
        sops_key = _top_level(text, "sops")
        start = sops_key[0].start_mark.line if sops_key else len(lines)
        return "\n".join([*lines[:start], *block, *lines[start:]])
    node = _spread(key, found[1])
    start = node.start_mark.line
    return "\n".join([*lines[:start], *_block(key, entries, node.start_mark.column), *lines[start:]])


def _end(node: yamlread.Node) -> int:
    """The line behind a node's last one. A collection's own mark is behind the comments that follow it."""
    if isinstance(node, yamlread.MappingNode | yamlread.SequenceNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.line + (1 if node.end_mark.column else 0)


def _with_changes(text: str, key: str, changes: Mapping[int, Entry | None]) -> str:
    found = _top_level(text, key)
    if found is None:
        raise SopsError(f"it has no {key}")
    node = _spread(key, found[1])
    lines = text.split("\n")
    for index in sorted(changes, reverse=True):
        item, entry = node.value[index], changes[index]
        start = item.start_mark.line
        if not lines[start].strip().startswith("- "):
            raise SopsError(f"{key} is laid out in an unusual way: run `sops edit` once, which spreads it")
        lines[start : _end(item)] = [] if entry is None else _block(key, [entry], node.start_mark.column)
    if all(changes.get(index, item) is None for index, item in enumerate(node.value)):
        del lines[found[0].start_mark.line]
    return "\n".join(lines)


def _with_metadata(text: str, key: str, value: str) -> str:
    """The text with a scalar of the sops block replaced."""
    found = _top_level(text, "sops")
    pairs = found[1].value if found else []
    node = next(value for name, value in pairs if name.value == key)
    start, end = node.start_mark, node.end_mark
    lines = text.split("\n")
    head, tail = lines[start.line][: start.column], lines[end.line][end.column :]
    return "\n".join([*lines[: start.line], f"{head}{value}{tail}", *lines[end.line + 1 :]])


def revealed(value: Any) -> Any:
    """A document with its secrets in the clear: what a sealed file is once it is opened for its owner."""
    if isinstance(value, Mapping):
        return {key: revealed(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(child) for child in value]
    return value.reveal().decode() if isinstance(value, Secret) else value
