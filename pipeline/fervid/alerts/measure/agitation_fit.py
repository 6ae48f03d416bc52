"""Fits a model of agitated motion to labelled stretches, and measures it on recordings that it did not see.

Pure functions of features and labels; knows no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fervid.errors import InputError
from fervid.interpret.agitation_model import FEATURES, AgitationModel, standard
from fervid.stats.metrics import expected_calibration_error
from fervid.stats.ranking import area_under_roc

STRENGTHS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Of the penalty on squared weights, per unit of weight of the samples."""
ROUNDS = 50
"""Of Newton's method."""
MOST_FOLDS = 8
"""In which the penalty is chosen, within the recordings of a fit."""
LEAST_GROUPS, LEAST_OF_A_KIND = 4, 8
CALIBRATION_BINS = 5
FALSE_SHARE = 0.1
DRAWS, LEVEL = 500, 0.95


@dataclass(frozen=True, slots=True)
class Labelled:
    """Windows (n,): their `features` (n, len(FEATURES)), `is_agitated` bool (n,), and `group` int (n,), a recording."""

    features: np.ndarray
    is_agitated: np.ndarray
    group: np.ndarray

    def of(self, rows: np.ndarray) -> Labelled:
        """The chosen rows."""
        return Labelled(self.features[rows], self.is_agitated[rows], self.group[rows])


@dataclass(frozen=True, slots=True)
class Merit:
    """A figure with its 95 % interval, by drawing recordings with replacement; None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, and what it is worth on recordings left out.

    `left_out` has the model that never saw a recording, by its group; `unseen` (n,) is each window's agitation by that.
    """

    model: AgitationModel
    left_out: dict[int, AgitationModel]
    unseen: np.ndarray
    merits: dict[str, Merit]


# Decision MOT-3.
def fit_agitation(labelled: Labelled, *, name: str, window_seconds: float, about: dict[str, object]) -> Fitted:
    """A model of all windows, and what it is worth: every recording is judged by a fit without it.

    Each of those fits chooses its own penalty, within its recordings. Both kinds weigh the same, so a
    score of 0.5 is as likely agitated as not where both are equally frequent. Raises InputError for too few windows.
    """
    _refuse_too_few(labelled)
    unseen = np.zeros(len(labelled.group))
    left_out = {}
    for group in np.unique(labelled.group).tolist():
        own = labelled.group == group
        left_out[group] = _chosen(labelled.of(~own)).named(name, window_seconds, {})
        unseen[own] = left_out[group].score(labelled.features[own])
    merits = merits_of(unseen, labelled)
    card = about | {
        "windows": len(unseen),
        "agitated": int(labelled.is_agitated.sum()),
        "recordings": len(np.unique(labelled.group)),
        "split": "leave one recording out; penalty chosen within the others",
        "merits": card_merits(merits),
    }
    return Fitted(_chosen(labelled).named(name, window_seconds, card), left_out, unseen, merits)


def merits_of(scores: np.ndarray, labelled: Labelled) -> dict[str, Merit]:
    """What scores (n,) of windows are worth."""
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(labelled.group == group) for group in np.unique(labelled.group)]
    drawn = [np.concatenate([groups[k] for k in rng.integers(0, len(groups), len(groups))]) for _ in range(DRAWS)]
    figures: dict[str, Callable[[np.ndarray], float | None]] = {
        "auc": lambda rows: area_under_roc(scores[rows], labelled.is_agitated[rows]),
        "auc_within_recordings": lambda rows: _auc_within(scores[rows], labelled.of(rows)),
        "recall_at_10_percent_false": lambda rows: _recall(scores[rows], labelled.is_agitated[rows]),
        "calibration_error": lambda rows: _calibration(scores[rows], labelled.is_agitated[rows]),
    }
    merits = {}
    for key, figure in figures.items():
        values = [value for rows in drawn if (value := figure(rows)) is not None]
        ends = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)).tolist() if values else [None, None]
        merits[key] = Merit(figure(np.arange(len(scores))), *ends)
    return merits


def card_merits(merits: dict[str, Merit]) -> dict[str, list[float | None]]:
    """Merits as the card of a model has them: the value, and the ends of its interval."""
    return {
        key: [None if part is None else round(part, 3) for part in (merit.value, merit.low, merit.high)]
        for key, merit in merits.items()
    }


def _refuse_too_few(labelled: Labelled) -> None:
    n_groups, n = len(np.unique(labelled.group)), len(labelled.group)
    n_agitated = int(labelled.is_agitated.sum())
    if n_groups < LEAST_GROUPS or min(n_agitated, n - n_agitated) < LEAST_OF_A_KIND:
        raise InputError(
            f"{n_agitated} agitated and {n - n_agitated} other windows of {n_groups} recordings are too few to fit: "
            f"label {LEAST_OF_A_KIND} of each kind, of {LEAST_GROUPS} recordings, or more."
        )


