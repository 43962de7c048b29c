"""What each code means: the pages of docs/errors, which ``kcompile explain`` prints, from catalogue.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

GROUPS = {
    "K01": "Reading a file",
    "K02": "The shape of a spec",
    "K03": "Single values",
    "K04": "Networking",
    "K05": "Nodes",
    "K06": "Versions and components",
    "K07": "Certificates and tokens",
    "K08": "Patches and manifests",
    "K09": "Secrets",
    "K10": "Files and trees",
    "K11": "Checking a tree",
}
"""What the codes that begin alike are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One code's page. ``wrong`` and ``right`` are parts of a file, or of a terminal session."""

    code: str
    name: str
    title: str
    text: str
    wrong: str
    right: str
    language: str = "yaml"
    merge: bool = True
    """The examples are parts of a spec; otherwise whole files."""


@cache
def pages() -> dict[str, Page]:
    """Every page, by code, in their order."""
    content = resources.files("kcompile").joinpath("catalogue.toml").read_text("utf-8")
    return {code: Page(code=code, **fields) for code, fields in sorted(tomllib.loads(content).items())}


def page(code: str) -> Page:
    """A code's page. Raises KeyError."""
    return pages()[code]


def is_code(text: str) -> bool:
    """Whether a text looks like a code."""
    return len(text) == 5 and text[0] == "K" and text[1:].isdecimal()


def markdown(page: Page) -> str:
    """A page as Markdown."""
    parts = [f"# {page.code}: {page.title}", page.text.strip()]
    for label, example in (("Wrong:", page.wrong), ("Right:", page.right)):
        parts += [label, f"```{page.language}\n{example.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of all pages, as Markdown."""
    parts = [
        "# Errors and warnings",
        "Every problem that kcompile reports has a code that stays the same. `kcompile explain K0401` prints a page.",
    ]
    for prefix, title in GROUPS.items():
        rows = [f"- [{p.code}]({p.code}.md) {p.title}" for p in pages().values() if p.code.startswith(prefix)]
        parts += [f"## {title}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"
