"""A part of a picture turned about its middle, and boxes found in it turned back. Knows no detector and no plan."""

from __future__ import annotations

import numpy as np

from fervid.opencv import cv2


def turned(area: np.ndarray, degrees: float) -> np.ndarray:
    """The picture uint8 (H, W) turned around its centre, counter-clockwise; the same size, edges continued."""
    if not degrees:
        return area
    height, width = area.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(area, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def turned_back(boxes: np.ndarray, shape: tuple[int, ...], degrees: float) -> np.ndarray:
    """Upright boxes (n, 4) of the same size around where the centres were before the picture was turned."""
    if not degrees:
        return boxes
    angle = np.deg2rad(degrees)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    centre = np.array([shape[1] / 2, shape[0] / 2])
    x, y = (boxes[:, :2] + half - centre).T
    back = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1) + centre
    return np.concatenate([back - half, back + half], axis=1).astype(np.float32)
