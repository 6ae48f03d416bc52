"""Covered faces: where, when and how thoroughly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fervid.privacy.covers import FaceCovers
from fervid.privacy.mosaic import BLOCKS, ELLIPSE, CoveredArea, cover, cover_in_place, cover_mask
from fervid.privacy.search import SEARCH_EVERY_SECONDS, CoverSearch, FaceSearch
from synthetic import FACE_PX, moving_face

NOISE = np.random.default_rng(1).integers(0, 256, (200, 300, 3)).astype(np.uint8)
FACE = [100.0, 60.0, 150.0, 120.0]


def box(left: float) -> np.ndarray:
    return np.array([left, 50.0, left + 40, 90.0])


TRACK = (np.array([1.0, 2.0, 5.0]), np.stack([box(0), box(100), box(200)]))


@pytest.mark.parametrize(
    ("seconds", "lefts"),
    [
        (0.4, []),
        (0.6, [0]),  # held before it is first seen
        (1.0, [0]),
        (1.5, [50]),  # between two sightings it moves evenly
        (2.4, [100]),
        (3.5, []),  # three seconds apart: nobody knows where it was
        (5.5, [200]),
        (5.6, []),
    ],
)
def test_stored_faces_are_carried_on_between_their_samples(seconds: float, lefts: list[float]) -> None:
    assert FaceCovers({0: TRACK}).at(seconds)[:, 0].tolist() == lefts


def test_nothing_is_carried_through_a_cut() -> None:
    covers = FaceCovers({0: TRACK})
    covers.add_cut(1.4)
    assert [covers.at(t)[:, 0].tolist() for t in (1.3, 1.39, 1.4, 1.49, 1.6)] == [[0], [0], [], [], [100]]


def test_finds_of_one_face_are_joined_and_a_new_one_is_held() -> None:
    covers = FaceCovers()
    covers.add(1.0, box(10)[None])
    covers.add(1.5, np.stack([box(200), box(20)]))
    covers.add(2.0, np.zeros((0, 4)))
    covers.add(2.5, box(40)[None])
    assert covers.at(0.5)[:, 0].tolist() == [10]
    assert sorted(covers.at(1.25)[:, 0].tolist()) == [15, 200]
    assert sorted(covers.at(2.25)[:, 0].tolist()) == pytest.approx([35])  # found again: filled in between
    assert covers.at(3.1).shape == (0, 4)


def test_finds_in_two_shots_are_two_faces() -> None:
    covers = FaceCovers()
    covers.add(1.0, box(10)[None])
    covers.add_cut(1.4)
    covers.add(1.4, box(30)[None])
    assert [covers.at(t)[:, 0].tolist() for t in (1.3, 1.4)] == [[10], [30]]


def test_spared_faces_stay_open_whoever_found_them() -> None:
    covers = FaceCovers({0: TRACK, 1: (TRACK[0], TRACK[1] + 150)}, spared=frozenset({0}))
    covers.add(1.0, np.stack([box(2), box(150)]))
    assert sorted(covers.at(1.0)[:, 0].tolist()) == [150, 150]


def test_covers_do_not_depend_on_how_long_a_video_is() -> None:
    times = np.arange(0, 4000, 0.2)
    covers = FaceCovers({7: (times, np.tile(box(50), (len(times), 1)))})
    assert covers.at(3777.77)[:, 0].tolist() == [50]


def test_a_cover_is_an_ellipse_of_flat_blocks_and_the_rest_stays() -> None:
    area = CoveredArea()
    covered, mask = cover(NOISE, [FACE], area), cover_mask(np.array([FACE]), *NOISE.shape[:2])
    np.testing.assert_array_equal(covered[~mask], NOISE[~mask])
    assert 2 < len(np.unique(covered[mask], axis=0)) <= BLOCKS * round(BLOCKS * 60 / 50 + 1)
    wanted = np.pi / 4 * ELLIPSE**2 * 50 * 60
    assert mask.sum() == pytest.approx(wanted, rel=0.02)
    assert area.share == mask.sum() / mask.size
    assert mask[61:119, 125].all()
    assert mask[90, 101:149].all()
    assert not mask[55, 95]  # beyond a corner the scene is left


def test_blocks_of_a_large_cover_are_about_the_mean_of_what_they_hide() -> None:
    slope = np.repeat(np.add.outer(np.arange(400) // 4, np.arange(500) // 4).astype(np.uint8)[..., None], 3, axis=2)
    slope[150:250, 200:300] += 20
    face = np.array([150.0, 80.0, 350.0, 320.0])
    covered, mask = cover(slope, [face]), cover_mask(face[None], *slope.shape[:2])
    blocks = np.unique(covered[mask][:, 0])
    for level in blocks[:: len(blocks) // 6]:
        block = mask & (covered[..., 0] == level)
        y, x = np.nonzero(block)
        if len(y) >= (y.max() - y.min() + 1) * (x.max() - x.min() + 1):  # whole, so the mean is of what is seen
            assert abs(float(slope[block].mean()) - float(level)) < 2.5


def test_a_small_box_within_a_face_shows_nothing_finer() -> None:
    small = [120.0, 80.0, 130.0, 90.0]
    np.testing.assert_array_equal(cover(NOISE, [FACE, small]), cover(NOISE, [FACE]))
    np.testing.assert_array_equal(cover(NOISE, [small, FACE]), cover(NOISE, [FACE]))


def test_what_cannot_be_drawn_into_is_refused_and_not_left_open() -> None:
    image = NOISE.copy()
    cover_in_place(image, [FACE])
    np.testing.assert_array_equal(image, cover(NOISE, [FACE]))
    for unfit in (NOISE[:, ::-1], np.frombuffer(NOISE.tobytes(), np.uint8).reshape(NOISE.shape)):
        with pytest.raises(ValueError, match="can be covered only in an image"):
            cover_in_place(unfit, [FACE])
    np.testing.assert_array_equal(cover(NOISE[:, ::-1], []), NOISE[:, ::-1])


@pytest.mark.parametrize("boxes", [[], [[-50, -50, -30, -30]], [[400, 10, 440, 60]]])
def test_boxes_outside_the_image_change_nothing(boxes: list[list[float]]) -> None:
    np.testing.assert_array_equal(cover(NOISE, boxes), NOISE)


def test_a_box_at_the_edge_is_covered_up_to_it() -> None:
    mask = cover_mask(np.array([[-10, -10, 40, 40], [280, 180, 320, 220]], float), *NOISE.shape[:2])
    assert mask[0, 0]
    assert mask[-1, -1]
    assert (cover(NOISE, [[-10, -10, 40, 40]])[:20, :20] != NOISE[:20, :20]).any()


def test_the_search_follows_a_portrait_and_searches_no_more_than_it_must() -> None:
    covers = FaceCovers()
    search = CoverSearch(covers)
    times = np.arange(0, 3, 0.1)
    for seconds in times:
        search.see(float(seconds), moving_face(float(seconds)))
    assert search.n_searched == 3 / SEARCH_EVERY_SECONDS
    for seconds in times:
        (found,) = covers.at(float(seconds))
        middle = 85 + 60 * np.sin(seconds) + 75
        assert abs((found[0] + found[2]) / 2 - middle) < FACE_PX / 4
        assert FACE_PX / 2 < found[2] - found[0] < 1.5 * FACE_PX


def test_an_image_that_does_not_change_is_searched_once() -> None:
    covers = FaceCovers()
    search, image = CoverSearch(covers), moving_face(0.0)
    for seconds in np.arange(0, 4, 0.25):
        search.see(float(seconds), image)
    assert search.n_searched == 1
    assert len(covers.at(3.9)) == 1


class CountingSearch(FaceSearch):
    """Keeps what was searched. Surer than the search for covers, whose weak finds at a border are searched again."""

    def __init__(self) -> None:
        super().__init__(score_threshold=0.3)
        self.bounds: list[tuple[float, ...]] = []

    def search_around(
        self, bounds: tuple[float, float, float, float], image: np.ndarray, pixel_aspect: Fraction | float = 1
    ) -> tuple[np.ndarray, tuple[float, float, float, float]]:
        found, searched = super().search_around(bounds, image, pixel_aspect)
        self.bounds.append(searched)
        return found, searched


def test_only_what_changed_is_searched_again_and_the_rest_keeps_its_covers() -> None:
    covers, still = FaceCovers(), moving_face(0.0)
    wide = np.hstack([still, np.full((still.shape[0], 2 * still.shape[1]), 120, np.uint8)])
    searching = CountingSearch()
    search = CoverSearch(covers, searching)
    for i in range(8):
        image = wide.copy()
        image[40:60, wide.shape[1] - 60 - 4 * i : wide.shape[1] - 40 - 4 * i] = 250
        search.see(0.3 * i, image)
    (first, *rest) = searching.bounds
    assert first == (0, 0, 1, 1)
    assert rest
    assert all(left > 0.4 for left, *_ in rest), rest
    assert len(covers.at(2.1)) == 1


def test_a_face_that_comes_is_searched_for_where_it_came() -> None:
    covers, still = FaceCovers(), moving_face(0.0)
    empty = np.full_like(still, int(np.median(still)))
    search = CoverSearch(covers, CountingSearch())
    for i in range(4):
        search.see(0.3 * i, np.hstack([empty, empty, still if i > 1 else empty]))
    (found,) = covers.at(0.9)
    assert found[0] > 2 * still.shape[1]


def test_colour_and_gray_and_pixels_that_are_not_square_give_the_same_face() -> None:
    gray, search = moving_face(0.0), FaceSearch()
    (wanted,) = search.search(gray)
    (of_colour,) = search.search(np.repeat(gray[..., None], 3, axis=2))
    (of_narrow,) = search.search(np.ascontiguousarray(gray[:, ::2]), 2)
    assert of_colour == pytest.approx(wanted)
    assert of_narrow * [2, 1, 2, 1] == pytest.approx(wanted, abs=FACE_PX / 8)
