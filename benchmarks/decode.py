"""What decoding costs: every frame, the sampled ones alone, key frames alone, and what other programs need.

    python benchmarks/decode.py CLIP [--fps 5] [--runs 5] [--json FILE]

Each way reads the whole clip with one decoder thread; the ways take turns, so that a busy machine hits all alike. CPU
seconds of the process and its children are compared, for wall clocks of shared machines wander. "plan" is the pass over
the packets that comes before. `ffmpeg` takes part where it is installed.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av

from fervid.base.opencv import cv2
from fervid.base.types import Segment, VideoInfo
from fervid.video.fast_scan import read_key_frames
from fervid.video.ledger import Ledger
from fervid.video.probe import PacketPlan, probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments

MAX_PIXELS = 1 << 28
DECODER = {"decoder_threads": 1, "max_pixels": MAX_PIXELS}
SEGMENT_SECONDS = 30.0


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children it waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def pieces(info: VideoInfo, plan: PacketPlan, fps: float) -> list[Segment]:
    return plan_segments("clip", info, plan, segment_seconds=SEGMENT_SECONDS, fps=fps)


def read(info: VideoInfo, plan: PacketPlan, fps: float) -> Ledger:
    """Read the sampled frames of every segment; returns what became of all frames."""
    total = Ledger()
    for segment in pieces(info, plan, fps):
        ledger = Ledger()
        for _ in read_frames(
            info.path, info, plan, segment, ledger, fps=fps, start_seconds=0.0, end_seconds=None, **DECODER
        ):
            pass
        total.add(ledger)
    return total


def ways(info: VideoInfo, plan: PacketPlan, fps: float) -> dict[str, Callable[[], int]]:
    """Name of a way to its run, which returns how many frames it decoded."""
    step = max(1, round(info.average_frame_rate / fps))

    def key_frames() -> int:
        (whole,) = plan_segments("clip", info, plan, segment_seconds=info.duration_seconds + 1, fps=fps)
        return sum(1 for _ in read_key_frames(info.path, info, plan, whole, set(plan.keyframe_pts.tolist()), **DECODER))

    def opencv() -> int:
        capture = cv2.VideoCapture(str(info.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        n = 0
        while capture.grab():
            if n % step == 0:
                cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2GRAY)
            n += 1
        return n

    def opencv_every() -> int:
        capture = cv2.VideoCapture(str(info.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        n = 0
        while (picture := capture.read())[0]:
            cv2.cvtColor(picture[1], cv2.COLOR_BGR2GRAY)
            n += 1
        return n

    def ffmpeg() -> int:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(info.path), "-an", "-f", "null", "-"]
        subprocess.run(command, check=True)
        return plan.n_packets

    def planned() -> int:
        probe(info.path, max_pixels=MAX_PIXELS)
        return 1

    named = {
        "every frame": lambda: read(info, plan, 0.0).decoded,
        "sampled frames alone": lambda: read(info, plan, fps).decoded,
        "key frames alone": key_frames,
        "plan": planned,
        "OpenCV, sampled to gray": opencv,
        "OpenCV, all to gray": opencv_every,
    }
    return named | ({"ffmpeg -f null": ffmpeg} if shutil.which("ffmpeg") else {})


def measure(clip: Path, fps: float, runs: int) -> dict[str, object]:
    """CPU seconds of every way on a clip, in turns: medians, spread, and the ratio to decoding every frame."""
    info, plan = probe(clip, max_pixels=MAX_PIXELS)
    cases = ways(info, plan, fps)
    spent: dict[str, list[float]] = {name: [] for name in cases}
    walls: dict[str, list[float]] = {name: [] for name in cases}
    decoded: dict[str, int] = {}
    for _ in range(runs):
        for name, run in cases.items():
            before, started = cpu_seconds(), time.perf_counter()
            decoded[name] = run()
            spent[name].append(cpu_seconds() - before)
            walls[name].append(time.perf_counter() - started)
    base = spent["every frame"]
    rows = {
        name: {
            "decoded": decoded[name],
            "cpu_ms_a_source_frame": 1000 * statistics.median(values) / plan.n_packets,
            "cpu_seconds": [min(values), statistics.median(values), max(values)],
            "wall_seconds": statistics.median(walls[name]),
            "share_of_every_frame": statistics.median(v / b for v, b in zip(values, base, strict=True)),
        }
        for name, values in spent.items()
    }
    return {
        "clip": clip.name,
        "video": f"{info.width_px}x{info.height_px} {info.codec}, {info.average_frame_rate:.3f} frames per second",
        "seconds": info.duration_seconds,
        "frames": plan.n_packets,
        "fps": fps,
        "runs": runs,
        "machine": {"processor": platform.machine(), "system": platform.platform(), "av": av.__version__},
        "ways": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the result here too")
    arguments = parser.parse_args()
    result = measure(arguments.clip, arguments.fps, arguments.runs)
    print(f"{result['clip']}: {result['video']}, {result['frames']} frames, sampled at {result['fps']:g} a second")
    print(f"{'':26s} decoded   CPU ms a source frame (least - most)   share of every frame")
    for name, row in result["ways"].items():  # type: ignore[attr-defined]
        low, _, high = (1000 * seconds / result["frames"] for seconds in row["cpu_seconds"])  # type: ignore[operator]
        print(
            f"{name:26s} {row['decoded']:7d}   {row['cpu_ms_a_source_frame']:9.3f} ({low:.3f} - {high:.3f})"
            f"{row['share_of_every_frame']:20.3f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
