"""Retention: removes old results from an output folder, except those on hold, and logs each removal.

Only what fervid can be shown to have written is removed: runs by the files in them, pages by the hash that was noted of
each. A symbolic link is never followed and never removed. Knows nothing of what results hold.
"""

from __future__ import annotations

import errno
import getpass
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fervid.base.clock import utc_now
from fervid.errors import ConfigError, InputError, OutputError, OutputInUse
from fervid.run.derived import all_noted
from fervid.run.files import (
    COMPACTED,
    DOOMED,
    FAILED,
    HOLD,
    ID_CACHE,
    MANIFEST,
    OBSERVATIONS,
    PURGE_LOG,
    RUN_NAME,
    SEQUENCE_NOTE,
    SEQUENCES,
    table_file,
)
from fervid.run.manifest import write_json
from fervid.storage.files import file_sha256
from fervid.storage.lock import Lock, wait_for_lock
from fervid.storage.publish import append_synced, sync
from fervid.upkeep.removal import largest_file, remove_own_files

SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an output folder, its age, and why it is kept (empty: it will be removed)."""

    path: Path
    kind: str
    age_seconds: float
    n_bytes: int
    kept_because: str = ""
    left: tuple[str, ...] = ()
    """What stays of a run that goes: verdicts, logs, and files that are not known to be fervid's."""


def parse_age(text: str) -> float:
    """Seconds from `30d`, `12h`, `2w`, `90m` or `45s`. Raises ConfigError."""
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*([smhdw])\s*", text)
    if match is None:
        raise ConfigError(f"age {text!r} is not valid. Write a number with s, m, h, d or w, as in 30d.")
    return int(match[1]) * float(SECONDS_OF[match[2]])


def find_old(out: Path, *, older_than_seconds: float) -> list[Item]:
    """What is older in an output folder: runs (by when they were finished), records of failures, pages about runs,
    videos made of images, and copies of their tables, which go with the first run that goes.

    Those on hold, or in use, are listed with the reason why they stay. Raises InputError when `out` is not a folder.
    """
    if not out.is_dir():
        raise InputError(f"{out} is not a folder. Give the folder of results with --out.")
    out, now = out.resolve(), time.time()
    items, copies = [], []
    for path, kind, written in _of_fervid(out):
        age = now - written
        item = Item(path, kind, age, _size(path), _why_kept(path) if kind == "run" else "")
        if kind == "remains" or age > older_than_seconds:
            items.append(item)
        elif kind == "copy":
            copies.append(item)
    if any(item.kind == "run" and not item.kept_because for item in items):
        items += copies  # young ones hold the rows of old runs too
    return items


# Decision STO-3.
def purge(out: Path, *, older_than_seconds: float, is_dry_run: bool = False, with_verdicts: bool = False) -> list[Item]:
    """Remove what is older; returns all that was found old, the held among it. A dry run removes and writes nothing.

    Verdicts about a run, its log of open faces and files of others stay in its folder; `with_verdicts` removes the
    former two as well. Each removal is noted in `purge.jsonl` before it happens, on a full disk as soon as there is
    room for the note. A run goes by one rename, so that an interrupted removal leaves no half of a run; the next purge
    removes what remains. Raises OutputError when something cannot be removed, after trying the rest.
    """
    items = find_old(out, older_than_seconds=older_than_seconds)
    if is_dry_run:
        return items
    stuck = []
    runs_first = sorted(range(len(items)), key=lambda number: items[number].kind not in ("run", "remains"))
    for number in runs_first:
        item = items[number]
        if item.kept_because:
            continue
        try:
            items[number] = _remove(out.resolve(), item, older_than_seconds, with_verdicts=with_verdicts)
        except OutputError:
            raise
        except OSError as problem:
            stuck.append(f"{item.path.name} ({problem.strerror})")
    if stuck:
        raise OutputError(f"{out}: not removed: {', '.join(stuck)}. Check permissions, and run it again.")
    return items


