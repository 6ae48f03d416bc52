"""Trackers and smoothers: protocols and tables. Cheap and sequential; knows nothing of pixels."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from fervid.base.registry import resolve

TRACKERS = {
    "iou": "fervid.track.iou:IouTracker",
    "motion": "fervid.track.motion:MotionTracker",
}
"""Each class has its options, a section of the settings, as its `Options`."""

DEFAULT_TRACKER = "motion"

SMOOTHERS = {"exponential": "fervid.track.smoothing:ExponentialSmoother"}


class Tracker(Protocol):
    """Follows faces from frame to frame of one video. Made with `gap_seconds`, how long a track survives unseen."""

    def update(
        self, boxes: np.ndarray, pts_seconds: float, *, is_cut: bool = False, spacing_seconds: float = 0.0
    ) -> np.ndarray:
        """Boxes float32 (n, 4) at a time -> track ids int32 (n,), in order. Without boxes time still advances.

        Ids count up from 0 and are never used again. `spacing_seconds` is the usual time between two frames: below one
        frame a gap the limit in seconds would end every track, so two frames next to each other always connect.
        """
        ...


class Smoother(Protocol):
    """Smooths the probabilities of one track; rows stay rows that sum to one. Made with `half_life_seconds`."""

    def zero_phase(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """For files: times (n,) ascending seconds, values (n, C) -> (n, C), using past and future alike."""
        ...

    def causal(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """For live view: the same, using the past alone."""
        ...


def make_tracker(name: str, options: dict[str, Any], *, gap_seconds: float) -> Tracker:
    """The tracker of that name with its own options. Raises ConfigError."""
    tracker: Tracker = resolve(TRACKERS, name, kind="tracker")(gap_seconds=gap_seconds, **options)
    return tracker


def make_smoother(name: str, *, half_life_seconds: float) -> Smoother:
    """The smoother of that name. Raises ConfigError."""
    smoother: Smoother = resolve(SMOOTHERS, name, kind="smoother")(half_life_seconds=half_life_seconds)
    return smoother
