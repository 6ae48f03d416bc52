"""Figures that need no window system and leave no global state behind: they are drawn without pyplot."""

from __future__ import annotations

from typing import Any

DPI = 130


def make_figure(width_inches: float, height_inches: float) -> Any:
    """An empty `matplotlib` figure drawn by Agg, with a layout without overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
