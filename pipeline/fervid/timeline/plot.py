"""The timeline as a picture: stacked emotions over time above the number of faces. Knows nothing of runs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fervid.files import file_sha256
from fervid.palette import COLOURS, HATCHES, SPARE_COLOURS
from fervid.storage.place import Place
from fervid.storage.publish import written_whole


def plot_timeline(timeline: pa.Table, labels: tuple[str, ...], path: Place, *, title: str) -> str:
    """Draw a timeline table to a PNG; the SHA-256 of the file. Bins without a usable face stay empty."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    start = timeline["start_s"].to_numpy()
    width = timeline["end_s"].to_numpy() - start
    figure = Figure(figsize=(11, 5), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    emotions, faces = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))

    bottom = np.zeros(len(start))
    spare = iter(SPARE_COLOURS)
    for label in sorted(labels, key=lambda name: name == "neutral"):
        values = np.nan_to_num(timeline[f"mean_{label}"].to_numpy().astype(float))
        emotions.bar(
            start,
            values,
            width,
            bottom,
            align="edge",
            linewidth=0,
            label=label,
            color=COLOURS.get(label) or next(spare, "#444444"),
            hatch=HATCHES.get(label),
            edgecolor="#00000033",
        )
        bottom += values
    emotions.set_ylim(0, 1)
    emotions.set_ylabel("mean probability")
    emotions.set_title(f"{title}: how faces look over time", loc="left", parse_math=False)
    handles, names = emotions.get_legend_handles_labels()
    emotions.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    if not bottom.any():
        emotions.text(
            0.5, 0.5, "no usable face", ha="center", va="center", transform=emotions.transAxes, color="#666666"
        )

    count = np.nan_to_num(timeline["mean_faces"].to_numpy().astype(float))
    faces.bar(start, count, width, align="edge", color="#333333", linewidth=0)
    faces.set_ylim(0, max(1.0, float(count.max(initial=0)) * 1.1))
    faces.set_ylabel("faces")
    faces.set_xlabel("time in seconds")
    faces.set_xlim(float(start[0]), float(start[-1] + width[-1]))
    for axes in (emotions, faces):
        axes.spines[["top", "right"]].set_visible(False)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png")
        return file_sha256(partial)
