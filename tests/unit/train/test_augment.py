import dataclasses

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.train.data.augment import AugmentStrength, apply_views, draw_views

OFF = AugmentStrength(angle_degrees=0, scale=0, shift_px=0, contrast=0, brightness=0, erase_share=0)
FULL = AugmentStrength()
SIDE_PX = 48


def faces(n: int) -> np.ndarray:
    return draw_dataset(n, 0, 0).images.astype(np.float32) / 255


def seen(images: np.ndarray, views: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(apply_views(images, views))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_views_have_one_row_per_image(n: int) -> None:
    views = draw_views(n, SIDE_PX, FULL, (1, 2))
    assert {key: value.shape for key, value in views.items()} == {
        "matrix": (n, 2, 3),
        "gain": (n,),
        "offset": (n,),
        "erase": (n, 5),
    }
    assert all(value.dtype == np.float32 for value in views.values())


def test_the_same_seed_gives_the_same_views_and_another_step_others() -> None:
    first, again, other = (draw_views(4, SIDE_PX, FULL, seed) for seed in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["matrix"], other["matrix"])


def test_without_strength_an_image_is_itself_or_its_mirror_image() -> None:
    images, views = faces(32), draw_views(32, SIDE_PX, OFF, (0,))
    flipped = views["matrix"][:, 0, 0] < 0
    assert 0 < flipped.sum() < 32
    expected = np.where(flipped[:, None, None], images[:, :, ::-1], images)
    # The last row and column are read at 46.999, so that the fourth tap stays inside.
    np.testing.assert_allclose(seen(images, views), expected, atol=2e-3)


def test_a_shift_moves_the_picture_by_that_many_pixels() -> None:
    images, views = faces(1), draw_views(1, SIDE_PX, OFF, (0,))
    views["matrix"][0] = [[1, 0, 3], [0, 1, 0]]
    np.testing.assert_allclose(seen(images, views)[0, :-1, :40], images[0, :-1, 3:43], atol=1e-5)


def test_zooming_out_widens_the_range_of_scales_on_one_side() -> None:
    strength = AugmentStrength(scale=0.1, zoom_out=0.4, angle_degrees=0.0)
    scales = np.log(np.abs(draw_views(2000, 48, strength, (1,))["matrix"][:, 0, 0]))
    assert scales.min() == pytest.approx(-0.1, abs=0.01)
    assert scales.max() == pytest.approx(0.5, abs=0.01)


def test_gain_keeps_the_mean_and_offset_moves_it() -> None:
    images = 0.4 + 0.2 * faces(2)
    views = draw_views(2, SIDE_PX, OFF, (0,))
    views["gain"], views["offset"] = np.array([0.5, 1.0], np.float32), np.array([0.0, 0.1], np.float32)
    result = seen(images, views)
    np.testing.assert_allclose(result.mean(axis=(1, 2)), images.mean(axis=(1, 2)) + np.array([0.0, 0.1]), atol=1e-3)
    np.testing.assert_allclose(result.std(axis=(1, 2)), images.std(axis=(1, 2)) * np.array([0.5, 1.0]), atol=1e-3)


def test_an_erased_rectangle_holds_its_value_and_nothing_else_changes() -> None:
    images, views = np.full((1, SIDE_PX, SIDE_PX), 0.5, np.float32), draw_views(1, SIDE_PX, OFF, (0,))
    views["erase"] = np.array([[4, 8, 14, 20, 0.9]], np.float32)
    result = seen(images, views)[0]
    np.testing.assert_allclose(result[8:20, 4:14], 0.9, atol=1e-6)
    assert np.isclose(result, 0.9, atol=1e-6).sum() == 12 * 10


def test_views_of_full_strength_stay_within_their_bounds() -> None:
    views = draw_views(2000, SIDE_PX, FULL, (9,))
    linear = views["matrix"][:, :, :2]
    area = np.abs(np.linalg.det(linear))
    assert np.exp(-2 * FULL.scale) - 1e-4 <= area.min() < area.max() <= np.exp(2 * FULL.scale) + 1e-4
    erased = views["erase"][:, 2] > views["erase"][:, 0]
    assert erased.mean() == pytest.approx(FULL.erase_share, abs=0.05)
    assert views["erase"][:, :4].min() >= 0
    assert views["erase"][:, :4].max() <= SIDE_PX
    result = seen(faces(64), draw_views(64, SIDE_PX, FULL, (3,)))
    assert result.shape == (64, SIDE_PX, SIDE_PX)
    assert 0 <= result.min() < result.max() <= 1


def test_degradations_leave_the_geometry_as_it_was() -> None:
    degraded = dataclasses.replace(FULL, blur_share=0.5, noise_share=0.5)
    plain, more = (draw_views(8, SIDE_PX, strength, (1, 2)) for strength in (FULL, degraded))
    assert set(more) - set(plain) == {"blur", "noise"}
    assert all(np.array_equal(plain[key], more[key]) for key in ("matrix", "erase"))


def test_blur_spreads_a_point_evenly_and_keeps_its_sum_for_its_share_of_images() -> None:
    point = np.zeros((400, SIDE_PX, SIDE_PX), np.float32)
    point[:, 20, 30] = 1
    views = draw_views(400, SIDE_PX, dataclasses.replace(OFF, blur_share=0.25), (0,))
    views["matrix"][:] = [[1, 0, 0], [0, 1, 0]]
    result = seen(point, views)
    np.testing.assert_allclose(result.sum(axis=(1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(result[:, 19, 30], result[:, 20, 29], atol=1e-6)
    np.testing.assert_allclose(result[:, 17, 30], result[:, 23, 30], atol=1e-6)
    share = (result[:, 20, 30] < 0.99).mean()
    assert 0.18 < share < 0.32


def test_noise_falls_on_its_share_of_images_within_its_strength() -> None:
    grey = np.full((400, SIDE_PX, SIDE_PX), 0.5, np.float32)
    result = seen(grey, draw_views(400, SIDE_PX, dataclasses.replace(OFF, noise_share=0.25), (0,)))
    spread = result.std(axis=(1, 2))
    assert 0.18 < (spread > 1e-6).mean() < 0.32
    assert spread.max() < OFF.noise * 1.1
