"""A spool of pending alerts, one file each, and a log of sent ones, so that outages lose nothing.

`waiting/<alert_id>.json` is written atomically and removed only after delivery; `sent.jsonl` logs what was
sent when. An alert is sent once, however often it is found. Sends nothing itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fervid.errors import OutputError
from fervid.storage.publish import write_whole

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert that is not sent yet."""

    alert_id: str
    queued_ns: int
    alert: Mapping[str, Any]


# Decision ALE-10.
class Spool:
    """A folder of pending alerts of one receiver. Adding is safe at any time; sending is for one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises OutputError when the folder cannot be made."""
        self.folder = folder
        self._waiting, self._log = folder / "waiting", folder / "sent.jsonl"
        try:
            self._waiting.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise OutputError(f"{folder} cannot be written ({problem.strerror}). Check its permissions.") from None

    def add(self, alerts: Sequence[Mapping[str, Any]]) -> int:
        """Queue alerts (with an `alert_id`), except pending and sent ones; returns how many were new."""
        sent = {alert_id for entry in self._entries() for alert_id in entry["alerts"]}
        n_new = 0
        for alert in alerts:
            path = self._path(str(alert["alert_id"]))
            if alert["alert_id"] in sent or path.exists():
                continue
            _write(path, json.dumps({"queued_ns": time.time_ns() + n_new, "alert": alert}, ensure_ascii=False))
            n_new += 1
        return n_new

    def waiting(self) -> list[Waiting]:
        """Pending alerts, oldest first."""
        sent = {alert_id for entry in self._entries() for alert_id in entry["alerts"]}
        found = []
        for path in self._waiting.glob("*.json"):
            if path.stem in sent:  # sent, but the process ended before the file was removed
                path.unlink(missing_ok=True)
                continue
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                found.append(Waiting(path.stem, int(content["queued_ns"]), content["alert"]))
            except (ValueError, KeyError, TypeError):
                raise OutputError(f"{path} is not a pending alert. Move it away and run again.") from None
        return sorted(found, key=lambda one: (one.queued_ns, one.alert_id))

    def told_at(self) -> list[float]:
        """When each message was sent, seconds since 1970."""
        return [float(entry["unix"]) for entry in self._entries()]

    def mark_told(self, waiting: Sequence[Waiting], *, message_id: str, kind: str, unix: float) -> None:
        """Log the delivery of these alerts, then remove them."""
        entry = {
            "time_utc": datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds"),
            "unix": unix,
            "message": message_id,
            "kind": kind,
            "alerts": [one.alert_id for one in waiting],
        }
        try:
            with self._log.open("a+b") as log:
                if log.seek(0, os.SEEK_END) and _last_byte(log) != b"\n":
                    log.write(b"\n")  # an incomplete last line must not corrupt this one
                log.write(json.dumps(entry).encode() + b"\n")
                log.flush()
                os.fsync(log.fileno())
        except OSError as problem:
            raise OutputError(f"{self._log} cannot be written ({problem.strerror}). Check its permissions.") from None
        for one in waiting:
            self._path(one.alert_id).unlink(missing_ok=True)

    def _path(self, alert_id: str) -> Path:
        return self._waiting / f"{alert_id}.json"

    def _entries(self) -> list[dict[str, Any]]:
        if not self._log.is_file():
            return []
        entries = []
        for line in self._log.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue  # an incomplete line after a crash
        return entries


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def _write(path: Path, text: str) -> None:
    """Write a file atomically and durably, even across power loss."""
    try:
        write_whole(path, text.encode())
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Check its permissions.") from None
