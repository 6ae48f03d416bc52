"""A few faces in one image, as plain numbers: for so few, arrays have too much overhead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

LANDMARKS_SHAPE = 5, 2
NO_POINTS = ((float("nan"),) * 2,) * 5

SAME_FACE_IOU = 0.3
"""Two boxes of a frame that overlap more are one face; the one with more confidence stays."""


NESTED_SHARE = 0.6
"""A box whose centre and more than this share are inside a larger one is a part of the same face."""


Points = tuple[tuple[float, float], ...]
"""Five landmarks as x and y: the eye on the left of the image, the other eye, the tip of the nose, and the corners of
the mouth, left and right."""


# Decision DET-8.
class Face(NamedTuple):
    """A box, its confidence 0..1, and its landmarks if the detector gives them."""

    box: Box
    confidence: float
    points: Points | None = None

    def scaled(self, scale: float, left: float, top: float) -> Face:
        """The face of a crop in the image that it was cut from, at `left` and `top`, and shrunk by `scale`."""
        x0, y0, x1, y1 = self.box
        points = self.points and tuple((x * scale + left, y * scale + top) for x, y in self.points)
        return Face((x0 * scale + left, y0 * scale + top, x1 * scale + left, y1 * scale + top), self.confidence, points)


def is_same_face(one: Box, other: Box) -> bool:
    """Whether intersection over union says that two boxes show one face."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    overlap = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return overlap > SAME_FACE_IOU * (areas - overlap)


def is_part_of(small: Box, large: Box) -> bool:
    """Whether a box is inside a larger one: nose and mouth, not a face behind another."""
    area = (small[2] - small[0]) * (small[3] - small[1])
    x, y = (small[0] + small[2]) / 2, (small[1] + small[3]) / 2
    if not (large[0] < x < large[2] and large[1] < y < large[3]):
        return False
    width = min(small[2], large[2]) - max(small[0], large[0])
    height = min(small[3], large[3]) - max(small[1], large[1])
    return area <= (large[2] - large[0]) * (large[3] - large[1]) and width * height > NESTED_SHARE * area


def faces_of(boxes: np.ndarray, confidence: np.ndarray, landmarks: np.ndarray | None = None) -> list[Face]:
    """What a detector gives: boxes (n, 4), confidence (n,) and, from some, landmarks (n, 5, 2)."""
    if not len(boxes):
        return []
    points = [None] * len(boxes) if landmarks is None else [tuple(map(tuple, own)) for own in landmarks.tolist()]
    return [
        Face(tuple(box), sure, own) for box, sure, own in zip(boxes.tolist(), confidence.tolist(), points, strict=True)
    ]


def face_arrays(faces: list[Face]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes float32 (n, 4), confidence float32 (n,) and landmarks float32 (n, 5, 2), NaN where a face has none."""
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    confidence = np.array([face.confidence for face in faces], np.float32)
    landmarks = [NO_POINTS if face.points is None else face.points for face in faces]
    return boxes, confidence, np.array(landmarks, np.float32).reshape(-1, *LANDMARKS_SHAPE)


def one_box_a_face(faces: list[Face]) -> list[Face]:
    """The most confident box of each face, most confident first; of nested boxes the larger one."""
    if len(faces) <= 1:
        return faces
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.confidence, face.box)):
        if not any(is_same_face(face.box, other.box) for other in kept):
            kept.append(face)
    return [
        face
        for i, face in enumerate(kept)
        if not any(is_part_of(face.box, other.box) for j, other in enumerate(kept) if i != j)
    ]
