"""Shot cuts against PySceneDetect's AdaptiveDetector at its default settings, on the same decoded frames.

    python benchmarks/cuts.py VIDEO_OR_FOLDER... [--fps 0 10 5]

Prints true, false and missed cuts for each video and rate (0: every frame), with F1 at a tolerance of one analysed
interval. Then both on made-up shots with known cuts, with fades through black and with flashes; and what thumbnails and
cuts cost beside one analysis. AdaptiveDetector reports no cut within 15 frames of the last; `all changes` counts ours
without the like rule (`track.min_shot_seconds=0`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from fervid.base.opencv import cv2
from fervid.batch.inputs import find_videos
from fervid.config import load_settings
from fervid.interpret.cuts import find_shots, measure_frames
from fervid.observe.observations import THUMBNAIL_PX
from fervid.observe.thumbnail import take_thumbnail
from fervid.video.luma import luma
from fervid.video.sampling import sampling_slot

REFERENCE_WIDTH_PX = 256
"""PySceneDetect shrinks wider frames to about this before it looks."""
TRACK = load_settings(preset="trailer", environment={}).track
SYNTHETIC_FPS, SYNTHETIC_SHOTS, SYNTHETIC_SIZE = 25.0, 40, (320, 180)
SHOT_SECONDS = (1.0, 4.0)
FADE_SECONDS, FLASH_FRAMES = 0.8, 2
FADE_TOLERANCE_SECONDS = FADE_SECONDS / 2
SEARCHED_FACE_PX = 20
"""The smallest face in the picture that is searched, in its own pixels."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What both sides saw of a video: times float64 (N,), thumbnails uint8 (N, h, w), cuts of the reference (rows)."""

    times: np.ndarray
    thumbnails: np.ndarray
    reference: list[int]


@dataclass(slots=True)
class Count:
    """Cuts found and missed."""

    right: int = 0
    false: int = 0
    missed: int = 0

    def add(self, found: Iterable[float], truth: Iterable[float], tolerance: float) -> None:
        """Match each cut found to the nearest one of the truth that is left."""
        left = list(truth)
        for moment in found:
            near = [other for other in left if abs(other - moment) <= tolerance]
            if near:
                left.remove(min(near, key=lambda other: abs(other - moment)))
                self.right += 1
            else:
                self.false += 1
        self.missed += len(left)

    def __str__(self) -> str:
        total = 2 * self.right + self.false + self.missed
        f1 = f"{2 * self.right / total:.3f}" if total else "no cuts"
        return f"right {self.right:3d}  false {self.false:3d}  missed {self.missed:3d}  F1 {f1}"


def watch(pictures: Iterable[tuple[float, np.ndarray, np.ndarray]], fps: float) -> Watched:
    """Feed (seconds, BGR, luma) to the reference, and make thumbnails of the same frames."""
    detector = AdaptiveDetector()
    times, thumbnails, reference = [], [], []
    for i, (seconds, bgr, gray) in enumerate(pictures):
        factor = min(1.0, REFERENCE_WIDTH_PX / bgr.shape[1])
        small = cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        reference += [cut.frame_num for cut in detector.process_frame(FrameTimecode(i, fps), small)]
        times.append(seconds)
        thumbnails.append(take_thumbnail(gray, THUMBNAIL_PX))
    return Watched(np.array(times), np.array(thumbnails), reference)


def frames_of(path: Path) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Every frame of a file."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        for frame in container.decode(video=0):
            yield float(frame.time) - start, frame.to_ndarray(format="bgr24"), luma(frame)[0]


def our_cuts(seen: Watched, fps: float, *, min_shot_seconds: float) -> tuple[np.ndarray, float]:
    """Times of our cuts at a sampling rate, and the usual time between sampled frames."""
    slots = np.array([sampling_slot(t, fps) if fps else i for i, t in enumerate(seen.times)])
    taken = np.concatenate([[True], np.diff(slots) > 0])
    times = seen.times[taken]
    pictures = measure_frames([seen.thumbnails[taken]], times, threshold=TRACK.cut_threshold)
    shots = find_shots(pictures.is_cut, times, min_shot_seconds=min_shot_seconds)
    return times[shots], float(np.median(np.diff(times)))


def compare_files(videos: Iterable[Path], rates: list[float]) -> None:
    totals = {(rate, rule): Count() for rate in rates for rule in (TRACK.min_shot_seconds, 0.0)}
    for path in videos:
        with av.open(str(path)) as container:
            fps = float(container.streams.video[0].average_rate or 25)
        seen = watch(frames_of(path), fps)
        truth = seen.times[seen.reference]
        print(f"{path.name}: {len(seen.times)} frames, {len(truth)} cuts by the reference")
        for (rate, rule), total in totals.items():
            found, interval = our_cuts(seen, rate, min_shot_seconds=rule)
            own = Count()
            for count in (own, total):
                count.add(found, truth, interval + 1e-3)
            if rule and (own.false or own.missed or own.right):
                print(f"  at {rate:g} a second: {own}")
    print("\nall videos, AdaptiveDetector taken for the truth")
    for (rate, rule), total in totals.items():
        name = "shots" if rule else "all changes"
        print(f"  {f'{rate:g} a second' if rate else 'every frame':14s} {name:12s} {total}")


