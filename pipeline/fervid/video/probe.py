"""Open a video safely, read what it is, and plan it from its packets. Decodes nothing.

Safe opening: a regular file, a whitelist of container formats (a playlist in disguise could make the decoder read
other local files), the `file:` protocol alone, and a cap on the picture size against decompression bombs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from fervid.base.types import VideoInfo
from fervid.errors import NoVideoStream, TooDamaged, VideoUnreadable
from fervid.storage.files import check_regular_file
from fervid.storage.place import Place, is_on_disk, open_for_reading
from fervid.video.container import as_fraction, open_container
from fervid.video.transport import ends_within_a_packet
from fervid.video.units import is_refresh

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
    `has_own_times` says whether every packet has a time of its own, close to its place in the file; `is_splittable`
    whether decoding may begin at any key frame too.
    `closed_pts` int64 (c,) are the key frames that no reference crosses; of a codec without references, all frames.
    """

    pts: np.ndarray
    end_pts: int
    keyframe_pts: np.ndarray
    n_packets: int
    has_times: bool
    has_own_times: bool
    is_splittable: bool
    closed_pts: np.ndarray
    is_intra_only: bool = False
    claimed_seconds: float | None = None
    """The duration that the header claims, None where it claims nothing. Headers lie: compare, never trust."""
    claims_picture_alone: bool = False
    """Whether that speaks of the picture stream, not of the longest stream."""
    is_cut_off: bool = False
    """Whether the file ends within a packet."""


@contextmanager
def open_video(path: Place, *, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """Open `path` and yield (container, picture stream), both closed at the end.

    Raises VideoNotFound, VideoUnreadable or NoVideoStream with the reason.
    """
    status = check_regular_file(path)
    with _source(path, status.n_bytes) as (source, protocols):
        options = {"format_whitelist": FORMATS, "protocol_whitelist": protocols}
        try:
            container = open_container(source, options=options, timeout=OPEN_TIMEOUT_SECONDS)
        except (av.FFmpegError, ValueError, OSError) as problem:
            raise VideoUnreadable(f"{path} cannot be opened as a video ({_reason(problem)}). {_hint(path)}") from None
        with container:
            yield container, _picture_stream(container, path, max_pixels)


@contextmanager
def _source(path: Place, n_bytes: int) -> Iterator[tuple[Any, str]]:
    """What FFmpeg opens, and the protocols that it may use: none for an object, whose bytes it is handed."""
    if is_on_disk(path):
        # The prefix keeps names such as `pipe:0.mp4` or `concat:a|b` from being taken for protocols.
        yield f"file:{path.absolute()}", "file"
        return
    with open_for_reading(path, n_bytes=n_bytes) as file:
        yield file, "none"


def probe(path: Place, *, max_pixels: int) -> tuple[VideoInfo, PacketPlan]:
    """What the video is, and the plan of its packets: one pass over the file, of which one picture is decoded."""
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        plan, rotation = _read_plan(container, stream)
        if container.format.name == "mpegts" and ends_within_a_packet(path):
            plan = replace(plan, is_cut_off=True)
        if plan.n_packets == 0:
            raise TooDamaged(f"{path} holds no picture data. Give a complete file.")
        rate = float(stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE)
        # FLV and some MKV files state their clock (1000/1) as a frame rate; the packets know better.
        if plan.has_times and len(plan.pts) > 1:
            rate = float((len(plan.pts) - 1) / ((plan.pts[-1] - plan.pts[0]) * stream.time_base))
        time_base = as_fraction(stream.time_base) if plan.has_times else 1 / Fraction(rate).limit_denominator(1001)
        start = _start_seconds(container, stream) if plan.has_times else 0.0
        end = float(plan.end_pts * time_base) if plan.has_times else plan.n_packets / rate
        gaps = np.diff(plan.pts)
        uneven = np.abs(gaps - np.median(gaps)) > max(1.0, UNEVEN_GAP * np.median(gaps)) if len(gaps) else np.zeros(1)
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
            sample_aspect_ratio=as_fraction(stream.sample_aspect_ratio or 1),
            time_source="pts" if plan.has_times else "assumed_fps",
        )
    return info, plan


