"""Kill at random points and go on: are the tables those of an unbroken run, byte for byte?

    python benchmarks/kill_resume.py [FOLDER] [--points 50] [--first 0] [--seed 1]

A small batch of synthetic videos of several segments each is analysed once without a break. Then, for each point, it is
analysed in a fresh folder and a process of it, the parent or one of its descendants, gets SIGKILL after a random time;
then the same command goes on, and the tables are compared. Before the first point, one and four workers instead of two
are compared too. A point is the same whichever call it is part of.
Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
VIDEO_SECONDS = (4, 3, 2)
MAX_STARTS = 4
OTHER_WORKERS = (1, 4)
FINE = (0, 3)
"""A folder may hold damaged videos, which are analysed in part."""


def make_videos(folder: Path) -> None:
    """Moving faces, in segments of a second."""
    from synthetic import constant_rate, face_until, write_video

    folder.mkdir()
    for seconds in VIDEO_SECONDS:
        write_video(folder / f"{seconds}.mp4", constant_rate(seconds), face_until(0.8 * seconds))


def start(videos: Path, out: Path, *, workers: int = 2) -> subprocess.Popen[bytes]:
    """The batch as a process."""
    options = [
        "--workers",
        str(workers),
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


def kill_once(process: subprocess.Popen[bytes], seconds: float, rng: random.Random) -> str:
    """Let a batch run for a while, then kill it or one of its descendants; says which, or nothing if it had ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        members = family(process.pid)
        victim = process.pid if rng.random() < 0.5 else rng.choice(members)
        role = "parent" if victim == process.pid else "server" if family(victim)[1:] else "worker"
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            return role
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="?", type=Path, help="a folder of videos; synthetic ones without it")
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="number of the first point, to go on from an earlier call")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = arguments.videos or Path(folder) / "videos"
        if arguments.videos is None:
            make_videos(videos)
        begun = time.monotonic()
        unbroken = start(videos, Path(folder) / "unbroken")
        errors = unbroken.communicate()[1]
        if unbroken.returncode not in FINE:
            sys.exit(f"the unbroken run failed: {errors.decode()}")
        length = time.monotonic() - begun
        expected = hashes(Path(folder) / "unbroken")
        print(f"unbroken: {len(expected)} tables in {length:.1f} s", flush=True)
        for workers in OTHER_WORKERS if arguments.first == 0 else ():
            other = Path(folder) / f"workers{workers}"
            start(videos, other, workers=workers).communicate()
            if hashes(other) != expected:
                sys.exit(f"with {workers} workers the tables are others")
            print(f"{workers} workers: same bytes", flush=True)
        victims: Counter[str] = Counter()
        for point in range(arguments.first, arguments.first + arguments.points):
            rng, out, victim, n_starts = random.Random(f"{arguments.seed} {point}"), Path(folder) / "out", "", 0
            while not victim:  # it may end before its time
                shutil.rmtree(out, ignore_errors=True)
                process = start(videos, out)
                victim, n_starts = kill_once(process, rng.uniform(0, length), rng), 1
            before = len(hashes(out))
            errors = process.communicate()[1]
            while process.returncode not in FINE and n_starts < MAX_STARTS:
                process = start(videos, out)
                errors, n_starts = process.communicate()[1], n_starts + 1
            victims[victim] += 1
            torn = [str(path) for path in out.rglob("*.part*")]
            is_same = process.returncode in FINE and hashes(out) == expected and not torn
            verdict = "same bytes" if is_same else f"OTHER, exit {process.returncode}: {errors.decode()}{torn}"
            print(f"{point}: {victim} killed with {before} tables there, {n_starts} starts: {verdict}", flush=True)
            if not is_same:
                sys.exit(1)
        counts = ", ".join(f"{n} of a {name}" for name, n in victims.items())
        print(f"{arguments.points} kills ({counts}): each time the bytes of the unbroken run")


if __name__ == "__main__":
    main()
