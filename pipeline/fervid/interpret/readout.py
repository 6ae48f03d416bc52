"""Labels from a read-out over time: the network's answer to a face's smoothed logits, corrected by a fitted model.

Knows nothing of how the model was fitted, of files or of images.
"""

from __future__ import annotations

import numpy as np

from fervid.config import Settings
from fervid.emotion.calibration import softmax
from fervid.emotion.heads import calibrated_scores, chosen_readout
from fervid.emotion.model import ModelInfo
from fervid.emotion.readout import STRENGTH_WITHOUT_BASELINE, Correction, Readout
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


def seconds_seen(times: np.ndarray, track_ids: np.ndarray) -> np.ndarray:
    """From the first to the last sample of each face's track: float64 (n,), of faces at `times` (n,)."""
    if not len(times):
        return np.zeros(0)
    n_tracks = int(track_ids.max()) + 1
    first, last = np.full(n_tracks, np.inf), np.full(n_tracks, -np.inf)
    np.minimum.at(first, track_ids, times)
    np.maximum.at(last, track_ids, times)
    return np.asarray((last - first)[track_ids])


# Decision SCO-10.
def read_out(
    smoothed: np.ndarray,
    seen_seconds: np.ndarray,
    readout: Readout,
    model: ModelInfo,
    settings: Settings,
    *,
    has_baseline: np.ndarray | bool = False,
) -> np.ndarray:
    """Smoothed logits (n, L) of all heads of faces seen for `seen_seconds` (n,) -> probabilities float32 (n, C).

    `has_baseline` (n,) says of which faces the usual look was taken out of the logits.
    """
    logits = smoothed.astype(np.float64)
    own = np.log(np.maximum(probabilities(logits, model, settings), SMALLEST))
    scores = calibrated_scores(logits, model, is_flipped=settings.emotion.flip) - np.array(readout.usual)
    grown = correction_strength(readout, seen_seconds, has_baseline)[:, None]
    added = _corrected(scores, readout.frame) + grown * _corrected(scores, readout.over_time)
    return softmax(own + added).astype(np.float32)


def correction_strength(readout: Readout, seen_seconds: np.ndarray, has_baseline: np.ndarray | bool) -> np.ndarray:
    """The share 0..1 of `over_time` for faces seen so long (n,): half of the rest with each half-life."""
    most = np.where(np.broadcast_to(has_baseline, len(seen_seconds)), 1.0, STRENGTH_WITHOUT_BASELINE)
    if readout.half_life_seconds <= 0:
        return most
    return np.asarray(most * (1 - 0.5 ** (np.asarray(seen_seconds, np.float64) / readout.half_life_seconds)))


def _corrected(scores: np.ndarray, correction: Correction) -> np.ndarray:
    """Scores (n, L) less the usual ones -> what is added to log-probabilities (n, C)."""
    # Sums in a fixed order: a product of matrices may differ in the last bit with the number of rows.
    terms = zip(scores.T, correction.weights, strict=True)
    return np.asarray(sum(column[:, None] * np.array(row) for column, row in terms) + np.array(correction.bias))
