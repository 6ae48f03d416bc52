"""How the image moves: measured on images whose motion is known."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.opencv import cv2
from fervid.observe.flow import FlowWatch
from fervid.observe.flow_values import GRID, N_VALUES, STATISTICS

WIDE, HIGH = 320, 180


def still(seed: int = 0) -> np.ndarray:
    """A textured image, larger than what is shown of it: uint8 (2 HIGH, 2 WIDE)."""
    rng = np.random.default_rng(seed)
    image = np.full((2 * HIGH, 2 * WIDE), 128, np.float32)
    for cell_px, contrast in ((90, 60), (18, 30)):
        coarse = rng.uniform(-contrast, contrast, (2 * HIGH // cell_px, 2 * WIDE // cell_px)).astype(np.float32)
        image += cv2.resize(coarse, (2 * WIDE, 2 * HIGH), interpolation=cv2.INTER_CUBIC)
    return image.clip(0, 255).astype(np.uint8)


def view(image: np.ndarray, x: float, y: float, *, zoom: float = 1.0, degrees: float = 0.0) -> np.ndarray:
    """What a camera shows of an image around its middle, moved by x and y pixels, turned and zoomed in."""
    matrix = cv2.getRotationMatrix2D((WIDE + x, HIGH + y), degrees, zoom)
    matrix[:, 2] += np.array([-WIDE / 2 - x, -HIGH / 2 - y])
    return cv2.warpAffine(image, matrix, (WIDE, HIGH), flags=cv2.INTER_LINEAR)


def measured(images: list[np.ndarray], *, fps: float = 5.0, threshold: float = 0.3) -> list[np.ndarray]:
    watch = FlowWatch(new_shot_threshold=threshold)
    return [watch.measure(image, i / fps) for i, image in enumerate(images)]


def value(row: np.ndarray, name: str) -> float:
    return float(row[STATISTICS.index(name)])


def test_nothing_moves() -> None:
    first, second, third = measured([view(still(), 0, 0)] * 3)
    assert first.shape == (0,)
    assert second.shape == third.shape == (N_VALUES,)
    assert max(value(third, name) for name in ("speed", "camera_speed", "faster_0.03", "change", "acceleration")) < 1e-6


@pytest.mark.parametrize(
    "moves",
    [
        lambda i: {"x": 6 * i, "y": 2 * i},
        lambda i: {"x": 0, "y": 0, "zoom": 1.03**i},
        lambda i: {"x": 0, "y": 0, "degrees": 2 * i},
    ],
    ids=["pan", "zoom", "turn"],
)
def test_the_motion_of_the_camera_is_told_apart(moves: object) -> None:
    image = still()
    rows = measured([view(image, **moves(i)) for i in range(6)])  # type: ignore[operator]
    for row in rows[2:]:
        assert value(row, "camera_speed") > 0.03
        assert value(row, "camera_share") > 0.7


def test_the_speed_of_a_pan_is_in_sides_per_second() -> None:
    image = still()
    rows = measured([view(image, 8 * i, 0) for i in range(5)])
    assert value(rows[-1], "camera_speed") == pytest.approx(8 * 5 / WIDE, rel=0.1)
    assert value(rows[-1], "speed") < 0.01  # the same shift of all places is taken away


def moving_corner() -> list[np.ndarray]:
    """Five images of a still scene whose upper left corner moves."""
    image, other = view(still(), 0, 0), still(1)
    images = []
    for i in range(5):
        moved = image.copy()
        moved[:60, :80] = view(other, 10 * i, 0)[:60, :80]
        images.append(moved)
    return images


def test_what_moves_before_the_camera_is_found_where_it_is() -> None:
    images = moving_corner()
    row = measured(images)[-1]
    grid = row[len(STATISTICS) :].reshape(GRID[::-1])
    assert value(row, "camera_speed") < 0.01
    assert grid[0, 0] == pytest.approx(10 * 5 / WIDE, rel=0.4)
    assert grid[2:, 3:].max() < 0.01
    assert value(row, "faster_0.03") == pytest.approx(60 * 80 / (WIDE * HIGH), abs=0.06)


def test_disorder_is_larger_than_that_of_one_direction() -> None:
    image, rng = still(), np.random.default_rng(3)
    background = view(image, 0, 0)

    def scene(shift: np.ndarray) -> np.ndarray:
        shown = background.copy()
        for k in range(4):
            shown[60:120, 60 + 40 * k : 100 + 40 * k] = view(still(9), *shift[k])[60:120, 60 + 40 * k : 100 + 40 * k]
        return shown

    orderly = measured([scene(np.tile([6.0 * i, 0.0], (4, 1))) for i in range(6)])[-1]
    wild = measured([scene(rng.uniform(-8, 8, (4, 2))) for _ in range(6)])[-1]
    for name in ("acceleration", "relative_acceleration"):
        assert value(wild, name) > 1.5 * value(orderly, name), name
    assert value(wild, "entropy") > value(orderly, "entropy")


@pytest.mark.parametrize("shape", [(1, 1), (9, 16), (1, 400), (7, 1920), (24, 24), (50, 50), (144, 176), (3000, 300)])
def test_images_of_every_shape_pass(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    # As the decoder gives them: part of a wider image.
    rows = measured([rng.integers(0, 255, (shape[0], shape[1] + 5), np.uint8)[:, :-5] for _ in range(4)], threshold=0)
    is_large = (min(shape) >= 24 and max(shape) < 3000) or shape == (3000, 300)
    assert [len(row) for row in rows] == [0, *[N_VALUES if is_large else 0] * 3]
    assert all(np.isfinite(row).all() for row in rows[2:])


def test_nothing_is_measured_across_a_cut_or_a_long_gap() -> None:
    one, other = view(still(), 0, 0), 255 - view(still(5), 0, 0)
    rows = measured([one, one, other, other])
    assert [len(row) for row in rows] == [0, N_VALUES, 0, N_VALUES]
    assert [len(row) for row in measured([one, one], fps=1.0)] == [0, 0]
    assert [len(row) for row in measured([one, one[:90], one])] == [0, 0, 0]


def test_denser_frames_are_compared_at_the_same_distance() -> None:
    image = still()
    sparse = measured([view(image, 8 * i, 0) for i in range(6)])
    dense = measured([view(image, 4 * i, 0) for i in range(11)], fps=10.0)
    assert [len(row) > 0 for row in dense] == [False, *([False, True] * 5)]
    assert value(dense[-1], "camera_speed") == pytest.approx(value(sparse[-1], "camera_speed"), rel=0.05)


def test_a_frame_that_was_asked_about_is_measured_once() -> None:
    images = moving_corner()
    watch, plain = FlowWatch(new_shot_threshold=0.3, fast_from=0.1), FlowWatch(new_shot_threshold=0.3)
    for i, each in enumerate(images):
        assert watch.is_fast(each, i / 5) == (i > 0)
        np.testing.assert_array_equal(watch.measure(each, i / 5), plain.measure(each, i / 5))
    assert not plain.is_fast(images[0], 2.0)
    assert not FlowWatch(new_shot_threshold=0.3, fast_from=10.0).is_fast(images[0], 0.0)
