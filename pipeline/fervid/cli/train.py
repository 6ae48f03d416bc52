"""`fervid train`: fit a recipe to FER-2013 and write a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base import assets
from fervid.cli.option_groups import with_option_groups

if TYPE_CHECKING:
    import numpy as np

    from fervid.train.data.fer2013 import FaceDataset
    from fervid.train.fit.loop import Fitted
    from fervid.train.fit.recipe import Recipe


@dataclass(frozen=True)
class _RecipeOptions:
    """A recipe, and what is changed of it."""

    recipe: Annotated[str, typer.Option(help="Name of an included recipe, or a .toml file.")] = "res-xs"
    network: Annotated[str | None, typer.Option(help="Train this network instead of the recipe's.")] = None
    backbone_weights: Annotated[
        Path | None, typer.Option(help="Weights that the backbone of a transfer-* network begins from (.h5).")
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Number of epochs instead of the recipe's.")] = None
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and views.")] = None
    teacher: Annotated[
        list[str] | None, typer.Option(help="Also learn from this model, by name or folder; several are averaged.")
    ] = None
    targets: Annotated[
        Path | None, typer.Option(help="Learn from stored teacher logits: a file of `fervid targets`.")
    ] = None

    def load(self) -> Recipe:
        """The recipe. Raises ConfigError."""
        from fervid.train.fit.recipe import load_recipe

        return load_recipe(
            self.recipe,
            network=self.network,
            backbone_weights=None if self.backbone_weights is None else str(self.backbone_weights),
            epochs=self.epochs,
            seed=self.seed,
            teachers=tuple(self.teacher or ()),
            targets=None if self.targets is None else str(self.targets),
        )


@with_option_groups
def train(
    data: Annotated[Path, typer.Option(help="FER-2013: the CSV file, or the folder with it or with train/ and test/.")],
    chosen: _RecipeOptions,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The model folder to write.", show_default="training/RECIPE in outputs/"),
    ] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(help="FER+ votes (fer2013new.csv), for recipes that use them.", show_default="next to the data"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.", show_default="fer2013-NETWORK")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Resume from the checkpoint in --out.")] = True,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train a classifier on FER-2013 and write a model folder: weights, LiteRT file, card, curves.

    A checkpoint is written after each epoch; the same command resumes after a stop. It trains with TensorFlow, or
    with JAX if only JAX is installed or KERAS_BACKEND=jax; the LiteRT file needs TensorFlow.
    """
    from fervid.runtime.backend import load_training_backend
    from fervid.train.data.fer2013 import load_fer2013

    recipe = chosen.load()
    dataset = load_fer2013(data, require_official=not allow_unofficial)
    folder = out if out is not None else assets.default_output_folder() / "training" / Path(chosen.recipe).stem
    votes = _votes(recipe, ferplus, data, dataset)
    backend = load_training_backend()
    from fervid.storage.lock import locked
    from fervid.train.export.folder import save_weights, write_model_folder
    from fervid.train.fit.loop import fit

    title = name or f"fer2013-{recipe.network}"
    with locked(folder):  # two trainings would replace each other's checkpoint
        fitted = fit(dataset, recipe, folder, votes=votes, resume=resume, progress=not quiet)
        if backend == "tensorflow":
            info = write_model_folder(fitted, recipe, dataset, folder, title, votes=votes)
            typer.echo(f"{info.name}: {_verdict(fitted, recipe)}, temperature {info.temperature:.3f}: {info.folder}")
            return
        save_weights(fitted.model, folder)
    typer.echo(
        "weights and checkpoint are written; the LiteRT file, card and model.json need TensorFlow: run the "
        "same command where it is installed; training is not repeated",
        err=True,
    )
    typer.echo(f"{title}: {_verdict(fitted, recipe)}, not exported yet: {folder}")


def _votes(recipe: Recipe, ferplus: Path | None, data: Path, dataset: FaceDataset) -> np.ndarray | None:
    """The FER+ votes, where the recipe uses them."""
    if recipe.ferplus_weight:
        from fervid.train.data.ferplus import FILE_NAME, load_votes

        return load_votes(ferplus or (data if data.is_dir() else data.parent) / FILE_NAME, dataset)
    if recipe.clean:
        from fervid.train.data.agreement import find_votes

        return find_votes(ferplus, data, dataset)
    return None


def _verdict(fitted: Fitted, recipe: Recipe) -> str:
    best = fitted.history[fitted.best_epoch - 1]
    minutes = sum(record.seconds for record in fitted.history) / 60
    return (
        f"PublicTest accuracy {best.val_accuracy:.2%} at epoch {fitted.best_epoch} of {len(fitted.history)} "
        f"(selected on it), {minutes:.0f} min, seed {recipe.seed}"
    )
