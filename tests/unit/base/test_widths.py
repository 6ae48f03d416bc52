"""Columns of tables stay in line whatever script their cells are in."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fervid.base.widths import columns_of, left, right
from fervid.query.results import render


@pytest.mark.parametrize(
    ("text", "n"), [("", 0), ("abc", 3), ("会議", 4), ("e\u0301", 1), ("ﾃｽﾄ", 3), ("Ａ", 2), ("🎥", 2)]
)
def test_the_columns_of_a_text(text: str, n: int) -> None:
    assert columns_of(text) == n
    assert columns_of(left(text, 9)) == columns_of(right(text, 9)) == 9


def test_a_table_with_names_in_several_scripts_is_in_line() -> None:
    table = pa.table({"video": ["会議室の録画.mp4", "a.mp4", "камера.mp4"], "score": [0.5, 10.25, 3.0]})
    lines = render(table, "table").decode().splitlines()[:-1]
    assert len({columns_of(line) for line in lines}) == 1
