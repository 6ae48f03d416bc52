"""How a face was pictured: sharp or blurred, dark or bright, upright or leaning. Measured on the crop that the network
sees. Knows no expression, and no limit below which a face should not be used.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from fervid.opencv import cv2
from fervid.timeline.schema import LOOKS

SIDE_PX = 24
"""Side of the picture in which the axis of a face is looked for: finer ones cost more and find no better."""
LARGEST_TILT_DEGREES, STEP_DEGREES = 30.0, 5.0
SHIFT_PX = 3
"""The axis may lie so far beside the middle of the crop."""
LEAST_SYMMETRY, COST_OF_A_DEGREE = 0.5, 0.002
"""Below this likeness to its mirror image a face has no axis to go by; of two axes the steeper one has to be better."""
GRADIENT_OF_A_SHARP_FACE = 1.05
"""Ratio of the deviations of Laplacian and grey levels in the middle one of FER-2013's faces."""


def measure_looks(crops: np.ndarray) -> np.ndarray:
    """Crops uint8 (n, S, S) -> float32 (n, 3): the LOOKS of each.

    `sharpness` 0..1 compares fine detail with contrast, so that it does not hang on light; `light` 0..1 is the mean
    level; `tilt_degrees` is how far the head leans (positive: clockwise in the picture), NaN where that cannot be told.
    """
    looks = np.empty((len(crops), len(LOOKS)), np.float32)
    for row, crop in zip(looks, crops, strict=True):
        row[:] = _sharpness(crop), crop.mean() / 255, _tilt_degrees(crop)
    return looks


def _sharpness(crop: np.ndarray) -> float:
    contrast = float(crop.std())
    if contrast == 0:
        return 0.0
    return min(1.0, float(cv2.Laplacian(crop, cv2.CV_32F).std()) / contrast / GRADIENT_OF_A_SHARP_FACE)


def _tilt_degrees(crop: np.ndarray) -> float:
    """The angle about which the face is most like its mirror image.

    A face turned by an angle and its mirror image are twice that angle apart, so one of the two is turned by twice each
    candidate and laid on the other. Faces from the side have no such axis.
    """
    if crop.std() == 0:
        return float("nan")
    small = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), SIDE_PX / 6)  # light from one side is no asymmetry of the face
    mirrored = np.ascontiguousarray(small[SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX][:, ::-1])
    angles = np.arange(-LARGEST_TILT_DEGREES, LARGEST_TILT_DEGREES + 1, STEP_DEGREES)
    likeness = np.full(len(angles), -np.inf)

    def best_of(candidates: Iterable[int]) -> int:
        for i in candidates:
            if likeness[i] == -np.inf:
                likeness[i] = _likeness(small, mirrored, _turns()[i]) - COST_OF_A_DEGREE * abs(angles[i])
        return int(likeness.argmax())

    # Every second angle first: likeness falls off evenly on both sides of the axis.
    best = best_of(range(0, len(angles), 2))
    best = best_of(i for i in (best - 1, best + 1) if 0 <= i < len(angles))
    best = best_of(i for i in (best - 1, best + 1) if 0 <= i < len(angles))
    if not likeness[best] >= LEAST_SYMMETRY:
        return float("nan")
    finer = 0.0
    if 0 < best < len(angles) - 1:
        before, at, after = likeness[best - 1 : best + 2]
        finer = 0.5 * (before - after) / (before - 2 * at + after)
    return float(angles[best] + finer * STEP_DEGREES)


def _likeness(small: np.ndarray, mirrored: np.ndarray, turn: np.ndarray) -> float:
    turned = cv2.warpAffine(small, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    return float(cv2.matchTemplate(turned, mirrored, cv2.TM_CCOEFF_NORMED).max())


@cache
def _turns() -> list[np.ndarray]:
    """Matrices that turn the small picture back by twice each candidate angle (OpenCV counts against the clock)."""
    middle = ((SIDE_PX - 1) / 2, (SIDE_PX - 1) / 2)
    angles = np.arange(-LARGEST_TILT_DEGREES, LARGEST_TILT_DEGREES + 1, STEP_DEGREES)
    return [cv2.getRotationMatrix2D(middle, 2 * float(angle), 1.0) for angle in angles]
