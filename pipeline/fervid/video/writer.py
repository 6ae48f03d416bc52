"""Read a stretch of a video as colour pictures, and write one as an H.264 clip with its sound. Knows no face.

Times are seconds on the video's timeline, as everywhere; a clip keeps the spacing of its frames, even or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fervid.errors import OutputError, VideoUnreadable
from fervid.storage.publish import written_whole
from fervid.video.container import as_fraction
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.probe import open_video

CLIP_TIME_BASE = Fraction(1, 90_000)
COPIED_SOUND = ("aac", "mp3", "ac3")
"""What an MP4 takes as it is; other sound is encoded again."""
SEEK_BACKOFF_SECONDS = 2.0
QUALITY = "23"
"""x264's constant rate factor: its own default."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame as a player shows it: RGB uint8 (H, W, 3). `seconds` on the video's timeline."""

    seconds: float
    rgb: np.ndarray
    pixel_aspect: Fraction


def read_pictures(
    path: Path, *, start_seconds: float, end_seconds: float, start_time_seconds: float, max_pixels: int
) -> Iterator[Picture]:
    """The frames with start <= time < end, in order. Damaged packets are left out.

    `start_time_seconds` is the container's start time, which the run's manifest keeps.
    """
    for seconds, stream, frame in _frames(path, start_seconds, end_seconds, start_time_seconds, max_pixels):
        yield Picture(seconds, _as_shown(frame), _pixel_aspect(stream, frame))


def read_gray(
    path: Path, *, start_seconds: float, end_seconds: float, start_time_seconds: float, max_pixels: int
) -> Iterator[tuple[float, np.ndarray, Fraction]]:
    """Seconds, luma uint8 (H, W) as shown, and pixel aspect of the same frames: a third of the cost of colour."""
    for seconds, stream, frame in _frames(path, start_seconds, end_seconds, start_time_seconds, max_pixels):
        yield seconds, as_displayed(luma(frame)[0], display_matrix(frame)), _pixel_aspect(stream, frame)


def _frames(
    path: Path, start_seconds: float, end_seconds: float, start_time_seconds: float, max_pixels: int
) -> Iterator[tuple[float, Any, Any]]:
    """Seconds, stream and decoded frame."""
    with open_video(path, max_pixels=max_pixels) as (container, stream):
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        first = start_seconds + start_time_seconds
        if start_seconds > SEEK_BACKOFF_SECONDS and stream.time_base:
            _seek(container, stream, first - SEEK_BACKOFF_SECONDS)
        n = 0
        for packet in _packets(container, stream):
            try:
                frames = packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError:
                continue
            for frame in frames:
                pts = frame.pts if frame.pts is not None else frame.dts
                # A stream without times is played at its rate; it cannot be seeked in, so it is read from its start.
                seconds = n / rate if pts is None else float(pts * frame.time_base) - start_time_seconds
                n += 1
                if seconds >= end_seconds:
                    return
                if seconds >= start_seconds:
                    yield seconds, stream, frame


def write_clip(
    target: Path,
    pictures: Iterable[Picture],
    *,
    start_seconds: float,
    end_seconds: float,
    sound_from: Path | None,
    start_time_seconds: float,
    max_pixels: int,
    is_private: bool = False,
) -> int:
    """Write pictures as an MP4 in one atomic step; returns how many. With `sound_from` its sound of that time is kept.

    A private clip, with faces left open, is readable for its owner alone.

    Sound that an MP4 takes is copied bit by bit; other sound becomes AAC. An odd last row or column is left out: H.264
    stores colour for every second one. Raises OutputError when no picture came or the disk refuses.
    """
    try:
        with written_whole(target, is_private=is_private) as partial:
            n = _write_pictures(
                partial, pictures, start_seconds, end_seconds, sound_from, start_time_seconds, max_pixels
            )
            if n == 0:
                span = f"{start_seconds:.1f} to {end_seconds:.1f} s"
                raise OutputError(f"{target.name}: no picture of {span} could be read.")
    except (av.FFmpegError, OSError) as problem:
        raise OutputError(
            f"{target} cannot be written ({getattr(problem, 'strerror', None) or problem}). Give another folder."
        ) from None
    return n


def _write_pictures(
    path: Path,
    pictures: Iterable[Picture],
    start_seconds: float,
    end_seconds: float,
    sound_from: Path | None,
    start_time_seconds: float,
    max_pixels: int,
) -> int:
    n = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        video: Any = None
        sound: _Sound | None = None
        last = -1
        for picture in pictures:
            height, width = (side - side % 2 for side in picture.rgb.shape[:2])
            if video is None:
                video = _video_stream(out, width, height, picture.pixel_aspect)
                if sound_from is not None:
                    sound = _Sound(out, sound_from, start_seconds, end_seconds, start_time_seconds, max_pixels)
            if (height, width) != (video.height, video.width):
                continue  # a stream that changes its size in the middle: the rest does not fit into this clip
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.rgb[:height, :width]), format="rgb24")
            frame.pts = max(last + 1, round((picture.seconds - start_seconds) / CLIP_TIME_BASE))
            frame.time_base, last = CLIP_TIME_BASE, frame.pts
            out.mux(video.encode(frame))
            n += 1
        if video is not None:
            out.mux(video.encode())
            if sound is not None:
                sound.copy()
    return n


def _video_stream(out: Any, width: int, height: int, pixel_aspect: Fraction) -> Any:
    stream = out.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = CLIP_TIME_BASE
    if pixel_aspect != 1:
        stream.codec_context.sample_aspect_ratio = pixel_aspect
    stream.options = {"preset": "veryfast", "crf": QUALITY}
    return stream


class _Sound:
    """The sound of a stretch of a file, on its way into a clip. Its stream has to exist before anything is written."""

    def __init__(
        self, out: Any, path: Path, start: float, end: float, start_time_seconds: float, max_pixels: int
    ) -> None:
        self._out, self._path, self._max_pixels = out, path, max_pixels
        self._start, self._end, self._offset = start, end, start_time_seconds
        self._stream: Any = None
        with open_video(path, max_pixels=max_pixels) as (container, _):
            self._is_copied = False
            if container.streams.audio:
                source = container.streams.audio[0]
                if source.codec_context is None:
                    return
                self._is_copied = source.codec_context.name in COPIED_SOUND
                if self._is_copied:
                    self._stream = out.add_stream_from_template(source)
                else:
                    layout = "mono" if source.codec_context.channels == 1 else "stereo"
                    self._stream = out.add_stream("aac", rate=source.codec_context.sample_rate or 48_000, layout=layout)

    def copy(self) -> None:
        if self._stream is None:
            return
        with open_video(self._path, max_pixels=self._max_pixels) as (container, _):
            source = container.streams.audio[0]
            _seek(container, source, self._start + self._offset - SEEK_BACKOFF_SECONDS)
            packets = (p for p in _packets(container, source) if p.pts is not None and self._lies_within(p))
            if self._is_copied:
                self._copy_packets(packets)
            else:
                self._encode_again(packets)

    def _lies_within(self, packet: Any) -> bool:
        seconds = float(packet.pts * packet.time_base) - self._offset
        return self._start <= seconds < self._end

    def _copy_packets(self, packets: Iterable[Any]) -> None:
        last = None
        for packet in packets:
            shift = round((self._start + self._offset) / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts
            if last is not None and packet.dts <= last:
                continue
            last = packet.dts
            packet.stream = self._stream
            self._out.mux(packet)

    def _encode_again(self, packets: Iterable[Any]) -> None:
        context = self._stream.codec_context
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate)
        position = None
        for packet in packets:
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if position is None:
                    first = float((frame.pts or 0) * frame.time_base) - self._offset - self._start
                    position = max(0, round(first * context.sample_rate))
                for piece in resampler.resample(frame):
                    piece.pts, piece.time_base = position, Fraction(1, context.sample_rate)
                    position += piece.samples
                    self._out.mux(self._stream.encode(piece))
        self._out.mux(self._stream.encode())


def _seek(container: Any, stream: Any, seconds: float) -> None:
    try:
        container.seek(max(0, int(seconds / stream.time_base)), stream=stream, backward=True)
    except av.FFmpegError:
        container.seek(0)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


def _as_shown(frame: Any) -> np.ndarray:
    matrix = display_matrix(frame)
    rgb = frame.to_ndarray(format="rgb24")
    return np.stack([as_displayed(rgb[..., i], matrix) for i in range(3)], axis=-1) if matrix is not None else rgb


def _pixel_aspect(stream: Any, frame: Any) -> Fraction:
    """Width / height of a pixel as shown: a quarter turn turns the pixels too."""
    ratio = as_fraction(stream.sample_aspect_ratio or 1)
    matrix = display_matrix(frame)
    return 1 / ratio if matrix is not None and matrix[0] == 0 else ratio


def check_is_there(path: Path) -> None:
    """Raises VideoUnreadable when the video of a run has gone since."""
    if not path.is_file():
        raise VideoUnreadable(
            f"{path} is not there any more, so no clip can be cut from it. Put it back, or go without."
        )
