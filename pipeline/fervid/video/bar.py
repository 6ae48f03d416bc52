"""A progress bar in seconds of video. Knows nothing of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from fervid.base.progress import SECONDS_OF_VIDEO, make_bar

_Frame = TypeVar("_Frame")


class Reached:
    """How far the reading of a video has come, for whoever watches from another thread."""

    def __init__(self) -> None:
        self._seconds, self._n = 0.0, 0

    def see(self, seconds: float) -> None:
        """A frame of this moment came."""
        self._seconds, self._n = seconds, self._n + 1

    def reading(self) -> tuple[float, ...]:
        """Seconds of video, and frames so far."""
        return self._seconds, self._n


def with_bar(
    frames: Iterator[tuple[float, _Frame]],
    what: str,
    start: float,
    end: float,
    *,
    is_shown: bool,
    reached: Reached | None = None,
) -> Iterator[_Frame]:
    """The frames that come with their seconds; a progress bar, and `reached`, tell how far they have come."""
    with make_bar(end - start, description=what, counts=SECONDS_OF_VIDEO, is_shown=is_shown) as bar:
        for seconds, frame in frames:
            bar.n = min(max(bar.n, seconds - start), bar.total)
            bar.update(0)
            if reached is not None:
                reached.see(seconds)
            yield frame
