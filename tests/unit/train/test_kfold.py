"""Folds for cross-validation: equal classes, no image on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.errors import ConfigError
from fervid.train.data.kfold import assign_folds, hold_out

DATASET = draw_dataset(n_training=210, n_public=0, n_private=0)


def test_no_images_cannot_be_cut() -> None:
    with pytest.raises(ConfigError, match="2 folds cannot be made from 0 different images"):
        assign_folds(DATASET.images[:0], DATASET.labels[:0], 2, seed=1)


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_every_fold_has_its_share_of_every_label(n_folds: int) -> None:
    folds = assign_folds(DATASET.images, DATASET.labels, n_folds, seed=1)
    counts = np.array([np.bincount(DATASET.labels[folds == fold], minlength=7) for fold in range(n_folds)])
    assert counts.sum() == 210
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_copies_of_an_image_lie_in_one_fold_even_with_other_labels() -> None:
    order = np.random.default_rng(0).permutation(np.tile(np.arange(70), 3))
    images, labels = DATASET.images[order], np.random.default_rng(1).integers(0, 7, len(order))
    folds = assign_folds(images, labels, 5, seed=1)
    for image in range(70):
        assert len(set(folds[order == image])) == 1
    assert (np.bincount(folds) >= 30).all()


def test_the_seed_alone_decides() -> None:
    one, again, other = (assign_folds(DATASET.images, DATASET.labels, 3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_fold_held_out_takes_the_place_of_public_test() -> None:
    folds = assign_folds(DATASET.images, DATASET.labels, 3, seed=1)
    held = hold_out(DATASET, folds, 2)
    assert np.array_equal(held.split("PublicTest").images, DATASET.images[folds == 2])
    assert np.array_equal(held.split("Training").labels, DATASET.labels[folds != 2])
