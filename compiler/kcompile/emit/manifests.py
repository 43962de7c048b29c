"""The spec's own cluster objects, passed on as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcompile.artifact import Artifact


def emit(manifests: Mapping[str, bytes]) -> Iterator[Artifact]:
    """Files named in the spec, in its order. Contents by path."""
    for path, content in manifests.items():
        yield Artifact(f"cluster/manifests/{path}", content)
