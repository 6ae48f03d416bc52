"""Decode the sampled frames of one segment, packet by packet, and count what became of every other one.

Times are presentation times; a damaged packet costs its own frame, not the rest of the file. Knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fervid.types import Frame, Segment, VideoInfo
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.probe import PacketPlan, open_video
from fervid.video.segments import sampling_slot

SEEK_BACKOFF_SECONDS = (0.0, 1.0, 4.0, 16.0)
"""MPEG-TS has no index, so a seek may land after its target; then it is tried again from further back."""

MAX_BAD_PACKETS_IN_A_ROW = 300


@dataclass(slots=True)
class Ledger:
    """What became of the frames of one segment. decoded = analysed + skipped + failed."""

    decoded: int = 0
    analysed: int = 0
    skipped: int = 0
    failed: int = 0
    """Frames that came out of the decoder marked as corrupt; they are not scored."""
    packets: int = 0
    bad_packets: int = 0
    clock_jumps: int = 0
    """Frames whose time was missing or ran backwards, and was carried on from the frame before."""
    late_start_seconds: float = 0.0
    """Time before the first frame that decodes: a recording may begin in the middle of a group of pictures."""

    def balance(self) -> bool:
        return self.decoded == self.analysed + self.skipped + self.failed

    def add(self, other: Ledger) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class _Clock:
    """Times in order of presentation. A file with sound times passes through unchanged."""

    info: VideoInfo
    ledger: Ledger
    step: int
    offset: int = 0
    last: int | None = None
    count: int = field(default=0)

    def stamp(self, pts: int | None) -> tuple[int, float]:
        """The frame's own pts and its seconds on a timeline that never runs backwards."""
        if self.info.time_source != "pts":
            pts = self.count
        elif pts is None:
            self.ledger.clock_jumps += 1
            pts = (self.last or 0) - self.offset + self.step if self.last is not None else 0
        self.count += 1
        if self.last is None or pts > self.last:
            self.offset = 0  # sound, or sound again after a glitch
        elif pts + self.offset <= self.last:
            self.ledger.clock_jumps += 1
            self.offset = self.last + self.step - pts
        self.last = pts + self.offset
        return pts, float(self.last * self.info.time_base) - self.info.start_time_seconds


def read_frames(
    path: Path,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    ledger: Ledger,
    *,
    fps: float,
    start_seconds: float,
    end_seconds: float | None,
    decoder_threads: int,
    max_pixels: int,
) -> Iterator[Frame]:
    """The sampled frames of a segment in presentation order: the first of each slot of 1 / `fps` seconds (0: each).

    `ledger` is filled as frames pass. A frame marked corrupt by the decoder that was due is yielded as such, and the
    next sound one takes its slot. With `start_seconds` and `end_seconds` the frames are those of a run over the whole
    video that lie in the range.
    """
    step = int(np.median(np.diff(plan.pts))) if len(plan.pts) > 1 else 1
    clock = _Clock(info, ledger, max(1, step))
    slot = segment.previous_slot
    position = 0
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = decoder_threads
        for decoded in _decode(container, stream, info, segment, ledger):
            pts, seconds = clock.stamp(decoded.pts if decoded.pts is not None else decoded.dts)
            index = int(np.searchsorted(plan.pts, pts)) if plan.is_splittable else position
            if position == 0 and segment.start_pts is None and info.time_source == "pts":
                ledger.late_start_seconds = max(0.0, float((pts - int(plan.pts[0])) * info.time_base))
            position += 1
            if segment.start_pts is not None and pts < segment.start_pts:
                continue
            if segment.end_pts is not None and pts >= segment.end_pts:
                break
            frame_slot = sampling_slot(seconds, fps) if fps else slot + 1
            is_due = frame_slot > slot
            if is_due and not decoded.is_corrupt:
                slot = frame_slot
            if end_seconds is not None and seconds >= end_seconds:
                break
            if start_seconds > 0 and seconds < start_seconds:
                continue
            ledger.decoded += 1
            if decoded.is_corrupt:
                ledger.failed += 1
            elif is_due:
                ledger.analysed += 1
            else:
                ledger.skipped += 1
            if is_due:
                plane, is_full_range = luma(decoded)
                gray = as_displayed(plane, display_matrix(decoded))
                yield Frame(index, pts, info.time_base, seconds, gray, bool(decoded.is_corrupt), is_full_range)


def _decode(container: Any, stream: Any, info: VideoInfo, segment: Segment, ledger: Ledger) -> Iterator[Any]:
    """Frames as the decoder gives them, from at or before the segment's start; packets that fail are counted."""
    bad_in_a_row = 0
    for packet in _packets(container, stream, segment, info.time_base):
        is_own = packet.pts is not None and (
            (segment.start_pts is None or packet.pts >= segment.start_pts)
            and (segment.end_pts is None or packet.pts < segment.end_pts)
        )
        counts = packet.size > 0 and (is_own or (packet.pts is None and segment.start_pts is None))
        ledger.packets += counts
        try:
            frames = packet.decode()
            bad_in_a_row = 0
        except av.EOFError:
            return
        except av.FFmpegError:
            ledger.bad_packets += counts
            bad_in_a_row += 1
            if bad_in_a_row >= MAX_BAD_PACKETS_IN_A_ROW:
                return
            continue
        yield from frames


def _packets(container: Any, stream: Any, segment: Segment, time_base: Fraction) -> Iterator[Any]:
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
