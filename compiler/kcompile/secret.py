"""A type for bytes that must not be seen.

Secret material (private keys, token secrets, SOPS data keys) travels through the program as
:class:`Secret`. Nothing that prints, logs, formats or serialises a value shows what is inside; the one
way in is :meth:`Secret.reveal`, so that every use can be found by searching for that word.
"""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

_KEY = r"AGE-(SECRET-KEY|PLUGIN-\w+)-\S*|-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*|b3BlbnNzaC1rZXktdjEA\S*"
"""An age identity, a PEM key, or what an OpenSSH key begins with ("openssh-key-v1" in base64)."""
_LOOKS_SECRET = re.compile(rf"{_KEY}|\b[a-z0-9]{{6}}\.[a-z0-9]{{16}}\b", re.IGNORECASE | re.DOTALL)
"""A key or a whole bootstrap token, wherever a person may have pasted one."""
_IS_KEY = re.compile(_KEY, re.IGNORECASE | re.DOTALL)


def looks_secret(text: str) -> bool:
    """Whether there is something in a text that must not be repeated."""
    return _LOOKS_SECRET.search(text) is not None


def holds_key(text: str) -> bool:
    """Whether there is a key in a text, which a token may only look like: a name can have the form of one."""
    return _IS_KEY.search(text) is not None


_HOLDS_SECRETS = re.compile(
    r"""\bkind["']?\s*:\s*["']?ClusterSecrets\b|-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----""", re.IGNORECASE
)
"""A secrets file, whatever it is called, or a file with a private key in it: any of its lines may be part of one."""
_MAY_BE_SECRET = re.compile(
    r"""(key|secret|token|passw(or)?d|passphrase|credential)s?["']?\s*:\s*\S"""
    r"""|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}+(?!["']?:)|[A-Za-z0-9+/]{2}=""",
    re.IGNORECASE,
)
"""A value below such a name, or what may be base64. Each word is looked at once: a line may be a whole file."""


def holds_secrets(text: str) -> bool:
    """Whether a file's text is one of which no line may be repeated."""
    return _HOLDS_SECRETS.search(text) is not None


def may_be_secret(line: str) -> bool:
    """Whether a line that could not be read may hold a secret: it is not known which value stands where."""
    return looks_secret(line) or _MAY_BE_SECRET.search(line) is not None


def redacted(text: str) -> str:
    """A text without what looks secret in it."""
    return _LOOKS_SECRET.sub("<secret>", text)


class Secret:
    """Bytes that print as ``<secret>`` and can be read only by :meth:`reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves. The caller must not print, log or store them in the clear."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> NoReturn:
        raise TypeError("a Secret is not a dictionary key")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")


class Sealed:
    """Stands where a secret is, in a document that was read without a key to open it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<sealed>"


SEALED = Sealed()
