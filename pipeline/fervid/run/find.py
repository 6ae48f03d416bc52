"""Defines what a run is, and finds runs below the user's paths. Opens none."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from fervid.base.printable import counted
from fervid.errors import InputError
from fervid.run.files import MANIFEST, OBSERVATIONS, RUN_NAME

log = logging.getLogger(__name__)

Guard = Callable[[Path], AbstractContextManager[None]]
"""Wraps the work on one run of several: what is wrong with it may be noted, so that the others are done."""


def unguarded(_folder: Path) -> AbstractContextManager[None]:
    """Passes every error through."""
    return nullcontext()


def is_run(folder: Path) -> bool:
    """Whether a folder is a complete run: it has a manifest, which is written last, whether it can be read or not."""
    return os.path.lexists(folder / MANIFEST)


def find_run_folders(names: Iterable[str | Path]) -> list[Path]:
    """The runs at or below the given paths, sorted by name, without duplicates. Unfinished ones are logged.

    Raises InputError for a name without any.
    """
    found: dict[Path, Path] = {}
    unfinished: list[Path] = []
    for name in names:
        folder = Path(name)
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder. Give a run folder of `fervid analyze`, or a folder of them.")
        inside = [place for place, _ in marked_below(folder, (MANIFEST,), unfinished)]
        if not inside:
            raise InputError(
                f"{folder} is not a run folder and contains no complete run (no {MANIFEST}). Run `fervid analyze`."
            )
        for one in inside:
            found.setdefault(one.resolve(), one)
    say_unfinished(unfinished)
    return list(found.values())


def say_unfinished(folders: Sequence[Path]) -> None:
    """Log runs that are being analysed, or whose analysis was stopped: readers leave them out."""
    if folders:
        log.warning(
            "%s %s not finished and left out: %s%s",
            counted(len(folders), "run"),
            "is" if len(folders) == 1 else "are",
            folders[0],
            " and others" if len(folders) > 1 else "",
        )


def folders_below(folder: Path) -> Iterator[Path]:
    """The runs at or below a folder; none for one that cannot be read."""
    return (place for place, _ in marked_below(folder, (MANIFEST,)))


def marked_below(
    folder: Path, markers: tuple[str, ...], unfinished: list[Path] | None = None
) -> Iterator[tuple[Path, str]]:
    """Folders at or below `folder` that hold one of `markers`, each with the first that it holds.

    The search does not go below such a folder, into hidden folders or through links. Runs without a manifest are
    added to `unfinished`.
    """
    if found := _marker(markers, {name for name in markers if os.path.lexists(folder / name)}):
        yield folder, found
        return
    for place, names, files in os.walk(folder):
        if found := _marker(markers, {*names, *files}):
            yield Path(place), found
            names.clear()
        elif unfinished is not None and OBSERVATIONS in names and RUN_NAME.fullmatch(os.path.basename(place)):
            unfinished.append(Path(place))
        names[:] = sorted(name for name in names if not name.startswith("."))


def names_of_own_runs(paths: Iterable[str]) -> set[str]:
    """Of paths of files, the folders of runs that still have the name that fervid gave them.

    Their videos were made from a run. With only a manifest, other people's files may be beside it.
    """
    parents = (path.removesuffix(f"/{MANIFEST}") for path in paths if path.endswith(f"/{MANIFEST}"))
    return {parent for parent in parents if RUN_NAME.fullmatch(parent.rpartition("/")[2])}


def shared_folder(folders: Iterable[Path]) -> Path:
    """The folder for files about runs: the run, or the common folder of several.

    For runs that share no more than the root of the file system it is the current folder.
    """
    folders = list(folders)
    if len(folders) == 1:
        return folders[0]
    shared = folders[0].resolve().parent
    while not all(folder.resolve().is_relative_to(shared) for folder in folders):
        shared = shared.parent
    return shared if shared != shared.parent else Path.cwd()


def _marker(markers: tuple[str, ...], there: set[str]) -> str:
    return next((name for name in markers if name in there), "")
