"""Occlusion maps: a gray patch is moved over the crop (Zeiler and Fergus, 2014). Independent of the network.

It only needs scores, so it works with any runner, head, blend, calibration or mean over views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PATCH_SHARE, STEPS = 1 / 4, 16
"""The side of the patch as a share of the crop's, and how often it is moved from one edge to the other."""


@dataclass(frozen=True, slots=True)
class Occlusion:
    """The effect of covering parts of a crop on one score.

    `changes` float32 (S, S) is the score of the whole crop less the score with a patch centred on that pixel: above 0
    what is there speaks for the label, below 0 against it. `lowest` is the lowest score that a patch leaves, and
    `lowest_at` is that patch's centre as shares (down, right) of the crop.
    """

    score: float
    changes: np.ndarray
    lowest: float
    lowest_at: tuple[float, float]


def occlusion_map(crop: np.ndarray, score: Callable[[np.ndarray], np.ndarray]) -> Occlusion:
    """Slide a patch of the crop's mean level over a crop uint8 (S, S); between its steps the changes are interpolated.

    `score` maps crops uint8 (N, S, S) to the score of one label for each, (N,); it is called once.
    """
    side = len(crop)
    centres = np.linspace(0, side, STEPS + 1)
    half = max(1.0, side * PATCH_SHARE / 2)
    ends = [(max(0, round(centre - half)), min(side, round(centre + half))) for centre in centres.tolist()]
    covered = np.repeat(crop[None], len(ends) ** 2 + 1, axis=0)
    level = np.uint8(round(float(crop.mean())))
    for i, (top, bottom) in enumerate(ends):
        for j, (left, right) in enumerate(ends):
            covered[i * len(ends) + j, top:bottom, left:right] = level
    scores = np.asarray(score(covered), np.float64)  # the last crop is whole
    grid, whole = scores[:-1].reshape(len(ends), len(ends)), float(scores[-1])
    row, column = divmod(int(grid.argmin()), len(ends))
    return Occlusion(
        whole,
        (whole - _between(grid, centres, side)).astype(np.float32),
        float(grid.min()),
        (float(centres[row]) / side, float(centres[column]) / side),
    )


def place_in_words(at: tuple[float, float]) -> str:
    """The position of a point in a crop, by thirds: `at` are shares (down, right). Left is left in the image."""
    down, right = (min(2, int(3 * share)) for share in at)
    if (down, right) == (1, 1):
        return "the middle"
    row, column = ("upper", "middle", "lower")[down], ("left", "centre", "right")[right]
    return f"the {row} {column}"


def _between(grid: np.ndarray, centres: np.ndarray, side: int) -> np.ndarray:
    """Values (K, K) at centres (K,) along both axes, interpolated to the middles of pixels (S, S)."""
    pixels = np.arange(side) + 0.5
    weights = np.stack([np.interp(pixels, centres, unit) for unit in np.eye(len(centres))], axis=1)
    return np.asarray(weights @ grid @ weights.T)
