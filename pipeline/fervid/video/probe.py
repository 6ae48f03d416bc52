"""Open a video safely, read what it is, and plan it from its packets. Decodes nothing.

Safe opening: a regular file, a whitelist of container formats (a playlist in disguise could make the decoder read
other local files), only the `file:` protocol, and a limit on the frame size against decompression bombs.
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
from fervid.errors import TooDamaged, VideoUnreadable
from fervid.storage.files import check_regular_file
from fervid.storage.place import Place, is_on_disk, open_for_reading
from fervid.video.clock import MISSING, FrameClock, Repair, repair
from fervid.video.container import as_fraction, container_time, demuxed, open_container
from fervid.video.streams import choose_stream, described
from fervid.video.transport import ends_within_a_packet
from fervid.video.units import is_bidirectional, is_refresh

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,h264,hevc,mjpeg,ogg,mxf,gif,dhav,mpegvideo,m4v"
LATE_FORMATS = ("flv", "mpegts", "mpeg")
"""Containers that tell of a stream when its first packet comes."""
LOOK_LONGER = {"probesize": "100000000", "analyzeduration": "600000000"}
OPEN_TIMEOUT_SECONDS = (10.0, 30.0)
FALLBACK_FRAME_RATE = 25.0
SPLITTABLE_CONTAINERS = ("mov", "matroska", "webm", "mpegts")
COUNTED_CONTAINERS = ("h264", "hevc", "mjpeg")
"""Elementary streams: whatever stamps their packets have are made up by FFmpeg."""
LOOKED_AT_FOR_REORDERING = 2000
"""So many packets of a stream that may reorder frames, and whose stamps do not, are searched for one that does."""
UNEVEN_GAP, UNEVEN_SHARE = 0.05, 0.02
"""A gap is uneven from this share off the median on; a rate is variable when more than that share of gaps is."""
LONG_GAP, LONG_GAP_SECONDS = 3.0, 0.5
"""A gap is long from so many usual ones on, and from so many seconds."""
HELD_SHARE = 0.5
"""Of a stream that leaves repeated frames out so many of the uneven gaps are whole multiples of the usual one."""
MAX_REORDER = 32
"""H.264 and HEVC reorder at most 16 frames; a packet further from its place in time means a clock that jumps."""


@dataclass(frozen=True, slots=True)
class PacketPlan:
    """The packets of the video stream, as the container lists them: nothing is decoded.

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
    """The duration in the header, or None. Headers may be wrong: compare, never trust."""
    claims_picture_alone: bool = False
    """Whether that speaks of the video stream, not of the longest stream."""
    others_end_seconds: float = 0.0
    """Where the sound ends, looked for where the header speaks of all streams."""
    is_interlaced: bool = False
    """Whether the first frame holds lines of two moments."""
    is_cut_off: bool = False
    """Whether the file ends within a packet."""
    repair: Repair | None = None
    """The stamps that the packets get where their own are not sound; `pts` and `keyframe_pts` are of these then."""

    def clock(self, info: VideoInfo) -> FrameClock:
        """A clock for the frames of this video, to be used for one reading of it."""
        step = int(np.median(np.diff(self.pts))) if len(self.pts) > 1 else 1
        return FrameClock(
            info.time_base,
            info.start_time_seconds,
            max(1, step),
            counts=not self.has_times,
            is_sorted=self.repair is not None and self.repair.is_sorted,
        )


@contextmanager
def open_video(path: Place, *, max_pixels: int, stream: int | None = None) -> Iterator[tuple[Any, Any]]:
    """Open `path` and yield (container, video stream), both closed at the end.

    `stream` is the number of the video stream, from 0; None chooses one. Raises VideoNotFound, VideoUnreadable or
    NoVideoStream with the reason.
    """
    status = check_regular_file(path)
    with _source(path, status.n_bytes) as (source, protocols):
        options = {"format_whitelist": FORMATS, "protocol_whitelist": protocols}
        container = _opened(source, path, options)
        if container.format.name in LATE_FORMATS and not container.streams.video:
            container.close()
            container = _opened(source, path, options | LOOK_LONGER)
        with container:
            yield container, _checked(choose_stream(container, path, stream)[0], path, max_pixels)


