"""Labels from a read-out over time: what is added to the network's answer, and that tables and live views follow it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fervid.base.types import Detections, FaceScores
from fervid.config import load_settings
from fervid.emotion.calibration import softmax
from fervid.emotion.model import Head, ModelInfo
from fervid.emotion.readout import Correction, Readout
from fervid.errors import ConfigError
from fervid.interpret.causal import LiveTracks
from fervid.interpret.readout import read_out, seconds_seen
from fervid.interpret.whole import interpret
from fervid.observe.observations import THUMBNAIL_PX
from synthetic import without_landmarks
from unit.interpret.test_interpret import HAPPY, LABELS, PLACE, column, every, face, made_up_model, observed, scores

ON = load_settings(assignments=["track.min_faces=1", "readout.use=on"], environment={})
TIMES = [i / 5 for i in range(20)]
LONG = np.full(9, 1000.0)
"""Seconds after which the read-out is complete."""


def made_up_readout(*, bias: tuple[float, ...] = (0, 0, 0), weight: float = 0.0, half_life: float = 0.8,
                    frame_bias: tuple[float, ...] = (0, 0, 0)) -> ModelInfo:  # fmt: skip
    """A model whose read-out adds `bias` over time, and `weight` times the score of the first label to the second."""
    frame = Correction(((0.0,) * 3,) * 3, frame_bias)
    over_time = Correction(((0.0, weight, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), bias)
    model = made_up_model(Head("fer2013", LABELS, 1.0, 1.0))
    return replace(model, readout=Readout("", "fer2013", LABELS, half_life, (0.0,) * 3, frame, over_time, "sha"))


def test_a_readout_of_nothing_is_the_answer_of_the_network() -> None:
    model = made_up_readout()
    assert model.readout is not None
    logits = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_allclose(
        read_out(logits, LONG[:9], model.readout, model, ON, has_baseline=True), softmax(logits), atol=1e-6
    )


def test_the_bias_and_the_centred_scores_are_added_to_log_probabilities() -> None:
    model = made_up_readout(bias=(0.5, 0.0, -1.0), weight=2.0)
    assert model.readout is not None
    logits = np.log(np.array([[0.2, 0.5, 0.3]]))
    score = logits[0, 0] - logits[0].mean()
    expected = softmax(logits + np.array([0.5, 2.0 * score, -1.0]))
    np.testing.assert_allclose(
        read_out(logits, LONG[:1], model.readout, model, ON, has_baseline=True), expected, atol=1e-6
    )


def test_what_grows_with_time_does_so_by_half_lives_and_leaves_single_frames() -> None:
    model = made_up_readout(bias=(2.0, 0.0, 0.0), frame_bias=(0.0, 0.0, 1.0))
    assert model.readout is not None
    logits = np.log(np.full((3, 3), 1 / 3))
    expected = softmax(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.5, 0.0, 1.0]]))
    seen = np.array([0.0, 0.8, 1.6])
    np.testing.assert_allclose(read_out(logits, seen, model.readout, model, ON, has_baseline=True), expected, atol=1e-6)


def test_half_of_what_grows_is_added_where_the_usual_look_is_not_known() -> None:
    model = made_up_readout(bias=(2.0, 0.0, 0.0), frame_bias=(0.0, 0.0, 1.0))
    assert model.readout is not None
    logits, known = np.log(np.full((2, 3), 1 / 3)), np.array([False, True])
    expected = softmax(np.array([[1.0, 0.0, 1.0], [2.0, 0.0, 1.0]]))
    found = read_out(logits, LONG[:2], model.readout, model, ON, has_baseline=known)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_face_is_seen_from_its_tracks_first_to_its_last_sample() -> None:
    times, tracks = np.array([0.0, 0.0, 1.0, 2.5, 3.0]), np.array([0, 1, 0, 1, 2])
    np.testing.assert_array_equal(seconds_seen(times, tracks), [1.0, 2.5, 1.0, 2.5, 0.0])
    assert len(seconds_seen(np.zeros(0), np.zeros(0, np.int32))) == 0


def test_the_readout_decides_labels_bins_and_tracks_and_leaves_the_other_scores() -> None:
    seen = observed(TIMES, every(20, face(HAPPY)))
    model = made_up_readout(bias=(5.0, 0.0, 0.0))
    off = load_settings(assignments=["track.min_faces=1", "readout.use=off"], environment={})
    plain = interpret(seen, off, model, video_id="v", duration_seconds=4)
    found = interpret(seen, ON, model, video_id="v", duration_seconds=4)
    assert not [name for name in plain.faces.column_names if name.startswith("r_")]
    assert set(column(plain.faces, "label")) == {"happy"}
    assert set(column(found.faces, "label")) == {"angry"}
    np.testing.assert_array_equal(scores(found.faces, "s"), scores(plain.faces, "s"))
    np.testing.assert_array_equal(scores(found.faces, "p"), scores(plain.faces, "p"))
    read = scores(found.faces, "r")
    np.testing.assert_allclose(read.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found.faces["confidence"].to_numpy(), read.max(axis=1))
    assert found.timeline["share_angry"].to_pylist() == [1.0] * 4
    assert found.tracks["mean_angry"][0].as_py() == pytest.approx(float(read[:, 0].mean()), abs=1e-6)


def test_a_longer_memory_than_that_of_the_smoothed_scores() -> None:
    """One odd frame among happy ones moves the read-out less than the smoothed scores."""
    faces = every(20, face(HAPPY)) | {10: [face((0.9, 0.05, 0.05))]}
    found = interpret(observed(TIMES, faces), ON, made_up_readout(), video_id="v", duration_seconds=4)
    assert scores(found.faces, "r")[10, 0] < 0.7 * scores(found.faces, "s")[10, 0]


def test_the_baseline_comes_off_before_the_readout() -> None:
    faces = {i: [face((0.6, 0.3, 0.1) if i % 20 < 10 else (0.3, 0.6, 0.1))] for i in range(100)}
    seen = observed([i / 5 for i in range(100)], faces)
    with_baseline = load_settings(
        assignments=["track.min_faces=1", "readout.use=on", "baseline.scope=track", "baseline.min_spread=0"],
        environment={},
    )
    found = interpret(seen, with_baseline, made_up_readout(half_life=0.0), video_id="v", duration_seconds=20)
    apart = interpret(seen, ON, made_up_readout(half_life=0.0), video_id="v", duration_seconds=20)
    middle = scores(found.faces, "r").mean(axis=0)
    assert middle[2] > 0.2 > scores(apart.faces, "r").mean(axis=0)[2]  # the label that was never high


def test_a_face_with_a_baseline_gets_the_whole_of_what_grows() -> None:
    """A face that shows one expression has none, even where a baseline is asked for."""
    with_baseline = load_settings(
        assignments=["track.min_faces=1", "readout.use=on", "baseline.scope=track"], environment={}
    )
    changing = {i: [face((0.8, 0.1, 0.1) if i % 40 < 20 else (0.1, 0.8, 0.1))] for i in range(100)}
    for faces, share in ((changing, 1.0), (every(100, face(HAPPY)), 0.5)):
        seen = observed([i / 5 for i in range(100)], faces)
        plain, read = (
            interpret(seen, with_baseline, made_up_readout(bias=bias, half_life=0.0), video_id="v", duration_seconds=20)
            for bias in ((0.0, 0.0, 0.0), (2.0, 0.0, 0.0))
        )
        logs = [np.log(scores(one.faces, "r")[5]) for one in (plain, read)]
        added = (logs[1] - logs[0])[0] - (logs[1] - logs[0])[1]
        assert added == pytest.approx(2.0 * share, abs=1e-4)


def test_live_views_read_the_past_alone_and_agree_at_the_end() -> None:
    model = made_up_readout(bias=(2.0, 0.0, 0.0))
    tracks = LiveTracks(ON, model)
    faces = every(20, face(HAPPY)) | {19: [face((0.1, 0.1, 0.8))]}
    for i, seconds in enumerate(TIMES):
        logits = np.log(np.array([faces[i][0][1]], np.float32))
        boxes = np.array([PLACE], np.float32)
        looks = np.array([[0.8, 0.5, 0, 0, 0]], np.float32)
        found = Detections(i, i, seconds, False, boxes, np.array([0.9], np.float32), *without_landmarks(1))
        thumbnail = np.zeros(THUMBNAIL_PX[::-1], np.uint8)
        (live,) = tracks.update(FaceScores(found, logits, np.ones(1, np.float32), thumbnail, looks))
    whole = interpret(observed(TIMES, faces), ON, model, video_id="v", duration_seconds=4)
    assert live.read_out is not None
    assert live.label == LABELS[int(live.read_out.argmax())]
    # The last sample of a file counts its side twice, so the two differ a little.
    np.testing.assert_allclose(live.read_out, scores(whole.faces, "r")[-1], atol=0.1)


def test_a_readout_that_is_not_there_or_of_other_heads_is_refused() -> None:
    bare = made_up_model(Head("fer2013", LABELS, 1.0, 1.0))
    with pytest.raises(ConfigError, match="has no read-out"):
        interpret(observed([]), ON, bare, video_id="v", duration_seconds=1)
    model = made_up_readout()
    assert model.readout is not None
    other = replace(model, readout=replace(model.readout, source="blend"))
    with pytest.raises(ConfigError, match=r"is for emotion\.labels = 'blend'"):
        interpret(observed([]), ON, other, video_id="v", duration_seconds=1)
    automatic = load_settings(assignments=["readout.use=auto"], environment={})
    assert "r_angry" not in interpret(observed([]), automatic, other, video_id="v", duration_seconds=1).faces.column_names  # fmt: skip # noqa: E501
