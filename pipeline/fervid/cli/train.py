"""`fervid train`: fit a recipe to FER-2013 and write a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid import assets


def train(
    data: Annotated[
        Path, typer.Option(help="FER-2013: the CSV file, or the folder that holds it or train/ and test/.")
    ],
    recipe: Annotated[str, typer.Option(help="Name of a recipe that comes with fervid, or a .toml file.")] = "res-xs",
    network: Annotated[str | None, typer.Option(help="Train this network instead of the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Train so many epochs instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and views.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The model folder to write.", show_default="training/RECIPE in outputs/"),
    ] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(help="FER+ votes (fer2013new.csv), for recipes that use them.", show_default="beside the data"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.", show_default="fer2013-NETWORK")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the checkpoint in --out.")] = True,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train a classifier on FER-2013 and write a model folder: weights, LiteRT file, card, curves.

    A checkpoint is kept after each epoch; the same command goes on where it was stopped.
    """
    from fervid.backend import load_tensorflow
    from fervid.train.recipe import load_recipe

    settings = load_recipe(recipe, network=network, epochs=epochs, seed=seed)
    from fervid.train.fer2013 import load_fer2013

    dataset = load_fer2013(data, require_official=not allow_unofficial)
    folder = out if out is not None else assets.default_output_folder() / "training" / Path(recipe).stem
    votes = None
    if settings.ferplus_weight:
        from fervid.train.ferplus import FILE_NAME, load_votes

        votes = load_votes(ferplus or (data if data.is_dir() else data.parent) / FILE_NAME, dataset)
    load_tensorflow()
    from fervid.train.export import write_model_folder
    from fervid.train.fit import fit

    fitted = fit(dataset, settings, folder, votes=votes, resume=resume, progress=not quiet)
    info = write_model_folder(fitted, settings, dataset, folder, name or f"fer2013-{settings.network}")

    best = fitted.history[fitted.best_epoch - 1]
    minutes = sum(record.seconds for record in fitted.history) / 60
    typer.echo(
        f"{info.name}: {settings.network}, {len(fitted.history)} epochs in {minutes:.1f} min, seed {settings.seed}"
    )
    typer.echo(f"PublicTest accuracy {best.val_accuracy:.2%} at epoch {fitted.best_epoch} (chosen on PublicTest)")
    typer.echo(f"temperature {info.temperature:.3f}; numbers and limits in CARD.md")
    typer.echo(str(info.folder))
