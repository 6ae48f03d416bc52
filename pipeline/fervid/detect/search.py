"""Decides where and when to search for faces, frame by frame in one segment. Detector-independent.

A full search of every frame is simple, but most of the cost of an analysis. Three facts make it avoidable: a face is
near where it was, large faces are cheap to find and small ones take time to come, and what did not change since it was
last searched gives the same answer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.effort import Effort
from fervid.detect.faces import Box, Face, face_arrays, faces_of, is_same_face, one_box_a_face
from fervid.detect.motion import (
    FACE_STILL_SHARE,
    Halves,
    Rectangle,
    ShotWatch,
    cells_of,
    changed_cells,
    hidden,
    shrunk,
    tiny,
)
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.scan import Scan, Scans
from fervid.detect.turning import turned, turned_back

if TYPE_CHECKING:
    from fervid.detect import Detector

OCTAVE = 2
"""Faces of one octave of sizes are looked for in one image, faces twice as large in one half as wide."""

SIZES_AN_OCTAVE, PLACES_A_FACE = 4, 4
"""The grid of regions: sizes between a face and one twice as large, and places across a face."""

UPRIGHT = (0.0,)
ROLLS_DEGREES = (0.0, 20.0, -20.0)
"""A cascade finds upright faces. Rotating a region costs little, and finds heads rolled to one side."""

LOOKS_IN_A_ROW, TILTED_LOOKS = 3, 1
"""Where a face was lost so many frames are searched for it, and then every second one; so many for tilted heads."""


@dataclass(frozen=True, slots=True)
class _SearchWindow:
    """How far from a face's last box it is looked for."""

    margin_share: float
    """The region reaches this share of the face beyond it on every side."""
    size_range: float
    """Sizes from the last one divided by this to the last one times this."""


# Decision DET-5.
WIDE, CLOSE = _SearchWindow(0.5, 1.4), _SearchWindow(0.3, 1.25)
"""With less than the wide reach the boxes of one face would drift from frame to frame, unless what ends at the edge of
a close one is searched again."""

EDGE_SHARE, SIZE_EDGE_SHARE = 0.04, 0.08
"""A box that comes closer than this share of the face to the end of a close reach may go on beyond it, and one whose
size does may be larger or smaller."""


@dataclass(slots=True, eq=False)
class _TrackedRegion:
    """Where a face is or was: its last box, and when and in what image it was last searched."""

    face: Face
    seen_seconds: float
    searched_seconds: float
    searched_tiny: np.ndarray
    is_seen: bool = True
    n_looks: int = 0
    """Frames in which it was looked for since it was lost."""


