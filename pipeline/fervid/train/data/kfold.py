"""Splits Training into stratified folds for cross-validation; copies of an image share a fold. Trains nothing.

One face in twenty occurs more than once in Training. A copy in another fold would be a test face that was trained on.
"""

from __future__ import annotations

import numpy as np

from fervid.errors import ConfigError
from fervid.train.data.duplicates import first_copies
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset


def assign_folds(images: np.ndarray, labels: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """The fold 0 to `n_folds` - 1 of each row, int (N,), from images uint8 (N, S, S) and labels int (N,).

    All rows with the same image are in one fold. Groups are assigned in random order, larger ones first, each to the
    fold with the fewest rows of its label. Raises ConfigError for more folds than images.
    """
    first = first_copies(images)
    leaders, sizes = np.unique(first, return_counts=True)
    if len(leaders) < n_folds:
        raise ConfigError(f"{n_folds} folds cannot be made from {len(leaders)} different images. Use fewer folds.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(leaders))
    order = order[np.argsort(-sizes[order], kind="stable")]
    counts = np.zeros((len(EMOTIONS), n_folds), int)
    totals = np.zeros(n_folds, int)
    fold_of = np.empty(len(images), int)
    for i in order:
        label = labels[leaders[i]]
        fold = np.lexsort((totals, counts[label]))[0]
        fold_of[leaders[i]] = fold
        counts[label, fold] += sizes[i]
        totals[fold] += sizes[i]
    return np.asarray(fold_of[first])


def hold_out(training: FaceDataset, folds: np.ndarray, fold: int) -> FaceDataset:
    """`training` with one of its folds as PublicTest, the split that `fit` measures after each epoch."""
    usage = np.where(folds == fold, "PublicTest", "Training").astype("U11")
    return FaceDataset(training.images, training.labels, usage, f"{training.source} (fold {fold + 1})", training.rows)
