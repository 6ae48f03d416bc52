"""A run follows its video when that is renamed or moved, and stays where it is for a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

import fervid
from fervid.annotate.video import annotate_run
from fervid.run.manifest import read_manifest
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


def test_a_start_time_of_several_videos_is_of_all_unless_a_name_states_another(tmp_path: Path) -> None:
    for name in ("front.mp4", "rear.mp4"):
        (tmp_path / name).write_bytes(numbered_clip("mp4", range(25 if name == "front.mp4" else 30)))
    command = ("analyze", str(tmp_path), "-o", str(tmp_path / "out"), "-q", "--device", "cpu")
    done = run_fervid(*command, "--start-time", "2026-11-20T22:00:00+01:00")
    assert done.returncode == 0, done.stderr
    assert "2 videos are taken to begin at 2026-11-20T22:00:00+01:00, all of them" in done.stderr
    manifests = sorted((tmp_path / "out").glob("*/manifest.json"))
    assert [read_manifest(path.parent).video["recorded_utc"] for path in manifests] == ["2026-11-20T21:00:00+00:00"] * 2

    plots = {path: path.read_bytes() for path in (tmp_path / "out").glob("*/timeline.png")}
    again = run_fervid(*command, "--start-time", "2026-11-20T22:00:05+01:00")
    assert "2 skipped" in again.stderr
    assert len(plots) == 2
    assert all(path.read_bytes() != before for path, before in plots.items())  # drawn again with the new time
    assert run_fervid("verify", str(tmp_path / "out")).returncode == 0

    (tmp_path / "rear.mp4").rename(tmp_path / "rear_20261120_221000.mp4")
    refused = run_fervid(*command, "--start-time", "2026-11-20T22:00:00+01:00")
    assert refused.returncode == 2
    assert "is not what the names of 1 of 2 videos say, such as rear_20261120_221000.mp4" in refused.stderr
    assert "a list with a column start_time" in refused.stderr
