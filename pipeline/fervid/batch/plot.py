"""The picture of a finished run's timeline, with the alerts that its folder holds. Changes no manifest."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from fervid.base.printable import printable
from fervid.charts.timeline import Marked, plot_timeline
from fervid.errors import FervidError
from fervid.run.bad_values import BAD_VALUES
from fervid.run.derived import note_hashes
from fervid.run.files import ALERTS_JSON, PLOT
from fervid.run.handle import Run
from fervid.run.manifest import manifest_content
from fervid.run.recorded import recorded_time
from fervid.run.tables import read_table
from fervid.storage.place import Place, is_on_disk


def draw_run(folder: Place, settings_hash: str, labels: tuple[str, ...], name: str) -> None:
    """Draw timeline.png of the run of a video of this name.

    Whoever finds alerts at the same time draws too: what was found meanwhile is drawn again, so that the last picture
    has it, whoever comes last.
    """
    timeline = read_table(folder, settings_hash, "timeline")
    frames = read_table(folder, settings_hash, "frames", ["time_s", "is_cut"])
    cuts = frames["time_s"].to_numpy()[frames["is_cut"].to_numpy().astype(bool)]
    recorded = recorded_time(manifest_content(folder)["video"], name)
    marked: list[Marked] | None = None
    while marked is None or marked != marked_in(folder):
        marked = marked_in(folder)
        sha256 = plot_timeline(
            timeline, labels, folder / PLOT, title=printable(name), recorded=recorded,
            cuts=np.asarray(cuts, float).tolist(), marked=marked or None,
        )  # fmt: skip
        note_hashes(folder, {PLOT: sha256})


def draw_found(run: Run, before: list[Marked]) -> None:
    """Draw the plot of a run again after its alerts were written, if it has one and they differ from those `before`.

    A run whose plot cannot be drawn keeps the old one: the alerts are written all the same.
    """
    if not is_on_disk(run.folder) or not (run.folder / PLOT).is_file() or marked_in(run.folder) == before:
        return
    name = Path(run.manifest.video_path).name
    with suppress(FervidError, OSError):
        draw_run(run.folder, run.manifest.settings_hash, tuple(run.manifest.model["labels"]), name)


def marked_in(folder: Place) -> list[Marked]:
    """The alerts and notices that a run's folder holds; none in a store of objects, where nobody draws them again."""
    if not is_on_disk(folder):
        return []
    try:
        alerts = json.loads((folder / ALERTS_JSON).read_text())["alerts"]
        return [Marked(float(one["start_s"]), float(one["end_s"]), one["tier"] == "alert") for one in alerts]
    except (OSError, *BAD_VALUES):
        return []
