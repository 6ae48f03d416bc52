"""The frame of written pages: one for all, without scripts or foreign files, and safe for any text."""

from __future__ import annotations

from fervid.review.page import served_page, static_file
from fervid.web.written import LOGO, THEME, html_figure, html_page, html_table, style_file


def test_a_page_is_whole_and_loads_nothing() -> None:
    page = html_page("A < B", ["<h1>A</h1>", "", "<p>text</p>"], says="5 > 4", links={"a & b": 'x".html'})
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>A &lt; B</title>" in page
    assert "5 &gt; 4" in page
    assert '<a href="x&quot;.html">a &amp; b</a>' in page
    for word in ("<script", "http:", "https:", "@import", "url("):
        assert word not in page


def test_a_page_without_links_has_no_menu() -> None:
    assert "<nav" not in html_page("A", [], says="")


def test_cells_are_escaped_and_numbers_aligned() -> None:
    table = html_table(("name", "faces"), [("<b>", "3")], numbers=["faces"])
    assert "<td>&lt;b&gt;</td>" in table
    assert '<th class="number">faces</th>' in table
    assert '<td class="number">3</td>' in table


def test_a_figure_says_what_it_shows() -> None:
    figure = html_figure("Curve", 'a "curve"', b"png", has_caption=True)
    assert 'alt="a &quot;curve&quot;"' in figure
    assert "<figcaption>" in figure


def test_every_page_has_the_same_colours_and_logo() -> None:
    assert static_file(THEME) == style_file(THEME)
    assert LOGO in served_page("list")
    assert style_file(THEME) in html_page("A", [], says="")
