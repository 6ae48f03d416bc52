"""What a step minimises beyond plain cross-entropy: optimisers by name, weights of classes, pairs for mixup."""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.train.recipe import Recipe


def make_optimizer(recipe: Recipe) -> Any:
    """The recipe's optimiser. Weight decay is decoupled, and leaves norms and biases alone.

    Keras decays by w -= decay * rate * w whatever the momentum; a published L2 of 5e-4 with momentum 0.9 is 5e-3 here.
    """
    import keras

    common = {"weight_decay": recipe.weight_decay, "global_clipnorm": recipe.gradient_clip_norm}
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=True, **common)
    else:
        kind = keras.optimizers.Adam if recipe.optimizer == "adam" else keras.optimizers.AdamW
        optimizer = kind(recipe.peak_learning_rate, **common)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def class_weights(labels: np.ndarray, n_classes: int, kind: str) -> np.ndarray:
    """Weights float32 (C,) with mean 1 over the rows: all one, 1 / n ("balanced"), or 1 / sqrt(n) ("sqrt").

    Balancing lifts the recall of rare classes and costs accuracy; the square root is the compromise.
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    weights = np.divide(1.0, counts**power, out=np.zeros(n_classes), where=counts > 0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)


def draw_pairs(n: int, alpha: float, seed: tuple[int, ...]) -> dict[str, np.ndarray]:
    """For mixup (Zhang et al., 2018): each image's `partner` int32 (n,), and its own `share` float32 (n,) in 0.5..1."""
    rng = np.random.default_rng(seed)
    share = rng.beta(alpha, alpha, n)
    return {"partner": rng.permutation(n).astype(np.int32), "share": np.maximum(share, 1 - share).astype(np.float32)}
