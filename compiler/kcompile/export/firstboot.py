"""What cloud-init and Ignition have in common: a machine's first boot, that lays down files and starts the kubelet."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from kcompile import templates
from kcompile.export.hostfiles import PRIVATE_DIRECTORY_MODE, File, HostFiles

FOLDER = "/var/lib/kcompile/first-boot"
"""Where a sealed host's folder stands until install.sh has run; it is removed then."""
KUBELET = "kubelet.service"
INSTALL = "kcompile-first-boot.service"
_APPLIED_BY = (
    ("/etc/modules-load.d/", "systemd-modules-load.service"),
    ("/etc/sysctl.d/", "systemd-sysctl.service"),
)
"""Directories that systemd reads as it starts, each with the service that reads it again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a first boot does, in this order."""

    directories: tuple[tuple[str, int], ...]
    files: tuple[File, ...]
    links: tuple[tuple[str, str], ...]
    """Each symbolic link's path, and its target beside it."""
    services: tuple[str, ...]
    """Those that read what the files say, where they started before the files were there."""


def plan(host: HostFiles) -> Plan:
    """The first boot of a host: with all of its files, or with its sealed folder."""
    if host.files is None:
        files = tuple(File(f"{FOLDER}/{file.path}", file.content, file.mode) for file in host.folder)
        return Plan((), tuple(sorted(files, key=lambda file: file.path)), (), ())
    links = tuple((file.link, posixpath.basename(file.path)) for file in host.files if file.link)
    services = tuple(
        service for directory, service in _APPLIED_BY if any(f.path.startswith(directory) for f in host.files)
    )
    private = tuple((path, PRIVATE_DIRECTORY_MODE) for path in host.private_directories)
    return Plan(private, host.files, links, services)


def install_unit(host: HostFiles) -> bytes:
    """The unit that runs install.sh of a sealed host's folder, until it has gone well once."""
    return templates.render("first-boot.service", title=host.title, folder=FOLDER)
