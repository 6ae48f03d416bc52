"""`fervid query` and `fervid compact` as a user meets them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alert_runs import face, make_run
from runner import run_fervid


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    times = np.arange(5) / 5
    for name, angry in (("one", 0.2), ("two", 0.8)):
        make_run(folder / name, [face(t, 0, angry) for t in times.tolist()], times, video=f"/footage/{name}.mp4")
    return folder


def test_a_query_prints_what_was_asked_for(runs: Path, tmp_path: Path) -> None:
    sql = "SELECT video, count(*) AS n FROM faces WHERE s_angry > 0.5 GROUP BY video"
    done = run_fervid("query", sql, str(runs))
    assert (done.returncode, done.stdout) == (0, "video    n\ntwo.mp4  5\n(1 row)\n"), done.stderr
    done = run_fervid("query", sql, str(runs), "--format", "json")
    assert json.loads(done.stdout) == [{"video": "two.mp4", "n": 5}]
    done = run_fervid("query", sql, str(runs), "--format", "parquet", "-o", str(tmp_path / "found.parquet"))
    assert (done.returncode, done.stdout) == (0, "")
    assert pq.read_table(io.BytesIO((tmp_path / "found.parquet").read_bytes())).equals(
        pa.table({"video": ["two.mp4"], "n": [5]})
    )


@pytest.mark.parametrize(
    ("sql", "place", "code", "message"),
    [
        ("SELECT * FROM facez", "RUNS", 2, "facez does not exist"),
        ("DROP VIEW faces", "RUNS", 2, "not one SELECT"),
        ("SELECT * FROM faces", "nowhere", 3, "nowhere is not a run folder and contains none"),
    ],
)
def test_bad_queries_are_one_line_and_the_right_code(
    runs: Path, tmp_path: Path, sql: str, place: str, code: int, message: str
) -> None:
    done = run_fervid("query", sql, str(runs) if place == "RUNS" else place, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_compacted_copy_says_what_it_holds(runs: Path, tmp_path: Path) -> None:
    for run in runs.iterdir():  # made by hand, without the tables that nothing here asks for
        for name in ("tracks", "timeline"):
            pq.write_table(pa.table({"video_id": ["v"]}), run / f"{name}.parquet")
    done = run_fervid("compact", str(runs), "-o", str(tmp_path / "all"))
    assert done.returncode == 0, done.stderr
    assert "2 runs: 10 frames, 10 faces, 2 tracks, 2 timeline, 0 alerts, 2 videos" in done.stdout
    done = run_fervid("query", "SELECT count(*) AS n FROM frames", str(tmp_path / "all"), "--format", "csv")
    assert done.stdout == "n\n10\n"
