"""Smoothing of one track's probabilities over time, with its strength in seconds. Knows nothing of other tracks."""

from __future__ import annotations

import numpy as np


# Decision INT-2.
class ExponentialSmoother:
    """A sample `half_life_seconds` away counts half, one twice as far a quarter, and so on.

    The causal form is the exponential moving average with its start corrected. The zero-phase form weighs past and
    future alike (a two-sided exponential kernel) and each sample by the time that it covers, so that a step
    stays in place with uneven sampling. Both are weighted means: rows of probabilities stay rows that sum to one.
    """

    def __init__(self, *, half_life_seconds: float) -> None:
        self._half_life_seconds = half_life_seconds

    def causal(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """times (n,) ascending, values (n, C) -> float32 (n, C)."""
        sums, weights = self._accumulate(times, values, np.ones(len(times)))
        return np.asarray(sums / weights[:, None], np.float32)

    def zero_phase(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """times (n,) ascending, values (n, C) -> float32 (n, C)."""
        own = _seconds_each(times)
        past, past_weight = self._accumulate(times, values, own)
        future, future_weight = self._accumulate(-times[::-1], values[::-1], own[::-1])
        # The sample itself is in both sums.
        sums = past + future[::-1] - values * own[:, None]
        weights = past_weight + future_weight[::-1] - own
        return np.asarray(sums / weights[:, None], np.float32)

    def _accumulate(self, times: np.ndarray, values: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums (n, C) and weights (n,) of the samples up to each one, decayed to its time; `own` (n,) weighs them."""
        weights = own.astype(np.float64)
        sums = values.astype(np.float64) * weights[:, None]
        gaps = np.diff(times)
        half_life = self._half_life_seconds
        decay = 0.5 ** (gaps / half_life) if half_life > 0 else np.zeros(len(gaps))
        for i in range(1, len(sums)):
            sums[i] += decay[i - 1] * sums[i - 1]
            weights[i] += decay[i - 1] * weights[i - 1]
        return sums, weights


def _seconds_each(times: np.ndarray) -> np.ndarray:
    """The time that each sample covers: half the distance to either neighbour; the ends count their side twice."""
    if len(times) < 2:
        return np.ones(len(times))
    gaps = np.diff(times)
    return np.asarray((np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2)
