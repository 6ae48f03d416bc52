"""A table of a run as CSV that is safe to open in a spreadsheet. Numbers are written in full precision."""

from __future__ import annotations

from fervid.exports.cells import csv_text
from fervid.exports.source import RunTables


def export(run: RunTables) -> bytes:
    """CSV with a header (RFC 4180, line feeds, UTF-8); null is empty, lists are separated by spaces."""
    table = run.read(run.table)
    rows = (
        [" ".join(map(str, value)) if isinstance(value, list) else value for value in row.values()]
        for row in table.to_pylist()
    )
    return csv_text(table.column_names, rows).encode()
