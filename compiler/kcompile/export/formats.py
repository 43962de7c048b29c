"""The table of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kcompile.errors import Problem
from kcompile.export import archive, butane, cloud_init, ignition, tar
from kcompile.export.hostfiles import HostFiles


def _no_doubts(_host: HostFiles, _content: bytes) -> list[Problem]:
    return []


@dataclass(frozen=True, slots=True)
class Format:
    """A format that has a file for each host."""

    suffix: str
    write: Callable[[HostFiles], bytes]
    is_own: Callable[[bytes], bool]
    """Whether a file that begins so is of this format and was written by kcompile."""
    doubts: Callable[[HostFiles, bytes], list[Problem]] = _no_doubts
    """Warnings about what was written."""
    is_for_running_hosts: bool = False
    """It is brought to hosts that run, and cannot ask what is there already."""


FORMATS: Mapping[str, Format] = {
    "tar": Format("tar", tar.write, archive.is_own, is_for_running_hosts=True),
    "cloud-init": Format("user-data.yaml", cloud_init.write, cloud_init.is_own, cloud_init.doubts),
    "ignition": Format("ign", ignition.write, ignition.is_own),
    "butane": Format("bu", butane.write, butane.is_own),
}
"""All but ansible, whose one directory is for all hosts."""
