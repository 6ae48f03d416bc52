"""Finds images that occur in two sets, pixel for pixel."""

from __future__ import annotations

import numpy as np

from fervid.train.data.duplicates import first_copies, has_copy_in

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)


def test_no_images_have_no_copies() -> None:
    assert has_copy_in(IMAGES[:0], IMAGES).shape == (0,)
    assert has_copy_in(IMAGES, IMAGES[:0]).tolist() == [False] * 4


def test_only_equal_pixels_are_a_copy() -> None:
    nearly = IMAGES[1].copy()
    nearly[47, 47] ^= 1
    others = np.stack([IMAGES[2], nearly, IMAGES[0][:, ::-1], IMAGES[2]])
    assert has_copy_in(IMAGES, others).tolist() == [False, False, True, False]
    assert has_copy_in(others, IMAGES).tolist() == [True, False, False, True]


def test_each_image_is_traced_to_the_first_that_equals_it() -> None:
    assert first_copies(IMAGES[:0]).tolist() == []
    assert first_copies(IMAGES[[2, 0, 2, 1, 0, 2]]).tolist() == [0, 1, 0, 3, 1, 0]
