"""Confidence intervals of rates, which show how few events a figure is based on.

Events are assumed to be independent, which alerts of one scene are not entirely.
"""

from __future__ import annotations

from math import lgamma, log, sqrt

import numpy as np

BISECTIONS = 100


def poisson_interval(count: int, *, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a Poisson mean, given an observed `count` (Garwood, 1936), found by bisection."""
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _mean_at_which(count - 1, 1 - tail)
    return low, _mean_at_which(count, tail)


def _mean_at_which(k: int, share: float) -> float:
    """The mean at which at most `k` events occur with probability `share`."""
    events = np.arange(k + 1)
    log_factorials = np.array([lgamma(i + 1) for i in range(k + 1)])
    low, high = 0.0, k + 20 * sqrt(k + 1)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        at_most = float(np.exp(events * log(middle) - middle - log_factorials).sum())
        low, high = (middle, high) if at_most > share else (low, middle)
    return low
