"""A face finder of `fervid train-finder` against its teacher: what both find, how long it takes, what an install saves.

    python benchmarks/finder.py finder.npz --videos FOLDER [--repeats 40]

Recall is that of the faces from 8 % of the height that CenterFace finds with 384 lines: at the lowest threshold at
which at most 1 % of the boxes are false, and at each detector's own threshold. It is measured on two frames a second of
the clips of the half "report" in `benchmarks/faces/kinds.csv`: the finder must have seen none of their people. CPU
milliseconds are medians, one thread, both in turn. The packages are those that `deface` alone brings.
"""

from __future__ import annotations

import argparse
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from face_kinds import read_kinds
from fervid.detect.centerface import CenterFaceDetector
from fervid.detect.finder import FinderDetector
from fervid.train.finder.judge import LOWEST_SCORE, judge
from fervid.train.finder.targets import gather
from fervid.video.grays import gray_pictures

FPS = 2.0
LINES = (128, 192)
SIZES_PX = ((64, 64), (128, 224), (192, 352))
ONLY_FOR_THE_TEACHER = (
    "deface",
    "imageio",
    "imageio-ffmpeg",
    "scikit-image",
    "scipy",
    "networkx",
    "tifffile",
    "lazy-loader",
)


def cpu_ms(finders: dict[str, object], shape: tuple[int, int], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of each detector for blurred noise of a shape, in turn."""
    gray = np.random.default_rng(0).integers(60, 190, shape, np.uint8)
    taken: dict[str, list[float]] = {name: [] for name in finders}
    for _ in range(repeats):
        for name, finder in finders.items():
            started = time.process_time()
            finder.detect(gray)  # type: ignore[attr-defined]
            taken[name].append(1000 * (time.process_time() - started))
    return {name: float(np.median(times)) for name, times in taken.items()}


def unpacked_mb(name: str) -> float:
    """Size of an installed package on disk."""
    files = metadata.files(name) or ()
    return sum(path.stat().st_size for path in (Path(str(f.locate())) for f in files) if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("finder", type=Path)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    clips = [arguments.videos / clip for clip in read_kinds("report")]
    pictures = (gray_pictures(clip, fps=FPS, segment_seconds=60, max_pixels=10**8) for clip in clips)
    judged = gather(gray for each in pictures for gray in each)
    print(
        f"{len(clips)} clips, {len(judged.pictures)} frames, {sum(map(len, judged.faces))} faces of any size and score"
    )
    own = FinderDetector(model_path=str(arguments.finder))
    print(f"finder {arguments.finder.stat().st_size / 1e6:.2f} MB, threshold {own.sure_confidence:.3f}\n")
    every = {
        "CenterFace": CenterFaceDetector(score_threshold=LOWEST_SCORE),
        "finder": FinderDetector(model_path=str(arguments.finder), score_threshold=LOWEST_SCORE),
    }
    usual = {"CenterFace": CenterFaceDetector(), "finder": own}
    print("| lines | detector | recall with 1 % false | average precision | recall as set | false boxes as set |")
    print("|---|---|---|---|---|---|")
    for lines in LINES:
        for name, finder in every.items():
            best, as_set = judge(finder, judged, lines=lines), judge(usual[name], judged, lines=lines)
            print(
                f"| {lines} | {name} | {best.recall:.3f} | {best.average_precision:.3f} | {as_set.found:.3f} | "
                f"{as_set.false_boxes} of {as_set.boxes} |"
            )
    for shape in SIZES_PX:
        times = cpu_ms(usual, shape, arguments.repeats)
        print(f"\n{shape[0]} x {shape[1]}: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in times.items()))
    sizes = {name: unpacked_mb(name) for name in ONLY_FOR_THE_TEACHER}
    print(f"\npackages of the teacher alone: {sum(sizes.values()):.0f} MB (" + ", ".join(sizes) + ")")


if __name__ == "__main__":
    main()
