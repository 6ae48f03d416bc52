"""Where and when a network looks for faces, frame after frame of one segment. Knows no detector by name.

A network finds faces of every size in one look at the whole picture, a scan, and takes as long for a still one. So
scans are made at a fixed rate, and at once after a cut and where a face was lost. Between scans each known face is
looked for in a small crop around it, which costs a tenth of a scan and shows small faces larger. What did not change
since it was last searched gives the same answer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.effort import Effort
from fervid.detect.faces import Box, Face, face_arrays, faces_of, is_same_face, one_box_a_face
from fervid.detect.motion import FACE_STILL_SHARE, Rectangle, ShotWatch, cells_of, changed_cells, tiny
from fervid.detect.plan import SearchPlan, SearchWork

if TYPE_CHECKING:
    from fervid.detect import Detector

CROP_PX = 64
"""Side of the crop around a known face: the smallest input that the network is sure of."""

FACES_A_CROP = 2.0
"""Side of the crop in sides of the face."""

LEAST_AGAIN_SHARE = 1 / 3
"""Where a face was lost, the next scan may come after this share of the usual time."""

PATIENCE = 2.0
"""While no face comes or goes, the time between scans grows by this factor, up to the plan's `quiet_factor`."""

SIZE_RANGE = 1.8
"""A known face is no larger and no smaller by this factor in the next frame."""

TIME_EPSILON_SECONDS = 1e-3


@dataclass(slots=True, eq=False)
class _Place:
    """Where a face is or was: its last box, and when and in what picture it was last searched."""

    face: Face
    sure_seconds: float
    """When it was last seen with the confidence that a scan asks for."""
    searched_seconds: float
    searched_tiny: np.ndarray
    is_seen: bool = True


