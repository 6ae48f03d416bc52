"""`fervid bench` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fervid.config import preset_names
from runner import run_fervid
from synthetic import constant_rate, write_video


@pytest.mark.slow
def test_the_bench_measures_every_stage_and_recommends_what_exists(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(6))
    done = run_fervid("bench", str(video), "--json", "--target", "0")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["video"] == "clip.mp4"
    assert 0 < found["measured_seconds"] <= found["video_seconds"] == pytest.approx(6)
    assert set(found["stages"]) == {"decode", "detect", "classify"}
    assert all(stage["cpu_ms_each"] > 0 for stage in found["stages"].values())
    assert all(times > 0 for times in found["times_real_time"].values())
    assert found["preset"] == "default"  # a target of 0 is reached by the most thorough one
    assert found["preset"] in preset_names()
    assert found["workers"] >= 1
    assert list(tmp_path.iterdir()) == [video]


def test_a_video_that_is_not_there_is_one_line_and_the_code_of_an_input(tmp_path: Path) -> None:
    done = run_fervid("bench", str(tmp_path / "nothing.mp4"))
    assert done.returncode == 3
    assert "nothing.mp4" in done.stderr
    assert "Traceback" not in done.stderr
