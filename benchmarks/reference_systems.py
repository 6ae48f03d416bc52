"""Published systems trained by their own recipes, each for the same number of core-hours. Prints no table.

The cosine schedule is made for the epochs that the budget allows: a short probe on a part of the data measures the
cost of an epoch, and the run is planned so that its schedule completes. Core-hours are CPU time of the process over all
its threads, so they depend little on other load of the machine (only through caches and clock rates).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.clock import utc_now
from fervid.base.version import __version__
from fervid.emotion.crops import as_network_input
from fervid.emotion.networks.network import build_network, count_mmacs
from fervid.errors import ConfigError, OutputError
from fervid.run.manifest import write_json
from fervid.train.data.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.data.kfold import assign_folds
from fervid.train.evaluate.scores import score_truth
from fervid.train.fit.loop import EpochRecord, StopTraining, fit
from fervid.train.fit.recipe import Recipe, load_recipe

log = logging.getLogger(__name__)

PLAN, WEIGHTS = "plan.json", "best.weights.h5"
PROBE_PARTS = 16
"""The probe trains on 1 / this of the data, or on more where that would be too few batches."""

PROBE_BATCHES = 4
PLANNED_SHARE = 0.95
"""Share of the budget that the schedule is planned for; the rest is a reserve."""

SECONDS_PER_HOUR = 3600
INFERENCE_BATCH = 256


@dataclass(frozen=True, slots=True)
class System:
    """A published system: its published claim, and the recipes that represent it here."""

    letter: str
    claim: str
    recipes: tuple[str, ...]


SYSTEMS = (
    System(
        "A",
        "of two CNNs the less complex one, with two fully connected layers instead of one, generalises better, "
        "with little over-fitting",
        ("conv4-lite", "conv4-lite-fc1"),
    ),
    System(
        "B",
        "a custom CNN or VGG base on (48, 48, 1), softmax over 7, Adam; no figure, asks for augmentation",
        ("vgg",),
    ),
    System("C", "four convolutions and two dense layers, 50 epochs: 82 % on the validation generator", ("conv4-fc2",)),
    System("D", "a CNN with batch norm and dropout behind a Haar webcam demo; no figure", ("mini-xception",)),
    System("E", "38 layers of blocks A and B, 60 epochs: 64.02 % on unseen data", ("blocks38",)),
)


@dataclass(slots=True)
class _Plan:
    """The plan of a run, and what it has used so far, over all its processes."""

    core_hours_budget: float
    epochs: int
    epoch_cpu_seconds: float
    cpu_seconds: float


def row_name(system: System, recipe: str) -> str:
    """The name of a row: `A-conv4-lite`."""
    return f"{system.letter}-{recipe}"


def run_reference(
    dataset: FaceDataset,
    system: System,
    recipe_name: str,
    work: Path,
    *,
    core_hours: float,
    max_epochs: int | None = None,
    private_test: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Train one recipe of a system within `core_hours` and measure it: a row for `json.dumps`.

    A run that was killed resumes from its last epoch in `work`. PrivateTest is read only with `private_test`, once, and
    the reading is in the row. Raises ConfigError for a `work` that was planned for another budget.
    """
    import keras

    recipe = load_recipe(recipe_name, epochs=max_epochs)
    plan = _read_plan(work, core_hours)
    if plan is None:
        plan = _make_plan(dataset, recipe, work, core_hours)
        _write_plan(plan, work)
    started, used_before = time.process_time(), plan.cpu_seconds

    def on_epoch(record: EpochRecord) -> None:
        before, plan.cpu_seconds = plan.cpu_seconds, used_before + time.process_time() - started
        _write_plan(plan, work)
        next_one = max(plan.epoch_cpu_seconds, plan.cpu_seconds - before)
        if record.epoch < plan.epochs and plan.cpu_seconds + next_one > core_hours * SECONDS_PER_HOUR:
            log.warning("%s: the budget is spent after epoch %d of %d", recipe_name, record.epoch, plan.epochs)
            raise StopTraining

    planned = recipe.model_copy(update={"epochs": plan.epochs})
    fitted = fit(dataset, planned, work, progress=progress, on_epoch=on_epoch)
    fitted.model.save_weights(work / WEIGHTS)
    training = dataset.split("Training")
    sample = training.take(_sample(training, len(dataset.split("PublicTest").labels)))
    measured = {
        "PublicTest": _measure(fitted.model, dataset.split("PublicTest"), recipe_name),
        "Training": _measure(fitted.model, sample, recipe_name),
    }
    row = {
        "system": system.letter,
        "claim": system.claim,
        "recipe": recipe_name,
        "network": recipe.network,
        "parameters": fitted.model.count_params(),
        "mmacs": count_mmacs(fitted.model),
        "epochs": len(fitted.history),
        "epochs_planned": plan.epochs,
        "epochs_of_recipe": load_recipe(recipe_name).epochs,
        "best_epoch": fitted.best_epoch,
        "core_hours_budget": core_hours,
        "core_hours": plan.cpu_seconds / SECONDS_PER_HOUR,
        "training_images": len(training.labels),
        "settings": planned.model_dump(mode="json"),
        "mean": fitted.mean,
        "std": fitted.std,
        "measured": measured,
        "gap": measured["Training"]["accuracy"] - measured["PublicTest"]["accuracy"],
        "private_test_readings": [],
        "data_sha256": dataset.sha256(),
        "fervid_version": __version__,
        "keras_version": keras.__version__,
        "utc": utc_now(),
    }
    return read_private_test(dataset, row, work) if private_test else row


