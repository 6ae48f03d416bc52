"""Locks on disk: one run at a time in one place; the system releases the lock when the process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fervid.errors import OutputError, OutputInUse
from fervid.storage.place import Place, is_on_disk

WAIT_SECONDS, RETRY_SECONDS = 10.0, 0.02
"""How long a short operation waits for another one in the same place."""

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def try_lock(descriptor: int) -> None:
        """Lock an open file for this process, or raise BlockingIOError."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Decision STO-2.
class Lock:
    """Locks `place` until released. The file beside it, `.<name>.lock`, has the owner's PID.

    Only the lock on the file counts: a file left by a killed process does not block others.
    """

    def __init__(self, place: Path) -> None:
        """Raises OutputInUse when another run has it, OutputError when nothing can be written there."""
        self._path = place.parent / f".{place.name}.lock"
        try:
            self._made_parent = not place.parent.exists()
            place.parent.mkdir(parents=True, exist_ok=True)
            while True:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
                try:
                    try_lock(self._descriptor)
                except OSError:
                    owner = os.pread(self._descriptor, 32, 0).decode("ascii", "replace") if hasattr(os, "pread") else ""
                    os.close(self._descriptor)
                    raise OutputInUse(
                        f"{place} is in use by another run of fervid (process {owner or 'unknown'}). "
                        "Wait until it ends, or give another folder with --out."
                    ) from None
                if self._is_still_there():
                    break
                os.close(self._descriptor)  # its owner removed it between our two calls
            if os.fstat(self._descriptor).st_size:  # ext4 syncs when a truncated file is closed
                os.truncate(self._descriptor, 0)
            with contextlib.suppress(OSError):  # a full disk cannot store the PID, which is only informative
                os.write(self._descriptor, str(os.getpid()).encode())
        except OSError as problem:
            raise OutputError(
                f"{place.parent} cannot be written ({problem.strerror}). Give another folder with --out."
            ) from None

    def release(self) -> None:
        """Release the lock; the file is removed first, while we hold the lock."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        if self._made_parent:
            with contextlib.suppress(OSError):
                self._path.parent.rmdir()  # if it is empty

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


class Held(Protocol):
    """A lock on a place."""

    def release(self) -> None:
        """Release the lock."""
        ...


def hold(place: Place) -> Held:
    """Lock a place, on disk or in an object store. Raises OutputInUse or OutputError."""
    if is_on_disk(place):
        return Lock(place)
    from fervid.storage.lease import Lease

    return Lease(place)


@contextlib.contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock of `place` for a block."""
    lock = hold(place)
    try:
        yield
    finally:
        lock.release()


def wait_for_lock(place: Path) -> Lock:
    """The lock of a place on disk, waited for while another process writes there. Raises OutputInUse or OutputError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return Lock(place)
        except OutputInUse:
            if time.monotonic() > deadline:
                raise OutputInUse(f"{place} is being written by another process. Try again.") from None
            time.sleep(RETRY_SECONDS)
