"""Crops faces for the network; shared by training and analysis. Knows nothing of models or videos."""

from __future__ import annotations

import numpy as np

from fervid.base.geometry import pad_boxes
from fervid.base.opencv import cv2

LIMITED_TO_FULL_RANGE = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
"""Video luma uses 16..235 (ITU-R BT.601 and BT.709); FER-2013 and photographs use 0..255."""

CONTRAST_OF_A_CLEAR_FACE = 32.0
"""Standard deviation in grey levels from which a crop counts as fully clear; 95 % of FER-2013's faces are above it."""


def make_crop(patch: np.ndarray, side_px: int, *, is_full_range: bool) -> np.ndarray:
    """Any gray patch uint8 (h, w) -> uint8 (S, S), full range. The only input path of a network."""
    if patch.shape != (side_px, side_px):
        shrinks = min(patch.shape) >= side_px
        patch = cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(patch if is_full_range else cv2.LUT(patch, LIMITED_TO_FULL_RANGE), np.uint8)


# Decisions SCO-1, SCO-2.
def crop_faces(
    gray: np.ndarray, boxes: np.ndarray, *, side_px: int, margin: float, is_full_range: bool, box_shape: float = 1.0
) -> np.ndarray:
    """The faces of a frame: uint8 (n, S, S) from uint8 (H, W) and float32 boxes (n, 4) grown by `margin`.

    `box_shape` is the detector's usual aspect ratio of boxes (`Detector.box_shape`): boxes are widened by it, so that a
    face keeps its proportions in the crop, also with a wrong pixel aspect ratio. Outside the frame, edge pixels are
    repeated.
    """
    height, width = gray.shape
    crops = np.empty((len(boxes), side_px, side_px), np.uint8)
    wide = pad_boxes(boxes, ((1 + 2 * margin) / box_shape - 1) / 2, margin)
    for i, (x0, y0, x1, y1) in enumerate(np.round(wide).astype(int)):
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
        if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
            patch = gray[y0:y1, x0:x1]
        else:
            # Not copyMakeBorder: for a box wholly outside the frame it reads memory outside the frame.
            rows, columns = np.arange(y0, y1).clip(0, height - 1), np.arange(x0, x1).clip(0, width - 1)
            patch = gray[np.ix_(rows, columns)]
        crops[i] = make_crop(patch, side_px, is_full_range=is_full_range)
    return crops


def crop_quality(crops: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How usable each face is, float32 (n,) in 0..1: its size in pixels relative to the crop's, times its contrast.

    A face of fewer pixels than the crop shows less than the network was trained on; a flat one shows nothing.
    """
    if not len(crops):
        return np.zeros(0, np.float32)
    size = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) / crops.shape[1]
    contrast = np.array([cv2.meanStdDev(crop)[1].item() for crop in crops]) / CONTRAST_OF_A_CLEAR_FACE
    return np.asarray(np.clip(size, 0, 1) * np.clip(contrast, 0, 1), np.float32)


def as_network_input(crops: np.ndarray) -> np.ndarray:
    """Crops uint8 (N, S, S) -> float32 (N, S, S, 1) in 0..1, the input of every network.

    The networks standardise within themselves, so this is all that training and both runners must agree on.
    """
    return crops[..., None].astype(np.float32) / np.float32(255)
