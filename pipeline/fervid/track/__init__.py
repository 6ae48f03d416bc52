"""Trackers and smoothers: protocols and tables. Cheap and sequential; knows nothing of pixels."""

from __future__ import annotations

from typing import Protocol

import numpy as np

TRACKERS = {"iou": "fervid.track.iou:IouTracker"}
SMOOTHERS = {"exponential": "fervid.track.smoothing:ExponentialSmoother"}


class Tracker(Protocol):
    """Follows faces from frame to frame of one video."""

    def update(self, boxes: np.ndarray, pts_seconds: float, *, is_cut: bool = False) -> np.ndarray:
        """Boxes float32 (n, 4) at a time -> track ids int32 (n,), in order. Without boxes time still advances."""
        ...


class Smoother(Protocol):
    """Smooths the probabilities of one track; rows stay rows that sum to one."""

    def zero_phase(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """For files: times (n,) ascending seconds, values (n, C) -> (n, C), using past and future alike."""
        ...

    def causal(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """For live view: the same, using the past alone."""
        ...
