"""How much disk results take: the faces of given runs as one table, scaled to an hour of one face.

    python benchmarks/storage.py RUN_FOLDER...

Prints MB for 18,000 rows (one face, 5 frames a second) of faces.parquet, and for as many frames of observations.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import fervid
from fervid.observe.observations import SCHEMA
from fervid.run.io import write_table

ROWS_AN_HOUR = 5 * 3600


def main() -> None:
    runs = [fervid.open_run(folder) for folder in sys.argv[1:]]
    faces = pa.concat_tables([run.faces.replace_schema_metadata(None) for run in runs]).unify_dictionaries()
    frames = pa.concat_tables(
        [pq.read_table(path).cast(SCHEMA) for run in runs for path in sorted((run.folder / "observations").iterdir())]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        write_table(path, faces, {})
        print(
            f"faces.parquet: {path.stat().st_size / faces.num_rows * ROWS_AN_HOUR / 1e6:.2f} MB ({faces.num_rows} rows)"
        )
        pq.write_table(frames, path, compression="zstd", row_group_size=512)
        size = path.stat().st_size / frames.num_rows * ROWS_AN_HOUR / 1e6
        print(f"observations: {size:.2f} MB ({frames.num_rows} frames)")


if __name__ == "__main__":
    main()
