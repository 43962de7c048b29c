"""Go durations and RFC 3339 timestamps, as kubeadm reads and writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNIT_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_MAX_NANOSECONDS = 2**63 - 1


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration such as ``8760h`` or ``1h30m`` (Go's time.ParseDuration).

    Raises ValueError when it is none.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            break
        whole, _, fraction = part[1].partition(".")
        unit = _UNIT_NANOSECONDS[part[2]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = part.end()
    if not rest or position != len(rest) or total > _MAX_NANOSECONDS:
        raise ValueError(text)
    return sign * total


def format_duration(nanoseconds: int) -> str:
    """A duration as Go prints it: ``8760h0m0s``, ``1m30s``, ``1.5s``, ``250ms``, ``0s`` (Go's Duration.String)."""
    if nanoseconds == 0:
        return "0s"
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)

    def decimal(value: int, unit: int) -> str:
        whole, fraction = divmod(value, unit)
        digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else ""
        return f"{whole}.{digits}" if digits else str(whole)

    if left < 1_000:
        return f"{sign}{left}ns"
    if left < 1_000_000:
        return f"{sign}{decimal(left, 1_000)}µs"
    if left < 1_000_000_000:
        return f"{sign}{decimal(left, 1_000_000)}ms"
    minutes, rest = divmod(left, _UNIT_NANOSECONDS["m"])
    seconds = decimal(rest, _UNIT_NANOSECONDS["s"]) + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def parse_timestamp(text: str) -> datetime:
    """A UTC timestamp in whole seconds, ``2026-11-23T00:00:00Z``. Raises ValueError when it is none."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def format_timestamp(moment: datetime) -> str:
    """A moment as ``2026-11-23T00:00:00Z``, in UTC and whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def timedelta_of(duration: str) -> timedelta:
    """A Go duration as a timedelta in whole seconds."""
    return timedelta(seconds=parse_duration(duration) // _UNIT_NANOSECONDS["s"])
