"""A profile of a whole analysis: exact where the script is known, and stills whose faces are covered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.config import load_settings
from fervid.profile.folder import Profiled, write_sheet
from fervid.profile.measure import profile_run
from fervid.profile.profile import Peak
from fervid.profile.stills import take_stills
from synthetic import constant_rate, empty_picture, write_video


def test_the_profile_of_a_known_script_is_exact_to_one_bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds, so bins of half a second: angry-like up to 3.2 s, nobody up to 6 s, then the other label."""

    def picture(seconds: float) -> np.ndarray:
        if 3.2 <= seconds < 6.0:
            return np.full((240, 320), 30, np.uint8)
        return square_picture(225 if seconds < 3.2 else 175)

    video = write_video(tmp_path / "script.mp4", constant_rate(10), picture)
    plain = ["detect.detector=fake", "emotion.crop_margin=0", "smooth.half_life_seconds=0", "track.find_cuts=false"]
    plain.append("readout.use=off")  # the levels of a picture are no expressions
    settings = load_settings(assignments=[*plain, "video.fps=25"], environment={})
    with fakes_in_the_tables(monkeypatch):
        run = fervid.analyze(video, out=tmp_path / "out", settings=settings, device="cpu", plot=False)
    profile = profile_run(run.folder)
    first, second = profile.labels[:2]
    seconds = np.nan_to_num(profile.arc.share) * profile.arc.face_s[:, None]
    expected = np.zeros_like(seconds)
    expected[:6, 0] = expected[12:, 1] = 0.5
    expected[6, 0] = 0.2  # the bin from 3 to 3.5 s holds faces up to 3.2 s only
    assert np.abs(seconds - expected).max() <= 1 / 25  # a frame stands for the time around it
    covered = np.array([1.0] * 6 + [0.4] + [0.0] * 5 + [1.0] * 8)
    assert profile.arc.coverage == pytest.approx(covered, abs=0.05)
    assert profile.expressions.share[first] == pytest.approx(3.2 / 7.2, abs=0.01)
    assert profile.expressions.share[second] == pytest.approx(4.0 / 7.2, abs=0.01)
    assert profile.coverage.face_share == pytest.approx(0.72, abs=0.01)


def test_stills_show_the_peaks_with_faces_covered_unless_asked_otherwise(tmp_path: Path) -> None:
    video = write_video(tmp_path / "face.mp4", constant_rate(4))
    run = fervid.analyze(video, out=tmp_path / "out", device="cpu", plot=False)
    faces = run.faces.to_pandas()
    at = faces.iloc[[2, 14]].itertuples()
    peaks = tuple(Peak(f.time_s, f.frame, "happy", 0.5, f.track_id, f.quality, (f.x, f.y, f.w, f.h)) for f in at)
    profile = replace(profile_run(run.folder), peaks=peaks)
    covered, _ = take_stills(run.folder, profile)
    shown, _ = take_stills(run.folder, profile, blur="none")
    assert len(covered) == len(shown) == len(profile.peaks)
    for peak, hidden, still in zip(profile.peaks, covered, shown, strict=True):
        x, y, w, h = (round(side) for side in peak.box)
        face, open_face = (one.rgb[y : y + h, x : x + w].astype(float).mean(axis=2) for one in (hidden, still))
        # A few flat blocks: hardly any pixel differs from its neighbour.
        assert (np.abs(np.diff(face, axis=1)) > 3).mean() < 0.2 < (np.abs(np.diff(open_face, axis=1)) > 3).mean()
    page, picture = write_sheet(Profiled(run.folder, profile, ()))
    assert page.read_text(encoding="utf-8").count("data:image/png") == 2
    assert picture.stat().st_size > 10_000


def test_a_video_that_is_gone_leaves_the_sheet_without_stills(tmp_path: Path) -> None:
    video = write_video(tmp_path / "face.mp4", constant_rate(3), empty_picture)
    run = fervid.analyze(video, out=tmp_path / "out", device="cpu", plot=False)
    video.unlink()
    stills, why = take_stills(run.folder, profile_run(run.folder))
    assert stills == ()
    assert why == "No expression is strong enough for a still."
