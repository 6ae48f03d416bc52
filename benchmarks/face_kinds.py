"""Which of the faces marked by kind a search finds, by kind and size, and how many of its boxes are false.

    python benchmarks/detect.py --kinds --videos FOLDER [--half choose|report] [--detectors haar centerface]

`benchmarks/faces/kinds.csv` holds the marks (benchmarks/faces/README.md). A setting searches the whole of each clip at
5 frames a second, as `benchmarks/detect.py` does, and is judged on the marked frames. Choose with one half,
report the other: clips of one scene are in the same half.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fervid.base.geometry import iou_matrix
from fervid.base.types import Frame

MARKED = Path(__file__).parent / "faces" / "kinds.csv"
KINDS = ("frontal", "three_quarter", "profile", "down", "dark", "covered", "rotated", "small")
NOT_ASKED = ("ignored", "drawn")
SMALL_PX = 24
FOUND_IOU = 0.35

Search = Callable[[list[Frame], float], list[np.ndarray]]
"""Sampled frames of a segment and the shape of their pixels -> boxes (n, 4) of each frame."""


@dataclass(frozen=True, slots=True)
class KindMarks:
    """The faces of one frame: boxes float64 (n, 4) xyxy in pixels of the displayed frame, and their kinds."""

    boxes: np.ndarray
    kinds: tuple[str, ...]

    @property
    def asked(self) -> np.ndarray:
        """Which of them have to be found: bool (n,)."""
        return np.array([kind not in NOT_ASKED for kind in self.kinds], bool)


@dataclass(slots=True)
class KindScore:
    """What a search found, counted by kind and by size."""

    found: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)
    frames_found: int = 0
    frames_marked: int = 0
    """Frames that hold a face of at least `min_share`, and those of them in which any face was found."""
    boxes: int = 0
    false_boxes: int = 0
    nested_boxes: int = 0


def read_kinds(half: str | None = None, path: Path = MARKED) -> dict[str, dict[float, KindMarks]]:
    """clip -> time -> marks; a frame without a face has none. `half` is "choose", "report" or None for both."""
    rows: dict[str, dict[float, list[dict[str, str]]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if half in (None, row["half"]):
                rows.setdefault(row["clip"], {}).setdefault(float(row["time_s"]), []).append(row)
    return {clip: {time: _marks(found) for time, found in times.items()} for clip, times in rows.items()}


def _marks(rows: list[dict[str, str]]) -> KindMarks:
    seen = [row for row in rows if row["kind"] != "none"]
    boxes = np.array([[float(row[name]) for name in ("x", "y", "w", "h")] for row in seen]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return KindMarks(boxes, tuple(row["kind"] for row in seen))


def matches(marked: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether box j is face i, bool (n, m): each centre lies in the other, or both overlap well."""
    if not len(marked) or not len(boxes):
        return np.zeros((len(marked), len(boxes)), bool)
    marked, boxes = marked[:, None, :], boxes[None, :, :]
    each_other = _holds(marked, boxes) & _holds(boxes, marked)
    return np.asarray(each_other | (iou_matrix(marked[:, 0], boxes[0]) >= FOUND_IOU))


def _holds(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    centre = (inner[..., :2] + inner[..., 2:]) / 2
    return np.asarray(((outer[..., :2] < centre) & (centre < outer[..., 2:])).all(axis=-1))


def judge(score: KindScore, marks: KindMarks, boxes: np.ndarray, *, height_px: int, min_share: float) -> None:
    """Count what the boxes of one marked frame are."""
    same = matches(marks.boxes, boxes)
    heights = marks.boxes[:, 3] - marks.boxes[:, 1]
    is_found = same.any(axis=1)
    for i in np.flatnonzero(marks.asked):
        names = [marks.kinds[i], _size(heights[i], height_px, min_share)]
        names += [f"{marks.kinds[i]}, large"] if heights[i] >= min_share * height_px else []
        score.marked.update(names)
        score.found.update(names if is_found[i] else [])
    if (marks.asked & (heights >= min_share * height_px)).any():
        score.frames_marked += 1
        score.frames_found += bool((marks.asked & is_found).any())
    score.boxes += len(boxes)
    touched = same.any(axis=0) | (_holds(marks.boxes[:, None], boxes[None]).any(axis=0) if len(marks.boxes) else False)
    score.false_boxes += int(len(boxes) - np.count_nonzero(np.broadcast_to(touched, len(boxes))))
    if len(boxes) > 1:
        widths = boxes[:, 2] - boxes[:, 0]
        inside = _holds(boxes[:, None], boxes[None]) & (widths[None] < 0.8 * widths[:, None])
        score.nested_boxes += int(inside.any(axis=0).sum())


def _size(height: float, frame_height: int, min_share: float) -> str:
    if height < SMALL_PX:
        return f"below {SMALL_PX} px"
    return (
        f"from {SMALL_PX} px, below {min_share:.0%}" if height < min_share * frame_height else f"from {min_share:.0%}"
    )


def measure(
    videos: Path,
    searches: dict[str, Search],
    segments_of: Callable[[Path], Iterator[tuple[float, list[Frame]]]],
    *,
    half: str | None,
    only: list[str] | None,
    min_share: float,
) -> dict[str, KindScore]:
    """The score of each search over the marked clips below `videos`."""
    scores = {name: KindScore() for name in searches}
    for clip, marks in read_kinds(half).items():
        path = videos / clip
        if (only and not any(part in clip for part in only)) or not path.is_file():
            continue
        for aspect, frames in segments_of(path):
            at = {round(frame.pts_seconds, 4): i for i, frame in enumerate(frames)}
            wanted = {at[round(time, 4)]: found for time, found in marks.items() if round(time, 4) in at}
            if not wanted:
                continue
            for name, search in searches.items():
                boxes = search(frames, aspect)
                for i, found in wanted.items():
                    judge(scores[name], found, boxes[i], height_px=frames[i].gray.shape[0], min_share=min_share)
    return scores


def print_kinds(scores: dict[str, KindScore], *, min_share: float) -> None:
    """Recall by kind and size, a column a search."""
    names = list(scores)
    large = f"from {min_share:.0%}"
    sizes = [large, f"from {SMALL_PX} px, below {min_share:.0%}", f"below {SMALL_PX} px"]
    print(f"\n| faces | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for row in (*KINDS, *sizes, *(f"{kind}, large" for kind in KINDS if kind != "small")):
        if not any(score.marked[row] for score in scores.values()):
            continue
        cells = [f"{s.found[row]} of {s.marked[row]} ({s.found[row] / s.marked[row]:.0%})" for s in scores.values()]
        print(f"| {row.replace('large', large)} | {' | '.join(cells)} |")
    frames = [f"{s.frames_found} of {s.frames_marked}" for s in scores.values()]
    print(f"| frames with a face {large} that show one | {' | '.join(frames)} |")
    print(f"| false boxes | {' | '.join(f'{s.false_boxes} of {s.boxes}' for s in scores.values())} |")
    print(f"| nested boxes | {' | '.join(str(s.nested_boxes) for s in scores.values())} |")
