"""Copies the sound of a part of a video into a clip, with its own clock. Knows nothing of images.

Sound that an MP4 takes is copied bit by bit; other sound becomes AAC, with silence where it has gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np

from fervid.video.packets import readable_packets
from fervid.video.probe import open_video
from fervid.video.stretch import VideoSource, plan_of

COPIED_SOUND = ("aac", "mp3", "ac3")
"""Codecs that MP4 supports; other sound is re-encoded."""
SEEK_BACKOFF_SECONDS = 2.0
SMALLEST_GAP_SECONDS = 0.03
"""Stamps in milliseconds are not exact: smaller gaps and overlaps are left as they are."""
LEAST_STEP_BACK_SECONDS = 0.5
"""A step back of so much begins another recording."""


class Sound:
    """The sound of one stretch. Its stream has to exist before anything is written to the clip."""

    def __init__(
        self,
        out: Any,
        source: VideoSource,
        start_seconds: float,
        end_seconds: float,
        *,
        copied: tuple[str, ...] = COPIED_SOUND,
    ) -> None:
        self._out, self._source = out, source
        self._start, self._end = start_seconds, end_seconds
        self._stream: Any = None
        self._shifts: tuple[float, ...] = ()
        if not source.has_own_times:
            info, plan = plan_of(source)
            shifts = plan.repair.shifts if plan.repair is not None else ()
            self._shifts = tuple(float(shift * info.time_base) for shift in shifts)
        with open_video(source.path, max_pixels=source.max_pixels) as (container, _):
            self._is_copied = False
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                return
            codec = container.streams.audio[0].codec_context
            self._is_copied = codec.name in copied
            if self._is_copied:
                self._stream = out.add_stream_from_template(container.streams.audio[0])
            else:
                layout = "mono" if codec.channels == 1 else "stereo"
                self._stream = out.add_stream("aac", rate=codec.sample_rate or 48_000, layout=layout)

    def copy(self) -> None:
        """Write the sound of the stretch."""
        if self._stream is None:
            return
        with open_video(self._source.path, max_pixels=self._source.max_pixels) as (container, _):
            stream = container.streams.audio[0]
            if len(self._shifts) < 2:
                _seek(container, stream, self._start + self._source.start_time_seconds - SEEK_BACKOFF_SECONDS)
            packets = (
                (seconds, packet)
                for seconds, packet in self._timed(readable_packets(container, stream))
                if self._start <= seconds < self._end
            )
            if self._is_copied:
                self._copy_packets(packets)
            else:
                self._encode_again(packets)

    def _timed(self, packets: Iterable[Any]) -> Iterator[tuple[float, Any]]:
        """Seconds of each packet on the video's timeline. Joined recordings are moved as their images are."""
        part, last = 0, None
        for packet in packets:
            if packet.pts is None:
                continue
            raw = float(packet.pts * packet.time_base)
            if last is not None and raw < last - LEAST_STEP_BACK_SECONDS:
                part += 1
            last = raw
            shift = self._shifts[min(part, len(self._shifts) - 1)] if self._shifts else 0.0
            yield raw + shift - self._source.start_time_seconds, packet

    def _copy_packets(self, packets: Iterable[tuple[float, Any]]) -> None:
        last = None
        for seconds, packet in packets:
            packet.pts = packet.dts = round((seconds - self._start) / packet.time_base)
            if last is not None and packet.dts <= last:
                continue
            last = packet.dts
            packet.stream = self._stream
            self._out.mux(packet)

    def _encode_again(self, packets: Iterable[tuple[float, Any]]) -> None:
        context = self._stream.codec_context
        rate = context.sample_rate
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=rate)
        n_channels = len(context.layout.channels)
        position = 0
        for seconds, packet in packets:
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            due = max(0, round((seconds - self._start) * rate))
            for frame in frames:
                if due - position > SMALLEST_GAP_SECONDS * rate:
                    for first, last in pairwise([*range(position, due, rate), due]):
                        silence = np.zeros((n_channels, last - first), np.float32)
                        self._encode(av.AudioFrame.from_ndarray(silence, "fltp", context.layout.name), first)
                    position = due
                for piece in resampler.resample(frame):
                    self._encode(piece, position)
                    position += piece.samples
                due += round(frame.samples * rate / (frame.sample_rate or rate))
        self._out.mux(self._stream.encode())

    def _encode(self, frame: Any, position: int) -> None:
        frame.sample_rate = self._stream.codec_context.sample_rate
        frame.pts, frame.time_base = position, Fraction(1, frame.sample_rate)
        self._out.mux(self._stream.encode(frame))


def _seek(container: Any, stream: Any, seconds: float) -> None:
    try:
        container.seek(max(0, int(seconds / stream.time_base)), stream=stream, backward=True)
    except (av.FFmpegError, OverflowError):
        return  # a container without seeking is read from its beginning
