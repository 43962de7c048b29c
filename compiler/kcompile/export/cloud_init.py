"""``--format cloud-init``: user data whose write_files lay down the files, and whose runcmd starts the kubelet.

Contents stand as text, uncompressed: compressed as a whole, as cloud-init reads it, it takes a third of what it takes
with each file compressed, because certificates and the envelopes of sealed files repeat.
"""

from __future__ import annotations

import base64
import gzip
from typing import Any

from kcompile import yamlfmt
from kcompile.errors import Problem, Severity
from kcompile.export import firstboot
from kcompile.export.hostfiles import File, HostFiles, text_of

_HEAD = "#cloud-config\n# Written by kcompile: "
_EC2_LIMIT = 16_384
"""Bytes of user data, before EC2's own base64: the least of the large clouds."""
_COMMON_LIMIT = 65_535
"""Bytes that OpenStack and Azure take."""


def write(host: HostFiles) -> bytes:
    """A #cloud-config for the host's first boot."""
    plan = firstboot.plan(host)
    document = {"write_files": [_entry(file) for file in plan.files], "runcmd": _commands(host, plan)}
    return f"{_HEAD}{host.title}.\n".encode() + yamlfmt.dump(document)


def is_own(head: bytes) -> bool:
    """Whether a file that begins so is user data that :func:`write` made."""
    return head.startswith(_HEAD.encode())


def _entry(file: File) -> dict[str, Any]:
    entry = {"path": file.path, "owner": "root:root", "permissions": f"{file.mode:04o}"}
    text = text_of(file.content)
    if text is None:
        return entry | {"encoding": "b64", "content": base64.b64encode(file.content).decode()}
    return entry | {"content": text}


def _commands(host: HostFiles, plan: firstboot.Plan) -> list[list[str]]:
    """Lists of arguments: cloud-init quotes them for its shell."""
    if host.files is None:
        # the default places of identities follow from HOME, which services do not have
        return [["env", "HOME=/root", "sh", "-c", '"$0/install.sh" && rm -r -- "$0"', firstboot.FOLDER]]
    return [
        *(["install", "-d", "-m", f"{mode:04o}", path] for path, mode in plan.directories),
        # an image that was made of a host that ran, or another run of the same, keeps what its kubelet rotated
        *(["sh", "-c", 'test -e "$1" || ln -s -- "$0" "$1"', target, path] for path, target in plan.links),
        *(["systemctl", "restart", service] for service in plan.services),
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", firstboot.KUBELET],
        ["systemctl", "restart", firstboot.KUBELET],
    ]


def doubts(host: HostFiles, content: bytes) -> list[Problem]:
    """A warning where clouds do not take as much user data."""
    if len(content) <= _EC2_LIMIT:
        return []
    packed = len(gzip.compress(content, mtime=0))
    limit = "EC2 takes 16,384 bytes" + (", OpenStack and Azure take 65,535" if len(content) > _COMMON_LIMIT else "")
    message = f"the user data of {host.name} has {len(content):,} bytes ({packed:,} gzipped), and {limit}"
    hint = "gzip it: cloud-init reads that"
    if packed > _EC2_LIMIT:
        hint += "; where that is too much, let `#include` name a URL that only this machine can fetch"
    return [Problem("K1033", message, hint=hint, severity=Severity.WARNING)]
