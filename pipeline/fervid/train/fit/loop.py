"""The training loop: epochs, checkpoints, resume, choice of the best epoch. Knows nothing of model folders.

Selection uses PublicTest only; PrivateTest is never read here.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fervid.base import assets
from fervid.base.progress import make_bar
from fervid.base.threads import map_in_order
from fervid.emotion.keras import load_network
from fervid.emotion.model import FER2013, FERPLUS, ModelInfo, load_model_info
from fervid.emotion.networks.network import (
    add_ferplus_head,
    build_network,
    load_backbone_weights,
    load_initial_weights,
)
from fervid.errors import ConfigError, OutputError
from fervid.runtime.backend import describe_backend, quiet
from fervid.stats.metrics import accuracy, negative_log_likelihood
from fervid.train.data.augment import draw_views
from fervid.train.data.clean import clean_training
from fervid.train.data.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.data.ferplus import vote_targets
from fervid.train.fit.checkpoint import CHECKPOINT, former_identity, load_checkpoint, run_identity, save_checkpoint
from fervid.train.fit.distil import StoredTargets, prepare_teaching
from fervid.train.fit.objective import draw_pairs, training_arrays
from fervid.train.fit.recipe import Recipe
from fervid.train.fit.stepper import Stepper, make_stepper

log = logging.getLogger(__name__)

MIXUP_STREAM = 1
"""Keeps the random numbers of mixup apart from those of the views of the same step."""
LOSS_SHOWN_EVERY = 10
"""Steps. Reading a loss waits for the device, which should never be idle."""
VIEW_THREADS = 4


class StopTraining(Exception):
    """Raised by an `on_epoch` callback to stop early: the run ends with its best epoch so far."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of the history. Training figures are of augmented views, validation figures of PublicTest (EMA)."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished run: the network with the averaged weights of its best epoch, and its history.

    `model` computes in float32 and gives the logits of `heads` side by side.
    """

    model: Any
    history: tuple[EpochRecord, ...]
    best_epoch: int
    mean: float
    std: float
    heads: tuple[str, ...] = (FER2013,)


# Decision TRA-1.
def fit(
    dataset: FaceDataset,
    recipe: Recipe,
    out: Path,
    *,
    votes: np.ndarray | None = None,
    resume: bool = True,
    progress: bool = True,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Fitted:
    """Train `recipe` on the Training split, choose the epoch on PublicTest, keep a checkpoint per epoch in `out`.

    `votes` float32 (N, 10), a row for each of `dataset`, are needed by recipes with a `ferplus_weight`, and with
    `clean` they mark the images without a face.
    With `resume` a checkpoint of the same recipe and data is resumed, whichever backend wrote it; one of
    another recipe is a ConfigError. An `out` that cannot be written is an OutputError. `on_epoch` is called after each
    epoch's checkpoint; what it raises ends the run there, StopTraining with the best epoch so far as the result.
    """
    import keras

    dataset, votes = _cleaned(dataset, votes, recipe)
    training, validation = dataset.split("Training"), dataset.split("PublicTest")
    training_votes = None if votes is None else votes[dataset.usage == "Training"]
    targets = None if training_votes is None else vote_targets(training_votes)
    teaching = prepare_teaching(recipe, training)
    initial = None if recipe.initial_model is None else load_model_info(assets.model_folder(recipe.initial_model))

    mean, std = float(training.images.mean() / 255), float(training.images.std() / 255)
    with quiet():  # it seeds every backend that is installed, and imports it for that
        keras.utils.set_random_seed(recipe.seed)
    data = training_arrays(training.images, training.labels, len(EMOTIONS), recipe, targets)
    stepper = make_stepper(_builder(recipe, mean, std, initial), recipe, data, teaching.networks)

    _make_folder(out)
    hashes = [*teaching.hashes, *([] if initial is None else [initial.weights_sha256])]
    identity = run_identity(recipe, training, validation, training_votes, hashes)
    history: list[EpochRecord] = []
    best: dict[str, np.ndarray] = {}
    if resume and (out / CHECKPOINT).is_file():
        former = former_identity(recipe, dataset, votes)
        state, records, best = load_checkpoint(out / CHECKPOINT, [identity, former])
        stepper.restore(state)
        history = [EpochRecord(**record) for record in records]
    report = _Reporter(recipe, len(training.labels), shown=progress)
    report.started(stepper.model, len(history))

    for epoch in range(len(history) + 1, recipe.epochs + 1):
        history.append(_run_epoch(stepper, recipe, training, validation, teaching.stored, epoch, progress))
        if _best_epoch(history) == epoch:
            best = {key: value for key, value in stepper.state().items() if key.startswith("average/")}
        save_checkpoint(out / CHECKPOINT, identity, stepper.state(), [asdict(record) for record in history], best)
        report.finished(history)
        if _is_stopped(on_epoch, history[-1]):
            break

    stepper.restore(stepper.state() | best)
    heads = (FER2013, FERPLUS) if recipe.ferplus_weight else (FER2013,)
    return Fitted(stepper.averaged_model, tuple(history), _best_epoch(history), mean, std, heads)


def _cleaned(dataset: FaceDataset, votes: np.ndarray | None, recipe: Recipe) -> tuple[FaceDataset, np.ndarray | None]:
    """The rows that the recipe trains on, with their votes where it learns those. Raises ConfigError."""
    if recipe.clean:
        cleaned = clean_training(dataset, votes)
        dataset, votes = cleaned.dataset, cleaned.votes
        log.info("cleaned: %d Training rows without a face, %d copies", cleaned.no_face, cleaned.extra_copies)
    n_training = int((dataset.usage == "Training").sum())
    if n_training < recipe.batch_size:
        raise ConfigError(f"batch_size {recipe.batch_size} is larger than the {n_training} Training rows. Lower it.")
    if not recipe.ferplus_weight:
        return dataset, None
    if votes is None:
        raise ConfigError(
            f"the recipe has ferplus_weight = {recipe.ferplus_weight:g}, but FER+ votes are missing. "
            "Give FER+'s fer2013new.csv with --ferplus, or put it next to the data."
        )
    return dataset, votes


def _builder(recipe: Recipe, mean: float, std: float, initial: ModelInfo | None) -> Callable[[], Any]:
    """What makes the network of a recipe, with the weights that it begins from."""

    def build() -> Any:
        model = build_network(recipe.network, n_classes=len(EMOTIONS), side_px=SIDE_PX, mean=mean, std=std)
        if recipe.backbone_weights:
            load_backbone_weights(model, Path(recipe.backbone_weights))
        model = add_ferplus_head(model) if recipe.ferplus_weight else model
        if initial is not None:
            load_initial_weights(model, load_network(initial), initial.name)
        return model

    return build


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{out} cannot be made ({problem.strerror}). Give another folder with --out.") from None


def _is_stopped(on_epoch: Callable[[EpochRecord], None] | None, record: EpochRecord) -> bool:
    """Whether who hears of an epoch ends the run with it."""
    try:
        if on_epoch is not None:
            on_epoch(record)
    except StopTraining:
        return True
    return False


def _run_epoch(
    stepper: Stepper,
    recipe: Recipe,
    training: FaceDataset,
    validation: FaceDataset,
    stored: StoredTargets | None,
    epoch: int,
    progress: bool,
) -> EpochRecord:
    started = time.perf_counter()
    steps = len(training.labels) // recipe.batch_size
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(training.labels))
    draw = _drawer(recipe, order, epoch, stored)
    results: list[tuple[Any, Any]] = []
    rate = 0.0
    n_threads = max(1, min(VIEW_THREADS, (os.cpu_count() or 1) - 1))
    with make_bar(steps, description=f"epoch {epoch}/{recipe.epochs}", unit="batches", is_shown=progress) as bar:
        for i, (rows, views) in enumerate(map_in_order(lambda: draw, iter(range(steps)), n_threads=n_threads)):
            step = (epoch - 1) * steps + i
            rate = recipe.learning_rate(step, steps)
            results.append(stepper.train(rows, views, step=step, learning_rate=rate))
            bar.update()
            if progress and i % LOSS_SHOWN_EVERY == 0:
                bar.set_postfix(loss=f"{float(results[-1][0]):.3f}", refresh=False)
    losses, hits = np.array([[float(value) for value in result] for result in results]).T
    logits = stepper.averaged_logits(validation.images)[:, : len(EMOTIONS)]
    return EpochRecord(
        epoch=epoch,
        learning_rate=rate,
        train_loss=float(losses.mean()),
        train_accuracy=float(hits.mean()),
        val_loss=negative_log_likelihood(logits, validation.labels),
        val_accuracy=accuracy(logits, validation.labels),
        seconds=time.perf_counter() - started,
    )


def _drawer(
    recipe: Recipe, order: np.ndarray, epoch: int, stored: StoredTargets | None
) -> Callable[[int], tuple[np.ndarray, dict[str, np.ndarray]]]:
    """A function from the number of a step to its rows int (n,) and their views, the same for every call."""
    strength = recipe.augment.strength()
    fixed = None if stored is None else stored.epoch(epoch)

    def draw(i: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rows = order[i * recipe.batch_size : (i + 1) * recipe.batch_size]
        views = draw_views(len(rows), SIDE_PX, strength, (recipe.seed, epoch, i))
        if fixed is not None:
            views |= {key: values[rows] for key, values in fixed.items()}
        if recipe.mixup_alpha:
            views |= draw_pairs(len(rows), recipe.mixup_alpha, (recipe.seed, epoch, i, MIXUP_STREAM))
        return rows, views

    return draw


class _Reporter:
    """Prints progress of the training to stderr."""

    def __init__(self, recipe: Recipe, n_faces: int, *, shown: bool) -> None:
        self._recipe, self._n_faces, self._shown = recipe, n_faces, shown

    def started(self, model: Any, n_done: int) -> None:
        epochs, weights = self._recipe.epochs, model.count_params() / 1e6
        if n_done >= epochs:
            self._print(f"all {epochs} epochs are done: nothing to train")
            return
        again = f"resuming after epoch {n_done} of {epochs}" if n_done else f"{epochs} epochs"
        self._print(f"{self._recipe.network} ({weights:.2f} M weights), {describe_backend()}: {again}")

    def finished(self, history: list[EpochRecord]) -> None:
        last, left = history[-1], self._recipe.epochs - len(history)
        speed = self._n_faces / last.seconds
        todo = f", {left} epochs left, about {_duration(left * last.seconds)}" if left else ""
        self._print(
            f"epoch {last.epoch}/{self._recipe.epochs}: PublicTest accuracy {last.val_accuracy:.4f}, "
            f"loss {last.val_loss:.4f}; {speed:.0f} faces per second{todo}"
        )

    def _print(self, line: str) -> None:
        if self._shown:
            tqdm.write(line, file=sys.stderr)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{max(1, minutes)} min"


def _best_epoch(history: list[EpochRecord]) -> int:
    return max(history, key=lambda record: (record.val_accuracy, -record.val_loss)).epoch
