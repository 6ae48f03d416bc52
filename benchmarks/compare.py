"""What an analysis costs beside bare decoding, the loop that tutorials teach, and the package `fer`.

    python benchmarks/compare.py [--videos FOLDER] [--clips FOLDER] [--only NAME...] [--runs 5]
                                 [--fer-python PYTHON] [--json FILE] [--page]

Clips are made by `reference_clips.py` (footage from --videos or FERVID_TEST_DATA, else drawn) and kept in --clips.
Every contestant is a process of its own and takes its turn in each run: CPU and wall seconds are of its whole process
tree, memory is the peak of its summed proportional set size. Each is measured on a clip and on its first two seconds;
the difference is the steady cost of a second of video, what is left is its start. The slow ones (the loops and `fer`)
see the first --slow-seconds of a clip, the others all of it. Ratios are of pairs of the same run; the table gives
medians and, in brackets, the least and the most. Contestants that were measured apart from fervid (--contestants) have
the ratio of medians alone.

    selective decode   PyAV, the same frames as fervid, and nothing done with them: what no analysis can go below
    ffmpeg -f null     the command, all frames, one thread
    loop, 30 px        cv2.read, Haar (default cascade, 1.1, 5) at full size, smallest face 30 px, model.predict a face
    loop, 8 %          the same with fervid's smallest face, 8 % of the height
    fer                PyPI's `fer`, Video.analyze with every saving of pictures off; --fer-python names its interpreter

--page writes the table into docs/performance.md from the JSON file. A clip measured again replaces its own
numbers only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from process_tree import Cost, cost_of
from reference_clips import beginning, reference_clips

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "compare.json"
BEGIN, END = "<!-- benchmarks/compare.py -->", "<!-- end -->"
FPS, MIN_FACE_SHARE, HEAD_SECONDS, CLIP_SECONDS = 5.0, 0.08, 2.0, 64.0
FERVID, SELECTIVE = "fervid", "selective decode"

START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"

DECODE = """
import sys
from pathlib import Path
from fervid.video.probe import probe
from fervid.video.ledger import Ledger
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments
path, fps = Path(sys.argv[1]), float(sys.argv[2])
info, plan = probe(path, max_pixels=1 << 28)
n = 0
for segment in plan_segments("clip", info, plan, segment_seconds=30.0, fps=fps):
    n += sum(1 for _ in read_frames(path, info, plan, segment, Ledger(), fps=fps, start_seconds=0.0, end_seconds=None,
                                    decoder_threads=1, max_pixels=1 << 28))
print(n)
"""

LOOP = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import cv2
from fervid.base import assets
from fervid.emotion.model import load_model_info
from fervid.emotion.networks.network import build_model
path, fps, smallest = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
info = load_model_info(assets.model_folder(assets.DEFAULT_MODEL))
model = build_model(info)
model.load_weights(info.folder / "model.weights.h5")
cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
capture = cv2.VideoCapture(path)
step, index, faces = max(1, round(capture.get(cv2.CAP_PROP_FPS) / fps)), 0, 0
side = round(smallest if smallest >= 1 else smallest * capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
while True:
    more, frame = capture.read()
    if not more:
        break
    if index % step == 0:
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        for (x, y, w, h) in cascade.detectMultiScale(gray, 1.1, 5, minSize=(side, side)):
            crop = cv2.resize(gray[y:y + h, x:x + w], (48, 48)).astype("float32")[None, ..., None] / 255
            model.predict(crop, verbose=0).argmax()
            faces += 1
    index += 1
print(faces)
"""

FER = """
import contextlib, os, sys, tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import cv2
from fer.classes import Video
from fer.fer import FER
path, fps = os.path.abspath(sys.argv[1]), float(sys.argv[2])  # fer leaves a file in the current folder
step = max(1, round(cv2.VideoCapture(path).get(cv2.CAP_PROP_FPS) / fps))
with tempfile.TemporaryDirectory() as out, contextlib.chdir(out), contextlib.redirect_stdout(sys.stderr):
    rows = Video(path, outdir=out).analyze(FER(), display=False, frequency=step, save_frames=False, save_video=False,
                                           annotate_frames=False, zip_images=False)
print(sum(1 for row in rows for name in row if name.startswith("box")))
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command for a clip, whether it sees only the beginning of a clip, and where its modules lie."""

    command: list[str]
    is_slow: bool = False
    needs_fervid: bool = True

    def cost(self, clip: Path) -> Cost:
        environment = {"PYTHONPATH": str(ROOT / "pipeline")} if self.needs_fervid else {"PYTHONPATH": ""}
        return cost_of([part.replace("{clip}", str(clip)) for part in self.command], environment=environment)


def contestants(fer_python: str | None, out: Path) -> dict[str, Contestant]:
    """Name to contestant; only what is installed takes part."""
    python = sys.executable
    analyze = [python, "-c", START, "analyze", "{clip}", "-o", str(out), "--fps", str(FPS), "--device", "cpu"]
    found = {
        FERVID: Contestant([*analyze, "--workers", "1", "--no-plot", "--overwrite", "-q", "--json"]),
        SELECTIVE: Contestant([python, "-c", DECODE, "{clip}", str(FPS)]),
    }
    if shutil.which("ffmpeg"):
        null = "ffmpeg -v error -nostdin -threads 1 -i {clip} -an -f null -".split()
        found["ffmpeg -f null"] = Contestant(null, needs_fervid=False)
    found["loop, 30 px"] = Contestant([python, "-c", LOOP, "{clip}", str(FPS), "30"], is_slow=True)
    found["loop, 8 %"] = Contestant([python, "-c", LOOP, "{clip}", str(FPS), str(MIN_FACE_SHARE)], is_slow=True)
    if fer_python:
        found["fer"] = Contestant([fer_python, "-c", FER, "{clip}", str(FPS)], is_slow=True, needs_fervid=False)
    return found


