"""Artifacts to the files of a tree: secrets sealed, digests taken."""

from __future__ import annotations

import hashlib

from kcompile.artifact import Artifact, SealedBinary, SealedYaml, TreeFile
from kcompile.sops import Sealer


def seal(artifact: Artifact, sealer: Sealer) -> TreeFile:
    """An artifact as its bytes stand in the tree."""
    path, content = artifact.tree_path, artifact.content
    if isinstance(content, SealedYaml):
        data = sealer.yaml(path, content.document)
    elif isinstance(content, SealedBinary):
        data = sealer.binary(path, content.content)
    else:
        data = content
    return TreeFile(path, data, hashlib.sha256(data).hexdigest(), artifact.mode, artifact.policy, artifact.target)
