"""``--format ignition``: a configuration of specification 3.3.0, which every Ignition since 2.12 reads."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from kcompile.export import firstboot
from kcompile.export.hostfiles import File, HostFiles

VERSION = "3.3.0"
_HEAD = f'{{\n "ignition": {{"version": "{VERSION}"}},\n "storage": {{\n'


def write(host: HostFiles) -> bytes:
    """A configuration for the host's first boot, a line for each file."""
    plan = firstboot.plan(host)
    storage = [
        _list("directories", ({"path": path, "mode": mode} for path, mode in plan.directories)),
        _list("files", map(_file, plan.files)),
        _list("links", ({"path": path, "target": target, "overwrite": True} for path, target in plan.links)),
    ]
    units = [{"name": firstboot.KUBELET, "enabled": True}]
    if host.files is None:
        contents = firstboot.install_unit(host).decode()
        units = [{"name": firstboot.INSTALL, "enabled": True, "contents": contents}]
    body = ",\n".join(part for part in storage if part)
    return f'{_HEAD}{body}\n }},\n "systemd": {json.dumps({"units": units})}\n}}\n'.encode()


def is_own(head: bytes) -> bool:
    """Whether a file that begins so is a configuration that :func:`write` made."""
    return head.startswith(_HEAD.encode())


def _list(name: str, items: Iterable[dict[str, Any]]) -> str:
    lines = ",\n".join(f"   {json.dumps(item)}" for item in items)
    return f'  "{name}": [\n{lines}\n  ]' if lines else ""


def _file(file: File) -> dict[str, Any]:
    return {"path": file.path, "mode": file.mode, "overwrite": True, "contents": _contents(file.content)}


def _contents(content: bytes) -> dict[str, str]:
    """A data URL, in the shortest of three spellings."""
    packed = _gzip(content)
    spellings: list[dict[str, str]] = [
        {"source": f"data:,{quote(content)}"},
        {"source": f"data:;base64,{base64.b64encode(content).decode()}"},
        {"compression": "gzip", "source": f"data:;base64,{base64.b64encode(packed).decode()}"},
    ]
    return min(spellings, key=lambda spelling: len(json.dumps(spelling)))


def _gzip(content: bytes) -> bytes:
    """RFC 1952, with a header that has no time and no system: what Python writes there depends on its version."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(content) + deflate.flush()
    tail = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + tail
