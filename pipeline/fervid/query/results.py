"""A table as text for people and programs, or as Parquet. Knows nothing of runs or SQL."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fervid.base.printable import counted
from fervid.base.widths import columns_of, left, right
from fervid.errors import OutputError
from fervid.exports.cells import csv_text
from fervid.storage.publish import write_whole

LONGEST_CELL = 48


def write_result(table: pa.Table, form: str, out: Path | None) -> None:
    """Print a table as `form` (table, csv, json, parquet), or write it to `out`. Raises OutputError."""
    content = render(table, form)
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, content)
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another file with --out.") from None


def render(table: pa.Table, form: str) -> bytes:
    """A table as bytes of one of the forms. JSON is one array of objects."""
    if form == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue().to_pybytes())
    rows = table.to_pylist()
    if form == "json":
        text = json.dumps([{k: _plain(v) for k, v in row.items()} for row in rows], ensure_ascii=False, indent=1) + "\n"
    elif form == "csv":
        text = csv_text(table.column_names, ([_plain(row[k]) for k in table.column_names] for row in rows))
    else:
        text = _aligned(table, rows)
    return text.encode()


def _aligned(table: pa.Table, rows: list[dict[str, Any]]) -> str:
    names = table.column_names
    cells = [[_cell(row[name]) for name in names] for row in rows]
    is_number = [pa.types.is_floating(column.type) or pa.types.is_integer(column.type) for column in table.schema]
    widths = [max(columns_of(row[i]) for row in (names, *cells)) for i in range(len(names))]
    place = [right if n else left for n in is_number]
    lines = [
        "  ".join(put(text, width) for put, text, width in zip(place, row, widths, strict=True)).rstrip()
        for row in (names, *cells)
    ]
    return "\n".join([*lines, f"({counted(len(rows), 'row')})"]) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) else str(_plain(value))
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _plain(value: Any) -> Any:
    """A value that JSON has; NaN and infinity, which it lacks, become null."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
