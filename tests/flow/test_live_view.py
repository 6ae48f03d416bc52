"""Live sessions on files: what is analysed, shown and recorded, and how it ends."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fakes
import fervid
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import load_rules
from fervid.base.opencv import cv2
from fervid.config import load_settings
from fervid.detect.centerface import SCORE_THRESHOLD as ANALYSIS_THRESHOLD
from fervid.emotion import CLASSIFIERS
from fervid.live.picture import LivePainter
from fervid.live.record import Recorder, finish_left_over
from fervid.live.session import LiveSession, stream
from fervid.live.view import Stills, run_live
from fervid.privacy.search import FaceSearch
from fervid.run.files import RECORDING
from live_clips import bright_square, settings
from synthetic import constant_rate, write_video


class SlowClassifier(fakes.BrightnessClassifier):
    """Takes its time, as on a machine that cannot keep up."""

    def predict(self, crops: np.ndarray) -> np.ndarray:
        time.sleep(0.12)
        return super().predict(crops)


def test_a_recording_of_every_frame_is_what_an_analysis_writes(live_clip: Path, tmp_path: Path) -> None:
    analysed = fervid.analyze(live_clip, out=tmp_path / "a", settings=settings(), device="cpu", plot=False)
    with (
        LiveSession(str(live_clip), settings=settings(), device="cpu", pace="unpaced") as session,
        Recorder(tmp_path / "r", session) as recorder,
    ):
        ending = run_live(session, LivePainter(session.model.labels), recorder=recorder)
    (folder,) = recorder.folders
    recorded = fervid.open_run(folder)
    assert (ending.reason, ending.rates.dropped, ending.rates.analysed) == ("ended", 0, 50)
    for name in ("frames", "faces", "tracks", "timeline"):
        one, other = (getattr(run, name).drop_columns(["video_id"]) for run in (analysed, recorded))
        assert one.equals(other), name
        assert one.num_rows > 0
    assert recorded.manifest.settings_hash == analysed.manifest.settings_hash
    assert recorded.manifest.ledger.analysed == recorded.frames.num_rows == 50
    assert recorded.manifest.video_path == str(live_clip)
    assert recorded.summary()["faces"] == analysed.summary()["faces"]
    scan_run(recorded, load_rules("anger"))
    assert not (folder / RECORDING).exists()
    assert (folder / "timeline.png").exists()


@pytest.mark.usefixtures("fake_faces")
def test_the_newest_frame_wins_and_no_delay_builds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, "fake", "test_live_view:SlowClassifier")
    video = write_video(tmp_path / "v.mp4", constant_rate(2.5), bright_square)
    ages, shown = [], []
    moments = stream(str(video), settings=settings("detect.detector=fake"), device="cpu")
    for moment in moments:
        shown.append(time.monotonic())
        ages.append(shown[-1] - moment.arrived)
    assert 2 <= len(shown) <= 25
    # Each frame arrived while the one before it was worked on, or after: a queue would let frames grow older and older.
    late = len(ages) // 2
    assert np.median(ages[late:]) < 2 * np.median(np.diff(shown)[late - 1 :]) + 1 / 25
    assert moment.rates.dropped == moment.rates.captured - moment.rates.analysed > 20
    assert moment.seconds > 2.0
    assert [face.label for face in moment.faces] == ["angry"]


@pytest.mark.usefixtures("fake_faces")
def test_a_limit_of_frames_a_second_is_kept(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(4), bright_square)
    chosen = load_settings(assignments=["video.fps=10", "detect.detector=fake"], environment={})
    moments = list(stream(str(video), settings=chosen, device="cpu", pace="unpaced"))
    assert len(moments) == 40
    assert np.diff([m.seconds for m in moments]).max() <= 0.13


@pytest.mark.usefixtures("fake_faces")
def test_rules_work_while_it_plays(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), bright_square)
    chosen = settings("detect.detector=fake", "gate.max_light=1")
    moments = list(stream(str(video), settings=chosen, device="cpu", pace="unpaced", rules="anger"))
    raised = [(round(m.seconds, 2), a.rule) for m in moments for a in m.alerts if a.tier == "alert"]
    assert [rule for _, rule in raised] == ["anger"]
    assert raised[0][0] == pytest.approx(1.08, abs=0.1)  # the third sample on, for a second


@pytest.mark.usefixtures("fake_faces")
def test_what_a_killed_recording_published_becomes_a_run_later(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3.5), bright_square)
    chosen, out = settings("detect.detector=fake", "video.segment_seconds=1"), tmp_path / "out"
    with LiveSession(str(video), settings=chosen, device="cpu", pace="unpaced") as session:
        recorder = Recorder(out, session, plot=False)
        for moment in session.moments():
            recorder.add(moment)
        (folder,) = recorder.folders
        assert not (folder / "manifest.json").exists()
        assert finish_left_over(out, session.method) == []  # it is still being recorded
        recorder._lock.release()  # what the system does when a process is killed
        (run,) = finish_left_over(out, session.method)
        assert run.frames.num_rows == 75
        assert run.manifest.ledger.frames == 75
        assert finish_left_over(out, session.method) == []


@pytest.mark.usefixtures("fake_faces")
def test_a_long_recording_goes_on_in_new_runs_that_begin_at_zero(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), bright_square)
    chosen = settings("detect.detector=fake")
    with (
        LiveSession(str(video), settings=chosen, device="cpu", pace="unpaced") as session,
        Recorder(tmp_path / "out", session, longest_seconds=1.0, plot=False) as recorder,
    ):
        run_live(session, LivePainter(session.model.labels), recorder=recorder)
    runs = [fervid.open_run(folder) for folder in recorder.folders]
    assert [run.frames.num_rows for run in runs] == [25, 25, 25]
    assert all(run.frames["time_s"][0].as_py() == 0 and run.frames["frame"][0].as_py() == 0 for run in runs)
    assert sum(run.manifest.ledger.frames for run in runs) == 75


class FakeScreen:
    """Remembers what it is shown, and quits after so many pictures."""

    def __init__(self, *, quits_after: int, asks_for_stills: int = 0) -> None:
        self.pictures: list[np.ndarray] = []
        self.rows: list[dict[str, Any]] = []
        self.told: list[str] = []
        self.kept: list[np.ndarray] = []
        self.reason = ""
        self._quits_after, self._stills = quits_after, asks_for_stills

    def show(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:
        self.pictures.append(rgb)
        self.rows.append(row)
        assert arrived <= time.monotonic()

    def tell(self, status: str) -> None:
        self.told.append(status)

    def keep(self, rgb: np.ndarray) -> None:
        self.kept.append(rgb)

    def end(self, reason: str) -> None:
        self.reason = reason

    def command(self) -> str | None:
        if self._stills and len(self.pictures) == 10:
            self._stills -= 1
            return "still"
        return "quit" if len(self.pictures) >= self._quits_after else None


def test_pictures_show_the_faces_of_their_own_frame_and_stills_cover_them(live_clip: Path, tmp_path: Path) -> None:
    # With the threshold of an analysis: a lenient search sees something of a face in its mosaic too.
    screen, search = FakeScreen(quits_after=12, asks_for_stills=1), FaceSearch(score_threshold=ANALYSIS_THRESHOLD)
    rows = io.StringIO()
    with LiveSession(str(live_clip), settings=settings(), device="cpu", pace="unpaced") as session:
        painter = LivePainter(session.model.labels, bars=False)
        stills = Stills(tmp_path / "stills")
        ending = run_live(session, painter, [screen], rows=rows, stills=stills)
    assert (ending.reason, len(screen.pictures)) == ("quit", 12)
    written = [json.loads(line) for line in rows.getvalue().splitlines()]
    assert [row["frame"] for row in written] == list(range(12))
    # Three sightings make a track, and frames 0.04 s apart count half: it is believed from the fifth frame on.
    assert [len(row["faces"]) for row in written[:5]] == [0, 0, 0, 0, 1]
    for picture, row in zip(screen.pictures[4:], written[4:], strict=True):
        (face,) = row["faces"]
        assert face["x"] + face["w"] / 2 == pytest.approx(85 + 60 * np.sin(row["time_s"]) + 75, abs=8)
        edge = picture[round(2 * (face["y"] + face["h"] / 2)), round(2 * face["x"])]
        assert tuple(edge) in [tuple(bytes.fromhex(c[1:])) for c in _colours(session)]
    assert screen.reason == ending.reason
    (still,) = ending.stills
    bgr = cv2.imread(str(still))
    assert len(search.search(screen.pictures[9])) > 0
    found = search.search(np.asarray(bgr[..., ::-1]))
    assert not any(_covers(box, 2 * (85 + 75), 2 * 135) for box in found)
    assert not (tmp_path / "stills" / "evidence-audit.jsonl").exists()


def test_open_stills_are_noted(live_clip: Path, tmp_path: Path) -> None:
    screen = FakeScreen(quits_after=11, asks_for_stills=1)
    with LiveSession(str(live_clip), settings=settings(), device="cpu", pace="unpaced") as session:
        ending = run_live(session, LivePainter(session.model.labels), [screen], stills=Stills(tmp_path, blur="none"))
    (note,) = (tmp_path / "evidence-audit.jsonl").read_text().splitlines()
    assert json.loads(note)["file"] == ending.stills[0].name


def _colours(session: LiveSession) -> list[str]:
    from fervid.charts.palette import GREY, label_colours

    return [*label_colours(session.model.labels).values(), GREY]


def _covers(box: np.ndarray, x: float, y: float) -> bool:
    return bool(box[0] < x < box[2] and box[1] < y < box[3] and box[2] - box[0] > 80)
