"""Writes the results of a search: every trial as CSV, a plot, and the best recipe. Searches nothing."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from fervid.charts.figures import DPI, make_figure
from fervid.errors import OutputError
from fervid.storage.publish import write_whole
from fervid.train.charts import BEST_COLOUR, TRAIN_COLOUR, VALIDATION_COLOUR
from fervid.train.tune.search import Search, TrialResult
from fervid.train.tune.space import Range, SearchSpace, Value, apply_values, recipe_as_toml

TRIALS_CSV, TRIALS_PNG, BEST = "trials.csv", "trials.png", "best.toml"
PANELS_PER_ROW = 3
UPRIGHT_CHARACTERS = 6


def write_search(search: Search, space: SearchSpace, out: Path) -> None:
    """Write trials.csv, trials.png and best.toml into `out`, each atomically. Raises OutputError."""
    try:
        write_whole(out / TRIALS_CSV, _trials_csv(search, space).encode())
        write_whole(out / TRIALS_PNG, _draw(search, space))
        best = search.best()
        comment = (
            f"Trial {best.number}, the best of {len(search.trials)}: mean accuracy {best.accuracy:.4f} on\n"
            f"{space.folds} held-out folds of {search.n_images:,} Training images, deviation {best.spread:.4f}."
        )
        write_whole(out / BEST, recipe_as_toml(apply_values(space.base(), best.values), comment).encode())
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Free some space, and run again.") from None


def ranked(search: Search) -> list[TrialResult]:
    """Trials with all folds by mean accuracy, the best first; then the pruned ones."""
    return sorted(search.trials, key=lambda trial: (trial.is_pruned, -trial.accuracy))


def _trials_csv(search: Search, space: SearchSpace) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    folds = [f"fold{i + 1}_accuracy" for i in range(space.folds)]
    measured = ["accuracy", "spread", "loss", "best_epoch_accuracy", "cpu_seconds"]
    writer.writerow(["trial", "state", *measured, *folds, *space.space])
    for trial in search.trials:
        state = "pruned" if trial.is_pruned else "complete"
        means = [np.mean([getattr(fold, name) for fold in trial.folds]) for name in ("loss", "best_accuracy")]
        accuracies = [f"{fold.accuracy:.6f}" for fold in trial.folds]
        accuracies += [""] * (space.folds - len(accuracies))
        numbers = [f"{value:.6f}" for value in (trial.accuracy, trial.spread, *means)]
        settings = [trial.values[setting] for setting in space.space]
        writer.writerow([trial.number, state, *numbers, f"{trial.cpu_seconds:.1f}", *accuracies, *settings])
    return text.getvalue()


def _draw(search: Search, space: SearchSpace) -> bytes:
    """Accuracy over the trials with the best so far, and over each setting that has more than one value."""
    settings = [name for name, values in space.space.items() if isinstance(values, Range) or len(values) > 1]
    panels = 1 + len(settings)
    columns = min(panels, PANELS_PER_ROW)
    rows = -(-panels // columns)
    figure = make_figure(3.6 * columns, 3.2 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    complete = [trial for trial in search.trials if not trial.is_pruned]
    pruned = [trial for trial in search.trials if trial.is_pruned]
    running_best = np.maximum.accumulate([100 * trial.accuracy for trial in complete])
    numbers = [trial.number for trial in complete]
    grid[0].step(numbers, running_best, where="post", color=BEST_COLOUR, linewidth=1.2, label="best so far")
    for axes, setting in zip(grid, [None, *settings], strict=False):
        for trials, marker, colour, name in (
            (complete, "o", TRAIN_COLOUR, "all folds"),
            (pruned, "x", VALIDATION_COLOUR, "stopped early"),
        ):
            if trials:
                places = [_place(trial, setting, space) for trial in trials]
                accuracies = [100 * trial.accuracy for trial in trials]
                axes.plot(places, accuracies, marker, color=colour, markersize=5, alpha=0.8, label=name)
        _label_axis(axes, setting, space)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[panels:]:
        axes.set_visible(False)
    for row in range(rows):
        grid[row * columns].set_ylabel("accuracy on held-out folds (%)")
    grid[0].legend(fontsize=8, frameon=False)
    title = f"{len(search.trials)} trials, {space.folds} folds of {search.n_images:,} Training images"
    figure.suptitle(title, fontsize=11, fontweight="bold")
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI, format="png")
    return drawn.getvalue()


def _place(trial: TrialResult, setting: str | None, space: SearchSpace) -> Value:
    """The position of a trial on the axis of a setting: its value, or the index of its value in the list."""
    if setting is None:
        return trial.number
    values = space.space[setting]
    return trial.values[setting] if isinstance(values, Range) else values.index(trial.values[setting])


def _label_axis(axes: Any, setting: str | None, space: SearchSpace) -> None:
    axes.set_xlabel("trial" if setting is None else setting)
    values = None if setting is None else space.space[setting]
    if isinstance(values, list):
        names = [str(value) for value in values]
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        if max(map(len, names)) > UPRIGHT_CHARACTERS:
            axes.tick_params(axis="x", labelrotation=20)
    elif isinstance(values, Range) and values.log:
        axes.set_xscale("log")
    elif values is None or values.is_whole:
        axes.get_xaxis().get_major_locator().set_params(integer=True)
