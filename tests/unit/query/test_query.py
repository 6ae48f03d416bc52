"""SQL over runs: what views hold, what a query may not do, how results are written, and copies of many runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alert_runs import LABELS, face, make_run
from fervid.alerts.find.records import alerts_schema
from fervid.errors import ConfigError, InputError
from fervid.query.compact import compact_runs
from fervid.query.results import render
from fervid.query.session import run_query
from fervid.query.sources import VIEWS, find_sources
from fervid.run.io import write_table
from fervid.run.schema import timeline_schema, tracks_schema

TIMES = np.arange(10) / 5


def whole_run(folder: Path, video: str, *, angry: float, alerts: int = 0) -> Path:
    """A run with all tables, and `alerts` events."""
    make_run(folder, [face(t, 0, angry) for t in TIMES[:6].tolist()], TIMES, video=video)
    track = {"video_id": "v", "track_id": 0, "start_s": 0.0, "end_s": 1.2, "n_faces": 6}
    write_table(folder / "tracks.parquet", pa.Table.from_pylist([track], schema=tracks_schema(LABELS)), {})
    bins = [{"video_id": "v", "start_s": float(i), "end_s": i + 1.0, "coverage": 0.5} for i in range(2)]
    write_table(folder / "timeline.parquet", pa.Table.from_pylist(bins, schema=timeline_schema(LABELS)), {})
    if alerts:
        name = Path(video).name
        rows = [{"video": name, "start_s": float(i), "end_s": i + 0.5, "peak_score": 0.7} for i in range(alerts)]
        write_table(folder / "alerts.parquet", pa.Table.from_pylist(rows, schema=alerts_schema()), {})
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one with alerts, in a folder whose name holds characters that mean something elsewhere."""
    folder = tmp_path_factory.mktemp("it's [all] *runs?")
    whole_run(folder / "calm-1", "/footage/calm.mp4", angry=0.1)
    whole_run(folder / "deep" / "angry-2", "/footage/angry.mp4", angry=0.9, alerts=3)
    return folder


def ask(sql: str, *folders: Path) -> list[dict[str, object]]:
    return run_query(sql, find_sources(folders)).to_pylist()


def test_alerts_of_all_runs_answer_a_filter(runs: Path) -> None:
    found = ask("SELECT run, video, start_s, end_s FROM alerts WHERE start_s >= 1 ORDER BY start_s", runs)
    assert found == [
        {"run": "angry-2", "video": "angry.mp4", "start_s": 1.0, "end_s": 1.5},
        {"run": "angry-2", "video": "angry.mp4", "start_s": 2.0, "end_s": 2.5},
    ]


@pytest.mark.parametrize(
    ("view", "rows"), [("frames", 20), ("faces", 12), ("tracks", 2), ("timeline", 4), ("alerts", 3), ("videos", 2)]
)
def test_every_view_holds_the_rows_of_all_runs_and_says_which(runs: Path, tmp_path: Path, view: str, rows: int) -> None:
    counts = ask(f"SELECT run, video, count(*) AS n FROM {view} GROUP BY ALL", runs)
    assert sum(row["n"] for row in counts) == rows  # type: ignore[misc]
    assert {(row["run"], row["video"]) for row in counts} <= {("calm-1", "calm.mp4"), ("angry-2", "angry.mp4")}
    compacted = compact_runs(find_sources([runs]), tmp_path / "compacted")
    assert compacted.rows[view] == rows
    again = ask(f"SELECT run, video, count(*) AS n FROM {view} GROUP BY ALL", tmp_path / "compacted")
    key = lambda row: str(row["run"])  # noqa: E731
    assert sorted(again, key=key) == sorted(counts, key=key)


def test_views_join(runs: Path) -> None:
    sql = (
        "SELECT v.video, v.status, avg(f.s_angry) AS angry FROM faces AS f JOIN videos AS v USING (run) "
        "GROUP BY ALL ORDER BY angry DESC"
    )
    found = ask(sql, runs)
    assert [row["video"] for row in found] == ["angry.mp4", "calm.mp4"]
    assert found[0]["angry"] == pytest.approx(0.9)


def test_runs_of_models_with_other_labels_stand_in_one_view(runs: Path, tmp_path: Path) -> None:
    other = whole_run(tmp_path / "other", "/footage/other.mp4", angry=0.5)
    faces = pq.read_table(other / "faces.parquet")
    write_table(other / "faces.parquet", faces.append_column("s_contempt", pa.array([0.25] * len(faces))), {})
    sql = "SELECT video, avg(s_contempt) AS c FROM faces GROUP BY video ORDER BY c NULLS LAST, video"
    expected = [("other.mp4", 0.25), ("angry.mp4", None), ("calm.mp4", None)]
    assert [(row["video"], row["c"]) for row in ask(sql, runs, other)] == expected
    compact_runs(find_sources([runs, other]), tmp_path / "compacted")
    assert [(row["video"], row["c"]) for row in ask(sql, tmp_path / "compacted")] == expected


