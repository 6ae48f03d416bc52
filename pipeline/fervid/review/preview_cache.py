"""The folder of previews within each run, and the size that all of them together may have.

Only files that previews wrote are ever removed: those of their own names, in a folder with their marker. Decodes
nothing.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from fervid.errors import OutputError

FOLDER = "previews"
OWN_FILES = re.compile(r"(?:clip-\d{5,}|thumbnail|still-\d{1,12})(?:-open)?\.(?:mp4|jpg)")
"""Names of the files that previews write: nothing else in such a folder is ever removed."""
MARKER = ".fervid-previews"
"""Only a folder that holds this file, which is written when the folder is made, belongs to the cache."""
CACHE_BYTES = 2_000_000_000
COUNTED_FOR_SECONDS = 600.0
"""The folders are looked through again after this time: other programs write previews too."""


class PreviewCache:
    """The previews of the runs below `roots`; the least recently used go first. Safe for several threads."""

    def __init__(self, roots: Sequence[Path], limit_bytes: int = CACHE_BYTES) -> None:
        self._roots, self._limit_bytes = tuple(roots), limit_bytes
        self._lock = threading.Lock()
        self._total = 0
        self._counted_at = float("-inf")

    def has(self, path: Path) -> bool:
        """Whether a preview is there; then it counts as used now."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    def make_room(self, folder: Path) -> None:
        """Prepare a folder for a new preview. Raises OutputError for one that is not the cache's own."""
        _prepare(folder)
        with self._lock:
            if self._total <= self._limit_bytes and time.monotonic() - self._counted_at < COUNTED_FOR_SECONDS:
                return
            kept = []
            for root in self._roots:
                for path in _own_files(root):
                    with suppress(OSError):
                        kept.append((path.stat().st_mtime, path.stat().st_size, path))
            self._total, self._counted_at = sum(size for _, size, _ in kept), time.monotonic()
            for _, size, path in sorted(kept):
                if self._total <= self._limit_bytes:
                    break
                path.unlink(missing_ok=True)
                self._total -= size

    def count(self, path: Path) -> None:
        """A preview was written."""
        with suppress(OSError), self._lock:
            self._total += path.stat().st_size


def _prepare(folder: Path) -> None:
    """Make the folder of previews with its marker. Raises OutputError for a folder that is not the cache's own."""
    try:
        if folder.is_symlink():
            raise OutputError(f"{folder} is a link. Previews are kept in the run's own folder: remove the link.")
        folder.mkdir(exist_ok=True)
        if not (folder / MARKER).is_file():
            foreign = next((path for path in folder.iterdir() if not OWN_FILES.fullmatch(path.name)), None)
            if foreign is not None:
                raise OutputError(f"{folder} has files that are not previews ({foreign.name}). Move them elsewhere.")
            (folder / MARKER).touch()
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written ({problem.strerror}). Check its folder.") from None


def _own_files(root: Path) -> Iterator[Path]:
    """The previews below a folder, links not followed: regular files of the cache's own names beside its marker."""
    for folder, _, names in os.walk(root):
        if Path(folder).name == FOLDER and MARKER in names:
            for name in filter(OWN_FILES.fullmatch, names):
                path = Path(folder) / name
                if not path.is_symlink():
                    yield path
