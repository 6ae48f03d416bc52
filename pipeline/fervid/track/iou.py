"""Tracks by overlap of boxes (Bochinski et al., "High-Speed Tracking-by-Detection Without Using Image Information",
2017), with the gap limit in seconds, so that the result does not hang on the sampling rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fervid.geometry import iou_matrix


@dataclass(slots=True)
class _Track:
    track_id: int
    box: np.ndarray
    last_seen_seconds: float


class IouTracker:
    """Greedy matching, best overlap first: with few faces a frame it finds what the global optimum would."""

    def __init__(self, *, min_iou: float, gap_seconds: float) -> None:
        self._min_iou = min_iou
        self._gap_seconds = gap_seconds
        self._open: list[_Track] = []
        self._next_id = 0

    def update(self, boxes: np.ndarray, pts_seconds: float, *, is_cut: bool = False) -> np.ndarray:
        """Boxes float32 (n, 4) at a time -> track ids int32 (n,). A cut closes every track."""
        kept = [] if is_cut else [t for t in self._open if pts_seconds - t.last_seen_seconds <= self._gap_seconds]
        ids = np.full(len(boxes), -1, np.int32)
        if kept and len(boxes):
            overlap = iou_matrix(np.stack([t.box for t in kept]), boxes)
            for flat in np.argsort(-overlap, axis=None, kind="stable"):
                row, column = divmod(int(flat), len(boxes))
                if overlap[row, column] < self._min_iou:
                    break
                if ids[column] >= 0 or kept[row].last_seen_seconds == pts_seconds:
                    continue
                ids[column] = kept[row].track_id
                kept[row].box, kept[row].last_seen_seconds = boxes[column], pts_seconds
        for new in np.flatnonzero(ids < 0):
            ids[new] = self._next_id
            kept.append(_Track(self._next_id, boxes[new], pts_seconds))
            self._next_id += 1
        self._open = kept
        return ids