def scene(rng: np.random.Generator) -> np.ndarray:
    """A picture with the structure of a place: blotches of all sizes, in one tint."""
    width, height = (2 * side for side in SYNTHETIC_SIZE)
    levels = sum(
        cv2.resize(rng.normal(0, 1, (height // size, width // size)), (width, height), interpolation=cv2.INTER_CUBIC)
        for size in (10, 40, 120)
    )
    levels = rng.uniform(70, 170) + 35 * levels
    return np.clip(levels[..., None] * rng.uniform(0.6, 1.2, 3), 0, 255).astype(np.uint8)


def story(kind: str, rng: np.random.Generator) -> tuple[list[np.ndarray], list[float]]:
    """FrameMeasures of a panning camera, and the times of the cuts in it. Fades count at their darkest picture."""
    width, height = SYNTHETIC_SIZE
    pictures: list[np.ndarray] = []
    truth: list[float] = []
    for shot in range(SYNTHETIC_SHOTS):
        place = scene(rng)
        n = round(rng.uniform(*SHOT_SECONDS) * SYNTHETIC_FPS)
        speed = rng.uniform(-1.5, 1.5, 2)
        if shot:
            truth.append(len(pictures) / SYNTHETIC_FPS)
        own = []
        for i in range(n):
            x, y = (np.array([width, height]) / 2 + speed * i).clip(0, [width, height]).round().astype(int)
            noise = rng.normal(0, 3, (height, width, 1))
            own.append(np.clip(place[y : y + height, x : x + width] + noise, 0, 255).astype(np.uint8))
        if kind == "fades":
            half = min(round(FADE_SECONDS / 2 * SYNTHETIC_FPS), n // 2)
            for i in range(half):
                own[i] = (own[i] * (i / half)).astype(np.uint8)
                own[-1 - i] = (own[-1 - i] * (i / half)).astype(np.uint8)
        if kind == "flashes":
            at = n // 2
            for i in range(at, min(at + FLASH_FRAMES, n)):
                own[i] = (255 - (255 - own[i].astype(int)) // 8).astype(np.uint8)
        pictures += own
    return pictures, truth


def compare_stories() -> None:
    print("\nmade-up shots with known cuts")
    for kind in ("cuts", "fades", "flashes"):
        pictures, truth = story(kind, np.random.default_rng(11))
        seen = watch(
            ((i / SYNTHETIC_FPS, bgr, cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)) for i, bgr in enumerate(pictures)),
            SYNTHETIC_FPS,
        )
        wide = FADE_TOLERANCE_SECONDS if kind == "fades" else 0.0
        reference = Count()
        reference.add(seen.times[seen.reference], truth, max(wide, 1 / SYNTHETIC_FPS) + 1e-3)
        print(f"  {kind:8s} {'reference':14s} {reference}")
        for rate in (0.0, 10.0):
            found, interval = our_cuts(seen, rate, min_shot_seconds=TRACK.min_shot_seconds)
            own = Count()
            own.add(found, truth, max(wide, interval) + 1e-3)
            print(f"  {kind:8s} {f'{rate:g} a second' if rate else 'every frame':14s} {own}")


def cost(path: Path) -> None:
    """CPU seconds of thumbnails and cuts beside those of everything that observing does."""
    import tempfile

    import fervid

    settings = load_settings(preset="trailer", environment={})
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        run = fervid.analyze(path, out=folder, settings=settings, device="cpu", plot=False)
        whole = time.process_time() - begun
        n = run.manifest.ledger.analysed
    cv2.setNumThreads(1)
    grays = []
    for i, (_, _, gray) in enumerate(frames_of(path)):
        # Thumbnails are made from the picture in which faces are searched, which is shrunk already.
        shrink = min(1.0, SEARCHED_FACE_PX / (settings.detect.min_face_share * gray.shape[0]))
        grays.append(cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
        if i >= 50:
            break
    begun = time.process_time()
    small = [take_thumbnail(gray, THUMBNAIL_PX) for gray in grays]
    thumbnail = (time.process_time() - begun) / len(grays)
    begun = time.process_time()
    measure_frames([np.array(small)] * 20, np.arange(20 * len(small)) / 10, threshold=TRACK.cut_threshold)
    decide = (time.process_time() - begun) / (20 * len(small))
    share = n * (thumbnail + decide) / whole
    print(
        f"\n{path.name}: {1e6 * thumbnail:.0f} us a thumbnail, {1e6 * decide:.0f} us a decision, "
        f"{n} frames: {share:.1%} of the {whole:.1f} CPU s of an analysis"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*")
    parser.add_argument("--fps", type=float, nargs="*", default=[0.0, 10.0, 5.0])
    arguments = parser.parse_args()
    if arguments.videos:
        videos = find_videos(arguments.videos).videos
        compare_files(videos, arguments.fps)
        cost(videos[0])
    compare_stories()


if __name__ == "__main__":
    main()
