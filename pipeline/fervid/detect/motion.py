"""Change detection between two images on a grid of a few thousand cells. Knows nothing of faces.

An image is reduced to a tiny one whose cells are means over many pixels, so that sensor and coding noise vanish.
"""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import Literal

import numpy as np

from fervid.base.opencv import cv2

TINY_WIDTH_PX = 80
"""Cells across an image: at 8 % of a 16:9 image's height the smallest face is four cells wide."""

FACE_STILL_SHARE = 0.4
"""A box is taken over only where less than this share of `still_level` changed: a face that moved by a few pixels looks
otherwise in a crop whose box stayed behind."""

SHOT_THUMBNAIL_PX = (32, 18)
HALF_RANGE = 128
FLAT_LEVEL = 128

PART_STEP_PX = 32
"""A part that a network is shown alone has sides of so many pixels."""
PART_SHARE = 0.6
"""A larger part of an image is not worth the change of the network's input size: all of it is searched."""

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom exclusive."""


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W) at a smaller `size` (width, height): halved while that fits, then each pixel from its neighbours.

    Halves of even sides are quick to make: 0.4 ms for 1080p to 444 x 250, where one step takes 2 ms. Interpolating the
    last step instead would cost a quarter of that, and ten times the false boxes.
    """
    width, height = image.shape[1], image.shape[0]
    while width >= 2 * size[0] and height >= 2 * size[1]:
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if (width, height) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def tiny(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) -> uint8 (h, w) of square cells, `TINY_WIDTH_PX` across (fewer in a smaller image)."""
    height, width = image.shape
    columns = min(TINY_WIDTH_PX, width)
    size = columns, max(1, round(height * columns / width))
    return shrunk(image, size)


def changed_cells(before: np.ndarray, now: np.ndarray, *, level: float) -> np.ndarray:
    """Cells of two tiny images that differ by more than `level` of 255: bool (h, w)."""
    if not before.size:
        return np.zeros(before.shape, bool)
    return cv2.threshold(cv2.absdiff(before, now), level, 1, cv2.THRESH_BINARY)[1].view(bool)


def shot_thumbnail(image: np.ndarray) -> np.ndarray:
    """The feature for cut detection: the levels float64 (n,) of an image downscaled to `SHOT_THUMBNAIL_PX`."""
    return cv2.resize(image, SHOT_THUMBNAIL_PX, interpolation=cv2.INTER_AREA).ravel().astype(np.float64)


def is_new_shot(before: np.ndarray, now: np.ndarray, *, threshold: float) -> bool:
    """Whether two shot thumbnails hardly correlate and differ in their levels too; both changes lie in 0..1.

    The larger change has to exceed `threshold`, the smaller a quarter of it. A false alarm costs one full search, so
    this compares only two frames and leaves separating flashes and pans from cuts to the second half.
    """
    n = len(before)
    levels = float(np.abs(before - now).sum()) / (n * HALF_RANGE)
    if levels <= threshold / 4:
        return False  # most frames
    one, other = before - before.mean(), now - now.mean()
    norm = float(np.sqrt((one @ one) * (other @ other)))
    structure = (1 - float(one @ other) / norm) / 2 if norm else 0.5
    return max(levels, structure) > threshold and min(levels, structure) > threshold / 4


class ShotWatch:
    """Marks the images of a segment, in order, that start something new: the first, a new size, a cut."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._thumbnail: np.ndarray | None = None
        self._shape: tuple[int, ...] = ()

    def look(self, shape: tuple[int, ...], now: np.ndarray) -> Literal["first", "cut", "same"]:
        """What the next image is, of that (height, width) and with that tiny image; 0 as threshold: no cuts."""
        last, self._thumbnail = self._thumbnail, shot_thumbnail(now)
        last_shape, self._shape = self._shape, shape
        if last is None or last_shape != shape:
            return "first"
        is_cut = self._threshold > 0 and is_new_shot(last, self._thumbnail, threshold=self._threshold)
        return "cut" if is_cut else "same"


def bounding_rectangle(cells: np.ndarray) -> tuple[float, float, float, float] | None:
    """The smallest rectangle around the set cells, as shares of width and height: left, top, right, bottom."""
    left, top, columns, rows = cv2.boundingRect(cells.view(np.uint8))
    if not columns:
        return None
    height, width = cells.shape
    return left / width, top / height, (left + columns) / width, (top + rows) / height


def cells_of(part: Rectangle, shape: tuple[int, int], grid: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a grid of cells over an image of that (height, width) that a part of it covers."""
    rows, columns = grid[0] / shape[0], grid[1] / shape[1]
    left, top, right, bottom = part
    return slice(int(top * rows), ceil(bottom * rows)), slice(int(left * columns), ceil(right * columns))


def grown(cells: np.ndarray, margin: int) -> np.ndarray:
    """The set cells and all that lie up to `margin` rows and columns away: bool (h, w)."""
    return cv2.dilate(cells.view(np.uint8), _square(2 * margin + 1)).view(bool)


@cache
def _square(side: int) -> np.ndarray:
    return np.ones((side, side), np.uint8)


def hidden(image: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 (H, W), flat where no cell of a grid over it is set; and a mask (H, W) of what still shows.

    A cascade skips flat areas almost for free.
    """
    mask = cv2.resize(cells.view(np.uint8), image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.copyTo(image, mask, np.full_like(image, FLAT_LEVEL)), mask


class Halves:
    """An image uint8 (H, W), its half, the half of that and so on, each made when it is first asked for."""

    def __init__(self, image: np.ndarray) -> None:
        self._levels = [image]

    def level(self, n: int) -> np.ndarray:
        """The image halved `n` times, its sides rounded."""
        height, width = self._levels[0].shape
        while len(self._levels) <= n:
            scale = 2 ** len(self._levels)
            self._levels.append(shrunk(self._levels[-1], (max(1, round(width / scale)), max(1, round(height / scale)))))
        return self._levels[n]


def whole_of(shape: tuple[int, ...]) -> Rectangle:
    """All of an image of that (height, width)."""
    return 0, 0, shape[1], shape[0]


# Decision DET-11.
def part_around(bounds: tuple[float, float, float, float], shape: tuple[int, ...], *, margin_px: int) -> Rectangle:
    """What a network is shown of an image of that (height, width) for a change within `bounds`, shares of its sides.

    All of it, where the change and its margin are most of it.
    """
    sides = []
    for low, high, whole in ((bounds[0], bounds[2], shape[1]), (bounds[1], bounds[3], shape[0])):
        first, last = int(low * whole) - margin_px, ceil(high * whole) + margin_px
        side = min(whole, ceil((last - first) / PART_STEP_PX) * PART_STEP_PX)
        first = min(max(0, first), whole - side)
        sides.append((first, first + side))
    (left, right), (top, bottom) = sides
    is_worth_it = (right - left) * (bottom - top) <= PART_SHARE * shape[0] * shape[1]
    return (left, top, right, bottom) if is_worth_it else whole_of(shape)


def goes_beyond(box: tuple[float, ...], part: Rectangle, shape: tuple[int, ...]) -> bool:
    """Whether a box ends where the part does, within an image of that shape, so that more of the face may be there."""
    return (
        0 < part[0] >= box[0] or 0 < part[1] >= box[1] or shape[1] > part[2] <= box[2] or shape[0] > part[3] <= box[3]
    )