def hold(run: Path, *, reason: str) -> None:
    """Keep a run from being purged until it is released.

    Raises InputError when it is not a run, OutputInUse while another process works on it: a purge among others.
    """
    _check_run(run)
    lock = wait_for_lock(run)
    try:
        _check_run(run)  # it may have been purged meanwhile
        write_json(run / HOLD, {"reason": reason, "user": _user(), "utc": utc_now()})
        _note(run.resolve().parent, "hold", run.name, reason=reason)
    finally:
        lock.release()


def release(run: Path) -> None:
    """Release a run from hold. Raises InputError when it has none, OutputInUse as `hold`."""
    _check_run(run)
    lock = wait_for_lock(run)
    try:
        if not (run / HOLD).is_file():
            raise InputError(f"{run} is not on hold. Nothing was changed.")
        _note(run.resolve().parent, "release", run.name)
        (run / HOLD).unlink()
        sync(run)
    finally:
        lock.release()


def _of_fervid(out: Path) -> Iterator[tuple[Path, str, float]]:
    """What fervid wrote into an output folder: path, kind, and when (seconds since 1970)."""
    pages = all_noted(out)
    with os.scandir(out) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = out / entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name.startswith(DOOMED) and RUN_NAME.fullmatch(entry.name.removeprefix(DOOMED)):
                    yield path, "remains", _written(path)
                elif RUN_NAME.fullmatch(entry.name) and _is_run(path):
                    yield path, "run", _finished(path)
                elif _copied_files(path):
                    yield path, "copy", _written(path / COMPACTED)
                elif entry.name == SEQUENCES:
                    for folder in sorted(path.iterdir()):
                        if _image_files(folder):
                            yield folder, "images", _written(folder / SEQUENCE_NOTE)
                elif entry.name == FAILED:
                    for record in sorted(path.glob("*.json")):
                        if _is_record(record):
                            yield record, "record", _written(record)
            elif entry.is_file(follow_symlinks=False) and _is_own_page(path, pages.get(entry.name, set())):
                yield path, "page", _written(path)


def _is_own_page(path: Path, hashes: set[str]) -> bool:
    """Whether a file beside runs is what a command wrote: a page changed by a user is kept."""
    try:
        return path.name == ID_CACHE or (bool(hashes) and file_sha256(path) in hashes)
    except OSError:
        return False


def _is_record(path: Path) -> bool:
    """Whether a file is the record of a video that could not be analysed."""
    if path.is_symlink() or not RUN_NAME.fullmatch(path.stem):
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and str(content.get("video_id", "")).startswith(path.stem[-8:])


