"""The frozen types: what they refuse, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fervid.base.types import Detections, FaceCrops, FaceScores, Frame
from synthetic import without_landmarks


def frame(gray: np.ndarray) -> Frame:
    return Frame(0, 0, Fraction(1, 25), 0.0, gray, False, False)


def detections(boxes: np.ndarray, confidence: np.ndarray) -> Detections:
    return Detections(0, 0, 0.0, False, boxes, confidence, *without_landmarks(len(boxes)))


def found(n: int) -> Detections:
    return detections(np.zeros((n, 4), np.float32), np.zeros(n, np.float32))


THUMBNAIL = np.zeros((18, 32), np.uint8)


def crops(n: int, crops: np.ndarray, thumbnail: np.ndarray = THUMBNAIL) -> FaceCrops:
    return FaceCrops(found(n), crops, thumbnail)


def scores(n: int, logits: np.ndarray, quality: np.ndarray) -> FaceScores:
    return FaceScores(found(n), logits, quality, THUMBNAIL, np.zeros((n, 5), np.float32))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_any_number_of_faces_fits(n: int) -> None:
    quality = np.ones(n, np.float32)
    assert crops(n, np.zeros((n, 48, 48), np.uint8)).crops.shape == (n, 48, 48)
    assert scores(n, np.zeros((n, 7), np.float32), quality).logits.shape == (n, 7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: frame(np.zeros((2, 3, 3), np.uint8)), r"gray is uint8 \(2, 3, 3\), expected uint8 \(\?, \?\)"),
        (lambda: frame(np.zeros((2, 3))), r"gray is float64 \(2, 3\), expected uint8 \(\?, \?\)"),
        (
            lambda: detections(np.zeros((2, 5), np.float32), np.zeros(2, np.float32)),
            r"boxes is float32 \(2, 5\), expected float32 \(\?, 4\)",
        ),
        (
            lambda: detections(np.zeros(4, np.float32), np.zeros(1, np.float32)),
            r"boxes is float32 \(4,\), expected float32 \(\?, 4\)",
        ),
        (
            lambda: detections(np.zeros((2, 4)), np.zeros(2, np.float32)),
            r"boxes is float64 \(2, 4\), expected float32 \(\?, 4\)",
        ),
        (
            lambda: detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32)),
            r"confidence is float32 \(3,\), expected float32 \(2\)",
        ),
        (
            lambda: crops(2, np.zeros((1, 48, 48), np.uint8)),
            r"crops is uint8 \(1, 48, 48\), expected uint8 \(2, \?, \?\)",
        ),
        (
            lambda: scores(1, np.zeros((1, 7), np.float32), np.zeros((1, 1), np.float32)),
            r"quality is float32 \(1, 1\), expected float32 \(1\)",
        ),
        (
            lambda: crops(0, np.zeros((0, 48, 48), np.uint8), np.zeros(576, np.uint8)),
            r"thumbnail is uint8 \(576,\), expected uint8 \(\?, \?\)",
        ),
        (
            lambda: scores(2, np.zeros((3, 7), np.float32), np.zeros(2, np.float32)),
            r"logits is float32 \(3, 7\), expected float32 \(2, \?\)",
        ),
        (
            lambda: scores(2, np.zeros((2, 7), np.float32), np.zeros(2)),
            r"quality is float64 \(2,\), expected float32 \(2\)",
        ),
    ],
)
def test_a_wrong_array_is_refused_with_what_was_expected(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_arrays_are_read_only() -> None:
    held = detections(np.zeros((1, 4), np.float32), np.zeros(1, np.float32))
    gray = frame(np.zeros((2, 2), np.uint8)).gray
    for array in (held.boxes, held.confidence, gray):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_fields_cannot_be_replaced() -> None:
    with pytest.raises(FrozenInstanceError):
        found(0).pts = 3  # type: ignore[misc]


def test_a_repr_prints_shapes_and_no_pixels() -> None:
    text = repr(frame(np.full((2, 3), 77, np.uint8)))
    assert text == (
        "Frame(index=0, pts=0, time_base=Fraction(1, 25), pts_seconds=0.0, gray=uint8(2, 3), "
        "is_corrupt=False, is_full_range=False)"
    )
    assert "logits=float32(1, 7)" in repr(scores(1, np.zeros((1, 7), np.float32), np.ones(1, np.float32)))
