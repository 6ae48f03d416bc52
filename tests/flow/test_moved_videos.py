"""A run follows its video when that is renamed or moved, and stays where it is for a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

import fervid
from fervid.annotate.video import annotate_run
from numbered_clips import numbered_clip
from runner import run_fervid


@pytest.mark.parametrize("new", ["renamed.mp4", "elsewhere/clip.mp4", "elsewhere/renamed.mkv"])
def test_a_moved_video_keeps_its_run_and_can_be_annotated(tmp_path: Path, new: str) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(numbered_clip("mp4", range(50)))
    before = fervid.analyze(video, out=tmp_path / "out", plot=False, device="cpu")
    moved = tmp_path / new
    moved.parent.mkdir(exist_ok=True)
    video.rename(moved)
    done = run_fervid("analyze", str(moved), "-o", str(tmp_path / "out"), "-q", "--no-plot", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "its run follows it" in done.stderr
    run = fervid.open_run(before.folder)
    assert Path(run.manifest.video_path) == moved
    assert run.manifest.outputs == before.manifest.outputs
    assert annotate_run(run, blur="none", strip=False).is_file()
    assert run_fervid("verify", str(run.folder)).returncode == 0
    again = run_fervid("analyze", str(moved), "-o", str(tmp_path / "out"), "-q", "--no-plot", "--device", "cpu")
    assert "follows" not in again.stderr


def test_a_copy_leaves_the_run_at_its_original(tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(numbered_clip("mp4", range(50)))
    before = fervid.analyze(video, out=tmp_path / "out", plot=False, device="cpu")
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    done = run_fervid("analyze", str(copy), "-o", str(tmp_path / "out"), "-q", "--no-plot", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert Path(fervid.open_run(before.folder).manifest.video_path) == video


def test_a_start_time_that_is_stated_later_is_stored(tmp_path: Path) -> None:
    video = tmp_path / "20241001_100001.mp4"
    video.write_bytes(numbered_clip("mp4", range(25)))

    def analysed(*assignments: str) -> fervid.Run:
        settings = fervid.load_settings(assignments=assignments, environment={})
        return fervid.analyze(video, out=tmp_path / "out", settings=settings, plot=False, device="cpu")

    assert analysed().manifest.video["recorded_source"] == "name"
    again = analysed("video.time_zone=Europe/Berlin")
    assert again.was_there
    assert again.manifest.video["recorded_utc"] == "2024-10-01T08:00:01+00:00"
    later = analysed("video.start_time=2026-11-20T22:00:00+01:00")
    assert later.was_there
    assert later.manifest.video["recorded_utc"] == "2026-11-20T21:00:00+00:00"
