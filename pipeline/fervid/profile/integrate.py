"""Integrals and means of what frames say over the parts of a video. Knows no tables."""

from __future__ import annotations

import numpy as np

from fervid.interpret.build import FrameIntervals


# Decision PRO-1.
def integrate(edges: np.ndarray, intervals: FrameIntervals, values: np.ndarray) -> np.ndarray:
    """The integral over each bin between `edges` (B + 1,) of values (F,) or (F, K), each constant during its interval.

    Intervals are ascending and do not overlap. Exact for intervals that cross bins.
    """
    if not len(values):
        return np.zeros((len(edges) - 1, *values.shape[1:]))
    columns = values.reshape(len(values), -1)
    knots = np.stack([intervals.begin, intervals.end], axis=1).ravel()
    sums = np.concatenate([np.zeros((1, columns.shape[1])), np.cumsum(columns * intervals.seconds[:, None], axis=0)])
    at_knots = np.stack([sums[:-1], sums[1:]], axis=1).reshape(-1, columns.shape[1])
    at_edges = np.stack([np.interp(edges, knots, column) for column in at_knots.T], axis=1)
    return np.diff(at_edges, axis=0).reshape(len(edges) - 1, *values.shape[1:])


def mean_curve(edges: np.ndarray, intervals: FrameIntervals, values: np.ndarray) -> np.ndarray:
    """The mean over time of values (F,) in each bin between `edges` (B + 1,); NaN where all are NaN."""
    known = ~np.isnan(values)
    total, seconds = integrate(edges, intervals, np.stack([np.nan_to_num(values), known.astype(float)], axis=1)).T
    return divide(total, seconds)


def divide(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums over weights, NaN where the weight is 0."""
    weights = np.broadcast_to(weights, sums.shape)
    return np.asarray(np.divide(sums, weights, out=np.full(sums.shape, np.nan), where=weights > 0))
