"""Text from the package's Jinja2 templates. What a user names passes through the quoting filter of its language."""

from __future__ import annotations

import html
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

_DIRECTORY = Path(__file__).parent / "templates"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - shell and Markdown, not HTML
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)  # a JSON string is a YAML string
    environment.filters["md"] = lambda value: " ".join(str(value).split()).replace("|", "\\|").replace("`", "")
    environment.filters["prose"] = _prose
    return environment


def _prose(value: object) -> str:
    """A text in a cell of a Markdown table that says what it says: no markup, no HTML, no link."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    text = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", text)
    return text.replace("://", ":&#47;/").replace("@", "&#64;").replace("www.", "www&#46;")


@cache
def _template(name: str) -> jinja2.Template:
    source = (_DIRECTORY / f"{name}.j2").read_text("utf-8")
    return _environment().from_string(source)


def render(name: str, /, **values: Any) -> bytes:
    """The template ``templates/<name>.j2``, filled in. An undefined name in it is an error."""
    return _template(name).render(values).encode()
