"""Which detection continues which track, and for how long a track may be out of sight. Knows nothing of motion or
overlap.
"""

from __future__ import annotations

import numpy as np

FRAMES_APART = 1.5
"""Largest distance of consecutive frames, in typical spacings."""


def gap_limit(gap_seconds: float, spacing_seconds: float) -> float:
    """Seconds that a track survives without a face: at least the time between two frames."""
    return max(gap_seconds, FRAMES_APART * spacing_seconds)


def match(cost: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Pairs (track, detection) of a cost matrix (T, n), the cheapest first, none of which costs more than `limit`.

    Greedy: with few faces per frame it finds what the global optimum would. Of equal costs the earlier track goes
    first.
    """
    pairs: list[tuple[int, int]] = []
    tracks: set[int] = set()
    detections: set[int] = set()
    for flat in np.argsort(cost, axis=None, kind="stable").tolist():
        row, column = divmod(flat, cost.shape[1])
        if cost[row, column] > limit or np.isinf(cost[row, column]):
            break
        if row not in tracks and column not in detections:
            tracks.add(row)
            detections.add(column)
            pairs.append((row, column))
    return pairs
