"""``--format butane``: the Ignition configuration as people write it, for Butane to translate.

Variant fcos 1.4.0 becomes Ignition 3.3.0, as flatcar 1.0.0 does.
"""

from __future__ import annotations

import base64
from typing import Any

from kcompile import yamlfmt
from kcompile.export import firstboot
from kcompile.export.hostfiles import File, HostFiles, text_of

_HEAD = "# Written by kcompile for butane: "
_NOTE = ".\n# Modes are decimal, as in Ignition: 420 is 0644, 384 is 0600.\n"


def write(host: HostFiles) -> bytes:
    """A Butane configuration for the host's first boot."""
    plan = firstboot.plan(host)
    storage: dict[str, Any] = {"files": [_file(file) for file in plan.files]}
    if plan.directories:
        storage["directories"] = [{"path": path, "mode": mode} for path, mode in plan.directories]
    if plan.links:
        storage["links"] = [{"path": path, "target": target, "overwrite": True} for path, target in plan.links]
    unit: dict[str, Any] = {"name": firstboot.KUBELET, "enabled": True}
    if host.files is None:
        unit = {"name": firstboot.INSTALL, "enabled": True, "contents": firstboot.install_unit(host).decode()}
    document = {"variant": "fcos", "version": "1.4.0", "storage": storage, "systemd": {"units": [unit]}}
    return f"{_HEAD}{host.title}{_NOTE}".encode() + yamlfmt.dump(document)


def is_own(head: bytes) -> bool:
    """Whether a file that begins so is a configuration that :func:`write` made."""
    return head.startswith(_HEAD.encode())


def _file(file: File) -> dict[str, Any]:
    text = text_of(file.content)
    url = f"data:;base64,{base64.b64encode(file.content).decode()}"
    contents = {"source": url} if text is None else {"inline": text}
    return {"path": file.path, "mode": file.mode, "overwrite": True, "contents": contents}
