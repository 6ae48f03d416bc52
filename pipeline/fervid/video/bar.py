"""A progress bar in seconds of video. Knows nothing of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from fervid.base.progress import SECONDS_OF_VIDEO, make_bar

_Frame = TypeVar("_Frame")


def with_bar(
    frames: Iterator[tuple[float, _Frame]], what: str, start: float, end: float, *, is_shown: bool
) -> Iterator[_Frame]:
    """The frames that come with their seconds; a progress bar shows how far they have come."""
    with make_bar(end - start, description=what, counts=SECONDS_OF_VIDEO, is_shown=is_shown) as bar:
        for seconds, frame in frames:
            bar.n = min(max(bar.n, seconds - start), bar.total)
            bar.update(0)
            yield frame
