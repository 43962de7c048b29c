"""A first spec, its secrets file, and an identity for whoever has none."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from kcompile import age, identities, load, secretsfile, store, templates, timefmt, validate
from kcompile.errors import OutputError, Position, Problem, SpecError
from kcompile.hosts import resolve

DEFAULT_VERSION = "v1.36.2"
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
    """Write the files; what was done, a line each. Raises KcompileError, and then has written none of them."""
    target = Path(secretsfile.path_for(str(spec)))
    for path in (spec, target):
        if path.exists():
            problem = Problem("is there already", hint="nothing is overwritten: choose another name")
            raise OutputError(problem.at(Position(str(path), 1, 1)))
    if spec.suffix not in (".yaml", ".yml"):
        raise SpecError(Problem("name the spec with .yaml at its end", position=Position(str(spec), 1, 1)))
    done: list[str] = []
    new_identity = None
    if not recipients:
        known = identities.find(environ).recipients
        if known:
            recipients = known[:1]
            done.append(f"sealing for the identity at hand: {known[0]}")
        else:
            new_identity = _key_file(environ)
            recipient, secret = age.generate_identity()
            recipients = (recipient,)
    text = templates.render(
        "cluster.yaml",
        name=spec.stem,
        kubernetes_version=kubernetes_version or DEFAULT_VERSION,
        endpoint=endpoint,
        issued_at=timefmt.format_timestamp(now.replace(hour=0, minute=0, second=0)),
        recipients=recipients,
        control_plane=control_plane,
        workers=workers,
        token_id=secretsfile.new_token_id(),
    )
    cluster, _ = validate.cluster(load.parse(str(spec), text), now)
    secrets_text = secretsfile.create(resolve(cluster), now)
    if new_identity is not None:
        lines = f"# created: {timefmt.format_timestamp(now)}\n# public key: {recipient}\n".encode()
        store.create_file(new_identity, lines + secret.reveal() + b"\n", 0o600)
        place = identities.shown(new_identity, environ.get("HOME"))
        done.append(f"{place}: made a new age identity, {recipient}; keep a copy, it opens every secret")
    store.create_file(spec, text, 0o644)
    store.create_file(target, secrets_text.encode(), 0o644)
    done += [f"{spec}: made", f"{target}: made", f"next: kcompile build {shlex.quote(str(spec))}"]
    return done


def _key_file(environ: Mapping[str, str]) -> Path:
    """Where a new identity goes. Raises SpecError when there is no such place, or something is there."""
    path = identities.default_key_file(environ)
    if path is None or path.exists():
        where = "HOME is not set" if path is None else f"{path} holds no usable age identity"
        raise SpecError(Problem(f"no age identity was found, and {where}", hint="name a --recipient"))
    return path
