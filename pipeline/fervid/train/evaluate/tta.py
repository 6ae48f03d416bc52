"""Test-time augmentation: several views of each face, their logits averaged. Knows nothing of networks or labels.

Logits are averaged, not probabilities. The mean of logits keeps their scale, so the temperature that was fitted to
single views still fits; a mean of probabilities is flatter. Measured with fer2013-res-xs on PublicTest, ten crops at
the temperature of the single view: calibration error 0.028 against 0.043, loss 0.897 against 0.901, accuracy 68.1 %
against 67.9 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, get_args

import numpy as np

from fervid.emotion.crops import make_crop
from fervid.errors import ConfigError

Tta = Literal["none", "flip", "ten-crop"]

CROP_SHARE = 44 / 48
"""Side of a crop against the face's: 44 of 48 px, as in most published ten-crop figures on FER-2013."""


def make_views(faces: np.ndarray, tta: Tta) -> Iterator[np.ndarray]:
    """The views of faces uint8 (N, S, S), each uint8 (N, S, S), one after the other.

    `none`: the faces. `flip`: the faces and their mirror images. `ten-crop`: the four corners and the centre, resized
    to S, each followed by its mirror image. Raises ConfigError for another name.
    """
    if tta not in get_args(Tta):
        raise ConfigError(f"test-time augmentation {tta!r} does not exist. Use one of {', '.join(get_args(Tta))}.")
    if tta == "ten-crop":
        side = faces.shape[1]
        crop = round(side * CROP_SHARE)
        last, middle = side - crop, (side - crop) // 2
        for y, x in ((0, 0), (0, last), (last, 0), (last, last), (middle, middle)):
            view = _resize(faces[:, y : y + crop, x : x + crop], side)
            yield view
            yield view[:, :, ::-1]
        return
    yield faces
    if tta == "flip":
        yield faces[:, :, ::-1]


def mean_logits(predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, tta: Tta) -> np.ndarray:
    """Logits float32 (N, C) of faces uint8 (N, S, S), averaged over their views. `predict` maps faces to logits."""
    total, n_views = np.zeros(()), 0
    for view in make_views(faces, tta):
        logits = predict(view)
        if tta == "none":
            return logits
        total, n_views = total + logits.astype(np.float64), n_views + 1
    return (total / n_views).astype(np.float32)


def _resize(faces: np.ndarray, side_px: int) -> np.ndarray:
    resized = np.empty((len(faces), side_px, side_px), np.uint8)
    for i, face in enumerate(faces):
        resized[i] = make_crop(np.ascontiguousarray(face), side_px, is_full_range=True)
    return resized
