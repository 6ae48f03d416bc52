"""Largest difference between the time of a frame in the tables and in what shows it: clips, cuts and the live view.

python benchmarks/clock.py VIDEO_OR_FOLDER... [--bad-files]

Every frame of a video is read as an analysis does. Frames are recognised by their pixels: the same image must
have the same time in the whole (annotated videos), in parts (evidence, previews, stills), and live.
With --bad-files the files of tests/bad_files.py and of tests/flow/test_one_clock.py are made and read as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from fervid.config.video import VideoSettings
from fervid.errors import FervidError, InputError
from fervid.live.address import parse_address
from fervid.live.source import Capture
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_gray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "flow")]
MAX_PIXELS = 8192 * 8192
CUT_SECONDS = 2.0
MOST_SECONDS = 120.0
"""Of longer videos the first part is read."""

Times = dict[bytes, list[float]]


def digest(gray: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(gray).tobytes(), digest_size=12).digest()


def collect(frames: Iterable[tuple[np.ndarray, float]]) -> Times:
    found: Times = defaultdict(list)
    for gray, seconds in frames:
        found[digest(gray)].append(seconds)
    return found


def largest(table: Times, shown: Times) -> tuple[float, int, int]:
    """The largest difference in seconds, how many images were compared, and how many are not in the table.

    An image that occurs several times is compared with its nearest time.
    """
    worst, n, unknown = 0.0, 0, 0
    for key, times in shown.items():
        own = np.array(table.get(key, []))
        for seconds in times:
            if not len(own):
                unknown += 1
                continue
            n += 1
            worst = max(worst, float(np.abs(own - seconds).min()))
    return worst, n, unknown


def compare(path: Path) -> tuple[float, str]:
    """The largest difference of a video in frames, and a line about it."""
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    end = min(info.duration_seconds, MOST_SECONDS)
    ledger = Ledger()

    def analysed() -> Iterator[tuple[np.ndarray, float]]:
        for segment in plan_segments("x", info, plan, segment_seconds=30, fps=0, end_seconds=end):
            for frame in read_frames(
                path, info, plan, segment, ledger, fps=0, start_seconds=0, end_seconds=end, decoder_threads=1,
                max_pixels=MAX_PIXELS,
            ):  # fmt: skip
                yield frame.gray, frame.pts_seconds

    table = collect(analysed())
    if ledger.bad_packets > VideoSettings().max_bad_packet_share * ledger.packets:
        raise InputError("too damaged: an analysis rejects it")
    source = VideoSource(path, MAX_PIXELS, info.start_time_seconds, info.time_source == "pts", info.stream)
    worst, lines = 0.0, []
    starts = np.linspace(0, max(0.0, end - CUT_SECONDS), 4)[1:]
    stretches = {"whole": (0.0, end)} | {f"cut at {start:.1f}": (start, start + CUT_SECONDS) for start in starts}
    for name, (first, last) in stretches.items():
        expected = sum(first <= seconds < min(last, end) for times in table.values() for seconds in times)
        shown = collect((gray, seconds) for seconds, gray, _ in read_gray(source, first, min(last, end)))
        difference, n, unknown = largest(table, shown)
        worst = max(worst, difference)
        if unknown or n != expected:
            lines.append(f"{name}: {n} of {expected} images, {unknown} others")
    with Capture(parse_address(str(path)), pace="unpaced", max_pixels=MAX_PIXELS) as capture:
        frames = (frame for frame in iter(lambda: capture.slot.take(60.0), None) if frame.seconds < end)
        difference, n, unknown = largest(table, collect((frame.frame().gray, frame.seconds) for frame in frames))
    worst = max(worst, difference)
    if unknown:
        lines.append(f"live: {n} images, {unknown} others")
    in_frames = worst / (info.frame_spacing_seconds or 1 / info.average_frame_rate)
    return in_frames, f"{in_frames:.3f} frames ({worst * 1000:.1f} ms); " + ("; ".join(lines) or "all images")


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        paths: list[Path] = []
        for argument in arguments:
            if argument == "--bad-files":
                paths += made_files(Path(scratch))
                continue
            named = Path(argument)
            paths += sorted(p for p in named.rglob("*") if p.is_file()) if named.is_dir() else [named]
        worst, n = 0.0, 0
        for path in paths:
            try:
                difference, line = compare(path)
            except (FervidError, OSError) as problem:
                print(f"{path.name!a}: not a video ({type(problem).__name__})")
                continue
            n += 1
            worst = max(worst, difference)
            print(f"{path.name!a}: {line}", flush=True)
        print(f"largest difference of {n} videos: {worst:.3f} frames")


def made_files(folder: Path) -> list[Path]:
    """The bad files that are videos, and those with awkward clocks."""
    from test_one_clock import KINDS

    from bad_files import CONTAINERS, PIXELS, TIMES, make_all

    paths = make_all(folder / "bad", (*CONTAINERS, *TIMES, *PIXELS))
    for kind in KINDS:
        path = folder / kind.name
        path.write_bytes(kind.make())
        paths.append(path)
    return paths


if __name__ == "__main__":
    main(sys.argv[1:])
