"""Shot cuts, brightness and motion from the thumbnails of sampled frames. Knows nothing of faces or colours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LEVELS = 256
NEIGHBOURS = 2
"""Frames on each side whose change says how much the image moves anyway."""
NEIGHBOUR_SECONDS = 0.45
"""Frames further away say nothing of that."""
LEAST_RATIO = 2.5
"""A cut changes the image at least this many times as much as they do on average."""
FLASH_SECONDS = 0.35
"""An image that is back after this long was never gone: a flash, or a damaged frame."""
BLACK_BELOW = 0.1
"""Brightness below which an image may be the middle of a fade."""
# Decision VID-6.
FLAT_LEVELS = 6.0
"""Standard deviation in levels up to which an image counts as flat, and a dark one as black."""
LONGEST_FADE_SECONDS = 2.0
"""A longer stretch below that is a dark scene."""
# Decision VID-5.
MOTION_SECONDS = 0.2
"""Motion is the change over this time, so that it does not depend on how densely a video was sampled."""


@dataclass(frozen=True, slots=True)
class FrameMeasures:
    """What thumbnails say of each frame: `is_cut` bool (N,), `brightness` 0..1 and `motion` 0..1 float32 (N,).

    `motion` is NaN where nothing comes before it in the same shot.
    """

    is_cut: np.ndarray
    brightness: np.ndarray
    motion: np.ndarray


def measure_frames(pieces: Iterable[np.ndarray], times: np.ndarray, *, threshold: float | None) -> FrameMeasures:
    """Cuts, brightness and motion of a whole video. `threshold` None looks for no cuts (a fixed camera).

    `pieces` are thumbnails uint8 (n, h, w), in order, of all the frames at `times` float64 (N,); where they are cut
    apart makes no difference. Of earlier pieces only half a second is kept in memory.
    """
    n = len(times)
    change, level_change = np.zeros(n, np.float32), np.zeros(n, np.float32)
    is_sudden, is_flash, is_flat = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
    brightness = np.zeros(n, np.float32)
    motion = np.full(n, np.nan, np.float32)
    kept_seconds = FLASH_SECONDS + MOTION_SECONDS
    window: np.ndarray | None = None
    first = done = 0
    fades = _Fades(threshold)
    for piece in pieces:
        if not len(piece):
            continue
        window = piece if window is None else np.concatenate([window, piece])
        images = window.reshape(len(window), -1).astype(np.float32)
        new = np.arange(done, done + len(piece))
        brightness[new] = images[new - first].mean(axis=1) / (LEVELS - 1)
        is_flat[new] = images[new - first].std(axis=1) <= FLAT_LEVELS
        fades.see(new, images[new - first], brightness, times)
        later = new[new > 0]
        if len(later):
            levels, structure = _compare(images[later - 1 - first], images[later - first])
            change[later], level_change[later] = np.sqrt(levels * structure), levels
            before = np.clip(_nearest_before(times, later, MOTION_SECONDS), first, None)
            motion[later] = np.abs(images[later - first] - images[before - first]).mean(axis=1) / (LEVELS - 1)
            if threshold is not None:
                is_sudden[later] = _is_other_picture(levels, structure, threshold)
                _mark_flashes(is_flash, is_sudden, later, images, first, times, threshold)
        done += len(piece)
        keep = max(first, min(done - 2, int(np.searchsorted(times, times[done - 1] - kept_seconds))))
        window, first = window[keep - first :], keep
    stands_out = _stands_out(change, is_sudden, times)
    # The last step of a fade leads to a flat image, whose structure says nothing: a cut is steeper than that fade.
    beside_flat = is_flat | np.concatenate([is_flat[:1], is_flat[:-1]])
    stands_out &= ~beside_flat | _stands_out(level_change, is_sudden, times)
    is_cut = is_sudden & ~is_flash & stands_out
    fades.add_to(is_cut)
    motion[is_cut | _follows_a_cut(is_cut, times)] = np.nan
    return FrameMeasures(is_cut, brightness, motion)


class _Fades:
    """Finds fades through black: a short dark stretch with a flat image in it, and another image behind it."""

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._lit: np.ndarray | None = None
        self._lit_row = 0
        self._flattest, self._flattest_row = FLAT_LEVELS, -1
        self._found: list[tuple[int, int, int]] = []

    def see(self, rows: np.ndarray, images: np.ndarray, brightness: np.ndarray, times: np.ndarray) -> None:
        """Look at the next frames in order; `brightness` and `times` are of the whole video."""
        if self._threshold is None:
            return
        contrast = images.std(axis=1)
        for row, image, spread in zip(rows.tolist(), images, contrast.tolist(), strict=True):
            if brightness[row] < BLACK_BELOW:
                if spread <= self._flattest:
                    self._flattest, self._flattest_row = spread, row
                continue
            if self._lit is not None and self._flattest_row > self._lit_row:
                _, structure = _compare(self._lit[None], image[None])
                is_short = times[row] - times[self._lit_row] <= LONGEST_FADE_SECONDS
                if is_short and structure[0] > self._threshold / 2:
                    self._found.append((self._lit_row, self._flattest_row, row))
            self._lit, self._lit_row, self._flattest = image, row, FLAT_LEVELS

    def add_to(self, is_cut: np.ndarray) -> None:
        """Mark the flattest frame of each fade as a cut, unless a sudden one is within the fade."""
        for before, flattest, after in self._found:
            if not is_cut[before + 1 : after + 1].any():
                is_cut[flattest] = True


def find_shots(is_cut: np.ndarray, times: np.ndarray, *, min_shot_seconds: float) -> np.ndarray:
    """Whether each frame begins a shot of the video's edit: bool (N,), the first one never.

    A cut that follows the one before it (or the first frame) by less than `min_shot_seconds` belongs to that.
    """
    shots = np.zeros(len(is_cut), bool)
    last = times[0] if len(times) else 0.0
    for i in np.flatnonzero(is_cut):
        if times[i] - last >= min_shot_seconds:
            shots[i] = True
            last = times[i]
    return shots


def _compare(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far pairs of images (n, pixels) differ: in their levels, and in their structure (0..1)."""
    levels = np.abs(one - other).mean(axis=1) / (LEVELS / 2)
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    product = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    # A flat image correlates with nothing: it is told apart by its level alone.
    correlation = np.divide((one * other).sum(axis=1), product, out=np.zeros(len(one), np.float32), where=product > 0)
    return levels, np.maximum((1 - correlation) / 2, 0)


