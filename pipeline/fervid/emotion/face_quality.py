"""Face quality: sharpness, light and pose, measured on the network's input crop. Knows nothing of expressions or of the
limits below which a face is not used.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fervid.base.opencv import cv2
from fervid.base.types import FACE_QUALITY

SIDE_PX = 24
"""Side of the image in which the axis of a face is searched: a finer one costs more without gain."""
STEP_DEGREES = 5.0
ANGLES_DEGREES = np.arange(-30.0, 30.0 + STEP_DEGREES, STEP_DEGREES)
SHIFT_PX = 3
"""Largest offset of the axis from the middle of the crop."""
LEAST_SYMMETRY, COST_OF_A_DEGREE = 0.5, 0.002
"""Least similarity to the mirror image for a face to have an axis; of two axes the steeper one must be better."""
GRADIENT_OF_A_SHARP_FACE = 1.05
"""Ratio of the deviations of Laplacian and grey levels in the middle one of FER-2013's faces."""

_NO_SECOND_MAP = np.empty(0, np.float32)


def measure_face_quality(crops: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Crops uint8 (n, S, S) and their pose float32 (n, 3), NaN where it is not known -> float32 (n, 5): the
    FACE_QUALITY.

    `sharpness` 0..1 compares fine detail with contrast, so that it is independent of lighting; `light` 0..1 is the mean
    level; roll, yaw and pitch in degrees are those of the pose. Without a pose, roll is estimated from
    the mirror symmetry of the crop (positive: clockwise in the image), or NaN if that fails too.
    """
    face_quality = np.empty((len(crops), len(FACE_QUALITY)), np.float32)
    face_quality[:, 2:] = pose
    for row, crop in zip(face_quality, crops, strict=True):
        mean, deviation = (values.item() for values in cv2.meanStdDev(crop))
        row[:2] = _sharpness(crop, deviation), mean / 255
        if deviation and np.isnan(row[2]):
            row[2] = _roll_degrees(crop)
    return face_quality


def _sharpness(crop: np.ndarray, deviation: float) -> float:
    """0..1; `deviation` is that of the crop's levels."""
    if not deviation:
        return 0.0
    gradient = cv2.meanStdDev(cv2.Laplacian(crop, cv2.CV_32F))[1].item()
    return min(1.0, gradient / deviation / GRADIENT_OF_A_SHARP_FACE)


def _roll_degrees(crop: np.ndarray) -> float:
    """The roll angle at which the face is most similar to its mirror image.

    A face turned by an angle and its mirror image are twice that angle apart, so one of the two is turned by twice each
    candidate and laid on the other. Faces from the side have no such axis.
    """
    small = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), SIDE_PX / 6)  # light from one side is not an asymmetry of the face
    mirrored = np.ascontiguousarray(small[SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX][:, ::-1])
    # Side by side, so that one call rotates the image by all angles and one compares them all.
    turned = cv2.remap(small, _turns(), _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    matches = cv2.matchTemplate(turned, mirrored, cv2.TM_CCOEFF_NORMED)
    matches = cv2.copyMakeBorder(matches, 0, 0, 0, turned.shape[1] - matches.shape[1], cv2.BORDER_CONSTANT)
    shifts = matches.reshape(len(matches), len(ANGLES_DEGREES), SIDE_PX)[:, :, : 2 * SHIFT_PX + 1]
    likeness = shifts.max(axis=(0, 2)) - COST_OF_A_DEGREE * np.abs(ANGLES_DEGREES)
    best = int(likeness.argmax())
    if not likeness[best] >= LEAST_SYMMETRY:
        return float("nan")
    finer = 0.0
    if 0 < best < len(ANGLES_DEGREES) - 1:
        before, at, after = likeness[best - 1 : best + 2]
        finer = 0.5 * (before - after) / (before - 2 * at + after)
    return float(ANGLES_DEGREES[best] + finer * STEP_DEGREES)


@cache
def _turns() -> np.ndarray:
    """Source of each pixel when the small image is rotated back by twice each candidate angle, side by side:
    float32 (SIDE_PX, SIDE_PX times the angles, 2)."""
    middle = (SIDE_PX - 1) / 2
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - middle
    pieces = []
    for angle in np.deg2rad(2 * ANGLES_DEGREES):
        turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        pieces.append(np.stack([turned_x, turned_y], axis=-1) + middle)
    return np.concatenate(pieces, axis=1).astype(np.float32)
