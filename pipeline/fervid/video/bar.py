"""A progress bar in seconds of video for what reads a stretch of one. Knows no image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from tqdm import tqdm

_Frame = TypeVar("_Frame")


def with_bar(
    frames: Iterator[tuple[float, _Frame]], what: str, start: float, end: float, *, is_shown: bool
) -> Iterator[_Frame]:
    """The frames that come with their seconds; a progress bar shows how far they have come."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of video [{elapsed}<{remaining}]"
    bar: Any = tqdm(total=end - start, desc=what, disable=not is_shown, leave=False, bar_format=form)
    with bar:
        for seconds, frame in frames:
            bar.n = min(max(bar.n, seconds - start), bar.total)
            bar.update(0)
            yield frame
