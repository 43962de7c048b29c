"""Commands that make and extend secrets files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from kcompile.cli.console import counted, errors, format_option, named, present, print_, tell, writing
from kcompile.errors import OutputError, Position, Problem


@click.group()
def secrets() -> None:
    """Make and extend the secrets file that goes with a spec."""


@secrets.command("create", short_help="Make the secrets file of a new cluster.")
@click.argument("spec", callback=named)
@format_option
def secrets_create(spec: str, style: str) -> None:
    """Make fresh authorities, keys and tokens for SPEC, sealed for its recipients, beside it.

    An existing secrets file is never overwritten.

    \b
    Example:
      kcompile secrets create clusters/prod.yaml      # writes clusters/prod.secrets.yaml
    """
    with errors(style):
        from kcompile import reading, secretsfile, store
        from kcompile.hosts import resolve

        now = present()
        target = Path(secretsfile.path_for(spec))
        read = reading.read_spec(spec, now)
        if target.exists():
            hint = "`kcompile secrets update` adds what is missing; rename the file to start anew"
            raise OutputError(
                Problem(
                    "K1001", "is there already and is not overwritten", hint=hint, position=Position(str(target), 1, 1)
                )
            )
        text = secretsfile.create(resolve(read.cluster), now)
        with writing():
            store.create_file(target, text.encode(), 0o644)
        tell(read.warnings, style)
        print_(f"{target}: made, sealed for {counted(len(read.cluster.spec.secrets.recipients), 'recipient')}")


@secrets.command("update", short_help="Add what a spec needs and its secrets file lacks.")
@click.argument("spec", callback=named)
@format_option
def secrets_update(spec: str, style: str) -> None:
    """Add to the secrets file what SPEC needs and it lacks: a new token's secret, keys of new RSA certificates.

    The keys of nodes with a recipient of their own are brought up to date: a new node gets one, who came is sealed
    for, and where a recipient was removed or replaced, the node's key is a new one. Nothing else that is there is
    changed or removed; lines that need no change stay as they are.

    \b
    Example:
      kcompile secrets update clusters/prod.yaml
    """
    with errors(style):
        from kcompile import reading, secretsfile, spec_and_secrets, store
        from kcompile.hosts import resolve

        now = present()
        target = secretsfile.path_for(spec)
        read = reading.read_spec(spec, now)
        opened = secretsfile.open_file(target, os.environ, f"`kcompile secrets create {shlex.quote(spec)}` makes it")
        cluster = resolve(read.cluster)
        spec_and_secrets.check_update(read, cluster, opened)
        updated = secretsfile.update(cluster, opened, now)
        tell(read.warnings, style)
        if updated.text is None:
            print_(f"{target}: nothing is missing")
            return
        with writing():
            store.replace_file(Path(target), updated.text.encode(), 0o644)
        for line in updated.said:
            print_(f"{target}: {line}")
        if updated.shuts_out:
            print_(
                f"{target}: who was removed may have kept this file's own key: `sops rotate -i` it before you commit"
            )


@click.command(short_help="Write signing requests for an authority whose key is elsewhere.")
@click.argument("spec", callback=named)
@format_option
def csr(spec: str, style: str) -> None:
    """Write a signing request for each certificate of SPEC whose authority's key is not in the secrets file.

    They go to SPEC's name.certificates/HOST/NAME.csr; their keys are made if need be and kept in the secrets file.
    Put what was signed beside each as NAME.crt: the next build checks it against the key, the request and the
    authority, and compiles it.

    \b
    Example:
      kcompile csr clusters/prod.yaml      # clusters/prod.certificates/cp-1/apiserver.csr ...
    """
    with errors(style):
        from kcompile import reading, secretsfile, store
        from kcompile.hosts import resolve
        from kcompile.keyring import Keyring, signs_elsewhere, stored_leaves
        from kcompile.pki import request_pem

        now = present()
        target = secretsfile.path_for(spec)
        cluster = resolve(reading.read_spec(spec, now).cluster)
        hint = f"`kcompile secrets create {shlex.quote(spec)}` makes it"
        opened = secretsfile.open_file(target, os.environ, hint)
        text, added = secretsfile.extend(cluster, opened, now)
        if text is not None:
            with writing():
                store.replace_file(Path(target), text.encode(), 0o644)
            opened = secretsfile.open_file(target, os.environ, hint)
        keyring = Keyring(cluster, opened.secrets)
        requests = [
            store.Opened(f"{leaf.key_name}.csr", request_pem(keyring.signing_request(leaf)), 0o644)
            for leaf in stored_leaves(cluster, opened.secrets)
            if signs_elsewhere(opened.secrets, leaf.authority)
        ]
        if not requests:
            print_("nothing is to be signed elsewhere: the secrets file holds every authority's key")
            return
        directory = secretsfile.certificates_directory(spec)
        with writing():
            store.write_rendered(directory, requests)
        if added:
            print_(f"{target}: added {counted(len(added), 'key')}")
        count = counted(len(requests), "signing request")
        unsigned = sum(not (directory / request.path).with_suffix(".crt").exists() for request in requests)
        rest = f"{unsigned} not signed yet; put what is signed beside each as NAME.crt" if unsigned else "all signed"
        print_(f"{directory}: {count}, {rest}")
