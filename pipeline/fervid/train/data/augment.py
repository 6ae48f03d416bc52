"""Random views of face crops in one fused function. Knows nothing of networks or of the training loop.

The random numbers are drawn with NumPy from (seed, step), so that a resumed run sees the views of an unbroken one on
any backend; the arithmetic is `keras.ops` and compiles together with the training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BLUR_REACH = 4


@dataclass(frozen=True, slots=True)
class AugmentStrength:
    """Ranges of the random views; 0 disables a part. Angles in degrees, shifts in pixels of the crop.

    Scales are natural logarithms: a view shows the face exp(-`scale`) to exp(`scale` + `zoom_out`) times further away.
    Crops from video are looser than FER-2013's faces, so `zoom_out` widens the range on one side.
    Blur (standard deviation in pixels) and noise (in 0..1) are what video does to faces: few pixels, compression.
    """

    angle_degrees: float = 10.0
    scale: float = 0.12
    zoom_out: float = 0.0
    shift_px: float = 3.0
    contrast: float = 0.3
    brightness: float = 0.15
    erase_share: float = 0.25
    erase_px: tuple[int, int] = (6, 20)
    blur_share: float = 0.0
    blur_px: tuple[float, float] = (0.6, 2.0)
    noise_share: float = 0.0
    noise: float = 0.04


def draw_views(n: int, side_px: int, strength: AugmentStrength, seed: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Random parameters of n views, every array float32 with n rows.

    `matrix` (n, 2, 3) maps output pixels to source pixels (flip, rotation, scale, shift about the centre);
    `gain` and `offset` (n,) are photometric; `erase` (n, 5) is x0, y0, x1, y1 and the value painted there;
    `blur` (n, 2 BLUR_REACH + 1) are the taps of a Gaussian, `noise` (n, S, S) is added. The last two are there only
    when their share is not 0.
    """
    rng = np.random.default_rng(seed)
    angle = np.deg2rad(rng.uniform(-strength.angle_degrees, strength.angle_degrees, n))
    scale = np.exp(rng.uniform(-strength.scale, strength.scale + strength.zoom_out, n))
    flip = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    centre = (side_px - 1) / 2
    shift = rng.uniform(-strength.shift_px, strength.shift_px, (n, 2))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.empty((n, 2, 3), np.float32)
    matrix[:, 0, 0], matrix[:, 0, 1] = flip * cos, -sin
    matrix[:, 1, 0], matrix[:, 1, 1] = flip * sin, cos
    matrix[:, :, 2] = centre + shift - matrix[:, :, :2].sum(axis=2) * centre
    low, high = strength.erase_px
    size = rng.uniform(low, high, (n, 2))
    corner = rng.uniform(0, 1, (n, 2)) * (side_px - size)
    size *= (rng.random((n, 1)) < strength.erase_share).astype(float)
    erase = np.concatenate([corner, corner + size, rng.uniform(0, 1, (n, 1))], axis=1)
    degraded = {}
    if strength.blur_share:
        sigma = rng.uniform(*strength.blur_px, (n, 1))
        taps = np.exp(-0.5 * (np.arange(-BLUR_REACH, BLUR_REACH + 1) / sigma) ** 2)
        sharp = np.arange(-BLUR_REACH, BLUR_REACH + 1) == 0
        taps = np.where(rng.random((n, 1)) < strength.blur_share, taps / taps.sum(axis=1, keepdims=True), sharp)
        degraded["blur"] = taps.astype(np.float32)
    if strength.noise_share:
        amount = strength.noise * (rng.random((n, 1, 1)) < strength.noise_share) * rng.random((n, 1, 1))
        degraded["noise"] = rng.standard_normal((n, side_px, side_px), np.float32) * amount.astype(np.float32)
    return {
        "matrix": matrix,
        "gain": (1 + rng.uniform(-strength.contrast, strength.contrast, n)).astype(np.float32),
        "offset": rng.uniform(-strength.brightness, strength.brightness, n).astype(np.float32),
        "erase": erase.astype(np.float32),
        **degraded,
    }


def apply_views(images: Any, views: dict[str, Any]) -> Any:
    """Images float32 (n, S, S) in 0..1 -> the same shape, seen through `views`. Bilinear, edges repeated."""
    from keras import ops

    n, side = images.shape[0], images.shape[1]
    ramp = ops.arange(side, dtype="float32")
    x, y = ops.reshape(ramp, (1, 1, side)), ops.reshape(ramp, (1, side, 1))

    def source(row: int) -> Any:
        a, b, c = (ops.reshape(views["matrix"][:, row, i], (-1, 1, 1)) for i in range(3))
        return ops.clip(a * x + b * y + c, 0.0, side - 1.001)

    sx, sy = source(0), source(1)
    x0, y0 = ops.floor(sx), ops.floor(sy)
    fx, fy = sx - x0, sy - y0
    flat = ops.reshape(images, (n, side * side))
    corner = ops.cast(ops.reshape(y0 * side + x0, (n, side * side)), "int32")

    def tap(step: int) -> Any:
        return ops.reshape(ops.take_along_axis(flat, corner + step, axis=1), (n, side, side))

    top = tap(0) * (1 - fx) + tap(1) * fx
    bottom = tap(side) * (1 - fx) + tap(side + 1) * fx
    seen = top * (1 - fy) + bottom * fy

    def column(values: Any) -> Any:
        return ops.reshape(values, (-1, 1, 1))

    if "blur" in views:
        seen = _blurred(_blurred(seen, views["blur"], axis=1), views["blur"], axis=2)
    if "noise" in views:
        seen = seen + views["noise"]
    centre = ops.mean(seen, axis=(1, 2), keepdims=True)
    seen = (seen - centre) * column(views["gain"]) + centre + column(views["offset"])
    left, upper, right, lower, value = (column(views["erase"][:, i]) for i in range(5))
    erased = (x >= left) & (x < right) & (y >= upper) & (y < lower)
    return ops.clip(ops.where(erased, value, seen), 0.0, 1.0)


def _blurred(images: Any, taps: Any, *, axis: int) -> Any:
    """Images (n, S, S) filtered along one axis with taps (n, 2 BLUR_REACH + 1) of their own, edges repeated."""
    from keras import ops

    side = images.shape[1]
    edge = [(0, 0), (0, 0), (0, 0)]
    edge[axis] = (BLUR_REACH, BLUR_REACH)
    padded = ops.pad(images, edge, mode="symmetric")
    blurred = 0.0
    for i in range(2 * BLUR_REACH + 1):
        part = padded[:, i : i + side] if axis == 1 else padded[:, :, i : i + side]
        blurred = blurred + ops.reshape(taps[:, i], (-1, 1, 1)) * part
    return blurred
