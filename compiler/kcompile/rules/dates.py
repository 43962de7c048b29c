"""Validity periods, and what they mean today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kcompile import timefmt
from kcompile.errors import Path, Problem, Severity
from kcompile.pki import validity as validity_of
from kcompile.spec import Cluster

_ISSUED_AT: Path = ("spec", "pki", "issuedAt")
_SOON = timedelta(days=30)


def validity(cluster: Cluster) -> Iterator[Problem]:
    """A leaf must not be meant to outlive its authority."""
    pki = cluster.spec.pki
    if timefmt.timedelta_of(pki.certificate_validity_period) > timefmt.timedelta_of(pki.ca_certificate_validity_period):
        path: Path = ("spec", "pki", "certificateValidityPeriod")
        yield Problem(f"{pki.certificate_validity_period} is longer than the authorities are valid", path)


def present(cluster: Cluster, now: datetime) -> Iterator[Problem]:
    """Warnings about certificates that are not valid yet, or not for much longer, and about tokens that have ended."""
    pki = cluster.spec.pki
    issued, expires = validity_of(
        timefmt.parse_timestamp(pki.issued_at), timefmt.timedelta_of(pki.certificate_validity_period)
    )
    if issued > now:
        message = f"{pki.issued_at} is in the future: the certificates are not valid yet"
        yield Problem(message, _ISSUED_AT, severity=Severity.WARNING)
    elif expires - now < _SOON:
        state = "have expired since" if expires <= now else "expire on"
        message = f"the leaf certificates {state} {timefmt.format_timestamp(expires)}"
        hint = f"renew them all: issuedAt: {timefmt.format_timestamp(now.replace(hour=0, minute=0, second=0))}"
        yield Problem(message, _ISSUED_AT, hint, Severity.WARNING)
    for index, token in enumerate(cluster.spec.bootstrap_tokens):
        if token.expires is not None and timefmt.parse_timestamp(token.expires) <= now:
            path: Path = ("spec", "bootstrapTokens", index, "expires")
            hint = "give it a later date, or remove it when no node is to join by it"
            yield Problem(f"the token expired on {token.expires}", path, hint, Severity.WARNING)
