"""Cutting faces out and scoring them: batches across frames, the order of frames, the bound on waiting."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from fervid.base.types import Detections, FaceCrops, Frame
from fervid.observe.observations import THUMBNAIL_PX
from fervid.observe.scoring import MAX_WAITING_FRAMES, cut_out_faces, score_faces
from synthetic import without_landmarks

SIDE_PX = 4


class RecordingClassifier:
    """Two logits a face: the level of its crop, and one more. Remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops))
        level = crops.reshape(len(crops), SIDE_PX * SIDE_PX)[:, 0].astype(np.float32)
        return np.stack([level, level + 1], axis=1)


def found(index: int, n: int) -> Detections:
    boxes, scores = np.zeros((n, 4), np.float32), np.ones(n, np.float32)
    return Detections(index, index * 40, index / 25, False, boxes, scores, *without_landmarks(n))


def frames_of(counts: list[int]) -> Iterator[FaceCrops]:
    """Frames with so many faces each; the level of a crop is its number among all faces."""
    number = 0
    for index, n in enumerate(counts):
        levels = np.arange(number, number + n, dtype=np.uint8)
        crops = np.broadcast_to(levels[:, None, None], (n, SIDE_PX, SIDE_PX)).copy()
        thumbnail = np.full(THUMBNAIL_PX[::-1], index % 256, np.uint8)
        yield FaceCrops(found(index, n), crops, thumbnail)
        number += n


@pytest.mark.parametrize(
    ("counts", "batch_size", "batches"),
    [
        ([], 3, []),
        ([0], 3, [0]),
        ([1], 3, [1]),
        ([0, 2, 1, 0, 3, 1], 3, [3, 3, 1]),
        ([1, 1, 1, 1, 1], 2, [2, 2, 1]),
        ([2, 2, 2], 3, [4, 2]),  # a frame is not torn apart
        ([5, 1], 2, [5, 1]),
        ([1, 0, 0, 0], 1, [1, 0]),
        ([1] * 10, 1, [1] * 10),
        ([1] * 10, 64, [10]),
    ],
)
def test_frames_share_batches_and_keep_their_order(counts: list[int], batch_size: int, batches: list[int]) -> None:
    classifier = RecordingClassifier()
    scored = list(score_faces(frames_of(counts), classifier, batch_size=batch_size))
    assert classifier.batches == batches
    assert [scores.detections.frame_index for scores in scored] == list(range(len(counts)))
    assert [len(scores.logits) for scores in scored] == counts
    levels = [float(level) for scores in scored for level in scores.logits[:, 0]]
    assert levels == list(range(sum(counts)))


def test_what_belongs_to_a_frame_stays_with_it() -> None:
    light = [[], [0, 1], [], [2]]  # the level of a crop is its number
    for index, scores in enumerate(score_faces(frames_of([0, 2, 0, 1]), RecordingClassifier(), batch_size=3)):
        assert scores.detections.pts == index * 40
        assert (scores.thumbnail == index).all()
        np.testing.assert_allclose(scores.face_quality[:, 1] * 255, light[index], rtol=1e-6)
        assert scores.logits.shape == (len(scores.quality), 2)


@pytest.mark.parametrize("counts", [[0] * 600, [1] + [0] * 599])
def test_frames_without_faces_do_not_wait_without_limit(counts: list[int]) -> None:
    taken = 0

    def counted() -> Iterator[FaceCrops]:
        nonlocal taken
        for item in frames_of(counts):
            taken += 1
            yield item

    scored = score_faces(counted(), RecordingClassifier(), batch_size=64)
    next(scored)
    assert taken == MAX_WAITING_FRAMES
    assert len(list(scored)) == 599


def test_faces_are_cut_from_the_frame_and_the_thumbnail_from_the_small_picture() -> None:
    gray = np.arange(100, dtype=np.uint8).reshape(10, 10)
    frame = Frame(3, 120, Fraction(1, 1000), 0.12, gray, False, True)
    boxes = np.array([(2, 3, 6, 7)], np.float32)
    detections = Detections(3, 120, 0.12, False, boxes, np.ones(1, np.float32), *without_landmarks(1))
    nothing = Detections(4, 160, 0.16, False, boxes[:0], np.ones(0, np.float32), *without_landmarks(0))
    small = np.full((90, 160), 55, np.uint8)
    one, none = cut_out_faces(
        iter([(frame, detections, small), (frame, nothing, small)]), side_px=4, margin=0.0, box_shape=1.0
    )
    np.testing.assert_array_equal(one.crops, gray[None, 3:7, 2:6])
    assert one.detections is detections
    np.testing.assert_array_equal(one.thumbnail, np.full((18, 32), 55))
    assert none.crops.shape == (0, 4, 4)
