"""The frozen types that pass between the stages. Knows no stage.

n faces in a frame, C classes, S crop side, H x W image size. Boxes are xyxy float32 in pixels of the displayed frame
(after rotation, before any stretch of non-square pixels), origin top left, maximum exclusive.
Times are seconds as a player shows them: presentation time less the container's start time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

import numpy as np

from fervid.storage.place import Place

FACE_QUALITY = ("sharpness", "light", "roll_degrees", "yaw_degrees", "pitch_degrees")
"""Measures of face quality and pose, in the order of the columns of `FaceScores.face_quality`."""

NO_FLOW = np.zeros(0, np.float16)
"""Of a frame whose motion is not measured."""


def _check(name: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> None:
    wanted = tuple("?" if side is None else str(side) for side in shape)
    fits = len(array.shape) == len(shape) and all(w in (None, s) for w, s in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} ({', '.join(wanted)})")
    array.flags.writeable = False


class _ShapeRepr:
    """A repr that prints the shapes of arrays, not their values."""

    __slots__ = ()

    def __repr__(self) -> str:
        parts = []
        for each in fields(self):  # type: ignore[arg-type]
            value: Any = getattr(self, each.name)
            parts.append(
                f"{each.name}={f'{value.dtype}{value.shape}' if isinstance(value, np.ndarray) else repr(value)}"
            )
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What the container says of its video stream, corrected by its packets. Width and height as displayed."""

    path: Place
    width_px: int
    height_px: int
    average_frame_rate: float
    is_variable_rate: bool
    duration_seconds: float
    start_time_seconds: float
    time_base: Fraction
    codec: str
    container: str
    rotation_degrees: int
    sample_aspect_ratio: Fraction
    time_source: str
    """"pts", "repaired_pts" where the stamps of the file had to be repaired, "assumed_fps" where it has none."""
    stream: int = 0
    """Which of the video streams, from 0; thumbnails and covers are not counted."""
    stream_names: str = ""
    """Titles and sizes of all video streams, where there are several."""
    turn_degrees: int = 0
    """Clockwise degrees by which the user turns the images; part of `rotation_degrees`."""
    container_time: str | None = None
    """When it was recorded, as the container says it, ISO 8601; without a zone where it is a camera's local time."""
    container_time_source: str | None = None
    """`clock`, where the time stamps count from 1970, or `creation_time`."""
    first_frame_seconds: float = 0.0
    """When the first frame is shown: the video may start later than the sound."""
    frame_spacing_seconds: float = 0.0
    """The usual time between two frames; 0 where there is one alone."""
    holds_frames: bool = False
    """Whether a frame without a successor for long is shown on, as screen recorders write it, not a pause."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one video that is observed on its own: frames with start_pts <= pts < end_pts (None: to the end).

    `previous_slot` is the sampling slot of the last frame before it, so that segments sample as one video would.
    """

    video_id: str
    index: int
    start_seconds: float
    end_seconds: float
    start_pts: int | None
    end_pts: int | None
    previous_slot: int


@dataclass(frozen=True, slots=True, repr=False)
class Frame(_ShapeRepr):
    """A decoded frame: its luma plane as displayed. `index` counts frames in presentation order from 0."""

    index: int
    pts: int
    time_base: Fraction
    pts_seconds: float
    gray: np.ndarray
    is_corrupt: bool
    is_full_range: bool

    def __post_init__(self) -> None:
        _check("gray", self.gray, np.uint8, (None, None))


@dataclass(frozen=True, slots=True, repr=False)
class Detections(_ShapeRepr):
    """The faces of one frame: boxes float32 (n, 4), confidence float32 (n,) in 0..1. No face is n = 0.

    `landmarks` float32 (n, 5, 2) are in pixels, `pose` float32 (n, 3) is roll, yaw and pitch in degrees; both are NaN
    for a detector that finds none.
    """

    frame_index: int
    pts: int
    pts_seconds: float
    is_corrupt: bool
    boxes: np.ndarray
    confidence: np.ndarray
    landmarks: np.ndarray
    pose: np.ndarray

    def __post_init__(self) -> None:
        _check("boxes", self.boxes, np.float32, (None, 4))
        _check("confidence", self.confidence, np.float32, (len(self.boxes),))
        _check("landmarks", self.landmarks, np.float32, (len(self.boxes), 5, 2))
        _check("pose", self.pose, np.float32, (len(self.boxes), 3))


@dataclass(frozen=True, slots=True, repr=False)
class FaceCrops(_ShapeRepr):
    """The faces of one frame cut out: crops uint8 (n, S, S) full range.

    `thumbnail` uint8 (h, w) is a few pixels of the whole frame, from which the second half finds shot cuts. `flow`
    float16 (k,) says how the image moves; empty where that is not measured.
    """

    detections: Detections
    crops: np.ndarray
    thumbnail: np.ndarray
    flow: np.ndarray = field(default_factory=lambda: NO_FLOW)

    def __post_init__(self) -> None:
        n = len(self.detections.boxes)
        _check("crops", self.crops, np.uint8, (n, None, None))
        _check("thumbnail", self.thumbnail, np.uint8, (None, None))
        _check("flow", self.flow, np.float16, (None,))


@dataclass(frozen=True, slots=True, repr=False)
class FaceScores(_ShapeRepr):
    """The scored faces of one frame: logits float32 (n, C), quality float32 (n,) in 0..1.

    `face_quality` float32 (n, 5): sharpness, light, and roll, yaw and pitch in degrees (NaN where they cannot be told).
    `thumbnail` and `flow` as in `FaceCrops`.
    """

    detections: Detections
    logits: np.ndarray
    quality: np.ndarray
    thumbnail: np.ndarray
    face_quality: np.ndarray
    flow: np.ndarray = field(default_factory=lambda: NO_FLOW)

    def __post_init__(self) -> None:
        n = len(self.detections.boxes)
        _check("logits", self.logits, np.float32, (n, None))
        _check("quality", self.quality, np.float32, (n,))
        _check("face_quality", self.face_quality, np.float32, (n, 5))
        _check("flow", self.flow, np.float16, (None,))
