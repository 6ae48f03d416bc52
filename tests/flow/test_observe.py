"""Observing with stages side by side, and with a scan of key frames first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.base import assets
from fervid.base.types import FaceScores, Segment
from fervid.config import Settings, load_settings
from fervid.emotion.model import load_model_info
from fervid.observe.observations import write_observations
from fervid.observe.observer import Observer, StageSeconds
from fervid.video.fast_scan import stretches, why_not_scanned
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.sampling import Sampling
from fervid.video.segments import NO_SLOT, plan_segments
from paper import paper_info, paper_plan
from runner import run_fervid
from synthetic import constant_rate, face_until, write_video

Threads = Callable[[], list[str]]

MAX_PIXELS = 1 << 24
TABLES = ("frames", "faces", "tracks", "timeline")
EMPTY_PICTURE = square_picture(30) * 0 + 30


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fakes_in_the_tables(monkeypatch):
        yield


def settings(*assignments: str) -> Settings:
    return load_settings(assignments=assignments, environment={})


def fake_settings(*assignments: str) -> Settings:
    # Every frame is searched in full: what is found then does not depend on where a search began.
    return settings("detect.detector=fake", "emotion.crop_margin=0", "detect.full_search_seconds=0", *assignments)


def observer_of(
    video: Path, chosen: Settings, *, runner: str = "litert", **sizes: int
) -> tuple[Observer, list[Segment]]:
    info, plan = probe(video, max_pixels=MAX_PIXELS)
    model = load_model_info(assets.model_folder(chosen.emotion.model))
    segments = plan_segments("v", info, plan, segment_seconds=chosen.video.segment_seconds, fps=chosen.video.fps)
    return Observer(info, plan, chosen, model, runner=runner, **sizes), segments


def square_between(begin: float, end: float) -> Any:
    return lambda seconds: square_picture(180) if begin <= seconds < end else EMPTY_PICTURE


def test_no_size_of_a_queue_changes_a_byte(tmp_path: Path, own_threads: Threads) -> None:
    video = write_video(tmp_path / "face.mp4", constant_rate(4), face_until(3))
    contents = []
    for frames_ahead, crops_ahead in ((0, 0), (1, 1), (2, 0), (0, 3), (8, 64)):
        observer, (segment,) = observer_of(video, settings(), frames_ahead=frames_ahead, crops_ahead=crops_ahead)
        path, ledger = tmp_path / f"{frames_ahead}-{crops_ahead}.parquet", Ledger()
        assert write_observations(path, observer.observe(segment, ledger), ledger, observe_key="k") == 20
        contents.append(path.read_bytes())
    assert len(set(contents)) == 1
    assert not own_threads()


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("n_taken", [0, 1, 70])
def test_leaving_early_leaves_no_thread(tmp_path: Path, n_taken: int, own_threads: Threads) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(8), lambda _: square_picture(180))
    observer, (segment,) = observer_of(video, fake_settings("video.fps=0", "emotion.batch_size=8"), runner="fake")
    scored = observer.observe(segment, Ledger())
    for _ in range(n_taken):
        next(scored)
    scored.close()
    assert not own_threads()


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(
    "where",
    [
        "fervid.observe.observer.read_frames",
        "fervid.observe.observer.cut_out_faces",
        "fervid.observe.observer.score_faces",
    ],
)
def test_an_error_of_any_stage_reaches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, own_threads: Threads
) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(2), lambda _: square_picture(180))
    observer, (segment,) = observer_of(video, fake_settings(), runner="fake")
    problem = OSError("the disk is gone")

    def broken(*_: object, **__: object) -> Iterator[FaceScores]:
        raise problem
        yield

    monkeypatch.setattr(where, broken)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        list(observer.observe(segment, Ledger()))
    assert caught.value is problem
    assert not own_threads()


def test_the_seconds_of_the_stages_say_which_one_sets_the_pace(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(4), face_until(4))
    observer, (segment,) = observer_of(video, settings("detect.full_search_seconds=0", "detect.min_face_share=0.02"))
    assert observer.seconds == StageSeconds()
    list(observer.observe(segment, Ledger()))
    seconds = observer.seconds
    assert min(seconds.decode, seconds.detect, seconds.crop, seconds.classify) > 0
    assert seconds.bottleneck == "detect"


def looked_at(run: fervid.Run) -> list[float]:
    return [round(seconds, 3) for seconds in run.frames["time_s"].to_pylist()]


@pytest.mark.usefixtures("fakes")
def test_a_fast_scan_analyses_the_stretches_around_faces_alone(tmp_path: Path) -> None:
    # Key frames at 0, 1, 2, ... 9 s; the face is in those at 4 and 5.
    video = write_video(tmp_path / "v.mp4", constant_rate(10), square_between(3.6, 5.5), gop=25)
    whole = fervid.analyze(video, out=tmp_path / "whole", settings=fake_settings(), device="cpu", plot=False)
    quick = fervid.analyze(
        video, out=tmp_path / "quick", settings=fake_settings("video.fast_scan=true"), device="cpu", plot=False
    )
    assert looked_at(quick) == [seconds for seconds in looked_at(whole) if 3 <= seconds < 6]
    assert quick.faces.num_rows == whole.faces.num_rows > 8
    ledger = quick.manifest.ledger
    assert (ledger.frames, ledger.analysed) == (250, 15)
    # 7 stretches of 25 frames are left out, but for the key frames that were looked at.
    assert ledger.left_out == 7 * 24
    assert ledger.balance()
    timeline = quick.timeline.to_pandas()
    unseen = (timeline.end_s <= 2) | (timeline.start_s >= 7)
    assert timeline.observed_s[unseen].eq(0).all()
    assert timeline.coverage[unseen].isna().all(), "nobody looked, so nothing is said"
    assert any("168 frames of 250 were skipped" in warning for warning in quick.manifest.warnings)
    assert quick.manifest.status == "complete"
    assert quick.manifest.settings_hash != whole.manifest.settings_hash


@pytest.mark.usefixtures("fakes")
def test_a_fast_scan_does_not_depend_on_the_segments(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", constant_rate(10), square_between(3.6, 5.5), gop=25)
    runs = [
        fervid.analyze(
            video,
            out=tmp_path / str(seconds),
            settings=fake_settings("video.fast_scan=true", f"video.segment_seconds={seconds}"),
            device="cpu",
            plot=False,
        )
        for seconds in (1, 4, 1000)
    ]
    for name in TABLES:
        assert getattr(runs[0], name).equals(getattr(runs[2], name)), name
        assert getattr(runs[1], name).equals(getattr(runs[2], name)), name
    assert len({run.manifest.ledger.left_out for run in runs}) == 1


@pytest.mark.usefixtures("fakes")
def test_a_fast_scan_of_a_video_without_faces_analyses_nothing_and_says_so(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(4), lambda _: EMPTY_PICTURE, gop=25)
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings("video.fast_scan=true"), device="cpu", plot=False)
    ledger = run.manifest.ledger
    assert (run.frames.num_rows, ledger.analysed, ledger.left_out, ledger.decoded) == (0, 0, 96, 4)
    assert run.timeline["observed_s"].to_numpy().sum() == 0
    assert "no frame was analysed: no key frame shows a face" in run.manifest.warnings


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(("gop", "reason"), [(1000, "no second key frame"), (1, "hardly more than the sampled")])
def test_without_useful_key_frames_everything_is_analysed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, gop: int, reason: str
) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), square_between(1, 2), gop=gop)
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings("video.fast_scan=true"), device="cpu", plot=False)
    assert run.frames.num_rows == 15
    assert run.manifest.ledger.left_out == 0
    assert caplog.text.count(reason) == 1


def test_a_batch_says_once_for_each_video_that_it_was_not_scanned(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{seconds}.mp4", constant_rate(seconds), gop=1000) for seconds in (3, 4)]
    done = run_fervid("analyze", *map(str, videos), "--fast-scan", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no second key frame") == 2


@pytest.mark.usefixtures("fakes")
def test_a_part_of_a_video_is_scanned_alone(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(10), square_between(3.6, 5.5), gop=25)
    chosen = fake_settings("video.fast_scan=true", "video.start_seconds=4.5", "video.end_seconds=8")
    run = fervid.analyze(video, out=tmp_path, settings=chosen, device="cpu", plot=False)
    assert looked_at(run) == [4.6, 4.8, 5.0, 5.2, 5.4, 5.6, 5.8]
    assert run.manifest.ledger.frames == 87  # 4.52 to 7.96 s
    assert run.manifest.ledger.balance()


@pytest.mark.parametrize(
    ("changes", "keys", "reason"),
    [
        ({}, range(0, 100_000, 2000), None),
        ({}, [0], "no second key frame"),
        ({}, range(0, 100_000, 40), "0.04 s apart"),
        ({"is_splittable": False}, range(0, 100_000, 2000), "cannot start at its key frames"),
    ],
)
def test_a_scan_is_of_use_where_key_frames_are_few_but_there(changes: Any, keys: Any, reason: str | None) -> None:
    found = why_not_scanned(paper_info(), paper_plan(range(0, 100_000, 40), list(keys), **changes), Sampling(5.0))
    assert (found is None) if reason is None else reason in str(found)


def test_stretches_cover_a_segment_without_gap_or_overlap() -> None:
    plan = paper_plan(range(0, 100_000, 40), range(0, 100_000, 7000))
    whole = Segment("v", 0, 0.0, 100.0, None, None, NO_SLOT)
    found = stretches(paper_info(), plan, whole, start_seconds=0.0, end_seconds=None)
    assert (found[0].start_pts, found[-1].end_pts) == (None, None)
    assert [a.end_pts for a in found[:-1]] == [b.start_pts for b in found[1:]] == list(range(7000, 100_000, 7000))
    assert found[0].key_pts == (0, 7000)
    assert found[-1].key_pts == (98_000,)
    inner = Segment("v", 1, 35.0, 63.0, 35_000, 63_000, 3)
    found = stretches(paper_info(), plan, inner, start_seconds=50.0, end_seconds=56.5)
    assert [(s.start_pts, s.end_pts) for s in found] == [(49_000, 56_000), (56_000, 63_000)]
    assert np.all([s.key_pts == (s.start_pts, s.end_pts) for s in found])
