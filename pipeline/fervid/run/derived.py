"""Derived files of a run's tables, recorded in the run's folder: they are removed when the tables are replaced.

Otherwise alerts, a report or an annotated video of an earlier analysis could be mistaken for those of the new one.
`derived.jsonl` has a line per file that fervid wrote: its name within the folder and its SHA-256. A file that is not
listed, or was changed since, is not fervid's and is kept. Knows nothing of the files' formats.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fervid.errors import OutputError
from fervid.run.files import DERIVED, MANIFEST, RUN_NAME
from fervid.storage.files import file_sha256
from fervid.storage.place import Place, is_on_disk, names_in, read_bytes, remove_file, remove_if_empty
from fervid.storage.publish import append_synced, write_whole


@dataclass(frozen=True, slots=True)
class Outdated:
    """Names within a run folder: files removed, and files kept because they were changed after fervid wrote them."""

    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def note_derived(folder: Path, paths: Iterable[Path]) -> None:
    """Note files that were just written into a run folder, or into one of runs; those outside of it need no note.

    Raises OutputError when the note cannot be written.
    """
    root = folder.resolve()
    own = [path.resolve() for path in paths if path.resolve().is_relative_to(root)]
    note_hashes(folder, {path.relative_to(root).as_posix(): file_sha256(path) for path in own})


def note_hashes(folder: Place, hashes: Mapping[str, str]) -> None:
    """Note files by their names within a run folder and their SHA-256; before they are written is soonest.

    A note about a file that was never written is harmless; a file without a note would outlive its result.
    Raises OutputError when the note cannot be written.
    """
    if not hashes or not ((folder / MANIFEST).is_file() or _holds_runs(folder)):
        return
    lines = "".join(json.dumps({"file": name, "sha256": sha256}) + "\n" for name, sha256 in hashes.items())
    try:
        if is_on_disk(folder):
            append_synced(folder / DERIVED, lines)
        else:
            write_whole(folder / DERIVED, (_text(folder) + lines).encode())
    except OSError as problem:
        raise OutputError(
            f"{folder / DERIVED} cannot be written ({problem.strerror}). Check its permissions."
        ) from None


def _holds_runs(folder: Place) -> bool:
    """Whether a folder on disk is one of results: pages about its runs are noted there."""
    return is_on_disk(folder) and any(RUN_NAME.fullmatch(name) for name in names_in(folder))


def publish_derived(folder: Path, contents: Mapping[str, bytes], *, is_private: bool = False) -> list[Path]:
    """Note files of a run folder by the content that they get, then write each in one atomic step; their paths.

    However it ends, no file is there that is not noted. Raises OutputError or OSError.
    """
    note_hashes(folder, {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()})
    for name, content in contents.items():
        write_whole(folder / name, content, is_private=is_private)
    return [folder / name for name in contents]


def noted_hashes(folder: Place, name: str) -> set[str]:
    """The SHA-256 of each content that fervid wrote into a file of a run folder; empty for one that is not noted."""
    return _notes(folder).get(name, set())


def all_noted(folder: Place) -> dict[str, set[str]]:
    """Each noted name with the SHA-256 of every content that fervid wrote into it."""
    return _notes(folder)


def remove_derived(folder: Place) -> Outdated:
    """Remove the noted files of a run folder, folders that are empty then, and the notes. Raises OSError."""
    outdated = remove_noted(folder, lambda _name: True)
    remove_file(folder / DERIVED)
    return outdated


def remove_noted(folder: Place, is_wanted: Callable[[str], bool]) -> Outdated:
    """Remove noted files of a run folder, of the wanted names, and folders that are empty then. Raises OSError."""
    removed, changed = [], []
    for name, hashes in _notes(folder).items():
        path = folder / name
        if not is_wanted(name):
            continue
        try:
            found = file_sha256(path)
        except OSError:
            continue
        if found not in hashes:
            changed.append(name)
            continue
        remove_file(path)
        removed.append(name)
        parts = name.split("/")
        for depth in range(len(parts) - 1, 0, -1):
            remove_if_empty(folder.joinpath(*parts[:depth]))
    return Outdated(tuple(removed), tuple(changed))


def _notes(folder: Place) -> dict[str, set[str]]:
    """Each noted name with every hash that it was written with; a line cut off by a crash counts for nothing."""
    notes: dict[str, set[str]] = {}
    for line in _text(folder).splitlines():
        try:
            entry = json.loads(line)
            name, sha256 = entry["file"], entry["sha256"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        # A folder may come from elsewhere: its notes must not reach out of it, nor through a link.
        if isinstance(name, str) and isinstance(sha256, str) and _is_within(folder, name):
            notes.setdefault(name, set()).add(sha256)
    return notes


def _text(folder: Place) -> str:
    try:
        return read_bytes(folder / DERIVED).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _is_within(folder: Place, name: str) -> bool:
    if {"", ".", ".."} & set(name.replace("\\", "/").split("/")):
        return False
    if not {"/", "\\"} & set(name):
        return True
    return not is_on_disk(folder) or (folder / name).parent.resolve() == (folder.resolve() / name).parent
