"""Open a video safely, read what it is, and plan it from its packets. Decodes nothing.

Safe opening: a regular file, a whitelist of container formats (a playlist in disguise could make the decoder read
other local files), the `file:` protocol alone, and a cap on the picture size against decompression bombs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fervid.errors import NoVideoStream, TooDamaged, VideoNotFound, VideoUnreadable
from fervid.types import VideoInfo

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,h264,hevc,mjpeg,ogg,mxf,gif"
OPEN_TIMEOUT_SECONDS = (10.0, 30.0)
FALLBACK_FRAME_RATE = 25.0
SPLITTABLE_CONTAINERS = ("mov", "matroska", "webm", "mpegts")
UNEVEN_GAP, UNEVEN_SHARE = 0.05, 0.02
"""A gap is uneven from this share off the median on; a rate is variable when more than that share of gaps is."""
MAX_REORDER = 32
"""H.264 and HEVC reorder at most 16 frames; a packet further from its place in time means a clock that jumps."""


@dataclass(frozen=True, slots=True)
class PacketPlan:
    """The packets of the picture stream, as the container lists them: nothing is decoded.

    `pts` int64 (n,) in presentation order; `end_pts` where the last one ends; `keyframe_pts` int64 (k,).
    `is_splittable` says whether every packet has a time of its own and decoding may begin at any key frame.
    """

    pts: np.ndarray
    end_pts: int
    keyframe_pts: np.ndarray
    n_packets: int
    has_times: bool
    is_splittable: bool


@contextmanager
def open_video(path: Path, *, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """Open `path` and yield (container, picture stream), both closed at the end.

    Raises VideoNotFound, VideoUnreadable or NoVideoStream with the reason.
    """
    _check_regular_file(path)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        # The prefix keeps names such as `pipe:0.mp4` or `concat:a|b` from being taken for protocols.
        container = av.open(
            f"file:{path.absolute()}", options=options, timeout=OPEN_TIMEOUT_SECONDS, metadata_errors="replace"
        )
    except (av.FFmpegError, ValueError, OSError) as problem:
        raise VideoUnreadable(f"{path} cannot be opened as a video ({_reason(problem)}). {_hint(path)}") from None
    with container:
        yield container, _picture_stream(container, path, max_pixels)


def probe(path: Path, *, max_pixels: int) -> tuple[VideoInfo, PacketPlan]:
    """What the video is, and the plan of its packets (one pass over the file, nothing decoded)."""
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        plan = _read_plan(container, stream)
        if plan.n_packets == 0:
            raise TooDamaged(f"{path} holds no picture data. Give a complete file.")
        rate = float(stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE)
        # FLV and some MKV files state their clock (1000/1) as a frame rate; the packets know better.
        if plan.has_times and len(plan.pts) > 1:
            rate = float((len(plan.pts) - 1) / ((plan.pts[-1] - plan.pts[0]) * stream.time_base))
        time_base = stream.time_base if plan.has_times else 1 / Fraction(rate).limit_denominator(1001)
        start = _start_seconds(container, stream) if plan.has_times else 0.0
        end = float(plan.end_pts * time_base) if plan.has_times else plan.n_packets / rate
        gaps = np.diff(plan.pts)
        uneven = np.abs(gaps - np.median(gaps)) > max(1.0, UNEVEN_GAP * np.median(gaps)) if len(gaps) else np.zeros(1)
        rotation = _rotation_degrees(path, max_pixels)
        width, height = stream.codec_context.width, stream.codec_context.height
        if rotation % 180:
            width, height = height, width
        info = VideoInfo(
            path=path,
            width_px=width,
            height_px=height,
            average_frame_rate=rate,
            is_variable_rate=plan.has_times and bool(uneven.mean() > UNEVEN_SHARE),
            duration_seconds=max(0.0, end - start),
            start_time_seconds=start,
            time_base=time_base,
            codec=stream.codec_context.name,
            container=container.format.name,
            rotation_degrees=rotation,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            time_source="pts" if plan.has_times else "assumed_fps",
        )
    return info, plan


def claimed_duration_seconds(path: Path, *, max_pixels: int) -> tuple[float | None, bool]:
    """The duration that the header claims, and whether it speaks of the picture stream alone (else of all streams).

    None where it claims nothing. Headers lie: compare, never trust.
    """
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        if stream.duration:
            return float(stream.duration * stream.time_base), True
        return (container.duration / av.time_base if container.duration else None), False


def _check_regular_file(path: Path) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise VideoNotFound(f"{path} does not exist. Check the path.") from None
    except OSError as problem:
        raise VideoUnreadable(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    if not stat.S_ISREG(status.st_mode):
        raise VideoUnreadable(f"{path} is not a regular file. Give a video file, or a folder of them.")
    if status.st_size == 0:
        raise VideoUnreadable(f"{path} is empty (0 bytes). Give a complete video file.")
    if not os.access(path, os.R_OK):
        raise VideoUnreadable(f"{path} cannot be read (permission denied). Check its permissions.")


def _picture_stream(container: Any, path: Path, max_pixels: int) -> Any:
    pictures = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not pictures:
        kinds = ["cover picture" if s in container.streams.video else s.type for s in container.streams]
        listed = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))) or "none"
        raise NoVideoStream(f"{path} has no video stream (streams: {listed}). Give a file with a video stream.")
    stream = pictures[0]
    context = stream.codec_context
    if context is None:
        raise VideoUnreadable(
            f"{path} uses a codec that this build of FFmpeg cannot decode. Convert it to H.264 first."
        )
    if context.width * context.height > max_pixels:
        raise VideoUnreadable(
            f"{path} has frames of {context.width}x{context.height} pixels, above the limit of {max_pixels:,}. "
            "Raise it with --set video.max_pixels=N if the file can be trusted."
        )
    context.options = {"max_pixels": str(max_pixels)}
    return stream


def _read_plan(container: Any, stream: Any) -> PacketPlan:
    times: list[int] = []
    keys: list[int] = []
    n_packets = 0
    end_pts = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            n_packets += 1
            if packet.pts is None:
                continue
            times.append(packet.pts)
            end_pts = max(end_pts, packet.pts + (packet.duration or 0))
            if packet.is_keyframe:
                keys.append(packet.pts)
    except av.FFmpegError:
        pass  # what could be read before the damage is the plan; the reader counts the loss
    in_file_order = np.array(times, np.int64)
    order = np.argsort(in_file_order, kind="stable")
    pts = in_file_order[order]
    distinct = np.unique(pts)
    if len(distinct) > 1:
        end_pts = max(end_pts, int(pts[-1] + np.median(np.diff(distinct))))
    splittable = (
        len(distinct) == n_packets
        and bool((np.diff(np.array(keys, np.int64)) > 0).all())
        and bool((np.abs(order - np.arange(len(order))) <= MAX_REORDER).all())
        and any(name in SPLITTABLE_CONTAINERS for name in container.format.name.split(","))
    )
    # Where most packets share their time with another, or have none, the times mean nothing.
    has_times = 2 * len(distinct) > n_packets
    return PacketPlan(pts, end_pts, np.array(keys, np.int64), n_packets, has_times, splittable)


def _start_seconds(container: Any, stream: Any) -> float:
    if container.start_time is not None:
        return float(container.start_time) / av.time_base
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def _rotation_degrees(path: Path, max_pixels: int) -> int:
    """Clockwise degrees that a player turns the picture by, from the display matrix of the first frame that decodes."""
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        try:
            for frame in container.decode(stream):
                return int(-frame.rotation) % 360
        except av.FFmpegError:
            pass  # a damaged start has no matrix to read; the reader turns every frame by its own
    return 0


def _reason(problem: Exception) -> str:
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return str(text)


def _hint(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    if b"ftyp" in head[:16]:
        return "Its index is missing or damaged, as when a recording was cut off; repair it or record again."
    if head.startswith((b"#EXTM3U", b"ffconcat")):
        return "It is a playlist; give the video files themselves."
    return "Give a video file such as MP4, MOV, MKV, WebM, AVI or MPEG-TS."
