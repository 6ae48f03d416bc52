"""Faces over time for tests of alert rules: written as text, or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fervid.alerts.find.finder import Samples
from fervid.alerts.find.machine import Alert
from fervid.alerts.language.rules import RuleSet, parse_rules

LABELS = ("angry", "happy")


def rules(*described: dict[str, Any], zones: Sequence[dict[str, Any]] = ()) -> RuleSet:
    plain = {"wording": "x", "score": "angry", "enter": 0.5, "for": 0, "keep_firing_for": 0, "merge_gap": 0}
    named = [{"name": f"r{i}"} | plain | one for i, one in enumerate(described)]
    return parse_rules({"rule": named, "zone": list(zones)}, source="test")


def samples(
    times: np.ndarray,
    tracks: dict[int, np.ndarray],
    *,
    usable: dict[int, np.ndarray] | None = None,
    centres: dict[int, np.ndarray] | None = None,
) -> Samples:
    """Faces by track: scores at every frame, NaN where the track is not seen."""
    frame, ids, angry, good, where = [], [], [], [], []
    for f in range(len(times)):
        for track, scores in tracks.items():
            if not np.isnan(scores[f]):
                frame.append(f)
                ids.append(track)
                angry.append(scores[f])
                good.append(True if usable is None else bool(usable[track][f]))
                where.append((0.5, 0.5) if centres is None else tuple(centres[track][f]))
    columns = {"angry": np.array(angry, np.float32), "happy": 1 - np.array(angry, np.float32)}
    return Samples(
        times, np.array(frame, int), np.array(ids, int), columns, np.array(good, bool),
        np.array(where, float).reshape(-1, 2),
    )  # fmt: skip


def cut(whole: Samples, begin: int, end: int) -> Samples:
    """Frames `begin` to `end` of samples."""
    own = (whole.frame_of_face >= begin) & (whole.frame_of_face < end)
    return Samples(
        whole.times[begin:end],
        whole.frame_of_face[own] - begin,
        whole.track_ids[own],
        {name: values[own] for name, values in whole.columns.items()},
        whole.is_usable[own],
        whole.centres[own],
    )


def spans(alerts: Sequence[Alert]) -> list[tuple[float, float]]:
    return [(round(alert.start, 6), round(alert.end, 6)) for alert in alerts]


SECONDS = np.arange(20.0)


def scores(text: str) -> np.ndarray:
    """One score a second: `.` is 0, `+` lies between exit and enter, `#` above enter, a blank is unseen."""
    return np.array([{".": 0.0, "+": 0.45, "#": 0.9, " ": np.nan}[sign] for sign in text.ljust(20, ".")])


def walk(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """A wandering score, continuous in time: a few waves of random phase."""
    waves = [
        np.sin(times * speed + phase) for speed, phase in zip(rng.uniform(0.1, 2, 6), rng.uniform(0, 7, 6), strict=True)
    ]
    return np.asarray(1 / (1 + np.exp(-np.sum(waves, axis=0))))


def random_case(rng: np.random.Generator) -> tuple[RuleSet, Samples]:
    n = int(rng.integers(1, 120))
    times = np.cumsum(rng.choice([0.1, 0.2, 0.2, 0.2, 1.3, 3.0], n, p=[0.1, 0.3, 0.3, 0.2, 0.06, 0.04]))
    tracks, usable, centres = {}, {}, {}
    for track in range(int(rng.integers(1, 5))):
        values = np.round(np.clip(walk(rng, times * 3) + rng.normal(0, 0.1, n), 0, 1), 2)
        first, last = np.sort(rng.integers(0, n + 1, 2))
        values[:first], values[last:] = np.nan, np.nan
        values[rng.random(n) < 0.1] = np.nan
        tracks[track], usable[track] = values, rng.random(n) < 0.95
        centres[track] = rng.choice([0.25, 0.75], (n, 2), p=[0.1, 0.9])
    zone = {"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}

    def rule(**other: Any) -> dict[str, Any]:
        pick = {
            name: float(rng.choice([0, 0.2, 0.4, 1, 2]))
            for name in ("for", "keep_firing_for", "merge_gap", "cooldown", "max_gap", "zone_inertia")
        }
        return pick | {"exit": float(rng.choice([0.2, 0.35, 0.5]))} | other

    group = {"over": "group", "score": "mean(angry)", "enter": 0.5, "where": "n_faces >= 1"}
    return rules(rule(), rule(zones=["right"]), rule(where="track_faces > 2"), rule(**group), zones=[zone]), samples(
        times, tracks, usable=usable, centres=centres
    )
