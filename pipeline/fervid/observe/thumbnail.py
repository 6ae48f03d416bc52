"""The thumbnail that is stored for each sampled frame. Knows nothing of faces or of its use."""

from __future__ import annotations

import numpy as np

from fervid.base.opencv import cv2

SAMPLES_A_CELL = 4
"""Points on each side of a thumbnail's cell that are averaged: reading every pixel takes eight times as long."""


def take_thumbnail(gray: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image, uint8 (H, W), at `size` (width, height)."""
    width, height = size
    fine = (SAMPLES_A_CELL * width, SAMPLES_A_CELL * height)
    if fine[0] < gray.shape[1] and fine[1] < gray.shape[0]:
        gray = cv2.resize(gray, fine, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


# Decision VID-4.
