"""The stored faces of a run at any moment of its video, for drawing. Knows nothing of images.

Boxes move evenly between two samples of a track; scores and labels are those of the nearest one, never in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.base.spacing import reach
from fervid.overlay.faces import FaceMark
from fervid.run.handle import Run
from fervid.run.schema import answers_of
from fervid.run.tables import read_table

BRIDGED_SECONDS = 2.0
"""Nothing is drawn between samples of one track that are further apart."""


@dataclass(frozen=True, slots=True)
class _Track:
    times: np.ndarray
    boxes: np.ndarray
    probabilities: np.ndarray
    labels: list[Any]
    confidence: np.ndarray
    reasons: list[Any]


# Decision REV-6.
class StoredFaces:
    """The faces of a run by time. `boxes` are xyxy in pixels of the displayed frame."""

    def __init__(self, run: Run) -> None:
        scores = answers_of(run.manifest.model)
        columns = ["time_s", "track_id", "x", "y", "w", "h", *scores]
        own = run.folder, run.manifest.settings_hash
        table = read_table(*own, "faces", [*columns, "label", "confidence", "abstain"])
        times = read_table(*own, "frames", ["time_s"])["time_s"].to_numpy()
        # A sample covers the time that is nearer to it than to the next one.
        self._hold = reach(times) or 0.5
        x, y, w, h = (table[name].to_numpy() for name in ("x", "y", "w", "h"))
        boxes = np.stack([x, y, x + w, y + h], axis=1).astype(np.float64)
        probabilities = np.stack([table[name].to_numpy() for name in scores], axis=1)
        words, reasons = np.array(table["label"].to_pylist(), object), np.array(table["abstain"].to_pylist(), object)
        ids, seconds, confidence = (table[name].to_numpy() for name in ("track_id", "time_s", "confidence"))
        order = np.argsort(ids, kind="stable")
        self._tracks: dict[int, _Track] = {}
        for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else []:
            self._tracks[int(ids[rows[0]])] = _Track(
                seconds[rows],
                boxes[rows],
                probabilities[rows],
                words[rows].tolist(),
                confidence[rows],
                reasons[rows].tolist(),
            )
        self._begins = np.array([track.times[0] for track in self._tracks.values()])
        self._ends = np.array([track.times[-1] for track in self._tracks.values()])

    @property
    def tracks(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Of each track its times (n,) and boxes (n, 4)."""
        return {track_id: (track.times, track.boxes) for track_id, track in self._tracks.items()}

    def at(self, seconds: float, *, scale: tuple[float, float] = (1.0, 1.0)) -> list[FaceMark]:
        """The faces in view at a moment; boxes are multiplied by `scale` in x and y."""
        names = list(self._tracks)
        here = np.flatnonzero((self._begins <= seconds + self._hold) & (self._ends >= seconds - self._hold))
        marks = []
        for name in (names[i] for i in here.tolist()):
            track = self._tracks[name]
            after = int(np.searchsorted(track.times, seconds))
            before = after - 1
            if 0 < after < len(track.times):
                gap = track.times[after] - track.times[before]
                if gap > max(BRIDGED_SECONDS, 2 * self._hold) and not self._is_near(track, before, after, seconds):
                    continue
                share = (seconds - track.times[before]) / gap if gap <= BRIDGED_SECONDS else 0.0
                box = track.boxes[before] + share * (track.boxes[after] - track.boxes[before])
                nearest = before if seconds - track.times[before] <= track.times[after] - seconds else after
            else:
                nearest = min(after, len(track.times) - 1)
                box = track.boxes[nearest]
            x0, y0, x1, y1 = (box * (scale * 2)).tolist()
            marks.append(
                FaceMark(
                    (x0, y0, x1, y1),
                    name,
                    track.labels[nearest],
                    float(track.confidence[nearest]),
                    track.probabilities[nearest],
                    track.reasons[nearest],
                )
            )
        return marks

    def _is_near(self, track: _Track, before: int, after: int, seconds: float) -> bool:
        return bool(min(seconds - track.times[before], track.times[after] - seconds) <= self._hold)
