"""Face detectors: the protocol, the table, and the stage that runs one over frames. Knows nothing of emotions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from fervid.opencv import cv2
from fervid.registry import resolve
from fervid.threads import map_in_order
from fervid.types import Detections, Frame

DETECTORS = {
    "haar": "fervid.detect.haar:HaarDetector",
    "yunet": "fervid.detect.yunet:YuNetDetector",
}


class Detector(Protocol):
    """Finds faces in one gray picture."""

    smallest_face_px: int
    """The side of the smallest face that the method finds; pictures are shrunk to look for no smaller one."""

    def detect(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W) -> boxes float32 (n, 4) in its pixels, and confidence float32 (n,) in 0..1."""
        ...


def make_detector(name: str, options: dict[str, Any]) -> Detector:
    """The detector of that name, made with its own section of the settings."""
    detector: Detector = resolve(DETECTORS, name, kind="detector")(**options)
    return detector


def detect_faces(
    frames: Iterator[Frame],
    make: Callable[[], Detector],
    *,
    min_face_px: int | None,
    min_face_share: float,
    min_confidence: float,
    pixel_aspect: float,
    n_threads: int,
) -> Iterator[tuple[Frame, Detections, np.ndarray]]:
    """Each frame with its faces, and the small picture (uint8) in which they were looked for.

    The picture is shrunk (never enlarged) until the smallest wanted face, `min_face_px` or `min_face_share` of the
    frame's height, is as small as the detector can find: the cost of a search hardly depends on the source's size.
    Non-square pixels (`pixel_aspect` = width / height of one) are made square on the way. Boxes are in frame pixels,
    in order of x, then y; the confidence is the detector's. A corrupt frame has no faces.
    `n_threads` frames are searched at a time, each thread with a detector of its own; frames stay in order.
    """

    def searcher() -> Callable[[Frame], tuple[Frame, Detections, np.ndarray]]:
        detector = make()

        def search(frame: Frame) -> tuple[Frame, Detections, np.ndarray]:
            height, width = frame.gray.shape
            wanted_px = min_face_px or min_face_share * height
            shrink = min(1.0, detector.smallest_face_px / max(1.0, wanted_px))
            size = max(1, round(width * shrink * pixel_aspect)), max(1, round(height * shrink))
            small = (
                frame.gray if size == (width, height) else cv2.resize(frame.gray, size, interpolation=cv2.INTER_AREA)
            )
            boxes, confidence = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
            if not frame.is_corrupt:
                boxes, confidence = detector.detect(small)
                keep = np.flatnonzero(confidence >= min_confidence)
                keep = keep[np.lexsort((boxes[keep, 1], boxes[keep, 0]))]
                to_frame = np.array([width / size[0], height / size[1]] * 2, np.float32)
                boxes, confidence = boxes[keep] * to_frame, confidence[keep]
            found = Detections(frame.index, frame.pts, frame.pts_seconds, frame.is_corrupt, boxes, confidence)
            return frame, found, small

        return search

    return map_in_order(searcher, frames, n_threads=n_threads)
