"""Searches a space of recipes by k-fold cross-validation on Training. Never uses PublicTest or PrivateTest.

A trial is one recipe, trained once for each fold that is held out. Its value is the mean accuracy on the held-out
folds after the last epoch: no epoch is chosen on them. A trial whose mean after a fold is below the median of the
others after as many folds is pruned. Epochs are not compared: schedules of different lengths are not comparable
half-way.

The study is an SQLite file. A search that was killed resumes where it stopped: finished trials count, the interrupted
one keeps its finished folds and the checkpoint of its current fold. One process at a time.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fervid.errors import ConfigError, FervidError, OutputError, missing
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.data.kfold import assign_folds, hold_out
from fervid.train.fit.loop import fit
from fervid.train.fit.recipe import Recipe
from fervid.train.tune.space import SearchSpace, Value, apply_values, draw_values

if TYPE_CHECKING:
    import optuna

STUDY = "study.db"
RUNNING = "running"
FOLDS, IDENTITY = "folds", "identity"
TRIALS_BEFORE_PRUNING = 4


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One training run of a trial, measured on the held-out fold: after the last epoch, and at its best one."""

    accuracy: float
    loss: float
    best_accuracy: float
    best_epoch: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A finished trial. One that was pruned has fewer folds than the others."""

    number: int
    is_pruned: bool
    values: dict[str, Value]
    folds: tuple[FoldResult, ...]

    @property
    def accuracy(self) -> float:
        """Mean over the folds."""
        return float(np.mean([fold.accuracy for fold in self.folds]))

    @property
    def spread(self) -> float:
        """Standard deviation over the folds."""
        return float(np.std([fold.accuracy for fold in self.folds]))

    @property
    def cpu_seconds(self) -> float:
        """Of all folds together."""
        return sum(fold.cpu_seconds for fold in self.folds)


@dataclass(frozen=True, slots=True)
class Search:
    """The finished trials of a study in the order in which they ran, and the number of images they were trained on."""

    trials: tuple[TrialResult, ...]
    n_images: int

    def best(self) -> TrialResult:
        """The trial with the best mean accuracy among those with all folds."""
        return max((trial for trial in self.trials if not trial.is_pruned), key=lambda trial: trial.accuracy)


# Decision TRA-11.
def tune(
    dataset: FaceDataset,
    space: SearchSpace,
    out: Path,
    *,
    n_trials: int,
    votes: np.ndarray | None = None,
    seed: int = 1,
    on_trial: Callable[[Search], None] | None = None,
) -> Search:
    """Run trials until the study in `out` has `n_trials` finished ones; `on_trial` is called after each.

    `votes` (N, 10) are FER+'s for the rows of `dataset`, which must contain Training and may contain nothing else.
    Raises DependencyMissing without Optuna, ConfigError when the study belongs to another space or data set.
    """
    optuna = _load_optuna()
    import keras

    try:
        (out / RUNNING).mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{out} cannot be made ({problem.strerror}). Give another folder with --out.") from None
    rows = np.flatnonzero(dataset.usage == "Training")
    training = dataset.take(rows) if len(rows) else dataset.split("Training")
    if space.part_of > 1:
        part = assign_folds(training.images, training.labels, space.part_of, seed) == 0
        rows, training = rows[part], training.take(part)
    folds = assign_folds(training.images, training.labels, space.folds, seed)
    training_votes = None if votes is None else votes[rows]
    study = _open_study(out / STUDY, space, training, seed)
    _queue_interrupted(study)
    search = _search(study, len(training.labels))
    while len(search.trials) < n_trials:
        trial = study.ask()
        try:
            state = _run_trial(trial, space, training, folds, training_votes, out / RUNNING)
        except FervidError:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        accuracies = [fold["accuracy"] for fold in trial.user_attrs[FOLDS]]
        study.tell(trial, None if state == optuna.trial.TrialState.PRUNED else float(np.mean(accuracies)), state)
        shutil.rmtree(out / RUNNING, ignore_errors=True)
        keras.utils.clear_session()
        search = _search(study, len(training.labels))
        if on_trial is not None:
            on_trial(search)
    return search


def _run_trial(
    trial: optuna.Trial,
    space: SearchSpace,
    training: FaceDataset,
    folds: np.ndarray,
    votes: np.ndarray | None,
    running: Path,
) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    recipe = apply_values(space.base(), draw_values(trial, space))
    results: list[dict[str, Any]] = list(trial.user_attrs.get(FOLDS, []))
    for fold in range(space.folds):
        if fold == len(results):
            held_out = hold_out(training, folds, fold)
            results.append(asdict(_run_fold(held_out, recipe, votes, running / f"fold{fold + 1}")))
            trial.set_user_attr(FOLDS, results)
        trial.report(float(np.mean([result["accuracy"] for result in results[: fold + 1]])), fold)
        if fold + 1 < space.folds and trial.should_prune():
            return TrialState.PRUNED
    return TrialState.COMPLETE


def _run_fold(dataset: FaceDataset, recipe: Recipe, votes: np.ndarray | None, folder: Path) -> FoldResult:
    started = time.process_time()
    fitted = fit(dataset, recipe, folder, votes=votes, progress=False)
    last, best = fitted.history[-1], fitted.history[fitted.best_epoch - 1]
    return FoldResult(
        accuracy=last.val_accuracy,
        loss=last.val_loss,
        best_accuracy=best.val_accuracy,
        best_epoch=fitted.best_epoch,
        cpu_seconds=time.process_time() - started,
    )


def _load_optuna() -> Any:
    try:
        import optuna
    except ImportError as problem:
        raise missing("the search", "Optuna", "tune", problem) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Each fold compiles its own network; TensorFlow warns about that as a likely mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return optuna


def _open_study(path: Path, space: SearchSpace, training: FaceDataset, seed: int) -> optuna.Study:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    identity = json.dumps(
        {
            "space": space.model_dump(),
            "recipe": space.base().model_dump(),
            "data": training.sha256(),
            "seed": seed,
        },
        sort_keys=True,
    )
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{path.resolve()}",
            study_name="fervid",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING),
        )
        stored = study.user_attrs.get(IDENTITY)
        if stored is None:
            study.set_user_attr(IDENTITY, identity)
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as problem:
        reason = str(problem).splitlines()[0]
        raise ConfigError(f"{path} cannot be used as a study ({reason}). Give another folder with --out.") from None
    if stored is not None and stored != identity:
        raise ConfigError(
            f"{path} belongs to another space, recipe, seed or data set. Give another --out, or remove that folder."
        )
    # The sampler's state is not stored: with the same seed, a resumed search would draw its first trials again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _queue_interrupted(study: optuna.Study) -> None:
    """Requeue trials that a killed process left running first, with their finished folds."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params, user_attrs={FOLDS: trial.user_attrs.get(FOLDS, [])})


def _search(study: optuna.Study, n_images: int) -> Search:
    from optuna.trial import TrialState

    finished = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    trials = (
        TrialResult(
            number=trial.number,
            is_pruned=trial.state == TrialState.PRUNED,
            values=trial.params,
            folds=tuple(FoldResult(**fold) for fold in trial.user_attrs[FOLDS]),
        )
        for trial in finished
    )
    return Search(tuple(trials), n_images)
