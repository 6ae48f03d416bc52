"""The page as HTML: the frame that a server sends, or one file with modules, style and content within. Reads no run.

The one file is one module script: imports are left out and exports made plain, in the order in which modules need each
other, so that no module may use a name that another one has at its top (a test looks).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from fervid.base.version import __version__
from fervid.web.written import LOGO, THEME, style_file

_MODULES = (
    "address alerts axis carrier chartpanel chunks columns compare compareclock comparerows controls curves dom "
    "faceboxes glance labels listfilters listview main marks moments motion overview paint peaks people pictures "
    "player queue queuefilters queueitem recording rows rulepanel runview series sieve svg takeaway timeline"
).split()
STYLES = (THEME, "app.css", "run.css", "queue.css")
STATIC = (*STYLES, *(f"{name}.js" for name in _MODULES))
"""Every file that the page consists of."""
SCRIPT, STYLE = "page.js", "page.css"
"""All modules, and all styles, as one file each: a request costs browser and server more than what it brings."""
SERVED = (SCRIPT, STYLE, *STATIC)
"""All that a server hands out by name."""

IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) )", re.MULTILINE)

_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
{head}
<title>{title}</title>
</head>
<body>
<a class="skip" href="#view">Skip to the content</a>
<div class="top" role="banner">
<a class="brand" href="#/">{logo}fervid</a>
<nav id="pages" aria-label="Pages"></nav>
<p class="note">How faces look over time. A label is not what a person feels; an alert is a moment that needs
review.</p>
<div id="tools"></div>
</div>
<main id="view" tabindex="-1"><p class="quiet">Loading …</p></main>
<footer>A label is not what a person feels; an alert is a moment that needs review.
Made by fervid {version}. Nothing on this page leaves this machine.</footer>
<div id="announcer" class="hidden" role="status" aria-live="polite"></div>
<noscript>This page needs JavaScript, which it brings along itself.</noscript>
{tail}
</body>
</html>
"""


def static_file(name: str) -> str:
    """One of the files of the page. Raises KeyError for a name that is not in STATIC."""
    if name not in STATIC:
        raise KeyError(name)
    if name == THEME:
        return style_file(name)
    return (files("fervid.review") / "static" / name).read_text(encoding="utf-8")


@cache
def served_file(name: str) -> str:
    """One of SERVED, read once in the life of a server. Raises KeyError for another name."""
    if name == SCRIPT:
        return bundle("main.js")
    return _style() if name == STYLE else static_file(name)


def served_page(title: str) -> str:
    """The frame that a server sends; modules and styles come as one file each, content when the page asks for it."""
    head = f'<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/static/{STYLE}">\n'
    head += f'<link rel="modulepreload" href="/static/{SCRIPT}">'
    tail = f'<script type="module" src="/static/{SCRIPT}"></script>'
    return _FRAME.format(head=head, title=escape(title), version=escape(__version__), logo=LOGO, tail=tail)


def single_file(
    title: str,
    data: Mapping[str, Any],
    runs: Iterable[tuple[str, Mapping[str, Any]]],
    files: Mapping[str, str] | None = None,
) -> str:
    """A self-contained page that may not load anything: `data` is the list, `runs` are ids and contents of runs.

    `files` are base64 by the ids of their elements.

    A policy of its own lets it run exactly its own script and style, and play media; it cannot reach any network.
    """
    script, style = "\n" + bundle("main.js"), "\n" + _style()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    parts = [_embed("fervid-data", data), *(_embed(f"run-{name}", content) for name, content in runs)]
    parts += [f'<script type="text/plain" id="{escape(name)}">{text}</script>' for name, text in (files or {}).items()]
    tail = "\n".join([*parts, f'<script type="module">{script}</script>'])
    return _FRAME.format(head=head, title=escape(title), version=escape(__version__), logo=LOGO, tail=tail)


# Decision REV-1.
def bundle(entry: str) -> str:
    """A module and all that it imports as one script, each after those that it needs."""
    ordered: list[str] = []
    _collect(entry, ordered)
    return "\n".join(EXPORT.sub("", IMPORT.sub("", static_file(name))) for name in ordered)


def to_json(content: Any) -> str:
    """JSON that may stand within a script element: no text of it can end the element or open a comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _collect(name: str, ordered: list[str]) -> None:
    for _, needed in IMPORT.findall(static_file(name)):
        if needed not in ordered:
            _collect(needed, ordered)
    if name not in ordered:
        ordered.append(name)


def _style() -> str:
    return "".join(static_file(name) for name in STYLES)


def _embed(name: str, content: Mapping[str, Any]) -> str:
    return f'<script type="application/json" id="{escape(name)}">{to_json(content)}</script>'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
