"""A webcam, a stream or a file as captured frames, read in a thread of its own; a lost source is connected to again.

Streams are opened with network protocols alone: nothing that they send can make the decoder open a local file. Knows no
face.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import av
import numpy as np

from fervid.base.opencv import cv2
from fervid.base.types import Frame, Segment, VideoInfo
from fervid.errors import FervidError, InputError, NoVideoStream, TooDamaged, VideoUnreadable
from fervid.live.address import Address
from fervid.live.clock import StreamClock
from fervid.live.slot import NewestSlot
from fervid.video.container import open_container
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.packets import segment_packets
from fervid.video.probe import FALLBACK_FRAME_RATE, PacketPlan, open_video, probe

log = logging.getLogger(__name__)

Pace = Literal["real", "unpaced"]

STREAM_FORMATS = "rtsp,rtp,sdp,mpegts,mpjpeg,mjpeg,flv,mov,mp4,matroska,webm,hls,h264,hevc,live_flv,jpeg_pipe"
# Decision VID-8.
STREAM_PROTOCOLS = "rtsp,rtsps,rtp,udp,tcp,tls,http,https,httpproxy,crypto,rtmp,rtmps"
STREAM_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "1000000", "probesize": "1000000"}
"""Interleaved in TCP: over UDP a lost packet smears frames, and firewalls stand in the way. What is read to find out
what the stream is gets decoded too, as it holds the key frame that all others need until the next one."""
UNSTAMPED_FORMATS = ("mpjpeg", "mjpeg", "jpeg_pipe", "h264", "hevc")
"""Their frames carry no times; what the library makes up for them has nothing to do with when they were taken."""
OPEN_SECONDS, READ_SECONDS = 10.0, 10.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
MAX_BAD_PACKETS_IN_A_ROW = 300
MOST_LATE_SECONDS = 0.5
"""Where decoding cannot keep up with a file's pace for so long, the rest is played later: no delay builds up."""
MICROSECONDS = Fraction(1, 1_000_000)


