"""How the image moves between frames: statistics of dense optical flow with the camera's own motion taken away.

Knows nothing of faces, and judges nothing: what the statistics mean is for the second half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.base.opencv import cv2
from fervid.base.types import NO_FLOW
from fervid.config import Settings
from fervid.detect.motion import is_new_shot, shot_thumbnail, shrunk
from fervid.observe.flow_values import GRID, MOST_SECONDS

SIDE_PX = 160
"""Longer side of the images that are compared."""
STEP = 2
"""The flow has a value for blocks of pixels; every second one in both directions is all there is."""
LEAST_SECONDS = 0.19
"""Frames are compared with one that is at least this much earlier, so that the statistics hardly depend on the
sampling rate."""
MOVING, FAST = 0.05, 0.2
"""Speeds, in longer sides of the image per second, from which a place moves, and moves fast."""
DIRECTIONS = 8
FIT_ROUNDS, FIT_LEAST_PX = 4, 0.15
"""Rounds of the robust fit, and the residual in pixels below which a point certainly follows the camera."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """Flow less the camera's: `vectors` float32 (h, w, 2), and their means over the grid (5, 8, 2), in sides/s."""

    vectors: np.ndarray
    cells: np.ndarray


# Decision MOT-1.
class FlowWatch:
    """Measures the frames of one segment, in order. The first frame, and the first after a cut, has no statistics.

    Dense inverse search (Kroeger and others, "Fast Optical Flow using Dense Inverse Search", 2016).
    """

    def __init__(self, *, new_shot_threshold: float) -> None:
        self._threshold = new_shot_threshold
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._image: np.ndarray | None = None
        self._seconds = 0.0
        self._thumbnail: np.ndarray | None = None
        self._moved: _Moved | None = None

    def measure(self, image: np.ndarray, seconds: float) -> np.ndarray:
        """The statistics of the next frame, uint8 (H, W) with square pixels: float16 (N_VALUES,), or NO_FLOW.

        Speeds are in longer sides of the image per second.
        """
        scale = min(1.0, SIDE_PX / max(image.shape))
        size = max(GRID[0], round(image.shape[1] * scale)), max(GRID[1], round(image.shape[0] * scale))
        elapsed = seconds - self._seconds
        if self._image is not None and 0 <= elapsed < LEAST_SECONDS:
            return NO_FLOW
        small = shrunk(image, size)
        before, self._image, self._seconds = self._image, small, seconds
        known, self._thumbnail = self._thumbnail, shot_thumbnail(small)
        is_new = (
            before is None
            or known is None
            or before.shape != small.shape
            or not 0 < elapsed <= MOST_SECONDS
            or (self._threshold > 0 and is_new_shot(known, self._thumbnail, threshold=self._threshold))
        )
        if is_new:
            self._moved = None
            return NO_FLOW
        flow = self._flow.calc(before, small, None)[::STEP, ::STEP]
        last, (self._moved, camera) = self._moved, _without_camera(flow, elapsed, max(size))
        return np.concatenate([camera, _statistics(self._moved, last)]).astype(np.float16)


def flow_watch(settings: Settings) -> FlowWatch | None:
    """What measures the frames of one segment, or of a live view; None where the settings do not ask for it."""
    return FlowWatch(new_shot_threshold=settings.detect.new_shot_threshold) if settings.motion.measure else None


def _without_camera(flow: np.ndarray, elapsed: float, side: int) -> tuple[_Moved, np.ndarray]:
    """Flow in pixels without the camera's, and the camera's speed with the share of the image that follows it."""
    basis = _basis(flow.shape[:2])
    wanted = flow.reshape(-1, 2)
    points = wanted.reshape(-1)
    fitted = np.tile(np.median(wanted, axis=0), len(wanted))
    for _ in range(FIT_ROUNDS):
        off = np.hypot(*(points - fitted).reshape(-1, 2).T)
        scale = max(FIT_LEAST_PX, 1.5 * float(np.median(off)))
        weight = np.repeat(1 / (1 + (off / scale) ** 2), 2)
        weighted = basis.T * weight
        fitted = basis @ np.linalg.solve(weighted @ basis, weighted @ points)
    vectors = (points - fitted).reshape(-1, 2)
    camera = np.hypot(*fitted.reshape(-1, 2).T)
    follows = np.hypot(*vectors.T) <= np.maximum(2 * FIT_LEAST_PX, camera / 4)
    per_second = 1 / (side * elapsed)
    found = (vectors * per_second).reshape(flow.shape).astype(np.float32)
    about = np.array([np.sqrt((camera**2).mean()) * per_second, follows.mean()])
    return _Moved(found, cv2.resize(found, GRID, interpolation=cv2.INTER_AREA)), about


def _basis(shape: tuple[int, ...]) -> np.ndarray:
    """What shifts, zoom and rotation do to each of h x w points: float64 (2 h w, 4), x and y of a point in turn."""
    rows, columns = np.indices(shape).astype(np.float64)
    x, y = ((axis - axis.mean()) / max(shape) for axis in (columns.ravel(), rows.ravel()))
    one, zero = np.ones_like(x), np.zeros_like(x)
    return np.stack([np.stack([one, zero, x, -y]), np.stack([zero, one, y, x])]).transpose(2, 0, 1).reshape(-1, 4)


def _statistics(now: _Moved, before: _Moved | None) -> np.ndarray:
    """The values after the camera's: float64 (N_VALUES - 2,)."""
    x, y = now.vectors[..., 0], now.vectors[..., 1]
    speed = np.hypot(x, y)
    is_moving = speed > MOVING
    grid = cv2.resize(speed, GRID, interpolation=cv2.INTER_AREA)
    towards = np.hypot(now.cells[..., 0], now.cells[..., 1])
    direction = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * DIRECTIONS).astype(np.intp) % DIRECTIONS
    by_speed = np.bincount(direction.ravel(), speed.ravel(), DIRECTIONS)
    by_area = np.bincount(direction[is_moving], minlength=DIRECTIONS)
    (x_by_x, y_by_x), (x_by_y, y_by_y) = (
        (np.diff(axis, axis=1)[:-1] for axis in (x, y)),
        (np.diff(axis, axis=0)[:, :-1] for axis in (x, y)),
    )
    changes = [0.0, 0.0, 0.0]
    if before is not None and before.vectors.shape == now.vectors.shape:
        change = np.hypot(*np.moveaxis(now.vectors - before.vectors, 2, 0))
        of_cells = np.hypot(*np.moveaxis(now.cells - before.cells, 2, 0))
        changes = [change.mean(), np.percentile(change, 95), of_cells.mean()]
    values = [
        speed.mean(),
        *np.percentile(speed, (50, 95, 99)),
        is_moving.mean(),
        (speed > FAST).mean(),
        _entropy(by_speed),
        _entropy(by_area),
        (grid - towards).mean(),
        np.sqrt(x_by_x**2 + y_by_x**2 + x_by_y**2 + y_by_y**2).mean(),
        np.abs(x_by_x + y_by_y).mean(),
        np.abs(y_by_x - x_by_y).mean(),
        *changes,
        towards.mean(),
    ]
    return np.concatenate([values, grid.ravel()])


def _entropy(weights: np.ndarray) -> float:
    """Of a distribution over directions: 0 where all is in one, 1 where all are alike, 0 where there is nothing."""
    total = float(weights.sum())
    if total <= 0:
        return 0.0
    shares = weights[weights > 0] / total
    return float(-(shares * np.log(shares)).sum() / np.log(len(weights)))