# Decision DET-3.
class FaceSearch:
    """Finds the faces of the frames of one segment, in order of time. Make a fresh one for each segment."""

    def __init__(self, detector: Detector, plan: SearchPlan, work: SearchWork) -> None:
        self._detector, self._plan, self._work = detector, plan, work
        self._places: list[_TrackedRegion] = []
        self._scans = Scans(plan, work)
        self._shots = ShotWatch(plan.new_shot_threshold)
        self._shape: tuple[int, int] = (0, 0)

    def forget_scans(self) -> None:
        """Search the next frame in full, whenever that was done last."""
        self._scans.start_afresh()

    def find(self, image: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The faces of the next frame's image uint8 (H, W): boxes float32 (n, 4), confidence float32 (n,).

        And landmarks float32 (n, 5, 2), NaN: what is searched in windows has none.
        """
        self._work.frames += 1
        if self._plan.full_search_seconds and self._detector.searches_windows:
            found = self._find_where_needed(image, seconds)
        else:
            self._work.full_searches += 1
            self._work.pixels += image.size
            found = one_box_a_face(self._detect(image))
        self._work.faces += len(found)
        return face_arrays(found)

    def _find_where_needed(self, image: np.ndarray, seconds: float) -> list[Face]:
        now = tiny(image)
        self._shape = image.shape[0], image.shape[1]
        state = self._shots.look(self._shape, now)
        self._work.cuts += state == "cut"
        if state != "same":
            self._places = []
            self._scans.start_afresh()
        before = self._work.pixels
        around = [face for place in self._places for face in self._look_again(place, image, now, seconds)]
        found = one_box_a_face(around)
        n_known = len(found)
        for candidate in self._candidates(image, now, seconds):
            if not any(is_same_face(face.box, candidate) for face in found):
                found = one_box_a_face(found + self._search_region(image, candidate, effort="fine"))
        has_come, has_gone = len(found) > n_known, n_known < sum(place.is_seen for place in self._places)
        if has_come or has_gone:
            self._scans.reset_interval()
        self._work.still_frames += self._work.pixels == before
        self._remember(found, now, seconds)
        return found

    def _look_again(self, place: _TrackedRegion, image: np.ndarray, now: np.ndarray, seconds: float) -> list[Face]:
        """The faces around a place: searched, or taken over where nothing changed."""
        plan, box = self._plan, place.face.box
        if plan.still_level and seconds - place.searched_seconds < plan.still_seconds:
            around = cells_of(self._region(box), self._shape, now.shape)
            level = plan.still_level * FACE_STILL_SHARE
            if not changed_cells(place.searched_tiny[around], now[around], level=level).any():
                self._work.taken_over += 1
                return [place.face] if place.is_seen else []
        rolls: tuple[float, ...] = ROLLS_DEGREES
        if not place.is_seen:
            place.n_looks += 1
            if place.n_looks > LOOKS_IN_A_ROW and place.n_looks % 2 == 0:
                return []
            if place.n_looks > TILTED_LOOKS:
                rolls = UPRIGHT
        place.searched_seconds, place.searched_tiny = seconds, now
        if place.is_seen and plan.close_first:
            found = self._search_turned(image, box, 0.0, effort="lenient", reach=CLOSE)
            if found and not self._end_at(found, _roughly(box), CLOSE):
                return found
        return self._search_region(image, box, effort="lenient", rolls=rolls)

    def _search_region(
        self, image: np.ndarray, box: Box, *, effort: Effort, rolls: tuple[float, ...] = ROLLS_DEGREES
    ) -> list[Face]:
        """Faces about as large as `box` around it: with the first roll of the head at which there are any."""
        for roll in rolls:
            if found := self._search_turned(image, box, roll, effort=effort):
                return found
        return []

    def _search_turned(
        self, image: np.ndarray, box: Box, roll_degrees: float, *, effort: Effort, reach: _SearchWindow = WIDE
    ) -> list[Face]:
        """Faces about as large as `box` around it, with their heads tilted so far.

        The region is shrunk until the smallest face looked for is the detector's own.
        """
        self._work.region_searches += 1
        box = _roughly(box)
        size = box[2] - box[0]
        shrink = min(1.0, self._detector.smallest_face_px * reach.size_range / size)
        left, top, right, bottom = self._region(box, reach.margin_share)
        area = image[top:bottom, left:right]
        small = max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink))
        if small != (right - left, bottom - top):
            area = shrunk(area, small)
        self._work.pixels += area.size
        largest = size * reach.size_range * shrink
        found = self._detect(turned(area, roll_degrees), max_face_px=largest, effort=effort)
        across, down = (right - left) / small[0], (bottom - top) / small[1]
        faces = []
        for face in found:
            x0, y0, x1, y1 = turned_back(face.box, area.shape, roll_degrees)
            box = x0 * across + left, y0 * down + top, x1 * across + left, y1 * down + top
            faces.append(Face(box, face.confidence))
        return faces

    def _end_at(self, faces: list[Face], around: Box, reach: _SearchWindow) -> bool:
        """Whether one of the faces ends where that reach around a box ends, within the image, or is of a size at its
        end."""
        size = around[2] - around[0]
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
            for (x0, y0, x1, y1), *_ in faces
        )

    def _candidates(self, image: np.ndarray, now: np.ndarray, seconds: float) -> list[Box]:
        """Boxes that may be faces, from the scans that are due."""
        candidates: list[Box] = []
        known = [self._region(place.face.box) for place in self._places if place.is_seen]
        halves = Halves(image)
        largest, octave = 0, 0
        while largest < min(image.shape):
            largest = self._detector.smallest_face_px * OCTAVE ** (octave + 1)
            scan = self._scans.due(octave, largest, shape=self._shape, now=now, seconds=seconds, known=known)
            if scan is not None:
                candidates += self._search_part(halves.level(octave), scan)
            octave += 1
        return candidates

    def _search_part(self, image: np.ndarray, scan: Scan) -> list[Box]:
        """Boxes that may be faces of up to twice the smallest size in an image that was shrunk for them."""
        across, down = image.shape[1] / self._shape[1], image.shape[0] / self._shape[0]
        left, top = int(scan.part[0] * across), int(scan.part[1] * down)
        inside = slice(top, ceil(scan.part[3] * down)), slice(left, ceil(scan.part[2] * across))
        n_pixels = image[inside].size
        if scan.cells is not None:
            image, mask = hidden(image, scan.cells)
            n_pixels = cv2.countNonZero(mask[inside])
        self._work.pixels += n_pixels
        largest = self._detector.smallest_face_px * OCTAVE
        found = one_box_a_face(self._detect(image[inside], max_face_px=largest, effort="rough"))
        return [
            ((x0 + left) / across, (y0 + top) / down, (x1 + left) / across, (y1 + top) / down)
            for (x0, y0, x1, y1), _, _ in found
        ]

    def _detect(self, area: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal") -> list[Face]:
        boxes, confidence, *_ = self._detector.detect(area, max_face_px=max_face_px, effort=effort)
        return faces_of(boxes, confidence)

    def _region(self, box: Box, margin_share: float = WIDE.margin_share) -> Rectangle:
        left, top, right, bottom = box
        margin = (right - left) * margin_share
        height, width = self._shape
        return (
            max(0, int(left - margin)),
            max(0, int(top - margin)),
            min(width, ceil(right + margin)),
            min(height, ceil(bottom + margin)),
        )

    def _remember(self, found: list[Face], now: np.ndarray, seconds: float) -> None:
        """Places for the next frame: the faces of this one, and those lost not long ago."""
        lost = list(self._places)
        places = []
        for face in found:
            new = _TrackedRegion(face, seconds, seconds, now)
            for place in self._places:
                if is_same_face(face.box, place.face.box):
                    if place in lost:
                        lost.remove(place)
                    if place.face.box == face.box:
                        # Taken over: the image it was searched in stays the one to compare with.
                        new.searched_seconds, new.searched_tiny = place.searched_seconds, place.searched_tiny
            places.append(new)
        for place in lost:
            if seconds - place.seen_seconds <= self._plan.keep_lost_seconds:
                place.is_seen = False
                places.append(place)
        self._places = places


# Decision DET-4.
def _roughly(box: Box) -> Box:
    """A square box of nearly the same size and place, from a coarse grid.

    Boxes that differ little thus lead to the same search and the same answer, whatever happened in frames before.
    """
    left, top, right, bottom = box
    size = 2 ** (round(log2(right - left) * SIZES_AN_OCTAVE) / SIZES_AN_OCTAVE)
    step = size / PLACES_A_FACE
    x, y = round((left + right) / 2 / step) * step, round((top + bottom) / 2 / step) * step
    return x - size / 2, y - size / 2, x + size / 2, y + size / 2
