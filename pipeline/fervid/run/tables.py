"""Opens the tables of a finished run, and rejects tables of another analysis. All readers use this module.

A folder has one result of a video, that of the newest analysis. So each table names the settings that it was made
with in its footer, and is read only where they are those of the manifest that the reader holds.
"""

# ruff: noqa: TID251
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fervid.errors import InputError
from fervid.run.files import table_file
from fervid.run.intact import check_file
from fervid.storage.place import Place, is_on_disk, open_for_reading

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SETTINGS_HASH = b"fervid.settings_hash"


def open_table(folder: Place, settings_hash: str, name: str) -> pq.ParquetFile:
    """A table of the run in `folder`, opened; `settings_hash` is that of the run's manifest.

    Raises InputError for a table of other settings, one that cannot be read, or one that was changed or damaged since
    it was written. One that does not name its settings, as before there were any in footers, is taken as it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / table_file(name)
    try:
        file = pq.ParquetFile(path if is_on_disk(path) else open_for_reading(path), page_checksum_verification=True)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Analyse its video again.") from None
    except (OSError, pa.ArrowException, ValueError) as problem:
        raise InputError(f"{path} cannot be read ({problem}). Analyse its video again.") from None
    found = (file.metadata.metadata or {}).get(SETTINGS_HASH)
    check_settings(path, None if found is None else found.decode(errors="replace"), settings_hash)
    if is_on_disk(folder):
        check_file(folder, path.name)
    return file


def read_table(
    folder: Place,
    settings_hash: str,
    name: str,
    columns: Sequence[str] | None = None,
    *,
    between: tuple[float, float] | None = None,
) -> pa.Table:
    """A table of a run, or some of its columns; `between` keeps the rows with first <= time_s <= last.

    Raises InputError as `open_table`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    file = open_table(folder, settings_hash, name)
    wanted = None if columns is None else list(columns)
    try:
        if between is None:
            return file.read(wanted, use_threads=False)
        read = wanted if wanted is None or "time_s" in wanted else [*wanted, "time_s"]
        table = file.read_row_groups(_groups_between(file, *between), read, use_threads=False)
    except (OSError, pa.ArrowException, ValueError, KeyError) as problem:
        raise InputError(f"{folder / name}.parquet cannot be read ({problem}). Analyse its video again.") from None
    times = table["time_s"]
    table = table.filter(pc.and_(pc.greater_equal(times, between[0]), pc.less_equal(times, between[1])))
    return table if wanted is None else table.select(wanted)


def check_table(folder: Place, settings_hash: str, name: str) -> None:
    """Raises InputError as `open_table`, for readers that open the file themselves."""
    open_table(folder, settings_hash, name).close()


# Decision STO-4.
def check_settings(path: Place, found: str | None, settings_hash: str) -> None:
    """Raises InputError when a file that was made of a run names other settings than those of the run."""
    if found is not None and found != settings_hash:
        raise InputError(
            f"{path.parent}: {path.name} has settings {found[:8]}, this run has {settings_hash[:8]}: it was replaced "
            "by one with other settings. Open the folder again, or analyse into another folder (--out)."
        )


def _groups_between(file: Any, first: float, last: float) -> list[int]:
    """The row groups that may hold times from `first` to `last`, by what the footer says of them."""
    column = file.schema_arrow.names.index("time_s")
    groups = []
    for number in range(file.num_row_groups):
        known = file.metadata.row_group(number).column(column).statistics
        if known is None or not known.has_min_max or (known.min <= last and known.max >= first):
            groups.append(number)
    return groups
