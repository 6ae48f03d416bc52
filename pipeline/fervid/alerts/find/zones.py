"""Points in polygons, both relative to the frame's width and height. Knows nothing of rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def is_inside(points: np.ndarray, polygon: Sequence[tuple[float, float]]) -> np.ndarray:
    """Whether each point (n, 2) is inside the polygon: bool (n,). A crossing edge swaps sides (even-odd rule).

    Points on a left or upper edge count as inside, on a right or lower one as outside, so that zones which share an
    edge share no point. Polygons may be concave; where one crosses itself the doubled part is outside.
    """
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y0 == y1:
            continue
        crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
