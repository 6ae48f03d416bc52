"""Whether a table belongs to the run that is read: the one home of the check. Reads a table's footer, no row."""

from __future__ import annotations

from pathlib import Path

from fervid.errors import InputError

SETTINGS_HASH = b"fervid.settings_hash"


def check_tables(folder: Path, settings_hash: str, *names: str) -> None:
    """Raises InputError where a table of `folder` was made with other settings than those of `settings_hash`.

    A table that is not there, or that does not tell its settings, is left to its reader.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in names:
        try:
            metadata = pq.read_schema(folder / f"{name}.parquet").metadata or {}
        except (OSError, pa.ArrowInvalid):
            continue
        found = metadata.get(SETTINGS_HASH, settings_hash.encode()).decode()
        if found != settings_hash:
            raise InputError(
                f"{folder}: {name}.parquet has settings {found[:8]}, this run has {settings_hash[:8]}: it was replaced "
                "by one with other settings. Open the folder again, or analyse into another folder (--out)."
            )
