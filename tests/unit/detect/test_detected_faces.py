"""A handful of faces as plain numbers says what the arrays of boxes say."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.geometry import iou_matrix
from fervid.detect.faces import SAME_FACE_IOU, Box, Face, is_same_face, one_box_a_face
from fervid.detect.motion import changed_cells


def test_one_face_is_where_boxes_overlap_by_more_than_the_limit() -> None:
    corners = np.random.default_rng(0).uniform(0, 60, (200, 2))
    boxes = np.concatenate([corners, corners + np.random.default_rng(1).uniform(10, 40, (200, 2))], axis=1)
    listed: list[Box] = [tuple(box) for box in boxes.tolist()]
    same = [[is_same_face(one, other) for other in listed] for one in listed]
    expected = iou_matrix(boxes, boxes) > SAME_FACE_IOU
    assert 200 < expected.sum() < 200 * 200
    np.testing.assert_array_equal(same, expected)


@pytest.mark.parametrize("other", [(10, 0, 20, 10), (0, 10, 10, 20), (30, 30, 40, 40), (5, 5, 5, 5)])
def test_boxes_that_only_touch_are_not_one_face(other: Box) -> None:
    assert not is_same_face((0, 0, 10, 10), other)
    assert not is_same_face(other, (0, 0, 10, 10))


def test_of_each_face_the_surest_box_stays_the_surest_first() -> None:
    left, beside_left, right = (0.0, 0.0, 10.0, 10.0), (1.0, 0.0, 11.0, 10.0), (50.0, 0.0, 60.0, 10.0)
    faces = [Face(left, 0.4), Face(right, 0.6), Face(beside_left, 0.9)]
    assert one_box_a_face(faces) == [Face(beside_left, 0.9), Face(right, 0.6)]
    assert one_box_a_face(faces[::-1]) == one_box_a_face(faces)
    assert one_box_a_face([]) == []


def test_of_equally_sure_boxes_the_leftmost_stays() -> None:
    boxes = [(1.0, 0.0, 11.0, 10.0), (0.0, 0.0, 10.0, 10.0), (0.5, 0.0, 10.5, 10.0)]
    assert one_box_a_face([Face(box, 0.5) for box in boxes]) == [Face((0.0, 0.0, 10.0, 10.0), 0.5)]


def test_where_there_are_no_cells_nothing_changed() -> None:
    nothing = np.zeros((0, 4), np.uint8)
    assert changed_cells(nothing, nothing, level=8.0).shape == (0, 4)