def test_a_view_without_any_table_is_empty_and_has_its_columns(runs: Path) -> None:
    assert ask("SELECT run, video, rule, peak_score FROM alerts", runs / "calm-1") == []
    assert set(VIEWS) == {"frames", "faces", "tracks", "timeline", "alerts", "videos"}


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{out}/copied.csv'",
        "CREATE TABLE t AS SELECT 1",
        "DELETE FROM faces",
        "ATTACH '{out}/new.db'",
        "INSTALL httpfs",
        "SET threads = 1",
        "PRAGMA enable_external_access",
        "SELECT 1; SELECT 2",
        "",
        "EXPORT DATABASE '{out}/all'",
    ],
)
def test_whatever_is_not_one_select_is_refused(runs: Path, tmp_path: Path, sql: str) -> None:
    with pytest.raises(ConfigError, match="not one SELECT|cannot be run"):
        ask(sql.format(out=tmp_path), runs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "source",
    [
        "'{secret}'",
        "read_text('{secret}')",
        "read_csv('{secret}')",
        "read_blob('{secret}')",
        "read_parquet('{folder}/*.parquet')",
        "glob('{folder}/*')",
        "read_text('http://localhost:9/x')",
        "sources",
        "sql",
    ],
)
def test_nothing_but_the_tables_of_the_runs_can_be_read(runs: Path, tmp_path: Path, source: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password\ncanary-4711\n", encoding="utf-8")
    pq.write_table(pa.table({"password": ["canary-4711"]}), tmp_path / "other.parquet")
    with pytest.raises(ConfigError) as caught:
        ask(f"SELECT * FROM {source.format(secret=secret, folder=tmp_path)}, faces", runs)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_names_the_nearest_column_and_the_views(runs: Path) -> None:
    with pytest.raises(ConfigError, match=r"s_angyr.*s_angry.*Views: frames, faces"):
        ask("SELECT s_angyr FROM faces", runs)
    with pytest.raises(InputError, match="is not a run folder and contains none"):
        ask("SELECT 1", runs / "calm-1" / "nowhere")


def test_a_damaged_table_is_an_input_error(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run", "/footage/a.mp4", angry=0.1)
    (run / "faces.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(InputError, match="cannot be read"):
        ask("SELECT * FROM faces", run)
    with pytest.raises(InputError, match="faces.parquet cannot be read"):
        compact_runs(find_sources([run]), tmp_path / "out")
    assert not (tmp_path / "out" / "compacted.json").exists()


def test_results_are_written_for_people_sheets_and_programs() -> None:
    table = pa.table({"video": ["=SUM(A1)", "b\nc"], "n": [1, 20], "x": [0.123456, None], "l": [[1, 2], []]})
    text = render(table, "table").decode()
    assert text.splitlines() == [
        "video      n       x  l",
        "=SUM(A1)   1  0.1235  [1, 2]",
        "b c       20       -  []",
        "(2 rows)",
    ]
    cells = list(csv.reader(io.StringIO(render(table, "csv").decode())))
    assert cells == [["video", "n", "x", "l"], ["'=SUM(A1)", "1", "0.123456", "[1, 2]"], ["b\nc", "20", "", "[]"]]
    assert json.loads(render(table, "json"))[0] == {"video": "=SUM(A1)", "n": 1, "x": 0.123456, "l": [1, 2]}
    assert pq.read_table(pa.BufferReader(render(table, "parquet"))).equals(table)
    assert json.loads(render(pa.table({"x": [float("nan")]}), "json")) == [{"x": None}]


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras whose recordings began a second apart, one with a time zone, and a video of unknown time."""
    folder = tmp_path_factory.mktemp("cameras")
    whole_run(folder / "front-1", "/footage/front_20261120_220000.mp4", angry=0.1, alerts=1)
    whole_run(folder / "rear-2", "/footage/rear_20261120_220001Z.mp4", angry=0.9, alerts=1)
    whole_run(folder / "other-3", "/footage/other.mp4", angry=0.5)
    return folder


CAMERAS = """
SELECT strftime(date_trunc('second', a.clock), '%X') AS moment, a.video AS one, a.start_s AS one_s, b.video AS other,
b.start_s AS other_s FROM timeline a
JOIN timeline b ON date_trunc('second', a.clock) = date_trunc('second', b.clock) AND a.run < b.run ORDER BY moment
"""


@pytest.mark.parametrize("is_compacted", [False, True])
def test_two_cameras_are_laid_beside_each_other_by_the_clock(
    cameras: Path, tmp_path: Path, *, is_compacted: bool
) -> None:
    place = compact_runs(find_sources([cameras]), tmp_path / "copy").folder if is_compacted else cameras
    (both,) = ask(CAMERAS, place)  # each has two bins of a second: one second is in both
    front, rear = "front_20261120_220000.mp4", "rear_20261120_220001Z.mp4"
    assert both == {"moment": "22:00:01", "one": front, "one_s": 1.0, "other": rear, "other_s": 0.0}
    for view, time in (("frames", "time_s"), ("faces", "time_s"), ("tracks", "start_s"), ("alerts", "start_s")):
        rows = ask(
            f"SELECT run, {time} AS t, epoch(clock) AS c, epoch(clock_utc) AS u FROM {view} ORDER BY run, t", place
        )
        began = {"front-1": 1_795_212_000, "rear-2": 1_795_212_001}
        for row in rows:
            expected = began[row["run"]] + row["t"] if row["run"] in began else None  # type: ignore[index,operator]
            assert row["c"] == (None if expected is None else pytest.approx(expected, abs=1e-5))
            assert row["u"] == (row["c"] if row["run"] == "rear-2" else None)
        assert len({row["run"] for row in rows}) >= 2
    assert "began" not in ask("SELECT * FROM timeline LIMIT 1", place)[0]


def test_tables_compacted_by_an_earlier_version_have_no_clock(cameras: Path, tmp_path: Path) -> None:
    folder = compact_runs(find_sources([cameras]), tmp_path / "copy").folder
    for name in ("timeline", "faces"):
        path = folder / f"{name}.parquet"
        pq.write_table(pq.read_table(path).drop_columns(["began", "began_utc"]), path)
    assert ask("SELECT count(*) AS n, count(clock) AS known FROM timeline", folder) == [{"n": 6, "known": 0}]