@dataclass(slots=True)
class Captured:
    """A frame as it came in: `seconds` on the source's timeline, `arrived` on this machine's monotonic clock.

    Images are converted on demand, so that a dropped frame costs only its decoding.
    """

    index: int
    pts: int
    time_base: Fraction
    seconds: float
    arrived: float
    connection: int
    """Which connection it came over, from 0: after a gap faces may be others."""
    is_corrupt: bool
    _picture: Any
    _matrix: tuple[int, int, int, int] | None = None
    pixel_aspect: float = 1.0

    def frame(self) -> Frame:
        """The luma plane as displayed."""
        if isinstance(self._picture, np.ndarray):
            gray, is_full_range = cv2.cvtColor(self._picture, cv2.COLOR_BGR2GRAY), True
        else:
            plane, is_full_range = luma(self._picture)
            gray = as_displayed(plane, self._matrix)
        return Frame(
            self.index, self.pts, self.time_base, self.seconds, np.asarray(gray), self.is_corrupt, is_full_range
        )

    def rgb(self) -> np.ndarray:
        """The frame as displayed, RGB uint8 (H, W, 3); the caller may draw into it."""
        if isinstance(self._picture, np.ndarray):
            return np.asarray(cv2.cvtColor(self._picture, cv2.COLOR_BGR2RGB), np.uint8)
        rgb = self._picture.to_ndarray(format="rgb24")
        if self._matrix is not None:
            rgb = np.stack([as_displayed(rgb[..., i], self._matrix) for i in range(3)], axis=-1)
        return np.asarray(rgb, np.uint8)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is, as far as its first connection says."""

    codec: str
    container: str
    frame_rate: float
    time_base: Fraction
    rotation_degrees: int = 0


@dataclass(slots=True)
class Status:
    """The status of a source; read by the views while the capturing thread writes it."""

    text: str = "connecting"
    captured: int = 0
    bad_packets: int = 0
    reconnects: int = 0
    clock_jumps: int = 0


class Capture:
    """Reads a source in a thread into a slot of one frame. Use it as a context; the thread ends with it.

    A file ends; a webcam or a stream that is lost is opened again after a while, twice as long each time in vain. With
    `pace` "unpaced" a file is read as fast as its frames are taken, and none is dropped. The first attempt has to
    succeed unless `waits_for_source`; what it raises is raised where frames are taken.
    """

    def __init__(
        self, address: Address, *, pace: Pace, max_pixels: int, loops: bool = False, waits_for_source: bool = False
    ) -> None:
        self.slot: NewestSlot[Captured] = NewestSlot(keeps_all=address.kind == "file" and pace == "unpaced")
        self.status = Status()
        self.info: SourceInfo | None = None
        self._address, self._pace, self._max_pixels = address, pace, max_pixels
        self._loops, self._waits = loops, waits_for_source
        self._stopping = threading.Event()
        self._clock = StreamClock()
        self._planned: tuple[VideoInfo, PacketPlan] | None = None
        self._packet_arrived = 0.0
        self._matrices: dict[float, tuple[int, int, int, int] | None] = {}
        self._thread = threading.Thread(target=self._run, name="fervid capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.slot.close()
        # A read that hangs in a library cannot be interrupted; the thread ends with its time limit, or the process.
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            if self._address.kind == "file":
                self._play_file()
            else:
                self._stay_connected()
        except BaseException as problem:
            self.slot.close(problem)
        else:
            self.slot.close()

    # Files -----------------------------------------------------------------------------------------------------------

    def _play_file(self) -> None:
        played = 0.0
        for connection in range(1_000_000 if self._loops else 1):
            if self._stopping.is_set():
                break
            last = self._play_once(connection, played)
            if last is None:
                if self.status.captured == 0 and not self._stopping.is_set():
                    raise TooDamaged(f"{self._address.shown}: none of its frames can be decoded. Give an intact copy.")
                break
            played = last
        self.status.text = "ended"

    def _play_once(self, connection: int, played: float) -> float | None:
        """Play the file from `played` seconds of the session on; returns where it ended, None without any frame."""
        path = Path(self._address.text)
        begun: float | None = None
        seconds = None
        info, plan = self._planned = self._planned or probe(path, max_pixels=self._max_pixels)
        whole = Segment("", 0, 0.0, info.duration_seconds, None, None, 0)
        with open_video(path, max_pixels=self._max_pixels) as (container, stream):
            step, time_base = 1 / info.average_frame_rate, info.time_base
            self._describe(container, stream, info.average_frame_rate, time_base)
            images = self._decoded(segment_packets(container, stream, whole, info, plan), stream)
            for pts, own, image in plan.clock(info).shown(images):
                seconds = played + own
                if begun is None:
                    begun = monotonic() - own
                due = begun + own
                if self._pace == "real" and (late := monotonic() - due) > MOST_LATE_SECONDS:
                    begun, due = begun + late, due + late
                if self._pace == "real" and self._stopping.wait(max(0.0, due - monotonic())):
                    return None
                arrived = due if self._pace == "real" else monotonic()
                if not self._put(image, pts, time_base, seconds, arrived, connection, aspect=_aspect(stream)):
                    return None
        return None if seconds is None else seconds + step

    # Webcams and streams ---------------------------------------------------------------------------------------------

    def _stay_connected(self) -> None:
        connection, backoff = 0, FIRST_BACKOFF_SECONDS
        read = self._read_webcam if self._address.kind == "webcam" else self._read_stream
        while not self._stopping.is_set():
            before = self.status.captured
            try:
                read(connection)
                reason = "it ended"
            except FervidError as problem:
                if self.info is None and not self._waits:
                    raise
                reason = str(problem)
            if self._stopping.is_set():
                return
            if self.status.captured > before:
                backoff, connection = FIRST_BACKOFF_SECONDS, connection + 1
            self.status.text = f"lost; connecting again in {backoff:g} s"
            log.warning("%s was lost (%s); connecting again in %g s", self._address.shown, reason, backoff)
            self._clock.reconnect()
            self.status.reconnects += 1
            self._stopping.wait(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    def _read_stream(self, connection: int) -> None:
        with open_stream(self._address, max_pixels=self._max_pixels) as (container, stream):
            rate = float(stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE)
            self._describe(container, stream, rate, MICROSECONDS)
            for image in self._decoded(container.demux(stream), stream):
                arrived = self._packet_arrived
                is_stamped = image.pts is not None and container.format.name not in UNSTAMPED_FORMATS
                stamp = float(image.pts * stream.time_base) if is_stamped else None
                if not self._arrive(image, stamp, arrived, connection, _aspect(stream)):
                    return

    def _read_webcam(self, connection: int) -> None:
        camera = cv2.VideoCapture(int(self._address.text))
        try:
            if not camera.isOpened():
                raise InputError(
                    f"{self._address.shown} cannot be opened. Check that a camera is plugged in, that no other program "
                    "uses it, and that you may use it; the second camera is 1."
                )
            camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            rate = float(camera.get(cv2.CAP_PROP_FPS)) or 30.0
            self.info = self.info or SourceInfo("raw", camera.getBackendName().lower(), rate, MICROSECONDS)
            self.status.text = "live"
            while not self._stopping.is_set():
                is_read, bgr = camera.read()
                arrived = monotonic()
                if not is_read:
                    raise InputError(f"{self._address.shown} sends no frames. Check its cable.")
                if not self._arrive(bgr, None, arrived, connection, 1.0):
                    return
        finally:
            camera.release()

    # Both ------------------------------------------------------------------------------------------------------------

    def _arrive(self, image: Any, stamp: float | None, arrived: float, connection: int, aspect: float) -> bool:
        seconds = self._clock.seconds(stamp, arrived)
        self.status.clock_jumps = self._clock.jumps
        return self._put(
            image, round(seconds / MICROSECONDS), MICROSECONDS, seconds, arrived, connection, aspect=aspect
        )

    def _put(
        self, image: Any, pts: int, base: Fraction, seconds: float, arrived: float, connection: int, *, aspect: float
    ) -> bool:
        frame = Captured(self.status.captured, pts, base, seconds, arrived, connection, False, image)
        if isinstance(image, av.VideoFrame):
            frame.is_corrupt, frame._matrix = bool(image.is_corrupt), self._matrix_of(image)
        is_turned = frame._matrix is not None and frame._matrix[0] == 0
        frame.pixel_aspect = 1 / aspect if is_turned else aspect
        self.status.captured += 1
        return self.slot.put(frame) and not self._stopping.is_set()

    def _matrix_of(self, image: Any) -> tuple[int, int, int, int] | None:
        # Once a rotation: a frame whose side data was read keeps its frame until Python's collector comes round.
        rotation = image.rotation
        if rotation not in self._matrices:
            self._matrices[rotation] = display_matrix(image)
        return self._matrices[rotation]

    def _describe(self, container: Any, stream: Any, rate: float, time_base: Fraction) -> None:
        if self.info is None:
            self.info = SourceInfo(stream.codec_context.name, container.format.name, rate, time_base)
        self.status.text = "live" if self._address.kind == "stream" else "playing"

    def _decoded(self, packets: Iterator[Any], stream: Any) -> Iterator[Any]:
        """Images as they are decoded; `_packet_arrived` is when the packet came that gave the last one."""
        stream.thread_type = "SLICE"  # threads by frame hold images back, one per thread
        bad_in_a_row = 0
        while not self._stopping.is_set():
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as problem:
                if self._address.kind == "file":
                    return
                raise VideoUnreadable(f"{self._address.shown}: {_reason(problem)}.") from None
            self._packet_arrived = monotonic()
            try:
                images = packet.decode()
                bad_in_a_row = 0
            except av.EOFError:
                return
            except av.FFmpegError:
                self.status.bad_packets += 1
                bad_in_a_row += 1
                if bad_in_a_row >= MAX_BAD_PACKETS_IN_A_ROW:
                    raise VideoUnreadable(f"{self._address.shown} sends nothing that can be decoded.") from None
                continue
            yield from images


@contextmanager
def open_stream(address: Address, *, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """Connect to a stream; yields (container, video stream). Raises VideoUnreadable or NoVideoStream."""
    options = STREAM_OPTIONS | {"format_whitelist": STREAM_FORMATS, "protocol_whitelist": STREAM_PROTOCOLS}
    try:
        container = open_container(address.text, options=options, timeout=(OPEN_SECONDS, READ_SECONDS))
    except (av.FFmpegError, ValueError, OSError) as problem:
        raise VideoUnreadable(
            f"{address.shown} cannot be opened ({_reason(problem)}). Check address, user and password, and that the "
            "camera can be reached."
        ) from None
    with container:
        images = [s for s in container.streams.video if s.codec_context is not None]
        if not images:
            raise NoVideoStream(f"{address.shown} sends no frames. Give the address of a video stream.")
        context = images[0].codec_context
        if context.width * context.height > max_pixels:
            raise VideoUnreadable(
                f"{address.shown} sends {context.width}x{context.height} pixels, above the limit of {max_pixels:,}. "
                "Raise it with --set video.max_pixels=N if the camera can be trusted."
            )
        context.options = {"max_pixels": str(max_pixels)}
        yield container, images[0]


def _aspect(stream: Any) -> float:
    return float(stream.sample_aspect_ratio or 1)


def _reason(problem: BaseException) -> str:
    return str(getattr(problem, "strerror", None) or problem or type(problem).__name__)
