"""The tracker that expects where a face will be: people who cross, hide, turn back, at several rates."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.track import make_tracker

FACE_PX = 80.0


def walk(
    places: list[list[tuple[float, float] | None]], fps: float, *, tracker: str = "motion", jitter_px: float = 2.0
) -> list[list[int]]:
    """Ids per person: `places` holds the centre of each person in each frame, None where no face is seen."""
    follower = make_tracker(tracker, {}, gap_seconds=1.0)
    rng = np.random.default_rng(2)
    found: list[list[int]] = [[] for _ in places]
    for i in range(len(places[0])):
        seen = [(own[i], k) for k, own in enumerate(places) if own[i] is not None]
        seen.sort(key=lambda one: one[0] or (0.0, 0.0))  # detections come in order of x
        boxes = [
            (x - FACE_PX / 2, y - FACE_PX / 2, x + FACE_PX / 2, y + FACE_PX / 2)
            for (x, y), _ in seen  # type: ignore[misc]
        ]
        jitter = rng.normal(0, jitter_px, (len(boxes), 1)) if boxes else 0.0
        ids = follower.update(
            (np.array(boxes).reshape(-1, 4) + jitter).astype(np.float32), i / fps, spacing_seconds=1 / fps
        )
        for track_id, (_, k) in zip(ids.tolist(), seen, strict=True):
            found[k].append(track_id)
    return found


def crossing(fps: float, *, speed: float, hidden_px: float) -> list[list[tuple[float, float] | None]]:
    """Two people of one size who pass; the one behind is not seen while they are closer than `hidden_px`."""
    n = round(600 / speed * fps)
    right = [(100 + speed * i / fps, 200.0) for i in range(n)]
    left = [(700 - speed * i / fps, 206.0) for i in range(n)]
    behind = [None if abs(a[0] - b[0]) < hidden_px else b for a, b in zip(right, left, strict=True)]
    return [list(right), behind]


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0])
@pytest.mark.parametrize("speed", [100.0, 160.0])
def test_two_people_who_cross_keep_their_numbers(fps: float, speed: float) -> None:
    ids = walk(crossing(fps, speed=speed, hidden_px=60), fps)
    assert [set(own) for own in ids] == [{0}, {1}]


def test_overlap_alone_mixes_up_people_who_hide_each_other() -> None:
    """What the expected place is for: without it one of these two gets another number."""
    ids = walk(crossing(5.0, speed=160, hidden_px=60), 5.0, tracker="iou")
    assert [set(own) for own in ids] != [{0}, {1}]


def test_a_fast_head_is_followed_where_its_boxes_no_longer_overlap() -> None:
    places: list[tuple[float, float] | None] = [(100 + 50.0 * i, 200.0) for i in range(12)]
    assert set(walk([places], 5.0)[0]) == {0}
    assert len(set(walk([places], 5.0, tracker="iou")[0])) > 1


def test_a_head_that_turns_back_keeps_its_number() -> None:
    places: list[tuple[float, float] | None] = [(300 + 100 * float(np.sin(2 * i / 5)), 200.0) for i in range(60)]
    assert set(walk([places], 5.0)[0]) == {0}


def test_a_missing_second_is_bridged_and_frames_may_lie_unevenly() -> None:
    follower = make_tracker("motion", {}, gap_seconds=1.0)
    times = [0.0, 0.2, 0.35, 0.6, 0.8, 1.7, 1.75, 2.4]
    for seconds in times:
        x = 100 + 60 * seconds
        assert follower.update(np.array([[x, 100, x + 80, 180]], np.float32), seconds).tolist() == [0]
