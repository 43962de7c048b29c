"""What ends when, as a table, as JSON, and as a textfile for Prometheus' node exporter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from kcompile import timefmt
from kcompile.expiry import Expiry
from kcompile.report.problems import printable

_HOSTS_SHOWN = 5
Clusters = Mapping[str, Sequence[Expiry]]
"""What ends, by cluster."""


def as_text(clusters: Clusters, now: datetime, min_days: int | None) -> str:
    """A table for each cluster, the soonest first; equal certificates of several hosts are one row."""
    return "\n".join(_table(name, found, now, min_days) for name, found in clusters.items())


def _table(name: str, found: Sequence[Expiry], now: datetime, min_days: int | None) -> str:
    hosts: dict[tuple[datetime | None, str, str], list[str]] = {}
    for entry in found:
        hosts.setdefault((entry.ends, entry.kind, entry.name), []).append(entry.host)
    rows = [("ENDS", "DAYS", name.upper(), "HOSTS")]
    for (ends, kind, what), where in hosts.items():
        days = Expiry(ends, kind, what).days(now)
        soon = days is not None and min_days is not None and days < min_days
        when = timefmt.format_timestamp(ends) if ends is not None else "never"
        named = [host for host in where if host]
        listed = ", ".join(named[:_HOSTS_SHOWN])
        more = f" and {len(named) - _HOSTS_SHOWN} more" if len(named) > _HOSTS_SHOWN else ""
        rows.append(
            (when, "" if days is None else f"{days}{' !' if soon else ''}", f"{kind} {what}", f"{listed}{more}")
        )
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {printable(row[2]):<{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    )
    return "\n".join(lines)


def as_json(clusters: Clusters, now: datetime) -> str:
    """One JSON object with a list of all."""
    found = [
        {
            "cluster": name,
            "kind": entry.kind,
            "name": entry.name,
            "host": entry.host or None,
            "ends": timefmt.format_timestamp(entry.ends) if entry.ends is not None else None,
            "days": entry.days(now),
        }
        for name, entries in clusters.items()
        for entry in entries
    ]
    return json.dumps({"expiry": found}, indent=1, ensure_ascii=False)


def as_prometheus(clusters: Clusters) -> str:
    """Gauges in Prometheus' text format, seconds since the epoch. What never ends has none."""
    lines = [
        "# HELP kcompile_expiry_timestamp_seconds When a certificate, an authority or a bootstrap token ends.",
        "# TYPE kcompile_expiry_timestamp_seconds gauge",
    ]
    for cluster, entries in clusters.items():
        for entry in entries:
            if entry.ends is not None:
                labels = {"cluster": cluster, "kind": entry.kind, "name": entry.name, "host": entry.host}
                text = ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items() if value)
                lines.append(f"kcompile_expiry_timestamp_seconds{{{text}}} {int(entry.ends.timestamp())}")
    return "\n".join(lines)
