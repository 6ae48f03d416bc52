"""The stage that runs a detector over the frames of a segment. Knows nothing of emotions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fervid.base.opencv import cv2
from fervid.base.types import Detections, Frame
from fervid.detect import Detector
from fervid.detect.faces import face_arrays
from fervid.detect.motion import shrunk
from fervid.detect.network_search import NetworkSearch
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.pose import head_pose
from fervid.detect.search import FaceSearch


# Decision DET-6.
def detect_faces(
    frames: Iterator[Frame],
    detector: Detector,
    *,
    search: SearchPlan,
    work: SearchWork,
    min_face_px: int | None,
    min_face_share: float,
    min_confidence: float,
    pixel_aspect: float,
    is_watched: Callable[[np.ndarray, float], bool] | None = None,
) -> Iterator[tuple[Frame, Detections, np.ndarray]]:
    """Each frame of one segment with its faces, and the downscaled image (uint8) that was searched.

    The image is shrunk (never enlarged) until the smallest wanted face, `min_face_px` or `min_face_share` of the
    frame's height, is as small as the detector can find: the cost of a search hardly depends on the source's size.
    Non-square pixels (`pixel_aspect` = width / height of one) are made square on the way. Boxes and landmarks are in
    frame pixels, in order of x, then y; the confidence is the detector's, the pose comes from the landmarks.
    What is known from the frames before decides where to look (`search`), so a segment is searched from its first
    frame on, in order, by one call. Frames of which `is_watched` holds, given their downscaled image and time, are
    searched in full. A corrupt frame has no faces and leaves that knowledge as it is. `work` is counted
    up as frames pass.
    """
    windows = FaceSearch(detector, search, work) if detector.searches_windows else None
    network = NetworkSearch(detector, search, work)
    for frame in frames:
        height, width = frame.gray.shape
        shrink = min(1.0, detector.smallest_face_px / max(1.0, min_face_px or min_face_share * height))
        size = max(1, round(width * shrink * pixel_aspect)), max(1, round(height * shrink))
        small = _resized(frame.gray, size, is_quick=search.full_search_seconds > 0)
        boxes, confidence, landmarks = face_arrays([])
        if not frame.is_corrupt:
            if is_watched is not None and is_watched(small, frame.pts_seconds):
                (network if windows is None else windows).forget_scans()
            if windows is not None:
                boxes, confidence, landmarks = windows.find(small, frame.pts_seconds)
            else:
                boxes, confidence, landmarks = network.find(small, frame.gray, frame.pts_seconds)
            keep = np.flatnonzero(confidence >= min_confidence)
            keep = keep[np.lexsort((boxes[keep, 1], boxes[keep, 0]))]
            boxes, confidence, landmarks = boxes[keep], confidence[keep], landmarks[keep]
        pose = head_pose(landmarks)  # the searched image has square pixels
        to_frame = np.array([width / size[0], height / size[1]], np.float32)
        faces = boxes * np.tile(to_frame, 2), confidence, landmarks * to_frame, pose
        yield frame, Detections(frame.index, frame.pts, frame.pts_seconds, frame.is_corrupt, *faces), small


def _resized(gray: np.ndarray, size: tuple[int, int], *, is_quick: bool) -> np.ndarray:
    """The image at `size` (width, height)."""
    if size == (gray.shape[1], gray.shape[0]):
        return gray
    if is_quick:
        return shrunk(gray, size)
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
