"""How well a detector finds, in small pictures, what the teacher found in larger ones. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fervid.base.geometry import iou_matrix
from fervid.base.opencv import cv2
from fervid.train.finder.targets import SURE_SCORE, TaughtPictures

JUDGED_LINES = 128
LEAST_SHARE = 0.08
"""Faces are asked for from this share of the picture's height on, as in an analysis."""
FOUND_IOU = 0.35
FALSE_SHARE = 0.01
"""The threshold is the lowest at which no more of the boxes are false."""
LOWEST_SCORE, HIGHEST_THRESHOLD, UNKNOWN_THRESHOLD = 0.05, 0.95, 0.5


class _Finds(Protocol):
    def detect(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class FinderScore:
    """How a detector does on pictures."""

    average_precision: float
    recall: float
    """Share of the asked faces that are found with at most 1 % false boxes, and the score that they need for that."""
    threshold: float
    found: float
    """The same share with all boxes that were given, how many these are, and how many of them are false."""
    boxes: int
    false_boxes: int


def judge(detector: _Finds, judged: TaughtPictures, *, lines: int = JUDGED_LINES) -> FinderScore:
    """How well `detector` finds, in pictures of `lines` lines, what the teacher found in larger ones.

    Faces of less than 8 % of the height, and those the teacher is unsure of, are neither asked for nor false.
    """
    scores, is_right, n_asked = [], [], 0
    for picture, faces in zip(judged.pictures, judged.faces, strict=True):
        scale = lines / picture.shape[0]
        shown = cv2.resize(picture, (round(picture.shape[1] * scale), lines), interpolation=cv2.INTER_AREA)
        boxes, confidence, *_ = detector.detect(shown)
        is_asked = (faces[:, 4] >= SURE_SCORE) & (faces[:, 3] - faces[:, 1] >= LEAST_SHARE * picture.shape[0])
        n_asked += int(is_asked.sum())
        free = np.ones(len(faces), bool)
        overlaps = iou_matrix(boxes, faces[:, :4] * scale) if len(faces) else np.zeros((len(boxes), 0))
        for i in np.argsort(-confidence):
            j = int(np.argmax(np.where(free, overlaps[i], -1))) if free.any() else -1
            hit = j >= 0 and overlaps[i, j] >= FOUND_IOU
            if hit:
                free[j] = False
                if not is_asked[j]:
                    continue
            scores.append(float(confidence[i]))
            is_right.append(hit)
    return _score(np.array(scores), np.array(is_right, bool), n_asked)


def _score(scores: np.ndarray, is_right: np.ndarray, n_asked: int) -> FinderScore:
    counts = int(is_right.sum()) / max(1, n_asked), len(scores), int((~is_right).sum())
    order = np.argsort(-scores)
    right = np.cumsum(is_right[order])
    shares = right / np.arange(1, len(order) + 1)
    precision = np.maximum.accumulate(shares[::-1])[::-1]
    average = float((precision * is_right[order]).sum() / max(1, n_asked))
    good = np.nonzero(shares >= 1 - FALSE_SHARE)[0]
    if not len(good):
        return FinderScore(average, 0.0, UNKNOWN_THRESHOLD, *counts)
    threshold = float(np.clip(scores[order][good[-1]], LOWEST_SCORE, HIGHEST_THRESHOLD))
    return FinderScore(average, float(right[good[-1]] / max(1, n_asked)), threshold, *counts)
