"""Copies of runs that are in an object store, for what reads files on disk. Writes nothing to the store."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.errors import InputError
from fervid.storage.place import names_in

if TYPE_CHECKING:
    from upath import UPath


def fetch_folder(folder: UPath, into: Path, *, names: Iterable[str] | None = None) -> Path:
    """Copy the files directly in a folder of an object store (those of `names`, where they are there) to `into`.

    Raises InputError when one cannot be read.
    """
    there = set(names_in(folder))
    wanted = sorted(there if names is None else there & set(names))
    into.mkdir(parents=True, exist_ok=True)
    files = [name for name in wanted if "." in name]  # a run's folders hold what only its own analysis reads
    try:
        folder.fs.get([(folder / name).path for name in files], [str(into / name) for name in files])
    except OSError as problem:
        raise InputError(f"{folder} cannot be read ({problem}). Check the network and the permissions.") from None
    return into


def fetched_for_now(folder: UPath) -> Path:
    """A copy of the files in a folder, in a folder of this machine that is removed when the process ends."""
    scratch = tempfile.mkdtemp(prefix="fervid-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return fetch_folder(folder, Path(scratch) / folder.name)
