"""Where and when the search looks: state across frames, savings, and what each of them promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fervid.base.geometry import iou_matrix
from fervid.base.opencv import cv2
from fervid.base.types import Frame
from fervid.detect import make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.search import FaceSearch
from fervid.detect.stage import detect_faces
from synthetic import TIME_BASE, empty_picture, face_patch, moving_face

STEP_SECONDS = 0.2
Picture = Callable[[float], np.ndarray]

EVERY_FRAME = SearchPlan(full_search_seconds=0)


def picture_with_faces(*lefts: int, top: int = 60) -> np.ndarray:
    """The empty picture, twice as wide, with the portrait at each left edge."""
    picture = np.hstack([empty_picture()] * 2)
    for left in lefts:
        picture[top : top + 150, left : left + 150] = face_patch()
    return picture


def searched(
    picture: Picture, n: int, plan: SearchPlan, *, first_seconds: float = 0.0
) -> tuple[list[np.ndarray], SearchWork]:
    """The boxes of `n` frames, `STEP_SECONDS` apart, and the work that they took."""
    work = SearchWork()
    search = FaceSearch(make_detector("haar", {}), plan, work)
    times = [i * STEP_SECONDS for i in range(n)]
    return [search.find(picture(t), first_seconds + t)[0] for t in times], work


def frames_of(picture: Picture, n: int, *, corrupt: tuple[int, ...] = ()) -> list[Frame]:
    return [
        Frame(i, i * 18_000, TIME_BASE, i * STEP_SECONDS, picture(i * STEP_SECONDS), i in corrupt, True)
        for i in range(n)
    ]


def staged(frames: list[Frame], plan: SearchPlan) -> list[np.ndarray]:
    found = detect_faces(
        iter(frames),
        make_detector("haar", {}),
        search=plan,
        work=SearchWork(),
        min_face_px=None,
        min_face_share=0.1,
        min_confidence=0.0,
        pixel_aspect=1.0,
    )
    return [detections.boxes for _, detections, _ in found]


def test_a_video_without_frames_takes_no_work() -> None:
    assert staged([], SearchPlan()) == []
    assert searched(moving_face, 0, SearchPlan()) == ([], SearchWork())


def test_without_savings_each_frame_has_the_detectors_own_boxes() -> None:
    detector = make_detector("haar", {})
    for frame, boxes in zip(frames_of(moving_face, 6), staged(frames_of(moving_face, 6), EVERY_FRAME), strict=True):
        size = round(frame.gray.shape[1] * 20 / 24), round(frame.gray.shape[0] * 20 / 24)
        small = cv2.resize(frame.gray, size, interpolation=cv2.INTER_AREA)
        expected, _ = detector.detect(small)
        scale = np.array([frame.gray.shape[1] / size[0], frame.gray.shape[0] / size[1]] * 2, np.float32)
        np.testing.assert_array_equal(boxes, expected[np.lexsort((expected[:, 1], expected[:, 0]))] * scale)


def test_without_savings_each_frame_is_one_full_search() -> None:
    _, work = searched(moving_face, 7, EVERY_FRAME)
    assert work == SearchWork(frames=7, full_searches=7, pixels=7 * 240 * 320, faces=7)


def test_a_moving_face_is_found_where_the_full_search_finds_it_with_less_to_search() -> None:
    found, work = searched(moving_face, 20, SearchPlan())
    expected, full = searched(moving_face, 20, EVERY_FRAME)
    for boxes, wanted in zip(found, expected, strict=True):
        assert len(boxes) == len(wanted) == 1
        assert iou_matrix(boxes, wanted)[0, 0] > 0.7
    assert work.pixels < full.pixels / 2
    assert work.region_searches >= 20


def test_a_picture_that_stands_still_is_searched_once_and_again_when_the_time_is_up() -> None:
    plan = SearchPlan(still_seconds=2.0)
    found, work = searched(lambda _: picture_with_faces(80), 20, plan)
    assert all(np.array_equal(boxes, found[0]) for boxes in found[:10])
    assert work.still_frames == 18
    assert work.taken_over == 18
    assert all(len(boxes) == 1 for boxes in found)


def test_a_frame_that_is_watched_is_searched_in_full() -> None:
    asked, works = [], []
    for is_watched in (None, lambda image, seconds: asked.append((image.shape, seconds)) or seconds > 1.0):
        works.append(SearchWork())
        found = detect_faces(
            iter(frames_of(lambda _: moving_face(0.0), 12, corrupt=(3,))),
            make_detector("haar", {}),
            search=SearchPlan(),
            work=works[-1],
            min_face_px=None,
            min_face_share=0.1,
            min_confidence=0.0,
            pixel_aspect=1.0,
            is_watched=is_watched,
        )
        assert len(list(found)) == 12
    assert len(asked) == 11  # all but the corrupt one
    n_watched = sum(seconds > 1.0 for _, seconds in asked)
    assert n_watched > 0
    assert works[1].full_searches >= works[0].full_searches + n_watched


def test_a_level_of_zero_searches_what_stands_still_too() -> None:
    _, work = searched(lambda _: picture_with_faces(80), 5, SearchPlan(still_level=0))
    assert work.still_frames == work.taken_over == 0


def test_a_face_that_comes_into_a_still_picture_is_found_before_the_next_full_search() -> None:
    def second_face_after(seconds: float) -> np.ndarray:
        return picture_with_faces(40, 400) if seconds > 0.5 else picture_with_faces(40)

    found, work = searched(second_face_after, 10, SearchPlan(full_search_seconds=4.0))
    assert [len(boxes) for boxes in found[:3]] == [1, 1, 1]
    assert all(len(boxes) == 2 for boxes in found[5:])
    assert work.part_searches > 0


def test_between_two_faces_that_come_at_far_ends_nothing_is_scanned() -> None:
    def both_come_after(seconds: float) -> np.ndarray:
        return picture_with_faces(10, 480) if seconds > 0.5 else picture_with_faces()

    plan = SearchPlan(full_search_seconds=0.4)
    found, work = searched(both_come_after, 4, plan)
    _, before = searched(both_come_after, 3, plan)
    assert [len(boxes) for boxes in found] == [0, 0, 0, 2]
    of_everything = before.pixels
    assert work.pixels - before.pixels < 0.6 * of_everything


def test_larger_faces_are_scanned_for_more_often_by_their_shares() -> None:
    def n_scans(*shares: float) -> int:
        plan = SearchPlan(
            full_search_seconds=0.8, octave_shares=shares, quiet_factor=1.0, still_level=0, keep_lost_seconds=0
        )
        return searched(lambda _: empty_picture(), 9, plan)[1].full_searches

    octaves = 4
    assert n_scans(1.0) == 3 * octaves
    assert n_scans(1.0, 0.5) == 3 + 5 * (octaves - 1)


def test_while_nothing_happens_larger_faces_are_scanned_for_more_rarely_until_a_face_comes() -> None:
    def n_scans(comes_seconds: float) -> int:
        plan = SearchPlan(full_search_seconds=0.8, octave_shares=(0.25,), still_level=0)
        pictures = {False: picture_with_faces(), True: picture_with_faces(150)}
        return searched(lambda t: pictures[t >= comes_seconds], 9, plan)[1].full_searches

    octaves = 4
    assert n_scans(9.0) == octaves * len([0.0, 0.2, 0.6, 1.0, 1.4])
    assert n_scans(0.9) == octaves * len([0.0, 0.2, 0.6, 1.0, 1.2, 1.6])


@pytest.mark.parametrize(("shift_px", "scale"), [(35, 1.0), (0, 1.3), (0, 0.77)])
def test_a_face_beyond_the_close_reach_is_found_as_if_there_were_no_close_one(shift_px: int, scale: float) -> None:
    def moved_after(seconds: float) -> np.ndarray:
        if seconds < 0.1:
            return picture_with_faces(150)
        picture, side = picture_with_faces(), round(150 * scale)
        face = cv2.resize(face_patch(), (side, side), interpolation=cv2.INTER_LINEAR)
        left, top = 225 - side // 2 + shift_px, 135 - side // 2
        picture[top : top + side, left : left + side] = face
        return picture

    # A scan so seldom that only the search around the face can find it again.
    plans = [SearchPlan(full_search_seconds=30.0, new_shot_threshold=0, close_first=close) for close in (True, False)]
    with_close, without = (searched(moved_after, 2, plan)[0][1] for plan in plans)
    assert iou_matrix(with_close, without)[0, 0] > 0.85


def test_a_new_shot_is_searched_in_full_at_once() -> None:
    def cut_after(seconds: float) -> np.ndarray:
        return 255 - np.fliplr(empty_picture()) if seconds < 0.9 else moving_face(seconds)

    plan = SearchPlan(full_search_seconds=30.0)
    found, work = searched(cut_after, 8, plan)
    assert [len(boxes) for boxes in found] == [0] * 5 + [1] * 3
    assert work.cuts == 1


def test_a_lost_face_stays_a_search_place_and_is_found_again_where_it_was() -> None:
    def covered_for_a_while(seconds: float) -> np.ndarray:
        return picture_with_faces() if 0.5 < seconds < 1.5 else picture_with_faces(80)

    kept, _ = searched(covered_for_a_while, 10, SearchPlan(full_search_seconds=30.0, keep_lost_seconds=2.0))
    assert [len(boxes) for boxes in kept] == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1]


def test_two_faces_stay_two_boxes_and_one_face_one() -> None:
    found, _ = searched(lambda t: picture_with_faces(60 + round(40 * t), 400), 8, SearchPlan())
    assert all(len(boxes) == 2 for boxes in found)
    assert all(iou_matrix(boxes, boxes)[0, 1] == 0 for boxes in found)


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_head_that_tilts_is_followed(degrees: int) -> None:
    def tilting(seconds: float) -> np.ndarray:
        picture = picture_with_faces(80)
        centre = (155, 140)
        turn = cv2.getRotationMatrix2D(centre, degrees * min(1.0, seconds), 1.0)
        return np.asarray(cv2.warpAffine(picture, turn, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE))

    found, _ = searched(tilting, 8, SearchPlan(full_search_seconds=30.0, new_shot_threshold=0))
    assert all(len(boxes) == 1 for boxes in found)
    assert iou_matrix(found[-1], found[0])[0, 0] > 0.5


def test_a_segment_knows_nothing_of_the_one_before_and_the_clock_may_start_anywhere() -> None:
    found, work = searched(moving_face, 6, SearchPlan())
    again, same = searched(moving_face, 6, SearchPlan(), first_seconds=7200.0)
    assert work == same
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_corrupt_frame_has_no_faces_and_changes_no_other_frame() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (240, 320)).astype(np.uint8)

    def damaged(seconds: float) -> np.ndarray:
        return noise if seconds == 2 * STEP_SECONDS else moving_face(seconds)

    found = staged(frames_of(damaged, 6, corrupt=(2,)), SearchPlan())
    without = [frame for frame in frames_of(moving_face, 6) if frame.index != 2]
    expected = staged(without, SearchPlan())
    assert len(found[2]) == 0
    for boxes, wanted in zip(found[:2] + found[3:], expected, strict=True):
        np.testing.assert_array_equal(boxes, wanted)


def test_a_picture_that_changes_its_size_is_a_new_start() -> None:
    def growing(seconds: float) -> np.ndarray:
        return moving_face(seconds) if seconds < 0.5 else picture_with_faces(300)

    found, _ = searched(growing, 6, SearchPlan())
    assert all(len(boxes) == 1 for boxes in found)


def test_work_of_segments_adds_up() -> None:
    total = SearchWork(frames=1, pixels=5)
    total.add(SearchWork(frames=2, pixels=7, faces=3))
    assert total == SearchWork(frames=3, pixels=12, faces=3)
