"""Beginning a video on a cluster: a short one is brought to its end, with the tables that its steps would write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import fervid
from fervid.base import assets
from fervid.batch.context import Context
from fervid.batch.job import Method, VideoJob
from fervid.batch.schedule import USUAL_MIB
from fervid.batch.whole import begin_video, observe_several
from fervid.emotion.model import load_model_info
from fervid.storage.files import content_id
from live_clips import bright_square
from synthetic import constant_rate, write_video

SETTINGS = fervid.load_settings(assignments=["detect.detector=fake", "video.segment_seconds=2"], environment={})


def job_of(video: Path, folder: Path) -> VideoJob:
    method = Method.of(SETTINGS, load_model_info(assets.model_folder(SETTINGS.emotion.model)), "fake")
    return VideoJob(video, content_id(video), folder, method, plot=False)


@pytest.mark.usefixtures("fake_faces")
def test_a_short_video_is_done_in_one_step_with_the_same_tables(tmp_path: Path) -> None:
    video = write_video(tmp_path / "short.mp4", constant_rate(1.5), bright_square)
    job = job_of(video, tmp_path / "out" / "run")
    begun = begin_video(Context(), job, USUAL_MIB)
    assert begun.summary is not None
    assert begun.summary["status"] == "complete"
    assert [observed.n_faces for observed in begun.observed] == [8]  # five frames a second
    plain = fervid.analyze(video, out=tmp_path / "plain", settings=SETTINGS, device="cpu", plot=False)
    for name in ("frames", "faces", "tracks", "timeline"):
        assert (job.folder / f"{name}.parquet").read_bytes() == (plain.folder / f"{name}.parquet").read_bytes()
    again = begin_video(Context(), job, USUAL_MIB)
    assert again.observed == ()
    assert again.planned.n_reused == 1
    assert again.summary is not None


@pytest.mark.usefixtures("fake_faces")
@pytest.mark.parametrize(("seconds", "memory_mib", "n_segments"), [(5.0, USUAL_MIB, 3), (1.5, 1, 1)])
def test_a_long_video_or_a_large_picture_is_planned_alone(
    tmp_path: Path, seconds: float, memory_mib: int, n_segments: int
) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(seconds), bright_square)
    job = replace(job_of(video, tmp_path / "out" / "run"), resume=False)
    begun = begin_video(Context(), job, memory_mib)
    assert begun.summary is None
    assert len(begun.planned.to_observe) == n_segments
    assert begun.planned.pickled_plan
    assert not list(job.folder.glob("*.parquet"))
    observed = observe_several(Context(), job, begun.planned.pickled_plan, begun.planned.to_observe)
    assert len(observed) == n_segments
    assert (
        begin_video(Context(), job_of(video, job.folder), USUAL_MIB).summary is not None
    )  # nothing was left to observe
