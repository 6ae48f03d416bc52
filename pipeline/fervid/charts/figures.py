"""Figures that need no window system and leave no global state behind: they are drawn without pyplot."""

from __future__ import annotations

from typing import Any

from fervid.base.widths import columns_of
from fervid.charts.fonts import drawable

DPI = 130


def make_figure(width_inches: float, height_inches: float) -> Any:
    """An empty `matplotlib` figure drawn by Agg, with a layout without overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def shorten_name(name: str, n_columns: int) -> str:
    """A name in at most so many columns, without its middle if it is longer, in letters that the fonts here have."""
    name = drawable(name)
    widths = [columns_of(character) for character in name]
    if sum(widths) <= n_columns:
        return name
    head, tail, used = 0, len(name), 1
    while True:
        takes_head = head <= len(name) - tail
        used += widths[head if takes_head else tail - 1]
        if used > n_columns:
            return f"{name[:head]}…{name[tail:]}"
        head, tail = (head + 1, tail) if takes_head else (head, tail - 1)