def read_private_test(dataset: FaceDataset, row: dict[str, Any], work: Path) -> dict[str, Any]:
    """`row` with a reading of PrivateTest, from the weights in `work`; unchanged if it already has one."""
    if row["private_test_readings"]:
        return row
    model = build_network(row["network"], n_classes=len(EMOTIONS), side_px=SIDE_PX, mean=row["mean"], std=row["std"])
    try:
        model.load_weights(work / WEIGHTS)
    except (OSError, ValueError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ConfigError(f"{work / WEIGHTS} cannot be read ({reason}). Remove the row, and run it again.") from None
    reading = {"utc": utc_now()} | _measure(model, dataset.split("PrivateTest"), row["recipe"])
    return row | {"private_test_readings": [reading]}


def write_row(row: dict[str, Any], results: Path) -> Path:
    """Write a row as one JSON file of `results` atomically. Raises OutputError."""
    path = results / f"{row['system']}-{row['recipe']}.json"
    _replace(path, row)
    return path


def read_rows(results: Path) -> list[dict[str, Any]]:
    """The rows of `results` in the order of SYSTEMS; missing ones are skipped."""
    names = [row_name(system, recipe) for system in SYSTEMS for recipe in system.recipes]
    files = [results / f"{name}.json" for name in names]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def _make_plan(dataset: FaceDataset, recipe: Recipe, work: Path, core_hours: float) -> _Plan:
    """Time an epoch on a part of the data and choose how many fit into the budget."""
    training, validation = dataset.split("Training"), dataset.split("PublicTest")
    parts = max(1, min(PROBE_PARTS, len(training.labels) // (PROBE_BATCHES * recipe.batch_size)))
    rows = np.concatenate([np.flatnonzero(dataset.usage == name)[::parts] for name in ("Training", "PublicTest")])
    ends = [time.process_time()]
    probe = recipe.model_copy(update={"epochs": 2})
    fit(
        dataset.take(rows),
        probe,
        work / "probe",
        resume=False,
        progress=False,
        on_epoch=lambda _: ends.append(time.process_time()),
    )
    spent = time.process_time() - ends[0]
    second = ends[2] - ends[1]  # the first epoch also compiles
    compiling = ends[1] - ends[0] - second
    epoch_seconds = second * (len(training.labels) + len(validation.labels)) / len(rows)
    left = core_hours * SECONDS_PER_HOUR * PLANNED_SHARE - spent - compiling
    epochs = min(recipe.epochs, int(left // epoch_seconds))
    if epochs < 1:
        raise ConfigError(
            f"recipe {recipe.network}: {core_hours:g} core-hours are less than one epoch needs "
            f"({(epoch_seconds + spent + compiling) / SECONDS_PER_HOUR:.2f} core-hours). Give more with --core-hours."
        )
    log.info("%s: %.0f CPU s per epoch, %d of %d epochs", recipe.network, epoch_seconds, epochs, recipe.epochs)
    return _Plan(core_hours, epochs, epoch_seconds, spent)


def _read_plan(work: Path, core_hours: float) -> _Plan | None:
    path = work / PLAN
    if not path.is_file():
        return None
    plan = _Plan(**json.loads(path.read_text(encoding="utf-8")))
    if plan.core_hours_budget != core_hours:
        raise ConfigError(
            f"{path} was planned for {plan.core_hours_budget:g} core-hours, not {core_hours:g}. "
            "Give the same budget to resume, or remove the folder."
        )
    return plan


def _write_plan(plan: _Plan, work: Path) -> None:
    _replace(work / PLAN, asdict(plan))


def _replace(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give a writable folder.") from None


def _sample(training: FaceDataset, n: int) -> np.ndarray:
    """About `n` rows of Training with its share of labels, the same ones for every system."""
    parts = max(1, round(len(training.labels) / n))
    return np.asarray(assign_folds(training.images, training.labels, parts, seed=0) == 0)


def _measure(model: Any, faces: FaceDataset, name: str) -> dict[str, Any]:
    logits = model.predict(as_network_input(faces.images), batch_size=INFERENCE_BATCH, verbose=0)
    split = str(faces.usage[0])
    scores = score_truth(logits, faces.labels, labels=EMOTIONS, temperature=1.0, model=name, split=split)
    stored = scores.to_json()
    return {key: stored[key] for key in ("n", "accuracy", "accuracy_interval", "macro_f1")}


def chosen_systems(letters: Sequence[str]) -> list[System]:
    """The systems with these letters. Raises ConfigError for another letter."""
    known = {system.letter: system for system in SYSTEMS}
    unknown = [letter for letter in letters if letter not in known]
    if unknown:
        raise ConfigError(f"system {unknown[0]!r} does not exist. Use {', '.join(known)}.")
    return [known[letter] for letter in letters]
