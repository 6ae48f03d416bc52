"""Where and when to look for faces, frame after frame of one segment. Knows no detector by name, and no emotions.

A full search of every frame is the plain way and costs most of an analysis. Three facts make it avoidable: a face is
near where it was, large faces are cheap to find and small ones take time to come, and what did not change since it was
last searched gives the same answer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING

import numpy as np

from fervid.detect.effort import Effort
from fervid.detect.motion import (
    Halves,
    Rectangle,
    cells_of,
    changed_cells,
    hidden,
    is_new_shot,
    shot_thumbnail,
    shrunk,
    tiny,
)
from fervid.detect.plan import SearchPlan as SearchPlan
from fervid.detect.plan import SearchWork as SearchWork
from fervid.detect.scan import Scan, Scans
from fervid.detect.turning import turned, turned_back
from fervid.geometry import iou_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fervid.detect import Detector

OCTAVE = 2
"""Faces of one octave of sizes are looked for in one picture, faces twice as large in one half as wide."""

SIZES_AN_OCTAVE, PLACES_A_FACE = 4, 4
"""The grid of regions: sizes between a face and one twice as large, and places across a face."""

UPRIGHT = (0.0,)
TILTS_DEGREES = (0.0, 20.0, -20.0)
"""A cascade finds upright faces. Turning a region costs little, and finds the heads tilted to one side."""

FACE_STILL_SHARE = 0.4
"""A box is taken over only where less than this share of `still_level` changed: a face that moved by a few pixels looks
otherwise in a crop whose box stayed behind."""

LOOKS_IN_A_ROW, TILTED_LOOKS = 3, 1
"""Where a face was lost so many frames are searched for it, and then every second one; so many for tilted heads."""

SAME_FACE_IOU = 0.3
"""Two boxes of a frame that overlap more are one face; the surer one stays."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far from a face's last box it is looked for."""

    margin_share: float
    """The region reaches this share of the face beyond it on every side."""
    size_range: float
    """Sizes from the last one divided by this to the last one times this."""


WIDE, CLOSE = _Reach(0.5, 1.4), _Reach(0.3, 1.25)
"""With less than the wide reach the boxes of one face would drift from frame to frame, unless what ends at the edge of
a close one is searched again."""

EDGE_SHARE, SIZE_EDGE_SHARE = 0.04, 0.08
"""A box that comes closer than this share of the face to the end of a close reach may go on beyond it, and one whose
size does may be larger or smaller."""


@dataclass(slots=True)
class _Place:
    """Where a face is or was: its last box, and when and in what picture it was last searched."""

    box: np.ndarray
    confidence: float
    seen_seconds: float
    searched_seconds: float
    searched_tiny: np.ndarray
    is_seen: bool = True
    n_looks: int = 0
    """Frames in which it was looked for since it was lost."""


@dataclass(slots=True)
class _Found:
    """Boxes float32 (n, 4) in pixels of the picture, the surest first, and their confidence."""

    boxes: np.ndarray
    confidence: np.ndarray

    @classmethod
    def none(cls) -> _Found:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def joined(cls, found: Iterable[_Found]) -> _Found:
        """All of them, one box a face."""
        parts = [part for part in found if len(part.boxes)]
        if not parts:
            return cls.none()
        if len(parts) == 1 and len(parts[0].boxes) == 1:
            return parts[0]
        boxes = np.concatenate([part.boxes for part in parts])
        confidence = np.concatenate([part.confidence for part in parts])
        order = np.lexsort((boxes[:, 1], boxes[:, 0], -confidence))
        boxes, confidence = boxes[order], confidence[order]
        same = (iou_matrix(boxes, boxes) > SAME_FACE_IOU).tolist()
        keep: list[int] = []
        for i, same_as in enumerate(same):
            if not any(same_as[j] for j in keep):
                keep.append(i)
        return cls(boxes[keep], confidence[keep])

    def covers(self, box: np.ndarray) -> bool:
        return bool((iou_matrix(box[None], self.boxes) > SAME_FACE_IOU).any())


