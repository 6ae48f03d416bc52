"""Local copies of runs in an object store, with only the requested files.

Files that a query does not need are not fetched. The copies are removed at exit.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.errors import InputError

if TYPE_CHECKING:
    from upath import UPath


class Copies:
    """The folders directly or further below `top` that hold a file of one of the names `marks`."""

    def __init__(self, top: UPath, marks: Iterable[str]) -> None:
        """Lists all objects below `top`, and fetches those `marks`. Raises InputError when they cannot be read."""
        self._fs = top.fs
        self._scratch = Path(tempfile.mkdtemp(prefix="fervid-"))
        atexit.register(shutil.rmtree, self._scratch, ignore_errors=True)
        base = f"{top.path.rstrip('/')}/"
        marks = frozenset(marks)
        names_of: dict[str, set[str]] = defaultdict(set)
        for path in self._fs.find(top.path):
            folder, _, name = path.removeprefix(base).rpartition("/")
            names_of[folder].add(name)
        self._there: dict[Path, set[str]] = {}
        self.places: dict[Path, UPath] = {}
        """Each folder on disk, and the remote one it mirrors."""
        for number, folder in enumerate(sorted(folder for folder, names in names_of.items() if names & marks)):
            place = top / folder if folder else top
            local = self._scratch / str(number) / place.name
            local.mkdir(parents=True)
            self.places[local] = place
            self._there[local] = names_of[folder]
        for mark in marks:
            self.fetch(mark)

    def fetch(self, name: str) -> None:
        """Fetch the file of a name in every folder that has it, unless already done."""
        wanted = [
            (place / name, local / name)
            for local, place in self.places.items()
            if name in self._there[local] and not (local / name).exists()
        ]
        if not wanted:
            return
        try:
            self._fs.get([place.path for place, _ in wanted], [str(local) for _, local in wanted])
        except OSError as problem:
            raise InputError(
                f"{name} of {len(wanted)} runs cannot be fetched ({problem}). Check the network."
            ) from None
