"""Boxes: overlap, margin and clipping, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.geometry import clip_boxes, iou_matrix, pad_boxes

NONE = np.zeros((0, 4), np.float32)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(("a", "b", "shape"), [(NONE, NONE, (0, 0)), (NONE, boxes((0, 0, 1, 1)), (0, 1))])
def test_no_boxes_have_no_overlaps(a: np.ndarray, b: np.ndarray, shape: tuple[int, int]) -> None:
    assert iou_matrix(a, b).shape == shape
    assert iou_matrix(b, a).shape == shape[::-1]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (2, 2, 7, 7), 25 / 100),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # touching: the maximum is exclusive
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((-5, -5, 5, 5), (0, 0, 5, 5), 25 / 100),
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),  # empty boxes overlap with nothing, themselves included
        ((3, 3, 3, 3), (0, 0, 10, 10), 0.0),
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),  # inside out
    ],
)
def test_overlap_is_intersection_over_union(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float], expected: float
) -> None:
    assert iou_matrix(boxes(a), boxes(b))[0, 0] == pytest.approx(expected, abs=1e-12)
    assert iou_matrix(boxes(b), boxes(a))[0, 0] == pytest.approx(expected, abs=1e-12)


def test_the_overlap_matrix_has_a_row_for_each_first_box() -> None:
    a = boxes((0, 0, 10, 10), (100, 100, 110, 110))
    b = boxes((0, 0, 10, 10), (5, 0, 15, 10), (100, 100, 110, 120))
    np.testing.assert_allclose(iou_matrix(a, b), [[1, 1 / 3, 0], [0, 0, 0.5]])


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((10, 20, 30, 60), 0.0, (10, 20, 30, 60)),
        ((10, 20, 30, 60), 0.5, (0, 0, 40, 80)),
        ((0, 0, 10, 10), 1.0, (-10, -10, 20, 20)),
    ],
)
def test_a_margin_grows_a_box_by_a_share_of_each_side(
    box: tuple[float, float, float, float], margin: float, expected: tuple[float, float, float, float]
) -> None:
    grown = pad_boxes(boxes(box), margin, margin)
    assert grown.dtype == np.float32
    np.testing.assert_array_equal(grown, [expected])


def test_no_boxes_stay_no_boxes() -> None:
    assert pad_boxes(NONE, 0.3, 0.3).shape == (0, 4)
    assert clip_boxes(NONE, 100, 50).shape == (0, 4)


def test_boxes_are_cut_to_the_frame() -> None:
    clipped = clip_boxes(boxes((-5, -5, 50, 20), (90, 40, 120, 60), (10, 10, 20, 20)), 100, 50)
    assert clipped.dtype == np.float32
    np.testing.assert_array_equal(clipped, [(0, 0, 50, 20), (90, 40, 100, 50), (10, 10, 20, 20)])
