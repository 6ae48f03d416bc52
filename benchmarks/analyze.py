"""How fast `fervid analyze` is, stage by stage, and against the loop that every tutorial teaches.

    python benchmarks/analyze.py [VIDEO...] [--fps 5] [--repeats 3]

Without a video it makes a 720p clip of 20 s: a public-domain portrait moving over a detailed ground. Both sides look at
the same frames and run in turn, each in a process of its own, start included. The tutorial's loop is
`cv2.VideoCapture.read`, `cvtColor`, `detectMultiScale(gray, 1.3, 5)` at full size and `model.predict` a face, with
the same weights. Quote the ratio of CPU seconds: wall clocks of a shared machine wander.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FERVID = """
import json, resource, sys, time
started = time.perf_counter()
import fervid
settings = fervid.load_settings(assignments=[f"video.fps={sys.argv[3]}"], environment={})
run = fervid.analyze(sys.argv[1], out=sys.argv[2], settings=settings, device="cpu", overwrite=True, plot=False)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "wall": time.perf_counter() - started, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024,
    "video": run.manifest.video["duration_seconds"], "frames": run.frames["frame"].to_pylist(),
    "faces": run.faces.num_rows, "stages": run.manifest.stage_seconds,
}))
"""

TUTORIAL = """
import json, os, resource, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
started = time.perf_counter()
import cv2, numpy as np
from fervid.base import assets
from fervid.emotion.model import load_model_info
from fervid.emotion.networks.network import build_model
info = load_model_info(assets.model_folder(assets.DEFAULT_MODEL))
model = build_model(info)
model.load_weights(info.folder / "model.weights.h5")
cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
wanted, faces, index = set(json.loads(sys.argv[2])), 0, -1
capture = cv2.VideoCapture(sys.argv[1])
while True:
    more, frame = capture.read()
    index += 1
    if not more:
        break
    if index not in wanted:
        continue
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    for (x, y, w, h) in cascade.detectMultiScale(gray, 1.3, 5):
        crop = cv2.resize(gray[y:y + h, x:x + w], (48, 48)).astype("float32")[None, ..., None] / 255
        model.predict(crop, verbose=0).argmax()
        faces += 1
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "wall": time.perf_counter() - started, "cpu": usage.ru_utime + usage.ru_stime,
    "peak_mib": usage.ru_maxrss / 1024, "faces": faces,
}))
"""


def measure(script: str, *arguments: str) -> dict[str, object]:
    """Run a script in a fresh interpreter and read the JSON line that it ends with."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def make_clip(path: Path, *, seconds: int = 20, frame_rate: int = 25) -> Path:
    """A 720p H.264 clip: the portrait drifts over a ground with the detail of a real scene."""
    import av
    import numpy as np

    from fervid.base.opencv import cv2
    from fervid.demo.photograph import portrait

    rng = np.random.default_rng(1)
    ground = cv2.resize(rng.integers(40, 200, (90, 160)).astype(np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    face = cv2.resize(portrait()[:430, 30:480], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=frame_rate, options={"crf": "21"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for i in range(seconds * frame_rate):
            picture = np.roll(ground, i // 2, axis=1)
            left = round(450 + 300 * np.sin(i / frame_rate / 2))
            picture[300 : 300 + face.shape[0], left : left + face.shape[1]] = face
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def compare(video: Path, folder: Path, fps: float, repeats: int) -> None:
    """Print one block of results for a video."""
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(measure(FERVID, str(video), str(folder), str(fps)))
        theirs.append(measure(TUTORIAL, str(video), json.dumps(ours[0]["frames"])))

    def median(rows: list[dict[str, object]], key: str) -> float:
        return statistics.median(float(str(row[key])) for row in rows)

    duration = median(ours, "video")
    print(f"{video.name}: {duration:.1f} s, {len(ours[0]['frames'])} frames analysed by both, median of {repeats}")  # type: ignore[arg-type]
    print("            CPU s   wall s   times real time   peak MiB   faces")
    for name, rows in (("fervid", ours), ("tutorial", theirs)):
        print(
            f"{name:10s} {median(rows, 'cpu'):6.2f}   {median(rows, 'wall'):6.2f}   "
            f"{duration / median(rows, 'wall'):15.2f}   {median(rows, 'peak_mib'):8.0f}   {rows[0]['faces']:5}"
        )
    cpu = statistics.median(float(str(b["cpu"])) / float(str(a["cpu"])) for a, b in zip(ours, theirs, strict=True))
    wall = statistics.median(float(str(b["wall"])) / float(str(a["wall"])) for a, b in zip(ours, theirs, strict=True))
    print(f"the tutorial's loop needs {cpu:.1f} times the CPU and {wall:.1f} times the wall time")
    stages: dict[str, float] = ours[0]["stages"]  # type: ignore[assignment]
    print(
        "fervid's stages in wall seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in stages.items()) + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = arguments.videos or [make_clip(Path(folder) / "portrait720p.mp4")]
        for video in videos:
            compare(video, Path(folder) / "out", arguments.fps, arguments.repeats)


if __name__ == "__main__":
    main()
