"""Changes and their rollout as text, as Markdown for a pull request's comment, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kcompile.diff import ADMIN, CLUSTER, TREE, Change, natural
from kcompile.report.problems import printable
from kcompile.rollout import Rollout, Wave

COMMENT_LIMIT = 65_536
"""Characters that GitHub takes in one comment."""
_LONGEST = 300
"""Characters of a value, of which there can be many."""
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "reordered": "="}
_TITLES = {CLUSTER: "objects of the cluster", ADMIN: "admin", TREE: "the tree"}
_MANY = 4
"""Files that are named; of more, the first ones and how many there are."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a diff found. ``notes`` say what could not be compared."""

    before: str
    after: str
    changes: tuple[Change, ...]
    rollout: Rollout
    notes: tuple[str, ...] = ()


def named(hosts: Sequence[str]) -> str:
    """Hosts in a few words: ``w-1 … w-40 (40 hosts)``. Names that count up by one are a run."""
    if len(hosts) < 2:
        return "".join(hosts)
    runs: list[list[str]] = []
    for host in sorted(hosts, key=natural):
        if runs and _next(runs[-1][-1]) == host:
            runs[-1].append(host)
        else:
            runs.append([host])
    words: list[str] = []
    for run in runs:
        words += [f"{run[0]} … {run[-1]}"] if len(run) > 2 else run
    shown = ", ".join(words if len(words) <= 12 else [*words[:6], "…", *words[-2:]])
    return f"{shown} ({len(hosts)} hosts)"


def _next(host: str) -> str:
    found = re.fullmatch(r"(.*?)(\d+)(\D*)", host)
    return f"{found[1]}{int(found[2]) + 1:0{len(found[2])}d}{found[3]}" if found else ""


def _counted(count: int, what: str) -> str:
    return f"{count} {what if count == 1 else f'{what}s'}"


def _place(change: Change) -> str:
    return named(change.hosts) if change.where == "hosts" else _TITLES[change.where]


def _files(change: Change) -> str:
    more = len(change.paths) - _MANY
    paths = ", ".join(change.paths if more <= 0 else change.paths[:_MANY])
    return printable(f"{paths} and {more} more" if more > 0 else paths)


