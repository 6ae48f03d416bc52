"""The frame of pages that are written beside results: header, style, tables, figures. Knows nothing of results.

Such a page has no script and loads nothing, so it reads the same from a file, a mail or on paper.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from fervid.base.version import __version__

THEME = "theme.css"
LOGO = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><rect width="24" height="24" rx="6" fill="#14171f" stroke="#545b6b" '
    'stroke-width=".5"/><path d="M4 16c2 0 2-7 4.5-7s2.5 5 5 5 2.5-7 6.5-7" fill="none" stroke="#F0E442" '
    'stroke-width="2.2" stroke-linecap="round"/><circle cx="13.5" cy="14" r="2" fill="#D55E00"/></svg>'
)


@cache
def style_file(name: str) -> str:
    """A style sheet of all pages: `theme.css` has the colours, `written.css` the form of written pages."""
    return (files("fervid.web") / "static" / name).read_text(encoding="utf-8")


def html_page(
    title: str,
    parts: Iterable[str],
    *,
    says: str,
    links: Mapping[str, str] | None = None,
    own_style: str = "",
) -> str:
    """A whole page from pieces of HTML; empty pieces are left out.

    `says` is the text of the footer, before the version. `links` are texts and addresses of other pages, shown in the
    header. `own_style` is CSS that only this page needs.
    """
    style = style_file(THEME) + style_file("written.css") + own_style
    menu = "".join(f'<a href="{escape(address)}">{escape(text)}</a>' for text, address in (links or {}).items())
    nav = f'<nav aria-label="Other pages">{menu}</nav>' if menu else ""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header class="top"><div><span class="brand">{LOGO}fervid</span>{nav}</div></header>\n'
        f"<main>\n{body}\n</main>\n"
        f"<footer><p>{escape(says)}</p><p>Made by fervid {escape(__version__)}.</p></footer>\n</body>\n</html>\n"
    )


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()) -> str:
    """A table of texts. Columns whose heading is among `numbers` are aligned to the right."""
    return table_of_cells(heads, ([escape(text) for text in row] for row in rows), numbers=numbers)


def table_of_cells(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()) -> str:
    """The same for cells that are HTML already."""
    kinds = [' class="number"' if head in numbers else "" for head in heads]
    head = "".join(f"<th{kind}>{escape(text)}</th>" for kind, text in zip(kinds, heads, strict=True))
    lines = [
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    ]
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def html_figure(heading: str, description: str, png: bytes, *, has_caption: bool = False) -> str:
    """A picture within the page under a heading; its description is read out, and shown as a caption if asked for."""
    data, alt = base64.b64encode(png).decode("ascii"), escape(description)
    caption = f"<figcaption>{alt}</figcaption>" if has_caption else ""
    return f'<h2>{escape(heading)}</h2>\n<figure><img alt="{alt}" src="data:image/png;base64,{data}">{caption}</figure>'
