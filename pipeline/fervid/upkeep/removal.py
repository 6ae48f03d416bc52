"""Removes from a run folder only what fervid wrote there.

Fervid's own are the manifest and the tables, observations by their numbered names, the plot, what an interrupted writer
left, and every file that `derived.jsonl` lists and that still has the hash noted there. Verdicts and logs are users'
work: they are kept unless requested. Links are never followed; one among our names is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fervid.privacy.audit import AUDIT_LOG
from fervid.review.preview_cache import FOLDER as PREVIEWS
from fervid.review.preview_cache import MARKER as PREVIEWS_MARKER
from fervid.run.derived import remove_derived
from fervid.run.files import HOLD, MANIFEST, OBSERVATIONS, PLOT, RECORDING, REVIEWS_TABLE, TABLES, TAKEN_LOG, table_file
from fervid.storage.publish import PART

OWN_NAMES = frozenset((PLOT, HOLD, RECORDING, *map(table_file, TABLES)))
LOGS = rf"{re.escape(AUDIT_LOG)}|{re.escape(TAKEN_LOG)}"
PEOPLES = re.compile(rf"{re.escape(REVIEWS_TABLE)}|reviews\.damaged-[0-9T]+\.parquet|{LOGS}")
SEGMENT = re.compile(r"[0-9]{5,}\.parquet")
UNFINISHED = re.compile(rf"\..+{re.escape(PART)}")


def remove_own_files(folder: Path, *, with_verdicts: bool = False) -> tuple[str, ...]:
    """Empty a run folder of fervid's files and remove it if nothing is left; the names that are, within the folder.

    The manifest goes last, so that whoever is interrupted finds again what to remove. Raises OSError.
    """
    for path in _own_files(folder, with_verdicts=with_verdicts):
        path.unlink()
    remove_derived(folder)
    with suppress(FileNotFoundError):
        (folder / PREVIEWS / PREVIEWS_MARKER).unlink()
        (folder / PREVIEWS).rmdir()
    for inner in (folder / OBSERVATIONS, *folder.glob(f".*{PART}")):
        with suppress(OSError):
            inner.rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)
    left = left_in(folder)
    if not left:
        folder.rmdir()
    return left


def left_in(folder: Path) -> tuple[str, ...]:
    """The files in a run folder, and its empty folders, by their names within it."""
    every = sorted(folder.rglob("*"))
    return tuple(
        path.relative_to(folder).as_posix()
        for path in every
        if not path.is_dir() or path.is_symlink() or _is_empty(path)
    )


def largest_file(folder: Path) -> Path | None:
    """The largest file of observations or tables, which frees the most space."""
    files = [path for path in _own_files(folder, with_verdicts=False) if path.suffix == ".parquet"]
    return max(files, key=lambda path: path.lstat().st_size, default=None)


def _own_files(folder: Path, *, with_verdicts: bool) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        is_unfinished = UNFINISHED.fullmatch(path.name) is not None
        if _is_plain(path):
            if is_unfinished or path.name in OWN_NAMES or (with_verdicts and PEOPLES.fullmatch(path.name)):
                yield path
        elif is_unfinished and path.is_dir() and not path.is_symlink():
            yield from (inner for inner in sorted(path.rglob("*")) if _is_plain(inner))
    observations = folder / OBSERVATIONS
    if observations.is_dir() and not observations.is_symlink():
        for path in sorted(observations.iterdir()):
            if _is_plain(path) and (SEGMENT.fullmatch(path.name) or UNFINISHED.fullmatch(path.name)):
                yield path


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_empty(path: Path) -> bool:
    return next(path.iterdir(), None) is None
