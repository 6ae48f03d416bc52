"""Covers faces in an image with a mosaic, so that the scene stays visible. Knows nothing of time or detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.base.geometry import clip_boxes
from fervid.base.opencv import cv2

ELLIPSE = 1.4
"""A cover is an ellipse so many times as wide and high as the box: only the tips of its corners stay outside."""
BLOCKS = 8
"""A cover has so many blocks across, the face in it fewer than six: with ten the face network still finds a face in
some mosaics."""
LEAST_BLOCK_PX = 4
"""Smaller blocks would not hide a small face."""


@dataclass(slots=True)
class CoveredArea:
    """How much of the images was covered, in pixels of all of them."""

    covered_px: int = 0
    total_px: int = 0

    @property
    def share(self) -> float:
        """Mean share of an image that was covered, 0..1."""
        return self.covered_px / self.total_px if self.total_px else 0.0


# Decision PRI-2.
def cover(
    rgb: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]], area: CoveredArea | None = None
) -> np.ndarray:
    """A copy of an image, RGB uint8 (H, W, 3), with a mosaic over the faces of boxes (k, 4), xyxy in pixels.

    What was covered is added to `area`.
    """
    covered = rgb.copy()
    height, width = rgb.shape[:2]
    is_covered = np.zeros((height, width), np.uint8)
    every = np.asarray(boxes, np.float64).reshape(-1, 4)
    # Larger faces last: a small box within a face, most often a false find, would show that part in finer blocks.
    for box in every[np.argsort((every[:, 2:] - every[:, :2]).prod(axis=1), kind="stable")]:
        _cover_face(rgb, covered, is_covered, box)
    if area is not None:
        area.covered_px += int(np.count_nonzero(is_covered))
        area.total_px += height * width
    return covered


def cover_mask(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which pixels of an image are covered for boxes (k, 4): bool (height, width)."""
    blank, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    for box in np.asarray(boxes, np.float64).reshape(-1, 4):
        _cover_face(blank, blank.copy(), mask, box)
    return mask.astype(bool)


def _cover_face(rgb: np.ndarray, covered: np.ndarray, is_covered: np.ndarray, box: np.ndarray) -> None:
    height, width = rgb.shape[:2]
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * ELLIPSE
    reach = np.concatenate([np.floor(centre - half), np.ceil(centre + half)])[None]
    x0, y0, x1, y1 = clip_boxes(reach, width, height).astype(int)[0]
    if x1 <= x0 or y1 <= y0:
        return
    block = max(LEAST_BLOCK_PX, 2 * half[0] / BLOCKS)
    cells = max(1, round((x1 - x0) / block)), max(1, round((y1 - y0) / block))
    part = (slice(y0, y1), slice(x0, x1))
    coarse = cv2.resize(rgb[part], cells, interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    # A pixel belongs to the ellipse when its middle does.
    across = (np.arange(x0, x1) + 0.5 - centre[0]) / half[0]
    down = (np.arange(y0, y1) + 0.5 - centre[1]) / half[1]
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    cv2.copyTo(mosaic, inside.view(np.uint8), covered[part])  # NumPy's copy under a mask takes forty times as long
    is_covered[part] |= inside
