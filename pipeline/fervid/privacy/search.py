"""Search a video for faces to cover, at moments close enough that what lies between them can be filled in.

The face network of an analysis, on larger images and with a lower threshold: a face left open is worse than a false
find. A face that neither it nor the run finds stays uncovered.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from fervid.base.geometry import iou_matrix
from fervid.base.opencv import cv2
from fervid.detect.centerface import CenterFaceDetector
from fervid.detect.motion import (
    bounding_rectangle,
    cells_of,
    changed_cells,
    goes_beyond,
    is_new_shot,
    part_around,
    shot_thumbnail,
    shrunk,
    tiny,
    whole_of,
)
from fervid.privacy.covers import FaceCovers

# Decision PRI-5.
SEARCH_HEIGHT_PX = 384
"""Images are shrunk to this height, turned ones to as many pixels: faces from about 2 % of the height are found."""
SCORE_THRESHOLD = 0.05
SEARCH_EVERY_SECONDS = 0.3
NEW_SHOT_THRESHOLD = 0.3
STILL_LEVEL, STILL_SECONDS = 8.0, 8.0
"""What changed by no more levels since it was searched is not searched again, for so long at most."""
PART_MARGIN_PX = 64
"""Around what changed so much is searched too: a face that the change shows in part is seen whole."""
SAME_FACE_IOU = 0.3

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of an image's width and height."""
EVERYWHERE: Bounds = (0.0, 0.0, 1.0, 1.0)
SHOT_SAMPLES = 144
"""Rows of an image that are looked at to tell changes and shots: all of them would cost as much as the search."""


class FaceSearch:
    """Searches for anything that may be a face. Not thread-safe."""

    def __init__(self, *, height_px: int = SEARCH_HEIGHT_PX, score_threshold: float = SCORE_THRESHOLD) -> None:
        self._detector = CenterFaceDetector(score_threshold=score_threshold)
        self._height_px = height_px

    def search(self, image: np.ndarray, pixel_aspect: Fraction | float = 1) -> np.ndarray:
        """RGB uint8 (H, W, 3) or gray (H, W) -> boxes float64 (k, 4) in its pixels, false ones among them."""
        return self.search_around(EVERYWHERE, image, pixel_aspect)[0]

    def search_around(
        self, bounds: Bounds, image: np.ndarray, pixel_aspect: Fraction | float = 1
    ) -> tuple[np.ndarray, Bounds]:
        """The same within `bounds` and some margin, and what was searched in the end.

        That is all of the image where most of it would be, or where a face goes on beyond the margin.
        """
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        height, width = gray.shape
        square_width = width * float(pixel_aspect)
        shrink = min(1.0, self._height_px / min(height, square_width))
        size = max(1, round(square_width * shrink)), max(1, round(height * shrink))
        small = gray if size == (width, height) else shrunk(gray, size)
        part = part_around(bounds, small.shape, margin_px=PART_MARGIN_PX)
        left, top, right, bottom = part
        boxes = self._detector.detect(np.ascontiguousarray(small[top:bottom, left:right]))[0] + [left, top] * 2
        if any(goes_beyond(tuple(box), part, small.shape) for box in boxes.tolist()):
            part = whole_of(small.shape)
            boxes = self._detector.detect(np.ascontiguousarray(small))[0]
        searched = (part[0] / size[0], part[1] / size[1], part[2] / size[0], part[3] / size[1])
        return np.asarray(boxes.astype(np.float64) * ([width / size[0], height / size[1]] * 2)), searched


# Decision PRI-1.
class CoverSearch:
    """Searches frames in order of time for faces, often enough, and enters what it finds into covers."""

    def __init__(self, covers: FaceCovers, search: FaceSearch | None = None, *, every: float = SEARCH_EVERY_SECONDS):
        self._covers, self._search, self._every = covers, search or FaceSearch(), every
        self._next = float("-inf")
        self._before: np.ndarray | None = None
        self._searched: np.ndarray | None = None
        self._all_searched_seconds = float("-inf")
        self._found = np.zeros((0, 4))
        self.n_searched = 0

    def see(
        self, seconds: float, image: np.ndarray, pixel_aspect: Fraction | float = 1, *, wanted: bool = False
    ) -> None:
        """The next frame: gray (H, W) or RGB (H, W, 3). Searched when it is time, in a new shot, or when `wanted`."""
        gray = image[..., 1] if image.ndim == 3 else image
        step = max(1, gray.shape[0] // SHOT_SAMPLES)
        rows = np.ascontiguousarray(gray[::step, ::step])
        thumbnail = shot_thumbnail(rows)
        before, self._before = self._before, thumbnail
        if before is not None and is_new_shot(before, thumbnail, threshold=NEW_SHOT_THRESHOLD):
            self._covers.add_cut(seconds)
        elif seconds < self._next and not wanted:
            return
        self._next = seconds + self._every
        now = tiny(rows)
        if (bounds := self._changed(seconds, now)) is not None:
            self.n_searched += 1
            found, searched = self._search.search_around(bounds, image, pixel_aspect)
            self._take(found, searched, now, gray.shape, seconds)
        self._covers.add(seconds, self._found)

    def _changed(self, seconds: float, now: np.ndarray) -> Bounds | None:
        """Where something changed since it was searched; elsewhere a search would find the same again."""
        before = self._searched
        if before is None or before.shape != now.shape or seconds - self._all_searched_seconds > STILL_SECONDS:
            return EVERYWHERE
        return bounding_rectangle(changed_cells(before, now, level=STILL_LEVEL))

    def _take(
        self, found: np.ndarray, searched: Bounds, now: np.ndarray, shape: tuple[int, ...], seconds: float
    ) -> None:
        """What was found where it was searched; elsewhere, and across the border, what was found before stays."""
        if searched == EVERYWHERE or self._searched is None:
            self._found, self._searched, self._all_searched_seconds = found, now, seconds
            return
        left, top, right, bottom = np.array(searched) * (shape[1], shape[0], shape[1], shape[0])
        before = self._found
        is_inside = (before[:, :2] >= (left, top)).all(axis=1) & (before[:, 2:] <= (right, bottom)).all(axis=1)
        is_again = (iou_matrix(before, found) >= SAME_FACE_IOU).any(axis=1)
        self._found = np.concatenate([before[~(is_inside | is_again)], found])
        cells = cells_of((int(left), int(top), ceil(right), ceil(bottom)), (shape[0], shape[1]), now.shape)
        self._searched = self._searched.copy()
        self._searched[cells] = now[cells]
