"""The strongest moments of a series, apart from each other. Pure functions."""

from __future__ import annotations

import numpy as np


def strongest(times: np.ndarray, values: np.ndarray, *, most: int, apart_seconds: float) -> list[int]:
    """Positions of the up to `most` largest values (n,), each at least `apart_seconds` from every larger one.

    `times` (n,) in seconds, in any order; NaN is never one. Of equal values the first counts. Largest first.
    """
    left = np.where(np.isnan(values), -np.inf, np.asarray(values, float))
    chosen: list[int] = []
    while len(left) and len(chosen) < most:
        best = int(left.argmax())
        if left[best] == -np.inf:
            break
        chosen.append(best)
        left[np.abs(times - times[best]) < apart_seconds] = -np.inf
    return chosen