def _copied_files(folder: Path) -> list[Path]:
    """The files that `fervid compact` wrote into a folder, the one that lists them last; none where it did not."""
    marker = folder / COMPACTED
    if not marker.is_file() or marker.is_symlink():
        return []
    try:
        tables = [folder / table_file(name) for name in json.loads(marker.read_text(encoding="utf-8"))["rows"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    own = [path for path in tables if path.parent == folder and path.is_file() and not path.is_symlink()]
    return [*own, marker]


def _is_run(path: Path) -> bool:
    """Whether a folder holds a run, complete or begun. Its name alone is not enough to remove it."""
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return isinstance(content, dict) and str(content.get("video_id", "")).startswith(path.name[-8:])
    except FileNotFoundError:
        names = {name for name in os.listdir(path) if name != HOLD}
        return OBSERVATIONS in names and (path / OBSERVATIONS).is_dir() and not (path / OBSERVATIONS).is_symlink()
    except (OSError, ValueError):
        return False


def _image_files(folder: Path) -> list[Path]:
    """A video that was made of images and the note about it, the note last; none in a folder of others."""
    note = folder / SEQUENCE_NOTE
    if folder.is_symlink() or note.is_symlink() or not note.is_file() or not RUN_NAME.fullmatch(folder.name):
        return []
    return [*(path for path in folder.glob("*.mov") if path.is_file() and not path.is_symlink()), note]


def _finished(path: Path) -> float:
    """When a run was finished; of one that never was, when anything in it was written last."""
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return datetime.fromisoformat(content["finished_utc"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError):
        return max([_written(path), *(_written(child) for child in path.rglob("*"))])


def _why_kept(path: Path) -> str:
    with suppress(OSError):
        if stat.S_ISREG((path / HOLD).lstat().st_mode):
            reason = ""
            with suppress(ValueError, AttributeError):
                reason = str(json.loads((path / HOLD).read_text(encoding="utf-8")).get("reason") or "")
            return f"on hold: {reason}" if reason else "on hold"
    return ""


def _remove(out: Path, item: Item, older_than_seconds: float, *, with_verdicts: bool) -> Item:
    """Remove one item, or return why it is kept."""
    details: dict[str, Any] = {"age_days": round(item.age_seconds / 86_400, 1), "bytes": item.n_bytes}
    details["older_than_days"] = round(older_than_seconds / 86_400, 3)
    name = str(item.path.relative_to(out))
    if item.kind not in ("run", "remains"):
        files = FILES_OF[item.kind](item.path) if item.kind in FILES_OF else [item.path]
        files = _note_with_room(out, name, details, files)
        for file in files:
            file.unlink(missing_ok=True)
        if item.kind in FILES_OF:
            with suppress(OSError):
                item.path.rmdir()
        return item
    place = item.path.with_name(item.path.name.removeprefix(DOOMED))
    try:
        lock = Lock(place)
    except OutputInUse:
        return replace(item, kept_because="in use by a run of fervid")
    try:
        doomed = place.with_name(DOOMED + place.name)
        if item.kind == "run":
            if kept := _why_kept(place) or _why_kept(doomed):  # put on hold since it was looked at
                return replace(item, kept_because=kept)
            if os.path.lexists(doomed):
                remove_own_files(doomed, with_verdicts=with_verdicts)
            if os.path.lexists(doomed):
                return replace(item, kept_because=f"{doomed.name} beside it holds files of others")
            _note_or_rename(out, name, details, place, doomed)
        else:
            _note_with_room(out, name, details, [largest] if (largest := largest_file(doomed)) else [])
        left = remove_own_files(doomed, with_verdicts=with_verdicts)
        if left and not os.path.lexists(place):
            doomed.rename(place)
        sync(out)
    finally:
        lock.release()
    return replace(item, left=left)


FILES_OF = {"copy": _copied_files, "images": _image_files}
"""What goes of a folder, by its kind; the folder too, if nothing is left."""


def _note_or_rename(out: Path, name: str, details: dict[str, Any], place: Path, doomed: Path) -> None:
    """Note that a run goes, then rename it. On a full disk the other way round: its largest file makes room."""
    try:
        _note(out, "remove", name, **details)
        place.rename(doomed)
    except OutputError as problem:
        if not _is_full(problem):
            raise
        place.rename(doomed)
        _note_with_room(out, name, details, [largest] if (largest := largest_file(doomed)) else [])


def _note_with_room(out: Path, name: str, details: dict[str, Any], files: list[Path]) -> list[Path]:
    """Note that files go; on a full disk after the first of them, which makes room. Those that are still to go."""
    try:
        _note(out, "remove", name, **details)
    except OutputError as problem:
        if not _is_full(problem) or not files:
            raise
        files[0].unlink()
        _note(out, "remove", name, **details)
        return files[1:]
    return files


def _is_full(problem: OutputError) -> bool:
    return getattr(problem.__cause__, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def _note(out: Path, action: str, name: str, **details: Any) -> None:
    """Append to the log of an output folder. Raises OutputError; then nothing must be removed."""
    entry = {"utc": utc_now(), "user": _user(), "action": action, "what": name, **details}
    try:
        append_synced(out / PURGE_LOG, json.dumps(entry) + "\n")
    except OSError as problem:
        raise OutputError(
            f"{out / PURGE_LOG} cannot be written ({problem.strerror}), so nothing more is removed. Make it writable."
        ) from problem


def _check_run(run: Path) -> None:
    if not run.is_dir() or not _is_run(run.resolve()):
        raise InputError(f"{run} is not a run folder. Give one written by `fervid analyze`.")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def _written(path: Path) -> float:
    with suppress(OSError):
        return path.lstat().st_mtime
    return time.time()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
