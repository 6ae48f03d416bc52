"""Metrics of a classifier. Pure functions of logits and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.emotion.calibration import softmax


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest logit is the label's. Logits (N, C), labels int (N,)."""
    return float((logits.argmax(axis=1) == labels).mean())


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood in nats of the labels under softmax(logits / temperature)."""
    probabilities = softmax(logits.astype(np.float64), temperature)
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-300)).mean())


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a proportion observed in n trials (Wilson, 1927); 0 to 1 for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def mcnemar_p(n_first_alone: int, n_second_alone: int) -> float:
    """Two-sided p-value of McNemar's exact test (1947) on the cases that only one of two models gets right.

    Under the null hypothesis each of these cases is equally likely to be either's; cases that both get right or wrong
    do not count. 1 when there are none.
    """
    n, fewer = n_first_alone + n_second_alone, min(n_first_alone, n_second_alone)
    term, tail = 1, 1  # whole numbers: binomial coefficients of thousands of cases are beyond floats
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        tail += term
    return float(min(1.0, 2 * tail / 2**n))


def paired_difference_interval(n_first_alone: int, n_second_alone: int, n: int) -> tuple[float, float]:
    """95 % interval of the second share minus the first, both of the same n cases (Agresti and Min, 2005).

    Half a case is added to each of the four counts, so that the interval is not too narrow when few cases differ.
    """
    z = 1.959963984540054
    first, second, total = n_first_alone + 0.5, n_second_alone + 0.5, n + 2
    middle = (second - first) / total
    half = z * math.sqrt(first + second - (second - first) ** 2 / total) / total
    return max(-1.0, middle - half), min(1.0, middle + half)


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values for several tests at once, in the order given (Holm, 1979)."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts int64 (C, C): row = label, column = prediction."""
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def top_k_accuracy(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of rows whose label is among the k largest logits; 0 for no rows. Logits (N, C), labels int (N,).

    Of equal logits the one with the lower index comes first, as in `argmax`, so that k = 1 is the accuracy.
    """
    largest = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((largest == labels[:, None]).any(axis=1).sum() / max(len(labels), 1))


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of probabilities (N, C) to the one-hot labels int (N,), 0 to 2; 0 for no rows.

    The original form over all classes (Brier, 1950), twice the usual one where there are two.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum() / max(len(labels), 1))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose largest probability is within `low` to `high`: mean confidence and accuracy, None for no rows."""

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    count: int


def reliability_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence and accuracy, NaN in an empty bin, and count of rows, each (bins,): a reliability diagram.

    Bins are of equal width over the top probability in 0..1 (Guo et al., 2017). Probabilities (N, C), labels int (N,).
    """
    confidence = probabilities.max(axis=1)
    hits = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    divisor = np.where(count > 0, count, np.nan)
    return np.bincount(index, confidence, bins) / divisor, np.bincount(index, hits, bins) / divisor, count


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over the reliability bins (Guo et al., 2017); 0 for no rows."""
    confidence, hit_share, count = reliability_bins(probabilities, labels, bins)
    return float(np.nansum(count * np.abs(hit_share - confidence)) / max(len(labels), 1))


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class, each (C,), from counts (row = label); 0 for empty classes."""
    hits = np.diag(confusion).astype(float)
    predicted, labelled = confusion.sum(axis=0), confusion.sum(axis=1)
    return (
        hits / np.maximum(predicted, 1),
        hits / np.maximum(labelled, 1),
        2 * hits / np.maximum(predicted + labelled, 1),
    )


def macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 of the classes that occur as a label or as a prediction."""
    present = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(precision_recall_f1(confusion)[2][present].mean()) if present.any() else 0.0


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Mean recall of the classes that occur as a label, from counts (row = label); 0 if there is none."""
    labelled = confusion.sum(axis=1) > 0
    return float(precision_recall_f1(confusion)[1][labelled].mean()) if labelled.any() else 0.0