class NetworkSearch:
    """Finds the faces of the frames of one segment, in order of time. Make a fresh one for each segment."""

    def __init__(self, detector: Detector, plan: SearchPlan, work: SearchWork) -> None:
        self._detector, self._plan, self._work = detector, plan, work
        self._sure_confidence = float(getattr(detector, "sure_confidence", 0.0))
        self._places: list[_Place] = []
        self._shots = ShotWatch(plan.new_shot_threshold)
        self._scanned_seconds = 0.0
        self._scanned_tiny: np.ndarray | None = None
        self._delay = 1.0

    def find(self, picture: np.ndarray, frame: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The faces of the next frame: boxes float32 (n, 4) and landmarks (n, 5, 2) in `picture`, confidence (n,).

        They come in the order boxes, confidence, landmarks; landmarks are NaN where the detector gives none.
        `picture` uint8 (H, W) is the `frame` (h, w) shrunk until the smallest wanted face is as small as the detector
        finds; crops of small faces are taken from the frame itself.
        """
        self._work.frames += 1
        before = self._work.pixels
        if self._plan.full_search_seconds:
            found = self._find_where_needed(picture, frame, seconds)
        else:
            found = one_box_a_face(self._scan(picture))
        self._work.still_frames += self._work.pixels == before
        self._work.faces += len(found)
        return face_arrays(found)

    def _find_where_needed(self, picture: np.ndarray, frame: np.ndarray, seconds: float) -> list[Face]:
        now = tiny(picture)
        state = self._shots.look(picture.shape, now)
        self._work.cuts += state == "cut"
        if state != "same":
            self._places, self._scanned_tiny = [], None
        n_before = sum(place.is_seen for place in self._places)
        is_scanned = self._is_due(picture.shape, now, seconds)
        scanned = self._scan(picture) if is_scanned else []
        again, kept = [], []
        for place in self._places:
            if any(is_same_face(face.box, place.face.box) for face in scanned):
                continue
            is_looked_for = place.is_seen or is_scanned  # for one that was lost a scan's rate is enough
            face = self._look_again(place, picture, frame, now, seconds) if is_looked_for else None
            if face is not None:
                again.append(face)
            kept.append((place, face))
        n_found = len(one_box_a_face(scanned + again))
        is_lost = any(place.is_seen and face is None for place, face in kept)
        waited = seconds - self._scanned_seconds + TIME_EPSILON_SECONDS
        if is_lost and not is_scanned and waited >= LEAST_AGAIN_SHARE * self._plan.full_search_seconds:
            scanned, is_scanned = self._scan(picture), True
        found = one_box_a_face(scanned + again)
        if is_scanned:
            self._scanned_seconds, self._scanned_tiny = seconds, now
            self._delay = min(self._plan.quiet_factor, self._delay * PATIENCE)
        if is_lost or max(n_found, len(found)) > n_before:
            self._delay = 1.0
        self._remember(found, scanned, now, seconds)
        return found

    def _is_due(self, shape: tuple[int, ...], now: np.ndarray, seconds: float) -> bool:
        """Whether the whole picture is looked at: time is up, and something changed outside of the known faces."""
        if self._scanned_tiny is None:
            return True
        waited = seconds - self._scanned_seconds + TIME_EPSILON_SECONDS
        if waited < self._plan.full_search_seconds * self._delay:
            return False
        if not self._plan.still_level or waited >= self._plan.still_seconds:
            return True
        changed = changed_cells(self._scanned_tiny, now, level=self._plan.still_level)
        for place in self._places:
            if place.is_seen:
                changed[cells_of(_within(place.face.box, shape), (shape[0], shape[1]), now.shape)] = False
        return bool(changed.any())

    def _scan(self, picture: np.ndarray) -> list[Face]:
        self._work.full_searches += 1
        self._work.pixels += picture.size
        return self._detect(picture, "normal")

    def _look_again(
        self, place: _Place, picture: np.ndarray, frame: np.ndarray, now: np.ndarray, seconds: float
    ) -> Face | None:
        """The face of a place in a crop around it, or as it was where nothing changed."""
        plan, box = self._plan, place.face.box
        shape = picture.shape
        if plan.still_level and seconds - place.searched_seconds < plan.still_seconds:
            around = cells_of(_within(box, shape), (shape[0], shape[1]), now.shape)
            level = plan.still_level * FACE_STILL_SHARE
            if not changed_cells(place.searched_tiny[around], now[around], level=level).any():
                self._work.taken_over += 1
                return place.face if place.is_seen else None
        place.searched_seconds, place.searched_tiny = seconds, now
        size = max(box[2] - box[0], box[3] - box[1])
        left, top = (box[0] + box[2] - size * FACES_A_CROP) / 2, (box[1] + box[3] - size * FACES_A_CROP) / 2
        reach = left, top, left + size * FACES_A_CROP, top + size * FACES_A_CROP
        # The frame shows more than the picture of a face that is small in it.
        crop = _cut(picture if size * FACES_A_CROP >= CROP_PX else frame, reach, shape)
        self._work.region_searches += 1
        self._work.pixels += crop.size
        scale = size * FACES_A_CROP / CROP_PX
        best: Face | None = None
        for (x0, y0, x1, y1), confidence, points in self._detect(crop, "lenient"):
            own = None if points is None else tuple((x * scale + left, y * scale + top) for x, y in points)
            face = Face((x0 * scale + left, y0 * scale + top, x1 * scale + left, y1 * scale + top), confidence, own)
            if _follows(face.box, box) and (best is None or confidence > best.confidence):
                best = face
        return best

    def _detect(self, area: np.ndarray, effort: Effort) -> list[Face]:
        return faces_of(*self._detector.detect(area, effort=effort))

    def _remember(self, found: list[Face], scanned: list[Face], now: np.ndarray, seconds: float) -> None:
        """Places for the next frame: the faces of this one, and those lost not long ago.

        What is only ever found by the lenient look of a crop is given up after `keep_lost_seconds`.
        """
        places, lost = [], list(self._places)
        for face in found:
            new = _Place(face, seconds, seconds, now)
            own = [place for place in lost if is_same_face(face.box, place.face.box)]
            lost = [place for place in lost if place not in own]
            if own and face not in scanned and face.confidence < self._sure_confidence:
                new.sure_seconds = max(place.sure_seconds for place in own)
            taken_over = next((place for place in own if place.face == face), None)
            if taken_over is not None:
                new.searched_seconds, new.searched_tiny = taken_over.searched_seconds, taken_over.searched_tiny
            places.append(new)
        for place in lost:
            place.is_seen = False
            places.append(place)
        self._places = [place for place in places if seconds - place.sure_seconds <= self._plan.keep_lost_seconds]


def _follows(box: Box, last: Box) -> bool:
    """Whether a box may be the next one of the same face: its centre lies in the last one, its size is near."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    ratio = (box[3] - box[1]) / (last[3] - last[1])
    return last[0] < x < last[2] and last[1] < y < last[3] and 1 / SIZE_RANGE < ratio < SIZE_RANGE


def _within(box: Box, shape: tuple[int, ...]) -> Rectangle:
    """A box and a quarter of its size around it, within a picture of that shape."""
    margin_x, margin_y = (box[2] - box[0]) / 4, (box[3] - box[1]) / 4
    return (
        max(0, int(box[0] - margin_x)),
        max(0, int(box[1] - margin_y)),
        min(shape[1], ceil(box[2] + margin_x)),
        min(shape[0], ceil(box[3] + margin_y)),
    )


def _cut(source: np.ndarray, reach: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The part `reach` of a picture of that shape, cut from `source`, which shows the same at its own size: uint8
    (CROP_PX, CROP_PX), black where it leaves the picture."""
    across, down = source.shape[1] / shape[1], source.shape[0] / shape[0]
    left, top = int(np.floor(reach[0] * across)), int(np.floor(reach[1] * down))
    right, bottom = max(left + 1, ceil(reach[2] * across)), max(top + 1, ceil(reach[3] * down))
    inside = source[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    missing = max(0, -top), max(0, bottom - source.shape[0]), max(0, -left), max(0, right - source.shape[1])
    if any(missing):
        inside = cv2.copyMakeBorder(inside, *missing, cv2.BORDER_CONSTANT)
    way = cv2.INTER_AREA if min(inside.shape) >= CROP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (CROP_PX, CROP_PX), interpolation=way), np.uint8)
