"""Training under JAX, where there is no TensorFlow: the same step, resumable, and exported elsewhere."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset, write_csv
from fervid.emotion.model import load_model_info
from fervid.train.data.augment import AugmentStrength, draw_views
from fervid.train.fit import loop as fit_module
from fervid.train.fit.objective import draw_pairs
from jax_training import DECAY_STEP, RATE, RECIPE, STEP_RECIPE, step_from, stepper_without_dropout
from runner import SOURCE, run_fervid

pytest.importorskip("jax", reason="JAX is not installed (pip install 'fervid[jax]')")

TESTS = Path(__file__).resolve().parents[1]
WITHOUT_TENSORFLOW = (
    f"import sys; sys.path.append({str(TESTS)!r}); import jax_training; jax_training.without_tensorflow()"
)
SETTINGS = 'network = "res-nano"\nepochs = 2\nbatch_size = 28\nwarmup_epochs = 0\nema_decay = 0.5\n'


def compiled_once(folder: Path) -> dict[str, str]:
    """Environment of processes that choose the backend themselves and share what JAX compiles."""
    return {
        "KERAS_BACKEND": "",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `jax_training` has run. The step that it took began at a state of TensorFlow's."""
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("jax")
    stepper = stepper_without_dropout(draw_dataset())
    rows = np.arange(28)
    # Nothing erased or clipped: where an image is flat, rounding decides which of equal neighbours a pooling takes.
    strength = AugmentStrength(contrast=0, brightness=0, erase_share=0, blur_share=0.5, noise_share=0.5)
    views = draw_views(28, 48, strength, (1,)) | draw_pairs(28, 0.4, (1, 1))
    state = stepper.state()
    np.savez(folder / "step.npz", rows=rows, **state, **{f"view:{key}": value for key, value in views.items()})
    np.savez(folder / "tensorflow.npz", **step_from(state, rows, views))
    done = subprocess.run(
        [sys.executable, str(TESTS / "jax_training.py")],
        cwd=folder,
        env=os.environ | compiled_once(folder) | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(TESTS)])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_step_gives_the_same_loss_and_weights_on_both_backends(folder: Path) -> None:
    assert (STEP_RECIPE.ferplus_weight, DECAY_STEP, RATE) == (0.5, 3, 0.05)
    with np.load(folder / "tensorflow.npz") as one, np.load(folder / "stepped.npz") as two:
        assert one.files == two.files
        before = np.load(folder / "step.npz")
        moved = 0
        for key in one.files:
            np.testing.assert_allclose(two[key], one[key], atol=1e-5, rtol=1e-5, err_msg=key)
            moved += key.startswith("model/") and not np.array_equal(one[key], before[key])
    assert moved > 20


@pytest.mark.slow
def test_a_run_stopped_under_jax_goes_on_to_the_bytes_of_an_unbroken_one(folder: Path, tmp_path: Path) -> None:
    data, recipe, out = write_csv(draw_dataset(), tmp_path / "fer2013.csv"), tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(SETTINGS)
    options = ["train", "--data", str(data), "--recipe", str(recipe), "--out", str(out), "--allow-unofficial"]
    done = run_fervid(*options, before=WITHOUT_TENSORFLOW, environment=compiled_once(folder))
    assert done.returncode == 0, done.stderr
    assert "res-nano (0.08 M weights), JAX" in done.stderr
    assert "the LiteRT file, card and model.json need TensorFlow" in done.stderr
    assert done.stdout.endswith(f"not exported yet: {out}\n")
    assert (out / "model.weights.h5").is_file()
    assert not (out / "model.json").exists()
    with np.load(out / "checkpoint.npz") as one, np.load(folder / "resumed" / "checkpoint.npz") as two:
        assert one.files == two.files
        assert [key for key in one.files if key != "history" and not np.array_equal(one[key], two[key])] == []

    done = run_fervid(*options, environment={"KERAS_BACKEND": ""})  # on a machine with TensorFlow
    assert done.returncode == 0, done.stderr
    assert "all 2 epochs are done" in done.stderr
    assert load_model_info(out).network == "res-nano"
    with (out / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_a_run_begun_under_jax_is_finished_under_tensorflow(folder: Path) -> None:
    with np.load(folder / "stopped" / "checkpoint.npz") as checkpoint:
        begun = json.loads(str(checkpoint["history"]))
    fitted = fit_module.fit(draw_dataset(), RECIPE, folder / "stopped", progress=False)
    assert len(begun) == 1
    assert [record.epoch for record in fitted.history] == [1, 2]
    assert fitted.history[0].val_loss == begun[0]["val_loss"]
