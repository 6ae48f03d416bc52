"""`fervid train-finder`: train a face finder on your own images and videos, taught by CenterFace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base import assets

if TYPE_CHECKING:
    import numpy as np

    from fervid.train.finder.targets import TaughtPictures

FPS = 2.0
"""Of the frames taken from a video."""


def train_finder(
    data: Annotated[list[Path], typer.Argument(help="Images and videos to learn from: files or folders.")],
    choose: Annotated[
        list[Path],
        typer.Option(help="Images and videos to choose the epoch by, of other people; may be given several times."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The folder to write.", show_default="training/finder in outputs/"),
    ] = None,
    faces: Annotated[Path | None, typer.Option(help="FER-2013, whose Training faces are pasted into images.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 100,
    steps: Annotated[int, typer.Option(min=1, help="Steps of an epoch, 0.2 s of one core each.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and views.")] = 1,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Resume from the checkpoint in --out.")] = True,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train a face finder, taught by CenterFace, and write finder.npz, card and history.

    What CenterFace sees is found once and kept in --out; a checkpoint is written after each epoch, and the same command
    resumes after a stop. Use the result with `--detector finder --set detect.finder.model_path=FILE`.
    """
    from fervid.runtime.backend import load_training_backend
    from fervid.storage.lock import locked
    from fervid.train.finder.fit import FinderRecipe, fit_finder
    from fervid.train.finder.folder import write_finder_folder

    load_training_backend()
    recipe = FinderRecipe(epochs=epochs, steps=steps, seed=seed)
    folder = out if out is not None else assets.default_output_folder() / "training" / "finder"
    with locked(folder):  # two trainings would replace each other's checkpoint
        taught = _targets(folder / "taught.npz", data, faces, again=not resume, progress=not quiet)
        judged = _targets(folder / "judged.npz", choose, None, again=not resume, progress=not quiet)
        fitted = fit_finder(taught, judged, recipe, folder, resume=resume, progress=not quiet)
        own, teacher = write_finder_folder(fitted, recipe, taught, judged, folder)
    typer.echo(
        f"recall {own.recall:.1%} with 1 % false boxes (the teacher at this size {teacher.recall:.1%}), epoch "
        f"{fitted.best.epoch} of {len(fitted.history)}: {folder}"
    )


def _targets(path: Path, sources: list[Path], faces: Path | None, *, again: bool, progress: bool) -> TaughtPictures:
    """What the teacher sees in the sources, from the file if it was written for these."""
    from fervid.base.progress import make_bar
    from fervid.config import load_settings
    from fervid.train.data.fer2013 import load_fer2013
    from fervid.train.finder.targets import gather, load_targets, save_targets
    from fervid.video.grays import files_in, gray_pictures

    names = [str(source.resolve()) for source in [*sources, *([faces] if faces else [])]]
    if path.is_file() and not again:
        return load_targets(path, names)
    files = files_in(sources)
    patches = () if faces is None else load_fer2013(faces).split("Training").images
    video = load_settings(environment={}).video
    with make_bar(len(files), description="teacher", unit="files", is_shown=progress) as bar:

        def pictures() -> Iterator[np.ndarray]:
            for file in files:
                yield from gray_pictures(
                    file, fps=FPS, segment_seconds=video.segment_seconds, max_pixels=video.max_pixels
                )
                bar.update()

        taught = gather(pictures(), patches)
    save_targets(path, taught, names)
    return taught
