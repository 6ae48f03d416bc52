"""Clips whose every frame shows its own number, and the awkward files that cameras and people make of such clips."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np

BITS, STRIPE_PX, HEIGHT = 12, 16, 96
RATE = 25
FORMS = {"ts": "mpegts", "mkv": "matroska", "wmv": "asf", "mpg": "mpeg"}
WHOLE_RATE_CODECS = ("mpeg2video", "mpeg4", "mjpeg", "mpeg1video")


def numbered(number: int, *, size: tuple[int, int] = (BITS * STRIPE_PX, HEIGHT)) -> np.ndarray:
    """RGB uint8 (H, W, 3): a white or black stripe for each bit of the number."""
    width, height = size
    bits = (number >> np.arange(BITS)) & 1
    levels = np.where(bits[np.arange(width) * BITS // width] == 1, 215, 40).astype(np.uint8)
    return np.repeat(np.broadcast_to(levels, (height, width))[..., None], 3, axis=2)


def number_of(gray: np.ndarray) -> int:
    """The number that a picture (H, W) shows, read in the middle row of each stripe."""
    width = gray.shape[1]
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    row = gray[gray.shape[0] // 3 : gray.shape[0] // 2].mean(axis=0)
    return int(((row[centres] > 128) << np.arange(BITS)).sum())


def numbered_clip(
    suffix: str,
    numbers: Sequence[int],
    *,
    codec: str = "libx264",
    rate: int = RATE,
    b_frames: int = 0,
    gop: int = 25,
    first_seconds: float = 0.0,
    times: Sequence[float] | None = None,
    size: tuple[int, int] = (BITS * STRIPE_PX, HEIGHT),
    options: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a clip of these numbers, the n-th at `times[n]`, else at its place at `rate`."""
    times = times if times is not None else [i / rate for i in range(len(numbers))]
    base = Fraction(1, rate) if codec in WHOLE_RATE_CODECS or suffix == "avi" else Fraction(1, 90_000)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "clip"
        with av.open(str(made), "w", format=FORMS.get(suffix, suffix), options=options or {}) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            context = stream.codec_context
            context.gop_size, context.max_b_frames = gop, b_frames
            stream.time_base = context.time_base = base
            if codec == "libx264":
                stream.options = {"preset": "veryfast", "x264-params": f"keyint={gop}:scenecut=0:bframes={b_frames}"}
            for number, time in zip(numbers, times, strict=True):
                frame = av.VideoFrame.from_ndarray(numbered(number, size=size), format="rgb24")
                frame.time_base, frame.pts = base, round((time + first_seconds) / base)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return made.read_bytes()


def remuxed_with_decoding_times(source: bytes, form: str) -> bytes:
    """The packets of a clip with their decoding times for presentation times, as careless recorders write them."""
    made = BytesIO()
    with av.open(BytesIO(source)) as given, av.open(made, "w", format=form) as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        first: int | None = None
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                first = packet.dts if first is None else first
                packet.pts = packet.dts = packet.dts - first
                packet.stream = stream
                out.mux(packet)
    return made.getvalue()