def _is_other_picture(levels: np.ndarray, structure: np.ndarray, threshold: float) -> np.ndarray:
    """Structure alone would cut on noise in dark images, levels alone on a change of exposure.

    The larger of both has to exceed `threshold`, the smaller a quarter of it.
    """
    found: np.ndarray = (np.maximum(levels, structure) > threshold) & (np.minimum(levels, structure) > threshold / 4)
    return found


def _mark_flashes(
    is_flash: np.ndarray,
    is_sudden: np.ndarray,
    new: np.ndarray,
    images: np.ndarray,
    first: int,
    times: np.ndarray,
    threshold: float,
) -> None:
    """Where a sudden change brings the image from before an earlier one back, neither of them is a cut."""
    for i in new[is_sudden[new]]:
        earliest = max(first + 1, int(np.searchsorted(times, times[i] - FLASH_SECONDS)))
        for j in np.flatnonzero(is_sudden[earliest:i]) + earliest:
            levels, structure = _compare(images[j - 1 - first][None], images[i - first][None])
            if not _is_other_picture(levels, structure, threshold)[0]:
                is_flash[j : i + 1] = True
                break


def _stands_out(change: np.ndarray, is_sudden: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Whether each frame changes the image more than the frames around it, other sudden changes left out, do."""
    n = len(change)
    total, count = np.zeros(n), np.zeros(n)
    for offset in (*range(-NEIGHBOURS, 0), *range(1, NEIGHBOURS + 1)):
        own = np.arange(max(0, 1 - offset), min(n, n - offset))  # the first frame has no change
        own = own[~is_sudden[own + offset] & (np.abs(times[own + offset] - times[own]) <= NEIGHBOUR_SECONDS)]
        total[own] += change[own + offset]
        count[own] += 1
    return np.asarray(change * count >= LEAST_RATIO * total)


def _nearest_before(times: np.ndarray, rows: np.ndarray, seconds: float) -> np.ndarray:
    """Of each row, the earlier row whose distance in time comes nearest to `seconds`."""
    wanted = times[rows] - seconds
    right = np.clip(np.searchsorted(times, wanted), 0, rows - 1)
    left = np.maximum(right - 1, 0)
    is_left = np.abs(times[left] - wanted) <= np.abs(times[right] - wanted)
    return np.asarray(np.where(is_left, left, right))


def _follows_a_cut(is_cut: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Whether the frame that a frame's motion is measured from is in another shot."""
    rows = np.arange(1, len(times))
    shot = np.cumsum(is_cut)
    other = np.zeros(len(times), bool)
    other[1:] = shot[rows] != shot[_nearest_before(times, rows, MOTION_SECONDS)]
    return other
