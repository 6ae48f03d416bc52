"""Ranking metrics of one class against all others, over all thresholds. Pure functions.

`scores` float (N,) is that probability, `is_positive` bool (N,) marks the faces with the label. A face counts as
found if its score is at least the threshold, so equal scores are found together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The metrics of one threshold, all in 0..1."""

    threshold: float
    precision: float
    recall: float
    f1: float


def count_found(scores: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds (K,), the distinct scores from high to low; at each the positives int (K,) and all int (K,) found."""
    thresholds, index = np.unique(scores, return_inverse=True)
    all_of_score = np.bincount(index, minlength=len(thresholds))
    positives_of_score = np.bincount(index[is_positive], minlength=len(thresholds))
    return thresholds[::-1], positives_of_score[::-1].cumsum(), all_of_score[::-1].cumsum()


def precision_recall_curve(scores: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall (0 without positives) and threshold, each (K,), from the highest threshold to the lowest."""
    thresholds, hits, found = count_found(scores, is_positive)
    return hits / np.maximum(found, 1), hits / max(int(is_positive.sum()), 1), thresholds


def average_precision(scores: np.ndarray, is_positive: np.ndarray) -> float | None:
    """Area under the steps of the precision-recall curve, not interpolated; None without positives.

    Sum of (R[k] - R[k-1]) P[k] (Zhu, "Recall, Precision and Average Precision", 2004).
    """
    if not is_positive.any():
        return None
    precision, recall, _ = precision_recall_curve(scores, is_positive)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def roc_curve(scores: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate, each (K + 1,), starting at (0, 0); a rate without faces of its kind stays 0."""
    _, hits, found = count_found(scores, is_positive)
    n_positive = int(is_positive.sum())
    false_rate = (found - hits) / max(len(scores) - n_positive, 1)
    true_rate = hits / max(n_positive, 1)
    return np.concatenate([[0.0], false_rate]), np.concatenate([[0.0], true_rate])


def area_under_roc(scores: np.ndarray, is_positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative, ties counted half (Hanley and McNeil, 1982).

    None if either kind is missing.
    """
    if not is_positive.any() or is_positive.all():
        return None
    false_rate, true_rate = roc_curve(scores, is_positive)
    return float(np.trapezoid(true_rate, false_rate))


def point_at_precision(scores: np.ndarray, is_positive: np.ndarray, target: float) -> OperatingPoint | None:
    """The threshold with precision `target` or more and the highest recall; None when there is none."""
    precision, recall, _ = curve = precision_recall_curve(scores, is_positive)
    return _best(curve, np.where(precision >= target, recall, -1.0))


def point_at_recall(scores: np.ndarray, is_positive: np.ndarray, target: float) -> OperatingPoint | None:
    """The threshold with recall `target` or more and the highest precision; None when there is none."""
    precision, recall, _ = curve = precision_recall_curve(scores, is_positive)
    return _best(curve, np.where(recall >= target, precision, -1.0))


def point_of_best_f1(scores: np.ndarray, is_positive: np.ndarray) -> OperatingPoint | None:
    """The threshold with the highest F1; None without positives."""
    precision, recall, _ = curve = precision_recall_curve(scores, is_positive)
    return _best(curve, _f1(precision, recall))


def _best(curve: tuple[np.ndarray, np.ndarray, np.ndarray], merit: np.ndarray) -> OperatingPoint | None:
    """The point of the largest merit, if above 0; on a tie, the highest threshold."""
    precision, recall, thresholds = curve
    if merit.max(initial=0.0) <= 0:
        return None
    k = int(merit.argmax())
    return OperatingPoint(
        threshold=float(thresholds[k]),
        precision=float(precision[k]),
        recall=float(recall[k]),
        f1=float(_f1(precision[k : k + 1], recall[k : k + 1])[0]),
    )


def _f1(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    total = precision + recall
    return np.asarray(np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0))
