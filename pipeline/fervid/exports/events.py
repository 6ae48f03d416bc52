"""Events for captions and annotations: lasting expressions, and alerts. Knows nothing of files.

An expression is "happy-like": how a face looks, not what a person feels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.interpret.build import NOTHING_KNOWN, FrameTiming, frame_intervals
from fervid.run.usable import UNSURE, is_usable

LEAST_SECONDS = 0.4
"""A shorter expression is unreadable as a caption and usually noise."""
BRIDGED_SECONDS = 0.3
"""An expression continues across a gap of up to this length without a usable face."""
EXPRESSION, ALERT = "expression", "alert"


@dataclass(frozen=True, slots=True)
class Event:
    """An interval in seconds of the video; events in different lanes may overlap, `score` is in 0..1."""

    kind: str
    lane: str
    start_s: float
    end_s: float
    label: str
    score: float
    track_id: int | None
    text: str


def expression_events(
    frames: Sequence[dict[str, Any]],
    faces: Sequence[dict[str, Any]],
    scores: Mapping[str, str],
    *,
    end_s: float,
    max_hold_seconds: float,
    timing: FrameTiming = NOTHING_KNOWN,
) -> list[Event]:
    """Intervals with a constant label of a track. Faces of too low quality interrupt them.

    `scores` names each label's column of `faces`. Each frame covers the time nearer to it than to its neighbours, as in
    the timeline.
    """
    times = np.array([frame["time_s"] for frame in frames], float)
    start = max(0.0, float(times[0]) - max_hold_seconds) if len(times) else 0.0
    intervals = frame_intervals(times, start=start, end=end_s, max_hold_seconds=max_hold_seconds, timing=timing)
    cell = {frame["frame"]: i for i, frame in enumerate(frames)}
    events: list[Event] = []
    for track in sorted({face["track_id"] for face in faces}):
        own = [face for face in faces if face["track_id"] == track and is_usable(face["abstain"])]
        stretch: list[tuple[float, float, float, bool]] = []
        label = ""
        for face in own:
            row = cell[face["frame"]]
            begin, end = float(intervals.begin[row]), float(intervals.end[row])
            if stretch and (face["label"] != label or begin - stretch[-1][1] > BRIDGED_SECONDS):
                events += _expression(track, label, stretch)
                stretch = []
            label = face["label"]
            stretch.append((begin, end, float(face[scores[label]]), face["abstain"] == UNSURE))
        events += _expression(track, label, stretch)
    return events


def _expression(track: int, label: str, stretch: Sequence[tuple[float, float, float, bool]]) -> list[Event]:
    """One event, or none if it is too short; marked unsure if most of its labels are."""
    if not stretch or stretch[-1][1] - stretch[0][0] < LEAST_SECONDS:
        return []
    seconds = sum(end - begin for begin, end, *_ in stretch)
    score = sum((end - begin) * value for begin, end, value, _ in stretch) / seconds
    unsure = sum(end - begin for begin, end, _, is_unsure in stretch if is_unsure) > seconds / 2
    text = f"{label}-like {score:.2f} (face {track}{', unsure' if unsure else ''})"
    return [Event(EXPRESSION, f"face {track}", stretch[0][0], stretch[-1][1], label, score, track, text)]


def alert_events(alerts: Iterable[dict[str, Any]]) -> list[Event]:
    """Alerts as events: a lane per rule, with the rule's wording and a note that they need review."""
    return [
        Event(
            kind=ALERT,
            lane=f"alerts: {row['rule']}",
            start_s=row["start_s"],
            end_s=row["end_s"],
            label=row["rule"],
            score=row["peak_score"],
            track_id=row["track_id"],
            text=f"{row['wording']} {row['peak_score']:.2f}: needs review",
        )
        for row in alerts
    ]


def lanes(events: Sequence[Event]) -> dict[str, list[Event]]:
    """Events by lane, in order of start; overlapping events of a lane move to additional lanes."""
    found: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: (event.lane, event.start_s)):
        name, n = event.lane, 1
        while name in found and found[name][-1].end_s > event.start_s:
            n += 1
            name = f"{event.lane} ({n})"
        found.setdefault(name, []).append(event)
    return found
