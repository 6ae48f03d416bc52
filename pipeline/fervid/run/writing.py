"""Write access to a finished run: takes its lock, and checks that the result is still the one that was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fervid.errors import InputError
from fervid.run.manifest import manifest_content
from fervid.storage.lock import wait_for_lock


@contextmanager
def writing(folder: Path, settings_hash: str, *, is_held: bool = False) -> Iterator[None]:
    """Lock a run folder on disk for a block.

    `settings_hash` is that of the manifest that was read; `is_held` says that the caller has the lock. Raises
    InputError when the run was replaced since, OutputInUse when another process does not let go of it in time.
    """
    lock = None if is_held else wait_for_lock(folder)
    try:
        if manifest_content(folder)["settings_hash"] != settings_hash:
            raise InputError(
                f"{folder} was replaced by a run with other settings meanwhile. Run the same command again."
            )
        yield
    finally:
        if lock is not None:
            lock.release()