def _picture_stream(container: Any, path: Place, max_pixels: int) -> Any:
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


def _read_plan(container: Any, stream: Any) -> tuple[PacketPlan, int]:
    """The plan, and the clockwise degrees that a player turns the first frame by."""
    context = stream.codec_context
    context.thread_count = 1
    claimed = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / av.time_base
    times: list[int] = []
    keys: list[int] = []
    refreshes: list[int] = []
    n_packets = 0
    end_pts = 0
    rotation: int | None = None
    is_last_torn = False
    try:
        for packet in container.demux(stream):
            if rotation is None:
                rotation = _rotation_degrees(packet)
            if packet.size == 0 or packet.is_discard:
                continue
            n_packets += 1
            is_last_torn = bool(packet.is_corrupt)
            pts = packet.pts
            if pts is None:
                continue
            if packet.is_keyframe:
                keys.append(len(times))
                if context.name not in ("h264", "hevc") or is_refresh(packet, context):
                    refreshes.append(len(times))
            times.append(pts)
            end_pts = max(end_pts, pts + (packet.duration or 0))
    except av.FFmpegError:
        pass  # what could be read before the damage is the plan; the reader counts the loss
    in_file_order = np.array(times, np.int64)
    order = np.argsort(in_file_order, kind="stable")
    pts_in_order, key_pts = in_file_order[order], in_file_order[keys]
    distinct = np.unique(in_file_order)
    if len(distinct) > 1:
        end_pts = max(end_pts, int(distinct[-1] + np.median(np.diff(distinct))))
    has_own_times = (
        0 < len(distinct) == n_packets
        and bool((np.diff(key_pts) > 0).all())
        and bool((np.abs(order - np.arange(len(order))) <= MAX_REORDER).all())
    )
    has_index = any(name in SPLITTABLE_CONTAINERS for name in container.format.name.split(","))
    intra_only = bool(context.codec.intra_only)
    plan = PacketPlan(
        pts=pts_in_order,
        end_pts=end_pts,
        keyframe_pts=key_pts,
        n_packets=n_packets,
        # Where most packets share their time with another, or have none, the times mean nothing.
        has_times=2 * len(distinct) > n_packets,
        has_own_times=has_own_times,
        is_splittable=has_own_times and has_index,
        closed_pts=pts_in_order if intra_only else _closed(in_file_order, refreshes),
        is_intra_only=intra_only,
        claimed_seconds=float(claimed) or None,
        claims_picture_alone=bool(stream.duration),
        is_cut_off=is_last_torn,
    )
    return plan, rotation or 0


def _closed(in_file_order: np.ndarray, refreshes: list[int]) -> np.ndarray:
    """The pts of those key frames before which everything is shown that comes before them in the file, and no more."""
    if not refreshes:
        return np.zeros(0, np.int64)
    latest_before = np.maximum.accumulate(in_file_order)
    earliest_from = np.minimum.accumulate(in_file_order[::-1])[::-1]
    at = np.array(refreshes)
    is_closed = (latest_before[at] == in_file_order[at]) & (earliest_from[at] == in_file_order[at])
    return np.asarray(in_file_order[at[is_closed]])


def _start_seconds(container: Any, stream: Any) -> float:
    if container.start_time is not None:
        return float(container.start_time) / av.time_base
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def _rotation_degrees(packet: Any) -> int | None:
    """Clockwise degrees that a player turns a packet's picture by, from its display matrix; None before a picture."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return 0  # a damaged start has no matrix to read; the reader turns every frame by its own
    return int(-frames[0].rotation) % 360 if frames else None


def _reason(problem: Exception) -> str:
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return str(text)


def _hint(path: Place) -> str:
    with open_for_reading(path, is_all_wanted=False) as file:
        head = file.read(4096)
    if b"ftyp" in head[:16]:
        return "Its index is missing or damaged, as when a recording was cut off; repair it or record again."
    if head.startswith((b"#EXTM3U", b"ffconcat")):
        return "It is a playlist; give the video files themselves."
    return "Give a video file such as MP4, MOV, MKV, WebM, AVI or MPEG-TS."
