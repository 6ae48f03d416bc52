"""The usual expression of a face, measured over time and removed from its scores. Knows nothing of images or
identities.

A face at rest is not neutral to a network: low brows read as anger or sadness in every frame. The constant part of
the scores of one face reflects its anatomy; the changing part its expression. So the mean logits of a face are moved
to those of many people (`Head.mean_logits`), by an amount that shrinks to zero with little evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fervid.config.settings import BaselineSettings
from fervid.emotion.heads import LabelSource, head_columns, select_heads
from fervid.emotion.model import Head, ModelInfo

WINDOW_SECONDS, WINDOW_SAMPLES = 2.0, 5
"""Changes of expression are looked for between means over windows of this length, of so many samples at least."""
FULL_SPREAD = 1.15
"""From this multiple of the least spread on the correction is full; it fades in, so that no single frame matters."""
LARGEST_SHARED = 0.1
"""A track that is in one frame with another face for more than this share of its samples is another person's."""
LONE = -1
"""The number of the person that all lone tracks of a video are taken for."""

Shifts = Mapping[str, Sequence[float]]
"""What is subtracted from the scores of each head, by its name."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The scores of one person window by window: `seconds` (K,) seen in each, and `sums` (K, C) of scores by seconds.

    All that a baseline needs; windows of several recordings put one after the other are those of all of them.
    """

    seconds: np.ndarray
    sums: np.ndarray


def people(rows: np.ndarray, track_ids: np.ndarray, *, scope: str) -> np.ndarray:
    """Which faces (n,) share a baseline, as int (n,): those of a track, and with `scope` "video" of all lone tracks.

    `rows` (n,) is the frame of each face. A track is lone where no other face is in its frames: nothing but this tells
    people apart, so "video" is for videos that show one person at a time. All lone tracks have the number LONE.
    """
    if scope != "video" or not len(rows):
        return track_ids
    is_shared = np.bincount(rows)[rows] > 1
    share = np.bincount(track_ids, is_shared) / np.maximum(np.bincount(track_ids), 1)
    return np.where(share[track_ids] <= LARGEST_SHARED, LONE, track_ids)


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
    shared: Shifts | None = None,
) -> np.ndarray:
    """The logits (n, L) of all heads with each person's baseline removed from the heads used for `source`.

    Of faces (n,): `times`, the `seconds` that each counts for (0 for one of too low quality), and `person`.
    `shared` is measured over more than this video, and is that of its lone tracks.
    """
    found = logits.astype(np.float64)
    order = np.argsort(person, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(person[order])) + 1) if len(order) else []
    for head in select_heads(model, source):
        columns, temperature, scores = _scores_of(found, head, model, is_flipped=is_flipped)
        usual = usual_scores(head, temperature)
        for rows in groups:
            if shared is not None and person[rows[0]] == LONE:
                own = np.array(shared[head.name], np.float64)
            else:
                own = shift(times[rows], seconds[rows], scores[rows], usual, settings)
            found[rows, columns] -= temperature * own
    return found.astype(logits.dtype)


def lone_windows(
    logits: np.ndarray,
    times: np.ndarray,
    seconds: np.ndarray,
    person: np.ndarray,
    model: ModelInfo,
    *,
    source: LabelSource,
    is_flipped: bool,
) -> dict[str, Windows]:
    """The windows of the lone tracks of a video, for each head that answers; arguments as of `without_baseline`."""
    rows = np.flatnonzero(person == LONE)
    found = {}
    for head in select_heads(model, source):
        _, _, scores = _scores_of(logits[rows].astype(np.float64), head, model, is_flipped=is_flipped)
        found[head.name] = windows_of(times[rows], seconds[rows], scores)
    return found


def shared_shifts(
    recordings: Sequence[Mapping[str, Windows]],
    model: ModelInfo,
    settings: BaselineSettings,
    *,
    source: LabelSource,
    is_flipped: bool,
) -> dict[str, tuple[float, ...]]:
    """One baseline over several recordings of a person, given the lone windows of each, for each head."""
    found = {}
    for head in select_heads(model, source):
        parts = [recording[head.name] for recording in recordings]
        joined = Windows(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("seconds", "sums")))
        usual = usual_scores(head, head.temperature_of(is_flipped=is_flipped))
        found[head.name] = tuple(_shift_of(joined, usual, settings).tolist())
    return found


def shift(
    times: np.ndarray, seconds: np.ndarray, scores: np.ndarray, usual: np.ndarray, settings: BaselineSettings
) -> np.ndarray:
    """What is subtracted from the scores (n, C) of one person: float64 (C,) in units of log-probability.

    `scores` are log-probabilities less their mean over the labels, `usual` (C,) the same of many people.
    """
    return _shift_of(windows_of(times, seconds, scores), usual, settings)


def windows_of(times: np.ndarray, seconds: np.ndarray, scores: np.ndarray) -> Windows:
    """The windows of scores (n, C) at `times` (n,), each counting for so many `seconds` (n,)."""
    if not len(times):
        return Windows(np.zeros(0), np.zeros((0, scores.shape[1])))
    order = np.argsort(times, kind="stable")
    gaps = np.diff(times[order])
    spacing = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    window = np.floor((times - times[order[0]]) / max(WINDOW_SECONDS, WINDOW_SAMPLES * spacing)).astype(int)
    weight = np.bincount(window, seconds)
    sums = np.stack([np.bincount(window, seconds * column) for column in scores.T], axis=1)
    return Windows(weight[weight > 0], sums[weight > 0])


def _shift_of(windows: Windows, usual: np.ndarray, settings: BaselineSettings) -> np.ndarray:
    seen = float(windows.seconds.sum())
    if seen <= 0 or seen < settings.min_seconds:
        return np.zeros_like(usual)
    mean = windows.sums.sum(axis=0) / seen
    least = settings.min_spread
    certainty = np.clip((_spread(windows) - least) / (least * (FULL_SPREAD - 1)), 0, 1) if least > 0 else 1.0
    strength = certainty * seen / (seen + settings.prior_seconds)
    return np.asarray(np.clip(strength * (mean - usual), -settings.max_shift, settings.max_shift))


def usual_scores(head: Head, temperature: float) -> np.ndarray:
    """The mean scores of a head over many people, float64 (C,); zero where its model does not state them."""
    stated = np.array(head.mean_logits or np.zeros(len(head.labels)), np.float64)
    return _centred(stated) / temperature


def _scores_of(
    logits: np.ndarray, head: Head, model: ModelInfo, *, is_flipped: bool
) -> tuple[slice, float, np.ndarray]:
    """The columns of a head in logits (n, L), its temperature, and its scores (n, C)."""
    columns, temperature = head_columns(model)[head.name], head.temperature_of(is_flipped=is_flipped)
    return columns, temperature, _centred(logits[:, columns]) / temperature


def _spread(windows: Windows) -> float:
    """How far the means of windows lie apart: the root of their summed variance over the labels."""
    kept = windows.seconds >= np.median(windows.seconds) / 2  # a window with one sample would show its noise
    means = windows.sums[kept] / windows.seconds[kept][:, None]
    return float(np.sqrt(means.var(axis=0).sum()))


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))