class FaceSearch:
    """Finds the faces of the frames of one segment, in order of time. Make a fresh one for each segment."""

    def __init__(self, detector: Detector, plan: SearchPlan, work: SearchWork) -> None:
        self._detector, self._plan, self._work = detector, plan, work
        self._places: list[_Place] = []
        self._scans = Scans(plan, work)
        self._last_thumbnail: np.ndarray | None = None
        self._shape: tuple[int, int] = (0, 0)

    def find(self, picture: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """The faces of the next frame's picture uint8 (H, W): boxes float32 (n, 4), confidence float32 (n,)."""
        self._work.frames += 1
        if self._plan.full_search_seconds and self._detector.searches_windows:
            found = self._find_where_needed(picture, seconds)
        else:
            self._work.full_searches += 1
            self._work.pixels += picture.size
            found = self._detect(picture)
        self._work.faces += len(found.boxes)
        return found.boxes, found.confidence

    def _find_where_needed(self, picture: np.ndarray, seconds: float) -> _Found:
        now = tiny(picture)
        if self._starts_afresh(picture, now):
            self._places = []
            self._scans.start_afresh()
        before = self._work.pixels
        found = _Found.joined([self._look_again(place, picture, now, seconds) for place in self._places])
        n_known = len(found.boxes)
        for candidate in self._candidates(picture, now, seconds):
            if not found.covers(candidate):
                found = _Found.joined([found, self._search_region(picture, candidate, effort="fine")])
        has_come, has_gone = len(found.boxes) > n_known, n_known < sum(place.is_seen for place in self._places)
        if has_come or has_gone:
            self._scans.hurry()
        self._work.still_frames += self._work.pixels == before
        self._remember(found, now, seconds)
        return found

    def _starts_afresh(self, picture: np.ndarray, now: np.ndarray) -> bool:
        """Whether what is known holds no more: at the first frame, a new size or a cut."""
        last, self._last_thumbnail = self._last_thumbnail, shot_thumbnail(now)
        last_shape, self._shape = self._shape, (picture.shape[0], picture.shape[1])
        if last is None or last_shape != self._shape:
            return True
        threshold = self._plan.new_shot_threshold
        is_cut = threshold > 0 and is_new_shot(last, self._last_thumbnail, threshold=threshold)
        self._work.cuts += is_cut
        return is_cut

    def _look_again(self, place: _Place, picture: np.ndarray, now: np.ndarray, seconds: float) -> _Found:
        """The faces around a place: searched, or taken over where nothing changed."""
        plan = self._plan
        if plan.still_level and seconds - place.searched_seconds < plan.still_seconds:
            around = cells_of(self._region(place.box), self._shape, now.shape)
            level = plan.still_level * FACE_STILL_SHARE
            if not changed_cells(place.searched_tiny[around], now[around], level=level).any():
                self._work.taken_over += 1
                if not place.is_seen:
                    return _Found.none()
                return _Found(place.box[None], np.array([place.confidence], np.float32))
        tilts: tuple[float, ...] = TILTS_DEGREES
        if not place.is_seen:
            place.n_looks += 1
            if place.n_looks > LOOKS_IN_A_ROW and place.n_looks % 2 == 0:
                return _Found.none()
            if place.n_looks > TILTED_LOOKS:
                tilts = UPRIGHT
        place.searched_seconds, place.searched_tiny = seconds, now
        if place.is_seen and plan.close_first:
            found = self._search_turned(picture, place.box, 0.0, effort="close", reach=CLOSE)
            if len(found.boxes) and not self._ends_at(found.boxes, _roughly(place.box), CLOSE):
                return found
        return self._search_region(picture, place.box, effort="lenient", tilts=tilts)

    def _search_region(
        self, picture: np.ndarray, box: np.ndarray, *, effort: Effort, tilts: tuple[float, ...] = TILTS_DEGREES
    ) -> _Found:
        """Faces about as large as `box` around it: with the first tilt of the head at which there are any."""
        for tilt in tilts:
            found = self._search_turned(picture, box, tilt, effort=effort)
            if len(found.boxes):
                break
        return found

    def _search_turned(
        self, picture: np.ndarray, box: np.ndarray, tilt_degrees: float, *, effort: Effort, reach: _Reach = WIDE
    ) -> _Found:
        """Faces about as large as `box` around it, with their heads tilted so far.

        The region is shrunk until the smallest face looked for is the detector's own.
        """
        self._work.region_searches += 1
        box = _roughly(box)
        size = float(box[2] - box[0])
        shrink = min(1.0, self._detector.smallest_face_px * reach.size_range / size)
        area, left, top, scale = self._cut_out(picture, self._region(box, reach.margin_share), shrink)
        largest = size * reach.size_range * shrink
        self._work.pixels += area.size
        found = self._detect(turned(area, tilt_degrees), max_face_px=largest, effort=effort)
        if not len(found.boxes):
            return found
        boxes = turned_back(found.boxes, area.shape, tilt_degrees) * scale
        return _Found(boxes + np.array([left, top] * 2, np.float32), found.confidence)

    def _ends_at(self, boxes: np.ndarray, around: np.ndarray, reach: _Reach) -> bool:
        """Whether one of the boxes ends where that reach around a box ends, within the picture, or is of a size at its
        end."""
        size = float(around[2] - around[0])
        left, top, right, bottom = self._region(around, reach.margin_share)
        height, width = self._shape
        edge = EDGE_SHARE * size
        low_x, low_y = (left or -size) + edge, (top or -size) + edge
        high_x = right - edge + size * (right == width)
        high_y = bottom - edge + size * (bottom == height)
        smallest = size / reach.size_range * (1 + SIZE_EDGE_SHARE)
        largest = size * reach.size_range * (1 - SIZE_EDGE_SHARE)
        return any(
            x0 < low_x or y0 < low_y or x1 > high_x or y1 > high_y or not smallest <= x1 - x0 <= largest
            for x0, y0, x1, y1 in boxes.tolist()
        )

    def _candidates(self, picture: np.ndarray, now: np.ndarray, seconds: float) -> list[np.ndarray]:
        """Boxes that may be faces, from the scans that are due."""
        candidates: list[np.ndarray] = []
        known = [self._region(place.box) for place in self._places if place.is_seen]
        halves = Halves(picture)
        largest, octave = 0, 0
        while largest < min(picture.shape):
            largest = self._detector.smallest_face_px * OCTAVE ** (octave + 1)
            scan = self._scans.due(octave, largest, shape=self._shape, now=now, seconds=seconds, known=known)
            if scan is not None:
                candidates += list(self._search_part(halves.level(octave), scan))
            octave += 1
        return candidates

    def _search_part(self, picture: np.ndarray, scan: Scan) -> np.ndarray:
        """Boxes (n, 4) that may be faces of up to twice the smallest size in a picture that was shrunk for them."""
        across, down = picture.shape[1] / self._shape[1], picture.shape[0] / self._shape[0]
        left, top = int(scan.part[0] * across), int(scan.part[1] * down)
        inside = slice(top, ceil(scan.part[3] * down)), slice(left, ceil(scan.part[2] * across))
        n_pixels = picture[inside].size
        if scan.cells is not None:
            picture, mask = hidden(picture, scan.cells)
            n_pixels = int(np.count_nonzero(mask[inside]))
        self._work.pixels += n_pixels
        largest = self._detector.smallest_face_px * OCTAVE
        found = _Found.joined([self._detect(picture[inside], max_face_px=largest, effort="rough")])
        return np.asarray((found.boxes + np.array([left, top] * 2, np.float32)) / np.array([across, down] * 2))

    def _cut_out(self, picture: np.ndarray, part: Rectangle, shrink: float) -> tuple[np.ndarray, int, int, np.ndarray]:
        """A part of the picture, shrunk; its left and top; and what brings boxes in it back to full size."""
        left, top, right, bottom = part
        area = picture[top:bottom, left:right]
        size = max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink))
        if size != (right - left, bottom - top):
            area = shrunk(area, size)
        return area, left, top, np.array([(right - left) / size[0], (bottom - top) / size[1]] * 2, np.float32)

    def _detect(self, area: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal") -> _Found:
        return _Found(*self._detector.detect(area, max_face_px=max_face_px, effort=effort))

    def _region(self, box: np.ndarray, margin_share: float = WIDE.margin_share) -> Rectangle:
        left, top, right, bottom = box.tolist()
        margin = (right - left) * margin_share
        height, width = self._shape
        return (
            max(0, int(left - margin)),
            max(0, int(top - margin)),
            min(width, ceil(right + margin)),
            min(height, ceil(bottom + margin)),
        )

    def _remember(self, found: _Found, now: np.ndarray, seconds: float) -> None:
        """Places for the next frame: the faces of this one, and those lost not long ago."""
        overlap = iou_matrix(found.boxes, np.stack([p.box for p in self._places])) if self._places else None
        places = []
        taken = set()
        for i, (box, sure) in enumerate(zip(found.boxes, found.confidence, strict=True)):
            place = _Place(box, float(sure), seconds, seconds, now)
            if overlap is not None:
                same = [int(j) for j in np.flatnonzero(overlap[i] > SAME_FACE_IOU)]
                taken.update(same)
                for j in same:  # taken over: the picture it was searched in stays the one to compare with
                    if np.array_equal(self._places[j].box, box):
                        place.searched_seconds = self._places[j].searched_seconds
                        place.searched_tiny = self._places[j].searched_tiny
            places.append(place)
        for j, place in enumerate(self._places):
            if j not in taken and seconds - place.seen_seconds <= self._plan.keep_lost_seconds:
                place.is_seen = False
                places.append(place)
        self._places = places


def _roughly(box: np.ndarray) -> np.ndarray:
    """A square box (4,) of nearly the same size and place, from a coarse grid.

    Boxes that differ little thus lead to the same search and the same answer, whatever happened in frames before.
    """
    left, top, right, bottom = box.tolist()
    size = 2 ** (round(log2(right - left) * SIZES_AN_OCTAVE) / SIZES_AN_OCTAVE)
    step = size / PLACES_A_FACE
    x, y = round((left + right) / 2 / step) * step, round((top + bottom) / 2 / step) * step
    return np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
