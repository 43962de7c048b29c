"""A first spec, its secrets file, and an identity for whoever has none."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from kcompile import age, identities, load, network, secretsfile, store, templates, timefmt, validate
from kcompile.errors import OutputError, Position, Problem, SecretsError, SpecError
from kcompile.hosts import resolve
from kcompile.manifest import SECRETS_REGEX

DEFAULT_VERSION = "v1.36.2"
_POD_RANGES = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
_SERVICE_RANGES = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
_TOKEN_LASTS = timedelta(days=8)
"""A week for the first nodes to join, whatever the hour; kubeadm's own tokens last a day, and are made on the spot."""
Nodes = Sequence[tuple[str, str]]


def run(
    *,
    spec: Path,
    control_plane: Nodes,
    workers: Nodes,
    endpoint: str | None,
    kubernetes_version: str | None,
    recipients: Sequence[str],
    environ: Mapping[str, str],
    now: datetime,
) -> list[str]:
    """Write the files; what was done, a line each. Raises KcompileError, and then has written none of them.

    Beside the spec and its secrets file that is ``.sops.yaml`` in the current directory, where sops looks for it, if
    the spec is below and there is none yet.
    """
    target = Path(secretsfile.path_for(str(spec)))
    for path in (spec, target):
        if path.exists() or path.is_symlink():
            problem = Problem("K1001", "is there already", hint="nothing is overwritten: choose another name")
            raise OutputError(problem.at(Position(str(path), 1, 1)))
    if spec.suffix not in (".yaml", ".yml"):
        raise SpecError(Problem("K1012", "name the spec with .yaml at its end", position=Position(str(spec), 1, 1)))
    done: list[str] = []
    new_identity = None
    if not recipients:
        found = identities.find(environ)
        if found.faults:
            message = f"no identity can be read where the environment says one is: {'; '.join(found.faults)}"
            raise SecretsError(Problem("K0922", message, hint="mend it, or name a --recipient"))
        if found.recipients:
            recipients = found.recipients[:1]
            done.append(f"sealing for the identity at hand: {recipients[0]}")
        else:
            new_identity = _key_file(environ)
            recipient, secret = age.generate_identity()
            recipients = (recipient,)
    text = templates.render(
        "cluster.yaml",
        name=spec.stem,
        pod_subnet=",".join(_POD_RANGES[family] for family in _families(control_plane)),
        service_subnet=",".join(_SERVICE_RANGES[family] for family in _families(control_plane)),
        kubernetes_version=kubernetes_version or DEFAULT_VERSION,
        endpoint=endpoint,
        issued_at=timefmt.format_timestamp(now.replace(hour=0, minute=0, second=0)),
        recipients=recipients,
        control_plane=control_plane,
        workers=workers,
        token_id=secretsfile.new_token_id(),
        token_expires=timefmt.format_timestamp(now.replace(hour=0, minute=0, second=0) + _TOKEN_LASTS),
    )
    try:
        cluster, _ = validate.cluster(load.parse(str(spec), text), now)
    except SpecError as error:  # of a file that is not written: what was asked for is wrong
        raise SpecError(replace(problem, position=None) for problem in error.problems) from None
    secrets_text = secretsfile.create(resolve(cluster), now)
    if new_identity is not None:
        lines = f"# created: {timefmt.format_timestamp(now)}\n# public key: {recipient}\n".encode()
        store.create_file(new_identity, lines + secret.reveal() + b"\n", 0o600)
        place = identities.shown(new_identity, environ.get("HOME"))
        done.append(f"{place}: made a new age identity, {recipient}; keep a copy, it opens every secret")
    store.create_file(spec, text, 0o644)
    try:
        store.create_file(target, secrets_text.encode(), 0o644)
    except BaseException:
        spec.unlink()
        raise
    done += [f"{spec}: made", f"{target}: made"]
    rules = Path(".sops.yaml")
    if not rules.exists() and spec.resolve().is_relative_to(Path.cwd()):
        store.create_file(rules, _sops_rules(recipients), 0o644)
        done.append(f"{rules}: made, for `sops updatekeys`")
    elif rules.is_file():
        known = rules.read_text("utf-8", "replace")
        others = [recipient for recipient in recipients if " ".join(recipient.split()[:2]) not in known]
        if others:
            done.append(f"{rules}: stands already and does not name {', '.join(others)}, which sops goes by: add it")
    done += [f"next: kcompile build {shlex.quote(str(spec))}"]
    return done


def _sops_rules(recipients: Sequence[str]) -> bytes:
    """.sops.yaml. An SSH key goes in without its comment, in which a comma would end it."""
    keys = [" ".join(recipient.split()[:2]) for recipient in recipients]
    return templates.render("sops.yaml", regex=SECRETS_REGEX, recipients=keys)


def _families(control_plane: Nodes) -> list[int]:
    """The address families of the first node, in its order: those of the cluster."""
    return [ipaddress.ip_address(part).version for part in network.split_list(control_plane[0][1])]


def _key_file(environ: Mapping[str, str]) -> Path:
    """Where a new identity goes. Raises SpecError when there is no such place, or something is there."""
    path = identities.default_key_file(environ)
    if path is None or path.exists():
        where = "HOME is not set" if path is None else f"{path} holds no usable age identity"
        raise SpecError(Problem("K0923", f"no age identity was found, and {where}", hint="name a --recipient"))
    return path
