"""Reads a stretch of a video once, with the faces in each frame covered.

What a face does later tells where it is now, so frames wait until what lies ahead of them was searched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol, TypeVar

import numpy as np

from fervid.privacy.covers import BRIDGED_SECONDS, FaceCovers
from fervid.privacy.mosaic import CoveredArea, cover_in_place
from fervid.privacy.search import CoverSearch


class Frame(Protocol):
    """An image RGB uint8 (H, W, 3) in memory of its own, and its moment."""

    @property
    def seconds(self) -> float: ...
    @property
    def rgb(self) -> np.ndarray: ...


F = TypeVar("F", bound=Frame)
F_co = TypeVar("F_co", bound=Frame, covariant=True)


class Picture(Protocol[F_co]):
    """A decoded frame, converted only where it is looked at."""

    @property
    def seconds(self) -> float: ...
    @property
    def pixel_aspect(self) -> Fraction: ...
    @property
    def n_bytes(self) -> int: ...
    def gray(self) -> np.ndarray: ...
    def rgb(self) -> F_co: ...


AROUND_SECONDS = 1.0
"""Faces found within this time before and after a stretch are covered in it."""
LARGEST_WAITING_BYTES = 512 << 20
"""Two seconds of 1080p at 50 frames per second take 310 MiB. Where more would wait, the video is read twice instead."""


# Decision PRI-4.
def covered_frames(
    read: Callable[[float, float], Iterator[Picture[F]]],
    covers: FaceCovers,
    start_seconds: float,
    end_seconds: float,
    area: CoveredArea | None = None,
) -> Iterator[F]:
    """The frames with start <= time < end, the faces covered that `covers` holds and that a search finds.

    `read` gives the frames between two moments in order; it is called again for what was too large to wait. What was
    covered is added to `area`.
    """
    search, waiting, n_bytes = CoverSearch(covers), deque[Picture[F]](), 0
    again_from: float | None = None

    def covered(picture: Picture[F]) -> F:
        frame = picture.rgb()
        cover_in_place(frame.rgb, covers.at(frame.seconds), area)
        return frame

    for picture in read(max(0.0, start_seconds - AROUND_SECONDS), end_seconds + AROUND_SECONDS):
        search.see(picture.seconds, picture.gray(), picture.pixel_aspect)
        while waiting and picture.seconds - waiting[0].seconds > BRIDGED_SECONDS:
            n_bytes -= waiting[0].n_bytes
            yield covered(waiting.popleft())
        if again_from is None and start_seconds <= picture.seconds < end_seconds:
            waiting.append(picture)
            n_bytes += picture.n_bytes
        if n_bytes > LARGEST_WAITING_BYTES:
            again_from, n_bytes = waiting[0].seconds, 0
            waiting.clear()
    for picture in waiting if again_from is None else read(again_from, end_seconds):
        yield covered(picture)
