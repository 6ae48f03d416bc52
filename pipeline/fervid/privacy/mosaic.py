"""Covers faces in an image with a mosaic, so that the scene stays visible. Knows nothing of time or detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from fervid.base.opencv import cv2

ELLIPSE = 1.4
"""A cover is an ellipse so many times as wide and high as the box: only the tips of its corners stay outside."""
BLOCKS = 8
"""A cover has so many blocks across, the face in it fewer than six: with ten the face network still finds a face in
some mosaics."""
LEAST_BLOCK_PX = 4
"""Smaller blocks would not hide a small face."""
SAMPLES_A_BLOCK = 8
"""A block is the mean of at least so many rows and columns of it: of all of them takes four times as long."""


@dataclass(slots=True)
class CoveredArea:
    """How much of the images was covered, in pixels of all of them."""

    covered_px: int = 0
    total_px: int = 0

    @property
    def share(self) -> float:
        """Mean share of an image that was covered, 0..1."""
        return self.covered_px / self.total_px if self.total_px else 0.0


def cover(
    rgb: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]], area: CoveredArea | None = None
) -> np.ndarray:
    """A copy of an image, RGB uint8 (H, W, 3), with a mosaic over the faces of boxes (k, 4), xyxy in pixels.

    What was covered is added to `area`.
    """
    covered = np.array(rgb, order="C")
    cover_in_place(covered, boxes, area)
    return covered


# Decision PRI-2.
def cover_in_place(
    rgb: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]], area: CoveredArea | None = None
) -> None:
    """Draw the mosaic into the image itself. Raises ValueError where its memory does not allow that."""
    if not (rgb.flags.c_contiguous and rgb.flags.writeable):
        raise ValueError("faces can be covered only in an image whose rows follow each other and can be written")
    height, width = rgb.shape[:2]
    every = np.asarray(boxes, np.float64).reshape(-1, 4)
    # Larger faces last: a small box within a face, most often a false find, would show that part in finer blocks.
    order = np.argsort((every[:, 2:] - every[:, :2]).prod(axis=1), kind="stable")
    patches = [patch for box in every[order] if (patch := _patch(rgb, box)) is not None]  # before any is drawn
    for part, cells, inside in patches:
        size = inside.shape[1], inside.shape[0]
        mosaic = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(mosaic, inside, rgb[part])  # NumPy's copy under a mask takes forty times as long
    if area is not None:
        area.covered_px += int(np.count_nonzero(_mask(patches, height, width)))
        area.total_px += height * width


def cover_mask(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which pixels of an image are covered for boxes (k, 4): bool (height, width)."""
    blank = np.zeros((height, width, 3), np.uint8)
    patches = [_patch(blank, box) for box in np.asarray(boxes, np.float64).reshape(-1, 4)]
    return _mask([patch for patch in patches if patch is not None], height, width).view(bool)


_Patch = tuple[tuple[slice, slice], np.ndarray, np.ndarray]
"""Where a cover may lie, its blocks as an image (rows, columns, 3), and which pixels there it covers: uint8 0 or 1."""


def _mask(patches: Sequence[_Patch], height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for part, _, inside in patches:
        mask[part] |= inside
    return mask


def _patch(rgb: np.ndarray, box: np.ndarray) -> _Patch | None:
    height, width = rgb.shape[:2]
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    across, down = float(box[2] - box[0]) / 2 * ELLIPSE, float(box[3] - box[1]) / 2 * ELLIPSE
    x0, x1 = max(0, floor(x - across)), min(width, ceil(x + across))
    y0, y1 = max(0, floor(y - down)), min(height, ceil(y + down))
    if x1 <= x0 or y1 <= y0:
        return None
    block = max(LEAST_BLOCK_PX, 2 * across / BLOCKS)
    size = max(1, round((x1 - x0) / block)), max(1, round((y1 - y0) / block))
    part = (slice(y0, y1), slice(x0, x1))
    step = max(1, int(block / SAMPLES_A_BLOCK))
    samples = np.ascontiguousarray(rgb[y0:y1:step, x0:x1:step])
    cells = np.asarray(cv2.resize(samples, size, interpolation=cv2.INTER_AREA)).reshape(size[1], size[0], 3)
    # A pixel belongs to the ellipse when its middle does.
    columns = (((np.arange(x0, x1) + (0.5 - x)) / across) ** 2).astype(np.float32)
    rows = (((np.arange(y0, y1) + (0.5 - y)) / down) ** 2).astype(np.float32)
    return part, cells, (columns[None, :] <= 1 - rows[:, None]).view(np.uint8)
