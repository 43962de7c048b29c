"""The least that a build has to do: derive and sign as many certificates, write as many files and bytes.

usage: floor.py TREE TARGET CERTIFICATES
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kcompile import filesystem, pki


def main(tree: Path, target: Path, certificates: int) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    key = pki.generate_key("ECDSA-P256")
    issuer = pki.load_issuer(pki.issue_authority(pki.AUTHORITIES[0], key, now, now + timedelta(3650)), key)
    for number in range(certificates):
        leaf = pki.derive_key(b"root", "ECDSA-P256", (str(number),))
        pki.issue(pki.Request(f"leaf-{number}", client=True), leaf.public_key(), issuer, now, now + timedelta(365))
    for directory, _, names in os.walk(tree):
        below = os.path.join(target, os.path.relpath(directory, tree))
        os.makedirs(below, exist_ok=True)
        for name in names:
            content = b"\0" * os.path.getsize(os.path.join(directory, name))
            descriptor = os.open(os.path.join(below, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(descriptor, content)
            os.close(descriptor)
    filesystem.sync(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
