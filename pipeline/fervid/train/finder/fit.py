"""Fits the finder: epochs, checkpoints, resume, choice of the best epoch. Writes no model.

The epoch and the threshold are chosen on pictures that are not learned from.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tqdm import tqdm

from fervid.base.progress import make_bar
from fervid.base.threads import map_in_order
from fervid.detect.finder import FinderNetwork, Weights
from fervid.runtime.backend import describe_backend, quiet
from fervid.train.finder.judge import LOWEST_SCORE, judge
from fervid.train.finder.network import FinderModel, finder_loss
from fervid.train.finder.targets import TaughtPictures
from fervid.train.finder.views import ViewMaker
from fervid.train.fit.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from fervid.train.fit.recipe import warmup_and_cosine
from fervid.train.fit.stepper import to_array

SIDES_PX, SIDE_SHARES = (64, 128, 192), (0.2, 0.5, 0.3)
PIXELS_A_STEP = 16 * 128**2


class FinderRecipe(BaseModel):
    """One training of the finder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=100, gt=0)
    steps: int = Field(default=100, gt=0, description="steps of an epoch, each of some 260,000 pixels")
    warmup_epochs: int = Field(default=1, ge=0)
    peak_learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    seed: int = Field(default=1, ge=0)


@dataclass(frozen=True, slots=True)
class FinderEpoch:
    """One line of the history. Recall and precision are those of the averaged weights on the pictures to choose by."""

    epoch: int
    learning_rate: float
    loss: float
    average_precision: float
    recall: float
    threshold: float
    seconds: float


@dataclass(frozen=True, slots=True)
class FittedFinder:
    """The averaged weights of the best epoch."""

    weights: Weights
    history: tuple[FinderEpoch, ...]
    best: FinderEpoch


def fit_finder(
    taught: TaughtPictures, judged: TaughtPictures, recipe: FinderRecipe, out: Path, *, resume: bool, progress: bool
) -> FittedFinder:
    """Train on `taught`, choose the epoch on `judged`, keep a checkpoint per epoch in `out`.

    With `resume` a checkpoint of the same recipe and pictures is resumed; another one is a ConfigError. Raises
    OutputError when the checkpoint cannot be written.
    """
    import keras

    with quiet():  # it seeds every backend that is installed, and imports it for that
        keras.utils.set_random_seed(recipe.seed)
    finder = FinderModel()
    optimizer = _make_optimizer(recipe)
    finder.model.compile(optimizer, loss=finder_loss)
    optimizer.build(finder.model.trainable_variables)
    identity = {"finder": recipe.model_dump(), "data": [taught.sha256(), judged.sha256()]}
    variables = {
        f"{group}/{i}": variable
        for group, own in (("model", finder.model.variables), ("optimizer", optimizer.variables))
        for i, variable in enumerate(own)
    }
    history: list[FinderEpoch] = []
    best: dict[str, np.ndarray] = {}
    if resume and (out / CHECKPOINT).is_file():
        state, records, best = load_checkpoint(out / CHECKPOINT, [identity])
        for key, variable in variables.items():
            variable.assign(state[key])
        history = [FinderEpoch(**record) for record in records]
    views = ViewMaker(taught)
    _say(progress, f"{finder.model.count_params():,} weights, {describe_backend()}: {len(history)} epochs done")
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        started = time.perf_counter()
        loss = _run_epoch(finder.model, views, recipe, epoch, progress)
        weights = finder.weights(_averages(optimizer, finder.model))
        score = judge(FinderNetwork(weights, score_threshold=LOWEST_SCORE), judged)
        seconds = time.perf_counter() - started
        rate = _rate(recipe, epoch * recipe.steps - 1)
        reached = score.average_precision, score.recall, score.threshold
        history.append(FinderEpoch(epoch, rate, loss, *reached, seconds))
        if _best(history).epoch == epoch:
            best = {
                f"{kind}_{i}": part[k] for i, part in enumerate(weights) for k, kind in enumerate(("kernel", "bias"))
            }
        state = {key: to_array(variable) for key, variable in variables.items()}
        save_checkpoint(out / CHECKPOINT, identity, state, [asdict(record) for record in history], best)
        _say(
            progress,
            f"epoch {epoch}/{recipe.epochs}: loss {loss:.3f}, average precision {score.average_precision:.4f}, recall "
            f"{score.recall:.4f} with 1 % false boxes, {seconds:.0f} s",
        )
    chosen = [(best[f"kernel_{i}"], best[f"bias_{i}"]) for i in range(len(best) // 2)]
    return FittedFinder(chosen, tuple(history), _best(history))


def _make_optimizer(recipe: FinderRecipe) -> Any:
    import keras

    optimizer = keras.optimizers.AdamW(
        recipe.peak_learning_rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=5.0,
        use_ema=True,
        ema_momentum=recipe.ema_decay,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _rate(recipe: FinderRecipe, step: int) -> float:
    return warmup_and_cosine(
        step, recipe.warmup_epochs * recipe.steps, recipe.epochs * recipe.steps, recipe.peak_learning_rate
    )


def _run_epoch(model: Any, views: ViewMaker, recipe: FinderRecipe, epoch: int, progress: bool) -> float:
    """The mean loss of an epoch."""

    def draw(i: int) -> tuple[np.ndarray, np.ndarray]:
        seed = recipe.seed, epoch, i
        side = int(np.random.default_rng(seed).choice(SIDES_PX, p=SIDE_SHARES))
        return views.batch(max(2, PIXELS_A_STEP // side**2), side, seed)

    losses = []
    with make_bar(recipe.steps, description=f"epoch {epoch}/{recipe.epochs}", unit="steps", is_shown=progress) as bar:
        for i, (grays, targets) in enumerate(map_in_order(lambda: draw, iter(range(recipe.steps)), n_threads=1)):
            model.optimizer.learning_rate.assign(_rate(recipe, (epoch - 1) * recipe.steps + i))
            losses.append(float(model.train_on_batch(grays, targets)))
            bar.update()
    return float(np.mean(losses))


def _averages(optimizer: Any, model: Any) -> dict[int, np.ndarray]:
    """The moving average of each trainable variable, by the variable's id."""
    averages = optimizer._model_variables_moving_average
    return {
        id(variable): to_array(average) for variable, average in zip(model.trainable_variables, averages, strict=True)
    }


def _best(history: Sequence[FinderEpoch]) -> FinderEpoch:
    return max(history, key=lambda record: record.average_precision)


def _say(is_shown: bool, line: str) -> None:
    if is_shown:
        tqdm.write(line, file=sys.stderr)
