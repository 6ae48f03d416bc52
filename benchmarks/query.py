"""How long SQL over many finished runs takes, from their folders and from a compacted copy.

    python benchmarks/query.py [--runs 1000] [--seconds 60]

Runs are made up: one face at five frames a second, and in each fourth run three alerts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from alert_runs import LABELS, face, make_run
from fervid.alerts.find.records import alerts_schema
from fervid.query.compact import compact_runs
from fervid.query.session import run_query
from fervid.query.sources import find_sources
from fervid.run.io import write_table
from fervid.run.schema import timeline_schema, tracks_schema

FPS, ALERTS, ALERTS_EVERY = 5, 3, 4
QUERIES = {
    "filter on alerts": "SELECT video, start_s, end_s FROM alerts WHERE peak_score > 0.6 AND end_s - start_s >= 1",
    "alerts a video": "SELECT video, count(*) AS n FROM alerts GROUP BY video ORDER BY n DESC LIMIT 10",
    "videos by coverage": "SELECT video, duration_s, coverage FROM videos ORDER BY coverage LIMIT 10",
    "mean over all faces": "SELECT avg(s_angry), count(*) FROM faces WHERE abstain IS NULL",
}


def make_runs(folder: Path, n: int, seconds: float) -> None:
    times = np.arange(round(seconds * FPS)) / FPS
    rng = np.random.default_rng(3)
    for i in range(n):
        run = folder / f"camera-{i:05d}"
        name = f"camera-{i:05d}.mp4"
        if i == 0:
            make_run(run, [face(t, 0, 0.3) for t in times.tolist()], times, video=f"/footage/{name}")
            track = {"track_id": 0, "start_s": 0.0, "end_s": seconds, "n_faces": len(times)}
            write_table(run / "tracks.parquet", pa.Table.from_pylist([track], schema=tracks_schema(LABELS)), {})
            bins = [{"start_s": float(k), "end_s": k + 1.0, "coverage": 1.0} for k in range(int(seconds))]
            write_table(run / "timeline.parquet", pa.Table.from_pylist(bins, schema=timeline_schema(LABELS)), {})
            first = {path.name: path.read_bytes() for path in run.iterdir()}
        else:
            run.mkdir()
            for file, content in first.items():
                if file == "manifest.json":
                    content = content.replace(b"camera-00000", f"camera-{i:05d}".encode())
                (run / file).write_bytes(content)
        if i % ALERTS_EVERY == 0:
            starts = np.sort(rng.uniform(0, seconds, ALERTS))
            rows: list[dict[str, Any]] = [
                {"video": name, "start_s": s, "end_s": s + rng.uniform(0.5, 4), "peak_score": rng.uniform(0.4, 0.9)}
                for s in starts.tolist()
            ]
            write_table(run / "alerts.parquet", pa.Table.from_pylist(rows, schema=alerts_schema()), {})


def timed(work: Callable[[], Any]) -> tuple[Any, str]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, f"{time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} CPU s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "runs").mkdir()
        make_runs(folder / "runs", arguments.runs, arguments.seconds)
        run_query("SELECT 1", find_sources([folder / "runs" / "camera-00000"]))  # DuckDB is imported
        done, took = timed(lambda: compact_runs(find_sources([folder / "runs"]), folder / "compacted"))
        print(f"{done.runs} runs of {arguments.seconds:g} s; compacting them: {took}")
        for what, sql in QUERIES.items():
            answers = []
            for place in ("runs", "compacted"):
                table, took = timed(lambda place=place, sql=sql: run_query(sql, find_sources([folder / place])))
                answers.append(table.num_rows)
                print(f"  {what:22s}{place:10s}{took}, {table.num_rows} rows")
            assert answers[0] == answers[1]


if __name__ == "__main__":
    main()
