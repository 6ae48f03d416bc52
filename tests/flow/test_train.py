import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from drawn_faces import SMALL, draw_dataset, write_csv
from fervid.cli.evaluate import evaluate
from fervid.cli.train import train
from fervid.emotion.keras import load_network
from fervid.emotion.model import load_model_info, read_model_json, stored_metrics
from fervid.emotion.networks.network import build_network
from fervid.errors import ConfigError, ModelError, OutputError, OutputInUse
from fervid.storage.lock import locked
from fervid.train.evaluate import model as evaluation_module
from fervid.train.evaluate.model import evaluate_model
from fervid.train.evaluate.scores import label_indices, score_truth
from fervid.train.export.folder import write_model_folder
from fervid.train.fit import loop as fit_module
from fervid.train.fit.loop import EpochRecord, Fitted
from fervid.train.fit.recipe import Recipe
from runner import SOURCE

DATASET = draw_dataset()
RECIPE = Recipe(network=SMALL, epochs=2, batch_size=28, warmup_epochs=0, ema_decay=0.5)
PNG = b"\x89PNG"


def fit(out: Path, recipe: Recipe = RECIPE, **options: Any) -> Fitted:
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    return fit_module.fit(DATASET, recipe, out, progress=False, **options)


def stop_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run_epoch = fit_module._run_epoch

    def stopping(*arguments: Any) -> Any:
        if number in arguments:
            raise KeyboardInterrupt
        return run_epoch(*arguments)

    monkeypatch.setattr(fit_module, "_run_epoch", stopping)


