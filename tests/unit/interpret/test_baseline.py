"""The usual look of a face taken out of its scores: how much, of whom, and where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fervid.config import Settings, load_settings
from fervid.config.settings import BaselineSettings
from fervid.emotion.model import Head, Member, ModelInfo
from fervid.interpret.baseline import (
    LONE,
    lone_windows,
    people,
    shared_shifts,
    shift,
    usual_scores,
    without_baseline,
)
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.observe.observations import SCHEMA, THUMBNAIL_PX

LABELS = ("angry", "happy", "sad")
HEAD = Head("fer2013", LABELS, 1.0, 1.0, mean_logits=(0.0, 0.3, -0.3))
ANY = BaselineSettings(scope="track", prior_seconds=0, max_shift=100, min_seconds=0, min_spread=0)
STEP = 0.2
PLACES = ((10.0, 20.0, 110.0, 130.0), (400.0, 20.0, 500.0, 130.0))


def scores(*stretches: tuple[float, tuple[float, float, float]]) -> np.ndarray:
    """Scores (n, 3) that hold for so many seconds each."""
    return np.concatenate([np.tile(values, (round(seconds / STEP), 1)) for seconds, values in stretches])


def shift_of(values: np.ndarray, usual: tuple[float, float, float] = (0, 0, 0), **settings: float) -> np.ndarray:
    n = len(values)
    times, seconds = np.arange(n) * STEP, np.full(n, STEP)
    return shift(times, seconds, values, np.array(usual), ANY.model_copy(update=settings))


TWO = scores((6, (2.0, -1.0, -1.0)), (6, (0.0, 1.0, -1.0)))


def test_the_mean_of_a_face_is_moved_to_that_of_many_people() -> None:
    assert shift_of(TWO, (0.5, -0.5, 0.0)) == pytest.approx([1.0 - 0.5, 0.5, -1.0])


@pytest.mark.parametrize(("prior", "share"), [(0, 1), (12, 0.5), (36, 0.25)])
def test_it_is_moved_by_the_time_seen_over_that_time_and_the_prior(prior: float, share: float) -> None:
    assert shift_of(TWO, prior_seconds=prior) == pytest.approx(share * np.array([1.0, 0.0, -1.0]))


def test_no_score_moves_further_than_the_cap() -> None:
    assert shift_of(TWO, max_shift=0.75) == pytest.approx([0.75, 0.0, -0.75])


def test_a_face_that_was_hardly_seen_keeps_its_scores() -> None:
    assert shift_of(TWO, min_seconds=11.9).any()
    assert not shift_of(TWO, min_seconds=12.1).any()
    assert not shift(np.arange(3), np.zeros(3), TWO[:3], np.zeros(3), ANY).any()  # pictured too poorly throughout


def test_a_face_of_one_expression_keeps_its_scores_whatever_the_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, TWO.shape)
    constant = scores((12, (2.0, -1.0, -1.0)))
    assert not shift_of(constant + noise, min_spread=1.1).any()
    assert shift_of(TWO + noise, min_spread=1.1).any()


def test_few_frames_a_second_do_not_look_like_many_expressions() -> None:
    noise = np.random.default_rng(0).normal(0, 0.8, (60, 3))
    constant = np.tile((2.0, -1.0, -1.0), (60, 1)) + noise
    settings = ANY.model_copy(update={"min_spread": 1.1})
    assert not shift(np.arange(60) * 2.0, np.full(60, 2.0), constant, np.zeros(3), settings).any()


def test_faces_that_count_for_nothing_say_nothing_of_the_usual_look() -> None:
    values = np.concatenate([TWO, scores((5, (-9.0, 9.0, 0.0)))])
    seconds = np.where(np.arange(len(values)) < len(TWO), STEP, 0.0)
    found = shift(np.arange(len(values)) * STEP, seconds, values, np.zeros(3), ANY)
    assert found == pytest.approx(shift_of(TWO))


def test_tracks_that_meet_no_other_face_are_one_person_in_a_video() -> None:
    rows = np.array([0, 1, 2, 3, 3, 4, 4, 5, 6])
    tracks = np.array([0, 0, 1, 2, 3, 2, 3, 4, 4])
    assert people(rows, tracks, scope="track").tolist() == tracks.tolist()
    assert people(rows, tracks, scope="video").tolist() == [-1, -1, -1, 2, 3, 2, 3, -1, -1]
    assert people(rows[:0], tracks[:0], scope="video").tolist() == []


def test_each_head_that_answers_has_a_baseline_and_no_other_is_touched() -> None:
    second = Head("ferplus", (*LABELS, "contempt"), 0.5, 0.5)
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (100, 7)).astype(np.float32)
    times, seconds = np.arange(100) * STEP, np.full(100, STEP)
    person = np.repeat([0, 1], 50)

    def found(source: str) -> np.ndarray:
        return without_baseline(
            logits, times, seconds, person, model(HEAD, second), ANY, source=source, is_flipped=False  # type: ignore[arg-type]
        )  # fmt: skip

    first = found("fer2013")
    assert np.array_equal(first[:, 3:], logits[:, 3:])
    both = found("mean")
    assert np.array_equal(both[:, :3], first[:, :3])
    for one in (0, 1):
        means = both[person == one].mean(axis=0)
        assert means[:3] - means[:3].mean() == pytest.approx(HEAD.mean_logits, abs=1e-5)
        assert means[3:] - means[3:].mean() == pytest.approx(0, abs=1e-5)  # its model does not state them
    assert first.dtype == np.float32


def test_the_usual_scores_are_log_probabilities_at_the_temperature_less_their_mean() -> None:
    head = replace(HEAD, mean_logits=(1.0, 2.0, 6.0))
    assert usual_scores(head, 2.0) == pytest.approx([-1.0, -0.5, 1.5])


def test_recordings_of_one_person_have_the_baseline_of_one_long_recording() -> None:
    values = np.concatenate([TWO, TWO[:, [2, 0, 1]], scores((8, (1.0, 0.5, -1.5)))]).astype(np.float32)
    values += np.random.default_rng(2).normal(0, 0.3, values.shape).astype(np.float32)
    parts = np.split(np.arange(len(values)), [30, 60, 100])  # at whole windows: those of the joined one are the same
    windows = []
    for rows in parts:
        times, seconds, alone = np.arange(len(rows)) * STEP, np.full(len(rows), STEP), np.full(len(rows), LONE)
        windows.append(
            lone_windows(values[rows], times, seconds, alone, model(HEAD), source="fer2013", is_flipped=False)
        )
    settings = ANY.model_copy(update={"prior_seconds": 4.0, "min_seconds": 20.0, "min_spread": 0.5})
    centred = (values - values.mean(axis=1, keepdims=True)).astype(np.float64)
    times, seconds = np.arange(len(values)) * STEP, np.full(len(values), STEP)
    joined = shift(times, seconds, centred, usual_scores(HEAD, 1.0), settings)
    assert np.abs(joined).max() > 0.1
    found = shared_shifts(windows, model(HEAD), settings, source="fer2013", is_flipped=False)
    assert list(found) == ["fer2013"]
    assert found["fer2013"] == pytest.approx(joined, abs=1e-6)
    short = shared_shifts(windows[:2], model(HEAD), settings, source="fer2013", is_flipped=False)
    assert short["fer2013"] == (0.0, 0.0, 0.0)  # 12 s in all: less than `min_seconds`


def test_a_shared_baseline_is_that_of_lone_tracks_alone() -> None:
    logits = np.concatenate([TWO, TWO]).astype(np.float32)
    found = without_baseline(
        logits,
        np.arange(len(logits)) * STEP,
        np.full(len(logits), STEP),
        np.repeat([LONE, 3], len(TWO)),
        model(HEAD),
        ANY,
        source="fer2013",
        is_flipped=False,
        shared={"fer2013": (0.5, 0.0, -0.5)},
    )
    assert found[: len(TWO)] == pytest.approx(TWO - np.array([0.5, 0.0, -0.5]), abs=1e-6)
    assert not np.allclose(found[len(TWO) :], TWO - np.array([0.5, 0.0, -0.5]), atol=0.1)


def model(*heads: Head) -> ModelInfo:
    member = Member("none", tuple(head.name for head in heads), 0.5, 0.25)
    return ModelInfo("made-up", heads, (member,), 48, "", "", "", "", Path())


def tables(*faces: np.ndarray, scope: str) -> Tables:
    """Of faces side by side from the first frame on, with these logits (n, 3)."""
    n = max(len(one) for one in faces)
    rows = []
    for i in range(n):
        found = [(PLACES[k], one[i]) for k, one in enumerate(faces) if i < len(one)]
        rows.append(
            {
                "frame": i,
                "pts": i,
                "time_s": i * STEP,
                "is_corrupt": False,
                "boxes": [side for box, _ in found for side in box],
                "confidence": [0.9 for _ in found],
                "quality": [1.0 for _ in found],
                "looks": [value for _ in found for value in (0.8, 0.5, 0.0, 0.0, 0.0)],
                "landmarks": np.full(10 * len(found), np.nan, np.float16),
                "logits": [float(value) for _, own in found for value in own],
                "thumbnail": bytes(THUMBNAIL_PX[0] * THUMBNAIL_PX[1]),
            }
        )
    settings: Settings = load_settings(assignments=[f"baseline.scope={scope}"], environment={})
    observations = pa.Table.from_pylist(rows, schema=SCHEMA)
    return interpret(observations, settings, model(HEAD), video_id="v", duration_seconds=n * STEP)


# The face at rest looks sad; for six seconds it does something else.
SAD_AT_REST = scores((6, (0.0, -1.0, 3.0)), (6, (2.6, -1.0, 3.0)), (6, (-1.0, 0.0, 1.0)))


@pytest.mark.parametrize("scope", ["track", "video"])
def test_what_a_sad_looking_face_does_shows_in_the_columns_less_its_baseline(scope: str) -> None:
    found = tables(SAD_AT_REST, scope=scope).faces.to_pandas()
    smoothed = found[[f"s_{label}" for label in LABELS]].to_numpy()
    relative = found[[f"b_{label}" for label in LABELS]].to_numpy()
    assert set(smoothed.argmax(axis=1)) == {2}
    middle = found["time_s"].between(7, 11).to_numpy()
    assert set(relative[middle].argmax(axis=1)) == {0}
    assert relative.sum(axis=1) == pytest.approx(1)


def test_every_other_column_and_table_is_the_same_with_a_baseline_and_without() -> None:
    plain, corrected = (tables(SAD_AT_REST, scope=scope) for scope in ("off", "track"))
    added = [name for name in corrected.faces.column_names if name not in plain.faces.column_names]
    assert added == [f"b_{label}" for label in LABELS]
    assert corrected.faces.drop_columns(added).equals(plain.faces)
    assert (corrected.frames, corrected.tracks, corrected.timeline) == (plain.frames, plain.tracks, plain.timeline)


def test_two_people_side_by_side_have_baselines_of_their_own_in_a_video_too() -> None:
    other = SAD_AT_REST[:, [1, 2, 0]]
    assert tables(SAD_AT_REST, other, scope="video").faces.equals(tables(SAD_AT_REST, other, scope="track").faces)


def test_a_short_face_has_the_smoothed_scores_in_the_columns_less_its_baseline() -> None:
    found = tables(SAD_AT_REST[:20], scope="track").faces
    for label in LABELS:
        assert found[f"b_{label}"].to_pylist() == pytest.approx(found[f"s_{label}"].to_pylist(), abs=1e-6)


def test_numbers_of_a_baseline_that_is_off_change_no_hash() -> None:
    def hash_of(*assignments: str) -> str:
        return load_settings(assignments=assignments, environment={}).hash(model_sha256="a")

    assert hash_of("baseline.max_shift=1") == hash_of()
    assert hash_of("baseline.scope=track", "baseline.max_shift=1") != hash_of("baseline.scope=track") != hash_of()
