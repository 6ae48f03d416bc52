"""Stretches of time worth a caption or an annotation: expressions that last, and alerts. Knows no file.

An expression is "happy-like": how a face looks, not what a person feels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.interpret.build import frame_spells
from fervid.run.usable import UNSURE, is_usable

LEAST_SECONDS = 0.4
"""A shorter expression cannot be read as a caption, and is most often noise."""
BRIDGED_SECONDS = 0.3
"""An expression goes on over a gap of so long, in which the face was not seen well."""
EXPRESSION, ALERT = "expression", "alert"


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of time in seconds of the video; `lane` tells apart what may overlap, `score` lies in 0..1."""

    kind: str
    lane: str
    start_s: float
    end_s: float
    label: str
    score: float
    track_id: int | None
    text: str


def expression_events(
    frames: Sequence[dict[str, Any]], faces: Sequence[dict[str, Any]], *, end_s: float, max_hold_seconds: float
) -> list[Event]:
    """Stretches in which the largest smoothed label of a track stays the same. Faces pictured too poorly break them.

    Each frame stands for the time nearer to it than to its neighbours, as in the timeline.
    """
    times = np.array([frame["time_s"] for frame in frames], float)
    start = max(0.0, float(times[0]) - max_hold_seconds) if len(times) else 0.0
    spells = frame_spells(times, start=start, end=end_s, max_hold_seconds=max_hold_seconds)
    cell = {frame["frame"]: i for i, frame in enumerate(frames)}
    events: list[Event] = []
    for track in sorted({face["track_id"] for face in faces}):
        own = [face for face in faces if face["track_id"] == track and is_usable(face["abstain"])]
        stretch: list[tuple[float, float, float, bool]] = []
        label = ""
        for face in own:
            row = cell[face["frame"]]
            begin, end = float(spells.begin[row]), float(spells.end[row])
            if stretch and (face["label"] != label or begin - stretch[-1][1] > BRIDGED_SECONDS):
                events += _expression(track, label, stretch)
                stretch = []
            label = face["label"]
            stretch.append((begin, end, float(face[f"s_{label}"]), face["abstain"] == UNSURE))
        events += _expression(track, label, stretch)
    return events


def _expression(track: int, label: str, stretch: Sequence[tuple[float, float, float, bool]]) -> list[Event]:
    """One event, or none where it is too short; marked unsure where most of its labels are."""
    if not stretch or stretch[-1][1] - stretch[0][0] < LEAST_SECONDS:
        return []
    seconds = sum(end - begin for begin, end, *_ in stretch)
    score = sum((end - begin) * value for begin, end, value, _ in stretch) / seconds
    unsure = sum(end - begin for begin, end, _, is_unsure in stretch if is_unsure) > seconds / 2
    text = f"{label}-like {score:.2f} (face {track}{', unsure' if unsure else ''})"
    return [Event(EXPRESSION, f"face {track}", stretch[0][0], stretch[-1][1], label, score, track, text)]


def alert_events(alerts: Iterable[dict[str, Any]]) -> list[Event]:
    """Alerts as events: a lane a rule, the wording of the rule, and that a person has to look."""
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
    """Events by lane, in order of start; where events of a lane overlap, the later ones stand in lanes of their own."""
    found: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: (event.lane, event.start_s)):
        name, n = event.lane, 1
        while name in found and found[name][-1].end_s > event.start_s:
            n += 1
            name = f"{event.lane} ({n})"
        found.setdefault(name, []).append(event)
    return found
