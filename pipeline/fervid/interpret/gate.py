"""Which faces are of too low quality to be used, and why. Measures nothing itself."""

from __future__ import annotations

import numpy as np

from fervid.config import GateSettings


# Decisions INT-4, INT-5, INT-6.
def gate_reasons(
    quality: np.ndarray, face_quality: np.ndarray, boxes: np.ndarray, gate: GateSettings, *, min_quality: float
) -> np.ndarray:
    """Why each face should not be used, the first reason that applies, or "": str (n,).

    `quality` (n,), `face_quality` (n, 5) as `measure_face_quality` gives them, `boxes` (n, 4). Unknown measures pass.
    """
    sharpness, light, roll, yaw, _ = face_quality.T
    side = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) if len(boxes) else np.zeros(0)
    return np.select(
        [
            side < gate.min_face_px,
            light < gate.min_light,
            light > gate.max_light,
            sharpness < gate.min_sharpness,
            np.abs(yaw) > gate.max_yaw_degrees,
            np.abs(roll) > gate.max_roll_degrees,
            quality < min_quality,
        ],
        ["too_small", "dark", "bright", "blurred", "turned", "tilted", "low_quality"],
        default="",
    )
