"""Published systems within a budget of core-hours: the plan, the row, the one reading of PrivateTest, the document."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import reference_systems as references
from drawn_faces import draw_dataset
from fervid.emotion.networks.network import build_network
from fervid.errors import ConfigError
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.fit.loop import EpochRecord, Fitted, StopTraining
from fervid.train.fit.recipe import Recipe, load_recipe
from reference_systems import SYSTEMS, System, read_private_test, read_rows, row_name, run_reference, write_row

ROOT = Path(__file__).resolve().parents[2]
DATASET = draw_dataset(n_training=160, n_public=35, n_private=28)
NANO = System("A", "a claim", ("res-nano",))
SECONDS_AN_EPOCH = 36.0


class Trainer:
    """In the place of `fit`: each epoch over the whole data takes 36 s of a clock that stands still otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slower = 1.0
        self.fail_after: int | None = None
        self.done: dict[Path, int] = {}
        self.model = build_network("res-nano", n_classes=7)

    def __call__(
        self,
        dataset: FaceDataset,
        recipe: Recipe,
        work: Path,
        *,
        on_epoch: Callable[[EpochRecord], None],
        **_: object,
    ) -> Fitted:
        work.mkdir(parents=True, exist_ok=True)
        history = [record(epoch) for epoch in range(1, self.done.get(work, 0) + 1)]
        while len(history) < recipe.epochs:
            share = (dataset.usage != "PrivateTest").sum() / (160 + 35)
            self.now += SECONDS_AN_EPOCH * share * (self.slower if work.name != "probe" else 1)
            history.append(record(len(history) + 1))
            self.done[work] = len(history)
            try:
                on_epoch(history[-1])
            except StopTraining:
                break
            if len(history) == self.fail_after:
                self.fail_after = None
                raise KeyboardInterrupt
        return Fitted(self.model, tuple(history), 1, mean=0.5, std=0.25)


def record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 0.1, 1.0, 0.5, 1.0, 0.5, seconds=1.0)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    from fervid.runtime.backend import load_training_backend

    load_training_backend()
    trainer = Trainer()
    monkeypatch.setattr(references, "fit", trainer)
    monkeypatch.setattr(references, "time", SimpleNamespace(process_time=lambda: trainer.now))
    return trainer


@pytest.mark.parametrize(
    ("core_hours", "epochs"),
    [(0.1, 7), (1.0, 12)],  # 360 s less 5 %, less two epochs of the probe; and no more than the recipe's own
)
@pytest.mark.usefixtures("trainer")
def test_the_schedule_is_made_for_the_epochs_that_fit(tmp_path: Path, core_hours: float, epochs: int) -> None:
    row = run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=core_hours)
    assert (row["epochs"], row["epochs_planned"], row["epochs_of_recipe"]) == (epochs, epochs, 12)
    assert row["settings"]["epochs"] == epochs
    assert row["core_hours"] <= core_hours
    assert row["core_hours"] == pytest.approx((epochs + 2) * SECONDS_AN_EPOCH / 3600)


def test_a_run_slower_than_planned_stops_within_the_budget(trainer: Trainer, tmp_path: Path) -> None:
    trainer.slower = 2.0
    row = run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=0.1)
    assert row["epochs"] < row["epochs_planned"] == 7
    assert row["core_hours"] <= 0.1


@pytest.mark.usefixtures("trainer")
def test_a_budget_below_one_epoch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"0.02 core-hours are less than one epoch needs \(0.03 core-hours\)"):
        run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=0.02)


def test_an_interrupted_run_keeps_its_plan_and_what_it_used(trainer: Trainer, tmp_path: Path) -> None:
    trainer.fail_after = 3
    with pytest.raises(KeyboardInterrupt):
        run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=0.1)
    trainer.now = 5.0  # another process
    with pytest.raises(ConfigError, match="was planned for 0.1 core-hours, not 0.2"):
        run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=0.2)
    row = run_reference(DATASET, NANO, "res-nano", tmp_path, core_hours=0.1)
    assert row["epochs"] == 7
    assert row["core_hours"] == pytest.approx(9 * SECONDS_AN_EPOCH / 3600)


