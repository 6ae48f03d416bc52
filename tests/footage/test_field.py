"""Small inputs as cameras and people make them, each of a kind that went wrong once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_pictures

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
    shown = [picture.seconds for picture in read_pictures(source, 0.0, 60.0)]
    assert len(shown) == 150
    assert shown[-1] - shown[0] == pytest.approx(5.96)


@pytest.mark.parametrize("start", [0.0, 9.3, 13.5, 22.0, 27.5])
def test_a_clip_from_between_distant_key_frames_is_whole(test_data: Path, start: float) -> None:
    source = VideoSource(test_data / "videos/field/gop5s.ts", 10**8, 1.48)
    assert sum(1 for _ in read_pictures(source, start, start + 2.0)) == 50


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
