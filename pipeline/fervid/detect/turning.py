"""Rotates a part of an image about its centre, and boxes found in it back. Knows no detector and no plan."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.faces import Box


def turned(area: np.ndarray, degrees: float) -> np.ndarray:
    """The image uint8 (H, W) turned around its centre, counter-clockwise; the same size, edges continued."""
    if not degrees:
        return area
    height, width = area.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(area, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def turned_back(box: Box, shape: tuple[int, ...], degrees: float) -> Box:
    """An upright box of the same size around where its centre was before the image was turned."""
    if not degrees:
        return box
    cos_angle, sin_angle = cos(radians(degrees)), sin(radians(degrees))
    half_width, half_height = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    middle_x, middle_y = shape[1] / 2, shape[0] / 2
    x, y = box[0] + half_width - middle_x, box[1] + half_height - middle_y
    back_x, back_y = x * cos_angle - y * sin_angle + middle_x, x * sin_angle + y * cos_angle + middle_y
    return back_x - half_width, back_y - half_height, back_x + half_width, back_y + half_height