def test_a_system_is_trained_measured_and_read_once_on_private_test(tmp_path: Path) -> None:
    from fervid.runtime.backend import load_training_backend

    load_training_backend()
    work = tmp_path / "work"
    row = run_reference(DATASET, NANO, "res-nano", work, core_hours=0.1, max_epochs=1, progress=False)
    assert row["parameters"] == 78_383
    assert row["core_hours"] > 0
    public, training = row["measured"]["PublicTest"], row["measured"]["Training"]
    assert public["n"] == 35
    assert 28 <= training["n"] <= 42
    assert row["gap"] == training["accuracy"] - public["accuracy"]
    assert row["private_test_readings"] == []

    read = read_private_test(DATASET, row, work)
    assert [reading["n"] for reading in read["private_test_readings"]] == [28]
    assert read_private_test(DATASET, read, work) is read
    path = write_row(read, tmp_path / "rows")
    assert json.loads(path.read_text()) == read
    (work / "best.weights.h5").unlink()
    with pytest.raises(ConfigError, match="cannot be read .* Remove the row"):
        read_private_test(DATASET, row, work)


def test_every_system_has_recipes_that_load() -> None:
    assert [system.letter for system in SYSTEMS] == list("ABCDE")
    for system in SYSTEMS:
        for recipe in system.recipes:
            assert load_recipe(recipe).epochs > 0
    with pytest.raises(ConfigError, match="system 'F' does not exist. Use A, B, C, D, E"):
        references.chosen_systems(["A", "F"])


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("references_script", ROOT / "benchmarks" / "references.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def row_of(letter: str, recipe: str, accuracy: float, gap: float) -> dict[str, Any]:
    measured = {
        "n": 3589,
        "accuracy": accuracy,
        "accuracy_interval": [accuracy - 0.01, accuracy + 0.01],
        "macro_f1": 0.5,
    }
    row = {"system": letter, "recipe": recipe, "parameters": 1000, "mmacs": 2.0, "epochs": 3, "epochs_of_recipe": 50}
    row |= {"core_hours": 0.5, "gap": gap, "private_test_readings": []}
    return row | {"measured": {"PublicTest": measured, "Training": measured | {"accuracy": accuracy + gap}}}


def test_the_document_names_every_system_run_or_not(script: ModuleType, tmp_path: Path) -> None:
    write_row(row_of("D", "mini-xception", 0.6, 0.02), tmp_path)
    assert [row["recipe"] for row in read_rows(tmp_path)] == ["mini-xception"]
    script.write_document(tmp_path, tmp_path / "references.md")
    text = (tmp_path / "references.md").read_text()
    for system in SYSTEMS:
        for recipe in system.recipes:
            line = next(line for line in text.splitlines() if f"| `{recipe}` |" in line)
            assert line.count("|") == 12
            assert ("not run yet" in line) == (row_name(system, recipe) != "D-mini-xception")
    assert "60.0% (59.0% to 61.0%)" in text
    assert "fer2013-res-s" in text
    assert "Do two dense layers" not in text


@pytest.mark.parametrize(
    ("two", "one", "verdict", "gap"),
    [
        (
            (0.65, 0.02),
            (0.60, 0.07),
            "the claim holds. The gap to Training is +2.0 points with two and +7.0 with one",
            "the network with two over-fits less",
        ),
        ((0.60, 0.07), (0.65, 0.02), "the claim does not hold", "the network with one over-fits less"),
        ((0.61, 0.03), (0.60, 0.02), "no winner on these faces", "too close to call"),
    ],
)
def test_the_claim_on_dense_layers_is_answered(
    script: ModuleType, two: tuple[float, float], one: tuple[float, float], verdict: str, gap: str
) -> None:
    rows = [row_of("A", "conv4-lite", *two), row_of("A", "conv4-lite-fc1", *one)]
    assert verdict in script.compare_dense_layers(rows)
    assert gap in script.compare_dense_layers(rows)


def test_the_experiment_on_the_validation_generator_is_told_by_its_numbers(script: ModuleType) -> None:
    found = json.loads(script.GENERATOR.read_text())
    measured = {name: values["accuracy"] for name, values in found["measured"].items()}
    assert measured["validation after augmentation"] > 0.8 > 0.5 > measured["PublicTest"]
    text = script.explain_generator(found)
    for accuracy in measured.values():
        assert f"{accuracy:.1%}" in text


def test_the_generators_views_are_twins_not_copies() -> None:
    path = ROOT / "benchmarks" / "validation_generator.py"
    specification = importlib.util.spec_from_file_location("generator_script", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    views = module.augment(DATASET.images[:20], np.random.default_rng(0))
    assert views.dtype == np.uint8
    differences = np.abs(views.astype(int) - DATASET.images[:20]).mean(axis=(1, 2))
    assert (differences > 1).all()
