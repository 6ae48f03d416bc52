"""Combines the tables of many runs into one file per table, for tens of thousands of runs. The runs stay unchanged.

Later changes to the runs are not in this copy; compact again to include them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fervid.errors import InputError, OutputError
from fervid.query.session import EMPTY
from fervid.query.sources import BEGAN, TABLES, Sources, videos_table
from fervid.run.files import COMPACTED, VIDEOS_TABLE, table_file
from fervid.run.manifest import write_json
from fervid.storage.lock import wait_for_lock
from fervid.storage.place import remove_folder
from fervid.storage.publish import PART, sync, written_whole

COMPACTED_VERSION = 1
ROWS_PER_GROUP = 131_072
OWN_COLUMNS = (pa.field("run", pa.string()), pa.field("video", pa.string()), *BEGAN)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was written: the folder, runs, and rows by table."""

    folder: Path
    runs: int
    rows: dict[str, int]


# Decision STO-6.
def compact_runs(sources: Sources, out: Path) -> Compacted:
    """Write frames, faces, tracks, timeline, alerts and videos of all runs, one Parquet file each, into `out`.

    Runs follow each other in the order of their folders. Memory does not grow with their number.
    Raises InputError for a table that cannot be read, OutputError for a folder that cannot be written.
    """
    if not sources.runs:
        raise InputError("no run to compact was found. Give folders that `fervid analyze` wrote.")
    lock = wait_for_lock(out)
    try:
        rows = _write_all(sources, out)
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    finally:
        lock.release()
    return Compacted(out, len(sources.runs), rows)


def _write_all(sources: Sources, out: Path) -> dict[str, int]:
    """One snapshot into a folder whose lock is held: all tables beside it first, then in their places."""
    marker = out / COMPACTED
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f".*{PART}"):
        remove_folder(left) if left.is_dir() else left.unlink()  # leftovers of a killed process: we hold the lock now
    with tempfile.TemporaryDirectory(prefix=".compacting-", suffix=PART, dir=out) as scratch:
        fresh = Path(scratch)
        rows = {name: _write(fresh / table_file(name), name, sources) for name in TABLES}
        videos = videos_table(sources)
        rows["videos"] = _replace(fresh / VIDEOS_TABLE, videos.schema, [videos])
        marker.unlink(missing_ok=True)  # while tables are replaced they do not belong together
        sync(out)
        for name in rows:
            os.replace(fresh / table_file(name), out / table_file(name))
        sync(out)
    sizes = {table_file(name): (out / table_file(name)).stat().st_size for name in rows}
    about = {"schema_version": COMPACTED_VERSION, "runs": len(sources.runs), "rows": rows, "bytes": sizes}
    write_json(marker, about)
    return rows


def _write(path: Path, name: str, sources: Sources) -> int:
    runs = sources.runs_with(name)
    schema = pa.unify_schemas([_plain(sources.open(run, name).schema_arrow) for run in runs] or [_plain(EMPTY[name])])
    own = [column for column in OWN_COLUMNS if column.name not in schema.names]
    schema = pa.schema([*own, *schema])
    return _replace(path, schema, (_with_run(sources, run, name, schema) for run in runs))


def _with_run(sources: Sources, run: Path, name: str, schema: pa.Schema) -> pa.Table:
    """A table of a run with all columns of `schema`; missing ones are null."""
    try:
        table = sources.open(run, name).read(use_threads=False)
    except (OSError, pa.ArrowException, ValueError) as problem:
        raise InputError(f"{run / name}.parquet cannot be read ({problem}). Analyse its video again.") from None
    own = {"run": run.name, "video": sources.video_name(run)}
    own |= {field.name: moment for field, moment in zip(BEGAN, sources.began(run), strict=True)}
    columns = []
    for column in schema:
        if column.name in table.column_names:
            columns.append(table[column.name].cast(column.type))
        else:
            value = own.get(column.name)
            columns.append(pa.repeat(pa.scalar(value, column.type), len(table)))
    return pa.table(columns, schema=schema)


def _replace(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write tables into one file with large row groups, atomically; returns the number of rows."""
    n = 0
    with (
        written_whole(path) as partial,
        pq.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for group in _groups(tables):
            writer.write_table(group, row_group_size=ROWS_PER_GROUP)
            n += len(group)
    return n


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    n = 0
    for table in tables:
        waiting.append(table)
        n += len(table)
        if n >= ROWS_PER_GROUP:
            yield pa.concat_tables(waiting)
            waiting, n = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema without provenance, dictionaries as strings: each file has its own dictionary."""
    return pa.schema(
        [
            pa.field(column.name, column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
            for column in schema
        ]
    )
