"""Train under JAX in an interpreter that cannot import TensorFlow. Run by `tests/flow/test_jax.py`, in a folder.

Reads `step.npz` (a state, rows and views), writes `stepped.npz` (the state after that step, its loss and accuracy),
and leaves a run that stopped after its first epoch in `stopped/` and one that went on in `resumed/`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from drawn_faces import draw_dataset
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.fit.recipe import Recipe

RECIPE = Recipe(network="res-nano", epochs=2, batch_size=28, warmup_epochs=0, ema_decay=0.5)
STEP_RECIPE = RECIPE.model_copy(update={"ferplus_weight": 0.5, "mixup_alpha": 0.4, "class_weight": "sqrt"})
DECAY_STEP, RATE = 3, 0.05


def without_tensorflow() -> None:
    """Let the import of TensorFlow fail from now on, as if it were not installed.

    Not by a None in `sys.modules`, in which Keras looks for the name to tell whether it is in use.
    """

    class Blocked:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "tensorflow":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocked())  # type: ignore[arg-type]


def stepper_without_dropout(dataset: FaceDataset) -> Any:
    """Both heads, no random masks: two backends draw different ones."""
    from fervid.emotion.networks.network import add_ferplus_head, build_network
    from fervid.train.data.ferplus import vote_targets
    from fervid.train.fit.objective import training_arrays
    from fervid.train.fit.stepper import make_stepper

    def build() -> Any:
        model = add_ferplus_head(build_network("res-nano", n_classes=7))
        model.get_layer("dropout").rate = 0.0
        return model

    votes = np.random.default_rng(0).multinomial(10, np.ones(10) / 10, len(dataset.labels)).astype(np.float32)
    data = training_arrays(dataset.images, dataset.labels, 7, STEP_RECIPE, vote_targets(votes))
    return make_stepper(build, STEP_RECIPE, data)


def step_from(state: dict[str, np.ndarray], rows: np.ndarray, views: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state after one step from `state`, with its loss, its accuracy and logits of the averaged network."""
    dataset = draw_dataset()
    stepper = stepper_without_dropout(dataset)
    stepper.restore(state)
    loss, accuracy = stepper.train(rows, views, step=DECAY_STEP, learning_rate=RATE)
    measured = {"loss": np.float32(loss), "accuracy": np.float32(accuracy)}
    return stepper.state() | measured | {"logits": stepper.averaged_logits(dataset.images[:5])}


def main() -> None:
    from fervid.runtime.backend import load_training_backend
    from fervid.train.fit.loop import EpochRecord, fit

    assert load_training_backend() == "jax"
    with np.load("step.npz") as stored:
        state = {key: stored[key] for key in stored.files if "/" in key}
        views = {key.removeprefix("view:"): stored[key] for key in stored.files if key.startswith("view:")}
        rows = stored["rows"]
    np.savez("stepped.npz", **step_from(state, rows, views))

    def stop(_: EpochRecord) -> None:
        raise KeyboardInterrupt

    try:
        fit(draw_dataset(), RECIPE, Path("stopped"), on_epoch=stop, progress=False)
    except KeyboardInterrupt:
        shutil.copytree("stopped", "resumed")
    fit(draw_dataset(), RECIPE, Path("resumed"), progress=False)
    assert "tensorflow" not in sys.modules


if __name__ == "__main__":
    without_tensorflow()
    main()
