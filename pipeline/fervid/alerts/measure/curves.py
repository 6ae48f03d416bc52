"""Plots recall over false alarms per hour, and precision over recall. Knows nothing of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fervid.alerts.measure.outcomes import Outcome, Point
from fervid.charts.palette import BLUE, DARK_GREY, VERMILION
from fervid.storage.publish import written_whole

STYLES = ((BLUE, "-", "o"), (VERMILION, "--", "s"))
"""Colour, line and mark of each curve: distinguishable without colour."""


def draw_curves(
    curves: Mapping[str, Sequence[Point]],
    marks: Mapping[str, Outcome],
    path: Path,
    *,
    title: str,
    target_per_hour: float | None = None,
) -> None:
    """Draw curves by name to a PNG; `marks` are single outcomes of the same names, such as that of the rule in use."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    rates, precisions = figure.subplots(1, 2)
    for (name, points), (colour, line, mark) in zip(curves.items(), STYLES, strict=False):
        ordered = sorted(points, key=lambda point: -point.rule.enter)
        found = [(p.outcome.false_per_hour, p.outcome.recall, p.outcome.precision) for p in ordered]
        seen = [(rate, recall) for rate, recall, _ in found if rate is not None and recall is not None]
        rates.plot([r for r, _ in seen], [r for _, r in seen], line, color=colour, label=name, drawstyle="steps-post")
        both = [(recall, precision) for _, recall, precision in found if recall is not None and precision is not None]
        precisions.plot([r for r, _ in both], [p for _, p in both], line, color=colour, marker=".", label=name)
        if name in marks:
            own = marks[name]
            label = f"{name}: the rule"
            if own.recall is not None:
                rates.plot([own.false_per_hour], [own.recall], mark, color=colour, markersize=9, label=label, zorder=3)
                if own.precision is not None:
                    precisions.plot([own.recall], [own.precision], mark, color=colour, markersize=9, zorder=3)
    if target_per_hour is not None:
        rates.axvline(target_per_hour, color=DARK_GREY, linewidth=1, linestyle=":", label="target")
    rates.set_xscale("symlog", linthresh=max(0.1, target_per_hour or 0.0))
    rates.set_xlim(left=0)
    rates.set_xlabel("false alarms per hour of video")
    rates.set_ylabel("recall: share of the events found")
    precisions.set_xlabel("recall")
    precisions.set_ylabel("precision: share of alerts at events")
    for axes in (rates, precisions):
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    precisions.set_xlim(-0.03, 1.03)
    if not any(point.outcome.n_events for points in curves.values() for point in points):
        rates.text(0.5, 0.5, "no events to find", ha="center", transform=rates.transAxes, color=DARK_GREY)
    rates.xaxis.set_major_formatter("{x:g}")
    handles, names = rates.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=max(1, len(names)), frameon=False, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": None})
