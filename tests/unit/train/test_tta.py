"""Views of faces at test time, and the mean of their logits."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.emotion.crops import make_crop
from fervid.errors import ConfigError
from fervid.train.evaluate.tta import Tta, make_views, mean_logits

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)


@pytest.mark.parametrize(("tta", "n_views"), [("none", 1), ("flip", 2), ("ten-crop", 10)])
@pytest.mark.parametrize("n_faces", [0, 1, 3])
def test_each_view_has_the_shape_of_the_faces(tta: Tta, n_views: int, n_faces: int) -> None:
    views = list(make_views(FACES[:n_faces], tta))
    assert [(view.shape, view.dtype) for view in views] == [((n_faces, 48, 48), np.uint8)] * n_views


def test_no_augmentation_is_the_faces_and_a_flip_their_mirror_image() -> None:
    assert np.array_equal(next(make_views(FACES, "none")), FACES)
    plain, mirrored = make_views(FACES, "flip")
    assert np.array_equal(plain, FACES)
    assert np.array_equal(mirrored[:, :, ::-1], FACES)


def test_ten_crops_are_the_corners_and_the_centre_each_with_its_mirror_image() -> None:
    views = list(make_views(FACES, "ten-crop"))
    for (y, x), view, mirrored in zip(((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)), views[::2], views[1::2], strict=True):
        crop = np.ascontiguousarray(FACES[1, y : y + 44, x : x + 44])
        assert np.array_equal(view[1], make_crop(crop, 48, is_full_range=True))
        assert np.array_equal(mirrored[:, :, ::-1], view)


def test_faces_are_left_as_they_were() -> None:
    before = FACES.copy()
    for tta in ("none", "flip", "ten-crop"):
        list(make_views(FACES, tta))
    assert np.array_equal(FACES, before)


def test_an_unknown_augmentation_is_named() -> None:
    with pytest.raises(ConfigError, match="'five-crop' does not exist. Use one of none, flip, ten-crop"):
        list(make_views(FACES, "five-crop"))  # type: ignore[arg-type]


def left_half_and_right_half(faces: np.ndarray) -> np.ndarray:
    return np.stack([faces[:, :, :24].mean(axis=(1, 2)), faces[:, :, 24:].mean(axis=(1, 2))], axis=1)


def test_logits_are_averaged_over_the_views() -> None:
    one = left_half_and_right_half(FACES)
    assert np.array_equal(mean_logits(left_half_and_right_half, FACES, "none"), one)
    np.testing.assert_allclose(
        mean_logits(left_half_and_right_half, FACES, "flip"), np.repeat(one.mean(axis=1, keepdims=True), 2, axis=1)
    )
    ten = mean_logits(left_half_and_right_half, FACES, "ten-crop")
    assert ten.dtype == np.float32
    np.testing.assert_allclose(ten[:, 0], ten[:, 1], rtol=1e-6)
    assert mean_logits(left_half_and_right_half, FACES[:0], "ten-crop").shape == (0, 2)
