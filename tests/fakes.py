"""A detector and a classifier that know the answer, for tests of everything around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fervid.detect import DETECTORS
from fervid.emotion import CLASSIFIERS
from fervid.emotion.model import ModelInfo
from fervid.runtime.device import RUNNERS


class BrightSquareDetector:
    """Finds the one bright square that `square_picture` draws."""

    box_shape = 1.0
    smallest_face_px = 1000  # never shrink: the square is found in the frame itself

    searches_windows = True

    def detect(self, gray: np.ndarray, **_: object) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.nonzero(gray > 128)
        if not len(rows):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return np.array([box], np.float32), np.ones(1, np.float32)


class BlindDetector(BrightSquareDetector):
    """Finds nothing, at once."""

    searches_windows = False

    def detect(self, gray: np.ndarray, **_: object) -> tuple[np.ndarray, np.ndarray]:
        return super().detect(np.zeros_like(gray[:1, :1]))


class BrightnessClassifier:
    """Scores a crop by its mean level alone: 128 is undecided, brighter is `angry`, darker is the next label."""

    def __init__(self, info: ModelInfo, *, batch_size: int = 1) -> None:  # noqa: ARG002
        self._n_classes = info.n_logits

    def predict(self, crops: np.ndarray) -> np.ndarray:
        logits = np.full((len(crops), self._n_classes), -4.0, np.float32)
        level = crops.reshape(len(crops), -1).mean(axis=1) if len(crops) else np.zeros(0)
        logits[:, 0] = (level - 200) / 12
        logits[:, 1] = -(level - 200) / 12
        return logits


def square_picture(level: float, left: int = 40, side: int = 64) -> np.ndarray:
    """A dark picture of 320 x 240 with one textured square of that mean level."""
    picture = np.full((240, 320), 30, np.uint8)
    texture = np.where(np.indices((side, side)).sum(axis=0) // 8 % 2, 40.0, -40.0)
    picture[80 : 80 + side, left : left + side] = np.clip(level + texture, 135, 255)
    return picture


@contextmanager
def fakes_in_the_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the fakes available as detector and runner `fake`, and the runner of the CPU."""
    monkeypatch.setitem(DETECTORS, "fake", "fakes:BrightSquareDetector")
    monkeypatch.setitem(CLASSIFIERS, "fake", "fakes:BrightnessClassifier")
    monkeypatch.setitem(RUNNERS, "cpu", "fake")
    yield
