"""The mean over a crop and its mirror image, for any classifier."""

from __future__ import annotations

import numpy as np

from fervid.emotion.flip import MirrorAverage
from fervid.train.evaluate.tta import mean_logits


class LeftAndRight:
    """Two logits a face: the level at its left and at its right edge. Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, crops: np.ndarray) -> np.ndarray:
        self.calls += 1
        return crops[:, 0, [0, -1]].astype(np.float32) / np.float32(7)


CROPS = np.random.default_rng(0).integers(0, 256, (9, 6, 6), dtype=np.uint8)


def test_no_face_gives_no_logits() -> None:
    found = MirrorAverage(LeftAndRight()).predict(CROPS[:0])
    assert (found.shape, found.dtype) == ((0, 2), np.float32)


def test_a_face_and_its_mirror_image_score_the_same() -> None:
    classifier = LeftAndRight()
    found = MirrorAverage(classifier).predict(CROPS)
    assert classifier.calls == 1
    np.testing.assert_array_equal(found, MirrorAverage(LeftAndRight()).predict(CROPS[:, :, ::-1]))
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert found.dtype == np.float32


def test_analysis_and_evaluation_average_alike_to_the_last_bit() -> None:
    found = MirrorAverage(LeftAndRight()).predict(CROPS)
    np.testing.assert_array_equal(found, mean_logits(LeftAndRight().predict, CROPS, "flip"))
