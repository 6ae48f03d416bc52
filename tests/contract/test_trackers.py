"""Every tracker and every smoother of the tables, in the same cases."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.registry import resolve
from fervid.track import SMOOTHERS, TRACKERS, Smoother, Tracker, make_smoother, make_tracker

EVERY_TRACKER = pytest.mark.parametrize("name", TRACKERS)
EVERY_SMOOTHER = pytest.mark.parametrize("name", SMOOTHERS)
RATES = pytest.mark.parametrize("fps", [1.0, 5.0, 25.0])

Box = tuple[float, float, float, float]
FACE: Box = (200, 100, 300, 200)
ELSEWHERE: Box = (900, 100, 1000, 200)


def made(name: str, *, gap_seconds: float = 1.0) -> Tracker:
    return make_tracker(name, resolve(TRACKERS, name, kind="tracker").Options().model_dump(), gap_seconds=gap_seconds)


def see(tracker: Tracker, seconds: float, *boxes: Box, is_cut: bool = False, spacing: float = 0.0) -> list[int]:
    faces = np.array(boxes, np.float32).reshape(-1, 4)
    faces.flags.writeable = False
    ids = tracker.update(faces, seconds, is_cut=is_cut, spacing_seconds=spacing)
    assert ids.dtype == np.int32
    assert ids.shape == (len(boxes),)
    return [int(i) for i in ids]


@EVERY_TRACKER
def test_a_tracker_made_without_options_is_the_one_of_the_settings(name: str) -> None:
    maker = resolve(TRACKERS, name, kind="tracker")
    assert vars(maker(gap_seconds=1.0)) == vars(made(name))


@EVERY_TRACKER
def test_ids_count_up_from_zero_and_follow_the_order_of_the_boxes(name: str) -> None:
    tracker = made(name)
    assert see(tracker, 0.0) == []
    assert see(tracker, 0.2, FACE, ELSEWHERE) == [0, 1]
    assert see(tracker, 0.4, ELSEWHERE, FACE) == [1, 0]
    assert see(tracker, 0.6) == []
    assert see(tracker, 0.8, (500, 500, 560, 560), FACE) == [2, 0]


@EVERY_TRACKER
@RATES
def test_a_still_face_keeps_its_id_at_any_rate(name: str, fps: float) -> None:
    tracker = made(name)
    rng = np.random.default_rng(1)
    for i in range(60):
        jitter = rng.normal(0, 3, 4)
        assert see(tracker, i / fps, tuple(FACE + jitter), spacing=1 / fps) == [0]


@EVERY_TRACKER
def test_a_face_keeps_its_id_over_a_gap_no_longer_than_the_limit(name: str) -> None:
    for away, expected in ((0.2, 0), (1.0, 0), (1.01, 1), (60.0, 1)):
        tracker = made(name, gap_seconds=1.0)
        assert see(tracker, 0.0, FACE) == [0]
        assert see(tracker, away, FACE) == [expected]


@EVERY_TRACKER
def test_two_frames_next_to_each_other_connect_however_far_apart_they_are(name: str) -> None:
    tracker = made(name, gap_seconds=1.0)
    assert [see(tracker, 5.0 * i, FACE, spacing=5.0) for i in range(5)] == [[0]] * 5


@EVERY_TRACKER
def test_a_cut_ends_every_track(name: str) -> None:
    tracker = made(name)
    assert see(tracker, 0.0, FACE, ELSEWHERE) == [0, 1]
    assert see(tracker, 0.2, FACE, ELSEWHERE, is_cut=True) == [2, 3]
    assert see(tracker, 0.4, is_cut=True) == []
    assert see(tracker, 0.6, FACE) == [4]


@EVERY_TRACKER
def test_a_face_far_from_all_others_is_a_new_one(name: str) -> None:
    tracker = made(name)
    for i in range(10):
        see(tracker, i / 5, FACE)
    assert see(tracker, 2.0, ELSEWHERE) == [1]


@EVERY_TRACKER
def test_a_face_much_larger_in_the_same_place_is_another_one(name: str) -> None:
    tracker = made(name)
    see(tracker, 0.0, FACE)
    assert see(tracker, 0.2, (50, -50, 450, 350)) == [1]


@EVERY_TRACKER
@RATES
def test_two_people_who_pass_each_other_at_different_distances_keep_their_ids(name: str, fps: float) -> None:
    """Slow enough that even overlap alone tells them apart: one face is half as large again."""
    tracker = made(name)
    n = round(10 * fps)
    step = 20 / fps
    for i in range(n):
        near, far = 100 + step * i, 300 - step * i
        ids = see(tracker, i / fps, (near, 100, near + 150, 250), (far, 130, far + 80, 210), spacing=1 / fps)
        assert ids == [0, 1]


@EVERY_TRACKER
def test_the_same_boxes_give_the_same_ids(name: str) -> None:
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 500, (80, 3, 2))
    stories = [[tuple(np.concatenate([one, one + 90])) for one in frame] for frame in low]
    first, second = made(name), made(name)
    for i, boxes in enumerate(stories):
        assert see(first, i / 5, *boxes) == see(second, i / 5, *boxes)


@EVERY_TRACKER
def test_ids_are_never_used_again_nor_twice_in_a_frame(name: str) -> None:
    rng = np.random.default_rng(0)
    tracker = made(name, gap_seconds=0.4)
    last_seen: dict[int, int] = {}
    for frame in range(400):
        places = np.flatnonzero(rng.random(4) < 0.4)
        ids = see(tracker, frame / 5, *((500 * p, 0, 500 * p + 100, 100) for p in places))
        assert len(set(ids)) == len(ids)
        for track_id in ids:
            assert track_id == len(last_seen) or frame - last_seen[track_id] <= 2
            last_seen[track_id] = frame
    assert len(last_seen) > 50


@EVERY_TRACKER
def test_boxes_without_area_and_frames_at_the_same_time_break_nothing(name: str) -> None:
    tracker = made(name)
    for seconds in (0.0, 0.0, 0.2):
        ids = see(tracker, seconds, (10, 10, 10, 10), FACE)
        assert len(set(ids)) == 2


def smoother(name: str, half_life_seconds: float = 0.5) -> Smoother:
    return make_smoother(name, half_life_seconds=half_life_seconds)


def samples(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    values = rng.dirichlet(np.ones(7), n).astype(np.float32)
    return np.cumsum(rng.uniform(0.05, 0.5, n)), values


@EVERY_SMOOTHER
@pytest.mark.parametrize("n", [1, 2, 40])
def test_smoothed_probabilities_stay_probabilities(name: str, n: int) -> None:
    times, values = samples(n)
    for found in (smoother(name).causal(times, values), smoother(name).zero_phase(times, values)):
        assert found.dtype == np.float32
        assert found.shape == values.shape
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        assert (found >= 0).all()


@EVERY_SMOOTHER
def test_the_causal_form_knows_the_past_alone(name: str) -> None:
    times, values = samples(40)
    whole = smoother(name).causal(times, values)
    step_by_step = [smoother(name).causal(times[: i + 1], values[: i + 1])[-1] for i in range(len(times))]
    np.testing.assert_array_equal(whole, np.stack(step_by_step))


@EVERY_SMOOTHER
def test_what_stays_the_same_is_left_alone_and_zero_seconds_smooth_nothing(name: str) -> None:
    times, values = samples(40)
    same = np.tile(values[:1], (40, 1))
    np.testing.assert_allclose(smoother(name).zero_phase(times, same), same, atol=1e-6)
    np.testing.assert_allclose(smoother(name).causal(times, same), same, atol=1e-6)
    np.testing.assert_allclose(smoother(name, 0.0).zero_phase(times, values), values, atol=1e-6)
    np.testing.assert_allclose(smoother(name, 0.0).causal(times, values), values, atol=1e-6)
