"""Track confirmation: by persistence, not by one score. Knows nothing of boxes or images.

A detection's score is the probability that it is a face, so the sum of a track's scores is the number of true
sightings to expect. A face that is seen barely, but again and again, is believed later than one in clear view, and both
are believed; a jug that is seen barely a few times is not. A network finds some things, such as the back of a head,
again and again with a low score, so a track also has to reach a score once that few of them ever do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_SIGHT_SECONDS = 0.08
"""Frames closer in time than this are similar and repeat errors: they count by the time between them."""
TOLERANCE = 1e-6


@dataclass(slots=True)
class _Seen:
    last_seconds: float
    sightings: float = 0.0
    expected: float = 0.0
    best: float = 0.0


# Decisions TRK-1, TRK-2.
class Confirmation:
    """Tells from which sighting on a track is believed. Once believed, a track stays so."""

    def __init__(self, *, min_faces: int, min_expected_share: float, min_best_score: float = 0.0) -> None:
        """A track needs `min_faces` sightings, scores that sum to `min_expected_share` of that number, and one score of
        at least `min_best_score`."""
        self._min_faces, self._min_expected = min_faces, min_expected_share * min_faces
        self._min_best = min_best_score
        self._seen: dict[int, _Seen] = {}

    def update(self, track_ids: np.ndarray, confidence: np.ndarray, seconds: float) -> np.ndarray:
        """Which faces of a frame belong to a track believed by now: bool (n,). Each has a track and a score in 0..1."""
        believed = np.zeros(len(track_ids), bool)
        for i, (track_id, score) in enumerate(zip(track_ids.tolist(), confidence.tolist(), strict=True)):
            seen = self._seen.get(track_id)
            share = 1.0
            if seen is None:
                seen = self._seen[track_id] = _Seen(seconds)
            else:
                share = min(1.0, (seconds - seen.last_seconds) / SAME_SIGHT_SECONDS)
            seen.last_seconds = seconds
            seen.sightings += share
            seen.expected += share * score
            seen.best = max(seen.best, score)
            believed[i] = (
                seen.sightings >= self._min_faces - TOLERANCE
                and seen.expected >= self._min_expected - TOLERANCE
                and seen.best >= self._min_best
            )
        return believed

    def forget(self, before_seconds: float) -> None:
        """Drop what is known of tracks that were last seen before a time: their ids never come again."""
        for track_id in [i for i, seen in self._seen.items() if seen.last_seconds < before_seconds]:
            del self._seen[track_id]