def duration_of(clip: Path) -> float:
    """Seconds that a clip plays."""
    from fervid.video.probe import probe

    return probe(clip, max_pixels=1 << 28)[0].duration_seconds


def measure(clip: Path, named: dict[str, Contestant], *, runs: int, slow_seconds: float) -> dict[str, Any]:
    """Every contestant on a clip and on its beginning, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        head = beginning(clip, HEAD_SECONDS, Path(folder))
        short = beginning(clip, slow_seconds, Path(folder)) if duration_of(clip) > slow_seconds else clip
        seconds = {path: duration_of(path) for path in (head, short, clip)}
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in named}
        session = time.time()
        for run in range(runs):
            for name, contestant in named.items():
                path = short if contestant.is_slow else clip
                first, whole = contestant.cost(head), contestant.cost(path)
                longer = seconds[path] - seconds[head]
                steady = (whole.cpu_seconds - first.cpu_seconds) / longer
                rows[name].append(
                    {
                        "session": session,
                        "video_seconds": seconds[path],
                        "cpu_seconds": whole.cpu_seconds,
                        "wall_seconds": whole.wall_seconds,
                        "cpu_a_second": steady,
                        "wall_a_second": (whole.wall_seconds - first.wall_seconds) / longer,
                        "start_cpu_seconds": first.cpu_seconds - steady * seconds[head],
                        "peak_mib": whole.peak_mib,
                    }
                )
                print(f"{clip.name} run {run + 1}, {name}: {whole.cpu_seconds:.2f} CPU s", file=sys.stderr, flush=True)
    return {"clip": clip.name, "seconds": seconds[clip], "contestants": rows}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import av

    from fervid.base.opencv import cv2

    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(int(memory[0]) / (1 << 20), 1) if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "av": av.__version__,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def table(results: dict[str, Any]) -> str:
    """The table of docs/performance.md, from the content of a results file."""
    where = results["machine"]
    lines = [
        f"{where['processors']} cores ({where['processor']}), {FPS:g} analysed frames per second; CPU ratios to fervid "
        "as median (least to most):",
        "",
        "| clip | contestant | CPU s per second of video | CPU, fervid = 1 | wall, fervid = 1 | start, CPU s | MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, clip in results["clips"].items():
        ours = clip["contestants"][FERVID]
        for contestant, rows in clip["contestants"].items():

            def middle(key: str, rows: list[dict[str, float]] = rows) -> float:
                return statistics.median(row[key] for row in rows)

            cpu, wall = ratios(rows, ours, "cpu_a_second"), statistics.median(ratios(rows, ours, "wall_a_second"))
            lines.append(
                f"| {name} | {contestant} | {middle('cpu_a_second'):.3f} | "
                f"{statistics.median(cpu):.2f} ({cpu[0]:.2f} to {cpu[-1]:.2f}) | {wall:.1f} | "
                f"{middle('start_cpu_seconds'):.1f} | {middle('peak_mib'):.0f} |"
            )
    return "\n".join(lines)


def ratios(rows: list[dict[str, float]], ours: list[dict[str, float]], key: str) -> list[float]:
    """A figure to fervid's in ascending order: of pairs of the same run, or of medians where these are none."""
    if rows[0]["session"] != ours[0]["session"]:
        return [statistics.median(row[key] for row in rows) / statistics.median(row[key] for row in ours)]
    return sorted(row[key] / own[key] for row, own in zip(rows, ours, strict=True))


def write_page(results: dict[str, Any]) -> None:
    """Put the table between its marks in docs/performance.md."""
    path = ROOT / "docs" / "performance.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("FERVID_TEST_DATA")
    parser.add_argument("--videos", type=Path, default=Path(data) / "videos" if data else None)
    parser.add_argument("--clips", type=Path, default=Path(tempfile.gettempdir()) / "fervid-clips")
    parser.add_argument("--only", nargs="+", help="clips of these names alone")
    parser.add_argument("--contestants", nargs="+", help="contestants of these names alone")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=CLIP_SECONDS, help="length of the clips that are made")
    parser.add_argument("--slow-seconds", type=float, default=6.0)
    parser.add_argument("--fer-python", help="interpreter of an environment with `pip install fer`")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="write the table into docs/performance.md")
    arguments = parser.parse_args()

    clips = reference_clips(arguments.videos, arguments.clips, seconds=arguments.seconds)
    results: dict[str, Any] = {"clips": {}}
    if arguments.json.exists():
        results = json.loads(arguments.json.read_text(encoding="utf-8"))
    results["machine"] = machine()
    with tempfile.TemporaryDirectory() as out:
        named = contestants(arguments.fer_python, Path(out))
        if arguments.contestants:
            named = {name: one for name, one in named.items() if name in arguments.contestants}
        for name, clip in clips.items():
            if arguments.only is None or name in arguments.only:
                found = measure(clip, named, runs=arguments.runs, slow_seconds=arguments.slow_seconds)
                before = results["clips"].get(name, {"contestants": {}})["contestants"]
                results["clips"][name] = found | {"contestants": before | found["contestants"]}
                arguments.json.parent.mkdir(exist_ok=True)
                arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))
    if arguments.page:
        write_page(results)


if __name__ == "__main__":
    main()
