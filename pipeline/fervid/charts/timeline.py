"""The timeline as a plot: stacked expressions over time above the number of faces, and agitated motion where a run
measured it. Knows nothing of runs.

A plot is as wide as its image, so a long timeline is reduced to that many columns first: drawing a week of video costs
as much as drawing a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from fervid.base.clock import clock
from fervid.charts.figures import shorten_name
from fervid.charts.fonts import CODES_NOTE, drawable, fit_fonts
from fervid.charts.palette import COLOURS, HATCHES, SPARE_COLOURS
from fervid.storage.files import file_sha256
from fervid.storage.place import Place
from fervid.storage.publish import written_whole

LONGEST_BY_SECONDS = 86_400.0
"""Of recordings longer than this the axis shows days, and no seconds."""
MOVING_SHARE = 0.5
"""A column with a moving camera for so large a share of its time is marked."""
MAX_COLUMNS = 1000
"""Columns of a plot, about as many as the axes have pixels: 11 inches at 110 dpi, less legend and margins."""
LONGEST_NAME = 72
"""Columns of a file name in the title; longer ones would be cut off at the edge of the image."""
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43_200, 86_400)
"""Seconds between the times on the axis; of recordings longer than that allows, whole days."""
MOST_TICKS, MOST_CUTS = 10, 150
"""Of more cuts than this the lines would be a bar: they are left out, and the legend says so."""
NO_FACE_HATCH, NO_FACE_COLOUR = "////", "#b8b8b8"
ALERT_COLOUR, NOTICE_COLOUR, CUT_COLOUR = "#A50026", "#B8860B", "#222222"


class Marked(NamedTuple):
    """A stretch that a rule found, in seconds: an alert, or a notice."""

    start_s: float
    end_s: float
    is_alert: bool


def plot_timeline(
    timeline: pa.Table,
    labels: tuple[str, ...],
    path: Place,
    *,
    title: str,
    recorded: datetime | None = None,
    cuts: Sequence[float] = (),
    marked: Sequence[Marked] | None = None,
) -> str:
    """Draw a timeline table to a PNG; the SHA-256 of the file. Stretches without a usable face are hatched.

    `recorded` is when the recording began: the axis shows the time of day too. `cuts` are times of hard cuts in
    seconds. `marked` are the stretches that rules found, drawn in a row of their own; None where no rules ran.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = _columns(timeline, labels)
    figure = Figure(figsize=(11, 5), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    has_motion = columns.agitation is not None
    heights = [*([] if marked is None else [0.28]), 4, 1, *([1] if has_motion else [])]
    rows = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    above = [] if marked is None else [rows.pop(0)]
    emotions, faces, *others = rows
    last = others[0] if others else faces

    _draw_emotions(emotions, columns, labels)
    handles = [*emotions.get_legend_handles_labels()[0][::-1], *_draw_gaps(emotions, columns)]
    handles += _draw_cuts(emotions, cuts)
    for axes in above:
        handles += _draw_marked(axes, marked or ())
    emotions.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    (above or rows)[0].set_title(
        f"{shorten_name(title, LONGEST_NAME)}: how faces look over time", loc="left", parse_math=False
    )
    count = columns.mean_faces
    faces.stairs(count, columns.edges, fill=True, color="#333333", linewidth=0)
    faces.set_ylim(0, max(1.0, float(count.max(initial=0)) * 1.1))
    faces.set_ylabel("faces")
    faces.yaxis.get_major_locator().set_params(integer=True)
    begin, end = float(columns.edges[0]), float(columns.edges[-1])
    faces.set_xlim(begin, end)
    if columns.agitation is not None:
        _draw_motion(last, columns)
    _label_time(last, begin, end, recorded)
    for axes in (*above, emotions, faces, *others):
        axes.spines[["top", "right"]].set_visible(False)
    if drawable(title) != title:
        figure.text(1.0, 0.0, CODES_NOTE, ha="right", va="bottom", fontsize=7, color="#666666")
    fit_fonts(figure)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png")
        return file_sha256(partial)


def _draw_emotions(axes: Any, columns: _Columns, labels: tuple[str, ...]) -> None:
    """The mean probabilities, stacked, neutral on top."""
    bottom = np.zeros(len(columns.mean_faces))
    spare = iter(SPARE_COLOURS)
    for label in sorted(labels, key=lambda name: name == "neutral"):
        top = bottom + columns.means[label]
        axes.stairs(
            top,
            columns.edges,
            baseline=bottom,
            fill=True,
            linewidth=0,
            label=label,
            facecolor=COLOURS.get(label) or next(spare, "#444444"),
            hatch=HATCHES.get(label),
            edgecolor="#00000033",
        )
        bottom = top
    axes.set_ylim(0, 1)
    axes.set_ylabel("mean probability")
    if not bottom.any():
        box = {"facecolor": "white", "edgecolor": "none", "pad": 6}
        place = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no usable face", color="#444444", bbox=box, **place)


def _draw_gaps(axes: Any, columns: _Columns) -> list[Any]:
    """Hatches the stretches without a usable face; their entry in the legend."""
    from matplotlib.patches import Patch

    is_empty = columns.usable_seconds <= 0
    if not is_empty.any():
        return []
    look: dict[str, Any] = {"facecolor": "#f4f4f4", "edgecolor": NO_FACE_COLOUR, "hatch": NO_FACE_HATCH, "linewidth": 0}
    axes.stairs(is_empty, columns.edges, fill=True, zorder=0.5, **look)
    return [Patch(label="no usable face", **look)]


def _draw_cuts(axes: Any, cuts: Sequence[float]) -> list[Any]:
    """Short lines at hard cuts; their entry in the legend."""
    from matplotlib.lines import Line2D

    if not len(cuts):
        return []
    if len(cuts) > MOST_CUTS:
        return [Line2D([], [], linestyle="", label=f"{len(cuts):,} cuts, not drawn")]
    axes.vlines(cuts, 0, 0.03, transform=axes.get_xaxis_transform(), color=CUT_COLOUR, linewidth=1.0)
    return [Line2D([], [], color=CUT_COLOUR, marker="|", linestyle="", label="cut")]


def _draw_marked(axes: Any, marked: Sequence[Marked]) -> list[Any]:
    """The row of alerts and notices, each at least a pixel wide; their entries in the legend."""
    from matplotlib.patches import Patch

    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("alerts", rotation=0, ha="right", va="center")
    handles = []
    for is_alert, name, colour, height in ((False, "notice", NOTICE_COLOUR, 0.5), (True, "alert", ALERT_COLOUR, 1.0)):
        spans = [(one.start_s, one.end_s - one.start_s) for one in marked if one.is_alert == is_alert]
        if spans:
            axes.broken_barh(spans, (0, height), facecolor=colour, edgecolor=colour, linewidth=1.0)
            handles.append(Patch(color=colour, label=f"{name}, needs review"))
    if not marked:
        axes.text(0.0, 0.5, "none found", va="center", transform=axes.transAxes, fontsize=8, color="#666666")
    return handles


def _label_time(axes: Any, begin: float, end: float, recorded: datetime | None) -> None:
    """The axis of time as a clock from the beginning, by the wall clock too where the start is known."""
    from matplotlib.ticker import MultipleLocator

    ticks = [tick for tick in TICKS if recorded is None or tick >= 1]  # the wall clock is known to a second
    step = next((tick for tick in ticks if (end - begin) / tick <= MOST_TICKS), None)
    step = step or 86_400.0 * -(-int(end - begin) // (86_400 * MOST_TICKS))
    axes.xaxis.set_major_locator(MultipleLocator(step))
    decimals = 1 if step < 1 else 0
    is_long = end - begin > LONGEST_BY_SECONDS

    def text(seconds: float, _: int) -> str:
        own = clock(seconds, decimals=decimals, hides_hours=True)
        return own if recorded is None else f"{own}\n{_time_of_day(recorded, seconds, is_long=is_long)}"

    axes.xaxis.set_major_formatter(text)
    axes.set_xlabel("time" if recorded is None else f"time, and by the clock ({_day(recorded)})")


def _draw_motion(axes: Any, columns: _Columns) -> None:
    """The highest agitation of each column, and gray where the camera moves."""
    assert columns.agitation is not None
    axes.stairs(np.nan_to_num(columns.agitation), columns.edges, fill=True, color="#333333", linewidth=0)
    axes.stairs(columns.camera_moves >= MOVING_SHARE, columns.edges, fill=True, color="#dddddd", linewidth=0)
    if (columns.camera_moves >= MOVING_SHARE).any():
        axes.text(1.0, 1.02, "gray: the camera moves", ha="right", va="bottom", transform=axes.transAxes, fontsize=8)
    axes.set_ylim(0, 1)
    axes.set_ylabel("agitated\nmotion")


def _time_of_day(recorded: datetime, seconds: float, *, is_long: bool) -> str:
    """The time of day some seconds after the start, with the day in a long recording."""
    try:
        return f"{recorded + timedelta(seconds=seconds):{'%m-%d %H:%M' if is_long else '%H:%M:%S'}}"
    except OverflowError:  # a damaged clock
        return ""


def _day(recorded: datetime) -> str:
    zone = recorded.strftime("%z")
    return f"{recorded:%Y-%m-%d}" + (f", UTC{zone[:3]}:{zone[3:5]}" if zone else ", local time")


@dataclass(frozen=True, slots=True)
class _Columns:
    """A timeline reduced to C <= MAX_COLUMNS columns between `edges` float64 (C + 1,), in seconds."""

    edges: np.ndarray
    means: dict[str, np.ndarray]
    """Per label, the mean probability (C,) over the time with a usable face; 0 where there are none."""
    mean_faces: np.ndarray
    usable_seconds: np.ndarray
    """Of each column (C,), the time with a usable face."""
    agitation: np.ndarray | None
    """The highest of each column (C,), NaN where unknown; None in a run that did not measure motion."""
    camera_moves: np.ndarray
    """Share of the time (C,) with a moving camera."""


def _columns(timeline: pa.Table, labels: tuple[str, ...]) -> _Columns:
    """Neighbouring bins merged until they fit: means weighted by the seconds with a usable face, counts by time."""

    def column(name: str) -> np.ndarray:
        return np.asarray(np.nan_to_num(timeline[name].to_numpy().astype(float)))

    start, end = timeline["start_s"].to_numpy(), timeline["end_s"].to_numpy()
    first = np.arange(0, len(start), -(-len(start) // MAX_COLUMNS))
    weight = column("observed_s") * column("coverage")
    total = np.add.reduceat(weight, first)

    def mean(values: np.ndarray, weights: np.ndarray, totals: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(values * weights, first) / np.where(totals > 0, totals, 1))

    spans = np.add.reduceat(end - start, first)
    has_motion = "agitation" in timeline.column_names
    return _Columns(
        edges=np.append(start[first], end[-1]),
        means={label: mean(column(f"mean_{label}"), weight, total) for label in labels},
        mean_faces=mean(column("mean_faces"), end - start, spans),
        usable_seconds=total,
        agitation=np.fmax.reduceat(timeline["agitation"].to_numpy().astype(float), first) if has_motion else None,
        camera_moves=mean(column("camera_moves"), end - start, spans) if has_motion else np.zeros(len(first)),
    )