@dataclass(frozen=True, slots=True)
class _Linear:
    """A weighted sum of the features, each less its `mean`, over its `scale`, and limited."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def logit(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(standard(features, self.mean, self.scale) @ self.weights + self.bias)

    def named(self, name: str, window_seconds: float, card: dict[str, object]) -> AgitationModel:
        return AgitationModel(name, window_seconds, FEATURES, self.mean, self.scale, self.weights, self.bias, card)


def _chosen(labelled: Labelled) -> _Linear:
    """The fit whose penalty does best on recordings left out of it, calibrated on those."""
    losses = []
    for strength in STRENGTHS:
        logits = _left_out(labelled, strength)
        slope, shift = _platt(logits, labelled.is_agitated)
        losses.append((_loss(slope * logits + shift, labelled.is_agitated), strength, slope, shift))
    _, strength, slope, shift = min(losses)
    found = _discriminant(labelled, strength)
    return _Linear(found.mean, found.scale, slope * found.weights, slope * found.bias + shift)


def _balanced(is_agitated: np.ndarray) -> np.ndarray:
    """A weight per window, so that each kind sums to a half."""
    n_agitated = max(1, int(is_agitated.sum()))
    return np.where(is_agitated, 0.5 / n_agitated, 0.5 / max(1, len(is_agitated) - n_agitated))


def _discriminant(labelled: Labelled, strength: float) -> _Linear:
    """Least squares to -1 and 1, less `strength` times the squared weights: a regularised linear discriminant."""
    sample = _balanced(labelled.is_agitated)
    mean = sample @ labelled.features
    scale = np.maximum(np.sqrt(sample @ (labelled.features - mean) ** 2), 1e-6)
    values = standard(labelled.features, mean, scale)
    weighted = values.T * sample
    penalty = strength * np.eye(values.shape[1])
    weights = np.linalg.solve(weighted @ values + penalty, weighted @ np.where(labelled.is_agitated, 1.0, -1.0))
    return _Linear(mean, scale, weights, 0.0)


def _left_out(labelled: Labelled, strength: float) -> np.ndarray:
    """Logits (n,) by fits without each of up to MOST_FOLDS parts of the recordings."""
    logits = np.zeros(len(labelled.group))
    part = np.unique(labelled.group, return_inverse=True)[1] % MOST_FOLDS
    for fold in np.unique(part):
        own = part == fold
        logits[own] = _discriminant(labelled.of(~own), strength).logit(labelled.features[own])
    return logits


def _platt(logits: np.ndarray, is_agitated: np.ndarray) -> tuple[float, float]:
    """The slope and shift that calibrate logits (n,) of windows left out: a logistic regression (Platt, 1999)."""
    values = np.column_stack([logits, np.ones(len(logits))])
    sample, wanted = _balanced(is_agitated), is_agitated.astype(float)
    penalty = np.diag([1e-4, 1e-9])
    found = np.zeros(2)
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(values @ found, -30, 30)))
        gradient = values.T @ (sample * (wanted - p)) - penalty @ found
        step = np.linalg.solve((values.T * (sample * p * (1 - p))) @ values + penalty, gradient)
        found = found + step
        if np.abs(step).max() < 1e-6:
            break
    return max(0.0, float(found[0])), float(found[1])


def _loss(logits: np.ndarray, is_agitated: np.ndarray) -> float:
    return float((_balanced(is_agitated) * np.logaddexp(0, np.where(is_agitated, -logits, logits))).sum())


def _auc_within(scores: np.ndarray, labelled: Labelled) -> float | None:
    """The share of pairs of one recording, one of each kind, in which the agitated one scores higher."""
    right = pairs = 0.0
    for group in np.unique(labelled.group):
        own = labelled.group == group
        area = area_under_roc(scores[own], labelled.is_agitated[own])
        if area is not None:
            n_agitated = int(labelled.is_agitated[own].sum())
            n = n_agitated * (int(own.sum()) - n_agitated)
            right, pairs = right + area * n, pairs + n
    return right / pairs if pairs else None


def _recall(scores: np.ndarray, is_agitated: np.ndarray) -> float | None:
    """The share of agitated windows above the limit that a tenth of the others reach."""
    if not is_agitated.any() or is_agitated.all():
        return None
    return float((scores[is_agitated] > np.quantile(scores[~is_agitated], 1 - FALSE_SHARE)).mean())


def _calibration(scores: np.ndarray, is_agitated: np.ndarray) -> float | None:
    """The expected calibration error where both kinds are equally frequent."""
    if not is_agitated.any() or is_agitated.all():
        return None
    n = len(scores)
    share = _balanced(is_agitated)
    times = np.maximum(1, np.round(share * 4 * n)).astype(int)  # as often as their weight
    rows = np.repeat(np.arange(n), times)
    both = np.column_stack([1 - scores[rows], scores[rows]])
    return expected_calibration_error(both, is_agitated[rows].astype(int), CALIBRATION_BINS)
