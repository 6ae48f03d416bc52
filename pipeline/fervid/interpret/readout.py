"""Labels from a read-out over time: the network's answer to a face's smoothed logits, corrected by a fitted model.

Knows nothing of how the model was fitted, of files or of images.
"""

from __future__ import annotations

import numpy as np

from fervid.config import Settings
from fervid.emotion.calibration import softmax
from fervid.emotion.heads import calibrated_scores, chosen_readout
from fervid.emotion.model import ModelInfo
from fervid.emotion.readout import Readout
from fervid.interpret.judge import probabilities
from fervid.track import Smoother, make_smoother

SMALLEST = 1e-12
"""Probabilities below count as this one when their logarithm is taken."""


def readout_of(model: ModelInfo, settings: Settings) -> Readout | None:
    """The read-out that these settings ask for. Raises ConfigError where there is none that fits."""
    return chosen_readout(model, settings.readout.use, settings.emotion.labels)


def readout_smoother(readout: Readout, settings: Settings) -> Smoother:
    """The smoother of the settings, as strong as the read-out was fitted with."""
    return make_smoother(settings.smooth.smoother, half_life_seconds=readout.half_life_seconds)


# Decision SCO-10.
def read_out(smoothed: np.ndarray, readout: Readout, model: ModelInfo, settings: Settings) -> np.ndarray:
    """Smoothed logits (n, L) of all heads -> probabilities of the labels float32 (n, C)."""
    logits = smoothed.astype(np.float64)
    own = np.log(np.maximum(probabilities(logits, model, settings), SMALLEST))
    scores = calibrated_scores(logits, model, is_flipped=settings.emotion.flip) - np.array(readout.usual)
    # Sums in a fixed order: a product of matrices may differ in the last bit with the number of rows.
    change = sum(column[:, None] * np.array(row) for column, row in zip(scores.T, readout.weights, strict=True))
    return softmax(own + change + np.array(readout.bias)).astype(np.float32)
