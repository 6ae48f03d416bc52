"""The parts of a live view, each by itself: addresses, the slot, the clock, following, rules, rows."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import LABELS as RUN_LABELS
from alert_runs import face, make_run
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import load_rules, parse_rules
from fervid.base.types import FACE_QUALITY, Detections, FaceScores
from fervid.config import Settings
from fervid.emotion.model import FER2013, Head, ModelInfo
from fervid.errors import ConfigError, VideoUnreadable
from fervid.interpret.causal import LiveFace, LiveTracks
from fervid.live.address import Address, name_of, parse_address
from fervid.live.alarms import LiveRules
from fervid.live.clock import StreamClock
from fervid.live.slot import NewestSlot
from fervid.live.source import open_stream
from fervid.track.smoothing import ExponentialSmoother
from synthetic import without_landmarks


@pytest.mark.parametrize(
    ("source", "kind", "shown", "name"),
    [
        ("0", "webcam", "webcam 0", "webcam 0"),
        ("12", "webcam", "webcam 12", "webcam 12"),
        ("clips/a b.mp4", "file", "clips/a b.mp4", "a b.mp4"),
        ("C:/clips/a.mp4", "file", "C:/clips/a.mp4", "a.mp4"),
        ("rtsp://10.0.0.2/cam", "stream", "rtsp://10.0.0.2/cam", "10.0.0.2/cam"),
        ("rtsp://u:p%40ss@10.0.0.2:554/c?pw=x", "stream", "rtsp://10.0.0.2:554/c", "10.0.0.2/c"),
        ("HTTP://host/v.mjpg", "stream", "HTTP://host/v.mjpg", "host/v.mjpg"),
    ],
)
def test_a_source_is_told_by_its_name_and_shown_without_secrets(source: str, kind: str, shown: str, name: str) -> None:
    address = parse_address(source)
    assert (address.kind, address.text, address.shown) == (kind, source, shown)
    assert name_of(address) == name


@pytest.mark.parametrize("source", ["file:///etc/passwd", "concat://a|b", "pipe://0", "ftp://u:secret@h/x"])
def test_other_protocols_are_refused_without_showing_secrets(source: str) -> None:
    with pytest.raises(ConfigError, match="Give a webcam's number, a file, or an address") as refused:
        parse_address(source)
    assert "secret" not in str(refused.value)


def test_a_stream_can_make_the_decoder_open_no_local_file(tmp_path: Path) -> None:
    """The playlist is opened through the door for streams, as if a server had sent it."""
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"\x47" + bytes(187))
    playlist = tmp_path / "x.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    with (
        pytest.raises(VideoUnreadable, match="cannot be opened"),
        open_stream(Address("stream", str(playlist), "x"), max_pixels=10**8),
    ):
        pass


def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    slot: NewestSlot[int] = NewestSlot()
    assert slot.take(0.0) is None
    assert all(slot.put(i) for i in range(4))
    assert (slot.take(0.0), slot.take(0.0), slot.dropped) == (3, None, 3)
    slot.put(9)
    slot.close()
    assert not slot.is_empty_for_good
    assert (slot.take(0.0), slot.take(0.0), slot.put(10), slot.is_empty_for_good) == (9, None, False, True)


def test_a_slot_that_keeps_all_makes_the_giver_wait() -> None:
    slot: NewestSlot[int] = NewestSlot(keeps_all=True)
    giver = threading.Thread(target=lambda: [slot.put(i) for i in range(50)])
    giver.start()
    assert [slot.take(5.0) for _ in range(50)] == list(range(50))
    giver.join(5)
    assert slot.dropped == 0
    waiting = threading.Thread(target=lambda: [slot.put(i) for i in range(2)])
    waiting.start()
    slot.close()
    waiting.join(5)
    assert not waiting.is_alive()


def test_what_ended_the_source_is_raised_after_the_last_item() -> None:
    slot: NewestSlot[int] = NewestSlot()
    slot.put(1)
    slot.close(ValueError("broken"))
    assert slot.take(0.0) == 1
    with pytest.raises(ValueError, match="broken"):
        slot.take(0.0)


@pytest.mark.parametrize(
    ("stamps", "arrivals", "expected", "jumps"),
    [
        ([5.0, 5.04, 5.08], [100.0, 100.05, 100.07], [0, 0.04, 0.08], 0),  # stamps are smoother than arrivals
        ([None, None], [100.0, 100.5], [0, 0.5], 0),
        ([5.0, 5.04, 905.0, 905.04], [100.0, 100.04, 100.08, 100.12], [0, 0.04, 0.08, 0.12], 1),  # the clock was set
        ([5.0, 4.96, 5.08], [100.0, 100.04, 100.08], [0, 0.001, 0.08], 0),  # never backwards
    ],
)
def test_times_are_the_stamps_as_long_as_they_make_sense(
    stamps: list[float | None], arrivals: list[float], expected: list[float], jumps: int
) -> None:
    clock = StreamClock()
    found = [clock.seconds(stamp, arrival) for stamp, arrival in zip(stamps, arrivals, strict=True)]
    assert found == pytest.approx(expected)
    assert clock.jumps == jumps


def test_a_lost_connection_leaves_a_gap_as_long_as_it_was() -> None:
    clock = StreamClock()
    clock.seconds(5.0, 100.0)
    clock.reconnect()
    assert clock.seconds(0.0, 107.0) == pytest.approx(7.0)


def model_info(tmp_path: Path) -> ModelInfo:
    return ModelInfo(
        name="fake",
        folder=tmp_path,
        input_side_px=48,
        weights_sha256="",
        heads=(Head(FER2013, LABELS, 1.0, 1.0),),
        members=(),
        tflite_sha256="",
        training_data="",
        licence="",
    )


def scores(seconds: float, boxes: list[list[float]], logits: list[list[float]]) -> FaceScores:
    n = len(boxes)
    found = Detections(
        round(seconds * 25),
        round(seconds * 1000),
        seconds,
        False,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(n, np.float32),
        *without_landmarks(n),
    )
    face_quality = np.tile(np.array([0.8, 0.5, 0.0, 0.0, 0.0], np.float32), (n, 1))
    return FaceScores(
        found,
        np.array(logits, np.float32).reshape(-1, len(LABELS)),
        np.ones(n, np.float32),
        np.zeros((18, 32), np.uint8),
        face_quality,
    )


LABELS = ("angry", "happy", "neutral")
BOX = [100.0, 100.0, 180.0, 180.0]


@pytest.fixture
def tracks(tmp_path: Path) -> LiveTracks:
    return LiveTracks(Settings(), model_info(tmp_path))


def test_a_face_counts_from_its_third_sample_and_is_smoothed_by_its_past_alone(tracks: LiveTracks) -> None:
    assert tracks.update(scores(0.0, [], [])) == []
    rng = np.random.default_rng(3)
    times, logits = np.cumsum(rng.uniform(0.08, 0.2, 150)), rng.normal(0, 2, (150, 3))
    found = [tracks.update(scores(float(t), [BOX], [row.tolist()])) for t, row in zip(times, logits, strict=True)]
    assert [len(faces) for faces in found[:4]] == [0, 0, 1, 1]
    raw = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = ExponentialSmoother(half_life_seconds=Settings().smooth.half_life_seconds).causal(times, raw)
    smoothed = np.stack([faces[0].smoothed for faces in found[2:]])
    assert smoothed == pytest.approx(expected[2:], abs=1e-4)
    last = found[-1][0]
    assert last.label == LABELS[int(expected[-1].argmax())]
    assert last.confidence == pytest.approx(expected[-1].max(), abs=1e-4)


def test_tracks_end_at_gaps_and_lost_connections(tracks: LiveTracks) -> None:
    def ids(times: list[float], *, is_cut: bool = False) -> set[int]:
        found = set()
        for i, seconds in enumerate(times):
            faces = tracks.update(scores(seconds, [BOX], [[3, 0, 0]]), is_cut=is_cut and i == 0)
            found |= {face.track_id for face in faces}
        return found

    assert ids([0.0, 0.1, 0.2, 0.9]) == {0}
    assert ids([3.0, 3.1, 3.2]) == {1}
    assert ids([3.3, 3.4, 3.5], is_cut=True) == {2}


def test_unsure_faces_say_so_and_poor_ones_why(tracks: LiveTracks) -> None:
    small = [10.0, 10.0, 20.0, 20.0]
    for seconds in (0.0, 0.1, 0.2):
        faces = tracks.update(scores(seconds, [small, BOX], [[3, 0, 0], [1, 1, 0]]))
    assert [face.abstain for face in faces] == ["too_small", "unsure"]


def test_a_picture_on_a_wall_is_told_after_a_while_and_memory_stays(tmp_path: Path) -> None:
    settings = Settings.model_validate({"track": {"static_seconds": 10.0}})
    tracks = LiveTracks(settings, model_info(tmp_path))
    moving = []
    for i in range(200):
        t = i * 0.1
        other = [300 + 30 * np.sin(t), 100.0, 380 + 30 * np.sin(t), 180.0]
        faces = tracks.update(scores(t, [BOX, other], [[3, 0, 0], [3 * np.sin(t), 0, 0]]))
        moving.append([face.abstain for face in faces])
    assert moving[90] == [None, None]
    assert moving[-1][0] == "static"
    assert moving[-1][1] != "static"
    assert len(tracks._still._rows) < 2 * 15


def live_face(seconds_row: dict[str, Any]) -> LiveFace:
    row = seconds_row
    values = np.array([row[f"s_{label}"] for label in RUN_LABELS], np.float32)
    box = np.array([row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"]], np.float32)
    face_quality = np.array([row[name] for name in FACE_QUALITY], np.float32)
    return LiveFace(
        row["track_id"],
        box,
        row["det_score"],
        row["quality"],
        face_quality,
        values,
        values,
        row["label"],
        row["confidence"],
        row["margin"],
        row["abstain"],
    )


RULES = {
    "rule": [
        {"name": "strong", "wording": "anger-like expression", "score": "angry", "enter": 0.6, "exit": 0.5, "for": 0.5},
        {"name": "weak", "wording": "slightly anger-like expression", "score": "angry", "enter": 0.3, "for": 0.5}
        | {"where": "face_px >= 32 and track_faces > 2", "cooldown": 3},
    ]
}


def test_rules_raise_live_what_they_raise_in_a_stored_run(tmp_path: Path) -> None:
    times = np.round(np.arange(0, 40, 0.1), 3)
    rng = np.random.default_rng(8)
    angry = np.clip(0.45 + 0.3 * np.sin(times / 2) + rng.normal(0, 0.03, len(times)), 0, 1)
    rows = [face(t, 0, float(a)) for t, a in zip(times.tolist(), angry, strict=True)]
    rows += [face(t, 1, 0.7, x=400.0, abstain="dark") for t in times.tolist()]
    rules = load_rules("anger")
    # A live view cannot know yet what a rule yields to.
    rules = replace(rules, rules=tuple(rule.model_copy(update={"yields_to": ()}) for rule in rules.rules))
    stored = scan_run(make_run(tmp_path / "r", rows, times), rules).records
    live = LiveRules(rules, RUN_LABELS, began=datetime(2026, 11, 21))
    raised = []
    for t in times.tolist():
        raised += live.feed(t, [live_face(row) for row in rows if row["time_s"] == t], 640, 480)
    found = sorted((alert.rule, round(alert.start_s, 3), round(alert.raised_s, 3)) for alert in raised)
    assert found == sorted((record.rule, round(record.start_s, 3), round(record.raised_s, 3)) for record in stored)
    assert len(found) >= 2
    assert all(alert.track_id == 0 and "needs review" in alert.text() for alert in raised)
    json.dumps([alert.to_json() for alert in raised], allow_nan=False)
    assert live.feed(50.0, [], 640, 480) == []


@pytest.mark.parametrize("fps", [0.4, 1.0, 5.0])
def test_rules_fire_live_at_low_rates_as_in_a_stored_run(tmp_path: Path, fps: float) -> None:
    times = np.round(np.arange(40) / fps, 3)
    rows = [face(t, 0, 0.9 if 8 <= i < 30 else 0.1) for i, t in enumerate(times.tolist())]
    described = {"name": "r", "wording": "anger-like expression", "score": "angry", "enter": 0.6, "for": 4}
    rules = parse_rules({"rule": [described]}, source="test")
    (stored,) = scan_run(make_run(tmp_path / "r", rows, times), rules).records
    live = LiveRules(rules, RUN_LABELS, began=datetime(2026, 11, 21))
    raised = [
        alert for t, row in zip(times.tolist(), rows, strict=True) for alert in live.feed(t, [live_face(row)], 640, 480)
    ]
    (alert,) = raised
    assert (alert.start_s, alert.raised_s) == (pytest.approx(stored.start_s), pytest.approx(stored.raised_s))


def test_a_weaker_rule_is_silent_while_a_stronger_one_holds() -> None:
    described = [dict(rule) for rule in RULES["rule"]]
    described[1] |= {"yields_to": ["strong"], "where": "track_seconds > 3", "cooldown": 0}
    live = LiveRules(parse_rules({"rule": described}, source="test"), RUN_LABELS, began=datetime(2026, 11, 21))
    raised = []
    for i in range(100):
        raised += live.feed(i / 10, [live_face(face(i / 10, 0, 0.9))], 640, 480)
    assert [alert.rule for alert in raised] == ["strong"]
