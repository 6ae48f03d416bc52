"""Covered faces: where, when and how thoroughly."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.alerts.blur import BLOCKS, FaceCovers, cover, find_faces_to_cover
from synthetic import FACE_PX, moving_face

NOISE = np.random.default_rng(1).integers(0, 256, (200, 300, 3)).astype(np.uint8)


def box(left: float) -> np.ndarray:
    return np.array([left, 50.0, left + 40, 90.0])


TRACK = (np.array([1.0, 2.0, 5.0]), np.stack([box(0), box(100), box(200)]))


@pytest.mark.parametrize(
    ("seconds", "lefts"),
    [
        (0.3, []),
        (0.5, [0]),  # kept before it is first seen
        (1.5, [50, 0, 100]),  # between two samples it moves evenly; their own boxes stay covered too
        (2.5, [100]),
        (3.5, []),  # three seconds apart: nobody knows where it was
        (5.6, [200]),
        (5.7, []),
    ],
)
def test_stored_faces_are_carried_on_between_their_samples(seconds: float, lefts: list[float]) -> None:
    assert FaceCovers({0: TRACK}).at(seconds)[:, 0].tolist() == lefts


def test_what_a_search_finds_is_kept_for_a_while() -> None:
    covers = FaceCovers(found=[(1.0, box(10)[None]), (2.0, np.zeros((0, 4))), (3.0, box(30)[None])])
    assert [len(covers.at(t)) for t in (0.3, 0.5, 1.5, 1.7, 2.5, 3.5)] == [0, 1, 1, 0, 1, 1]


def test_spared_faces_stay_open_whoever_found_them() -> None:
    others = np.stack([box(2), box(150)])
    covers = FaceCovers({0: TRACK, 1: (TRACK[0], TRACK[1] + 150)}, [(1.0, others)], spared=frozenset({0}))
    assert sorted(covers.at(1.0)[:, 0].tolist()) == [150, 150]


def test_a_covered_face_is_a_few_flat_blocks_and_the_rest_stays() -> None:
    covered = cover(NOISE, np.array([[100, 60, 150, 110]]))
    inside = covered[45:125, 85:165]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) == BLOCKS**2
    outside = np.ones(NOISE.shape[:2], bool)
    outside[45:125, 85:165] = False
    np.testing.assert_array_equal(covered[outside], NOISE[outside])
    assert (covered[:, :, 0] != NOISE[:, :, 0]).any()


def test_a_small_box_within_a_face_shows_nothing_finer() -> None:
    large, small = [50, 40, 150, 140], [90, 80, 100, 90]
    np.testing.assert_array_equal(cover(NOISE, np.array([large, small])), cover(NOISE, np.array([large])))
    np.testing.assert_array_equal(cover(NOISE, np.array([small, large])), cover(NOISE, np.array([large])))


@pytest.mark.parametrize("boxes", [[], [[-50, -50, -20, -20]], [[400, 10, 500, 60]]])
def test_boxes_outside_the_picture_change_nothing(boxes: list[list[float]]) -> None:
    np.testing.assert_array_equal(cover(NOISE, boxes), NOISE)


def test_a_box_at_the_edge_is_covered_up_to_it() -> None:
    covered = cover(NOISE, [[-10, -10, 40, 40], [280, 180, 320, 220]])
    assert len(np.unique(covered[:50, :50].reshape(-1, 3), axis=0)) <= BLOCKS**2 + 2
    assert (covered[-1, -5:] != NOISE[-1, -5:]).any()


def test_the_search_finds_a_portrait_wherever_it_moves() -> None:
    pictures = [(t, np.repeat(moving_face(t)[..., None], 3, axis=2)) for t in (0.0, 0.05, 1.5, 3.0)]
    found = find_faces_to_cover(pictures)
    assert [seconds for seconds, _ in found] == [0.0, 1.5, 3.0]  # one every fifth of a second
    for seconds, boxes in found:
        middle = 85 + 60 * np.sin(seconds) + 75
        assert any(abs((x0 + x1) / 2 - middle) < FACE_PX / 4 and x1 - x0 > FACE_PX / 2 for x0, _, x1, _ in boxes)
