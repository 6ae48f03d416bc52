"""Changes of a score drawn as heat over the gray face that they are of. Knows no network and no video."""

from __future__ import annotations

import numpy as np

from fervid.base.opencv import cv2
from fervid.charts.palette import BLUE, VERMILION

FOR, AGAINST = VERMILION, BLUE
"""Of parts that speak for a label, and of parts that speak against it."""
FULL_SHARE = 0.7
"""How much of the face the strongest heat hides."""
LEAST_SCALE = 0.1
"""Changes of a probability below this stay faint: otherwise noise would glow where no part matters."""


def heat_scale(changes: np.ndarray) -> float:
    """The change that is drawn at full strength."""
    return max(LEAST_SCALE, float(np.abs(changes).max(initial=0)))


def heat_over_gray(gray: np.ndarray, changes: np.ndarray, scale: float, *, side_px: int | None = None) -> np.ndarray:
    """A gray face uint8 (S, S) with its changes (S, S) as heat, RGB uint8 of `side_px` (default S) squared."""
    side = side_px or len(gray)
    face = cv2.resize(gray, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32)[..., None]
    heat = cv2.resize(np.asarray(changes, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    share = (FULL_SHARE * np.clip(np.abs(heat) / scale, 0, 1))[..., None]
    colour = np.where(heat[..., None] > 0, np.array(_rgb(FOR), np.float32), np.array(_rgb(AGAINST), np.float32))
    return np.asarray(np.round(face * (1 - share) + colour * share), np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
