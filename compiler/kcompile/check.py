"""Whether a tree that stands is what its spec and its secrets file give: compiled anew, and compared byte for byte.

Without an identity, everything that needs no secret is compiled, and the rest is looked at (:mod:`kcompile.witness`).
With one the whole tree is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kcompile import __version__, hostkeys, load, pipeline, reading, secretsfile, sops, spec_and_secrets, store
from kcompile.artifact import MANIFEST, SCRIPT_MODE, SEALED, SIGNATURE, TreeFile
from kcompile.errors import KcompileError, Position, Problem, SecretsError, Severity, errors_among
from kcompile.hosts import resolve
from kcompile.secret import looks_secret
from kcompile.witness import Looker, Witness

_DESCRIPTIONS = re.compile(r"README\.md|kcompile\.json(\.sig)?|hosts/[^/]+/host\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ROLES = {"spec": "spec", "secrets": "secrets file", "manifests": "manifests", "certificates": "certificates"}
MAX_PROBLEMS = 1000


@dataclass(frozen=True)
class Checked:
    """What was found out about a tree."""

    root: Path
    problems: tuple[Problem, ...]
    """What is wrong with the tree, and the warnings about its spec."""
    files: int
    certificates: int
    sealed: int
    """How many sealed files there are whose secrets were not compared, because no identity opens them."""

    @property
    def is_right(self) -> bool:
        """Whether the tree is what its spec and its secrets file give."""
        return not errors_among(self.problems)


@dataclass(frozen=True)
class _Manifest:
    """kcompile.json as it stands, as far as it can be read."""

    content: bytes | None
    encoded_signature: bytes

    @cached_property
    def signature(self) -> bytes:
        """The signature beside it; nothing where that is none."""
        try:
            return base64.b64decode(self.encoded_signature)
        except binascii.Error:
            return b""

    @cached_property
    def document(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self.content or b"")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) and found.get("kind") == "TreeManifest" else {}

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The digest of each file that it lists."""
        files = self.document.get("files")
        entries = [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
        return {str(entry.get("path")): str(entry.get("sha256")) for entry in entries}

    @property
    def inputs(self) -> pipeline.Inputs | None:
        """The digests of what the tree was built from; None where that is not what it looks like."""
        inputs = self.document.get("inputs")
        if not isinstance(inputs, dict) or not {"spec", "secrets", "manifests"} <= inputs.keys() <= _ROLES.keys():
            return None
        for role, digests in inputs.items():
            if not isinstance(digests, dict) or not all(isinstance(value, str) for value in digests.values()):
                return None
            if role in ("spec", "secrets") and digests.keys() != {"file", "sha256"}:
                return None
        return inputs

    @property
    def tool_version(self) -> str | None:
        """The version of kcompile that built the tree."""
        version = self.document.get("kcompile")
        return version if isinstance(version, str) else None

    def is_signed_by(self, public_key: str) -> bool:
        """Whether it is signed with the key of a public key (PEM)."""
        try:
            key = serialization.load_pem_public_key(public_key.encode())
            if not isinstance(key, ed25519.Ed25519PublicKey):
                return False
            key.verify(self.signature, self.content or b"")
        except (ValueError, InvalidSignature):
            return False
        return True


def check(file: str, out: Path, environ: Mapping[str, str], now: datetime) -> Checked:
    """Hold the tree of a spec against what the spec and its secrets file give. Raises KcompileError."""
    spec = reading.read_spec(file, now, Severity.ERROR)
    cluster = resolve(spec.cluster)
    root = out / cluster.name
    standing = store.standing(root)
    secrets_file = secretsfile.path_for(file)
    closed = secretsfile.of_spec(file)
    secrets = secretsfile.with_certificates(closed.secrets, spec.certificates)
    spec_and_secrets.check_agreement(spec, cluster, secrets, closed.recipients)
    inputs = pipeline.inputs_of(spec, secrets_file, closed.content)

    manifest = _Manifest(standing.files.get(MANIFEST), standing.files.get(SIGNATURE, b""))
    witness = Witness(cluster, secrets, standing.files, manifest.signature)
    issued_at = spec.cluster.spec.pki.issued_at
    own = {
        entry.node: sops.Onlooker(hostkeys.envelopes(entry), issued_at) for entry in hostkeys.of_hosts(cluster, secrets)
    }
    common = sops.Onlooker(closed.file.envelopes, issued_at)
    looker = Looker(witness, own, common, standing.files, manifest.recorded)
    built_from, built_by = manifest.inputs or inputs, manifest.tool_version or __version__
    wanted = pipeline.assemble(spec, cluster, witness, built_from, looker, built_by)
    comparison = _Comparison(
        root=root,
        spec=file,
        standing=standing,
        manifest=manifest,
        signer=secrets.manifest_signing.public_key,
        changed=_changed(inputs, built_from, manifest.tool_version),
        wanted={found.path: found for found in wanted},
        faults=looker.faults,
    )
    sealed = sum(SEALED.match(found.path) is not None for found in wanted)
    opened, doubts = _opened(secrets_file, environ)
    if opened is not None:
        keyring = pipeline.keyring_of(spec, cluster, opened.secrets, opened.recipients)
        real = pipeline.assemble(spec, cluster, keyring, built_from, pipeline.sealing(spec, cluster, opened), built_by)
        comparison.compare_secrets(real)
    problems = tuple(comparison.problems())
    if len(problems) > MAX_PROBLEMS:
        more = Problem(
            "K0208", f"and {len(problems) - MAX_PROBLEMS:,} more problems", position=Position(str(root), 1, 1)
        )
        problems = (*problems[:MAX_PROBLEMS], more)
    warnings = () if problems else spec.warnings
    return Checked(root, (*warnings, *doubts, *problems), len(wanted), witness.verified, 0 if opened else sealed)


_NAMED = ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE")


def _opened(secrets_file: str, environ: Mapping[str, str]) -> tuple[secretsfile.Opened | None, tuple[Problem, ...]]:
    """The secrets file, where an identity at hand opens it; a warning where one was named that does not.

    Raises SecretsError where it is opened, and what is in it was changed.
    """
    try:
        return secretsfile.open_file(secrets_file, environ), ()
    except SecretsError as error:
        if any(problem.code != "K0902" for problem in error.problems):
            raise
        named = any(environ.get(name) for name in _NAMED)
        return None, tuple(replace(p, severity=Severity.WARNING) for p in error.problems if named)


def without_a_spec(out: Path, specs: Sequence[str], *, whole: bool) -> tuple[Problem, ...]:
    """Trees that none of the specs is for, though they say that they were built from one that stood beside these.

    Where the specs are the ``whole`` of a directory, every directory among the trees has to be one of theirs.
    """
    checked, places = set(), {Path(spec).parent for spec in specs}
    for spec in specs:
        with suppress(KcompileError):
            data = load.parse(spec, load.read_file(spec)).data
            metadata = data.get("metadata") if isinstance(data, Mapping) else None
            checked.add(str(metadata.get("name")) if isinstance(metadata, Mapping) else "")
    found = []
    for root in sorted(out.iterdir()) if out.is_dir() else ():
        if root.name in checked or root.name.startswith(".") or not root.is_dir():
            continue
        try:
            content = (root / MANIFEST).read_bytes()
        except OSError:
            content = b""
        inputs = _Manifest(content, b"").inputs
        file = inputs["spec"]["file"] if inputs else None
        gone = file is not None and not any((place / file).exists() for place in places)
        if gone or whole:
            message = f"its spec, {file}, is not there" if gone else "no spec is for this tree"
            hint = "remove the tree together with its spec, or restore the spec from git"
            found.append(Problem("K1113", message, hint=hint, position=Position(str(root), 1, 1)))
    return tuple(found)


def _changed(inputs: pipeline.Inputs, built_from: pipeline.Inputs, built_by: str | None) -> tuple[str, ...]:
    """What is not what the tree was built from, or with."""
    changed = []
    for role, what in _ROLES.items():
        own, former = inputs.get(role, {}), built_from.get(role, {})
        if own != former:
            name = f"another {own.get('file', what)}" if role in ("spec", "secrets") else f"other {what}"
            changed.append(f"from {name}")
    if built_by is not None and built_by != __version__:
        changed.append(f"with kcompile {built_by} (this is {__version__})")
    return tuple(changed)


@dataclass
class _Comparison:
    """A tree that stands, and the one that is to stand there."""

    root: Path
    spec: str
    standing: store.Standing
    manifest: _Manifest
    signer: str
    changed: tuple[str, ...]
    wanted: Mapping[str, TreeFile]
    faults: dict[str, sops.Fault]

    @cached_property
    def _is_authentic(self) -> bool:
        return self.manifest.is_signed_by(self.signer)

    @cached_property
    def _is_stale(self) -> bool:
        """Whether it is the tree of other inputs or of another kcompile, and says so itself."""
        return bool(self.changed) and self._is_authentic

    @cached_property
    def _by_digest(self) -> dict[str, str]:
        """A path that each digest is recorded for."""
        return {digest: path for path, digest in reversed(self.manifest.recorded.items())}

    def _at(self, path: str, line: int = 1, excerpt: str | None = None) -> Position:
        shown = excerpt if excerpt is None or not looks_secret(excerpt) else None
        return Position(str(self.root / path), line, 1, max(1, len(shown or "")), shown)

    def compare_secrets(self, real: Sequence[TreeFile]) -> None:
        """Take as faulty the sealed files that are right to the eye, and not what the secrets give."""
        for file in real:
            standing = self.standing.files.get(file.path)
            if SEALED.match(file.path) and standing is not None and standing != file.content:
                self.faults.setdefault(file.path, sops.Fault(1, "its secrets are not those of the secrets file"))

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong, by path."""
        if not self.standing.files and not self.standing.others:
            hint = f"`kcompile build {shlex.quote(self.spec)}` makes it"
            yield Problem("K1101", "there is no tree", hint=hint, position=Position(str(self.root), 1, 1))
            return
        stale: list[str] = []
        found = []
        for path in sorted({*self.wanted, *self.standing.files, *self.standing.others}):
            problem = self._of_file(path)
            if problem is not None and self._is_from_the_build(path):
                stale.append(path)
            elif problem is not None:
                found.append(problem)
        yield from self._of_the_whole(stale)
        yield from found

    def _of_the_whole(self, stale: Sequence[str]) -> Iterator[Problem]:
        build = f"`kcompile build {shlex.quote(self.spec)}`"
        if self.manifest.content is not None and not self.manifest.document:
            hint = f"restore it from git, or {build}"
            yield Problem("K1114", "is no tree manifest of kcompile", hint=hint, position=self._at(MANIFEST))
        elif {MANIFEST, SIGNATURE} <= self.standing.files.keys() and not self._is_authentic:
            message = "is not signed with the key in the secrets file: it was changed, or signed by someone else"
            hint = f"restore both from git, or {build}, and ask where it came from"
            yield Problem("K1109", message, hint=hint, position=self._at(MANIFEST))
        if self.changed:
            message = f"the tree was built {' and '.join(self.changed)}"
            count = len([path for path in stale if not _DESCRIPTIONS.fullmatch(path)])
            files = f"{count} file is" if count == 1 else f"{count} files are"
            if count:
                message += f": {files} not what would be built now"
            elif self._is_authentic:
                message += "; only what describes the tree would be other"
            hint = f"{build} brings it up to date; `kcompile diff {shlex.quote(self.spec)}` tells what changes"
            yield Problem("K1110", message, hint=hint, position=self._at(MANIFEST))

    def _is_from_the_build(self, path: str) -> bool:
        """Whether a file stands as the build left it whose inputs have changed since."""
        if not self._is_stale:
            return False
        standing, recorded = self.standing.files.get(path), self.manifest.recorded.get(path)
        if standing is None:
            return recorded is None and path not in self.standing.others
        return path in (MANIFEST, SIGNATURE) or hashlib.sha256(standing).hexdigest() == recorded

    def _of_file(self, path: str) -> Problem | None:
        """What is wrong with one file."""
        build = f"`kcompile build {shlex.quote(self.spec)}` writes it anew"
        if path in self.standing.others:
            return Problem(
                "K1106",
                "is no regular file, or too large for one of a tree",
                hint="remove it, then " + build,
                position=self._at(path),
            )
        if path not in self.wanted:
            if path in self.manifest.recorded:
                message, hint = "is not in what the spec gives", f"{build}, without it"
            else:
                message = "was added: kcompile did not write it"
                hint = "remove it, or keep it outside the tree; what hosts need belongs in the spec"
            return Problem("K1103", message, hint=hint, position=self._at(path))
        wanted, standing = self.wanted[path], self.standing.files.get(path)
        if standing is None:
            return Problem("K1102", "is missing", hint=f"restore it from git, or {build}", position=self._at(path))
        if path == MANIFEST and not self._is_authentic:
            return None  # told of the whole
        fault = self.faults.get(path)
        if fault is None and standing == wanted.content:
            executable = wanted.mode == SCRIPT_MODE and path.endswith(".sh")
            if executable == (path in self.standing.executable):
                return None
            message = "is not executable" if executable else "is executable"
            return Problem("K1106", f"{message}, unlike what is built", hint=build, position=self._at(path))
        return self._that_differs(path, standing, wanted, fault, build)

    def _that_differs(
        self, path: str, standing: bytes, wanted: TreeFile, fault: sops.Fault | None, build: str
    ) -> Problem:
        digest = hashlib.sha256(standing).hexdigest()
        recorded = self.manifest.recorded.get(path)
        other = self._by_digest.get(digest, path)
        if fault is None:
            line, excerpt, is_to_be = _first_difference(standing, wanted.content)
            fault, position = sops.Fault(line, is_to_be), self._at(path, line, excerpt)
        else:
            position = self._at(path, fault.line)
        if recorded != digest and other != path:
            return Problem("K1105", f"holds what belongs to {other}", hint=build, position=self._at(path))
        if recorded is not None and recorded != digest:
            hint = f"{build}; what is to stay belongs in the spec"
            return Problem("K1104", f"was changed after it was built: {fault.message}", hint=hint, position=position)
        code = "K1107"
        if SEALED.match(path):
            code = "K1112"
        elif path in self.faults:
            code = "K1108"
        return Problem(code, fault.message, hint=build, position=position)


def _first_difference(standing: bytes, wanted: bytes) -> tuple[int, str | None, str]:
    """The first line that differs: its number, what it is, and what it is to be, in words."""
    own, other = (content.decode("utf-8", "replace").split("\n") for content in (standing, wanted))
    for number, (is_line, to_be) in enumerate(zip_longest(own, other), 1):
        if is_line != to_be:
            if is_line is None:
                return number - 1, own[-1], "ends where it is to go on"
            if to_be is None or number == len(other):
                return number, is_line, "goes on where it is to end"
            shown = "another" if looks_secret(to_be) or len(to_be) > _LONG else to_be.strip() or "empty"
            return number, is_line, f"this line is to be {shown}"
    return 1, None, "differs in its line ends"


_LONG = 120
