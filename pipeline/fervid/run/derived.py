"""Files that commands make of a run's tables, noted in the run's folder: they go when other tables take their place.

An alert list, a report or an annotated video of an earlier analysis would pass for those of the new one.
`derived.jsonl` has a line per file that fervid wrote: its name within the folder and its SHA-256. A file that is not
listed, or was changed since, is not fervid's and stays. Knows no form of these files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fervid.errors import OutputError
from fervid.run.manifest import MANIFEST
from fervid.storage.files import file_sha256
from fervid.storage.place import Place, is_on_disk, read_text, remove_file, remove_if_empty

NOTES = "derived.jsonl"


@dataclass(frozen=True, slots=True)
class Outdated:
    """Names within a run folder: what was removed, and what stays because it was changed after fervid wrote it."""

    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def note_derived(folder: Path, paths: Iterable[Path]) -> None:
    """Note files just written into a run folder; those outside of it, and other folders, need no note.

    Raises OutputError when the note cannot be written.
    """
    root = folder.resolve()
    own = [path.resolve() for path in paths if path.resolve().is_relative_to(root)]
    if not own or not (folder / MANIFEST).is_file():
        return
    lines = [json.dumps({"file": path.relative_to(root).as_posix(), "sha256": file_sha256(path)}) for path in own]
    try:
        # One write per call: lines of two commands at once do not mix.
        with (folder / NOTES).open("ab", buffering=0) as notes:
            notes.write("".join(f"{line}\n" for line in lines).encode())
    except OSError as problem:
        raise OutputError(f"{folder / NOTES} cannot be written ({problem.strerror}). Check its permissions.") from None


def remove_derived(folder: Place) -> Outdated:
    """Remove the noted files of a run folder, folders that are empty then, and the notes. Raises OSError."""
    removed, changed = [], []
    for name, hashes in _notes(folder).items():
        path = folder / name
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
    remove_file(folder / NOTES)
    return Outdated(tuple(removed), tuple(changed))


def _notes(folder: Place) -> dict[str, set[str]]:
    """Each noted name with every hash that it was written with; a line cut off by a crash counts for nothing."""
    try:
        lines = read_text(folder / NOTES).splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return {}
    notes: dict[str, set[str]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            name, sha256 = entry["file"], entry["sha256"]
        except (ValueError, KeyError, TypeError):
            continue
        # A folder may come from elsewhere: its notes must not reach out of it, nor through a link.
        if isinstance(name, str) and isinstance(sha256, str) and _is_within(folder, name):
            notes.setdefault(name, set()).add(sha256)
    return notes


def _is_within(folder: Place, name: str) -> bool:
    if {"", ".", ".."} & set(name.replace("\\", "/").split("/")):
        return False
    return not is_on_disk(folder) or (folder / name).parent.resolve() == (folder.resolve() / name).parent
