"""Static faces: posters, frozen screens, patterns. Detected only by the lack of motion.

A live head moves by more than a hundredth of its width within minutes, and its scores wander; the box of a
printed one stays in place, except for the detector's jitter, and so do its scores.
"""

from __future__ import annotations

import numpy as np

from fervid.base.geometry import iou_matrix

SAME_PLACE_IOU = 0.7
"""Tracks whose middle boxes overlap so much are one place: a poster is lost and found again as people pass."""
LARGEST_SHIFT, LARGEST_CHANGE = 0.03, 0.08
"""Median distance of a box from its place as a share of its size, and median change of a probability."""
LEAST_SHARE_OF_FRAMES = 0.5
"""A poster is detected in most frames; a place that people pass occasionally is not."""


def find_static(
    times: np.ndarray,
    boxes: np.ndarray,
    track_ids: np.ndarray,
    probabilities: np.ndarray,
    *,
    spacing_seconds: float,
    static_seconds: float,
) -> np.ndarray:
    """Which faces do not move or change for `static_seconds` or longer: bool (n,).

    Of faces (n,): `times`, `boxes` (n, 4), `track_ids` counted from 0, `probabilities` (n, C) unsmoothed.
    `spacing_seconds` is the usual time between analysed frames. 0 seconds disables it.
    """
    static = np.zeros(len(times), bool)
    if not len(times) or static_seconds <= 0:
        return static
    order = np.argsort(track_ids, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(track_ids[order])) + 1)
    middles = np.stack([np.median(boxes[own], axis=0) for own in rows])
    is_free = np.ones(len(rows), bool)
    for track in np.argsort([-len(own) for own in rows], kind="stable").tolist():
        if not is_free[track]:
            continue
        same = np.flatnonzero(is_free & (iou_matrix(middles[track : track + 1], middles)[0] >= SAME_PLACE_IOU))
        is_free[same] = False
        place = np.sort(np.concatenate([rows[one] for one in same.tolist()]))
        if _stands_still(times[place], boxes[place], probabilities[place], spacing_seconds, static_seconds):
            static[place] = True
    return static


def _stands_still(
    times: np.ndarray, boxes: np.ndarray, probabilities: np.ndarray, spacing_seconds: float, static_seconds: float
) -> bool:
    lasted = float(times[-1] - times[0])
    if lasted < static_seconds or len(times) * spacing_seconds < LEAST_SHARE_OF_FRAMES * lasted:
        return False
    middle = np.median(boxes, axis=0)
    size = float((middle[2:] - middle[:2]).mean())
    shift = np.abs(boxes - middle).max(axis=1) / max(size, 1.0)
    change = np.abs(probabilities - np.median(probabilities, axis=0)).max(axis=1)
    return bool(np.median(shift) <= LARGEST_SHIFT and np.median(change) <= LARGEST_CHANGE)
