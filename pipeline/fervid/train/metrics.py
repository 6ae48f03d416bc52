"""Numbers that say how good a classifier is. Pure functions of logits and labels."""

from __future__ import annotations

import math

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
    """95 % interval of a share seen in n trials (Wilson, 1927); all of 0 to 1 when there was none."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts int64 (C, C): row = label, column = prediction."""
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins of the top probability (Guo et al., 2017)."""
    confidence = probabilities.max(axis=1)
    hits = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    gap = np.abs(np.bincount(index, hits, bins) - np.bincount(index, confidence, bins))
    return float(gap[count > 0].sum() / len(labels))


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class, each (C,), from counts (row = label); 0 where nothing was counted."""
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
