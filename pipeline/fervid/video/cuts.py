"""Shot cuts from the thumbnails of sampled frames. Knows nothing of faces."""

from __future__ import annotations

import numpy as np


def find_cuts(thumbnails: np.ndarray, *, threshold: float) -> np.ndarray:
    """Whether each frame begins a new shot: bool (N,), the first one never. `thumbnails` uint8 (N, h, w).

    Two frames are of different shots when their pictures hardly correlate and their levels differ: the change is
    (1 - correlation) / 2 of the pictures, or the mean absolute difference over 128 levels, whichever is larger, and
    exceeds `threshold`. Correlation alone would cut on noise in flat pictures, levels alone on a change of exposure,
    so that a change counts only where the other measure agrees at a quarter of the threshold.
    """
    n = len(thumbnails)
    cuts = np.zeros(n, bool)
    if n < 2:
        return cuts
    pictures = thumbnails.reshape(n, -1).astype(np.float32)
    levels = np.abs(np.diff(pictures, axis=0)).mean(axis=1) / 128
    centred = pictures - pictures.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    product = norm[1:] * norm[:-1]
    correlation = np.divide((centred[1:] * centred[:-1]).sum(axis=1), product, out=np.ones(n - 1, np.float32), where=product > 0)
    structure = (1 - correlation) / 2
    cuts[1:] = (np.maximum(structure, levels) > threshold) & (np.minimum(structure, levels) > threshold / 4)
    return cuts
