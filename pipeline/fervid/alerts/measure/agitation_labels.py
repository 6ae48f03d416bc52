"""Labelled stretches of analysed videos, as windows of flow statistics to fit a model of agitation to.

    file,label,camera
    yard/20261120.mp4,agitated,yard
    yard/20261121.mp4,none,yard

`start` and `end` choose a stretch, as in ground truth for rules; without them it is the whole video. All videos with
one `camera` count as one recording: none of them judges another.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fervid.alerts.measure.agitation_fit import Labelled
from fervid.alerts.measure.truth import VIDEO_COLUMNS
from fervid.base.toml import read_settings_file
from fervid.config import parse_time
from fervid.errors import ConfigError, InputError
from fervid.interpret.agitation import LEAST_ROWS, moves_with_camera
from fervid.interpret.agitation_model import FEATURES, window_features
from fervid.observe.observations import FLOW, flow_arrays, read_observations
from fervid.run.files import OBSERVATIONS
from fervid.run.handle import Run, is_named

AGITATED, OTHER = ("agitated", "fight", "true", "yes", "1"), ("none", "calm", "false", "no", "0")
"""Labels of both kinds."""
STEP_SECONDS = 1.0
"""Windows of a stretch end so far apart, and at its end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A labelled stretch of a run, in seconds of its video; `group` names its recording."""

    run: Run
    start: float
    end: float
    is_agitated: bool
    group: str


def read_stretches(path: Path, runs: Sequence[Run]) -> list[Stretch]:
    """The stretches in a CSV file; a video that was analysed several times gives one for each run.

    Raises ConfigError for another kind of file, InputError when no row matches a run.
    """
    try:
        text = read_settings_file(path, "file of labels").decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} cannot be read ({problem}). Give a CSV file with file,label,camera.") from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    column = next((name for name in VIDEO_COLUMNS if name in (reader.fieldnames or ())), None)
    if column is None or "label" not in (reader.fieldnames or ()):
        raise ConfigError(f"{path} has no columns file and label. It needs file,label and may have camera,start,end.")
    found = []
    for row in reader:
        cells = {name: (cell or "").strip() for name, cell in row.items() if isinstance(cell, str)}
        place = f"{path}, line {reader.line_num}"
        label, name = cells.get("label", "").lower(), cells.get(column, "")
        if label not in (*AGITATED, *OTHER):
            raise ConfigError(f"{place}: label {label!r} is unknown. Use {', '.join((*AGITATED, *OTHER))}.")
        start = parse_time(cells["start"]) if cells.get("start") else 0.0
        end = parse_time(cells["end"]) if cells.get("end") else float("inf")
        group = cells.get("camera") or name
        found += [Stretch(run, start, end, label in AGITATED, group) for run in runs if is_named(run, name)]
    if not found:
        raise InputError(f"{path}: none of its videos is among {len(runs)} runs. Give the folder of their runs.")
    return found


class Decided(Protocol):
    """A reviewer's verdict about an alert."""

    @property
    def video_id(self) -> str: ...
    @property
    def video(self) -> str: ...
    @property
    def camera(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def verdict(self) -> str | None: ...


def stretches_of_verdicts(runs: Sequence[Run], verdicts: Sequence[Decided], rule: str) -> list[Stretch]:
    """The alerts of a rule that a reviewer decided on: `true` is agitated, `false` is not."""
    by_id = {run.manifest.video_id: run for run in runs}
    return [
        Stretch(by_id[one.video_id], one.start_s, one.end_s, one.verdict == "true", one.camera or one.video)
        for one in verdicts
        if one.rule == rule and one.verdict in ("true", "false") and one.video_id in by_id
    ]


def labelled_windows(stretches: Sequence[Stretch], *, window_seconds: float) -> Labelled:
    """The windows of stretches in which the camera does not move. Raises InputError for runs without statistics."""
    rows: dict[Path, tuple[np.ndarray, list[np.ndarray]]] = {}
    features, is_agitated, groups = [], [], []
    for stretch in stretches:
        folder = Path(str(stretch.run.folder))
        if folder not in rows:
            rows[folder] = _flow_rows(folder)
        times, flows = rows[folder]
        own = np.flatnonzero((times >= stretch.start) & (times <= stretch.end))
        if not len(own):
            continue
        last = times[own[-1]]
        for end in np.arange(last, max(times[own[0]], last - (stretch.end - stretch.start)) - 1e-9, -STEP_SECONDS):
            chosen = own[(times[own] > end - window_seconds + 1e-6) & (times[own] <= end + 1e-9)]
            window = [flows[i] for i in chosen if len(flows[i])]
            if len(window) >= LEAST_ROWS and not moves_with_camera(stacked := np.stack(window)):
                features.append(window_features(stacked))
                is_agitated.append(stretch.is_agitated)
                groups.append(stretch.group)
    numbers = np.unique(groups, return_inverse=True)[1] if groups else np.zeros(0, int)
    return Labelled(np.array(features, float).reshape(-1, len(FEATURES)), np.array(is_agitated, bool), numbers)


def _flow_rows(folder: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    times, flows = [], []
    for path in sorted((folder / OBSERVATIONS).glob("*.parquet")):
        table, _, _ = read_observations(path)
        if FLOW not in table.schema.names:
            break
        times.append(table["time_s"].to_numpy())
        flows += flow_arrays(table)
    if not times:
        raise InputError(f"{folder} has no motion. Analyse its video with --preset cctv, or --set motion.measure=true.")
    return np.concatenate(times), flows
