"""Tracks by overlap: stories of faces that stay, move, meet, vanish and return."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.track.iou import IouTracker

Box = tuple[float, float, float, float]
FACE: Box = (0, 0, 100, 100)
ELSEWHERE: Box = (500, 0, 600, 100)


def tracker(*, min_iou: float = 0.3, gap_seconds: float = 1.0) -> IouTracker:
    return IouTracker(min_iou=min_iou, gap_seconds=gap_seconds)


def see(follower: IouTracker, seconds: float, *boxes: Box, is_cut: bool = False) -> list[int]:
    ids = follower.update(np.array(boxes, np.float32).reshape(-1, 4), seconds, is_cut=is_cut)
    assert ids.dtype == np.int32
    return [int(i) for i in ids]


def test_a_frame_without_faces_has_no_ids() -> None:
    follower = tracker()
    assert see(follower, 0.0) == []
    assert see(follower, 0.2, FACE) == [0]
    assert see(follower, 0.4) == []


def test_a_still_face_keeps_its_id() -> None:
    follower = tracker()
    assert [see(follower, i / 5, FACE) for i in range(20)] == [[0]] * 20


def test_a_moving_face_keeps_its_id() -> None:
    follower = tracker()
    assert [see(follower, i / 5, (30 * i, 0, 30 * i + 100, 100)) for i in range(20)] == [[0]] * 20


def test_a_face_that_leaps_further_than_the_limit_is_another_one() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE) == [0]
    assert see(follower, 0.2, (60, 0, 160, 100)) == [1]  # an overlap of 40 / 160


def test_an_overlap_of_exactly_the_limit_connects() -> None:
    follower = tracker(min_iou=50 / 150)
    assert see(follower, 0.0, FACE) == [0]
    assert see(follower, 0.2, (50, 0, 150, 100)) == [0]


def test_ids_follow_the_order_of_the_boxes() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE, ELSEWHERE) == [0, 1]
    assert see(follower, 0.2, ELSEWHERE, FACE) == [1, 0]


def test_two_faces_that_cross_keep_their_ids() -> None:
    follower = tracker()
    for i in range(16):
        right: Box = (20 * i, 0, 20 * i + 100, 100)
        left: Box = (300 - 20 * i, 30, 400 - 20 * i, 130)
        in_order = sorted([(right, 0), (left, 1)])  # detections come in order of x
        assert see(follower, i / 5, *(box for box, _ in in_order)) == [expected for _, expected in in_order]


@pytest.mark.parametrize(("seconds_away", "expected"), [(0.2, 0), (0.99, 0), (1.0, 0), (1.01, 1), (60.0, 1)])
@pytest.mark.parametrize("with_empty_frames", [False, True])
def test_a_track_survives_a_gap_no_longer_than_the_limit(
    seconds_away: float, expected: int, with_empty_frames: bool
) -> None:
    follower = tracker(gap_seconds=1.0)
    assert see(follower, 0.0, FACE) == [0]
    if with_empty_frames:
        for share in (0.25, 0.5, 0.75):
            assert see(follower, share * seconds_away) == []
    assert see(follower, seconds_away, FACE) == [expected]


def test_each_sight_of_a_face_begins_a_new_gap() -> None:
    follower = tracker(gap_seconds=1.0)
    assert [see(follower, i * 0.9, FACE) for i in range(10)] == [[0]] * 10


def test_another_face_does_not_keep_a_track_alive() -> None:
    follower = tracker(gap_seconds=1.0)
    assert see(follower, 0.0, FACE, ELSEWHERE) == [0, 1]
    assert see(follower, 0.8, ELSEWHERE) == [1]
    assert see(follower, 1.6, FACE, ELSEWHERE) == [2, 1]


def test_a_cut_ends_every_track() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE, ELSEWHERE) == [0, 1]
    assert see(follower, 0.2, FACE, ELSEWHERE, is_cut=True) == [2, 3]
    assert see(follower, 0.4, FACE, ELSEWHERE) == [2, 3]


def test_a_cut_in_a_frame_without_faces_ends_them_too() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE) == [0]
    assert see(follower, 0.2, is_cut=True) == []
    assert see(follower, 0.4, FACE) == [1]


def test_of_two_detections_the_one_with_more_overlap_continues_a_track() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE) == [0]
    assert see(follower, 0.2, (40, 0, 140, 100), (10, 0, 110, 100)) == [1, 0]


def test_of_two_tracks_the_one_with_more_overlap_takes_a_detection_and_the_other_waits() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE, (80, 0, 180, 100)) == [0, 1]
    assert see(follower, 0.2, (50, 0, 150, 100)) == [1]
    assert see(follower, 0.4, FACE, (50, 0, 150, 100)) == [0, 1]


def test_a_second_choice_is_taken_when_the_first_is_gone() -> None:
    follower = tracker()
    assert see(follower, 0.0, FACE, (30, 0, 130, 100)) == [0, 1]
    # Both overlap most with track 1; the closer one gets it, and the other still overlaps enough with track 0.
    assert see(follower, 0.2, (30, 0, 130, 100), (20, 0, 120, 100)) == [1, 0]


def test_ids_are_never_reused() -> None:
    rng = np.random.default_rng(0)
    follower = tracker(gap_seconds=0.4)
    last_seen: dict[int, int] = {}
    for frame in range(400):
        places = np.flatnonzero(rng.random(4) < 0.4)
        for track_id in see(follower, frame / 5, *((500 * p, 0, 500 * p + 100, 100) for p in places)):
            assert track_id == len(last_seen) or frame - last_seen[track_id] <= 2
            last_seen[track_id] = frame
    assert len(last_seen) > 50


def test_the_given_boxes_are_left_alone() -> None:
    boxes = np.array([FACE], np.float32)
    boxes.flags.writeable = False
    follower = tracker()
    follower.update(boxes, 0.0)
    follower.update(boxes, 0.2)
    assert boxes.tolist() == [[0, 0, 100, 100]]
