"""Small inputs as cameras and people make them, each of a kind that went wrong once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_rgb_frames

Analysed = Callable[..., fervid.Run]


def test_b_frames_in_avi_keep_their_pace(analysed: Analysed) -> None:
    run = analysed("field/h264_bframes.avi")
    assert run.manifest.ledger.decoded == 125
    assert run.frames.num_rows == 25
    assert np.abs(run.frames["time_s"].to_numpy() - np.arange(25) / 5).max() < 1e-6


def test_joined_transport_streams_are_one_video(analysed: Analysed) -> None:
    run = analysed("field/cat_segments.ts")
    assert run.manifest.video["duration_seconds"] == pytest.approx(6.0, abs=0.04)
    source = VideoSource.of(run.manifest)
    shown = [picture.seconds for picture in read_rgb_frames(source, 0.0, 60.0)]
    assert len(shown) == 150
    assert shown[-1] - shown[0] == pytest.approx(5.96)


@pytest.mark.parametrize("start", [0.0, 9.3, 13.5, 22.0, 27.5])
def test_a_clip_from_between_distant_key_frames_is_whole(test_data: Path, start: float) -> None:
    source = VideoSource(test_data / "videos/field/gop5s.ts", 10**8, 1.48)
    assert sum(1 for _ in read_rgb_frames(source, start, start + 2.0)) == 50


@pytest.mark.parametrize(
    ("name", "observed", "first", "tracks"),
    [("frozen_vfr", 16.0, 0.0, 1), ("video_5s_late", 8.0, 5.0, 1), ("gap60", 8.0, 0.0, 2)],
)
def test_frames_stand_for_what_they_show(
    analysed: Analysed, name: str, observed: float, first: float, tracks: int
) -> None:
    run = analysed(f"field/{name}.mp4")
    seconds = run.timeline["observed_s"].to_numpy()
    assert seconds.sum() == pytest.approx(observed, abs=0.05)
    assert run.timeline["start_s"].to_numpy()[seconds > 0][0] == first
    assert run.tracks.num_rows == tracks
    assert run.manifest.results["coverage"] == pytest.approx(1.0)


def test_a_thumbnail_before_the_footage_is_not_the_video(analysed: Analysed) -> None:
    run = analysed("field/thumbnail_track_first.mp4")
    assert run.manifest.ledger.frames == 200
    assert run.manifest.results["coverage"] == pytest.approx(1.0)


def test_a_dahua_recording_is_analysed(analysed: Analysed) -> None:
    run = analysed("field/dahua.dav")
    assert (run.manifest.status, run.manifest.ledger.frames) == ("complete", 150)
    assert run.manifest.video["duration_seconds"] == pytest.approx(6.0, abs=0.04)
    assert run.manifest.results["coverage"] > 0.9
    assert sum(1 for _ in read_rgb_frames(VideoSource.of(run.manifest), 2.0, 4.0)) == 50
    assert run.manifest.video["recorded"] == "2024-10-01T10:00:01"
    assert run.manifest.video["recorded_source"] == "clock"


def test_sound_that_outlasts_the_picture_is_no_loss(analysed: Analysed) -> None:
    assert analysed("field/sound_outlasts.mkv").manifest.status == "complete"


def test_a_camera_that_hangs_upside_down_is_noticed_and_turned(analysed: Analysed) -> None:
    as_filed = analysed("field/upside_down.mp4")
    assert as_filed.faces.num_rows == 0
    assert "--rotate 180" in "; ".join(as_filed.manifest.warnings)
    turned = analysed("field/upside_down.mp4", "video.rotate=180")
    assert turned.manifest.results["coverage"] > 0.9
    assert not turned.manifest.warnings


def test_faces_of_a_crop_lie_where_they_are_in_the_whole_image(analysed: Analysed) -> None:
    whole = analysed("faces/woman2.mp4", "video.end_seconds=2").faces
    part = analysed("faces/woman2.mp4", "video.end_seconds=2", "video.crop=[100,0,300,270]").faces
    assert part.num_rows >= 8
    for name in ("x", "y", "w", "h"):
        assert np.median(part[name].to_numpy()) == pytest.approx(np.median(whole[name].to_numpy()), abs=8)


def test_a_stream_that_turns_its_shape_is_letterboxed(analysed: Analysed) -> None:
    run = analysed("field/portrait_then_landscape.mkv", "video.fps=1")
    from fervid.annotate.video import annotate_run

    target = annotate_run(run, strip=False, start_seconds=5.0, end_seconds=5.2)
    assert target.is_file()