def _opened(source: Any, path: Place, options: dict[str, str]) -> Any:
    try:
        if hasattr(source, "seek"):
            source.seek(0)
        return open_container(source, options=options, timeout=OPEN_TIMEOUT_SECONDS)
    except (av.FFmpegError, ValueError, OSError) as problem:
        raise VideoUnreadable(f"{path} cannot be opened as a video ({_reason(problem)}). {_hint(path)}") from None


@contextmanager
def _source(path: Place, n_bytes: int) -> Iterator[tuple[Any, str]]:
    """What FFmpeg opens, and the protocols that it may use: none for an object, whose bytes it is handed."""
    if is_on_disk(path):
        # The prefix keeps names such as `pipe:0.mp4` or `concat:a|b` from being taken for protocols.
        yield f"file:{path.absolute()}", "file"
        return
    with open_for_reading(path, n_bytes=n_bytes) as file:
        yield file, "none"


def probe(
    path: Place, *, max_pixels: int, stream: int | None = None, turn_degrees: int = 0
) -> tuple[VideoInfo, PacketPlan]:
    """What the video is, and the plan of its packets: one pass over the file, of which one frame is decoded.

    `stream` as for `open_video`; images are turned clockwise by `turn_degrees`, on top of what the file says.
    """
    with open_video(path, max_pixels=max_pixels, stream=stream) as (container, frame):
        _, number, streams = choose_stream(container, path, stream)
        stream_names = described(streams) if len(streams) > 1 else ""
        info, plan = _probed(path, container, frame, turn_degrees)
        stated, source = container_time(container, frame)
    return replace(
        info, stream=number, stream_names=stream_names, container_time=stated, container_time_source=source
    ), plan


def _probed(path: Place, container: Any, stream: Any, turn_degrees: int) -> tuple[VideoInfo, PacketPlan]:
    width, height = stream.codec_context.width, stream.codec_context.height
    plan, rotation = _read_plan(container, stream)
    if container.format.name == "mpegts" and ends_within_a_packet(path):
        plan = replace(plan, is_cut_off=True)
    if plan.n_packets == 0:
        raise TooDamaged(f"{path} has no video data. Give a complete file.")
    rate = float(stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE)
    # FLV and some MKV files state their clock (1000/1) as a frame rate; the packets know better.
    if plan.has_times and len(plan.pts) > 1:
        rate = float((len(plan.pts) - 1) / ((plan.pts[-1] - plan.pts[0]) * stream.time_base))
    time_base = as_fraction(stream.time_base) if plan.has_times else 1 / Fraction(rate).limit_denominator(1001)
    start = _start_seconds(container, plan, time_base) if plan.has_times else 0.0
    end = float(plan.end_pts * time_base) if plan.has_times else plan.n_packets / rate
    gaps = np.diff(plan.pts)
    uneven = np.abs(gaps - np.median(gaps)) > max(1.0, UNEVEN_GAP * np.median(gaps)) if len(gaps) else np.zeros(1)
    rotation = (rotation + turn_degrees) % 360
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
        turn_degrees=turn_degrees,
        sample_aspect_ratio=as_fraction(stream.sample_aspect_ratio or 1),
        time_source=_time_source(plan),
        first_frame_seconds=float(plan.pts[0] * time_base) - start if plan.has_times else 0.0,
        frame_spacing_seconds=float(np.median(gaps) * time_base) if plan.has_times and len(gaps) else 1 / rate,
        holds_frames=plan.has_times and _holds_frames(plan, float(time_base)),
    )
    return info, plan