def test_a_resumed_run_ends_as_an_unbroken_one(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in_epoch(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    monkeypatch.undo()
    resumed = fit(tmp_path)
    # The tiny model was trained with the same recipe in one go.
    with (tiny_model / "history.csv").open() as file:
        unbroken = list(csv.DictReader(file))
    assert len(resumed.history) == len(unbroken) == 2
    for record, row in zip(resumed.history, unbroken, strict=True):
        assert (record.train_loss, record.val_loss) == (float(row["train_loss"]), float(row["val_loss"]))
    with np.load(tiny_model / "checkpoint.npz") as one, np.load(tmp_path / "checkpoint.npz") as two:
        assert one.files == two.files
        different = [key for key in one.files if key != "history" and not np.array_equal(one[key], two[key])]
    assert different == []


def test_a_checkpoint_of_another_recipe_or_data_set_is_not_continued(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="belongs to another recipe or data set"):
        fit(tiny_model, RECIPE.model_copy(update={"seed": 2}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn"])
def test_a_broken_checkpoint_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as a checkpoint"):
        fit(tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == content


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        fit(tmp_path / "file" / "run")


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size 999 is larger than the 140 Training rows"):
        fit(tmp_path, RECIPE.model_copy(update={"batch_size": 999}))


def test_a_model_folder_holds_what_its_card_says(tiny_model: Path) -> None:
    info = load_model_info(tiny_model)
    content, card = read_model_json(tiny_model), (tiny_model / "CARD.md").read_text()
    metrics = stored_metrics(content, "PublicTest")
    assert content["private_test_readings"] == []
    assert metrics["n"] == 35
    assert 0.05 < info.temperature < 8
    for text in (
        info.weights_sha256,
        info.tflite_sha256,
        f"{metrics['accuracy']:.2%}",
        f"{info.temperature:.4f}",
        "seed 1",
    ):
        assert text in card
    for label in info.labels:
        assert f"| {label} | {metrics['per_class'][label]['recall']:.1%}" in card
    assert "not the official one" in info.training_data
    assert (tiny_model / "curves.png").read_bytes().startswith(PNG)
    assert [path.name for path in tiny_model.iterdir() if "part" in path.name] == []


def test_a_tflite_file_that_differs_from_the_network_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained = build_network(SMALL, n_classes=7)
    epoch = EpochRecord(1, 0.1, 1.0, 0.5, 1.0, 0.5, seconds=1.0)
    fitted = Fitted(untrained, (epoch,), best_epoch=1, mean=0.5, std=0.25)
    wrong = np.zeros((35, 7), np.float32)
    monkeypatch.setattr("fervid.emotion.litert.LiteRTClassifier.predict", lambda *_: wrong)
    with pytest.raises(ModelError, match="differs from the network"):
        write_model_folder(fitted, RECIPE, DATASET, tmp_path, "wrong")
    assert not (tmp_path / "model.json").exists()


def test_evaluation_gives_the_numbers_of_the_export(tiny_model: Path, tmp_path: Path) -> None:
    evaluation = evaluate_model(tiny_model, DATASET, "PublicTest", tmp_path / "results")
    stored = stored_metrics(read_model_json(tiny_model), "PublicTest")
    found = evaluation.to_json()
    assert {key: found[key] for key in stored if key in found} == {k: v for k, v in stored.items() if k in found}
    assert set(stored) - set(found) == {"head", "votes"}
    assert json.loads((tmp_path / "results" / "metrics.json").read_text()) == evaluation.to_json()
    assert np.array(evaluation.confusion).sum() == evaluation.n == 35
    with (tmp_path / "results" / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["label", *evaluation.per_class]
    assert [[int(n) for n in row[1:]] for row in rows[1:]] == evaluation.confusion
    assert (tmp_path / "results" / "confusion.png").read_bytes().startswith(PNG)
    assert read_model_json(tiny_model)["private_test_readings"] == []


def test_each_reading_of_private_test_is_logged_and_survives_a_new_export(copied_model: Path) -> None:
    evaluations = [evaluate_model(copied_model, DATASET, "PrivateTest") for _ in range(2)]
    readings = read_model_json(copied_model)["private_test_readings"]
    assert [set(reading) for reading in readings] == [{"utc", "n", "accuracy", "tta", "fervid_version"}] * 2
    assert [(r["n"], r["accuracy"]) for r in readings] == [(28, e.accuracy) for e in evaluations]
    write_model_folder(fit(copied_model), RECIPE, DATASET, copied_model, "tiny")
    assert read_model_json(copied_model)["private_test_readings"] == readings


def test_private_test_is_not_read_where_the_reading_cannot_be_logged(
    copied_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OutputError("read-only")

    monkeypatch.setattr(evaluation_module, "write_model_json", refuse)
    with pytest.raises(OutputError, match="each PrivateTest reading must be logged there"):
        evaluate_model(copied_model, DATASET, "PrivateTest", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_model_without_the_emotions_of_the_data_is_refused() -> None:
    with pytest.raises(ModelError, match="has no label 'disgust'"):
        label_indices(np.zeros(1, int), ("angry", "calm"), "m")


def test_labels_in_another_order_are_matched_by_name() -> None:
    labels = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    truth = label_indices(np.array([0, 3]), labels, "m")
    assert truth.tolist() == [4, 1]
    found = score_truth(np.eye(8)[[4, 1]], truth, labels=labels, temperature=1, model="m", split="PublicTest")
    assert found.accuracy == 1
    assert found.per_class["happy"]["support"] == 1


def test_training_killed_in_the_middle_goes_on_with_the_same_command(tmp_path: Path) -> None:
    data, recipe, out = write_csv(DATASET, tmp_path / "fer2013.csv"), tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(f'network = "{SMALL}"\nepochs = 12\nbatch_size = 28\nwarmup_epochs = 0\n')
    options = ["--data", str(data), "--recipe", str(recipe), "--out", str(out), "--allow-unofficial"]
    code = "import drawn_faces, sys, typer; from fervid.cli.train import train; typer.run(train)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parents[1])])}
    with subprocess.Popen(
        [sys.executable, "-c", code, *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        assert process.stderr is not None
        progress = process.stderr.read()
    assert process.returncode == -signal.SIGKILL, progress
    assert not (out / "model.json").exists()
    with np.load(out / "checkpoint.npz") as checkpoint:
        before = json.loads(str(checkpoint["history"]))
    assert 1 <= len(before) < 12

    result = CliRunner().invoke(command(train), [*options, "-q"], catch_exceptions=False)
    assert result.stdout.splitlines()[-1].endswith(f": {out}")
    assert "PublicTest accuracy" in result.stdout
    with (out / "history.csv").open() as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    assert epochs == list(range(1, 13))


def command(function: Any) -> typer.Typer:
    app = typer.Typer()
    app.command()(function)
    return app


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    data, out = write_csv(DATASET, tmp_path / "fer2013.csv"), tmp_path / "run"
    with locked(out), pytest.raises(OutputInUse, match="in use by another run"):
        train(data=data, recipe="res-nano", out=out, allow_unofficial=True, quiet=True)
    assert not (out / "checkpoint.npz").exists()


def test_the_evaluate_command_prints_a_table_or_one_json_object(tiny_model: Path, tmp_path: Path) -> None:
    data = write_csv(DATASET, tmp_path / "fer2013.csv")
    options = [str(tiny_model), "--data", str(data), "--allow-unofficial"]
    table = CliRunner().invoke(command(evaluate), options, catch_exceptions=False)
    assert "accuracy" in table.stdout
    assert "surprise" in table.stdout
    result = CliRunner().invoke(command(evaluate), [*options, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found == evaluate_model(tiny_model, DATASET, "PublicTest").to_json()
    assert {"model", "split", "n", "accuracy", "accuracy_interval", "macro_f1", "ece", "per_class"} <= set(found)


def test_votes_shape_the_features_and_give_the_model_a_second_head(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, np.ones(10) / 10, len(DATASET.labels)).astype(np.float32)
    recipe = RECIPE.model_copy(update={"epochs": 1, "ferplus_weight": 0.5})
    with_votes = fit(tmp_path / "with", recipe, votes=votes)
    without = fit(tmp_path / "without", RECIPE.model_copy(update={"epochs": 1}))
    shared = without.model.get_weights()
    *features, kernel, bias = with_votes.model.get_weights()
    assert [weight.shape for weight in features] == [weight.shape for weight in shared]
    assert (kernel.shape[-1], bias.shape) == (8, (8,))
    assert any(not np.array_equal(a, b) for a, b in zip(features, shared, strict=True))
    with pytest.raises(ConfigError, match="so its export needs FER\\+ votes"):
        write_model_folder(with_votes, recipe, DATASET, tmp_path / "with", "votes")


def test_a_recipe_with_votes_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Give FER\\+'s fer2013new.csv with --ferplus"):
        fit(tmp_path, RECIPE.model_copy(update={"ferplus_weight": 0.5}))


def test_a_checkpoint_goes_on_under_settings_that_are_new_since_then(tiny_model: Path, tmp_path: Path) -> None:
    with np.load(tiny_model / "checkpoint.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    identity = json.loads(str(arrays["identity"]))
    del identity["recipe"]["ferplus_weight"]  # as written before there were votes
    arrays["identity"] = np.array(json.dumps(identity))
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    assert len(fit(tmp_path).history) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adamw", "peak_learning_rate": 1e-3, "weight_decay": 0.05},
        {"mixup_alpha": 0.4},
        {"class_weight": "sqrt"},
        {"mixup_alpha": 0.4, "class_weight": "balanced", "ferplus_weight": 0.5},
    ],
)
def test_other_objectives_train_and_differ_from_the_plain_one(
    tmp_path: Path, tiny_model: Path, change: dict[str, Any]
) -> None:
    votes = np.random.default_rng(0).multinomial(10, np.ones(10) / 10, len(DATASET.labels)).astype(np.float32)
    fitted = fit(tmp_path, RECIPE.model_copy(update={"epochs": 1, **change}), votes=votes)
    with (tiny_model / "history.csv").open() as file:
        plain = next(csv.DictReader(file))
    record = fitted.history[0]
    assert np.isfinite(record.train_loss)
    assert record.val_loss != float(plain["val_loss"])


def test_training_starts_from_the_weights_of_the_initial_model(tiny_model: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 1, "initial_model": str(tiny_model), "peak_learning_rate": 1e-9})
    fitted = fit(tmp_path, recipe)
    trained = load_network(load_model_info(tiny_model)).trainable_weights
    for ours, theirs in zip(fitted.model.trainable_weights, trained, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)
    another = tmp_path / "another"
    fit(another, recipe.model_copy(update={"initial_model": None}))
    with pytest.raises(ConfigError, match="belongs to another recipe"):
        fit(another, recipe)


def test_the_backbone_of_a_transfer_network_begins_from_the_users_weights(tmp_path: Path) -> None:
    data, weights = write_csv(DATASET, tmp_path / "fer2013.csv"), tmp_path / "vgg16_notop.weights.h5"
    options = ["--data", str(data), "--allow-unofficial", "--out", str(tmp_path / "out"), "--quiet", "--epochs", "1"]
    options += ["--recipe", "transfer-resnet50", "--backbone-weights", str(weights)]
    result = CliRunner().invoke(command(train), options)
    assert isinstance(result.exception, ConfigError)
    assert "does not fit the backbone resnet50" in str(result.exception)
    first = build_network("transfer-vgg16", n_classes=7).get_layer("vgg16")
    first.save_weights(weights)
    recipe = RECIPE.model_copy(update={"network": "transfer-vgg16", "backbone_weights": str(weights)})
    begun = fit_module._builder(recipe, 0.5, 0.25, None)().get_layer("vgg16")
    for ours, theirs in zip(begun.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_initial_model_of_another_network_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"network": "res-xs", "initial_model": str(tiny_model)})
    with pytest.raises(ConfigError, match="is small with 7 logits, expected res-xs with 7"):
        fit(tmp_path, recipe)


def test_a_network_without_a_dense_head_takes_no_votes(tmp_path: Path) -> None:
    votes = np.ones((len(DATASET.labels), 10), np.float32)
    with pytest.raises(ConfigError, match="mini-xception has no features to attach a second head to"):
        fit(tmp_path, RECIPE.model_copy(update={"network": "mini-xception", "ferplus_weight": 0.5}), votes=votes)
