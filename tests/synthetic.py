"""Small videos made on the spot: a public-domain portrait that moves on a known path, at chosen times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from fervid.base.opencv import cv2
from fervid.demo.photograph import portrait

SIZE = (320, 240)
FACE_PX = 96
TIME_BASE = Fraction(1, 90_000)

Picture = Callable[[float], np.ndarray]


@cache
def face_patch() -> np.ndarray:
    """The head of the portrait, uint8, of which a square of about FACE_PX is the face."""
    return np.asarray(cv2.resize(portrait()[20:420, 60:460], (150, 150), interpolation=cv2.INTER_AREA))


def empty_picture(_seconds: float = 0.0) -> np.ndarray:
    """A gradient without a face."""
    return np.tile(np.linspace(40, 140, SIZE[0]), (SIZE[1], 1)).astype(np.uint8)


def moving_face(seconds: float) -> np.ndarray:
    """The face wandering over the gradient: left edge at 85 + 60 sin(t) pixels."""
    picture = empty_picture()
    left = round(85 + 60 * np.sin(seconds))
    patch = face_patch()
    picture[60 : 60 + len(patch), left : left + patch.shape[1]] = patch
    return picture


def face_until(end: float) -> Picture:
    """The moving face up to `end` seconds, the empty picture afterwards."""
    return lambda seconds: moving_face(seconds) if seconds < end else empty_picture()


def write_video(
    path: Path,
    times: Sequence[float],
    picture: Picture = moving_face,
    *,
    codec: str = "libx264",
    gop: int = 25,
    first_pts_seconds: float = 0.0,
    size: tuple[int, int] = SIZE,
) -> Path:
    """Encode `picture(t)` at each time of `times` (seconds from the first frame), exact to 1/90,000 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.codec_context.gop_size = gop
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "18"}
        for seconds in times:
            gray = picture(seconds)
            frame = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, axis=2), format="rgb24")
            frame.pts = round((seconds + first_pts_seconds) / TIME_BASE)
            frame.time_base = TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    """A second of silence without any picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, i * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def constant_rate(seconds: float, rate: float = 25.0) -> list[float]:
    """Times of a constant frame rate."""
    return [i / rate for i in range(round(seconds * rate))]


def variable_rate(seconds: float, *, seed: int = 7) -> list[float]:
    """Times whose gaps jump between 20 and 160 ms."""
    rng = np.random.default_rng(seed)
    gaps = rng.choice([0.02, 0.033, 0.04, 0.08, 0.16], size=int(seconds / 0.02))
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    return [float(t) for t in times[times < seconds]]


def without_landmarks(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks float32 (n, 5, 2) and pose float32 (n, 3) of faces whose detector finds none."""
    return np.full((n, 5, 2), np.nan, np.float32), np.full((n, 3), np.nan, np.float32)
