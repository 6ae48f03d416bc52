"""Reads a part of a video as decoded frames with the times of its analysis. Knows nothing of faces or clips.

Used for all images of a run: annotated videos, evidence, previews and stills.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from fervid.base.types import Segment, VideoInfo
from fervid.errors import VideoUnreadable
from fervid.video.clock import REORDER_FRAMES, FrameClock
from fervid.video.container import as_fraction, demuxed
from fervid.video.packets import cut_packets, segment_packets
from fervid.video.probe import FALLBACK_FRAME_RATE, PacketPlan, open_video, probe

PLANS_KEPT = 4
"""Plans of videos with repaired times that are kept in memory: making one reads the whole file."""


class Analysed(Protocol):
    """What a finished analysis says of its video; a run's manifest does."""

    @property
    def video_path(self) -> str: ...
    @property
    def video(self) -> dict[str, Any]: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def start_time_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A video as one analysis read it: the container's start time, and whether its stamps were used as they are."""

    path: Path
    max_pixels: int
    start_time_seconds: float = 0.0
    has_own_times: bool = True
    stream: int | None = None
    turn_degrees: int = 0

    @classmethod
    def of(cls, manifest: Analysed) -> VideoSource:
        """The video of a run."""
        return cls.of_content(
            {
                "video_path": manifest.video_path,
                "video": manifest.video,
                "settings": manifest.settings,
                "start_time_s": manifest.start_time_s,
            }
        )

    @classmethod
    def of_content(cls, content: Mapping[str, Any]) -> VideoSource:
        """The same from a manifest's plain values."""
        return cls(
            Path(content["video_path"]),
            int(content["settings"]["video"]["max_pixels"]),
            float(content["start_time_s"]),
            content["video"].get("time_source", "pts") == "pts",
            content["video"].get("stream"),
            int(content["video"].get("turn_degrees", 0)),
        )


def frames_between(source: VideoSource, start_seconds: float, end_seconds: float) -> Iterator[tuple[float, Any, Any]]:
    """(seconds, stream, decoded frame) with start <= seconds < end, in order. Damaged packets are left out."""
    reading = _with_own_times(source, start_seconds) if source.has_own_times else _with_plan(source, start_seconds)
    for seconds, stream, frame in reading:
        if seconds >= end_seconds:
            return
        if seconds >= start_seconds:
            yield seconds, stream, frame


def _with_own_times(source: VideoSource, start_seconds: float) -> Iterator[tuple[float, Any, Any]]:
    """Frames from at or before `start_seconds` on, by seeking; from the beginning where that leads nowhere."""
    for is_sought in (True, False):
        with open_video(source.path, max_pixels=source.max_pixels, stream=source.stream) as (container, stream):
            stream.thread_type = "AUTO"
            base = as_fraction(stream.time_base)
            packets: Iterator[Any] | None = None
            if is_sought and start_seconds > 0:
                packets = cut_packets(container, stream, int((start_seconds + source.start_time_seconds) / base), base)
                if packets is None:
                    continue  # the position in the file is not known any more: it is opened again
            rate = float(stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE)
            clock = FrameClock(base, source.start_time_seconds, max(1, round(1 / rate / base)))
            for _, seconds, frame in clock.shown(_decoded(packets or demuxed(container, stream))):
                yield seconds, stream, frame
            return


def _with_plan(source: VideoSource, start_seconds: float) -> Iterator[tuple[float, Any, Any]]:
    """The same for a video whose times were repaired: read from its beginning, decoded from a key frame on."""
    info, plan = plan_of(source)
    whole = Segment("", 0, 0.0, info.duration_seconds, None, None, 0)
    with open_video(source.path, max_pixels=source.max_pixels, stream=source.stream) as (container, stream):
        stream.thread_type = "AUTO"
        packets = segment_packets(container, stream, whole, info, plan)
        wanted = _packets_from_key(packets, plan, info, start_seconds) if plan.has_times else packets
        for _, seconds, frame in plan.clock(info).shown(_decoded(wanted)):
            yield seconds, stream, frame


def _packets_from_key(packets: Iterator[Any], plan: PacketPlan, info: VideoInfo, start_seconds: float) -> Iterator[Any]:
    """Packets from the last key frame on far enough before the start for sorting to be settled."""
    target = (start_seconds + info.start_time_seconds) / info.time_base
    margin = REORDER_FRAMES * int(np.median(np.diff(plan.pts))) if len(plan.pts) > 1 else 0
    earlier = plan.closed_pts[plan.closed_pts <= float(target) - margin]
    key = int(earlier[-1]) if len(earlier) else None
    is_reached = key is None
    for packet in packets:
        is_reached |= packet.pts == key and packet.is_keyframe
        if is_reached:
            yield packet


def plan_of(source: VideoSource) -> tuple[VideoInfo, PacketPlan]:
    """The plan of a video, made once while the file stays the same."""
    try:
        status = source.path.stat()
    except OSError as problem:
        raise VideoUnreadable(f"{source.path} cannot be read ({problem.strerror}). Check its disk.") from None
    return _plan(source.path, source.max_pixels, source.stream, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=PLANS_KEPT)
def _plan(
    path: Path,
    max_pixels: int,
    stream: int | None,
    n_bytes: int,  # noqa: ARG001
    modified_ns: int,  # noqa: ARG001
) -> tuple[VideoInfo, PacketPlan]:
    return probe(path, max_pixels=max_pixels, stream=stream)


def _decoded(packets: Iterator[Any]) -> Iterator[Any]:
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.EOFError:
            return
        except av.FFmpegError:
            continue
        yield from frames
