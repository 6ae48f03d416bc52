"""The step holds to the numbers of the first runs, and computes in the recipe's precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.train.fit.loop import EpochRecord, Fitted, fit
from fervid.train.fit.recipe import AugmentSettings, Recipe

DATASET = draw_dataset()
VOTES = np.random.default_rng(0).multinomial(10, np.ones(10) / 10, len(DATASET.labels)).astype(np.float32)
RECIPE = Recipe(network="res-nano", epochs=2, batch_size=28, warmup_epochs=0, ema_decay=0.5)


def train(out: Path, **changes: Any) -> Fitted:
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    return fit(DATASET, RECIPE.model_copy(update=changes), out, votes=VOTES, progress=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "ferplus_weight": 0.5,
                "augment": AugmentSettings(blur_share=0.3, noise_share=0.3),
                "peak_learning_rate": 5e-3,
            },
            [(2.2562779, 2.9355799), (2.2807165, 2.1015627)],
        ),
        (
            {
                "ferplus_weight": 0.5,
                "mixup_alpha": 0.4,
                "class_weight": "balanced",
                "optimizer": "adamw",
                "peak_learning_rate": 1e-3,
            },
            [(2.2260707, 2.6112777), (2.2034864, 2.1339653)],
        ),
    ],
)
def test_losses_are_those_of_runs_that_were_begun_before(
    tmp_path: Path, changes: dict[str, Any], expected: list[tuple[float, float]]
) -> None:
    fitted = train(tmp_path, **changes)
    # Processors round differently, and a high learning rate multiplies that from step to step. At these rates the
    # losses agree to 4e-6 with and without oneDNN, and a changed momentum, decay or smoothing moves them by far more.
    for record, (train_loss, val_loss) in zip(fitted.history, expected, strict=True):
        assert record.train_loss == pytest.approx(train_loss, rel=3e-5)
        assert record.val_loss == pytest.approx(val_loss, rel=3e-5)
    assert fitted.heads == ("fer2013", "ferplus")
    assert fitted.model.output_shape == (None, 15)


def test_bfloat16_computes_in_half_and_keeps_and_returns_full_precision(tmp_path: Path) -> None:
    import keras

    from fervid.stats.metrics import accuracy, negative_log_likelihood

    fitted = train(tmp_path, precision="bfloat16", epochs=1)
    assert keras.config.dtype_policy().name == "float32"
    assert {layer.compute_dtype for layer in fitted.model.layers} == {"float32"}
    validation = DATASET.split("PublicTest")
    logits = fitted.model.predict_on_batch(validation.images[..., None].astype(np.float32) / 255)
    record = fitted.history[0]
    assert record.val_accuracy == accuracy(logits, validation.labels)
    assert record.val_loss == pytest.approx(negative_log_likelihood(logits, validation.labels), rel=1e-5)
    with np.load(tmp_path / "checkpoint.npz") as stored:
        assert {stored[key].dtype for key in stored.files if key.startswith("average/")} == {np.dtype(np.float32)}
    full = train(tmp_path / "full", epochs=1).history[0]
    assert record.train_loss != full.train_loss
    assert record.train_loss == pytest.approx(full.train_loss, rel=0.05)


def test_every_epoch_is_told_after_its_checkpoint(tmp_path: Path) -> None:
    told: list[tuple[int, bool]] = []

    def listen(record: EpochRecord) -> None:
        told.append((record.epoch, (tmp_path / "checkpoint.npz").is_file()))

    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    fit(DATASET, RECIPE, tmp_path, progress=False, on_epoch=listen)
    assert told == [(1, True), (2, True)]
