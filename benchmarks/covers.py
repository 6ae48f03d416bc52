"""How well faces are covered, how much of the scene goes with them, and what it costs.

    python benchmarks/covers.py --videos FOLDER [--half choose|report] [--only NAME...] [--sheet FOLDER]

Every marked clip (`benchmarks/faces/kinds.csv`) is analysed with the default preset and covered as `fervid annotate`
and `alerts --evidence` cover it. In the marked frames a face counts as covered when at least 90 % of the ellipse in its
box lies under the covers. The area covered is held against that of the boxes of all marks, those that need not be
found among them. Costs are CPU seconds of this process over clips of at least 4 s: `covering` is what reading frames in
colour takes more with faces covered than without, against the analysis of the same seconds; `encoding` writes the same
frames, and is due without covers as well. No marked frame is treated differently from its neighbours. `--sheet` keeps
the covered marked frames as JPEG.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import face_kinds
import fervid
from fervid.annotate.marks import StoredFaces
from fervid.base.opencv import cv2
from fervid.privacy.covers import FaceCovers
from fervid.privacy.mosaic import cover_mask
from fervid.privacy.reading import covered_frames
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_pictures, read_rgb_frames, write_clip

COVERED_SHARE = 0.9
LEAST_SECONDS_FOR_COST = 4.0


class Tally:
    """What was counted over all clips."""

    def __init__(self) -> None:
        self.covered: Counter[str] = Counter()
        self.marked: Counter[str] = Counter()
        self.covered_px = self.face_px = self.image_px = 0
        self.cpu: Counter[str] = Counter()
        self.seconds = 0.0
        self.missed: list[str] = []


def cpu() -> float:
    """CPU seconds of this process and of its ended children."""
    return sum(os.times()[:4])


def run_clip(path: Path, clip: str, marks: dict[float, face_kinds.KindMarks], tally: Tally, sheet: Path | None) -> None:
    """Analyse, search and cover one clip, and judge its marked frames."""
    with TemporaryDirectory() as out:
        started = cpu()
        run = fervid.analyze(path, out=out, plot=False)
        analysis = cpu() - started
        tracks = StoredFaces(run).tracks
    source, covers = VideoSource.of(run.manifest), FaceCovers(tracks)
    started, last = time.process_time(), 0.0
    for frame in read_rgb_frames(source, 0.0, float("inf")):
        last = frame.seconds
    plain = time.process_time() - started
    started, judging = time.process_time(), 0.0
    for frame in covered_frames(lambda first, end: read_pictures(source, first, end), covers, 0.0, float("inf")):
        found = marks.get(min(marks, key=lambda t: abs(t - frame.seconds)))
        if found is not None and min(abs(t - frame.seconds) for t in marks) < 0.002:
            judged = time.process_time()
            judge(tally, clip, frame.seconds, found, covers.at(frame.seconds), frame.rgb.shape[:2])
            if sheet is not None:
                keep(sheet / f"{clip.replace('/', '-')}-{frame.seconds:.2f}.jpg", frame.rgb, frame.pixel_aspect)
            judging += time.process_time() - judged
    covering = time.process_time() - started - judging - plain
    if last < LEAST_SECONDS_FOR_COST:
        return
    with TemporaryDirectory() as out:
        started = time.process_time()
        frames = read_rgb_frames(source, 0.0, float("inf"))
        write_clip(Path(out) / "clip.mp4", frames, start_seconds=0.0, end_seconds=float("inf"), sound_from=None)
        encoding = time.process_time() - started - plain
    for name, spent in {"analysis": analysis, "covering": covering, "reading": plain, "encoding": encoding}.items():
        tally.cpu[name] += spent
    tally.seconds += last


def judge(
    tally: Tally, clip: str, seconds: float, marks: face_kinds.KindMarks, boxes: np.ndarray, shape: tuple[int, int]
) -> None:
    """Count the faces of a marked frame that are covered, and the area."""
    height, width = shape
    mask = cover_mask(boxes, height, width)
    tally.covered_px += int(mask.sum())
    tally.image_px += height * width
    y, x = np.mgrid[:height, :width] + 0.5
    union = np.zeros(shape, bool)
    for box, kind, asked in zip(marks.boxes, marks.kinds, marks.asked, strict=True):
        union |= (box[0] <= x) & (x < box[2]) & (box[1] <= y) & (y < box[3])
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        face = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1
        if asked:
            names = [kind] + ([f"from {face_kinds.SMALL_PX} px"] if kind != "small" else [])
            tally.marked.update(names)
            if mask[face].mean() >= COVERED_SHARE:
                tally.covered.update(names)
            elif kind != "small":
                tally.missed.append(f"{clip} {seconds:.2f} {kind} {box.round().astype(int).tolist()}")
    tally.face_px += int(union.sum())


def keep(path: Path, rgb: np.ndarray, aspect: Fraction) -> None:
    size = (round(rgb.shape[1] * float(aspect)), rgb.shape[0])
    cv2.imwrite(str(path), cv2.cvtColor(cv2.resize(rgb, size), cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder of the footage that was marked")
    parser.add_argument("--half", choices=("choose", "report"), help="this half of the clips alone")
    parser.add_argument("--only", nargs="+", help="clips whose path contains one of these")
    parser.add_argument("--sheet", type=Path, help="an existing folder for the covered marked frames")
    arguments = parser.parse_args()
    tally = Tally()
    for clip, marks in face_kinds.read_kinds(arguments.half).items():
        path = arguments.videos / clip
        if path.is_file() and not (arguments.only and not any(part in clip for part in arguments.only)):
            run_clip(path, clip, marks, tally, arguments.sheet)
    print("\n| faces | covered |\n|---|---|")
    for name in (*face_kinds.KINDS, f"from {face_kinds.SMALL_PX} px"):
        if n := tally.marked[name]:
            print(f"| {name} | {tally.covered[name]} of {n} ({tally.covered[name] / n:.1%}) |")
    print(f"\ncovered: {tally.covered_px / max(1, tally.image_px):.1%} of the marked frames, ", end="")
    print(f"{tally.covered_px / max(1, tally.face_px):.2f} times the area of the marked faces")
    if tally.seconds:
        costs = ", ".join(f"{name} {1000 * spent / tally.seconds:.0f}" for name, spent in tally.cpu.items())
        print(f"CPU ms per second of video, over {tally.seconds:.0f} s: {costs}; covering takes ", end="")
        print(f"{tally.cpu['covering'] / tally.cpu['analysis']:.2f} times the analysis")
    print("\n".join(["not covered:", *tally.missed]))


if __name__ == "__main__":
    main()
