"""From logits to probabilities. Knows nothing of networks."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (N, C) = softmax(logits / temperature), in the float type of `logits`."""
    scaled = logits / np.asarray(temperature, logits.dtype)
    scaled = scaled - scaled.max(axis=-1, keepdims=True, initial=-np.inf)
    exponentials = np.exp(scaled)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


# Decisions TRA-6, TRA-7.
def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the negative log-likelihood of held-out labels (Guo et al., 2017).

    Logits (N, C), labels int (N,). Golden-section search over log T in [-2, 2], where the likelihood has one minimum.
    """
    logits = logits.astype(np.float64)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(probabilities[rows, labels], 1e-300)).mean())

    ratio = (np.sqrt(5.0) - 1) / 2
    low, high = -2.0, 2.0
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
