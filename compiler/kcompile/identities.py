"""Where age identities are looked for: in the same places as sops does."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kcompile import age, filesystem
from kcompile.errors import Position, Problem, SecretsError
from kcompile.secret import Secret
from kcompile.sops import Envelope

_COMMAND_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Found:
    """The identities found, and for each place that was named or that has something, what was there."""

    identities: list[object] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Those of the notes that are of a place the environment names and that gives no identity."""

    def note(self, text: str, *, fault: bool = False) -> None:
        """Say what was at a place."""
        self.notes.append(text)
        if fault:
            self.faults.append(text)


def default_key_file(environ: Mapping[str, str]) -> Path | None:
    """SOPS's default key file."""
    directory = filesystem.sops_config_dir(environ)
    return None if directory is None else directory / "sops" / "age" / "keys.txt"


def _native(found: Found, place: str, content: Secret, *, named: bool) -> None:
    count = 0
    for number, line in enumerate(content.reveal().decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            recipient, identity = age.native_identity(Secret(text.encode()))
        except age.AgeError:
            found.note(f"{place}: line {number} is not an age identity", fault=named)
            continue
        found.identities.append(identity)
        found.recipients.append(recipient)
        count += 1
    found.note(f"{place}: {count} {'identity' if count == 1 else 'identities'}", fault=named and not count)


def _file(found: Found, place: str, path: Path, *, named: bool) -> Secret | None:
    try:
        return Secret(path.read_bytes())
    except OSError as error:
        if named or not isinstance(error, FileNotFoundError):
            found.note(f"{place}: {error.strerror or 'cannot be read'}", fault=named)
        return None


def _ssh(found: Found, place: str, path: Path, *, named: bool) -> None:
    content = _file(found, place, path, named=named)
    if content is None:
        return
    try:
        found.identities.append(age.ssh_identity(content))
        found.note(f"{place}: an SSH key")
    except age.AgeError:
        found.note(f"{place}: not an SSH key that age can use without a passphrase", fault=named)


def _command(found: Found, command: str, environ: Mapping[str, str]) -> None:
    place = "SOPS_AGE_KEY_CMD"
    try:
        result = subprocess.run(  # noqa: S603 - the user's own command, split without a shell, as sops runs it
            shlex.split(command), capture_output=True, check=True, timeout=_COMMAND_TIMEOUT_SECONDS, env=dict(environ)
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = f"exit status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else "failed"
        found.note(f"{place}: {reason}", fault=True)
        return
    _native(found, place, Secret(result.stdout), named=True)


def find(environ: Mapping[str, str]) -> Found:
    """Every identity at hand. A place that cannot be used is only noted: another may open the file."""
    found = Found()
    home = environ.get("HOME")
    explicit_ssh = environ.get("SOPS_AGE_SSH_PRIVATE_KEY_FILE")
    if explicit_ssh:
        _ssh(found, f"SOPS_AGE_SSH_PRIVATE_KEY_FILE ({explicit_ssh})", Path(explicit_ssh), named=True)
    if home:
        for name in ("id_ed25519", "id_rsa"):
            _ssh(found, f"~/.ssh/{name}", Path(home, ".ssh", name), named=False)
    if environ.get("SOPS_AGE_KEY"):
        _native(found, "SOPS_AGE_KEY", Secret(os.fsencode(environ["SOPS_AGE_KEY"])), named=True)
    key_file = environ.get("SOPS_AGE_KEY_FILE")
    if key_file:
        place = f"SOPS_AGE_KEY_FILE ({key_file})"
        content = _file(found, place, Path(key_file), named=True)
        if content is not None:
            _native(found, place, content, named=True)
    if environ.get("SOPS_AGE_KEY_CMD"):
        _command(found, environ["SOPS_AGE_KEY_CMD"], environ)
    default = default_key_file(environ)
    if default is not None:
        content = _file(found, shown(default, home), default, named=False)
        if content is not None:
            _native(found, shown(default, home), content, named=False)
    return found


def shown(path: Path, home: str | None) -> str:
    """A path as a person writes it, with ``~`` for their home."""
    return f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path)


def open_data_key(file: str, envelopes: tuple[Envelope, ...], environ: Mapping[str, str]) -> Secret:
    """The data key of a SOPS file. Raises SecretsError, which says where keys were looked for."""
    found = find(environ)
    damaged = []
    for envelope in envelopes if found.identities else ():
        try:
            key = age.decrypt(envelope.enc, found.identities)
        except age.AgeError:
            damaged.append(envelope.recipient)
            continue
        if key is not None and len(key.reveal()) == 32:
            return key
    if damaged:
        message = f"no identity opens this file, and its data key for {', '.join(damaged)} is damaged"
        raise SecretsError(Problem("K0902", message, hint="restore the file from git", position=Position(file, 1, 1)))
    wanted = ", ".join(envelope.recipient for envelope in envelopes) or "no age recipient at all"
    hint = "set SOPS_AGE_KEY_FILE to the file with an identity of one of them; looked where sops looks, and found "
    raise SecretsError(
        Problem(
            "K0902",
            f"no identity opens this file. It is sealed for: {wanted}",
            hint=hint + ("; ".join(found.notes) or "nothing"),
            position=Position(file, 1, 1),
        )
    )
