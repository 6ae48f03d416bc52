"""Publishes a file atomically: readers see the new or the old content. Knows nothing of formats.

On disk a file is written beside its place, synced, renamed, and its folder synced, so that files published one after
the other survive a power cut in that order: what a manifest lists is there when the manifest is. Its writer keeps a
lock on the partial file, so that others can tell whether anybody still writes it: the system releases the lock of a
process that ended, while a process number stays in use until somebody asks for the exit code, and may be of another
container. An object appears
when its upload is complete, so it is written here and sent in one request; large ones in parts, which a store keeps
until they are completed or aborted.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fervid.errors import OutputInUse
from fervid.storage.lock import RETRY_SECONDS, WAIT_SECONDS, try_lock
from fervid.storage.place import Place, is_on_disk, sync_folder

if TYPE_CHECKING:
    from upath import UPath

PART = ".part"
CONFLICTS = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412", "409"))
"""Responses of stores when the condition of a write fails."""


@contextmanager
def written_whole(target: Place, *, is_private: bool = False) -> Iterator[Path]:
    """A path on disk to write to; `target` gets its content if the block succeeds.

    Otherwise nothing changes. A private file is readable only by its owner, from its first byte.
    """
    if is_on_disk(target):
        _remove_left(target)
        partial = target.with_name(f".{target.name}.{os.getpid()}{PART}")
        descriptor = _open_locked(partial, mode=0o600 if is_private else 0o666)
        try:
            yield partial
            sync(partial)
            _check_is_wanted(target)
            os.replace(partial, target)
            sync(target.parent)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        finally:
            if descriptor is not None:
                os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="fervid-") as scratch:
        local = Path(scratch) / target.name
        yield local
        target.fs.put_file(str(local), target.path)


# Decision STO-9.
def _open_locked(partial: Path, *, mode: int) -> int | None:
    """Create an empty file and keep a lock on it until the returned descriptor is closed.

    None on Windows, which does not rename open files. Raises OutputInUse when another writer of the same file, in
    another thread or in a container with the same process number, does not end in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), mode)
        if os.name == "nt":
            os.close(descriptor)
            return None
        try:
            try_lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise OutputInUse(f"{partial} is being written by another process. Try again.") from None
            time.sleep(RETRY_SECONDS)
            continue
        except OSError:
            pass  # a file system without locks
        if _is_at(descriptor, partial):
            os.ftruncate(descriptor, 0)
            return descriptor
        os.close(descriptor)  # it was taken for a left one between our two calls


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _check_is_wanted(target: Path) -> None:
    """Raises OutputInUse in a worker process whose command has ended: another one may have its lock by now."""
    processes = sys.modules.get("multiprocessing.process")
    parent = processes.parent_process() if processes is not None else None
    if parent is not None and not parent.is_alive():
        raise OutputInUse(f"{target} is not written: the command that asked for it has ended.")


def _remove_left(target: Path) -> None:
    """Remove what killed processes left of earlier attempts at this file."""
    for left in target.parent.glob(f".{escape(target.name)}.*{PART}"):
        process = left.name.removesuffix(PART).rpartition(".")[2]
        if process.isdecimal():
            with suppress(OSError):
                _remove_unless_written(left, int(process))


def _remove_unless_written(left: Path, process: int) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try_lock(descriptor)
    except BlockingIOError:
        return
    except OSError:  # a file system without locks: the number has to do
        if is_running(process):
            return
    else:
        left.unlink()
        return
    finally:
        os.close(descriptor)
    left.unlink()


def is_running(process: int) -> bool:
    """Whether a process of this machine runs; where that cannot be asked, yes."""
    if os.name == "nt":  # there `os.kill` ends the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def write_whole(target: Place, content: bytes, *, is_private: bool = False) -> None:
    """Write `content` to `target` in one step."""
    if is_on_disk(target):
        with written_whole(target, is_private=is_private) as partial:
            partial.write_bytes(content)
    else:
        target.fs.pipe_file(target.path, content)


def append_synced(path: Path, text: str) -> None:
    """Add lines to a log on disk, which only its owner can read; they are on the disk when this returns.

    One write per call: lines of two processes at once do not mix. Raises OSError, also for a link, which could lead out
    of the folder.
    """
    is_new = not path.exists()
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        n_bytes = os.fstat(descriptor).st_size
        os.lseek(descriptor, max(0, n_bytes - 1), os.SEEK_SET)
        is_cut_off = n_bytes > 0 and os.read(descriptor, 1) != b"\n"
        content = ("\n" * is_cut_off + text).encode()  # an incomplete line after a crash must not corrupt the next one
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync(path.parent)


def write_new(target: UPath, content: bytes) -> bool:
    """Create an object if it does not exist; whether it was created. Raises OSError."""
    try:
        target.fs.pipe_file(target.path, content, mode="create")
    except FileExistsError:
        return False
    except OSError as problem:
        if _is_conflict(problem):
            return False
        raise
    return True


def write_over(target: UPath, content: bytes, known: dict[str, Any]) -> bool:
    """Replace an object unless it changed since `known` (its `fs.info`); whether it was written.

    Without support for that condition the object is removed and created, and another process may be first. Raises
    OSError.
    """
    if "ETag" in known:
        try:
            target.fs.pipe_file(target.path, content, IfMatch=known["ETag"])
        except OSError as problem:
            if not _is_conflict(problem):
                raise
            return False
        return True
    with suppress(FileNotFoundError):
        target.unlink()
    return write_new(target, content)


def sync(path: Path) -> None:
    """Sync a file's content or a folder's entries to disk."""
    if path.is_dir():
        sync_folder(path)
        return
    # Windows cannot sync a file opened read-only.
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_conflict(problem: OSError) -> bool:
    response = getattr(problem.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code")) in CONFLICTS
