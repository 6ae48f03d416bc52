"""Whether memory grows with the length of a video, and what it is at each size of picture.

    python benchmarks/long_video.py [--hours 2] [--json FILE]
    python benchmarks/long_video.py --sizes [--json FILE]

A minute of a small moving portrait is drawn once and its packets are repeated, without coding them again: a short video
and one of hours. With --sizes, 720p, 1080p and 4K are drawn instead, a few seconds each in H.264 with B frames. Each
video is analysed with one worker; memory is the peak of the summed proportional set size of all processes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from fervid.base.opencv import cv2
from fervid.demo.photograph import portrait, repeat_clip
from process_tree import Cost, cost_of

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
WIDTH_PX, HEIGHT_PX, FRAME_RATE, PIECE_SECONDS, FACE_PX = 160, 120, 5, 60, 80
SHORT_SHARE = 20
"""The short video is this many times shorter."""

SIZES_PX = ((1280, 720), (1920, 1080), (3840, 2160))
LARGE_SECONDS, LARGE_FRAME_RATE, FACE_SHARE = 8, 10, 0.4


def draw_piece(path: Path) -> Path:
    """A minute of the portrait, moving; a key frame every ten seconds."""
    face = cv2.resize(portrait()[:430, 30:480], (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"g": str(10 * FRAME_RATE), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for i in range(PIECE_SECONDS * FRAME_RATE):
            picture = np.full((HEIGHT_PX, WIDTH_PX), 90, np.uint8)
            left = round(40 + 30 * np.sin(i / 7))
            picture[HEIGHT_PX - FACE_PX :, left : left + FACE_PX] = face
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def draw_large(path: Path, size: tuple[int, int]) -> Path:
    """Some seconds of the portrait moving over a detailed ground, coded with B frames."""
    width, height = size
    side = round(FACE_SHARE * height)
    face = cv2.resize(portrait()[:430, 30:480], (side, side), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(1).integers(40, 200, (height // 12, width // 12)).astype(np.uint8)
    ground = cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "bf": "3", "g": str(2 * LARGE_FRAME_RATE)}
        stream = container.add_stream("libx264", rate=LARGE_FRAME_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(LARGE_SECONDS * LARGE_FRAME_RATE):
            picture = np.roll(ground, i, axis=1)
            left = round((width - side) * (0.5 + 0.3 * np.sin(i / LARGE_FRAME_RATE)))
            picture[height - side :, left : left + side] = face
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def analysed(video: Path, out: Path) -> Cost:
    """What an analysis of a video with one worker costs."""
    command = [sys.executable, "-c", START, "analyze", str(video), "-o", str(out), "-q", "--no-plot", "--workers", "1"]
    return cost_of(command, environment={"PYTHONPATH": str(ROOT / "pipeline")})


def compare_lengths(folder: Path, hours: float) -> list[dict[str, object]]:
    """A short video and a long one."""
    n_pieces = max(SHORT_SHARE, round(hours * 3600 / PIECE_SECONDS))
    rows: list[dict[str, object]] = []
    piece = draw_piece(folder / "piece.mp4")
    for n in (n_pieces // SHORT_SHARE, n_pieces):
        cost = analysed(repeat_clip(piece, folder / f"{n}.mp4", n, clip_seconds=PIECE_SECONDS), folder / "out")
        rows.append({"minutes": n, "peak_mib": cost.peak_mib, "cpu_seconds": cost.cpu_seconds})
        print(f"{n:4d} minutes: peak {cost.peak_mib:.0f} MiB, {cost.cpu_seconds:.1f} CPU s", flush=True)
    return rows


def compare_sizes(folder: Path) -> list[dict[str, object]]:
    """Videos of a few seconds, from small to large pictures."""
    rows: list[dict[str, object]] = []
    for width, height in SIZES_PX:
        cost = analysed(draw_large(folder / f"{height}.mp4", (width, height)), folder / "out")
        rows.append({"width": width, "height": height, "peak_mib": cost.peak_mib, "cpu_seconds": cost.cpu_seconds})
        print(f"{width} x {height}: peak {cost.peak_mib:.0f} MiB, {cost.cpu_seconds:.1f} CPU s", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--sizes", action="store_true", help="sizes of picture instead of lengths")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = compare_sizes(Path(name)) if arguments.sizes else compare_lengths(Path(name), arguments.hours)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
