"""What a video is, and the stretches of it that are observed. No arrays: the parent of a batch works without NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fervid.storage.place import Place


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
