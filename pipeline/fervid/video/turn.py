"""Turn an image by quarter turns, for a camera that was mounted that way."""

from __future__ import annotations

import numpy as np


def turned(image: np.ndarray, degrees: int) -> np.ndarray:
    """The image (H, W) or (H, W, C), clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(image, -degrees // 90 % 4)) if degrees % 360 else image
