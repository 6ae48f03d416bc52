"""A run folder during an analysis: preparing it, cleaning leftovers, and giving it up.

A folder without a manifest is not complete; an interrupted analysis resumes from the observations in it.
"""

from __future__ import annotations

from fervid.base.types import Segment
from fervid.errors import OutputError, OutputInUse
from fervid.run.derived import Outdated, remove_derived
from fervid.run.files import HOLD, MANIFEST, OBSERVATIONS, PLOT, TABLES, segment_file, table_file
from fervid.run.find import is_run
from fervid.storage.place import Place, is_on_disk, make_folder, remove_file, remove_folder, remove_if_empty
from fervid.storage.publish import PART


def observations_path(folder: Place, segment: Segment) -> Place:
    """Where the observations of a segment are published."""
    return segment_file(folder, segment.index)


def check_not_on_hold(folder: Place) -> None:
    """Raises OutputInUse for a run on hold, whose result must not be replaced."""
    if is_on_disk(folder) and (folder / HOLD).is_file() and is_run(folder):
        raise OutputInUse(
            f"{folder} is on hold, so its result is not replaced. Give another folder with --out, or release it with "
            f"`fervid purge --release {folder}`."
        )


def prepare(folder: Place, *, keep_observations: bool) -> Outdated:
    """Make the folder incomplete before anything in it changes; what was made of the result before it goes with it.

    Returns which files that were. Raises OutputError when the folder cannot be written.
    """
    try:
        make_folder(folder)
        remove_file(folder / MANIFEST)
        remove_file(folder / PLOT)
        outdated = remove_derived(folder)
        if not keep_observations:
            remove_folder(folder / OBSERVATIONS)
        make_folder(folder / OBSERVATIONS)
        sweep(folder)
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    return outdated


def sweep(folder: Place) -> None:
    """Remove partial files of killed processes; no other process writes here now.

    An object store shows nothing that is half written; what it keeps of it is found by `fervid doctor --storage`.
    """
    if is_on_disk(folder):
        for incomplete in (*folder.glob(f"*{PART}*"), *folder.glob(f"{OBSERVATIONS}/*{PART}*")):
            remove_folder(incomplete) if incomplete.is_dir() and not incomplete.is_symlink() else incomplete.unlink()


def clear(folder: Place) -> None:
    """Remove what an analysis wrote into a run folder, and the folder unless it has other files."""
    remove_folder(folder / OBSERVATIONS)
    for name in (MANIFEST, PLOT, *(table_file(table) for table in TABLES)):
        remove_file(folder / name)
    remove_if_empty(folder)
