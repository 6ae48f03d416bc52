"""How the image moves between frames: statistics of dense optical flow with the camera's own motion taken away.

Knows nothing of faces, and judges nothing: what the statistics mean is for the second half.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fervid.base.opencv import cv2
from fervid.base.types import NO_FLOW
from fervid.config import Settings
from fervid.detect.motion import is_new_shot, shot_thumbnail, shrunk
from fervid.observe.flow_values import DISORDER_SCALES, FASTER, GRID, INCOHERENCE_SCALES, MOST_SECONDS, STATISTICS

SIDE_PX = 320
"""Longer side of the images that are compared."""
LEAST_SIDE_PX = 24
"""Images with a shorter side than this have no flow."""
STEP = 4
"""The flow has a value for blocks of 4 x 4 pixels; what is between is interpolated."""
LEAST_SECONDS = 0.19
"""Frames are compared with one that is at least this much earlier, so that the statistics hardly depend on the
sampling rate."""
MOVING = 0.04
"""Speed, in longer sides of the image per second, from which a place moves."""
LITTLE, LITTLE_OF_IMAGE, LITTLE_SQUARED = 0.02, 0.01, 1e-4
"""Speeds added to divisors: less is noise. The second one is for sums over the image, the third for squares."""
STILL = 0.01
"""Where half of the image moves slower than this, in sides per second, the camera stands: nothing is fitted."""
DIRECTIONS = 8
ALMOST_NOTHING = 1e-9 * np.eye(4)
"""Added to the sums of a fit, so that one to few places has a solution."""
FIT_STEP, FIT_ROUNDS, FIT_LEAST_PX = 4, 4, 0.3
"""The camera's motion is fitted to every fourth place of the flow, in so many rounds; so close to it a place certainly
follows the camera."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """Flow less its median, in sides per second: `vectors` float32 (h, w, 2), `speed` (h, w), and their sum.

    `smooth` are means of the vectors over 5 x 5 places.
    """

    vectors: np.ndarray
    smooth: np.ndarray
    speed: np.ndarray
    total: float


# Decision MOT-1.
class FlowWatch:
    """Measures the frames of one segment, in order. The first frame, and the first after a cut, has no statistics.

    Dense inverse search (Kroeger and others, "Fast Optical Flow using Dense Inverse Search", 2016).
    """

    def __init__(self, *, new_shot_threshold: float, fast_from: float = 0.0) -> None:
        """`fast_from` is the speed that `is_fast` asks for, in longer sides of the image per second; 0: nothing is."""
        self._threshold, self._fast_from = new_shot_threshold, fast_from
        self._ahead: tuple[float, np.ndarray] | None = None
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._image: np.ndarray | None = None
        self._seconds = 0.0
        self._thumbnail: np.ndarray | None = None
        self._moved: _Moved | None = None

    def measure(self, image: np.ndarray, seconds: float) -> np.ndarray:
        """The statistics of the next frame, uint8 (H, W) with square pixels: float16 (N_VALUES,), or NO_FLOW.

        Speeds are in longer sides of the image per second.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == seconds:
            return ahead[1]
        scale = min(1.0, SIDE_PX / max(image.shape))
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        elapsed = seconds - self._seconds
        if min(size) < LEAST_SIDE_PX or (self._image is not None and 0 <= elapsed < LEAST_SECONDS):
            return NO_FLOW
        small = np.ascontiguousarray(shrunk(image, size))  # an image of the decoder may be part of a larger one
        before, self._image, self._seconds = self._image, small, seconds
        known, self._thumbnail = self._thumbnail, shot_thumbnail(small)
        is_new = (
            before is None
            or known is None
            or before.shape != small.shape
            or not 0 < elapsed <= MOST_SECONDS
            or (self._threshold > 0 and is_new_shot(known, self._thumbnail, threshold=self._threshold))
        )
        if is_new or before is None:
            self._moved = None
            return NO_FLOW
        flow = self._flow.calc(before, small, None)[STEP // 2 :: STEP, STEP // 2 :: STEP]
        per_second = 1 / (max(size) * elapsed)
        vectors = (flow - _median(flow)) * np.float32(per_second)
        speed = _length(vectors)
        last, self._moved = self._moved, _Moved(vectors, cv2.blur(vectors, (5, 5)), speed, float(speed.sum()) + 1e-6)
        grid = cv2.resize(speed, GRID, interpolation=cv2.INTER_AREA).ravel()
        change = cv2.resize(cv2.absdiff(before, small), speed.shape[::-1], interpolation=cv2.INTER_AREA)
        values = [*_camera(flow, per_second), *_speeds(self._moved), *_directions(self._moved)]
        values += [*_changes(self._moved, change / np.float32(255 * elapsed)), *_since(self._moved, last)]
        return np.concatenate([values, grid]).astype(np.float16)

    def is_fast(self, image: np.ndarray, seconds: float) -> bool:
        """Whether a hundredth of the image is as fast as asked for in the next frame, which is measured after this."""
        if not self._fast_from:
            return False
        row = self.measure(image, seconds)
        self._ahead = seconds, row
        return len(row) > 0 and float(row[STATISTICS.index("p99_speed")]) >= self._fast_from


def flow_watch(settings: Settings) -> FlowWatch | None:
    """What measures the frames of one segment, or of a live view; None where the settings do not ask for it."""
    if not settings.motion.measure:
        return None
    return FlowWatch(new_shot_threshold=settings.detect.new_shot_threshold, fast_from=settings.motion.search_above)


def _camera(flow: np.ndarray, per_second: float) -> tuple[float, float]:
    """The camera's speed, and the share of the image that follows it: a similarity fitted robustly to flow."""
    places = flow[::FIT_STEP, ::FIT_STEP]
    if float(np.median(_length(places))) * per_second < STILL:
        return 0.0, 1.0
    basis = _basis(places.shape[:2])
    points = places.reshape(-1).astype(np.float64)
    fitted = np.tile(_median(places), len(points) // 2)
    for _ in range(FIT_ROUNDS):
        off = np.hypot(*(points - fitted).reshape(-1, 2).T)
        scale = max(FIT_LEAST_PX / 2, 1.5 * float(np.median(off)))
        weighted = basis.T * np.repeat(1 / (1 + (off / scale) ** 2), 2)
        fitted = basis @ np.linalg.solve(weighted @ basis + ALMOST_NOTHING, weighted @ points)
    camera = np.hypot(*fitted.reshape(-1, 2).T)
    follows = np.hypot(*(points - fitted).reshape(-1, 2).T) <= np.maximum(FIT_LEAST_PX, camera / 4)
    return float(np.sqrt((camera**2).mean()) * per_second), float(follows.mean())


@cache
def _basis(shape: tuple[int, ...]) -> np.ndarray:
    """What shifts, zoom and rotation do to each of h x w points: float64 (2 h w, 4), x and y of a point in turn."""
    rows, columns = np.indices(shape).astype(np.float64)
    x, y = ((axis - axis.mean()) / max(shape) for axis in (columns.ravel(), rows.ravel()))
    one, zero = np.ones_like(x), np.zeros_like(x)
    return np.stack([np.stack([one, zero, x, -y]), np.stack([zero, one, y, x])]).transpose(2, 0, 1).reshape(-1, 4)


def _speeds(now: _Moved) -> list[float]:
    """The values of MOTION up to the incoherences."""
    vectors, speed, total = now.vectors, now.speed, now.total
    values = [total / speed.size, float((speed * speed).sum()) / total, *_quantiles(speed, 0.99, 0.998)]
    values += [float(np.count_nonzero(speed > limit)) / speed.size for limit in FASTER]
    for side in INCOHERENCE_SCALES:
        own = _length(vectors - cv2.blur(vectors, (side, side)))
        sum_of_own = float(own.sum())
        shares = sum_of_own / speed.size, sum_of_own / (total + LITTLE_OF_IMAGE * speed.size)
        values += [*shares, *_quantiles(own, 0.99)]
    return values


def _directions(now: _Moved) -> list[float]:
    """Entropies of directions, and how much motion cancels itself out within squares."""
    vectors, speed = now.vectors, now.speed
    direction = (cv2.phase(vectors[..., 0], vectors[..., 1]) * (DIRECTIONS / (2 * np.pi))).astype(np.intp) % DIRECTIONS
    of_all = np.bincount(direction.ravel(), speed.ravel(), DIRECTIONS)
    values = [_entropy(of_all), _entropy(np.bincount(direction[speed > MOVING], minlength=DIRECTIONS))]
    for side in DISORDER_SCALES:
        around, along = cv2.blur(speed, (side, side)), _length(cv2.blur(vectors, (side, side)))
        values.append(1 - float((along * around).sum()) / (float((around * around).sum()) + 1e-6))
    return values


def _changes(now: _Moved, change: np.ndarray) -> list[float]:
    """How the brightness changes, float32 (h, w) per second: on average, most, and beside the speed."""
    total = float(change.sum())
    weighted = float((change * now.speed).sum()) / now.total
    relative = total / (now.total + LITTLE_OF_IMAGE * change.size)
    return [total / change.size, *_quantiles(change, 0.99), weighted, relative]


def _since(now: _Moved, before: _Moved | None) -> list[float]:
    """Accelerations, and how much of the motion turns back on itself, since the flow before."""
    if before is None or before.vectors.shape != now.vectors.shape:
        return [float("nan")] * 7
    speed, n = now.speed, now.speed.size
    change = _length(now.vectors - before.vectors)
    changed = float(change.sum())
    relative = changed / (now.total + before.total + LITTLE * n)
    same = (now.vectors * before.vectors).sum(axis=2)
    smooth = (now.smooth * before.smooth).sum(axis=2)
    steadiness = float(same.sum()) / (float((speed * before.speed).sum()) + LITTLE_SQUARED * n)
    return [
        *(changed / n, relative, *_quantiles(change, 0.99), float((change * speed).sum()) / now.total),
        *(_reversal(same), max(0.0, steadiness), _reversal(smooth)),
    ]


def _reversal(same: np.ndarray) -> float:
    """The share of products of two flows that is against the one before."""
    size = float(np.abs(same).sum())
    return (size - float(same.sum())) / 2 / (size + LITTLE_SQUARED * same.size)


def _median(flow: np.ndarray) -> np.ndarray:
    """Of both parts of (h, w, 2): a partition takes a third of the time of `np.median`."""
    parts = flow.reshape(-1, 2).T
    middle = parts.shape[1] // 2
    return np.partition(parts, middle, axis=1)[:, middle]


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.magnitude(vectors[..., 0], vectors[..., 1]))


def _quantiles(values: np.ndarray, *shares: float) -> tuple[float, ...]:
    """The values at those ranks: `np.quantile` takes ten times as long."""
    ranks = [int(share * (values.size - 1)) for share in shares]
    ordered = np.partition(values, ranks, axis=None)
    return tuple(float(ordered[rank]) for rank in ranks)


def _entropy(weights: np.ndarray) -> float:
    """Of a distribution over directions: 0 where all is in one, 1 where all are alike, 0 where there is nothing."""
    total = float(weights.sum())
    if total <= 0:
        return 0.0
    shares = weights[weights > 0] / total
    return float(-(shares * np.log(shares)).sum() / np.log(len(weights)))
