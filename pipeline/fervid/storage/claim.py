"""One run at a time in one place of an object store, where no process can lock a file.

A claim is an object `.<name>.lock` beside the place, made only if there is none (conditional put), and written again
while its owner lives. One that was not for `LEASE_SECONDS`, by the clock of the store, is nobody's; so is one of a
process of this machine that has ended. Where a store knows conditional replacement (S3), one of several who want such a
claim gets it; elsewhere it is removed first, and then made by the first who can.
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
from fervid.storage.publish import write_new, write_over

if TYPE_CHECKING:
    from upath import UPath

log = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
RENEWALS_PER_LEASE = 4
REQUESTS_AT_A_TIME = 8
CLOCK, LOCK = ".clock-", ".lock"


UNSAFE_STORE = "FERVID_UNSAFE_STORE"
"""Set to 1 to use a store that ignores conditions: then nothing keeps two runs out of one place."""

_checked: set[str] = set()
"""Buckets of which this process knows that they keep conditions."""


def check_conditions(folder: UPath) -> None:
    """Raises OutputError for a store that makes an object anew though there is one, as some that speak S3 do.

    Two runs in one place would not notice each other there. Asks each bucket once, with two small objects written under
    one name. Raises OSError when it cannot be asked.
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
            f"Use another store, or set {UNSAFE_STORE}=1 and see to it that there is one run at a time."
        )
    _checked.add(bucket)


class Claim:
    """Keeps other runs out of `place` until released, or until this process has not been heard of for the lease."""

    def __init__(self, place: UPath) -> None:
        """Raises OutputInUse when another run has it, OutputError when nothing can be written there."""
        self.path = place.parent / f".{place.name}{LOCK}"
        self._owner = {"token": uuid.uuid4().hex, "machine": _machine(), "process": os.getpid(), "began": _began()}
        self._n_renewals = 0
        try:
            check_conditions(place.parent)
            while not write_new(self.path, self._content()):
                found = read_claim(self.path)
                if found is None:
                    continue  # released between our two calls
                if found.content.get("token") == self._owner["token"]:
                    break  # it is ours: the answer to our first request was lost, and the second one met our own claim
                if not found.is_stale():
                    raise OutputInUse(
                        f"{place} is in use by another run of fervid ({found.owner_in_words()}). Wait until it ends, "
                        "or give another folder with --out."
                    )
                if write_over(self.path, self._content(), found.info):
                    log.warning("%s was claimed by a run that has ended (%s)", place, found.owner_in_words())
                    break
        except OSError as problem:
            raise OutputError(
                f"{place.parent} cannot be written ({problem}). Give another folder with --out."
            ) from None
        _renewals.add(self)

    def release(self) -> None:
        """Let others in."""
        _renewals.remove(self)
        with contextlib.suppress(OSError):
            found = read_claim(self.path)
            if found is not None and found.content.get("token") == self._owner["token"]:
                remove_file(self.path)

    def renew(self) -> None:
        """Write the claim again, so that it is known to be held."""
        with contextlib.suppress(Exception):  # the network may be back the next time
            found = read_claim(self.path)
            if found is None or found.content.get("token") != self._owner["token"]:
                _renewals.remove(self)
                log.warning("%s: another run took this place over, as nothing was heard from here", self.path)
                return
            self._n_renewals += 1
            write_over(self.path, self._content(), found.info)

    def _content(self) -> bytes:
        # The count makes each writing another object: who takes an old one over must not take a renewed one.
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return json.dumps(self._owner | {"utc": now, "n": self._n_renewals}).encode()


class _Renewals:
    """Renews all claims of this process, from one thread that is started with the first."""

    def __init__(self) -> None:
        self._claims: set[Claim] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, claim: Claim) -> None:
        with self._lock:
            self._claims.add(claim)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="claims", daemon=True)
                self._thread.start()

    def remove(self, claim: Claim) -> None:
        with self._lock:
            self._claims.discard(claim)

    def _run(self) -> None:
        with ThreadPoolExecutor(REQUESTS_AT_A_TIME, "claims") as pool:
            while True:
                time.sleep(LEASE_SECONDS / RENEWALS_PER_LEASE)
                with self._lock:
                    claims = list(self._claims)
                list(pool.map(Claim.renew, claims))


_renewals = _Renewals()


class FoundClaim:
    """A claim that somebody made: its content, and what the store says of it."""

    def __init__(self, path: UPath, content: dict[str, Any], info: dict[str, Any]) -> None:
        self.path, self.content, self.info = path, content, info

    def is_stale(self) -> bool:
        """Whether its owner is gone. Asks the store what time it is, unless the owner was a process of this machine."""
        if self.content.get("machine") == _machine():
            return not _is_running(self.content.get("process"), self.content.get("began"))
        return (store_time(self.path.parent) - modified(self.info)).total_seconds() > LEASE_SECONDS

    def owner_in_words(self) -> str:
        """Who made it, and when."""
        machine = str(self.content.get("machine", "unknown machine")).partition("/")[0]
        return f"process {self.content.get('process', '?')} on {machine}, {self.content.get('utc', 'time unknown')}"


def read_claim(path: UPath) -> FoundClaim | None:
    """The claim of that object; None where there is none."""
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
    """What time it is by the clock of the store: that at which it takes an object from us."""
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
    assert isinstance(when, datetime), f"the store tells no time of {info.get('name')}"
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _machine() -> str:
    """This machine, as far as process numbers are its own: containers share a kernel, and count for themselves."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(parts)


def _began(process: int | str = "self") -> str:
    """When a process began, in ticks since the machine did: numbers of processes come again. Empty where not known."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_running(process: Any, began: Any) -> bool:
    if not isinstance(process, int):
        return False
    if began:
        return bool(_began(process) == began)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
