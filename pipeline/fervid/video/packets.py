"""From a segment to its packets, and from a decoded picture to a frame. Knows nothing of sampling."""

# Decision VID-1.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av

from fervid.base.types import Frame, Segment, VideoInfo
from fervid.storage.place import Place
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.probe import open_video

SEEK_BACKOFF_SECONDS = (0.0, 1.0, 4.0, 16.0)
"""MPEG-TS has no index, so a seek may land after its target; then it is tried again from further back."""


@contextmanager
def open_decoder(path: Place, *, decoder_threads: int, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """Open `path` with a decoder of that many threads; yields (container, picture stream)."""
    # PyAV's log callback must stay off, as it is unless `av.logging` is told otherwise: with it, closing a container in
    # the middle of a stream waits for a decoder thread that waits for the interpreter, for good.
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = decoder_threads
        yield container, stream


def segment_packets(container: Any, stream: Any, segment: Segment, time_base: Fraction) -> Iterator[Any]:
    """Packets from at or before a segment's start to the end of the file; the last one, empty, flushes the decoder."""
    if segment.start_pts is None:
        yield from _demux(container, stream)
        return
    for backoff in SEEK_BACKOFF_SECONDS:
        container.seek(max(0, segment.start_pts - int(backoff / time_base)), stream=stream, backward=True)
        packets = _demux(container, stream)
        first = next((p for p in packets if p.pts is not None), None)
        if first is not None and first.pts <= segment.start_pts:
            yield first
            yield from packets
            return
    container.seek(0, stream=stream, backward=True)
    yield from _demux(container, stream)


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """Packets until the end or until the container itself is broken; what was read so far still counts."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


class FrameMaker:
    """Makes frames of the decoded pictures of one stream."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._matrices: dict[float, tuple[int, int, int, int] | None] = {}

    def frame(self, picture: Any, index: int, pts: int, seconds: float) -> Frame:
        """A decoded picture as a frame: its luma as displayed."""
        plane, is_full_range = luma(picture)
        gray = as_displayed(plane, self._matrix(picture))
        return Frame(index, pts, self._info.time_base, seconds, gray, bool(picture.is_corrupt), is_full_range)

    def _matrix(self, picture: Any) -> tuple[int, int, int, int] | None:
        # Asked once for each rotation that occurs: PyAV's list of side data and its frame hold each other, so that a
        # frame whose list was read keeps its picture (3 MB at 1080p) until Python's collector comes round.
        rotation = picture.rotation
        if rotation not in self._matrices:
            self._matrices[rotation] = display_matrix(picture)
        return self._matrices[rotation]


def seconds_of(pts: int, info: VideoInfo) -> float:
    """Seconds on the video's own timeline."""
    return float(pts * info.time_base) - info.start_time_seconds
