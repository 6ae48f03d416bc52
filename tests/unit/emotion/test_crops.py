"""From boxes to crops: edges, margins, ranges and quality."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.emotion.crops import LIMITED_TO_FULL_RANGE, as_network_input, crop_faces, crop_quality, make_crop

GRAY = np.arange(100, dtype=np.uint8).reshape(10, 10)
NONE = np.zeros((0, 4), np.float32)


def crop(box: tuple[float, float, float, float], *, side_px: int = 4, margin: float = 0.0) -> np.ndarray:
    boxes = np.array([box], np.float32)
    return crop_faces(GRAY, boxes, side_px=side_px, margin=margin, is_full_range=True)[0]


def with_repeated_edges(box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = (side + 50 for side in box)
    return np.pad(GRAY, 50, mode="edge")[y0:y1, x0:x1]


def test_a_narrow_box_is_widened_around_its_middle_to_the_shape_that_the_detector_names() -> None:
    boxes, square = np.array([(4, 2, 6, 6)], np.float32), np.array([(3, 2, 7, 6)], np.float32)
    for margin in (0.0, 0.25):
        given = {"side_px": 8, "margin": margin, "is_full_range": True}
        widened = crop_faces(GRAY, boxes, box_shape=0.5, **given)  # type: ignore[arg-type]
        np.testing.assert_array_equal(widened, crop_faces(GRAY, square, **given))  # type: ignore[arg-type]


def test_no_boxes_give_no_crops() -> None:
    crops = crop_faces(GRAY, NONE, side_px=48, margin=0.1, is_full_range=False)
    assert (crops.shape, crops.dtype) == ((0, 48, 48), np.uint8)
    quality = crop_quality(crops, NONE)
    assert (quality.shape, quality.dtype) == ((0,), np.float32)


def test_a_box_of_the_side_of_the_crop_is_copied_pixel_by_pixel() -> None:
    np.testing.assert_array_equal(crop((2, 3, 6, 7)), GRAY[3:7, 2:6])


def test_the_maximum_of_a_box_is_exclusive() -> None:
    np.testing.assert_array_equal(crop((6, 6, 10, 10)), GRAY[6:, 6:])


@pytest.mark.parametrize(
    "box",
    [
        (-2, 3, 2, 7),
        (3, -1, 7, 3),
        (8, 3, 12, 7),
        (3, 9, 7, 13),
        (-3, -3, 1, 1),
        (9, -2, 13, 2),
        (9, 9, 13, 13),
        (-1, 9, 3, 13),
    ],
)
def test_edge_pixels_are_repeated_where_a_box_leaves_the_frame(box: tuple[int, int, int, int]) -> None:
    np.testing.assert_array_equal(crop(box), with_repeated_edges(box))


@pytest.mark.parametrize("box", [(-10, 3, -6, 7), (3, -9, 7, -5), (10, 3, 14, 7), (3, 20, 7, 24), (-9, -9, -5, -5)])
def test_a_box_wholly_outside_the_frame_takes_the_nearest_edge(box: tuple[int, int, int, int]) -> None:
    np.testing.assert_array_equal(crop(box), with_repeated_edges(box))


def test_a_box_larger_than_the_frame_holds_all_of_it() -> None:
    np.testing.assert_array_equal(crop((-5, -5, 15, 15), side_px=20), with_repeated_edges((-5, -5, 15, 15)))


@pytest.mark.parametrize(
    ("box", "value"),
    [
        ((3, 4, 4, 5), 43),
        ((3, 3, 3, 3), 33),  # an empty box counts as one pixel
        ((9.6, 3, 9.9, 4), 39),
        ((-0.4, -0.4, 0.4, 0.4), 0),
        ((9, 9, 10, 10), 99),
    ],
)
def test_a_box_of_one_pixel_fills_its_crop(box: tuple[float, float, float, float], value: int) -> None:
    np.testing.assert_array_equal(crop(box), np.full((4, 4), value))


def test_a_margin_takes_in_the_surroundings() -> None:
    np.testing.assert_array_equal(crop((4, 4, 6, 6), margin=0.5), GRAY[3:7, 3:7])
    np.testing.assert_array_equal(crop((0, 0, 2, 2), margin=0.5), with_repeated_edges((-1, -1, 3, 3)))


def test_crops_come_in_the_order_of_the_boxes() -> None:
    boxes = np.array([(6, 6, 10, 10), (0, 0, 4, 4)], np.float32)
    crops = crop_faces(GRAY, boxes, side_px=4, margin=0.0, is_full_range=True)
    assert crops[:, 0, 0].tolist() == [66, 0]


def test_shrinking_averages_and_enlarging_interpolates() -> None:
    checked = np.kron([[0, 100], [100, 0]], np.ones((2, 2))).astype(np.uint8)
    assert make_crop(checked, 1, is_full_range=True).tolist() == [[50]]
    enlarged = make_crop(np.array([[0, 100]], np.uint8), 4, is_full_range=True)
    assert enlarged.tolist() == [[0, 25, 75, 100]] * 4


@pytest.mark.parametrize(
    ("value", "expected"), [(16, 0), (235, 255), (0, 0), (255, 255), (126, 128), (17, 1), (100, 98)]
)
def test_limited_range_is_stretched_to_full_range(value: int, expected: int) -> None:
    patch = np.full((4, 4), value, np.uint8)
    assert make_crop(patch, 4, is_full_range=False).tolist() == [[expected] * 4] * 4
    assert make_crop(patch, 4, is_full_range=True).tolist() == [[value] * 4] * 4


def test_stretching_keeps_the_order_of_levels() -> None:
    assert (np.diff(LIMITED_TO_FULL_RANGE.astype(int)) >= 0).all()


def test_the_frame_itself_is_left_alone() -> None:
    gray = GRAY.copy()
    gray.flags.writeable = False
    crop_faces(gray, np.array([(-2, 0, 8, 10), (2, 2, 6, 6)], np.float32), side_px=4, margin=0.2, is_full_range=False)
    np.testing.assert_array_equal(gray, GRAY)


@pytest.mark.parametrize(
    ("low", "high", "width", "height", "expected"),
    [
        (90, 90, 48, 48, 0.0),  # flat
        (0, 64, 48, 48, 1.0),  # a standard deviation of 32
        (0, 32, 48, 48, 0.5),
        (0, 255, 48, 48, 1.0),
        (0, 64, 24, 48, 0.5),  # half the pixels of a crop along its shorter side
        (0, 64, 48, 12, 0.25),
        (0, 64, 300, 300, 1.0),
        (0, 32, 24, 24, 0.25),
        (0, 64, 0, 0, 0.0),
    ],
)
def test_quality_is_size_times_contrast(low: int, high: int, width: int, height: int, expected: float) -> None:
    halves = np.full((1, 48, 48), low, np.uint8)
    halves[:, :, 24:] = high
    quality = crop_quality(halves, np.array([(10, 10, 10 + width, 10 + height)], np.float32))
    assert quality.dtype == np.float32
    assert quality.tolist() == [expected]


def test_quality_stays_between_zero_and_one() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-50, 300, (200, 4)).astype(np.float32)
    quality = crop_quality(rng.integers(0, 256, (200, 8, 8)).astype(np.uint8), corners)
    assert quality.min() == 0.0
    assert quality.max() == 1.0


def test_networks_take_levels_from_zero_to_one() -> None:
    levels = np.array([[[0, 51], [204, 255]]], np.uint8)
    taken = as_network_input(levels)
    assert (taken.shape, taken.dtype) == ((1, 2, 2, 1), np.float32)
    np.testing.assert_allclose(taken.ravel(), [0, 0.2, 0.8, 1])
    assert as_network_input(levels[:0]).shape == (0, 2, 2, 1)