def _holds_frames(plan: PacketPlan, tick_seconds: float) -> bool:
    """Whether long gaps are frames that are shown on: of a stream that leaves repeated frames out, large or small.

    Such gaps are multiples of the usual one. Behind a pause of a recording there is a key frame, and the frames around
    it are even.
    """
    gaps = np.diff(plan.pts)
    if not len(gaps):
        return False
    usual = float(np.median(gaps))
    is_long = gaps > max(LONG_GAP * usual, LONG_GAP_SECONDS / tick_seconds)
    if not is_long.any() or np.isin(plan.pts[1:][is_long], plan.keyframe_pts).all():
        return False
    off = np.abs(gaps - usual) > max(1.0, UNEVEN_GAP * usual)
    short = gaps[off & ~is_long]
    is_multiple = np.abs(short / usual - np.round(short / usual)) <= UNEVEN_GAP
    return len(short) > 0 and float(is_multiple.mean()) >= HELD_SHARE


def _time_source(plan: PacketPlan) -> str:
    if not plan.has_times:
        return "assumed_fps"
    return "pts" if plan.repair is None else "repaired_pts"


def _checked(stream: Any, path: Place, max_pixels: int) -> Any:
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
    packets = _PacketList(container.format.name, context)
    look: tuple[int, bool] | None = None
    is_last_torn, others_end = False, 0.0
    # Where the header speaks of all streams together, sound may be what lasts so long.
    watched = [stream] if stream.duration else [stream, *container.streams.audio]
    try:
        for packet in demuxed(container, *watched):
            if packet.stream_index != stream.index:
                if packet.pts is not None:
                    others_end = max(others_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                continue
            if look is None:
                look = _first_look(packet)
            if packet.size:
                is_last_torn = bool(packet.is_corrupt)
                packets.add(packet)
    except av.FFmpegError:
        pass  # what could be read before the damage is the plan; the reader counts the loss
    plan = packets.plan(claimed=claimed, claims_picture_alone=bool(stream.duration), is_cut_off=is_last_torn)
    start = (container.start_time or 0) / av.time_base
    rotation, is_interlaced = look or (0, False)
    return replace(plan, others_end_seconds=max(0.0, others_end - start), is_interlaced=is_interlaced), rotation


class _PacketList:
    """What the packets of a video stream say, in file order. Those that an edit list hides are numbered as well."""

    def __init__(self, container: str, context: Any) -> None:
        self._container, self._context = container, context
        self._pts: list[int] = []
        self._dts: list[int] = []
        self._is_hidden: list[bool] = []
        self._keys: list[int] = []
        self._refreshes: list[int] = []
        self._end_pts = 0
        self._may_be_decoding_order = context.name in ("h264", "hevc") and bool(context.has_b_frames)
        self._n_looked_at = 0
        self._is_bidirectional = False

    def add(self, packet: Any) -> None:
        """Add one packet with data."""
        context, at = self._context, len(self._pts)
        pts, dts = packet.pts, packet.dts
        self._pts.append(MISSING if pts is None else pts)
        self._dts.append(MISSING if dts is None else dts)
        self._is_hidden.append(bool(packet.is_discard))
        if packet.is_discard:
            return
        if packet.is_keyframe:
            self._keys.append(at)
            if context.name not in ("h264", "hevc") or is_refresh(packet, context):
                self._refreshes.append(at)
        if pts is not None:
            self._end_pts = max(self._end_pts, pts + (packet.duration or 0))
        if self._may_be_decoding_order and not self._is_bidirectional:
            is_ascending = at == 0 or (pts is not None and pts > self._pts[at - 1])
            self._n_looked_at += 1
            self._may_be_decoding_order = is_ascending and self._n_looked_at <= LOOKED_AT_FOR_REORDERING
            self._is_bidirectional = is_bidirectional(packet, context)

    def plan(self, *, claimed: float, claims_picture_alone: bool, is_cut_off: bool) -> PacketPlan:
        """The plan of these packets."""
        pts, dts = np.array(self._pts, np.int64), np.array(self._dts, np.int64)
        is_shown = ~np.array(self._is_hidden, bool)
        keys, refreshes = np.array(self._keys, np.intp), np.array(self._refreshes, np.intp)
        end_pts, found = self._end_pts, None
        has_times = len(pts) > 0 and self._container not in COUNTED_CONTAINERS
        if has_times and not (self._are_sound(pts, is_shown, keys) and not self._are_of_decoding(pts, dts)):
            found = repair(pts, dts, keys, is_decoding_order=self._are_of_decoding(pts, dts))
            has_times = found is not None
            if found is not None:
                pts, end_pts = found.stamps, 0
        has_own_times = has_times and not (found is not None and found.is_sorted)
        shown = pts[is_shown & (pts != MISSING)]
        order = np.argsort(shown, kind="stable")
        distinct = np.unique(shown)
        if len(distinct) > 1:
            end_pts = max(end_pts, int(distinct[-1] + np.median(np.diff(distinct))))
        has_index = any(name in SPLITTABLE_CONTAINERS for name in self._container.split(","))
        intra_only = bool(self._context.codec.intra_only)
        stamped_keys = pts[keys]
        return PacketPlan(
            pts=shown[order],
            end_pts=end_pts,
            keyframe_pts=stamped_keys[stamped_keys != MISSING],
            n_packets=int(is_shown.sum()),
            has_times=has_times,
            has_own_times=has_own_times,
            is_splittable=has_own_times and found is None and has_index,
            closed_pts=shown[order] if intra_only else _closed(pts, refreshes),
            is_intra_only=intra_only,
            claimed_seconds=float(claimed) or None,
            claims_picture_alone=claims_picture_alone,
            is_cut_off=is_cut_off,
            repair=found,
        )

    @staticmethod
    def _are_sound(pts: np.ndarray, is_shown: np.ndarray, keys: np.ndarray) -> bool:
        """Whether every packet has a stamp of its own, close to its place in the file."""
        shown = pts[is_shown]
        order = np.argsort(shown, kind="stable")
        return (
            len(shown) > 0
            and bool((shown != MISSING).all())
            and len(np.unique(shown)) == len(shown)
            and bool((np.diff(pts[keys]) > 0).all())
            and bool((np.abs(order - np.arange(len(order))) <= MAX_REORDER).all())
        )

    def _are_of_decoding(self, pts: np.ndarray, dts: np.ndarray) -> bool:
        """Whether the stamps tell the order of decoding alone. AVI has no others, and FFmpeg moves them by a frame."""
        if self._container == "avi" and self._context.name in ("h264", "hevc"):
            return bool((pts != dts).any())
        return self._may_be_decoding_order and self._is_bidirectional and bool((np.diff(pts) > 0).all())


def _closed(in_file_order: np.ndarray, refreshes: np.ndarray) -> np.ndarray:
    """The pts of those key frames before which everything is shown that comes before them in the file, and no more."""
    if not len(refreshes):
        return np.zeros(0, np.int64)
    latest_before = np.maximum.accumulate(in_file_order)
    earliest_from = np.minimum.accumulate(in_file_order[::-1])[::-1]
    at = refreshes
    is_closed = (latest_before[at] == in_file_order[at]) & (earliest_from[at] == in_file_order[at])
    return np.asarray(in_file_order[at[is_closed]])


def _start_seconds(container: Any, plan: PacketPlan, time_base: Fraction) -> float:
    if container.start_time is not None:
        return float(container.start_time) / av.time_base
    return float(plan.pts[0] * time_base)


def _first_look(packet: Any) -> tuple[int, bool] | None:
    """Of a packet's frame the clockwise degrees that a player turns it by, from its display matrix, and whether it is
    interlaced; None before a frame."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return 0, False  # a damaged start has no matrix to read; the reader turns every frame by its own
    return (int(-frames[0].rotation) % 360, bool(frames[0].interlaced_frame)) if frames else None


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
