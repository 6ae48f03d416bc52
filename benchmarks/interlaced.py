"""Does it help to deinterlace frames before faces are found and scored?

    python benchmarks/interlaced.py CLIP...

Of each clip the even frames are the truth. The interlaced copy has the even lines of those, and the odd lines of the
frames between: lines of two moments, at twice the speed of the clip, which is worse than any camera. Prints, over all
frames, how many faces of the truth are found (IoU above 0.4), how many others are, and how far scores are from those of
the truth (half the sum of differences, 0 to 1):

- combed: the interlaced copy as it is
- averaged: its odd lines replaced by the mean of their neighbours
- adaptive: the same where a line differs from both its neighbours in the same direction
- the latter two on the truth too, since progressive footage is often marked as interlaced
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "pipeline"))

MOST_FRAMES, RATE = 240, 25
LEAST_IOU = 0.4
COMB_LEVELS = 10
Filter = Callable[[np.ndarray], np.ndarray]


def averaged(gray: np.ndarray) -> np.ndarray:
    """The odd lines as the mean of their neighbours."""
    return _replaced(gray, is_adaptive=False)


def adaptive(gray: np.ndarray) -> np.ndarray:
    """The same where they are combed."""
    return _replaced(gray, is_adaptive=True)


def _replaced(gray: np.ndarray, *, is_adaptive: bool) -> np.ndarray:
    made, height = np.array(gray), len(gray) // 2 * 2
    above, odd, below = made[0 : height - 2 : 2], made[1 : height - 1 : 2], made[2:height:2]
    mean = cv2.addWeighted(above, 0.5, below, 0.5, 0)
    if not is_adaptive:
        odd[:] = mean
        return made
    up, down = (cv2.subtract(odd, other, dtype=cv2.CV_16S).astype(np.int32) for other in (above, below))
    is_combed = up * down > COMB_LEVELS**2
    odd[is_combed] = mean[is_combed]
    return made


def make_pair(source: Path, folder: Path) -> tuple[Path, Path]:
    """The truth and the interlaced copy of a clip, nearly lossless."""
    frames: list[np.ndarray] = []
    with av.open(str(source)) as given:
        for frame in given.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) >= MOST_FRAMES:
                break
    height, width = frames[0].shape[0] // 4 * 4, frames[0].shape[1] // 2 * 2
    frames = [frame[:height, :width] for frame in frames if frame.shape == frames[0].shape]
    paths = folder / f"{source.stem}-truth.mkv", folder / f"{source.stem}-interlaced.mkv"
    for path, is_interlaced in zip(paths, (False, True), strict=True):
        with av.open(str(path), "w") as made:
            stream = made.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": "8", "preset": "ultrafast"} | ({"flags": "+ilme+ildct"} if is_interlaced else {})
            for even, odd in zip(frames[::2], frames[1::2], strict=False):
                image = np.array(even)
                if is_interlaced:
                    image[1::2] = odd[1::2]
                made.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            made.mux(stream.encode())
    return paths


def faces_of(video: Path, out: Path, change: Filter | None) -> Any:
    """The faces of every frame as a data frame, with `change` applied to each plane that the reader decodes."""
    import fervid
    from fervid.video import packets

    luma = packets.luma

    def changed(frame: Any) -> tuple[np.ndarray, bool]:
        plane, is_full_range = luma(frame)
        return (plane if change is None else change(plane)), is_full_range

    packets.luma = changed
    try:
        settings = fervid.load_settings(assignments=["video.fps=0"], environment={})
        run = fervid.analyze(video, out=out, settings=settings, plot=False, device="cpu", overwrite=True)
        return run.faces.to_pandas()
    finally:
        packets.luma = luma


def compared(found: Any, truth: Any) -> tuple[int, int, int, float]:
    """Faces of the truth, those found, others, and the sum of score errors of those found."""
    pairs = found.merge(truth, on="frame", suffixes=("", "_t"))
    width, height = (
        np.clip(
            np.minimum(pairs[at] + pairs[side], pairs[f"{at}_t"] + pairs[f"{side}_t"])
            - np.maximum(pairs[at], pairs[f"{at}_t"]),
            0,
            None,
        )
        for at, side in (("x", "w"), ("y", "h"))
    )
    both = width * height
    pairs = pairs[both / (pairs.w * pairs.h + pairs.w_t * pairs.h_t - both) > LEAST_IOU]
    scores = [name for name in truth.columns if name.startswith("p_")]
    errors = np.abs(pairs[scores].to_numpy() - pairs[[f"{name}_t" for name in scores]].to_numpy()).sum(axis=1) / 2
    return len(truth), len(pairs), len(found) - len(pairs), float(errors.sum())


def main() -> None:
    clips = [Path(name) for name in sys.argv[1:]]
    if not clips:
        sys.exit(__doc__)
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for clip in clips:
            truth_clip, interlaced = make_pair(clip, folder)
            truth = faces_of(truth_clip, folder / "out", None)
            for name, video, change in (
                ("combed", interlaced, None),
                ("averaged", interlaced, averaged),
                ("adaptive", interlaced, adaptive),
                ("progressive, averaged", truth_clip, averaged),
                ("progressive, adaptive", truth_clip, adaptive),
            ):
                sums[name] += compared(faces_of(video, folder / "out", change), truth)
    for name, (n, found, others, error) in sums.items():
        print(f"{name}: {found:.0f} of {n:.0f} faces found, {others:.0f} others, score error {error / found:.3f}")


if __name__ == "__main__":
    main()
