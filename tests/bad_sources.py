"""Sound clips in any container, and the tools that spoil them: encoding, boxes of MP4, pictures that are bombs."""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np

SECONDS, RATE, SIZE = 3.0, 25, (160, 120)
TICKS = 90_000
FASTEST = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"}}
FASTEST |= {"libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}, "libsvtav1": {"preset": "11"}}
OF_WHOLE_FRAMES = frozenset(("mpeg2video", "mpeg4", "wmv2", "flv1", "h263", "mjpeg", "gif"))
"""Encoders that take no finer clock than the frame rate."""

os.environ.setdefault("SVT_LOG", "1")  # its encoder greets on stderr otherwise


@cache
def texture(width: int, height: int) -> np.ndarray:
    """A pattern that gives packets of some size, uint8 (H, 2 W, 3)."""
    rng = np.random.default_rng(1)
    blocks = rng.integers(40, 200, (height // 8 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)[:height, : 2 * width]


def clip(
    name: str = "clip.mp4",
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    times: Sequence[float] | None = None,
    seconds: float = SECONDS,
    rate: float = RATE,
    gop: int = 25,
    b_frames: int = 0,
    first_seconds: float = 0.0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    **attributes: Any,
) -> bytes:
    """The bytes of a clip of a moving pattern; the suffix of `name` tells the container."""
    times = times if times is not None else [i / rate for i in range(max(1, round(seconds * rate)))]
    width, height = size
    suffix = name.rpartition(".")[2]
    form = {"ts": "mpegts", "mkv": "matroska", "wmv": "asf"}.get(suffix, suffix)
    time_base = Fraction(1, TICKS) if codec not in OF_WHOLE_FRAMES else Fraction(1, round(rate))
    # A file, not memory: to move the index to the front the muxer reads again what it wrote.
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "clip"
        container = av.open(str(made), "w", format=form, options=container_options or {})
        stream = container.add_stream(codec, rate=round(rate))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        context = stream.codec_context
        context.gop_size, context.max_b_frames = gop, b_frames
        stream.time_base = context.time_base = time_base
        stream.options = FASTEST.get(codec, {}) | (options or {})
        for name_of, value in attributes.items():
            setattr(context, name_of, value)
        wide = texture(width, height)
        for i, time in enumerate(times):
            offset = (3 * i) % width
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(wide[:, offset : offset + width]), format="rgb24")
            if pix_fmt != "rgb24":
                frame = frame.reformat(format=pix_fmt)
            frame.time_base, frame.pts = time_base, round((time + first_seconds) / time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        container.close()
        return made.read_bytes()


@cache
def mp4(*, faststart: bool = False, fragmented: bool = False) -> bytes:
    """The plain clip, its index at the end, at the start or in pieces."""
    flags = "+faststart" if faststart else "frag_keyframe+empty_moov" if fragmented else ""
    return clip(container_options={"movflags": flags} if flags else None)


@cache
def ts() -> bytes:
    """The plain clip as a transport stream."""
    return clip("clip.ts")


def remuxed(name: str, source: bytes, *, shift_seconds: float = 0.0, **options: str) -> bytes:
    """The packets of a clip in another container, without encoding, at other times."""
    made = BytesIO()
    with (
        av.open(BytesIO(source)) as given,
        av.open(made, "w", format={"mkv": "matroska"}.get(name.rpartition(".")[2], "mp4"), options=options) as out,
    ):
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                shift = round(shift_seconds / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                out.mux(packet)
    return made.getvalue()


def dav(source: bytes, *, rate: int = 10) -> bytes:
    """The H.264 packets of an Annex B stream in the container of Dahua recorders, dated 2024-10-01 10:00:01.

    A packet: `DHAV`, kind, three numbers, its index, length, packed date, milliseconds, extensions, content, `dhav`.
    """
    made = bytearray()
    shape = bytes((0x81, 0, 2, rate))  # H.264, frames per second
    with av.open(BytesIO(source), format="h264") as given:
        for number, packet in enumerate(packet for packet in given.demux(video=0) if packet.size):
            seconds, left = divmod(number, rate)
            date = ((((24 << 4 | 10) << 5 | 1) << 5 | 10) << 6) << 6 | (1 + seconds)
            content = bytes(packet)
            length = 24 + len(shape) + len(content) + 8
            kind = 0xFD if packet.is_keyframe else 0xFC
            head = b"DHAV" + struct.pack("<BBBBIIIHBB", kind, 0, 0, 0, number, length, date, left * 1000 // rate, 4, 0)
            made += head + shape + content + b"dhav" + struct.pack("<I", length)
    return bytes(made)


def sound(name: str, *, with_cover: bool = False) -> bytes:
    """A second of a tone; with a picture on its cover."""
    made = BytesIO()
    with av.open(made, "w", format=name) as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1) if with_cover else None
        if cover is not None:
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, i * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if cover is not None:
            gray = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
            container.mux([*cover.encode(gray), *cover.encode()])
    return made.getvalue()


def png(width: int, height: int) -> bytes:
    """A black gray picture of any size: 30,000 x 30,000 pixels are a hundred kilobytes."""
    rows = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    packed = b"".join([*(rows.compress(row) for _ in range(height)), rows.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")):
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


def picture_as_video(width: int, height: int) -> bytes:
    """One huge picture as a QuickTime video."""
    made = BytesIO()
    with av.open(made, "w", format="mov") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        packet = av.Packet(png(width, height))
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
        container.mux(packet)
    return made.getvalue()


def box(content: bytes, path: str) -> slice:
    """Where the payload of an MP4 box lies, as in `moov/trak/mdia`; the first of each name."""
    start, end = 0, len(content)
    for name in path.split("/"):
        start, end = next((a, b) for kind, a, b in _boxes(content, start, end) if kind == name.encode())
    return slice(start, end)


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        length, header = int.from_bytes(content[start : start + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        length = length or end - start
        if length < header:
            return
        yield content[start + 4 : start + 8], start + header, min(start + length, end)
        start += length


def overwritten(content: bytes, path: str, offset: int, *numbers: int) -> bytes:
    """An MP4 whose box holds these 32-bit numbers from `offset` of its payload on."""
    at = box(content, path).start + offset
    packed = b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)
    return content[:at] + packed + content[at + len(packed) :]


def cut_off(content: bytes, share: float = 0.6) -> bytes:
    """The first part of a file."""
    return content[: int(len(content) * share)]


def write(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path
