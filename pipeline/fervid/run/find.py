"""Run folders by the names that a user gave: the folders themselves, or folders that hold them. Opens none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from fervid.errors import InputError
from fervid.run.manifest import MANIFEST

Guard = Callable[[Path], AbstractContextManager[None]]
"""Wraps the work on one run of several: what is wrong with it may be noted, so that the others are done."""


def unguarded(_folder: Path) -> AbstractContextManager[None]:
    """Lets every error through."""
    return nullcontext()


def find_run_folders(names: Iterable[str | Path]) -> list[Path]:
    """Folders with a manifest, whether it can be read or not, in order of name, each once.

    Nothing is looked for below a run, in hidden folders or through links. Raises InputError for a name without any.
    """
    found: dict[Path, Path] = {}
    for name in names:
        folder = Path(name)
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder. Give a run folder of `fervid analyze`, or a folder of them.")
        inside = list(folders_below(folder))
        if not inside:
            raise InputError(
                f"{folder} is no run and holds no complete run (no {MANIFEST} in it). Run `fervid analyze` first."
            )
        for one in inside:
            found.setdefault(one.resolve(), one)
    return list(found.values())


def folders_below(folder: Path) -> Iterator[Path]:
    """The run folders at or below a folder; none for one that cannot be read."""
    if os.path.lexists(folder / MANIFEST):
        yield folder
        return
    for place, names, files in os.walk(folder):
        if MANIFEST in files or MANIFEST in names:
            yield Path(place)
            names.clear()  # a run holds no runs
        names[:] = sorted(name for name in names if not name.startswith("."))
