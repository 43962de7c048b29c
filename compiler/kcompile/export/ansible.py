"""``--format ansible``: an inventory, a playbook, and a role that copies a host's folder and runs install.sh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcompile import templates, yamlfmt
from kcompile.export import archive
from kcompile.export.hostfiles import PRIVATE_DIRECTORY_MODE, HostFiles

INVENTORY = "inventory.yaml"
ARCHIVES = "roles/kcompile/files"
_HEAD = b"# Written by kcompile; do not edit: "
_FOLDER = "copy/host"
"""Where a host's folder is in its archive: what is looked for above it is in the private directory too."""
_OPENED = "opened"
"""Below a host's folder: its files in plain text, for install.sh --from."""
_TAKEN = frozenset(("all", "ungrouped", "kcompile", "localhost"))
"""Names of groups, and the one by which Ansible knows the machine that it runs on."""
_GROUPS = {True: "kcompile_control_plane", False: "kcompile_workers"}
"""By whether a host is of the control plane. No host has such a name: theirs have no underscores."""


def write(hosts: Sequence[HostFiles]) -> dict[str, bytes]:
    """The files by their relative paths, for hosts of one cluster that are all sealed or all open."""
    title, sealed = hosts[0].cluster, hosts[0].files is None
    known_as = _inventory_names(hosts)
    groups = {
        name: {
            "hosts": {
                known_as[host.name]: _variables(host, known_as[host.name])
                for host in hosts
                if host.is_control_plane is control_plane
            }
        }
        for control_plane, name in _GROUPS.items()
    }
    inventory = yamlfmt.dump({"all": {"children": {"kcompile": {"children": groups}}}})
    head = _HEAD + f"cluster {title}.\n".encode()
    return {
        INVENTORY: head + inventory,
        "site.yaml": head + templates.render("ansible-site.yaml"),
        "roles/kcompile/defaults/main.yaml": templates.render("ansible-defaults.yaml"),
        "roles/kcompile/tasks/main.yaml": templates.render("ansible-tasks.yaml"),
        "roles/kcompile/vars/main.yaml": yamlfmt.dump({"__kcompile_from": "" if sealed else _OPENED}),
        **{f"{ARCHIVES}/{host.name}.tar": _archive(host) for host in hosts},
    }


def is_own(head: bytes) -> bool:
    """Whether an inventory or a playbook that begins so is one that :func:`write` made."""
    return head.startswith(_HEAD)


def _inventory_names(hosts: Sequence[HostFiles]) -> dict[str, str]:
    """By the names of hosts, what the inventory calls them: the same, but for those that mean something else there."""
    names = {host.name for host in hosts}
    found = dict(zip(names, names, strict=True))
    for name in sorted(names & _TAKEN):
        while found[name] in names | _TAKEN:
            found[name] = f"node-{found[name]}"
    return found


def _variables(host: HostFiles, known_as: str) -> dict[str, str]:
    address = {"ansible_host": host.address} if host.address else {}
    return address if known_as == host.name else {**address, "kcompile_host": host.name}


def _archive(host: HostFiles) -> bytes:
    return archive.pack(archive.below(_FOLDER, PRIVATE_DIRECTORY_MODE, _members(host)), host.title)


def _members(host: HostFiles) -> Iterator[tuple[str, bytes, int]]:
    for file in host.folder:
        yield file.path, file.content, file.mode
    for opened in host.files or ():
        yield f"{_OPENED}{opened.goes_by}", opened.content, opened.mode
