"""Content ids of many files, with a cache: computing an id reads up to three MiB, checking its status is cheap.

Without the cache, or if an entry does not match a file's status, the file is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress

from fervid.base.printable import printable
from fervid.run.files import ID_CACHE
from fervid.run.manifest import write_json
from fervid.storage.files import FileStatus, content_id
from fervid.storage.place import Place, make_folder, read_text

THREADS = 8


class Ids:
    """Content ids of files, kept below `out` between runs where `is_kept`."""

    def __init__(self, out: Place, *, is_kept: bool) -> None:
        self._path = out / ID_CACHE
        self._is_kept = is_kept
        self._known: dict[str, list[int | str]] = {}
        self._is_changed = False
        if is_kept:
            with suppress(OSError, ValueError):
                content = json.loads(read_text(self._path))
                self._known = content if isinstance(content, dict) else {}

    def id_of(self, path: Place, status: FileStatus) -> str:
        """The id of a regular file. Raises OSError when it cannot be read."""
        stamp: list[int | str] = [status.n_bytes, status.modified_ns, status.inode]
        name = printable(path.absolute())
        entry = self._known.get(name)
        if isinstance(entry, list) and entry[:-1] == stamp:
            return str(entry[-1])
        video_id = content_id(path)
        self._known[name] = [*stamp, video_id]
        self._is_changed = True
        return video_id

    def read_ahead(self, files: Iterable[tuple[Place, FileStatus]]) -> None:
        """Read the ids of many files concurrently: most of the time is spent waiting for the disk."""
        from concurrent.futures import ThreadPoolExecutor

        def read(file: tuple[Place, FileStatus]) -> None:
            with suppress(OSError):
                self.id_of(*file)

        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(read, files):
                pass

    def save(self) -> None:
        """Store new ids if the folder is writable."""
        if self._is_kept and self._is_changed:
            with suppress(OSError):
                make_folder(self._path.parent)
                write_json(self._path, self._known)
