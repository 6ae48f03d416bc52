"""Ground truth: a CSV file of labelled events, matched to runs by name.

    video,start,end,emotion
    cam1/20261120_220000.mp4,00:12:31,00:12:40,angry
    clip.mp4,,,happy

Without a start and an end an event is the whole video. `file` may replace `video`; other columns are ignored. A
run without a row counts as having no events, so give only footage that was fully reviewed.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fervid.base.toml import read_settings_file
from fervid.config import parse_time
from fervid.errors import ConfigError, InputError
from fervid.run.handle import Run, is_named

VIDEO_COLUMNS = ("video", "file")


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One event: seconds of the video, and the label of the face if given."""

    start: float
    end: float
    emotion: str | None

    def is_for(self, labels: Collection[str]) -> bool:
        """Whether a rule that looks at `labels` should find it."""
        return self.emotion is None or self.emotion in labels


@dataclass(frozen=True, slots=True)
class Truth:
    """The events of every run, in the order of the runs, and the rows that belong to none of them."""

    events: tuple[tuple[TrueEvent, ...], ...]
    unmatched: tuple[str, ...]


def read_truth(path: Path, runs: Sequence[Run]) -> Truth:
    """The events in a CSV file, matched to runs by file name (or its end with folders), run folder or video id.

    Raises ConfigError for another kind of file, InputError when a name matches several runs or none matches any.
    """
    try:
        text = read_settings_file(path, "file of events").decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} cannot be read ({problem}). Give a CSV file with video,start,end.") from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    column = next((name for name in VIDEO_COLUMNS if name in columns), None)
    if column is None:
        raise ConfigError(f"{path} has no column 'video' (columns: {', '.join(columns)}). It needs video,start,end.")
    by_run: list[list[TrueEvent]] = [[] for _ in runs]
    unmatched = []
    for row in reader:
        cells = {(name or "").strip(): (cell or "").strip() for name, cell in row.items() if isinstance(cell, str)}
        place = f"{path}, line {reader.line_num}"
        name = cells.get(column, "")
        if not name:
            raise ConfigError(f"{place}: the name of the video is missing.")
        fitting = [i for i, run in enumerate(runs) if is_named(run, name)]
        if len(fitting) > 1:
            raise InputError(
                f"{place}: {name!r} matches {len(fitting)} runs. Write more of its path, or the run folder."
            )
        if not fitting:
            unmatched.append(name)
            continue
        event = _event(cells, runs[fitting[0]], place)
        if event is not None:
            by_run[fitting[0]].append(event)
    if unmatched and not any(by_run):
        raise InputError(f"{path}: none of its videos ({unmatched[0]!r} and others) is among {len(runs)} runs.")
    return Truth(tuple(tuple(sorted(events, key=lambda e: e.start)) for events in by_run), tuple(unmatched))


def _event(cells: dict[str, str], run: Run, place: str) -> TrueEvent | None:
    """The event of a row; None for a row that only marks a video as reviewed (emotion `none`)."""
    emotion = cells.get("emotion", "").lower() or None
    if emotion == "none":
        return None
    duration = float(run.manifest.video["duration_seconds"])
    start, end = cells.get("start", ""), cells.get("end", "")
    if bool(start) != bool(end):
        raise ConfigError(f"{place}: start and end go together. Leave both empty for the whole video.")
    try:
        event = TrueEvent(parse_time(start) if start else 0.0, parse_time(end) if end else duration, emotion)
    except ConfigError as problem:
        raise ConfigError(f"{place}: {problem}") from None
    if event.end < event.start:
        raise ConfigError(f"{place}: it ends ({end}) before it starts ({start}).")
    return event
