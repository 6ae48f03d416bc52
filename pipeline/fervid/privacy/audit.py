"""A run's log of files written with open faces: when, by whom, what. Knows nothing of images."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

from fervid.base.clock import utc_now
from fervid.errors import OutputError
from fervid.storage.publish import append_synced

AUDIT_LOG = "evidence-audit.jsonl"


def note_open_faces(folder: Path, what: str, *, blur: str, **details: Any) -> None:
    """Append a line to the log of a run folder, on disk before anything with open faces is written.

    Raises OutputError where it cannot be written: then no face may be left open.
    """
    entry = {
        "time_utc": utc_now(),
        "user": _user(),
        "what": what,
        "blur": blur,
        **details,
    }
    try:
        append_synced(folder / AUDIT_LOG, json.dumps(entry, ensure_ascii=False) + "\n")
    except OSError as problem:
        raise OutputError(
            f"{folder / AUDIT_LOG} cannot be written ({problem.strerror}), so no face is left open. Check permissions."
        ) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
