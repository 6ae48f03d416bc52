"""The timeline as a plot: stacked expressions over time above the number of faces, and agitated motion where a run
measured it. Knows nothing of runs.

A plot is as wide as its image, so a long timeline is reduced to that many columns first: drawing a week of video costs
as much as drawing a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

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


def plot_timeline(
    timeline: pa.Table, labels: tuple[str, ...], path: Place, *, title: str, recorded: datetime | None = None
) -> str:
    """Draw a timeline table to a PNG; the SHA-256 of the file. Bins without a usable face stay empty.

    `recorded` is when the recording began: the axis shows the time of day too.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = _columns(timeline, labels)
    figure = Figure(figsize=(11, 5), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    has_motion = columns.agitation is not None
    emotions, faces, *others = figure.subplots(
        3 if has_motion else 2, 1, sharex=True, height_ratios=(4, 1, 1) if has_motion else (4, 1)
    )
    last = others[0] if others else faces

    _draw_emotions(emotions, columns, labels, title)
    count = columns.mean_faces
    faces.stairs(count, columns.edges, fill=True, color="#333333", linewidth=0)
    faces.set_ylim(0, max(1.0, float(count.max(initial=0)) * 1.1))
    faces.set_ylabel("faces")
    begin, end = float(columns.edges[0]), float(columns.edges[-1])
    faces.set_xlim(begin, end)
    if columns.agitation is not None:
        _draw_motion(last, columns)
    _label_time(last, begin, end, recorded)
    for axes in (emotions, faces, *others):
        axes.spines[["top", "right"]].set_visible(False)
    if drawable(title) != title:
        figure.text(1.0, 0.0, CODES_NOTE, ha="right", va="bottom", fontsize=7, color="#666666")
    fit_fonts(figure)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png")
        return file_sha256(partial)


def _draw_emotions(axes: Any, columns: _Columns, labels: tuple[str, ...], title: str) -> None:
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
    axes.set_title(f"{shorten_name(title, LONGEST_NAME)}: how faces look over time", loc="left", parse_math=False)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    if not bottom.any():
        axes.text(0.5, 0.5, "no usable face", ha="center", va="center", transform=axes.transAxes, color="#666666")


def _label_time(axes: Any, begin: float, end: float, recorded: datetime | None) -> None:
    """The axis of time, by the clock too where it is known when the recording began."""
    if recorded is None:
        axes.set_xlabel("time in seconds")
    else:
        is_long = end - begin > LONGEST_BY_SECONDS
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}\n{_time_of_day(recorded, x, is_long=is_long)}")
        axes.set_xlabel(f"time in seconds, and by the clock ({_day(recorded)})")


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
        agitation=np.fmax.reduceat(timeline["agitation"].to_numpy().astype(float), first) if has_motion else None,
        camera_moves=mean(column("camera_moves"), end - start, spans) if has_motion else np.zeros(len(first)),
    )
