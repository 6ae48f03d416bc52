"""Write and read the tables of a run: Parquet, zstd, split float bytes, provenance in the metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 65_536


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> None:
    """Write `table` to `path` in one atomic step, with `metadata` under the prefix `fervid.` in its footer.

    Byte-stream split halves what zstd makes of float32 scores, without loss (1.0 against 2.0 MB a face-hour).
    """
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    counters = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    keys = {f"fervid.{key}": value for key, value in metadata.items()}
    partial = path.with_suffix(f".{os.getpid()}.part")
    pq.write_table(
        table.replace_schema_metadata(keys),
        partial,
        compression="zstd",
        use_dictionary=words,
        use_byte_stream_split=floats,
        column_encoding=dict.fromkeys(counters, "DELTA_BINARY_PACKED"),
        row_group_size=ROWS_PER_GROUP,
    )
    os.replace(partial, path)
