"""Content ids of many files, with a cache: computing an id reads the whole file, checking its status is cheap.

Without the cache, or if an entry does not match a file's status, the file is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from fervid.base.printable import printable
from fervid.run.files import ID_CACHE
from fervid.run.handle import RunFolders
from fervid.run.manifest import write_json
from fervid.storage.files import SAMPLED_ID_LENGTH, FileStatus, content_id, file_status, is_content, sampled_id
from fervid.storage.place import Place, make_folder, read_text

THREADS = 4
SMALL_BYTES = 4 << 20
"""Reading less than this costs no more than keeping its id."""
UNSETTLED_SECONDS = 2.0
"""A file modified this recently may change again within the resolution of its time stamp: its id is not kept."""
SAVED_EVERY_SECONDS = 30.0


class Ids:
    """Content ids of files of at least `least_bytes`, kept below `out` between runs; None keeps none."""

    def __init__(self, out: Place, *, least_bytes: int | None = 0) -> None:
        self._path = out / ID_CACHE
        self._least_bytes = least_bytes
        self._is_changed = False
        self._saved = time.monotonic()
        self._known = _stored(self._path)
        self._former: dict[str, str] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._reading: dict[str, Future[str]] = {}

    def is_known(self, path: Place, status: FileStatus) -> bool:
        """Whether the id of a file is known without reading it."""
        entry = self._known.get(_name(path))
        return isinstance(entry, list) and entry[:-1] == _stamp(status)

    def id_of(self, path: Place, status: FileStatus) -> str:
        """The id of a regular file. Raises OSError when it cannot be read."""
        name = _name(path)
        if self.is_known(path, status):
            return str(self._known[name][-1])
        future = self._reading.pop(name, None)
        video_id = content_id(path) if future is None else future.result()
        if name in self._known:
            self._former[name] = str(self._known[name][-1])
        is_settled = time.time() - status.modified_seconds > UNSETTLED_SECONDS and file_status(path) == status
        if self._least_bytes is not None and status.n_bytes >= self._least_bytes and is_settled:
            self._known[name] = [*_stamp(status), video_id]
            self._is_changed = True
        return video_id

    def is_held(self, path: Place, video_id: str) -> bool:
        """Whether a file has the content with an id of this or of an earlier version. Raises OSError."""
        if len(video_id) == SAMPLED_ID_LENGTH:
            return is_content(path, video_id)
        return self.id_of(path, file_status(path)) == video_id

    def former_id_of(self, path: Place) -> str | None:
        """What was at a path when it was last read, if it has other content now."""
        return self._former.get(_name(path))

    def is_read(self, path: Place, status: FileStatus) -> bool:
        """Whether `id_of` returns at once, because the file is known or was read ahead."""
        future = self._reading.get(_name(path))
        return self.is_known(path, status) if future is None else future.done()

    def read_ahead(self, files: Iterable[tuple[Place, FileStatus]]) -> None:
        """Begin to read files in other threads, for `id_of` to return their ids later."""
        for path, status in files:
            if _name(path) not in self._reading and not self.is_known(path, status):
                self._pool = self._pool or ThreadPoolExecutor(THREADS)
                self._reading[_name(path)] = self._pool.submit(content_id, path)

    def save(self, *, is_last: bool = True) -> None:
        """Store new ids if the folder is writable; before the last time only now and then."""
        if not self._is_changed or not (is_last or time.monotonic() - self._saved > SAVED_EVERY_SECONDS):
            return
        with suppress(OSError):
            make_folder(self._path.parent)
            write_json(self._path, _stored(self._path) | self._known)
        self._is_changed, self._saved = False, time.monotonic()

    def close(self) -> None:
        """Store new ids, and read no further file."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self.save()


def result_of(path: Place, status: FileStatus, ids: Ids, folders: RunFolders) -> tuple[str, Place, tuple[Place, ...]]:
    """The id of a video, the folder of its run, and the runs whose video was at `path` before and is not any more.

    A run of an earlier version has a sampled id. It is the run of a file with that id that was not modified since the
    run began, and keeps its id. Raises OSError when the file cannot be read.
    """
    video_id = ids.id_of(path, status)
    folder = folders.of(path, video_id)
    if folders.held_in(folder) != video_id:
        earlier = sampled_id(path)
        other = folders.of(path, earlier)
        if folders.held_in(other) == earlier and folders.is_begun_after(other, status.modified_seconds):
            video_id, folder = earlier, other
    return video_id, folder, folders.replaced(path, video_id, ids.former_id_of(path))


def _stored(path: Place) -> dict[str, list[int | str]]:
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_text(path))
        return content if isinstance(content, dict) else {}
    return {}


def _name(path: Place) -> str:
    return printable(path.absolute())


def _stamp(status: FileStatus) -> list[int | str]:
    return [status.n_bytes, status.modified_ns, status.changed_ns, status.inode]
