"""The training objective: batches of views, losses of both heads, optimisers by name, mixup. Backend-independent.

The arithmetic is `keras.ops`, so that TensorFlow and JAX compile the same loss into their steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.train.data.augment import apply_views
from fervid.train.fit.recipe import Recipe

TAUGHT = "taught"
"""The entry of a step's views that holds stored logits of teachers."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and targets of one step: tensors of n rows for C classes and V vote classes."""

    faces: Any
    """float32 (n, S, S, 1) in 0..1"""
    labels: Any
    """int (n,)"""
    shares: Any
    """float32 (n, C): one-hot labels, mixed by mixup"""
    votes: Any = None
    """float32 (n, V), or None without a second head"""
    vote_weights: Any = None
    """float32 (n,), with `votes`"""


@dataclass(frozen=True, slots=True)
class Losses:
    """Scalars of one step: the total loss, the loss of the label head, and the accuracy."""

    total: Any
    emotion: Any
    accuracy: Any


def training_arrays(
    images: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    recipe: Recipe,
    votes: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """The data that stays on the device for a whole run: images uint8 (N, S, S), labels int (N,), weights of the
    classes (C,).

    `votes` are targets float32 (N, V) and weights (N,) for a second head.
    """
    arrays = {
        "images": images,
        "labels": labels,
        "class_weights": class_weights(labels, n_classes, recipe.class_weight),
    }
    return arrays | ({} if votes is None else {"votes": votes[0], "vote_weights": votes[1]})


def take_batch(data: dict[str, Any], rows: Any, views: dict[str, Any]) -> Batch:
    """The rows int (n,) of `training_arrays` on the device, seen through `views`, and mixed where `views` asks for
    mixup.
    """
    from keras import ops

    faces = apply_views(ops.cast(ops.take(data["images"], rows, axis=0), "float32") / 255.0, views)[..., None]
    labels = ops.take(data["labels"], rows, axis=0)
    shares = ops.one_hot(labels, data["class_weights"].shape[0])
    votes: Any = None
    weights: Any = None
    if "votes" in data:
        votes, weights = (ops.take(data[key], rows, axis=0) for key in ("votes", "vote_weights"))
    if "partner" in views:
        own = views["share"][:, None]

        def mixed(values: Any, own: Any = own) -> Any:
            return own * values + (1 - own) * ops.take(values, views["partner"], axis=0)

        faces, shares = mixed(faces, own[:, :, None, None]), mixed(shares)
        if votes is not None:
            votes, weights = mixed(votes * weights[:, None]), mixed(weights[:, None])[:, 0]
            votes = ops.divide_no_nan(votes, weights[:, None])
    return Batch(faces, labels, shares, votes, weights)


# Decision TRA-2.
def batch_losses(outputs: Any, batch: Batch, data: dict[str, Any], recipe: Recipe, taught: Any = None) -> Losses:
    """Losses of a network's `outputs` (n, C) or (n, C + V) on a batch.

    With `taught`, teachers' logits (n, C) or (n, C + V) on the same faces, each of their heads is distilled.
    """
    import keras
    from keras import ops

    n_classes = int(batch.shares.shape[1])
    logits, vote_logits = outputs[:, :n_classes], outputs[:, n_classes:]
    losses = keras.losses.categorical_crossentropy(
        batch.shares, logits, from_logits=True, label_smoothing=recipe.label_smoothing
    )
    emotion = ops.mean(losses * ops.matmul(batch.shares, data["class_weights"]))
    if taught is not None:
        emotion = distilled(emotion, logits, taught[:, :n_classes], recipe)
    total = emotion
    if batch.votes is not None:
        losses = ops.categorical_crossentropy(batch.votes, vote_logits, from_logits=True)
        voted = ops.mean(batch.vote_weights * losses)
        if taught is not None and taught.shape[1] > n_classes:
            voted = distilled(voted, vote_logits, taught[:, n_classes:], recipe)
        total = emotion + recipe.ferplus_weight * voted
    hits = ops.cast(ops.argmax(logits, axis=1), batch.labels.dtype) == batch.labels
    return Losses(total, emotion, ops.mean(ops.cast(hits, "float32")))


def distilled(loss: Any, logits: Any, taught: Any, recipe: Recipe) -> Any:
    """The share of `loss` that the recipe's `[distil]` leaves, and T^2 KL(teacher || student) at temperature T.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network" (2015).
    """
    from keras import ops

    assert recipe.distil is not None
    temperature = recipe.distil.temperature
    ours, theirs = ops.log_softmax(logits / temperature), ops.log_softmax(taught / temperature)
    divergence = ops.mean(ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1))
    return recipe.distil.weight * temperature**2 * divergence + (1 - recipe.distil.weight) * loss


def mean_logits(outputs: list[Any], n_classes: int) -> Any:
    """Logits (n, C) or (n, C + V) of several teachers -> their mean, each head over the teachers that have it."""
    from keras import ops

    heads = [[o[:, :n_classes] for o in outputs], [o[:, n_classes:] for o in outputs if o.shape[1] > n_classes]]
    return ops.concatenate([sum(head) / len(head) for head in heads if head], axis=1)


def make_optimizer(recipe: Recipe) -> Any:
    """The recipe's optimiser. Weight decay is decoupled, and excludes norms and biases.

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
