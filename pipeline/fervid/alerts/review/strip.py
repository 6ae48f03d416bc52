"""Plots the scores around an alert: stacked expressions of its face over time, and the motion. Shows no face."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fervid.alerts.find.records import NEEDS_REVIEW, AlertRecord
from fervid.alerts.find.stored_motion import StoredMotion
from fervid.base.spacing import reach
from fervid.charts.palette import COLOURS, HATCHES, SPARE_COLOURS
from fervid.interpret.build import frame_intervals
from fervid.overlay.motion import FULL_SPEED
from fervid.run.schema import answers_of


def draw_strip(
    faces: pa.Table,
    record: AlertRecord,
    model: Mapping[str, Any],
    path: Path,
    *,
    start: float,
    end: float,
    motion: StoredMotion | None = None,
) -> None:
    """Draw the probabilities that decide the labels of the alert's faces from `start` to `end` seconds to a PNG.

    Of several faces at one moment the mean is drawn. The span of the alert is marked above. With `motion` a second row
    has the agitation, and the mean speed of each part of the image during the alert.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    own = np.isin(faces["track_id"].to_numpy(), record.track_ids)
    times, which = np.unique(faces["time_s"].to_numpy()[own], return_inverse=True)
    count = np.maximum(1, np.bincount(which, minlength=len(times)))
    figure = Figure(figsize=(9, 2.2 if motion is None else 4.0), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots() if motion is None else _with_motion(figure, motion, record, start, end)
    hold = reach(times) or 0.1
    first, last = (times[0] - hold, times[-1] + hold) if len(times) else (start, start)
    intervals = frame_intervals(times, start=first, end=last, max_hold_seconds=hold)  # no gaps where sampling is uneven
    bottom = np.zeros(len(times))
    spare = iter(SPARE_COLOURS)
    columns = dict(zip(model["labels"], answers_of(model), strict=True))
    for label in sorted(columns, key=lambda name: name == "neutral"):
        sums = np.bincount(which, faces[columns[label]].to_numpy()[own].astype(float), len(times))
        colour = COLOURS.get(label) or next(spare, "#444444")
        axes.bar(
            intervals.begin, sums / count, intervals.seconds, bottom, align="edge", linewidth=0, color=colour,
            hatch=HATCHES.get(label), edgecolor="#00000033", label=label,
        )  # fmt: skip
        bottom += sums / count
    axes.plot([record.start_s, record.end_s], [1.04, 1.04], color="black", linewidth=3, clip_on=False)
    if not len(times):
        axes.text(0.5, 0.5, "no usable face", ha="center", va="center", transform=axes.transAxes, color="#666666")
    axes.set_xlim(start, max(end, start + 2 * hold))
    axes.set_ylim(0, 1.08)
    axes.set_ylabel("probability")
    if motion is None:
        axes.set_xlabel("seconds of the video")
    axes.set_title(f"{record.wording}: {NEEDS_REVIEW} (black: the alert)", loc="left", fontsize=10, parse_math=False)
    handles, names = axes.get_legend_handles_labels() if len(times) else ([], [])
    axes.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})


def _with_motion(figure: Any, motion: StoredMotion, record: AlertRecord, start: float, end: float) -> Any:
    """Draw the motion into the second row of a figure; returns the axes of the first one."""
    parts = figure.subplot_mosaic([["faces", "faces"], ["agitation", "where"]], width_ratios=(3, 1))
    axes, where = parts["agitation"], parts["where"]
    within = (motion.seconds >= start) & (motion.seconds <= end)
    axes.plot(motion.seconds[within], motion.agitation[within], color="#333333")
    axes.axvspan(record.start_s, record.end_s, color="#00000018", linewidth=0)
    axes.set(xlim=(start, end), ylim=(0, 1), xlabel="seconds of the video", ylabel="agitation")
    axes.spines[["top", "right"]].set_visible(False)
    where.imshow(motion.mean(record.start_s, record.end_s), cmap="Oranges", vmin=0, vmax=FULL_SPEED, aspect="auto")
    where.set(xticks=[], yticks=[])
    where.set_title("where it moves", loc="left", fontsize=9)
    return parts["faces"]
