"""Where age identities are looked for: in the same places as sops does."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kcompile import age, filesystem
from kcompile.errors import Position, Problem, SecretsError
from kcompile.secret import Secret
from kcompile.sops import Envelope

_COMMAND_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Found:
    """The identities found, and for each place what was there."""

    identities: list[object] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def default_key_file(environ: Mapping[str, str]) -> Path | None:
    """SOPS's default key file."""
    directory = filesystem.sops_config_dir(environ)
    return None if directory is None else directory / "sops" / "age" / "keys.txt"


def _native(found: Found, place: str, content: Secret) -> None:
    count = 0
    for number, line in enumerate(content.reveal().decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            recipient, identity = age.native_identity(Secret(text.encode()))
        except age.AgeError:
            found.notes.append(f"{place}: line {number} is not an age identity")
            continue
        found.identities.append(identity)
        found.recipients.append(recipient)
        count += 1
    found.notes.append(f"{place}: {count} {'identity' if count == 1 else 'identities'}")


def _file(found: Found, place: str, path: Path) -> Secret | None:
    try:
        return Secret(path.read_bytes())
    except OSError as error:
        found.notes.append(f"{place}: {error.strerror or 'cannot be read'}")
        return None


def _ssh(found: Found, place: str, path: Path) -> None:
    content = _file(found, place, path)
    if content is None:
        return
    try:
        found.identities.append(age.ssh_identity(content))
        found.notes.append(f"{place}: an SSH key")
    except age.AgeError:
        found.notes.append(f"{place}: not an SSH key that age can use without a passphrase")


def _command(found: Found, command: str, environ: Mapping[str, str]) -> None:
    place = "SOPS_AGE_KEY_CMD"
    try:
        result = subprocess.run(  # noqa: S603 - the user's own command, split without a shell, as sops runs it
            shlex.split(command), capture_output=True, check=True, timeout=_COMMAND_TIMEOUT_SECONDS, env=dict(environ)
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = f"exit status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else "failed"
        found.notes.append(f"{place}: {reason}")
        return
    _native(found, place, Secret(result.stdout))


def find(environ: Mapping[str, str]) -> Found:
    """Every identity at hand. A place that cannot be used is only noted: another may open the file."""
    found = Found()
    home = environ.get("HOME")
    explicit_ssh = environ.get("SOPS_AGE_SSH_PRIVATE_KEY_FILE")
    if explicit_ssh:
        _ssh(found, f"SOPS_AGE_SSH_PRIVATE_KEY_FILE ({explicit_ssh})", Path(explicit_ssh))
    if home:
        for name in ("id_ed25519", "id_rsa"):
            _ssh(found, f"~/.ssh/{name}", Path(home, ".ssh", name))
    if environ.get("SOPS_AGE_KEY"):
        _native(found, "SOPS_AGE_KEY", Secret(os.fsencode(environ["SOPS_AGE_KEY"])))
    key_file = environ.get("SOPS_AGE_KEY_FILE")
    if key_file:
        place = f"SOPS_AGE_KEY_FILE ({key_file})"
        content = _file(found, place, Path(key_file))
        if content is not None:
            _native(found, place, content)
    if environ.get("SOPS_AGE_KEY_CMD"):
        _command(found, environ["SOPS_AGE_KEY_CMD"], environ)
    default = default_key_file(environ)
    if default is not None:
        content = _file(found, shown(default, home), default)
        if content is not None:
            _native(found, shown(default, home), content)
    return found


def shown(path: Path, home: str | None) -> str:
    """A path as a person writes it, with ``~`` for their home."""
    return f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path)


def _unset(environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"):
        if not environ.get(name):
            yield name


def open_data_key(file: str, envelopes: tuple[Envelope, ...], environ: Mapping[str, str]) -> Secret:
    """The data key of a SOPS file. Raises SecretsError, which says where keys were looked for."""
    found = find(environ)
    if found.identities:
        for envelope in envelopes:
            key = age.decrypt(envelope.enc, found.identities)
            if key is not None and len(key.reveal()) == 32:
                return key
    wanted = ", ".join(envelope.recipient for envelope in envelopes) or "no age recipient at all"
    looked = "; ".join([*found.notes, *(f"{name}: not set" for name in _unset(environ))])
    raise SecretsError(
        Problem(
            f"no identity opens this file. It is sealed for: {wanted}",
            hint=f"looked in {looked}",
            position=Position(file, 1, 1),
        )
    )
