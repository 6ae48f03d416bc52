"""How much of the image's motion lies in the zones of a rule. Knows nothing of rules or tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fervid.alerts.find.zones import is_inside
from fervid.observe.flow_values import GRID

WINDOW_SECONDS = 2.0
"""Motion is located over the time that agitation looks back."""
POINTS_A_SIDE = 16
"""A cell counts for the share of so many points a side that lie in the zones."""
UNITS = 2.0**20
"""Of speed. Stored speeds have few bits, so these sums are exact: they do not depend on how a video is cut apart."""

Polygon = Sequence[tuple[float, float]]


def cells_within(zones: Sequence[Polygon], excluded: Sequence[Polygon]) -> np.ndarray:
    """The share of each cell that lies in one of `zones` (all of it without any), and in none `excluded`.

    float64 (cells,), row by row.
    """
    columns, rows = GRID
    x = (np.arange(columns * POINTS_A_SIDE) + 0.5) / (columns * POINTS_A_SIDE)
    y = (np.arange(rows * POINTS_A_SIDE) + 0.5) / (rows * POINTS_A_SIDE)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = np.full(len(points), not zones)
    for polygon in zones:
        inside |= is_inside(points, polygon)
    for polygon in excluded:
        inside &= ~is_inside(points, polygon)
    blocks = inside.reshape(rows, POINTS_A_SIDE, columns, POINTS_A_SIDE)
    return np.asarray(blocks.mean(axis=(1, 3)).ravel())


class ZoneMotion:
    """Follows the share of the image's motion that lies in zones, from frame to frame."""

    def __init__(self, within: np.ndarray) -> None:
        """`within` float64 (cells,) as of `cells_within`."""
        self._within = within
        self._times = np.zeros(0)
        self._moved = np.zeros((0, 2), np.int64)

    def share(self, times: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """The share over the last seconds before each next frame, float64 (F,); NaN where nothing moved.

        `grid` (F, cells) is the speed of the cells, NaN where it was not measured.
        """
        speeds = np.nan_to_num(grid.astype(np.float64)) * UNITS
        moved = np.stack([speeds @ self._within, speeds.sum(axis=1)], axis=1).astype(np.int64)
        n_before = len(self._times)
        all_times, all_moved = np.concatenate([self._times, times]), np.concatenate([self._moved, moved])
        sums = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(all_moved, axis=0)])
        firsts = np.searchsorted(all_times, times - WINDOW_SECONDS + 1e-6)
        inside, total = (sums[n_before + 1 :] - sums[firsts]).T
        if len(times):
            kept = int(np.searchsorted(all_times, times[-1] - WINDOW_SECONDS))
            self._times, self._moved = all_times[kept:], all_moved[kept:]
        return np.asarray(np.divide(inside, total, out=np.full(len(times), np.nan), where=total > 0))

    def speed(self, grid: np.ndarray) -> np.ndarray:
        """The mean speed of the zones in each frame, float64 (F,); NaN where it was not measured."""
        area = self._within.sum()
        return np.asarray(grid.astype(np.float64) @ self._within / area) if area else np.full(len(grid), np.nan)
