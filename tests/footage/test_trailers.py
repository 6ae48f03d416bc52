"""Profiles of real footage: cuts against a published detector, variants of one video, evidence and its lack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import pytest

import fervid
from fervid.profile.genre import INSUFFICIENT, load_genres, suggest_tags
from fervid.profile.measure import profile_run
from fervid.profile.similarity import compare, profile_vector, rank_like

Analysed = Callable[..., fervid.Run]


def test_a_title_card_is_insufficient_evidence_and_trailers_give_reasons(analysed: Analysed) -> None:
    genres = load_genres()
    title = suggest_tags(profile_run(analysed("faces/no_face.mp4", preset="trailer").folder), genres)
    assert {tag.status for tag in title} == {INSUFFICIENT}
    assert "a usable face in 0.0 s" in title[0].why_not
    for name in ("trailers/wednesday_netflix_teaser.mp4", "trailers/goldeneye_vfr_drop3.mp4"):
        tags = suggest_tags(profile_run(analysed(name, preset="trailer").folder), genres)
        assert all(tag.score is not None and tag.reasons and 0 < tag.coverage <= 1 for tag in tags)


@pytest.mark.slow
def test_variants_of_a_video_have_its_profile(test_data: Path, analysed: Analysed, tmp_path: Path) -> None:
    name = "trailers/wednesday_netflix_teaser.mp4"
    others = [
        analysed(f"trailers/{other}.mp4", preset="trailer") for other in ("hamilton_stage", "goldeneye_vfr_drop3")
    ]
    original = profile_run(analysed(name, preset="trailer").folder)
    profiles = [original, *(profile_run(run.folder) for run in others)]
    settings = fervid.load_settings(preset="trailer", environment={})
    variants = {"crf": ["-crf", "30"], "rate": ["-vf", "fps=15"], "half": ["-vf", "scale=320:176"]}
    for kind, options in variants.items():
        path = tmp_path / f"{kind}.mp4"
        source = str(test_data / "videos" / name)
        try:
            command = ["ffmpeg", "-v", "error", "-i", source, "-an", *options, "-preset", "ultrafast", str(path)]
            subprocess.run(command, check=True)
        except FileNotFoundError:
            pytest.skip("ffmpeg is not installed")
        run = fervid.analyze(path, out=tmp_path / "out", settings=settings, device="cpu", plot=False)
        variant = profile_run(run.folder)
        assert compare(profile_vector(original), profile_vector(variant))[0] >= 0.98, kind
        assert rank_like(variant, profiles)[0].video_id == original.source.video_id, kind


def reference_cuts(path: Path) -> list[float]:
    """Cuts by PySceneDetect's AdaptiveDetector at its default settings, at the times of the frames themselves."""
    scenedetect = pytest.importorskip("scenedetect", reason="PySceneDetect is not installed: no cuts to compare with")
    detector, times, found = scenedetect.AdaptiveDetector(), [], []
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        rate = float(container.streams.video[0].average_rate)
        for i, frame in enumerate(container.decode(video=0)):
            times.append(float(frame.time) - start)
            picture = frame.to_ndarray(format="bgr24", width=256, height=256 * frame.height // frame.width)
            found += detector.process_frame(scenedetect.FrameTimecode(i, rate), picture)
    return [times[cut.frame_num] for cut in found]


def test_cuts_of_trailers_are_those_of_a_published_detector(test_data: Path, analysed: Analysed) -> None:
    right = false = missed = 0
    for name in ("goldeneye_vfr_drop3", "hamilton_stage", "wednesday_netflix_teaser"):
        truth = reference_cuts(test_data / "videos" / "trailers" / f"{name}.mp4")
        run = analysed(f"trailers/{name}.mp4", preset="trailer")
        frames = run.frames.to_pandas()
        for moment in frames.time_s[frames.is_cut]:
            near = [other for other in truth if abs(other - moment) <= 0.11]  # one interval at ten frames a second
            right, false = right + bool(near), false + (not near)
            truth = [other for other in truth if other not in near[:1]]
        missed += len(truth)
    assert 2 * right / (2 * right + false + missed) >= 0.9, (right, false, missed)
