"""Whether memory grows with the length of a video: a short one and one of hours, made of the same packets.

    python benchmarks/long_video.py [--hours 2] [--json FILE]

A minute of a small moving portrait is drawn once and its packets are repeated, without coding them again. Each video is
analysed with one worker; memory is the peak of the summed proportional set size of all processes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from fervid.demo import portrait
from fervid.opencv import cv2
from process_tree import cost_of

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'fervid'; from fervid.cli import main; main()"
WIDTH_PX, HEIGHT_PX, FRAME_RATE, PIECE_SECONDS, FACE_PX = 160, 120, 5, 60, 80
SHORT_SHARE = 20
"""The short video is this many times shorter."""


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


def repeat(piece: Path, path: Path, n: int) -> Path:
    """The packets of `piece`, `n` times one after the other."""
    with av.open(str(piece)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        step = round(PIECE_SECONDS / stream.time_base)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size]
        for i in range(n):
            for content, pts, dts, is_key in packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = copy, stream.time_base, is_key
                packet.pts, packet.dts = pts + i * step, dts + i * step
                target.mux(packet)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    n_pieces = max(SHORT_SHARE, round(arguments.hours * 3600 / PIECE_SECONDS))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        piece = draw_piece(folder / "piece.mp4")
        for n in (n_pieces // SHORT_SHARE, n_pieces):
            video = repeat(piece, folder / f"{n}.mp4", n)
            command = [sys.executable, "-c", START, "analyze", str(video), "-o", str(folder / "out"), "-q", "--no-plot"]
            cost = cost_of([*command, "--workers", "1"], environment={"PYTHONPATH": str(ROOT / "pipeline")})
            rows.append({"minutes": n, "peak_mib": cost.peak_mib, "cpu_seconds": cost.cpu_seconds})
            print(f"{n:4d} minutes: peak {cost.peak_mib:.0f} MiB, {cost.cpu_seconds:.1f} CPU s", flush=True)
    print(f"memory of the long one: {rows[1]['peak_mib'] / rows[0]['peak_mib']:.2f} times that of the short one")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
