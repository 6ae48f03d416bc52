"""Decides which frames of a video are analysed, per frame, so that segments sample like the whole video."""

from __future__ import annotations

import math
from dataclasses import dataclass

SLOT_EPSILON = 1e-6
"""Seconds-times-rate may fall just below a whole number in float64; a millionth of a slot is far below any frame."""


# Decision VID-2.
def sampling_slot(seconds: float, fps: float) -> int:
    """The sampling slot of a time: frames are taken where the slot changes, so no error adds up. fps 0: every frame."""
    return math.floor(seconds * fps + SLOT_EPSILON)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are analysed: with `every` each frame whose number in the video is a multiple of it, else the first
    of each 1 / `fps` seconds (0: all). Depends on the frame alone, never on what was sampled before."""

    fps: float
    every: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether every frame is analysed."""
        return self.every == 1 if self.every is not None else not self.fps

    def slot(self, frame: int, seconds: float) -> int:
        """The slot of a frame by its number in presentation order and its time; the first of each is analysed."""
        if self.every is not None:
            return frame // self.every
        return sampling_slot(seconds, self.fps) if self.fps else frame

    def frames_per_second(self, average_frame_rate: float) -> float:
        """How many frames are analysed per second of a video with that rate."""
        return average_frame_rate / self.every if self.every is not None else self.fps or average_frame_rate
