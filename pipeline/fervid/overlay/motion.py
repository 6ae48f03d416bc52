"""Where the image moves, drawn over it as heat. Knows no video."""

from __future__ import annotations

import numpy as np

from fervid.base.opencv import cv2
from fervid.charts.palette import VERMILION
from fervid.overlay.text import rgb_of

FULL_SPEED = 0.15
"""Speed in longer sides of the image per second that is drawn at full strength."""
FULL_SHARE = 0.55
"""How much of the image the strongest heat hides."""
LEAST_SHARE = 0.04
"""Fainter heat is left out: noise of the camera."""
COLOUR = rgb_of(VERMILION)


def draw_heat(image: np.ndarray, grid: np.ndarray) -> None:
    """Draw the speeds of cells (rows, columns) over an image RGB uint8 (H, W, 3), in place; NaN is left out."""
    height, width = image.shape[:2]
    share = np.clip(np.nan_to_num(grid.astype(np.float32)) / FULL_SPEED, 0, 1)
    share[share < LEAST_SHARE] = 0
    heat = FULL_SHARE * cv2.resize(share, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    image[:] = np.round(image * (1 - heat) + np.array(COLOUR, np.float32) * heat).astype(np.uint8)
