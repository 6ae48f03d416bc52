"""Make a short clip of a moving face from a photograph that an installed package brings. Knows nothing of analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from fervid.base.opencv import cv2
from fervid.errors import DependencyMissing

WIDTH_PX, HEIGHT_PX, FRAME_RATE, SECONDS = 640, 360, 25, 12
FACE_SECONDS = 9
"""The portrait leaves the frame after this, so that the result shows an empty stretch too."""


def portrait() -> np.ndarray:
    """Rear Admiral Grace Hopper, 1984, an official photograph of the US Navy in the public domain: uint8 (H, W) gray.

    It comes with matplotlib as a sample image.
    """
    from matplotlib import get_data_path

    file = Path(get_data_path()) / "sample_data" / "grace_hopper.jpg"
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DependencyMissing(
            f"matplotlib's sample image {file} is missing. Reinstall matplotlib, or analyse a video."
        )
    return np.asarray(image, np.uint8)


def make_demo_clip(path: Path) -> Path:
    """Write an H.264 clip to `path`: the portrait drifts and grows over a gradient, brightens and dims, then leaves."""
    photograph = portrait()[:430, 30:480]
    path.parent.mkdir(parents=True, exist_ok=True)
    ground = np.tile(np.linspace(60, 120, WIDTH_PX), (HEIGHT_PX, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for i in range(SECONDS * FRAME_RATE):
            seconds = i / FRAME_RATE
            canvas = ground.copy()
            if seconds < FACE_SECONDS:
                scale = 0.62 + 0.12 * np.sin(seconds * 0.9)
                face = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(float)
                face = face * (1 + 0.2 * np.sin(seconds * 1.7))
                height, width = face.shape
                left = round((WIDTH_PX - width) / 2 * (1 + 0.6 * np.sin(seconds * 0.7)))
                canvas[HEIGHT_PX - height :, left : left + width] = face
            gray = np.clip(canvas, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_portrait_clip(path: Path, *, seconds: float) -> Path:
    """Write an H.264 clip of the portrait alone, still, in the middle of each frame."""
    ground = np.full((HEIGHT_PX, WIDTH_PX), 90, np.uint8)
    face = cv2.resize(portrait()[:430, 30:480], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    left = (WIDTH_PX - face.shape[1]) // 2
    ground[HEIGHT_PX - face.shape[0] :, left : left + face.shape[1]] = face
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for _ in range(round(seconds * FRAME_RATE)):
            frame = av.VideoFrame.from_ndarray(np.repeat(ground[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def repeat_clip(clip: Path, path: Path, n: int, *, clip_seconds: float) -> Path:
    """Write the packets of a clip to `path`, `n` times one after the other, without coding them again.

    The clip begins with a key frame, as every drawn one does.
    """
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        time_base: Any = stream.time_base
        step = round(clip_seconds / time_base)
        packets: list[Any] = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size]
        for i in range(n):
            for content, pts, dts, is_key in packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = copy, time_base, is_key
                packet.pts, packet.dts = pts + i * step, dts + i * step
                target.mux(packet)
    return path
