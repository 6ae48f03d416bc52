"""Tracks by overlap of boxes (Bochinski et al., "High-Speed Tracking-by-Detection Without Using Image Information",
2017), with the gap limit in seconds, so that the result is independent of the sampling rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from fervid.base.geometry import iou_matrix
from fervid.track.matching import gap_limit, match
from fervid.track.options import TrackerOptions


class IouOptions(TrackerOptions):
    """Overlap with the last face of a track."""

    min_iou: float = Field(
        default=0.3, gt=0, lt=1, description="least overlap of a face with the last one of its track"
    )


@dataclass(slots=True)
class _Track:
    track_id: int
    box: np.ndarray
    last_seen_seconds: float


class IouTracker:
    """A face belongs to the track whose last box it overlaps most."""

    Options = IouOptions

    def __init__(self, *, gap_seconds: float, min_iou: float = 0.3) -> None:
        self._min_iou = min_iou
        self._gap_seconds = gap_seconds
        self._open: list[_Track] = []
        self._next_id = 0

    def update(
        self, boxes: np.ndarray, pts_seconds: float, *, is_cut: bool = False, spacing_seconds: float = 0.0
    ) -> np.ndarray:
        """Boxes float32 (n, 4) at a time -> track ids int32 (n,). A cut closes every track."""
        limit = gap_limit(self._gap_seconds, spacing_seconds)
        kept = [] if is_cut else [t for t in self._open if pts_seconds - t.last_seen_seconds <= limit]
        ids = np.full(len(boxes), -1, np.int32)
        if kept and len(boxes):
            overlap = iou_matrix(np.stack([t.box for t in kept]), boxes)
            for row, column in match(-overlap, -self._min_iou):
                ids[column] = kept[row].track_id
                kept[row].box, kept[row].last_seen_seconds = boxes[column], pts_seconds
        for new in np.flatnonzero(ids < 0):
            ids[new] = self._next_id
            kept.append(_Track(self._next_id, boxes[new], pts_seconds))
            self._next_id += 1
        self._open = kept
        return ids
