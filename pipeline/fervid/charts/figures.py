"""Figures that need no window system and leave no global state behind: they are drawn without pyplot."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DPI = 130


def make_figure(width_inches: float, height_inches: float) -> Any:
    """An empty `matplotlib` figure drawn by Agg, with a layout without overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """No warning per character that the font lacks: file names may be in any script. It is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def shorten_name(name: str, n_columns: int) -> str:
    """A name in at most so many columns, without its middle if it is longer. A CJK character takes two columns."""
    widths = [2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in name]
    if sum(widths) <= n_columns:
        return name
    head, tail, used = 0, len(name), 1
    while True:
        takes_head = head <= len(name) - tail
        used += widths[head if takes_head else tail - 1]
        if used > n_columns:
            return f"{name[:head]}…{name[tail:]}"
        head, tail = (head + 1, tail) if takes_head else (head, tail - 1)
