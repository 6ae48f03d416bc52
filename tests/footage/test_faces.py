"""What the real detector, tracker and classifier make of real footage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fervid

Analysed = Callable[..., fervid.Run]


@pytest.mark.parametrize("name", ["faces/no_face.mp4", "cctv/traffic_camera_vfr.mp4", "codecs/silent-black-25s.mp4"])
def test_footage_without_faces_has_no_tracks(analysed: Analysed, name: str) -> None:
    run = analysed(name)
    assert run.manifest.ledger.analysed > 15
    assert run.tracks.num_rows == 0
    assert run.faces.num_rows == 0


def test_one_person_is_one_track_for_nearly_the_whole_clip(analysed: Analysed) -> None:
    run = analysed("faces/woman2.mp4")
    faces, tracks = run.faces.to_pandas(), run.tracks.to_pandas()
    counts = faces.groupby("frame").track_id.nunique()
    assert (counts == 1).sum() >= 0.9 * run.manifest.ledger.analysed
    longest = (tracks.end_s - tracks.start_s).max()
    assert longest >= 0.8 * run.manifest.video["duration_seconds"]


def test_faces_end_where_the_title_begins(analysed: Analysed) -> None:
    run = analysed("faces/face_noface.mov")
    faces, frames = run.faces.to_pandas(), run.frames.to_pandas()
    assert len(faces) >= 10
    last = faces.time_s.max()
    assert last < 3
    assert frames.n_faces[frames.time_s > last].eq(0).all()
    assert frames.is_cut[(frames.time_s > last) & (frames.time_s < last + 0.5)].any()


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("labelled/mead_happy.mp4", "happy"),
        ("labelled/style_angry_furious1_clip1.mp4", "angry"),
        ("labelled/style_happy_vscodehappy_clip1.mp4", "happy"),
        ("labelled/jav_01-01-03_01.mp4", "happy"),
    ],
)
def test_a_posed_expression_is_the_dominant_one(analysed: Analysed, name: str, emotion: str) -> None:
    assert analysed(name).summary()["dominant"] == emotion


def test_five_and_ten_frames_a_second_agree_on_real_footage(analysed: Analysed) -> None:
    """Means over the clip agree within 0.02; single bins differ more, for other frames are seen."""
    means = []
    for fps in (5, 10):
        run = analysed("faces/woman2.mp4", f"video.fps={fps}")
        timeline = run.timeline.to_pandas()
        labels = [f"mean_{label}" for label in run.manifest.model["labels"]]
        means.append(np.average(timeline[labels], axis=0, weights=timeline.observed_s))
    assert np.abs(means[0] - means[1]).max() <= 0.02


def test_segments_of_real_codecs_give_the_tables_of_one_piece(analysed: Analysed) -> None:
    # A search that remembers faces begins afresh with each segment, so that only full ones do not depend on where.
    full = "detect.full_search_seconds=0"
    for name in ("faces/face_noface.mov", "codecs/bbb_2500ms.ts", "codecs/bbb_642x642_768kbps_30fps_vp9.webm"):
        pieces, whole = (analysed(name, f"video.segment_seconds={seconds}", full) for seconds in (1, 1000))
        assert len(list((pieces.folder / "observations").iterdir())) >= 3
        for table in ("frames", "faces", "tracks", "timeline"):
            assert getattr(pieces, table).equals(getattr(whole, table)), (name, table)


def test_a_box_lies_on_the_face_of_a_picture_with_wide_pixels(analysed: Analysed) -> None:
    run = analysed("codecs/issue-195-aspect-ratio.mp4")
    assert run.manifest.video["sample_aspect_ratio"] == "16/11"
    faces = run.faces.to_pandas()
    assert len(faces) > 10
    # In stored pixels a face is narrower than high, by the shape of a pixel.
    assert (faces.w / faces.h).median() == pytest.approx(11 / 16 * 0.8, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["faces", "cctv", "trailers", "labelled"])
def test_every_clip_of_a_folder_is_analysed(test_data: Path, tmp_path: Path, folder: str) -> None:
    from fervid.batch.inputs import find_videos

    for path in find_videos([str(test_data / "videos" / folder)]).videos:
        run = fervid.analyze(path, out=tmp_path, device="cpu", plot=False)
        assert run.manifest.status == "complete", (path.name, run.manifest.warnings)
        assert run.manifest.ledger.analysed == run.frames.num_rows > 0
