"""A student learns from teachers, run beside it or stored; what does not fit together is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from drawn_faces import SMALL, draw_dataset, write_csv
from fervid.cli import app
from fervid.emotion.keras import KerasClassifier
from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError, ModelError, OutputError
from fervid.storage.files import file_sha256
from fervid.train.fit import loop as fit_module
from fervid.train.fit.distil import load_targets, write_targets
from fervid.train.fit.loop import Fitted
from fervid.train.fit.recipe import AugmentSettings, Recipe, load_recipe

DATASET = draw_dataset()
TRAINING = DATASET.split("Training")
STILL = AugmentSettings(angle_degrees=0, scale=0, shift_px=0, contrast=0, brightness=0, erase_share=0)
RECIPE = Recipe(network=SMALL, epochs=3, batch_size=28, warmup_epochs=0, ema_decay=0.5, augment=STILL, seed=5)
N_VIEWS = 2


def taught(**distil: Any) -> Recipe:
    return Recipe.model_validate(RECIPE.model_dump() | {"label_smoothing": 0.0, "distil": distil})


def fit(out: Path, recipe: Recipe, **options: Any) -> Fitted:
    return fit_module.fit(DATASET, recipe, out, progress=False, **options)


def log_shares(logits: np.ndarray) -> np.ndarray:
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def divergence(student: Fitted, teacher: np.ndarray) -> float:
    """Mean KL(teacher || student) over the PublicTest faces, at temperature 1."""
    faces = DATASET.split("PublicTest").images[..., None].astype(np.float32) / 255
    ours, theirs = log_shares(student.model.predict_on_batch(faces)), log_shares(teacher)
    return float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean())


@pytest.fixture(scope="module")
def targets(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("targets") / "targets.npz"
    shape = write_targets(path, [str(tiny_model)], TRAINING, STILL, n_views=N_VIEWS, progress=False)
    assert shape == (N_VIEWS, 140, 7)
    return path


def test_a_student_comes_nearer_to_its_teacher_than_an_untaught_network(
    tiny_model: Path, targets: Path, tmp_path: Path
) -> None:
    teacher = KerasClassifier(load_model_info(tiny_model)).predict(DATASET.split("PublicTest").images)
    # Its word stands for the labels of PublicTest: the epoch is chosen by what is measured.
    labels = DATASET.labels.copy()
    labels[DATASET.usage == "PublicTest"] = teacher.argmax(axis=1)
    judged = dataclasses.replace(DATASET, labels=labels)
    distance = {}
    for name, recipe in (
        ("alone", RECIPE),
        ("beside", taught(teachers=[str(tiny_model)], weight=1.0)),
        ("stored", taught(targets=str(targets), weight=1.0)),
    ):
        longer = recipe.model_copy(update={"epochs": 8, "ema_decay": 0.8})
        distance[name] = divergence(fit_module.fit(judged, longer, tmp_path / name, progress=False), teacher)
    assert max(distance["beside"], distance["stored"]) < 0.7 * distance["alone"], distance


def test_stored_targets_are_what_the_teacher_says_of_the_views(tiny_model: Path, targets: Path) -> None:
    stored = load_targets(targets, TRAINING, taught(targets=str(targets)))
    first = stored.epoch(1)
    assert np.array_equal(stored.epoch(1 + N_VIEWS)["taught"], first["taught"])
    assert not np.array_equal(stored.epoch(2)["matrix"], first["matrix"])
    flipped = first["matrix"][:, 0, 0] < 0
    assert 0 < flipped.sum() < len(flipped)
    images = np.where(flipped[:, None, None], TRAINING.images[:, :, ::-1], TRAINING.images)
    expected = KerasClassifier(load_model_info(tiny_model)).predict(images)
    np.testing.assert_allclose(first["taught"], expected, atol=0.05)  # half precision, and the last pixel at 46.999


@pytest.mark.slow
def test_both_heads_learn_from_a_teacher_that_has_both(tmp_path: Path) -> None:
    from fervid.train.export.folder import write_model_folder

    votes = np.random.default_rng(0).multinomial(10, np.ones(10) / 10, len(DATASET.labels)).astype(np.float32)
    recipe = RECIPE.model_copy(update={"ferplus_weight": 0.5, "epochs": 1})
    teacher = fit(tmp_path / "teacher", recipe, votes=votes)
    write_model_folder(teacher, recipe, DATASET, tmp_path / "teacher", "both", votes=votes)
    distil = {"teachers": [str(tmp_path / "teacher")], "weight": 1.0}
    student = Recipe.model_validate(recipe.model_dump() | {"distil": distil, "epochs": 4})
    alone = fit(tmp_path / "alone", recipe.model_copy(update={"epochs": 4}), votes=votes)
    faces = DATASET.split("PublicTest").images[..., None].astype(np.float32) / 255
    said = teacher.model.predict_on_batch(faces)[:, 7:]

    def distance(fitted: Fitted) -> float:
        logits = fitted.model.predict_on_batch(faces)[:, 7:]
        centred = [x - x.mean(axis=1, keepdims=True) for x in (logits, said)]
        return float(np.abs(centred[0] - centred[1]).mean())

    assert distance(fit(tmp_path / "student", student, votes=votes)) < distance(alone)


def test_a_distilled_run_resumes_wherever_its_teacher_lies_and_not_with_another(
    tiny_model: Path, tmp_path: Path
) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    one = Path(shutil.copytree(tiny_model, tmp_path / "one"))
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", taught(teachers=[str(one)]), on_epoch=stop)
    moved = one.rename(tmp_path / "moved")
    other = Path(shutil.copytree(moved, tmp_path / "other"))
    network = KerasClassifier(load_model_info(other)).network
    network.set_weights([weight * 1.5 for weight in network.get_weights()])
    network.save_weights(other / "model.weights.h5")
    content = json.loads((other / "model.json").read_text())
    content["weights_sha256"] = file_sha256(other / "model.weights.h5")
    (other / "model.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="belongs to another recipe or data set"):
        fit(tmp_path / "run", taught(teachers=[str(other)]))
    assert len(fit(tmp_path / "run", taught(teachers=[str(moved)])).history) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"augment": STILL.model_copy(update={"scale": 0.5})},
            "views with scale = 0.0, the recipe has 0.5",
        ),
        ({"mixup_alpha": 0.2}, "mixup_alpha = 0.2 mixes faces, but the targets"),
    ],
)
def test_targets_for_other_views_are_refused(targets: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_targets(targets, TRAINING, taught(targets=str(targets)).model_copy(update=change))


def test_noise_alone_may_differ_from_the_stored_views(targets: Path) -> None:
    recipe = taught(targets=str(targets)).model_copy(update={"augment": STILL.model_copy(update={"noise_share": 0.5})})
    assert load_targets(targets, TRAINING, recipe).logits.dtype == np.float16


@pytest.mark.parametrize(
    ("n", "seed", "message"),
    [(70, 0, r"other data \(140 Training rows, here 70;"), (140, 1, r"other data \(140 Training rows, here 140; hash")],
)
def test_targets_for_other_data_are_refused(targets: Path, n: int, seed: int, message: str) -> None:
    other = draw_dataset(n, 0, 0, seed=seed).split("Training")
    with pytest.raises(ConfigError, match=message):
        load_targets(targets, other, taught(targets=str(targets)))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn", b"text"])
def test_a_file_that_holds_no_targets_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "targets.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"targets.npz .*Give (a file|one) that `fervid targets` wrote"):
        load_targets(path, TRAINING, taught(targets=str(path)))


def test_targets_of_other_labels_or_another_version_are_refused(targets: Path, tmp_path: Path) -> None:
    for key, value, message in (
        ("schema_version", 9, "schema_version 9, expected 1"),
        ("labels", {"fer2013": ["a", "b", "c", "d", "e", "f", "g"]}, "not those of the data"),
    ):
        with np.load(targets) as stored:
            header = json.loads(str(stored["header"])) | {key: value}
            np.savez(tmp_path / "t.npz", header=np.array(json.dumps(header)), logits=stored["logits"])
        with pytest.raises(ConfigError, match=message):
            load_targets(tmp_path / "t.npz", TRAINING, taught(targets="t.npz"))


def test_a_teacher_with_other_labels_is_refused(copied_model: Path, tmp_path: Path) -> None:
    content = json.loads((copied_model / "model.json").read_text())
    content["heads"][0]["labels"] = ["a", "b", "c", "d", "e", "f", "g"]
    (copied_model / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="which are not those of the data. Give another teacher"):
        fit(tmp_path / "run", taught(teachers=[str(copied_model)]))


def test_a_recipe_that_distils_asks_for_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="but no teacher. Give --teacher MODEL, or --targets FILE"):
        fit(tmp_path, taught())


def test_teachers_and_targets_exclude_each_other(tmp_path: Path) -> None:
    recipe = tmp_path / "both.toml"
    recipe.write_text('network = "res-nano"\nepochs = 1\n[distil]\nteachers = ["a"]\ntargets = "b"\n')
    with pytest.raises(ConfigError, match="exclude each other"):
        load_recipe(str(recipe))
    found = load_recipe(str(recipe), teachers=("c", "d")).distil
    assert found is not None
    assert (found.teachers, found.targets) == (("c", "d"), None)


def test_targets_that_cannot_be_written_are_an_output_error(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Give another file with --out"):
        write_targets(tmp_path / "file" / "t.npz", [str(tiny_model)], TRAINING, STILL, n_views=1, progress=False)


def test_the_command_writes_targets_that_a_training_takes(tiny_model: Path, tmp_path: Path) -> None:
    data, path = write_csv(DATASET, tmp_path / "fer2013.csv"), tmp_path / "targets.npz"
    recipe = tmp_path / "student.toml"
    recipe.write_text(f'network = "{SMALL}"\nepochs = 1\nbatch_size = 28\nwarmup_epochs = 0\n')
    common = ["--data", str(data), "--recipe", str(recipe), "--allow-unofficial"]
    done = CliRunner().invoke(app, ["targets", str(tiny_model), *common, "-o", str(path), "--views", "1"])
    assert (done.exit_code, done.stdout) == (0, f"1 view of 140 faces, 7 logits each: {path}\n"), done.stderr
    out = tmp_path / "student"
    done = CliRunner().invoke(app, ["train", *common, "--targets", str(path), "-o", str(out)])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(f": {out}\n")
    assert json.loads((out / "model.json").read_text())["recipe"]["distil"]["targets"] == str(path)
