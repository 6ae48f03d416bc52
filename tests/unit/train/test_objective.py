"""Optimisers by name, weights of classes, and pairs for mixup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fervid.train.fit.objective import class_weights, distilled, draw_pairs, make_optimizer, mean_logits
from fervid.train.fit.recipe import Recipe


@pytest.mark.parametrize(
    ("labels", "kind", "expected"),
    [
        ([0, 1, 1, 1], "none", [1, 1]),
        ([0, 1, 1, 1], "balanced", [2, 2 / 3]),
        ([0, 1, 1, 1, 1], "sqrt", [5 / 3, 5 / 6]),
        ([1, 1], "balanced", [0, 1]),  # a class without rows weighs nothing
    ],
)
def test_class_weights_have_mean_one_over_the_rows(labels: list[int], kind: str, expected: list[float]) -> None:
    weights = class_weights(np.array(labels), 2, kind)
    assert weights.tolist() == pytest.approx(expected)
    assert weights[np.array(labels)].mean() == pytest.approx(1)


@pytest.mark.parametrize("n", [0, 1, 64])
def test_pairs_are_a_permutation_and_an_image_keeps_the_larger_share(n: int) -> None:
    pairs = draw_pairs(n, 0.4, (1, 2, 3))
    assert sorted(pairs["partner"].tolist()) == list(range(n))
    assert ((pairs["share"] >= 0.5) & (pairs["share"] <= 1)).all()
    again = draw_pairs(n, 0.4, (1, 2, 3))
    assert all(np.array_equal(pairs[key], again[key]) for key in pairs)


@pytest.mark.parametrize(("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_decay_shrinks_kernels_and_leaves_norms_and_biases_alone(name: str, kind: str) -> None:
    from fervid.runtime.backend import load_tensorflow

    tf: Any = load_tensorflow()
    import keras

    recipe = Recipe(network="res-nano", epochs=1, optimizer=name, weight_decay=0.1, peak_learning_rate=0.5)  # type: ignore[arg-type]
    optimizer = make_optimizer(recipe)
    assert type(optimizer).__name__ == kind
    variables = [keras.Variable(np.ones(3, np.float32), name=part) for part in ("kernel", "gamma", "beta", "bias")]
    optimizer.build(variables)
    optimizer.apply([tf.zeros(3)] * 4, variables)
    kernel, *others = (float(v.numpy()[0]) for v in variables)
    assert kernel == pytest.approx(1 - 0.1 * 0.5)
    assert others == [1, 1, 1]


def test_each_head_is_averaged_over_the_teachers_that_have_it() -> None:
    one, two = np.array([[1.0, 2.0, 8.0]], np.float32), np.array([[3.0, 4.0]], np.float32)
    assert np.asarray(mean_logits([one, two], 2)).tolist() == [[2, 3, 8]]
    assert np.asarray(mean_logits([two], 2)).tolist() == [[3, 4]]


def test_distillation_mixes_the_divergence_from_the_teacher_with_the_loss() -> None:
    recipe = Recipe(network="res-nano", epochs=1, distil={"weight": 0.7, "temperature": 2.0})  # type: ignore[arg-type]
    ours, theirs = np.array([[2.0, 0.0]], np.float32), np.array([[0.0, 4.0]], np.float32)
    p, q = (np.exp(x / 2) / np.exp(x / 2).sum() for x in (theirs, ours))
    divergence = float((p * np.log(p / q)).sum())
    assert float(distilled(5.0, ours, theirs, recipe)) == pytest.approx(0.7 * 4 * divergence + 0.3 * 5, rel=1e-5)
    assert float(distilled(5.0, ours, ours, recipe)) == pytest.approx(0.3 * 5, rel=1e-5)
