"""Whether people keep their numbers: every tracker over faces whose identity was marked by hand.

    python benchmarks/tracking.py [--fps 5 2.5 1]

`benchmarks/tracks/marked.csv` holds the marks (benchmarks/tracks/README.md); no footage is needed. Each tracker gets
the marked boxes, at 5 frames a second and thinned out. Prints for each rate and tracker:

- switches: how often a person's number changes from one sighting to the next;
- mixed: numbers that stand for more than one person;
- IDF1: the share of sightings that bear the right number, each person matched to one number, as well as can be
  (Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016; as every
  sighting is detected here, IDP and IDR are the same);
- microseconds a frame.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from fervid.config import load_settings
from fervid.track import TRACKERS, make_tracker

MARKED = Path(__file__).parent / "tracks" / "marked.csv"
MARKED_FPS = 5.0

Scene = dict[float, list[tuple[str, np.ndarray]]]
"""By time: the person and the box float32 (4,) of each face."""


@dataclass(slots=True)
class Score:
    """Counts over all scenes."""

    sightings: int = 0
    right: int = 0
    switches: int = 0
    mixed: int = 0
    frames: int = 0
    seconds: float = 0.0


def read_scenes(path: Path = MARKED) -> list[Scene]:
    """The marked scenes, faces in order of x as a search gives them."""
    scenes: dict[tuple[str, str], Scene] = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            x, y, w, h = (float(row[side]) for side in "xywh")
            box = np.array([x, y, x + w, y + h], np.float32)
            scenes[row["clip"], row["scene"]][float(row["time_s"])].append((row["person"], box))
    return [{t: sorted(scene[t], key=lambda one: one[1][0]) for t in sorted(scene)} for scene in scenes.values()]


def follow(scene: Scene, name: str, score: Score, *, fps: float) -> None:
    """Count what one tracker makes of a scene sampled at `fps`."""
    track = load_settings(assignments=[f"track.tracker={name}"], environment={}).track
    tracker = make_tracker(name, track.chosen_options, gap_seconds=track.gap_seconds)
    together: Counter[tuple[str, int]] = Counter()
    last: dict[str, int] = {}
    for seconds in list(scene)[:: max(1, round(MARKED_FPS / fps))]:
        faces = scene[seconds]
        boxes = np.stack([box for _, box in faces])
        started = time.perf_counter()
        ids = tracker.update(boxes, seconds, spacing_seconds=1 / fps).tolist()
        score.seconds += time.perf_counter() - started
        score.frames += 1
        for (person, _), track_id in zip(faces, ids, strict=True):
            score.switches += last.get(person, track_id) != track_id
            last[person] = track_id
            together[person, track_id] += 1
    people, tracks = sorted({p for p, _ in together}), sorted({t for _, t in together})
    counts = np.array([[together[person, track_id] for track_id in tracks] for person in people])
    rows, columns = linear_sum_assignment(-counts)
    score.right += int(counts[rows, columns].sum())
    score.sightings += int(counts.sum())
    score.mixed += int(((counts > 0).sum(axis=0) > 1).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fps", nargs="+", type=float, default=[5.0, 2.5, 1.0])
    arguments = parser.parse_args()
    scenes = read_scenes()
    print(f"{len(scenes)} scenes, {sum(map(len, scenes))} frames at {MARKED_FPS:g} a second")
    print(f"{'fps':>5} {'tracker':<8}{'sightings':>10}{'switches':>10}{'mixed':>7}{'IDF1':>7}{'us/frame':>10}")
    for fps in arguments.fps:
        for name in TRACKERS:
            score = Score()
            for scene in scenes:
                follow(scene, name, score, fps=fps)
            share, cost = score.right / score.sightings, score.seconds / score.frames * 1e6
            counts = f"{score.sightings:>10}{score.switches:>10}{score.mixed:>7}"
            print(f"{fps:>5g} {name:<8}{counts}{share:>7.3f}{cost:>10.0f}")


if __name__ == "__main__":
    main()
