"""What does it cost to identify a video by its whole content?

    python benchmarks/identity.py [VIDEO...]

Prints the speed of each hash that could be used (CPU seconds, over memory), and for each video the CPU seconds of
its hash, of decoding it at the default sampling rate, and of `fervid analyze`. Without arguments the videos are made:
H.264 at 640x360, and uncompressed, where the bytes of a second are the most.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

HASHES = ("blake2b", "sha256", "sha1", "md5")
MIB = 1 << 20
N_MIB, REPEATS = 256, 3


def hash_speeds() -> dict[str, float]:
    """GiB per CPU second, the best of REPEATS."""
    block = os.urandom(MIB)
    speeds = {}
    for name in HASHES:
        seconds = []
        for _ in range(REPEATS):
            digest, begun = hashlib.new(name), time.process_time()
            for _ in range(N_MIB):
                digest.update(block)
            seconds.append(time.process_time() - begun)
        speeds[name] = N_MIB / 1024 / min(seconds)
    return speeds


def decode_seconds(path: Path) -> float:
    """CPU seconds of decoding the frames that are sampled by default, in this process."""
    from fervid.config import load_settings
    from fervid.video.ledger import Ledger
    from fervid.video.probe import probe
    from fervid.video.reader import read_frames
    from fervid.video.segments import plan_segments

    settings = load_settings(environment={})
    begun = time.process_time()
    info, plan = probe(path, max_pixels=settings.video.max_pixels)
    for segment in plan_segments("", info, plan, segment_seconds=30.0, fps=settings.video.fps):
        frames = read_frames(
            path,
            info,
            plan,
            segment,
            Ledger(),
            fps=settings.video.fps,
            start_seconds=0.0,
            end_seconds=None,
            decoder_threads=1,
            max_pixels=settings.video.max_pixels,
        )
        for _ in frames:
            pass
    return time.process_time() - begun


def analyse_seconds(path: Path) -> float:
    """CPU seconds of the command, with its start."""
    from runner import START

    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", START, "analyze", str(path), "-o", out, "-q", "--no-plot", "--workers", "1"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*command, "--device", "cpu"],
            env=os.environ | {"PYTHONPATH": str(ROOT / "pipeline")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hashing_seconds(path: Path) -> float:
    """CPU seconds of a video's id, the best of REPEATS."""
    from fervid.storage.files import content_id

    seconds = []
    for _ in range(REPEATS):
        begun = time.process_time()
        content_id(path)
        seconds.append(time.process_time() - begun)
    return min(seconds)


def made(folder: Path) -> list[Path]:
    """A compressed and an uncompressed video of a minute."""
    from bad_sources import clip

    paths = []
    for name, options in (("h264.mp4", {}), ("uncompressed.avi", {"codec": "rawvideo"})):
        paths.append(folder / name)
        paths[-1].write_bytes(clip(name, size=(640, 360), seconds=60, **options))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    arguments = parser.parse_args()
    print("; ".join(f"{name} {speed:.2f} GiB per CPU s" for name, speed in hash_speeds().items()))
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.videos or made(Path(folder)):
            hashing, decoding, all_of_it = hashing_seconds(path), decode_seconds(path), analyse_seconds(path)
            print(
                f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, hash {hashing:.3f} CPU s, decoding {decoding:.2f}, "
                f"analyze {all_of_it:.2f}; the hash is {hashing / decoding:.1%} of decoding, "
                f"{hashing / all_of_it:.1%} of all"
            )


if __name__ == "__main__":
    main()
