"""Locks in object stores, where files cannot be locked: one run at a time in one place.

A lock is an object `.<name>.lock` beside the place, created only if missing (conditional put), and renewed while its
owner lives. A lock that was not renewed for `LEASE_SECONDS`, by the clock of the store, has expired; so has one of an
ended process of this machine. With conditional replacement (S3), exactly one of several processes gets an expired lock;
elsewhere it is removed first, and then created by the first process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fervid.errors import OutputError, OutputInUse
from fervid.storage.place import remove_file
from fervid.storage.publish import is_running, write_new, write_over

if TYPE_CHECKING:
    from upath import UPath

log = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
RENEWALS_PER_LEASE = 4
REQUESTS_AT_A_TIME = 8
CLOCK, LOCK = ".clock-", ".lock"


UNSAFE_STORE = "FERVID_UNSAFE_STORE"
"""Set to 1 to use a store that ignores conditions: then concurrent runs are not detected."""

_checked: set[str] = set()
"""Buckets that are known to support conditions."""


def check_conditions(folder: UPath) -> None:
    """Raises OutputError for a store that ignores conditional creation, as some S3-compatible ones do.

    Two runs in one place would not notice each other there. Checks each bucket once, with two writes of one small
    object. Raises OSError when the check fails.
    """
    bucket = f"{folder.protocol}:{folder.path.partition('/')[0]}"
    if bucket in _checked or os.environ.get(UNSAFE_STORE) == "1":
        return
    probe = folder / f"{CLOCK}{uuid.uuid4().hex}"
    try:
        write_new(probe, b"1")
        keeps = not write_new(probe, b"2")
    finally:
        remove_file(probe)
    if not keeps:
        raise OutputError(
            f"{folder} ignores the condition If-None-Match, so two runs there would overwrite each other unnoticed. "
            f"Use another store, or set {UNSAFE_STORE}=1 and run only one at a time."
        )
    _checked.add(bucket)


class Lease:
    """Locks `place` until released, or until the lease expires."""

    def __init__(self, place: UPath) -> None:
        """Raises OutputInUse when another run has it, OutputError when nothing can be written there."""
        self.path = place.parent / f".{place.name}{LOCK}"
        self._owner = {"token": uuid.uuid4().hex, "machine": _machine(), "process": os.getpid(), "began": _began()}
        self._n_renewals = 0
        try:
            check_conditions(place.parent)
            while not write_new(self.path, self._content()):
                found = read_lease(self.path)
                if found is None:
                    continue  # released between our two calls
                if found.content.get("token") == self._owner["token"]:
                    break  # it is ours: the response to our first request was lost
                if not found.is_stale():
                    raise OutputInUse(
                        f"{place} is in use by another run of fervid ({found.owner_in_words()}). Wait until it ends, "
                        "or give another folder with --out."
                    )
                if write_over(self.path, self._content(), found.info):
                    log.warning("%s was locked by a run that has ended (%s)", place, found.owner_in_words())
                    break
        except OSError as problem:
            raise OutputError(
                f"{place.parent} cannot be written ({problem}). Give another folder with --out."
            ) from None
        _renewals.add(self)

    def release(self) -> None:
        """Release the lock."""
        _renewals.remove(self)
        with contextlib.suppress(OSError):
            found = read_lease(self.path)
            if found is not None and found.content.get("token") == self._owner["token"]:
                remove_file(self.path)

    def renew(self) -> None:
        """Renew the lock."""
        with contextlib.suppress(Exception):  # the network may be back the next time
            found = read_lease(self.path)
            if found is None or found.content.get("token") != self._owner["token"]:
                _renewals.remove(self)
                log.warning("%s: another run took over this place, because the lease expired", self.path)
                return
            self._n_renewals += 1
            write_over(self.path, self._content(), found.info)

    def _content(self) -> bytes:
        # The count makes each renewal a different object, so that a takeover of an old one fails after a renewal.
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return json.dumps(self._owner | {"utc": now, "n": self._n_renewals}).encode()


class _Renewals:
    """Renews all locks of this process, from one thread that starts with the first lock."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._lock:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def remove(self, lease: Lease) -> None:
        with self._lock:
            self._leases.discard(lease)

    def _run(self) -> None:
        with ThreadPoolExecutor(REQUESTS_AT_A_TIME, "leases") as pool:
            while True:
                time.sleep(LEASE_SECONDS / RENEWALS_PER_LEASE)
                with self._lock:
                    leases = list(self._leases)
                list(pool.map(Lease.renew, leases))


_renewals = _Renewals()


class FoundClaim:
    """An existing lock: its content, and its metadata in the store."""

    def __init__(self, path: UPath, content: dict[str, Any], info: dict[str, Any]) -> None:
        self.path, self.content, self.info = path, content, info

    def is_stale(self) -> bool:
        """Whether its owner is gone. Uses the clock of the store, unless the owner was a process of this machine."""
        if self.content.get("machine") == _machine():
            return not _is_running(self.content.get("process"), self.content.get("began"))
        return (store_time(self.path.parent) - modified(self.info)).total_seconds() > LEASE_SECONDS

    def owner_in_words(self) -> str:
        """Its owner and time, as text."""
        machine = str(self.content.get("machine", "unknown machine")).partition("/")[0]
        return f"process {self.content.get('process', '?')} on {machine}, {self.content.get('utc', 'time unknown')}"


def read_lease(path: UPath) -> FoundClaim | None:
    """The lock in that object; None if there is none."""
    try:
        path.fs.invalidate_cache()
        info, content = path.fs.info(path.path), path.fs.cat_file(path.path)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(content)
    except ValueError:
        found = {}
    return FoundClaim(path, found if isinstance(found, dict) else {}, info)


def store_time(folder: UPath) -> datetime:
    """The time by the clock of the store: the timestamp of an object written now."""
    probe = folder / f"{CLOCK}{uuid.uuid4().hex}"
    probe.fs.pipe_file(probe.path, b"")
    try:
        return modified(probe.fs.info(probe.path))
    finally:
        remove_file(probe)


def modified(info: dict[str, Any]) -> datetime:
    """When an object was written, from what its store says of it."""
    when = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created")
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    assert isinstance(when, datetime), f"the store gives no time of {info.get('name')}"
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _machine() -> str:
    """An id of this PID namespace: containers share a kernel, but count PIDs separately."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(parts)


def _began(process: int | str = "self") -> str:
    """When a process began, in ticks since boot: PIDs are reused. Empty if unknown."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_running(process: Any, began: Any) -> bool:
    if not isinstance(process, int):
        return False
    if began:
        return bool(_began(process) == began)
    return is_running(process)
