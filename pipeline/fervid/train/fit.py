"""The training loop: epochs, checkpoints, resume, choice of the best epoch. Knows nothing of model folders.

Selection looks at PublicTest only; PrivateTest is never read here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fervid.errors import ConfigError, OutputError
from fervid.train.augment import draw_views
from fervid.train.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.metrics import accuracy, negative_log_likelihood
from fervid.train.network import build_network, load_backbone_weights
from fervid.train.objective import draw_pairs
from fervid.train.recipe import Recipe
from fervid.train.stepper import Stepper

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.npz"
MIXUP_STREAM = 1
"""Keeps the random numbers of mixup apart from those of the views of the same step."""


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
    """A finished run: the network with the averaged weights of its best epoch, and how it got there."""

    model: Any
    history: tuple[EpochRecord, ...]
    best_epoch: int
    mean: float
    std: float


def fit(
    dataset: FaceDataset,
    recipe: Recipe,
    out: Path,
    *,
    votes: np.ndarray | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Fitted:
    """Train `recipe` on the Training split, choose the epoch on PublicTest, keep a checkpoint per epoch in `out`.

    `votes` float32 (N, 10), a row for each of `dataset`, are needed by recipes with a `ferplus_weight`.
    With `resume` a checkpoint of the same recipe and data is continued; one of another recipe is a ConfigError.
    An `out` that cannot be written is an OutputError.
    """
    import keras

    training, validation = dataset.split("Training"), dataset.split("PublicTest")
    mean, std = float(training.images.mean() / 255), float(training.images.std() / 255)
    keras.utils.set_random_seed(recipe.seed)
    model = build_network(recipe.network, n_classes=len(EMOTIONS), side_px=SIDE_PX, mean=mean, std=std)
    if recipe.backbone_weights:
        load_backbone_weights(model, Path(recipe.backbone_weights))
    if recipe.ferplus_weight and votes is None:
        raise ConfigError(
            f"the recipe has ferplus_weight = {recipe.ferplus_weight:g}, but there are no votes. "
            "Give FER+'s fer2013new.csv with --ferplus, or put it beside the data."
        )
    training_votes = votes[dataset.usage == "Training"] if votes is not None else None
    stepper = Stepper(model, recipe, training.images, training.labels, training_votes)
    if len(training.labels) < recipe.batch_size:
        raise ConfigError(
            f"batch_size {recipe.batch_size} is larger than the {len(training.labels)} Training rows. Lower it."
        )

    identity = _identity(recipe, dataset, votes if recipe.ferplus_weight else None)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{out} cannot be made ({problem.strerror}). Give another folder with --out.") from None
    history: list[EpochRecord] = []
    best: dict[str, np.ndarray] = {}
    if resume and (out / CHECKPOINT).is_file():
        history, best = _restore(out / CHECKPOINT, identity, stepper)
        log.info("resumed after epoch %d of %d", len(history), recipe.epochs)

    steps = len(training.labels) // recipe.batch_size
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        history.append(_run_epoch(stepper, recipe, training, validation, epoch, steps, progress))
        if _best_epoch(history) == epoch:
            best = {key: value for key, value in stepper.state().items() if key.startswith("average/")}
        _save(out / CHECKPOINT, identity, stepper, history, best)
        if progress:
            last = history[-1]
            line = (
                f"epoch {epoch}/{recipe.epochs}: PublicTest accuracy {last.val_accuracy:.4f}, loss {last.val_loss:.4f}"
            )
            tqdm.write(line, file=sys.stderr)

    stepper.restore(stepper.state() | best)
    stepper.load_averages()
    return Fitted(model, tuple(history), _best_epoch(history), mean, std)


def _run_epoch(
    stepper: Stepper,
    recipe: Recipe,
    training: FaceDataset,
    validation: FaceDataset,
    epoch: int,
    steps: int,
    progress: bool,
) -> EpochRecord:
    started = time.perf_counter()
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(training.labels))
    strength = recipe.augment.strength()
    losses, hits = np.empty(steps), np.empty(steps)
    rate = 0.0
    with tqdm(
        total=steps, desc=f"epoch {epoch}/{recipe.epochs}", unit="batch", disable=not progress, leave=False
    ) as bar:
        for i in range(steps):
            step = (epoch - 1) * steps + i
            rows = order[i * recipe.batch_size : (i + 1) * recipe.batch_size]
            rate = recipe.learning_rate(step, steps)
            views = draw_views(len(rows), SIDE_PX, strength, (recipe.seed, epoch, i))
            if recipe.mixup_alpha:
                views |= draw_pairs(len(rows), recipe.mixup_alpha, (recipe.seed, epoch, i, MIXUP_STREAM))
            losses[i], hits[i] = stepper.train(rows, views, step=step, learning_rate=rate)
            bar.update()
            bar.set_postfix(loss=f"{losses[: i + 1].mean():.3f}", refresh=False)
    logits = stepper.averaged_logits(validation.images)
    return EpochRecord(
        epoch=epoch,
        learning_rate=rate,
        train_loss=float(losses.mean()),
        train_accuracy=float(hits.mean()),
        val_loss=negative_log_likelihood(logits, validation.labels),
        val_accuracy=accuracy(logits, validation.labels),
        seconds=time.perf_counter() - started,
    )


def _best_epoch(history: list[EpochRecord]) -> int:
    return max(history, key=lambda record: (record.val_accuracy, -record.val_loss)).epoch


def _identity(recipe: Recipe, dataset: FaceDataset, votes: np.ndarray | None) -> str:
    content = {"recipe": recipe.model_dump(), "data": dataset.sha256()}
    if votes is not None:
        content["votes"] = hashlib.sha256(votes.astype("<f4").tobytes()).hexdigest()
    return json.dumps(content, sort_keys=True)


def _same_run(stored: str, identity: str) -> bool:
    """Whether two identities name one run: a setting that was not there yet when it began has its default."""
    try:
        ours, theirs = json.loads(identity), json.loads(stored)
        theirs["recipe"] = Recipe.model_validate(theirs["recipe"]).model_dump()
    except (ValueError, KeyError, TypeError):
        return False
    return bool(ours == theirs)


def _save(path: Path, identity: str, stepper: Stepper, history: list[EpochRecord], best: dict[str, np.ndarray]) -> None:
    arrays: dict[str, Any] = stepper.state() | {f"best/{key}": value for key, value in best.items()}
    arrays["identity"] = np.array(identity)
    arrays["history"] = np.array(json.dumps([asdict(record) for record in history]))
    partial = path.with_suffix(".part.npz")
    try:
        np.savez(partial, **arrays)
        os.replace(partial, path)
    except OSError as problem:
        raise OutputError(
            f"{path} cannot be written ({problem.strerror}). Make room, and run again to resume."
        ) from None


def _restore(path: Path, identity: str, stepper: Stepper) -> tuple[list[EpochRecord], dict[str, np.ndarray]]:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ConfigError(f"{path} cannot be read as a checkpoint ({problem}). Start over with --no-resume.") from None
    if not _same_run(str(arrays.get("identity")), identity):
        raise ConfigError(
            f"{path} belongs to another recipe or data set. Give another --out, or --no-resume to start over."
        )
    stepper.restore(arrays)
    history = [EpochRecord(**record) for record in json.loads(str(arrays["history"]))]
    return history, {key.removeprefix("best/"): value for key, value in arrays.items() if key.startswith("best/")}
