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
        message = f"{pki.certificate_validity_period} is longer than the authorities are valid"
        hint = f"use {pki.ca_certificate_validity_period} or less, or set a longer caCertificateValidityPeriod"
        yield Problem("K0701", message, path, hint)


def _lifetime(cluster: Cluster) -> tuple[datetime, datetime]:
    """When the leaf certificates begin and end."""
    pki = cluster.spec.pki
    return validity_of(timefmt.parse_timestamp(pki.issued_at), timefmt.timedelta_of(pki.certificate_validity_period))


def certificates_have_begun(cluster: Cluster, now: datetime) -> Iterator[Problem]:
    """A warning about certificates that are not valid yet."""
    pki = cluster.spec.pki
    if _lifetime(cluster)[0] > now:
        message = f"{pki.issued_at} is in the future: the certificates are not valid yet"
        yield Problem("K0702", message, _ISSUED_AT, "use today's date, or wait", Severity.WARNING)


def certificates_last(cluster: Cluster, now: datetime) -> Iterator[Problem]:
    """A warning about certificates that are not valid for much longer."""
    issued, expires = _lifetime(cluster)
    if issued <= now and expires - now < _SOON:
        state = "have expired since" if expires <= now else "expire on"
        message = f"the leaf certificates {state} {timefmt.format_timestamp(expires)}"
        hint = f"renew them all: issuedAt: {timefmt.format_timestamp(now.replace(hour=0, minute=0, second=0))}"
        yield Problem("K0703", message, _ISSUED_AT, hint, Severity.WARNING)


def tokens_last(cluster: Cluster, now: datetime) -> Iterator[Problem]:
    """Warnings about tokens that nobody can join with any more."""
    for index, token in enumerate(cluster.spec.bootstrap_tokens):
        if token.expires is not None and timefmt.parse_timestamp(token.expires) <= now:
            path: Path = ("spec", "bootstrapTokens", index, "expires")
            hint = "give it a later date, or remove it when no node is to join by it"
            yield Problem("K0704", f"the token expired on {token.expires}", path, hint, Severity.WARNING)


def tokens_end(cluster: Cluster) -> Iterator[Problem]:
    """A token without an end lets whoever finds it join, for ever."""
    for index, token in enumerate(cluster.spec.bootstrap_tokens):
        if token.expires is None:
            message = "the token never expires: whoever has it can join a node"
            hint = "add expires, a day after the last node is to join"
            yield Problem("K0705", message, ("spec", "bootstrapTokens", index), hint, Severity.WARNING)


RULES = (validity, tokens_end)
RULES_ON_THE_PRESENT = (certificates_have_begun, certificates_last, tokens_last)
"""Those that look at the clock: they only warn."""
