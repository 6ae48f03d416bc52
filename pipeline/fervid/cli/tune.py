"""`fervid tune`: search a space of recipes by cross-validation on Training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base import assets

if TYPE_CHECKING:
    from fervid.train.tune.search import Search
    from fervid.train.tune.space import SearchSpace

SHOWN = 10


def tune(
    data: Annotated[Path, typer.Option(help="FER-2013: the CSV file, or the folder with it or with train/ and test/.")],
    space: Annotated[str, typer.Argument(help="Name of an included search space, or a .toml file.")],
    trials: Annotated[int, typer.Option(min=1, help="Total number of finished trials, including earlier runs.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds and of the sampler.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder of the study; an existing search in it is resumed.",
            show_default="search/SPACE in outputs/",
        ),
    ] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(help="FER+ votes (fer2013new.csv), for recipes that use them.", show_default="next to the data"),
    ] = None,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Search recipes by k-fold cross-validation on Training; write trials.csv, trials.png and best.toml.

    The same command resumes an interrupted search; finished trials are kept. `fervid train --recipe best.toml` trains
    the best.
    """
    from fervid.train.tune.space import load_space

    settings = load_space(space)
    from fervid.train.data.agreement import find_votes
    from fervid.train.data.fer2013 import load_fer2013

    dataset = load_fer2013(data, require_official=not allow_unofficial)
    folder = out if out is not None else assets.default_output_folder() / "search" / Path(space).stem
    votes = find_votes(ferplus, data, dataset)
    from fervid.runtime.backend import load_training_backend

    load_training_backend()
    from fervid.train.tune.search import tune as search_space
    from fervid.train.tune.tune_files import BEST, write_search

    def on_trial(search: Search) -> None:
        write_search(search, settings, folder)
        if not quiet:
            last = search.trials[-1]
            how = "stopped after" if last.is_pruned else "all"
            typer.echo(
                f"trial {last.number} ({len(search.trials)} of {trials}): accuracy {last.accuracy:.4f}, "
                f"{how} {len(last.folds)} folds, {last.cpu_seconds:.0f} CPU s",
                err=True,
            )

    search = search_space(dataset, settings, folder, n_trials=trials, votes=votes, seed=seed, on_trial=on_trial)
    write_search(search, settings, folder)
    typer.echo(_table(search, settings))
    typer.echo(f"\nbest recipe: {folder / BEST}; all trials are in trials.csv and trials.png beside it")


def _table(search: Search, space: SearchSpace) -> str:
    """The best trials, one per line."""
    from fervid.train.tune.tune_files import ranked

    shown = ranked(search)[:SHOWN]
    cells = [["trial", "accuracy", "spread", "folds", "CPU s", *space.space]]
    for trial in shown:
        values = [trial.values[setting] for setting in space.space]
        texts = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        folds = f"{len(trial.folds)}{' (stopped)' if trial.is_pruned else ''}"
        accuracy, spread = f"{trial.accuracy:.2%}", f"{trial.spread:.2%}"
        cells.append([str(trial.number), accuracy, spread, folds, f"{trial.cpu_seconds:.0f}", *texts])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    n_pruned = sum(trial.is_pruned for trial in search.trials)
    head = (
        f"{len(search.trials)} trials, {n_pruned} of them stopped early; accuracy on {space.folds} held-out folds of "
        f"{search.n_images:,} Training images"
    )
    return "\n".join(
        [head, "", *("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)]
    )
