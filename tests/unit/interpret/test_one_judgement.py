"""Files and live make the same of the same frames: one judgement, whatever the sampling rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fervid.base.types import Detections, FaceScores
from fervid.config import Settings, load_settings
from fervid.emotion.model import Head, Member, ModelInfo
from fervid.interpret.causal import LiveFace, LiveTracks
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.observe.observations import _table
from synthetic import without_landmarks

LABELS = ("angry", "happy", "neutral")
WIDE, HIGH = 640, 360


def made_up_model() -> ModelInfo:
    head = Head("fer2013", LABELS, 1.0, 1.0)
    return ModelInfo(
        name="made-up", heads=(head,), members=(Member("none", ("fer2013",), mean=0.5, std=0.25),), input_side_px=48,
        weights_sha256="", tflite_sha256="", training_data="", licence="", folder=Path(),
    )  # fmt: skip


def seen(times: np.ndarray, *, seed: int, n_people: int = 2, missed: float = 0.1) -> list[FaceScores]:
    """People who sway, each in a place of their own, some frames without them; scores and looks of every kind."""
    rng = np.random.default_rng(seed)
    frames = []
    for i, seconds in enumerate(times.tolist()):
        own = [k for k in range(n_people) if rng.random() >= missed]
        boxes = [
            (100 + 250 * k + 15 * np.sin(seconds + k), 100, 190 + 250 * k + 15 * np.sin(seconds + k), 190) for k in own
        ]
        n = len(own)
        found = Detections(
            i,
            i,
            seconds,
            False,
            np.array(boxes, np.float32).reshape(-1, 4),
            rng.uniform(0.3, 1, n).astype(np.float32),
            *without_landmarks(n),
        )
        face_quality = (rng.uniform(0.1, 1, (n, 5)) * [1, 1, 30, 60, 10]).astype(np.float32)
        logits = rng.normal(0, 2, (n, 3)).astype(np.float32)
        quality = rng.uniform(0.1, 1, n).astype(np.float32)
        frames.append(FaceScores(found, logits, quality, np.full((18, 32), 128, np.uint8), face_quality))
    return frames


def both(frames: list[FaceScores], settings: Settings) -> tuple[Tables, list[list[LiveFace]]]:
    model = made_up_model()
    last = frames[-1].detections.pts_seconds
    tables = interpret(_table(frames), settings, model, video_id="v", duration_seconds=last + 0.1)
    live = LiveTracks(settings, model)
    return tables, [live.update(scores) for scores in frames]


RATES = pytest.mark.parametrize("fps", [0.5, 1.0, 5.0, 25.0])
TRACKERS_USED = pytest.mark.parametrize("tracker", ["iou", "motion"])


@TRACKERS_USED
@RATES
def test_live_and_files_see_the_same_faces_and_judge_them_alike(fps: float, tracker: str) -> None:
    frames = seen(np.arange(40) / fps, seed=4, missed=0.1 if fps > 2 else 0.0)  # a miss at one a second ends a track
    # Without smoothing nothing is left that needs the future.
    settings = load_settings(assignments=["smooth.half_life_seconds=0", f"track.tracker={tracker}"], environment={})
    tables, live = both(frames, settings)
    stored = {
        (row["frame"], round(row["x"])): (row["label"], row["abstain"], round(row["margin"], 4))
        for row in tables.faces.to_pylist()
    }
    shown = {
        (frame.detections.frame_index, round(float(face.box[0]))): (face.label, face.abstain, round(face.margin, 4))
        for frame, faces in zip(frames, live, strict=True)
        for face in faces
    }
    assert shown.keys() <= stored.keys()
    assert shown == {key: stored[key] for key in shown}
    # Live, a face is shown from the sighting on with which it is believed; in files from its first.
    late = 40 - sum(bool(faces) for faces in live)
    assert late <= 6 * max(1, fps * 0.08) + 4
    assert len(stored) - len(shown) <= 2 * 6 * max(1, fps * 0.08)


@TRACKERS_USED
def test_one_frame_a_second_shows_a_face(tracker: str) -> None:
    """The usual limit of a gap, a second, is the distance of the frames here; a clock's jitter must end no track."""
    times = np.arange(16) + np.random.default_rng(0).uniform(-0.05, 0.05, 16)
    settings = load_settings(assignments=[f"track.tracker={tracker}"], environment={})
    tables, live = both(seen(times, seed=1, n_people=1, missed=0.0), settings)
    assert tables.faces.num_rows == 16
    assert [len(faces) for faces in live[5:]] == [1] * 11
    assert {face.track_id for faces in live for face in faces} == {0}
