"""The strongest moments of a series, apart from each other."""

from __future__ import annotations

import numpy as np

from fervid.stats.peaks import strongest


def test_the_largest_come_first_and_lie_apart() -> None:
    times = np.array([0.0, 0.5, 1.0, 5.0, 9.0])
    values = np.array([0.2, 0.9, 0.8, 0.3, np.nan])
    assert strongest(times, values, most=3, apart_seconds=1.0) == [1, 3]
    assert strongest(times, values, most=1, apart_seconds=0.1) == [1]
    assert strongest(times, values, most=9, apart_seconds=0.5) == [1, 2, 3, 0]
    assert strongest(times[:0], values[:0], most=3, apart_seconds=1.0) == []
