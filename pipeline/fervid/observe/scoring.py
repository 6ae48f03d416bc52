"""The two stages between a frame's boxes and its scores: cut out, then classify in batches across frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fervid.base.types import NO_FLOW, Detections, FaceCrops, FaceScores, Frame
from fervid.emotion import Classifier
from fervid.emotion.crops import crop_faces, crop_quality
from fervid.emotion.face_quality import measure_face_quality
from fervid.observe.flow import FlowWatch
from fervid.observe.observations import THUMBNAIL_PX
from fervid.observe.thumbnail import take_thumbnail

MAX_WAITING_FRAMES = 256
"""Frames without faces wait for a batch too; this bounds how many."""


def cut_out_faces(
    detected: Iterator[tuple[Frame, Detections, np.ndarray]],
    *,
    side_px: int,
    margin: float,
    box_shape: float,
    flow: FlowWatch | None = None,
) -> Iterator[FaceCrops]:
    """Each frame's faces as crops of `side_px`; the frame itself is released here. `flow` measures how it moves."""
    for frame, found, small in detected:
        crops = crop_faces(
            frame.gray,
            found.boxes,
            side_px=side_px,
            margin=margin,
            is_full_range=frame.is_full_range,
            box_shape=box_shape,
        )
        thumbnail = take_thumbnail(small, THUMBNAIL_PX)
        moves = NO_FLOW if flow is None or found.is_corrupt else flow.measure(small, found.pts_seconds)
        yield FaceCrops(found, crops, thumbnail, moves)


def score_faces(cut: Iterator[FaceCrops], classifier: Classifier, *, batch_size: int) -> Iterator[FaceScores]:
    """Each frame's faces scored. Crops of several frames share a batch; order and count of frames stay."""
    waiting: list[FaceCrops] = []
    n_faces = 0
    for item in cut:
        waiting.append(item)
        n_faces += len(item.crops)
        if n_faces >= batch_size or len(waiting) >= MAX_WAITING_FRAMES:
            yield from _score(waiting, classifier)
            waiting, n_faces = [], 0
    if waiting:
        yield from _score(waiting, classifier)


def _score(waiting: list[FaceCrops], classifier: Classifier) -> Iterator[FaceScores]:
    return measured(waiting, classifier.predict(np.concatenate([item.crops for item in waiting])))


def measured(cut: list[FaceCrops], logits: np.ndarray) -> Iterator[FaceScores]:
    """Each frame's faces with their share of `logits` (N, C), and with what can be measured on their crops.

    Done for a batch at a time: frame by frame, between searches, it takes nearly twice as long.
    """
    crops = np.concatenate([item.crops for item in cut])
    quality = crop_quality(crops, np.concatenate([item.detections.boxes for item in cut]))
    face_quality = measure_face_quality(crops, np.concatenate([item.detections.pose for item in cut]))
    first = 0
    for item in cut:
        own = slice(first, first + len(item.crops))
        first = own.stop
        yield FaceScores(
            item.detections,
            logits[own].copy(),
            quality[own].copy(),
            item.thumbnail,
            face_quality[own].copy(),
            item.flow,
        )
