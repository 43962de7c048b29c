"""A type for bytes that must not be seen.

Secret material (private keys, token secrets, SOPS data keys) travels through the program as
:class:`Secret`. Nothing that prints, logs, formats or serialises a value shows what is inside; the one
way in is :meth:`Secret.reveal`, so that every use can be found by searching for that word.
"""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

_LOOKS_SECRET = re.compile(
    r"AGE-(SECRET-KEY|PLUGIN-\w+)-\S*|-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*|\b[a-z0-9]{6}\.[a-z0-9]{16}\b",
    re.IGNORECASE | re.DOTALL,
)
"""An age identity, a PEM key, or a whole bootstrap token, wherever a person may have pasted one."""


def looks_secret(text: str) -> bool:
    """Whether there is something in a text that must not be repeated."""
    return _LOOKS_SECRET.search(text) is not None


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
