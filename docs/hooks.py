"""Pages of the site that are files of the repository: `<!-- include: CHANGELOG.md -->` is replaced by that file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The text of a page, as MkDocs asks for it."""
    return re.sub(r"<!-- include: (\S+) -->", lambda match: included(match[1]), markdown)


def included(name: str) -> str:
    """A file of the repository, its links as seen from `docs`."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    for file, page in PAGES.items():
        text = text.replace(f"]({file})", f"]({page})")
    return text
