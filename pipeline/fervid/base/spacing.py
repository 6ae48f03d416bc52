"""The time between analysed frames, measured from their times. Pure functions; knows no frame.

Sampling need not be even: at 10 frames per second of a video of 24, gaps of two frames and of three take turns. The
usual gap is then two frames, the mean rate still 10.
"""

from __future__ import annotations

import numpy as np

LEFT_OUT = 2.0
"""A gap more than this many times the usual one is not sampling: a part was skipped, or lost."""


def usual_spacing(times: np.ndarray) -> float:
    """The median gap between times (n,) in seconds, by which neighbours are told from strangers; 0 for fewer than two.

    Not for a rate, nor for how long a frame is shown: see `mean_spacing` and `reach`.
    """
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def mean_spacing(times: np.ndarray) -> float:
    """The mean gap between sampled times (n,), stretches left out not counted; 0 for fewer than two."""
    gaps = _sampled(times)
    return float(gaps.mean()) if len(gaps) else 0.0


def reach(times: np.ndarray) -> float:
    """The time that a frame covers, to either side: half the widest gap of sampling; 0 without any."""
    gaps = _sampled(times)
    return float(gaps.max()) / 2 if len(gaps) else 0.0


def _sampled(times: np.ndarray) -> np.ndarray:
    gaps = np.diff(times)
    return np.asarray(gaps[gaps <= LEFT_OUT * np.median(gaps)]) if len(gaps) else gaps
