"""Shot cuts from the thumbnails of sampled frames. Knows nothing of faces."""

from __future__ import annotations

import numpy as np


def find_cuts(thumbnails: np.ndarray, *, threshold: float) -> np.ndarray:
    """Whether each frame begins a new shot: bool (N,), the first one never. `thumbnails` uint8 (N, h, w).

    Two frames belong to different shots when their pictures hardly correlate and their levels differ too: structure
    alone would cut on noise in dark pictures, levels alone on a change of exposure. Both changes lie in 0..1; the
    larger has to exceed `threshold`, the smaller a quarter of it. At 5 frames a second the motion within a shot stayed
    below 0.3 in 51 real clips, and cuts lay above 0.4.
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
    covariance = (centred[1:] * centred[:-1]).sum(axis=1)
    # A flat picture correlates with nothing: it is told apart by its level alone.
    correlation = np.divide(covariance, product, out=np.zeros(n - 1, np.float32), where=product > 0)
    structure = (1 - correlation) / 2
    cuts[1:] = (np.maximum(structure, levels) > threshold) & (np.minimum(structure, levels) > threshold / 4)
    return cuts
