"""From a segment to its packets, and from a decoded image to a frame. Knows nothing of sampling."""

# Decision VID-1.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np

from fervid.base.types import Frame, Segment, VideoInfo
from fervid.storage.place import Place
from fervid.video.container import demuxed
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.probe import PacketPlan, open_video
from fervid.video.turn import turned

SEEK_BACKOFF_SECONDS = (0.0, 1.0, 4.0, 16.0)
"""MPEG-TS has no index, so a seek may land after its target; then it is retried from further back."""

CUT_BACKOFF_SECONDS = (0.0, 4.0, 16.0, 64.0)
"""The same for clips, which begin anywhere: cameras write a key frame every 1 to 20 seconds."""


@contextmanager
def open_decoder(
    path: Place, *, decoder_threads: int, max_pixels: int, stream: int | None = None
) -> Iterator[tuple[Any, Any]]:
    """Open `path` with a decoder of that many threads; yields (container, video stream)."""
    # PyAV's log callback must stay off, as it is by default: with it, closing a container in
    # the middle of a stream waits for a decoder thread that waits for the interpreter, for good.
    with open_video(path, max_pixels=max_pixels, stream=stream) as (container, frame):
        frame.thread_type = "AUTO"
        frame.codec_context.thread_count = decoder_threads
        yield container, frame


def segment_packets(container: Any, stream: Any, segment: Segment, info: VideoInfo, plan: PacketPlan) -> Iterator[Any]:
    """Packets from at or before a segment's start to the end of the file; the last one, empty, flushes the decoder.

    Repaired stamps are put into them, for which the file is read from its beginning.
    """
    if plan.repair is not None:
        yield from _restamped(readable_packets(container, stream), plan.repair.stamps)
        return
    if segment.start_pts is None:
        yield from readable_packets(container, stream)
        return
    for backoff in SEEK_BACKOFF_SECONDS:
        container.seek(max(0, segment.start_pts - int(backoff / info.time_base)), stream=stream, backward=True)
        packets = readable_packets(container, stream)
        first = next((p for p in packets if p.pts is not None), None)
        if first is not None and first.pts <= segment.start_pts:
            yield first
            yield from packets
            return
    container.seek(0, stream=stream, backward=True)
    yield from readable_packets(container, stream)


def cut_packets(container: Any, stream: Any, start_pts: int, time_base: Fraction) -> Iterator[Any] | None:
    """Packets from a key frame at or before `start_pts` on; None where seeking finds none, and the file is read whole.

    An index is not asked for: a seek in a transport or program stream lands anywhere, so the key frame is looked for.
    """
    for backoff in CUT_BACKOFF_SECONDS:
        target = start_pts - int(backoff / time_base)
        if target <= (stream.start_time or 0):
            return None
        try:
            container.seek(target, stream=stream, backward=True)
        except (av.FFmpegError, OverflowError):
            return None
        packets = readable_packets(container, stream)
        first = next((p for p in packets if p.is_keyframe and p.pts is not None), None)
        if first is not None and first.pts <= start_pts:
            return chain([first], packets)
    return None


def _restamped(packets: Iterator[Any], stamps: np.ndarray) -> Iterator[Any]:
    """The packets of a whole file with these stamps in place of their own."""
    own = iter(stamps.tolist())
    for packet in packets:
        if packet.size:
            packet.pts = next(own, None)
        yield packet


def readable_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets until the end or until the container itself is broken; what was read so far still counts."""
    packets = demuxed(container, stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


class FrameMaker:
    """Makes frames from the decoded images of one stream."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._matrices: dict[float, tuple[int, int, int, int] | None] = {}

    def frame(self, frame: Any, index: int, pts: int, seconds: float) -> Frame:
        """A decoded image as a frame: its luma as displayed."""
        plane, is_full_range = luma(frame)
        gray = turned(as_displayed(plane, self._matrix(frame)), self._info.turn_degrees)
        return Frame(index, pts, self._info.time_base, seconds, gray, bool(frame.is_corrupt), is_full_range)

    def _matrix(self, frame: Any) -> tuple[int, int, int, int] | None:
        # Asked once for each rotation that occurs: PyAV's list of side data and its frame hold each other, so that a
        # frame whose list was read keeps its frame (3 MB at 1080p) until Python's collector comes round.
        rotation = frame.rotation
        if rotation not in self._matrices:
            self._matrices[rotation] = display_matrix(frame)
        return self._matrices[rotation]


def seconds_of(pts: int, info: VideoInfo) -> float:
    """Seconds on the video's own timeline."""
    return float(pts * info.time_base) - info.start_time_seconds
