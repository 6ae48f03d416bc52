"""Kill at random points and go on: are the tables those of an unbroken run, byte for byte?

    python benchmarks/kill_resume.py [--points 50] [--seed 1]

A small batch of synthetic videos of several segments each is analysed once without a break. Then, for each point, it is
analysed in a fresh folder and a process of it, the parent or one of its descendants, gets SIGKILL after a random time
(several in a run, as long as it lives); the same command goes on until it exits by itself. Linux only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

START = "import sys; sys.argv[0] = 'fervid'; from fervid.cli import main; main()"
VIDEO_SECONDS = (7, 5, 3)


def make_videos(folder: Path) -> None:
    """Moving faces, in segments of a second."""
    from synthetic import constant_rate, face_until, write_video

    folder.mkdir()
    for seconds in VIDEO_SECONDS:
        write_video(folder / f"{seconds}.mp4", constant_rate(seconds), face_until(0.8 * seconds))


def start(videos: Path, out: Path) -> subprocess.Popen[bytes]:
    """The batch as a process."""
    options = [
        "--workers",
        "2",
        "--no-plot",
        "-q",
        "--device",
        "cpu",
        "--fps",
        "10",
        "--set",
        "video.segment_seconds=1",
    ]
    return subprocess.Popen(
        [sys.executable, "-c", START, "analyze", str(videos), "-o", str(out), *options],
        env=os.environ | {"PYTHONPATH": str(ROOT / "pipeline")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def family(process_id: int) -> list[int]:
    """A process and its descendants."""
    found = [process_id]
    try:
        for thread in os.listdir(f"/proc/{process_id}/task"):
            children = Path(f"/proc/{process_id}/task/{thread}/children").read_text().split()
            for child in children:
                found += family(int(child))
    except OSError:
        pass
    return found


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 of every table of every run; observations are left out where they hold no more than the tables."""
    tables = sorted(path for path in out.glob("*/**/*.parquet"))
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder) / "videos"
        make_videos(videos)
        begun = time.monotonic()
        unbroken = start(videos, Path(folder) / "unbroken")
        errors = unbroken.communicate()[1]
        if unbroken.returncode:
            sys.exit(f"the unbroken run failed: {errors.decode()}")
        length = time.monotonic() - begun
        expected = hashes(Path(folder) / "unbroken")
        print(f"unbroken: {len(expected)} tables in {length:.1f} s", flush=True)
        point = n_parents = n_same = 0
        while point < arguments.points:
            out = Path(folder) / f"out{point}"
            n_starts = 0
            while True:
                process = start(videos, out)
                n_starts += 1
                while point < arguments.points:
                    try:
                        process.wait(rng.uniform(0, 0.7 * length))
                        break
                    except subprocess.TimeoutExpired:
                        members = family(process.pid)
                        victim = process.pid if rng.random() < 0.5 else rng.choice(members)
                        try:
                            os.kill(victim, signal.SIGKILL)
                        except ProcessLookupError:
                            continue
                        point += 1
                        n_parents += victim == process.pid
                errors = process.communicate()[1]
                if process.returncode == 0:
                    break
                if process.returncode != -signal.SIGKILL:
                    sys.exit(f"the batch ended with {process.returncode}: {errors.decode()}")
            same = hashes(out) == expected
            n_same += same
            torn = [str(path) for path in out.rglob("*.part*")]
            print(f"after {point} kills, {n_starts} starts: {'same' if same else 'OTHER'} bytes, {torn}", flush=True)
            if not same:
                sys.exit(1)
        print(f"{point} kills ({n_parents} of the parent): every batch ended with the bytes of the unbroken run")


if __name__ == "__main__":
    main()
