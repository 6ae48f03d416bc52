"""How long the bench takes, on machines that are slow or get slower: a clock that its runs alone move."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fervid.demo.photograph import FRAME_RATE, SECONDS
from fervid.upkeep import bench
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments
from synthetic import constant_rate, write_video

A_MINUTE = 60.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("bench") / "clip.mp4", constant_rate(20))


@pytest.mark.parametrize(
    ("speeds", "seconds_seen"),
    [
        ([20.0], 20.0),
        ([2.0], 12.0),
        ([0.3], 1.8),
        ([8.0, 1.0], 6.0),  # other work began after the first run
    ],
)
def test_the_bench_keeps_to_a_minute_however_slow_the_machine_is(
    video: Path, monkeypatch: pytest.MonkeyPatch, speeds: list[float], seconds_seen: float
) -> None:
    now, runs = [0.0], list[tuple[str, int]]()

    def run(_path: Path, _folder: Path, preset: str, seconds: float, *, workers: int = 1) -> float:
        speed = speeds[min(len(runs), len(speeds) - 1)]
        runs.append((preset, workers))
        now[0] += seconds / speed
        return speed

    def stages(_path: Path, _settings: Any, seconds: float) -> dict[str, bench.Stage]:
        now[0] += seconds / speeds[-1]
        return {}

    monkeypatch.setattr(bench, "perf_counter", lambda: now[0])
    monkeypatch.setattr(bench, "_speed", run)
    monkeypatch.setattr(bench, "_stages", stages)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = bench.measure_machine(video)
    assert now[0] <= A_MINUTE
    assert runs[-3:] == [("fast", 1), ("default", 1), ("default", 2)]
    assert set(runs[:-3]) == {("default", 1)}
    assert found.measured_seconds == pytest.approx(seconds_seen)


def test_the_demo_is_long_enough_for_workers_to_do_more_than_start(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def run(path: Path, _folder: Path, _preset: str, _seconds: float, *, workers: int = 1) -> float:
        if not seen:
            info, plan = probe(path, max_pixels=1 << 24)
            assert info.duration_seconds == pytest.approx(bench.DEMO_CLIPS * SECONDS, abs=0.1)
            assert not info.is_variable_rate
            assert plan.n_packets == bench.DEMO_CLIPS * SECONDS * FRAME_RATE
            (last,) = plan_segments("demo", info, plan, segment_seconds=1e4, fps=1.0)
            ledger = Ledger()
            bounds = {"fps": 1.0, "start_seconds": 0.0, "end_seconds": None}
            frames = read_frames(path, info, plan, last, ledger, **bounds, decoder_threads=1, max_pixels=1 << 24)
            assert len(list(frames)) == bench.DEMO_CLIPS * SECONDS
            assert ledger.bad_packets == 0
        seen.append(path)
        return 40.0 * workers

    monkeypatch.setattr(bench, "_speed", run)
    monkeypatch.setattr(bench, "_stages", lambda *_: {})
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = bench.measure_machine()
    assert (found.workers, found.preset) == (2, "default")
    assert found.measured_seconds == pytest.approx(40.0 * bench.RUN_SECONDS)
