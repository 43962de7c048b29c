"""Writes the pages beside this file from the catalogue: `make golden` runs it, and a test keeps them true."""

from pathlib import Path

from kcompile import catalogue

here = Path(__file__).parent
for old in here.glob("*.md"):
    old.unlink()
for page in catalogue.pages().values():
    (here / f"{page.code}.md").write_text(catalogue.markdown(page), encoding="utf-8")
(here / "README.md").write_text(catalogue.index(), encoding="utf-8")
