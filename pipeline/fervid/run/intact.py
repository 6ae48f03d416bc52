"""Checks files of a run against their hashes, so that a changed bit is detected and does not change results.

Tables have their hashes in the manifest, what other commands made of them in `derived.jsonl`. Files of earlier versions
that are in neither are taken as they are.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fervid.errors import InputError
from fervid.run.derived import noted_hashes
from fervid.run.files import MANIFEST
from fervid.run.manifest import manifest_content
from fervid.storage.files import file_sha256

MOST_KNOWN = 4096

_State = tuple[int, int, int]


class _Known:
    """What was found of files, for as long as size, time and number of each stay the same."""

    def __init__(self) -> None:
        self._found: OrderedDict[Path, tuple[_State, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path) -> tuple[_State, Any]:
        """The state of a file now, and what was found of it in that state (None: nothing yet). Raises OSError."""
        status = path.stat()
        state = status.st_size, status.st_mtime_ns, status.st_ino
        with self._lock:
            before, found = self._found.get(path, (None, None))
        return state, found if before == state else None

    def put(self, path: Path, state: _State, found: Any) -> None:
        with self._lock:
            self._found[path] = state, found
            self._found.move_to_end(path)
            if len(self._found) > MOST_KNOWN:
                self._found.popitem(last=False)


_hashes, _manifests = _Known(), _Known()


def check_file(folder: Path, name: str) -> None:
    """Raises InputError when a file of a run on disk is not what fervid wrote; none that is missing does."""
    path = folder / name
    try:
        known = expected_hashes(folder, name)
        if not known:
            return
        state, found = _hashes.get(path)
        if found is None:
            found = file_sha256(path)
            _hashes.put(path, state, found)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise InputError(f"{path} cannot be read ({problem.strerror}). Check its disk.") from None
    if found not in known:
        raise InputError(
            f"{path} differs from its recorded hash: it was damaged or changed. `fervid verify --repair` rebuilds it."
        )


def expected_hashes(folder: Path, name: str) -> set[str]:
    """The SHA-256 that a file of a run may have; empty where none was noted. Raises InputError for a bad manifest."""
    outputs = stored_manifest(folder).get("outputs", {})
    return {outputs[name]} if name in outputs else noted_hashes(folder, name)


def stored_manifest(folder: Path) -> dict[str, Any]:
    """The manifest that is in a folder now; empty while none is. For reading only. Raises InputError."""
    path = folder / MANIFEST
    try:
        state, found = _manifests.get(path)
    except OSError:
        return {}
    if found is None:
        found = manifest_content(folder)
        _manifests.put(path, state, found)
    content: dict[str, Any] = found
    return content
