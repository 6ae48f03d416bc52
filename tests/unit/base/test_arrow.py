"""A command does not load pandas for Arrow's sake, and whoever wants it still gets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = "import sys; sys.path[:0] = {path!r}; from fervid.base.arrow import without_pandas; "
AFTER = """
pa.table({"a": pa.array([1.5]), "b": ["x"]}).filter(pa.compute.equal(pa.array(["x"]), "x"))
assert "pandas" not in sys.modules
frame = pa.table({"a": [1, 2]}).to_pandas()
import pandas
assert isinstance(frame, pandas.DataFrame) and pa.Table.from_pandas(frame).num_rows == 2
"""


@pytest.mark.parametrize(
    "order",
    [
        "without_pandas(); import pyarrow as pa, pyarrow.compute",
        "import pyarrow as pa, pyarrow.compute; without_pandas()",
    ],
)
def test_pandas_is_loaded_when_asked_for_alone(order: str) -> None:
    code = BEGIN.format(path=sys.path) + order + AFTER
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_pandas_that_is_there_is_left_to_arrow() -> None:
    code = "import pandas, pyarrow as pa; without_pandas(); pa.table(pandas.DataFrame({'a': [1]}))"
    done = subprocess.run(
        [sys.executable, "-c", BEGIN.format(path=sys.path) + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