def _value(text: str | None) -> str:
    shown = "; ".join(printable(line) for line in (text or "").split("\n"))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]}…{shown[-_LONGEST // 2 :]}"


_WORDS_OF_SECRETS = {"": "secret", "seal": "sealed anew, nothing in it changed"}


def _said(change: Change) -> str:
    """One change in one line, without its place."""
    subject = printable(change.subject)
    if change.kind == "secret":
        label = _WORDS_OF_SECRETS.get(change.subject, f"secret {subject}")
        return label if change.subject == "seal" else f"{label} {change.action}"
    if change.action == "reordered":
        return "only the order changed" if subject == "order" else f"{subject}: only the order changed"
    if change.kind in ("host", "object", "file") and not (change.before or change.after):
        return " ".join(filter(None, (subject, change.action)))
    joined = "=" if change.kind == "flag" else ": " if subject else ""
    if change.action == "changed":
        values = f"{_value(change.before)} → {_value(change.after)}"
        if change.before is None and change.after is None:
            return f"{subject} changed"
        return f"{subject}: {values}" if subject else values
    return f"{subject}{joined}{_value(change.after if change.action == 'added' else change.before)}"


def _sections(changes: Iterable[Change]) -> dict[str, dict[str, list[Change]]]:
    """By place, then by files."""
    found: dict[str, dict[str, list[Change]]] = {}
    for change in changes:
        found.setdefault(_place(change), {}).setdefault(_files(change), []).append(change)
    return found


def _summary(report: Report) -> str:
    hosts = {host for change in report.changes for host in change.hosts}
    where = f" on {_counted(len(hosts), 'host')}" if hosts else ""
    return f"{report.before} → {report.after}: {_counted(len(report.changes), 'change')}{where}"


# --- text -----------------------------------------------------------------------------------------


def _tail(change: Change) -> Iterator[str]:
    if change.impact:
        yield f"impact: {printable('; '.join(change.impact))}"
    if change.causes:
        yield f"cause: {printable(', '.join(change.causes))}"


def _runs(changes: Sequence[Change]) -> Iterator[tuple[list[Change], tuple[str, ...]]]:
    """Neighbouring changes with the same consequences and causes."""
    run: list[Change] = []
    for change in changes:
        if run and tuple(_tail(run[0])) != tuple(_tail(change)):
            yield run, tuple(_tail(run[0]))
            run = []
        run.append(change)
    if run:
        yield run, tuple(_tail(run[0]))


def as_text(report: Report) -> str:
    """For a terminal."""
    if not report.changes:
        return "\n".join([*report.notes, f"{report.before} → {report.after}: no difference"])
    lines = [*report.notes, _summary(report)]
    for place, files in _sections(report.changes).items():
        lines += ["", printable(place)]
        for paths, changes in files.items():
            lines += [f"  {paths}"] if paths else []
            for run, tail in _runs(changes):
                lines += [f"    {_SIGNS[change.action]} {_said(change)}" for change in run]
                lines += [f"        {line}" for line in tail]
    lines += ["", "rollout", *(f"  {line}" for line in _rollout(report.rollout))]
    return "\n".join(lines)


def _wave(wave: Wave) -> str:
    where = f": {named(wave.hosts)}" if wave.hosts else ""
    return printable(f"{wave.title}{where}{', one at a time' if len(wave.hosts) > 1 and wave.one_at_a_time else ''}")


def _rollout(rollout: Rollout) -> Iterator[str]:
    if not rollout.waves:
        yield "nothing is to be done on hosts or in the cluster"
    for number, wave in enumerate(rollout.waves, 1):
        yield f"{number}. {_wave(wave)}"
        yield f"   {printable('; '.join(wave.does))}"
        if wave.wait:
            yield f"   wait until {'; '.join(wave.wait)}"


# --- Markdown -------------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    """Text that means nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]|#~@])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _html(text: str) -> str:
    """Text in a block of HTML, where Markdown has no say."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _prose(text: str) -> str:
    """Words of kcompile's own, with commands in backticks, and names that are anybody's."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _details(place: str, files: dict[str, list[Change]]) -> str:
    count = sum(map(len, files.values()))
    lines = [f"<details><summary><b>{_html(place)}</b>: {_counted(count, 'change')}</summary>", ""]
    for paths, changes in files.items():
        lines += [f"{_code(paths)}", ""] if paths else []
        for run, tail in _runs(changes):
            lines += [f"- {_code(f'{_SIGNS[change.action]} {_said(change)}')}" for change in run]
            lines += [f"  - {_prose(line)}" for line in tail]
        lines.append("")
    return "\n".join([*lines, "</details>", ""])


def _counts(place: str, files: dict[str, list[Change]]) -> str:
    return f"- {_escaped(place)}: {_counted(sum(map(len, files.values())), 'change')}"


def _table(sections: dict[str, dict[str, list[Change]]]) -> str:
    lines = ["| where | added | removed | changed | order only | impact |", "|---|---|---|---|---|---|"]
    for place, files in sections.items():
        changes = [change for found in files.values() for change in found]
        counts = [str(sum(change.action == action for change in changes)) for action in _SIGNS]
        impact = ", ".join(dict.fromkeys(word for change in changes for word in change.impact))
        lines.append(f"| {_escaped(place)} | {' | '.join(counts)} | {_prose(impact)} |")
    return "\n".join(lines)


def as_markdown(report: Report, limit: int = COMMENT_LIMIT) -> str:
    """For a comment. What does not fit into so many bytes is folded to counts, last sections first."""
    title = f"### {_escaped(f'{report.before} → {report.after}')}"
    notes = [_escaped(note) for note in report.notes]
    if not report.changes:
        return "\n\n".join([title, *notes, "No difference.\n"])
    sections = _sections(report.changes)
    problems = [f"> **{p.code}** {_escaped(printable(p.message))}" for p in report.rollout.problems]
    rollout = "\n".join(["#### Rollout", "", *_steps(report.rollout)])
    summary = _escaped(_summary(report).partition(": ")[2])
    head = "\n\n".join([title, *notes, f"{summary}.", *problems, _table(sections)])
    folded = [_details(place, files) for place, files in sections.items()]
    whole = "\n\n".join([head, *folded, rollout]) + "\n"
    if _length(whole) <= limit:
        return whole
    note = "**Too long for one comment: what follows without details is counted only; `kcompile diff` shows all.**"
    counted = [_counts(place, files) for place, files in sections.items()]
    if _length("\n\n".join([head, note, *counted, rollout])) > limit:
        return _shortest(title, summary, note, counted, limit)
    room = limit - _length("\n\n".join([head, note, *counted, rollout])) - 1
    parts = list(counted)
    for index, details in enumerate(folded):
        more = _length(details) - _length(counted[index])
        if more <= room:
            room -= more
            parts[index] = details
    return "\n\n".join([head, note, *parts, rollout]) + "\n"


def _shortest(title: str, summary: str, note: str, counted: Sequence[str], limit: int) -> str:
    """When the table alone is too long: as many counts as fit."""
    kept = [title, f"{summary}.", note]
    room = limit - _length("\n\n".join(kept)) - 100
    for index, line in enumerate(counted):
        if _length(line) + 2 > room:
            return "\n\n".join([*kept, f"- and {_counted(len(counted) - index, 'more place')}"]) + "\n"
        room -= _length(line) + 2
        kept.append(line)
    return "\n\n".join(kept) + "\n"


def _length(text: str) -> int:
    """As GitHub counts at worst: bytes of UTF-8."""
    return len(text.encode())


def _steps(rollout: Rollout) -> Iterator[str]:
    if not rollout.waves:
        yield "Nothing is to be done on hosts or in the cluster."
    for number, wave in enumerate(rollout.waves, 1):
        yield f"{number}. **{_escaped(_wave(wave))}**: {_prose('; '.join(wave.does))}"
        if wave.wait:
            yield f"   - wait until {_prose('; '.join(wave.wait))}"


# --- JSON -----------------------------------------------------------------------------------------


def _json_value(text: str | None) -> str | None:
    return None if text is None else "\n".join(printable(line) for line in text.split("\n"))


def as_json(report: Report) -> str:
    """For machines."""
    document = {
        "before": report.before,
        "after": report.after,
        "notes": list(report.notes),
        "changes": [
            {
                "kind": change.kind,
                "action": change.action,
                "subject": printable(change.subject),
                "before": _json_value(change.before),
                "after": _json_value(change.after),
                "where": change.where,
                "hosts": list(change.hosts),
                "paths": [printable(path) for path in change.paths],
                "impact": list(change.impact),
                "causes": [printable(cause) for cause in change.causes],
            }
            for change in report.changes
        ],
        "rollout": {
            "waves": [
                {
                    "title": wave.title,
                    "hosts": list(wave.hosts),
                    "oneAtATime": wave.one_at_a_time,
                    "does": list(wave.does),
                    "waitUntil": list(wave.wait),
                }
                for wave in report.rollout.waves
            ],
            "problems": [{"code": problem.code, "message": problem.message} for problem in report.rollout.problems],
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[[Report], str]] = {"text": as_text, "markdown": as_markdown, "json": as_json}
