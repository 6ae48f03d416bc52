"""Scans by a network, and crops around known faces between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fervid.base.opencv import cv2
from fervid.detect import make_detector
from fervid.detect.faces import Face, is_part_of, is_same_face, one_box_a_face
from fervid.detect.network_search import NetworkSearch
from fervid.detect.plan import SearchPlan, SearchWork
from synthetic import empty_picture, face_patch

STEP_SECONDS = 0.2
Picture = Callable[[float], np.ndarray]


def with_faces(*lefts: int, top: int = 60, side: int = 150) -> np.ndarray:
    """The empty picture, twice as wide, with the portrait at each left edge."""
    picture = np.hstack([empty_picture()] * 2)
    face = cv2.resize(face_patch(), (side, side), interpolation=cv2.INTER_AREA)
    for left in lefts:
        picture[top : top + side, left : left + side] = face
    return picture


def searched(picture: Picture, n: int, plan: SearchPlan) -> tuple[list[np.ndarray], SearchWork]:
    work = SearchWork()
    search = NetworkSearch(make_detector("centerface", {}), plan, work)
    found = []
    for i in range(n):
        frame = picture(i * STEP_SECONDS)
        small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found.append(search.find(small, frame, i * STEP_SECONDS)[0] * 2)
    return found, work


def moving(seconds: float) -> np.ndarray:
    return with_faces(100 + round(60 * seconds))


class WeakNetwork:
    """Sees a sure face once, and one far below the threshold in every crop from then on."""

    smallest_face_px = 15
    box_shape = 1.0
    searches_windows = False
    sure_confidence = 0.3
    n_scans = 0

    def detect(self, _: np.ndarray, *, effort: str = "normal") -> tuple[np.ndarray, np.ndarray]:
        if effort == "lenient":
            return np.array([[16, 16, 48, 48]], np.float32), np.array([0.2], np.float32)
        self.n_scans += 1
        n = int(self.n_scans == 1)
        return np.array([[40, 40, 80, 80]] * n, np.float32).reshape(-1, 4), np.full(n, 0.9, np.float32)


def test_a_moving_face_is_followed_by_crops_between_few_scans() -> None:
    found, work = searched(moving, 10, SearchPlan(full_search_seconds=0.6))
    assert [len(boxes) for boxes in found] == [1] * 10
    n_scans = work.full_searches + work.part_searches
    assert n_scans <= 4
    assert work.region_searches == 10 - work.full_searches
    every, _ = searched(moving, 10, SearchPlan(full_search_seconds=0))
    for boxes, wanted in zip(found, every, strict=True):
        assert np.abs(boxes - wanted).max() < 12


def test_a_still_picture_is_searched_once() -> None:
    found, work = searched(lambda _: with_faces(80, 400), 10, SearchPlan(still_seconds=60))
    assert [len(boxes) for boxes in found] == [2] * 10
    assert (work.full_searches, work.region_searches, work.still_frames) == (1, 0, 9)


def test_a_face_that_comes_is_found_at_the_next_scan() -> None:
    found, _ = searched(
        lambda t: with_faces(*([80, 400] if t > 0.3 else [80])), 6, SearchPlan(full_search_seconds=0.6, still_level=0)
    )
    assert [len(boxes) for boxes in found] == [1, 1, 1, 2, 2, 2]


def test_where_little_changes_only_that_part_is_scanned() -> None:
    found, work = searched(lambda t: with_faces(*([80, 420] if t > 0.3 else [80])), 6, SearchPlan())
    assert [len(boxes) for boxes in found[-2:]] == [2, 2]
    assert (work.full_searches, work.part_searches) == (1, 1)
    whole, _ = searched(lambda _: with_faces(80, 420), 1, SearchPlan(full_search_seconds=0))
    assert np.abs(found[-1] - whole[0]).max() < 12


def test_a_face_that_goes_on_beyond_the_part_is_scanned_for_in_all_of_the_picture() -> None:
    class FaceAtTheEdge(WeakNetwork):
        """Sees a face that fills whatever it is shown, once something is there."""

        def detect(self, picture: np.ndarray, *, effort: str = "normal") -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
            n = int(picture.max() == 255)
            box = [0, 0, picture.shape[1], picture.shape[0]]
            return np.array([box] * n, np.float32).reshape(-1, 4), np.full(n, 0.9, np.float32)

    work = SearchWork()
    search = NetworkSearch(FaceAtTheEdge(), SearchPlan(new_shot_threshold=0), work)
    for i in range(5):
        picture = np.full((192, 352), 90, np.uint8)
        picture[80:100, 150:170] = 255 if i > 2 else 90
        boxes, *_ = search.find(picture, picture, i * STEP_SECONDS)
    np.testing.assert_array_equal(boxes, [[0, 0, 352, 192]])
    assert (work.full_searches, work.part_searches) == (2, 1)


def test_after_a_cut_all_is_scanned_at_once() -> None:
    found, work = searched(
        lambda t: 255 - with_faces() if t < 0.5 else with_faces(300), 5, SearchPlan(full_search_seconds=30)
    )
    assert [len(boxes) for boxes in found] == [0, 0, 0, 1, 1]
    assert work.cuts == 1


def test_a_face_that_jumps_is_scanned_for_at_once() -> None:
    found, _ = searched(
        lambda t: with_faces(80 if t < 0.5 else 420), 5, SearchPlan(full_search_seconds=1.2, new_shot_threshold=0)
    )
    assert [len(boxes) for boxes in found] == [1, 1, 1, 1, 1]
    assert found[3][0, 0] > 400


def test_weak_sightings_alone_do_not_keep_a_place_alive() -> None:
    plan = SearchPlan(full_search_seconds=100, keep_lost_seconds=1.0, still_level=0, new_shot_threshold=0)
    search = NetworkSearch(WeakNetwork(), plan, SearchWork())
    picture = with_faces()
    found = [len(search.find(picture, picture, i * STEP_SECONDS)[0]) for i in range(12)]
    assert found == [1] * 7 + [0] * 5


coordinates = st.floats(0, 100, width=32)
boxes = st.builds(
    lambda x, y, w, h, c: Face((x, y, x + w, y + h), c),
    *[coordinates] * 2,
    *[st.floats(1, 100, width=32)] * 2,
    st.floats(0, 1),
)


@given(st.lists(boxes, max_size=12))
def test_no_two_boxes_show_one_face(faces: list[Face]) -> None:
    kept = one_box_a_face(faces)
    assert set(kept) <= set(faces)
    assert bool(kept) == bool(faces)
    for i, one in enumerate(kept):
        for other in kept[i + 1 :]:
            assert not is_same_face(one.box, other.box)
            assert not is_part_of(one.box, other.box)
            assert not is_part_of(other.box, one.box)
    assert one_box_a_face(kept) == kept


def test_of_two_boxes_in_each_other_the_larger_stays_however_unsure() -> None:
    face, mouth, beside = Face((0, 0, 100, 100), 0.4), Face((30, 60, 70, 95), 0.9), Face((80, 0, 180, 100), 0.5)
    assert one_box_a_face([mouth, face, beside]) == [beside, face]
