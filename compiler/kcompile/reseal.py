"""Sealed files under another data key, sealed anew under the one at hand: only so can what is in them be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kcompile import identities, sops, yamlread
from kcompile.diff import File, Tree, under_another_key
from kcompile.errors import SecretsError
from kcompile.secret import Secret


def resealed(before: Tree, after: Tree, environ: Mapping[str, str]) -> Tree:
    """``before`` with what is sealed in it under the data keys of ``after``, where an identity opens both.

    Secrets that are equal are then equal bytes.
    """
    paths = under_another_key(before, after)
    opener = _Opener(environ)
    files: dict[str, File] = {}
    for path in paths:
        try:
            content = opener.sealed_as(path, before.files[path].content, after.files[path].content)
        except (SecretsError, sops.SopsError, yamlread.YamlError, ValueError):
            continue
        files[path] = replace(before.files[path], content=content)
    return Tree(before.name, {**before.files, **files})


class _Opener:
    """Data keys by their envelopes, each opened once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._keys: dict[tuple[sops.Envelope, ...], Secret] = {}

    def _key(self, path: str, file: sops.SopsFile) -> Secret:
        if file.envelopes not in self._keys:
            self._keys[file.envelopes] = identities.open_data_key(path, file.envelopes, self._environ)
        return self._keys[file.envelopes]

    def sealed_as(self, path: str, content: bytes, pattern: bytes) -> bytes:
        """A sealed file, under the key and with the envelopes of another."""
        own, other = (sops.parse(yamlread.decode(found)) for found in (content, pattern))
        document = sops.opened(own, self._key(path, own))
        sealer = sops.Sealer(self._key(path, other), other.envelopes, other.lastmodified)
        data = document.get("data")
        if content.startswith(b"{") and isinstance(data, Secret):
            return sealer.binary(path, data)
        return sealer.yaml(path, document)
