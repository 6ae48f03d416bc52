"""Cover faces in pictures so that nobody can be recognised. Knows no alert.

Two sources together say where faces may be: the faces that the run stored, carried on between its samples, and a search
of its own that would rather cover too much: frontal and side views, down to small ones, each find kept for a while
before and after. A face that neither finds stays as it is, so what is written still needs a look before it is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fervid.geometry import clip_boxes, iou_matrix, pad_boxes
from fervid.opencv import CASCADES_FOLDER, cv2

CASCADES = ("haarcascade_frontalface_alt2.xml", "haarcascade_frontalface_default.xml", "haarcascade_profileface.xml")
SIDE_VIEW = "haarcascade_profileface.xml"
"""It knows faces that look to the left; the mirrored picture finds the others."""
CASCADE_PX, SCALE_FACTOR, NEIGHBOURS = 20, 1.1, 1
LEAST_FACE_SHARE, LEAST_FACE_PX = 0.04, 20
"""The smallest face looked for, as a share of the frame's height and in pixels: smaller ones tell nobody apart."""
SEARCH_EVERY_SECONDS, KEPT_SECONDS = 0.2, 0.6
BRIDGED_SECONDS = 2.0
"""Between two stored faces of one track at most so far apart the face is taken to have moved evenly."""
MARGIN = 0.3
"""Boxes grow by this share on every side: hair and chin tell people apart too."""
BLOCKS = 5
"""A covered face is left with so many blocks across: far fewer than anybody, or any program, needs."""
SAME_FACE_IOU = 0.2


@dataclass(slots=True)
class FaceCovers:
    """Where faces may be over time. Boxes are xyxy in pixels of the displayed frame."""

    tracks: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Of each track its times (n,), ascending, and its boxes (n, 4)."""
    found: list[tuple[float, np.ndarray]] = field(default_factory=list)
    spared: frozenset[int] = frozenset()
    """Tracks that stay as they are."""

    def at(self, seconds: float) -> np.ndarray:
        """The boxes to cover at a moment, float64 (k, 4)."""
        covered = [self._track_at(track, seconds) for track in self.tracks if track not in self.spared]
        covered += [boxes for when, boxes in self.found if abs(when - seconds) <= KEPT_SECONDS]
        boxes = np.concatenate([np.zeros((0, 4)), *covered])
        spared = np.concatenate([np.zeros((0, 4)), *(self._track_at(track, seconds) for track in self.spared)])
        if len(spared) and len(boxes):
            boxes = boxes[(iou_matrix(pad_boxes(spared, MARGIN), boxes) < SAME_FACE_IOU).all(axis=0)]
        return boxes

    def _track_at(self, track: int, seconds: float) -> np.ndarray:
        times, boxes = self.tracks.get(track, (np.zeros(0), np.zeros((0, 4))))
        after = int(np.searchsorted(times, seconds))
        near = [i for i in (after - 1, after) if 0 <= i < len(times) and abs(times[i] - seconds) <= KEPT_SECONDS]
        if 0 < after < len(times) and times[after] - times[after - 1] <= BRIDGED_SECONDS:
            share = (seconds - times[after - 1]) / (times[after] - times[after - 1])
            between = boxes[after - 1] + share * (boxes[after] - boxes[after - 1])
            return np.concatenate([between[None], boxes[near]])
        return np.asarray(boxes[near])


class FaceSearch:
    """Looks for anything that may be a face. Not for two threads at once."""

    def __init__(self) -> None:
        self._cascades = {name: cv2.CascadeClassifier(str(Path(CASCADES_FOLDER) / name)) for name in CASCADES}

    def search(self, rgb: np.ndarray) -> np.ndarray:
        """RGB uint8 (H, W, 3) -> boxes float64 (k, 4), false ones among them."""
        gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        shrink = min(1.0, CASCADE_PX / max(LEAST_FACE_PX, LEAST_FACE_SHARE * gray.shape[0]))
        if shrink < 1:
            gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        width = gray.shape[1]
        found = []
        for name, cascade in self._cascades.items():
            for mirrored in (False, True) if name == SIDE_VIEW else (False,):
                picture = np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray
                for x, y, w, h in cascade.detectMultiScale(
                    picture, SCALE_FACTOR, NEIGHBOURS, minSize=(CASCADE_PX, CASCADE_PX)
                ):
                    left = width - x - w if mirrored else x
                    found.append((left, y, left + w, y + h))
        return np.asarray(np.array(found, np.float64).reshape(-1, 4) / shrink)


def find_faces_to_cover(pictures: Iterable[tuple[float, np.ndarray]]) -> list[tuple[float, np.ndarray]]:
    """Search pictures (seconds, RGB) in order, one every `SEARCH_EVERY_SECONDS`: times and boxes."""
    search = FaceSearch()
    found: list[tuple[float, np.ndarray]] = []
    for seconds, rgb in pictures:
        if not found or seconds - found[-1][0] >= SEARCH_EVERY_SECONDS:
            found.append((seconds, search.search(rgb)))
    return found


def cover(rgb: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
    """A copy of a picture, RGB uint8 (H, W, 3), in which boxes (k, 4), grown by MARGIN, are a few flat blocks."""
    covered = rgb.copy()
    height, width = rgb.shape[:2]
    grown = pad_boxes(np.asarray(boxes, np.float64).reshape(-1, 4), MARGIN)
    # Larger boxes last: a small one within a face, most often a false find, would show that part in finer blocks.
    grown = grown[np.argsort((grown[:, 2] - grown[:, 0]) * (grown[:, 3] - grown[:, 1]), kind="stable")]
    for x0, y0, x1, y1 in clip_boxes(np.round(grown), width, height).astype(int):
        if x1 > x0 and y1 > y0:
            blocks = cv2.resize(rgb[y0:y1, x0:x1], (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
            covered[y0:y1, x0:x1] = cv2.resize(blocks, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return covered
