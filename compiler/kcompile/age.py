"""age, by way of pyrage: recipients, identities, and the wrapping of a data key."""

from __future__ import annotations

import pyrage

from kcompile.secret import Secret

_ErrorTypes = (pyrage.RecipientError, pyrage.IdentityError, pyrage.EncryptError, pyrage.DecryptError)


_NO_MATCH = "No matching keys"
"""What pyrage says of a whole age file that is for others."""


class AgeError(Exception):
    """An operation of age failed. The text never holds key material."""


def _recipient(text: str) -> object:
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    return kind.from_str(text.strip())


def is_recipient(text: str) -> bool:
    """Whether the text is a recipient that age can encrypt to."""
    try:
        _recipient(text)
    except (*_ErrorTypes, ValueError):
        return False
    return True


def generate_identity() -> tuple[str, Secret]:
    """A new X25519 identity: its recipient and its AGE-SECRET-KEY-1… line."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), Secret(str(identity).encode())


def native_identity(line: Secret) -> tuple[str, object]:
    """The recipient and the identity of an AGE-SECRET-KEY-1… line. Raises AgeError."""
    try:
        identity = pyrage.x25519.Identity.from_str(line.reveal().decode("ascii"))
    except (*_ErrorTypes, ValueError):
        raise AgeError("not an age identity") from None
    return str(identity.to_public()), identity


def ssh_identity(pem: Secret) -> object:
    """The identity of an SSH private key file without a passphrase. Raises AgeError."""
    try:
        return pyrage.ssh.Identity.from_buffer(pem.reveal())
    except (*_ErrorTypes, ValueError):
        raise AgeError("not an SSH private key that age can use") from None


def is_envelope(text: str) -> bool:
    """Whether the text is, by its first and last line, an armored age file."""
    lines = text.rstrip("\n").split("\n")
    return lines[0] == "-----BEGIN AGE ENCRYPTED FILE-----" and lines[-1] == "-----END AGE ENCRYPTED FILE-----"


def encrypt(plaintext: Secret, recipient: str) -> str:
    """An armored age file of the plaintext for one recipient; random each time. Raises AgeError."""
    try:
        armored: bytes = pyrage.encrypt(plaintext.reveal(), [_recipient(recipient)], armored=True)
    except (*_ErrorTypes, ValueError):
        raise AgeError("cannot encrypt to the recipient") from None
    return armored.decode("ascii")


def decrypt(armored: str, identities: list[object]) -> Secret | None:
    """The plaintext of an age file, or None when no identity opens it. Raises AgeError when it is damaged."""
    try:
        return Secret(pyrage.decrypt(armored.encode("ascii"), identities))
    except (*_ErrorTypes, ValueError) as error:
        if _NO_MATCH in str(error):
            return None
        raise AgeError("the age file is damaged") from None
