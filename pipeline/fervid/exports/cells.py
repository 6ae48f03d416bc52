"""CSV cells that are safe in spreadsheets. Knows nothing of runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Texts with these first characters may run as formulas in a spreadsheet (OWASP, CSV injection); includes wide forms.
"""


def safe_cell(value: Any) -> Any:
    """A cell of a CSV file: texts that look like a formula get a leading quote, null is empty."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    return "" if value is None else value


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> str:
    """CSV with a header and lines that end in a line feed, every cell safe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in names])
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return buffer.getvalue()
