"""A search over recipes: the space it reads, cross-validation on Training alone, pruning, resume after a kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset, write_csv
from fervid.base import assets
from fervid.errors import ConfigError, install_line
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.fit.loop import EpochRecord, Fitted
from fervid.train.fit.recipe import Recipe, load_recipe
from fervid.train.tune import search as tune_module
from fervid.train.tune.search import Search, tune
from fervid.train.tune.space import SearchSpace, load_space, recipe_as_toml, space_names
from fervid.train.tune.tune_files import ranked, write_search
from runner import SOURCE, START, run_fervid

DATASET = draw_dataset(n_training=84, n_public=7, n_private=7)
SPACE = SearchSpace(
    recipe="res-nano",
    folds=3,
    space={"batch_size": [14, 28], "peak_learning_rate": {"low": 0.01, "high": 0.5, "log": True}},  # type: ignore[dict-item]
)
SPACE_TOML = """
recipe = "RECIPE"
folds = 2
[space]
batch_size = [14, 28]
peak_learning_rate = { low = 0.01, high = 0.1, log = true }
"""
RECIPE_TOML = 'network = "res-nano"\nepochs = 2\nbatch_size = 28\nwarmup_epochs = 0\n'


class Judge:
    """In the place of `fit`: what was trained, and an accuracy that rises with the learning rate."""

    def __init__(self) -> None:
        self.trained: list[tuple[FaceDataset, Recipe]] = []
        self.fail_at: int | None = None

    def __call__(self, dataset: FaceDataset, recipe: Recipe, *_: object, **options: object) -> Fitted:
        assert set(options) == {"votes", "progress"}
        if len(self.trained) == self.fail_at:
            self.fail_at = None
            raise KeyboardInterrupt
        self.trained.append((dataset, recipe))
        score = recipe.peak_learning_rate
        middle, last = (EpochRecord(n, 0.0, 1.0, 0.5, 1.0, score + extra, 1.0) for n, extra in ((1, 0.1), (2, 0.0)))
        return Fitted(None, (middle, last), best_epoch=1, mean=0.5, std=0.25)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    pytest.importorskip("optuna", reason="Optuna is not installed (pip install 'fervid[tune]')")
    judge = Judge()
    monkeypatch.setattr(tune_module, "fit", judge)
    return judge


def test_every_trial_trains_each_fold_on_training_alone(judge: Judge, tmp_path: Path) -> None:
    search = tune(DATASET, SPACE, tmp_path, n_trials=2)
    assert len(judge.trained) == 6
    training = {image.tobytes() for image in DATASET.split("Training").images}
    for start in (0, 3):
        parts = [data.split("PublicTest").images for data, _ in judge.trained[start : start + 3]]
        held_out = [image.tobytes() for part in parts for image in part]
        assert sorted(held_out) == sorted(training)
    assert [trial.accuracy for trial in search.trials] == pytest.approx(
        [judge.trained[i][1].peak_learning_rate for i in (0, 3)]  # of the last epoch, not of the best
    )
    assert search.trials[0].values["batch_size"] in (14, 28)


def test_a_part_of_training_is_searched_when_asked_for(judge: Judge, tmp_path: Path) -> None:
    search = tune(DATASET, SPACE.model_copy(update={"part_of": 4}), tmp_path, n_trials=1)
    assert search.n_images == 21
    assert np.bincount(judge.trained[0][0].labels).tolist() == [3] * 7


@pytest.mark.usefixtures("judge")
def test_a_trial_below_the_median_of_its_fold_stops(tmp_path: Path) -> None:
    search = tune(DATASET, SPACE, tmp_path, n_trials=12)
    pruned = [trial for trial in search.trials if trial.is_pruned]
    assert pruned
    assert all(len(trial.folds) < 3 for trial in pruned)
    assert search.best().accuracy == max(trial.accuracy for trial in search.trials)
    assert ranked(search)[0] == search.best()
    assert all(trial.is_pruned for trial in ranked(search)[-len(pruned) :])


def test_an_interrupted_search_keeps_finished_trials_and_finished_folds(judge: Judge, tmp_path: Path) -> None:
    judge.fail_at = 4  # in the second fold of the second trial
    with pytest.raises(KeyboardInterrupt):
        tune(DATASET, SPACE, tmp_path, n_trials=3)
    before = [recipe for _, recipe in judge.trained]
    search = tune(DATASET, SPACE, tmp_path, n_trials=3)
    recipes = [recipe for _, recipe in judge.trained]
    assert len(recipes) == 9
    assert recipes[:4] == before
    assert recipes[3] == recipes[4] == recipes[5]  # the same trial went on
    assert len({recipe.peak_learning_rate for recipe in recipes}) == 3
    assert [len(trial.folds) for trial in search.trials] == [3, 3, 3]
    assert len(tune(DATASET, SPACE, tmp_path, n_trials=3).trials) == 3
    assert len(judge.trained) == 9


@pytest.mark.parametrize("change", [{"folds": 2}, {"recipe": "res-xs"}])
def test_a_study_of_another_space_is_not_continued(judge: Judge, tmp_path: Path, change: dict[str, object]) -> None:
    tune(DATASET, SPACE, tmp_path, n_trials=1)
    with pytest.raises(ConfigError, match="belongs to another space, recipe, seed or data set"):
        tune(DATASET, SPACE.model_copy(update=change), tmp_path, n_trials=1)
    with pytest.raises(ConfigError, match="belongs to another"):
        tune(DATASET, SPACE, tmp_path, n_trials=1, seed=2)
    assert len(judge.trained) == 3


@pytest.mark.usefixtures("judge")
def test_a_file_that_is_no_study_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match=r"study\.db cannot be used as a study"):
        tune(DATASET, SPACE, tmp_path, n_trials=1)


@pytest.mark.usefixtures("judge")
def test_the_files_hold_every_trial_and_the_best_recipe(tmp_path: Path) -> None:
    search: Search = tune(DATASET, SPACE, tmp_path, n_trials=8)
    write_search(search, SPACE, tmp_path)
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == [trial.number for trial in search.trials]
    assert [row["state"] == "pruned" for row in rows] == [trial.is_pruned for trial in search.trials]
    assert all((row["fold3_accuracy"] == "") == (row["state"] == "pruned") for row in rows)
    best = load_recipe(str(tmp_path / "best.toml"))
    assert best.peak_learning_rate == search.best().values["peak_learning_rate"]
    assert best.epochs == load_recipe("res-nano").epochs
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


def test_every_search_space_that_comes_with_fervid_loads() -> None:
    assert space_names() == sorted(path.stem for path in (assets.configs_folder() / "search").glob("*.toml"))
    for name in space_names():
        assert load_space(name).space


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "recipe: Field required"),
        ("recipe = ", "is not valid TOML"),
        ('recipe = "res-nano"\n[space]\n', "space: .* at least 1 item"),
        ('recipe = "res-nano"\nfolds = 1\n[space]\nepochs = [1]\n', "folds: .* greater than or equal to 2"),
        ('recipe = "nope"\n[space]\nepochs = [1]\n', "recipe 'nope' does not exist"),
        ('recipe = "res-nano"\n[space]\nepoch = [1]\n', "'epoch' is not a setting of a recipe. Did you mean 'epochs'?"),
        ('recipe = "res-nano"\n[space]\nepochs = []\n', "epochs has no values"),
        ('recipe = "res-nano"\n[space]\nepochs = [0]\n', "epochs = 0: .* greater than 0"),
        ('recipe = "res-nano"\n[space]\nepochs = {low = 9, high = 2}\n', "low 9 is not below high 2"),
        ('recipe = "res-nano"\n[space]\nmomentum = {low = 0.5, high = 2.0}\n', "momentum = 2.0: .* less than 1"),
        ('recipe = "res-nano"\n[space]\nweight_decay = {low = 0, high = 1.0, log = true}\n', "log needs low above 0"),
        ('recipe = "res-nano"\n[space]\n"augment.scale" = [0.5, "much"]\n', "augment.scale = 'much'"),
    ],
)
def test_a_faulty_space_is_refused_with_its_entry(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "space.toml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_space(str(tmp_path / "space.toml"))


def test_a_space_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="'nope' does not exist. Use published, res-nano, res-xs, or a .toml file"):
        load_space("nope")


@pytest.mark.parametrize("name", ["res-s", "conv4-fc2"])
def test_a_recipe_written_as_toml_reads_back_as_the_same(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name).model_copy(update={"peak_learning_rate": 1.25e-5, "clean": True})
    (tmp_path / "copy.toml").write_text(recipe_as_toml(recipe, "two lines\nof comment"))
    assert load_recipe(str(tmp_path / "copy.toml")) == recipe


def test_without_optuna_the_command_says_what_to_install(tmp_path: Path) -> None:
    data = write_csv(DATASET, tmp_path / "fer2013.csv")
    spoil = "import sys; sys.modules['optuna'] = None"
    done = run_fervid("tune", "res-nano", "--data", str(data), "--allow-unofficial", "-o", str(tmp_path), before=spoil)
    assert done.returncode == 78
    assert install_line("tune") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.slow
def test_a_search_killed_in_the_middle_goes_on_with_the_same_command(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed (pip install 'fervid[tune]')")
    data, space, recipe = write_csv(DATASET, tmp_path / "fer2013.csv"), tmp_path / "s.toml", tmp_path / "tiny.toml"
    recipe.write_text(RECIPE_TOML)
    space.write_text(SPACE_TOML.replace("RECIPE", str(recipe)))
    out = tmp_path / "out"
    options = ["tune", str(space), "--data", str(data), "--allow-unofficial", "-o", str(out), "--trials", "2"]
    with subprocess.Popen(
        [sys.executable, "-c", START, *options],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 300
        # trials.csv is there after the first trial; then a checkpoint means that the second one has begun.
        while process.poll() is None and time.monotonic() < deadline:
            if (out / "trials.csv").exists() and (out / "running" / "fold1" / "checkpoint.npz").exists():
                break
            time.sleep(0.005)
        process.kill()
        assert process.stderr is not None
        progress = process.stderr.read()
    assert process.returncode == -signal.SIGKILL, progress
    before = json.dumps(list(csv.reader((out / "trials.csv").read_text().splitlines())))
    done = run_fervid(*options)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader((out / "trials.csv").read_text().splitlines()))
    assert json.dumps(rows[:2]) == before
    assert [row[1] for row in rows[1:]] == ["complete", "complete"]
    assert "2 trials, 0 of them stopped early" in done.stdout
    assert load_recipe(str(out / "best.toml")).epochs == 2
    assert not (out / "running").exists()
