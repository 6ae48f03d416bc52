"""A table of a run as JSON Lines: one object per row, null for missing values."""

from __future__ import annotations

import json
import math
from typing import Any

from fervid.exports.source import RunTables


def export(run: RunTables) -> bytes:
    """UTF-8, one object per line, keys as the columns of the table."""
    lines = []
    for row in run.read(run.table).to_pylist():
        plain = {key: _plain(value) for key, value in row.items()}
        lines.append(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
    return "".join(lines).encode()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
