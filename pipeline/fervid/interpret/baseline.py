"""The usual look of a face, measured over time and taken out of its scores. Knows no image, no table and no identity.

A face at rest is not neutral to a network: low brows read as anger or sadness in every frame. What is constant in the
scores of one face says how that face is built; what changes says what it does. So the mean logits of a face are moved
to those of many people (`Head.mean_logits`), by an amount that shrinks towards none where little was seen.
"""

from __future__ import annotations

import numpy as np

from fervid.config.settings import BaselineSettings
from fervid.emotion.heads import LabelSource, head_columns, select_heads
from fervid.emotion.model import Head, ModelInfo

WINDOW_SECONDS, WINDOW_SAMPLES = 2.0, 5
"""Changes of expression are looked for between means over windows of this length, of so many samples at least."""
FULL_SPREAD = 1.15
"""From this multiple of the least spread on the correction is full; it fades in, so that nothing hangs on one frame."""
LARGEST_SHARED = 0.1
"""A track that is in one frame with another face for more than this share of its samples is another person's."""


def people(rows: np.ndarray, track_ids: np.ndarray, *, scope: str) -> np.ndarray:
    """Which faces (n,) share a baseline, as int (n,): those of a track, and with `scope` "video" of all lone tracks.

    `rows` (n,) is the frame of each face. A track is lone where no other face is in its frames: nothing but this tells
    people apart, so "video" is for videos that show one person at a time.
    """
    if scope != "video" or not len(rows):
        return track_ids
    is_shared = np.bincount(rows)[rows] > 1
    share = np.bincount(track_ids, is_shared) / np.maximum(np.bincount(track_ids), 1)
    return np.where(share[track_ids] <= LARGEST_SHARED, -1, track_ids)


# Decision SCO-7.
def without_baseline(
    logits: np.ndarray,
    times: np.ndarray,
    seconds: np.ndarray,
    person: np.ndarray,
    model: ModelInfo,
    settings: BaselineSettings,
    *,
    source: LabelSource,
    is_flipped: bool,
) -> np.ndarray:
    """The logits (n, L) of all heads with each person's baseline taken out of the heads that answer for `source`.

    Of faces (n,): `times`, the `seconds` that each counts for (0 for one that is pictured too poorly), and `person`.
    """
    found = logits.astype(np.float64)
    order = np.argsort(person, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(person[order])) + 1) if len(order) else []
    for head in select_heads(model, source):
        columns = head_columns(model)[head.name]
        temperature = head.temperature_of(is_flipped=is_flipped)
        scores = _centred(found[:, columns]) / temperature
        usual = usual_scores(head, temperature)
        for rows in groups:
            found[rows, columns] -= temperature * shift(times[rows], seconds[rows], scores[rows], usual, settings)
    return found.astype(logits.dtype)


def shift(
    times: np.ndarray, seconds: np.ndarray, scores: np.ndarray, usual: np.ndarray, settings: BaselineSettings
) -> np.ndarray:
    """What is subtracted from the scores (n, C) of one person: float64 (C,) in units of log-probability.

    `scores` are log-probabilities less their mean over the labels, `usual` (C,) the same of many people.
    """
    seen = float(seconds.sum())
    if seen <= 0 or seen < settings.min_seconds:
        return np.zeros_like(usual)
    mean = seconds @ scores / seen
    least = settings.min_spread
    spread = _spread(times, seconds, scores)
    certainty = np.clip((spread - least) / (least * (FULL_SPREAD - 1)), 0, 1) if least > 0 else 1.0
    strength = certainty * seen / (seen + settings.prior_seconds)
    return np.asarray(np.clip(strength * (mean - usual), -settings.max_shift, settings.max_shift))


def usual_scores(head: Head, temperature: float) -> np.ndarray:
    """The mean scores of a head over many people, float64 (C,); zero where its model does not state them."""
    stated = np.array(head.mean_logits or np.zeros(len(head.labels)), np.float64)
    return _centred(stated) / temperature


def _spread(times: np.ndarray, seconds: np.ndarray, scores: np.ndarray) -> float:
    """How far the means of windows lie apart: the root of their summed variance over the labels."""
    order = np.argsort(times, kind="stable")
    gaps = np.diff(times[order])
    spacing = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    window = np.floor((times - times[order[0]]) / max(WINDOW_SECONDS, WINDOW_SAMPLES * spacing)).astype(int)
    weight = np.bincount(window, seconds)
    sums = np.stack([np.bincount(window, seconds * column) for column in scores.T], axis=1)
    kept = weight >= np.median(weight[weight > 0]) / 2  # a window with one sample would show its noise
    means = sums[kept] / weight[kept][:, None]
    return float(np.sqrt(means.var(axis=0).sum()))


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))
