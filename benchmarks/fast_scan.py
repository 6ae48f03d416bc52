"""What it costs to look through a camera's day by its key frames, and whether everybody who came by is found.

    python benchmarks/fast_scan.py [--minutes 60] [--videos FOLDER] [--json FILE]

A static 1080p camera at 25 frames a second with a key frame every two seconds (H.264): nothing happens but noise, and
five times a person is there for ten seconds. Two stretches are drawn, or taken from the footage in --videos, and their
packets repeated without coding them again. CPU seconds are those of `fervid analyze --fast-scan` with one worker, start
included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq

from fervid.base.opencv import cv2
from fervid.demo.photograph import portrait
from process_tree import cost_of

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
WIDTH_PX, HEIGHT_PX, FRAME_RATE, KEY_FRAME_SECONDS = 1920, 1080, 25, 2
VISITS, VISIT_SECONDS, QUIET_SECONDS = 5, 10, 30
NOISE_LEVELS, N_NOISES = 2.0, 8
FACE_PX = 300
PERSON = "faces/woman2.mp4"


def person(videos: Path | None) -> list[np.ndarray]:
    """Gray pictures uint8 (h, w) of somebody, a visit long."""
    n = VISIT_SECONDS * FRAME_RATE
    if videos is not None and (videos / PERSON).is_file():
        with av.open(str(videos / PERSON)) as container:
            found = [frame.to_ndarray(format="gray") for frame, _ in zip(container.decode(video=0), range(n))]  # noqa: B905
        return (found * n)[:n]
    face = cv2.resize(portrait()[:430, 30:480], (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    return [np.roll(face, round(10 * np.sin(i / 9)), axis=0) for i in range(n)]


def draw(path: Path, visitor: list[np.ndarray] | None) -> Path:
    """A stretch of the camera: quiet, or with a visitor."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(40, 200, (27, 48)).astype(np.uint8)
    ground = cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    noises = [rng.normal(0, NOISE_LEVELS, ground.shape).astype(np.float32) for _ in range(N_NOISES)]
    options = {"preset": "veryfast", "bf": "0", "g": str(KEY_FRAME_SECONDS * FRAME_RATE), "crf": "23"}
    n = (VISIT_SECONDS if visitor else QUIET_SECONDS) * FRAME_RATE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for i in range(n):
            picture = ground.copy()
            if visitor:
                height, width = visitor[i].shape
                picture[HEIGHT_PX - height :, 700 : 700 + width] = visitor[i]
            gray = np.clip(picture + noises[i % N_NOISES], 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def join(path: Path, parts: list[Path]) -> Path:
    """The packets of clips one after the other."""
    with av.open(str(parts[0])) as first, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(first.streams.video[0])
        begin = 0
        for part in parts:
            with av.open(str(part)) as source:
                own = source.streams.video[0]
                for packet in source.demux(own):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + begin, packet.dts + begin
                    packet.stream = stream
                    target.mux(packet)
                begin += own.duration
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    n_quiet = arguments.minutes * 60 // QUIET_SECONDS // VISITS
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        quiet, visit = draw(place / "quiet.mp4", None), draw(place / "visit.mp4", person(arguments.videos))
        camera = join(place / "camera.mp4", ([quiet] * n_quiet + [visit]) * VISITS)
        seconds = VISITS * (n_quiet * QUIET_SECONDS + VISIT_SECONDS)
        command = ["analyze", str(camera), "-o", str(place / "out"), "--fast-scan", "--workers", "1", "--no-plot", "-q"]
        cost = cost_of([sys.executable, "-c", START, *command], environment={"PYTHONPATH": str(ROOT / "pipeline")})
        (run,) = (place / "out").glob("camera-*")
        tracks = pq.read_table(run / "tracks.parquet").to_pandas()
    begins = [(i + 1) * n_quiet * QUIET_SECONDS + i * VISIT_SECONDS for i in range(VISITS)]
    found = sum(any((tracks.start_s < t + VISIT_SECONDS) & (tracks.end_s > t)) for t in begins)
    result = {
        "video_seconds": seconds,
        "cpu_seconds": round(cost.cpu_seconds, 2),
        "cpu_seconds_a_video_second": round(cost.cpu_seconds / seconds, 4),
        "wall_seconds": round(cost.wall_seconds, 1),
        "peak_mib": round(cost.peak_mib),
        "visits": VISITS,
        "visits_found": found,
        "tracks": len(tracks),
    }
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
