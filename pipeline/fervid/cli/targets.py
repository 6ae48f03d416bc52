"""`fervid targets`: store teachers' logits on the Training faces, to train students without the teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.base.printable import counted


def targets(
    teachers: Annotated[list[str], typer.Argument(help="Models by name or folder; their logits are averaged.")],
    data: Annotated[Path, typer.Option(help="FER-2013: the CSV file, or the folder with it or with train/ and test/.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .npz file to write.")],
    recipe: Annotated[str, typer.Option(help="The student's recipe, which defines the views.")] = "res-s-student",
    views: Annotated[int, typer.Option(min=1, help="Views of each face; epochs cycle through them.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the views.")] = 0,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Store teachers' logits on fixed views of the Training faces, for `fervid train --targets`."""
    from fervid.runtime.backend import load_training_backend
    from fervid.train.data.fer2013 import load_fer2013
    from fervid.train.fit.recipe import load_recipe

    augment = load_recipe(recipe).augment
    dataset = load_fer2013(data, require_official=not allow_unofficial)
    load_training_backend()
    from fervid.train.fit.distil import write_targets

    n_views, n_faces, n_logits = write_targets(
        out, teachers, dataset.split("Training"), augment, n_views=views, seed=seed, progress=not quiet
    )
    typer.echo(f"{counted(n_views, 'view')} of {counted(n_faces, 'face')}, {n_logits} logits each: {out}")
