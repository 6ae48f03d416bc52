"""Decides where and when a network searches for faces, frame by frame in one segment. Detector-independent.

A network finds faces of every size in one pass over the whole image, a scan, whose cost does not depend on motion. So
scans run at a fixed rate, and immediately after a cut and where a face was lost. Between scans each known face is
looked for in a small crop around it, which costs a tenth of a scan and shows small faces larger. What did not change
since it was last searched gives the same answer again: where little changed, only the part around that is scanned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.effort import Effort
from fervid.detect.faces import Box, Face, face_arrays, faces_of, is_part_of, is_same_face, one_box_a_face
from fervid.detect.motion import (
    FACE_STILL_SHARE,
    Rectangle,
    ShotWatch,
    bounding_rectangle,
    cells_of,
    changed_cells,
    goes_beyond,
    part_around,
    tiny,
    whole_of,
)
from fervid.detect.plan import SearchPlan, SearchWork

if TYPE_CHECKING:
    from fervid.detect import Detector

CROP_PX = 64
"""Side of the crop around a known face: the smallest input that the network is sure of."""

FACES_A_CROP = 2.0
"""Side of the crop in sides of the face."""

LEAST_AGAIN_SHARE = 1 / 3
"""Where a face was lost, the next scan may come after this share of the usual time."""

BACKOFF = 2.0
"""While no face comes or goes, the time between scans grows by this factor, up to the plan's `quiet_factor`."""

SIZE_RANGE = 1.8
"""A known face is no larger and no smaller by this factor in the next frame."""

PART_MARGIN_PX = 32
"""Around what changed so much is scanned too, twice the smallest face."""

TIME_EPSILON_SECONDS = 1e-3


@dataclass(slots=True, eq=False)
class _TrackedRegion:
    """Where a face is or was: its last box, and when and in what image it was last searched."""

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
        self._places: list[_TrackedRegion] = []
        self._shots = ShotWatch(plan.new_shot_threshold)
        self._scanned_seconds = self._all_scanned_seconds = 0.0
        self._scanned_tiny: np.ndarray | None = None
        self._delay = 1.0

    def forget_scans(self) -> None:
        """Search the next frame in full, whenever that was done last."""
        self._scanned_tiny = None

    def find(self, image: np.ndarray, frame: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The faces of the next frame: boxes float32 (n, 4) and landmarks (n, 5, 2) in `image`, confidence (n,).

        They come in the order boxes, confidence, landmarks; landmarks are NaN where the detector gives none.
        `image` uint8 (H, W) is the `frame` (h, w) shrunk until the smallest wanted face is as small as the detector
        finds; crops of small faces are taken from the frame itself.
        """
        self._work.frames += 1
        before = self._work.pixels
        if self._plan.full_search_seconds:
            found = self._find_where_needed(image, frame, seconds)
        else:
            found = one_box_a_face(self._scan(image, whole_of(image.shape)))
        self._work.still_frames += self._work.pixels == before
        self._work.faces += len(found)
        return face_arrays(found)

    def _find_where_needed(self, image: np.ndarray, frame: np.ndarray, seconds: float) -> list[Face]:
        now = tiny(image)
        state = self._shots.look(image.shape, now)
        self._work.cuts += state == "cut"
        if state != "same":
            self._places, self._scanned_tiny = [], None
        n_before = sum(place.is_seen for place in self._places)
        seen = [place for place in self._places if place.is_seen]
        part = self._due_part(image.shape, now, seconds, seen)
        scanned = self._scan(image, part, seen) if part else []
        again, kept = [], []
        for place in self._places:
            if any(is_same_face(face.box, place.face.box) for face in scanned):
                continue
            is_looked_for = place.is_seen or part is not None  # for one that was lost a scan's rate is enough
            face = self._look_again(place, image, frame, now, seconds) if is_looked_for else None
            if face is not None:
                again.append(face)
            kept.append((place, face))
        n_found = len(one_box_a_face(scanned + again))
        lost = [place for place, face in kept if place.is_seen and face is None]
        waited = seconds - self._scanned_seconds + TIME_EPSILON_SECONDS
        if lost and part is None and waited >= LEAST_AGAIN_SHARE * self._plan.full_search_seconds:
            seen = [place for place in seen if place not in lost]
            part = self._changed_part(image.shape, now, seconds, seen)
            scanned = self._scan(image, part, seen) if part else []
        found = one_box_a_face(scanned + again)
        if part is not None:
            self._note_scan(part, image.shape, now, seconds)
            self._delay = min(self._plan.quiet_factor, self._delay * BACKOFF)
        if lost or max(n_found, len(found)) > n_before:
            self._delay = 1.0
        self._remember(found, scanned, now, seconds)
        return found

    def _due_part(
        self, shape: tuple[int, ...], now: np.ndarray, seconds: float, seen: list[_TrackedRegion]
    ) -> Rectangle | None:
        """What is scanned: when time is up the part that changed outside of the faces that are seen."""
        waited = seconds - self._scanned_seconds + TIME_EPSILON_SECONDS
        if self._scanned_tiny is not None and waited < self._plan.full_search_seconds * self._delay:
            return None
        return self._changed_part(shape, now, seconds, seen)

    def _changed_part(
        self, shape: tuple[int, ...], now: np.ndarray, seconds: float, spared: list[_TrackedRegion]
    ) -> Rectangle | None:
        """The part of the image around what changed since it was scanned, but for the `spared` places.

        All of the image where that is most of it, or was not done for `still_seconds`; None where nothing changed.
        """
        plan = self._plan
        waited = seconds - self._all_scanned_seconds + TIME_EPSILON_SECONDS
        if self._scanned_tiny is None or not plan.still_level or waited >= plan.still_seconds:
            return whole_of(shape)
        changed = changed_cells(self._scanned_tiny, now, level=plan.still_level)
        for place in spared:
            changed[cells_of(_within(place.face.box, shape), (shape[0], shape[1]), now.shape)] = False
        bounds = bounding_rectangle(changed)
        return None if bounds is None else part_around(bounds, shape, margin_px=PART_MARGIN_PX)

    def _scan(self, image: np.ndarray, part: Rectangle, known: Sequence[_TrackedRegion] = ()) -> list[Face]:
        """The faces in all of the image, or in a part those that are not known: that may show a face cut short.

        Where a face that is not known continues beyond the part, all of the image is scanned.
        """
        left, top, right, bottom = part
        is_all = part == whole_of(image.shape)
        self._work.full_searches += is_all
        self._work.part_searches += not is_all
        self._work.pixels += (right - left) * (bottom - top)
        found = [
            face.scaled(1.0, left, top)
            for face in self._detect(np.ascontiguousarray(image[top:bottom, left:right]), "normal")
        ]
        if is_all:
            return found
        new = [face for face in found if not any(_touch(face.box, place.face.box) for place in known)]
        if any(goes_beyond(face.box, part, image.shape) for face in new):
            return self._scan(image, whole_of(image.shape))
        return new

    def _note_scan(self, part: Rectangle, shape: tuple[int, ...], now: np.ndarray, seconds: float) -> None:
        """What was scanned is what later images are compared with."""
        self._scanned_seconds = seconds
        if self._scanned_tiny is None or part == whole_of(shape):
            self._scanned_tiny, self._all_scanned_seconds = now, seconds
        else:
            cells = cells_of(part, (shape[0], shape[1]), now.shape)
            self._scanned_tiny = self._scanned_tiny.copy()
            self._scanned_tiny[cells] = now[cells]

    def _look_again(
        self, place: _TrackedRegion, image: np.ndarray, frame: np.ndarray, now: np.ndarray, seconds: float
    ) -> Face | None:
        """The face of a place in a crop around it, or as it was where nothing changed."""
        plan, box = self._plan, place.face.box
        shape = image.shape
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
        # The frame shows more than the image of a face that is small in it.
        crop = _cut(image if size * FACES_A_CROP >= CROP_PX else frame, reach, shape)
        self._work.region_searches += 1
        self._work.pixels += crop.size
        scale = size * FACES_A_CROP / CROP_PX
        best: Face | None = None
        for face in (face.scaled(scale, left, top) for face in self._detect(crop, "lenient")):
            if _follows(face.box, box) and (best is None or face.confidence > best.confidence):
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
            new = _TrackedRegion(face, seconds, seconds, now)
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
    """Whether a box may be the next one of the same face: its centre is in the last one, its size is similar."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    ratio = (box[3] - box[1]) / (last[3] - last[1])
    return last[0] < x < last[2] and last[1] < y < last[3] and 1 / SIZE_RANGE < ratio < SIZE_RANGE


def _touch(one: Box, other: Box) -> bool:
    """Whether two boxes may show one face, or one a part of it."""
    return is_same_face(one, other) or is_part_of(one, other) or is_part_of(other, one)


def _within(box: Box, shape: tuple[int, ...]) -> Rectangle:
    """A box and a quarter of its size around it, within an image of that shape."""
    margin_x, margin_y = (box[2] - box[0]) / 4, (box[3] - box[1]) / 4
    return (
        max(0, int(box[0] - margin_x)),
        max(0, int(box[1] - margin_y)),
        min(shape[1], ceil(box[2] + margin_x)),
        min(shape[0], ceil(box[3] + margin_y)),
    )


def _cut(source: np.ndarray, reach: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The part `reach` of an image of that shape, cut from `source`, which shows the same at its own size: uint8
    (CROP_PX, CROP_PX), black where it leaves the image."""
    across, down = source.shape[1] / shape[1], source.shape[0] / shape[0]
    left, top = int(np.floor(reach[0] * across)), int(np.floor(reach[1] * down))
    right, bottom = max(left + 1, ceil(reach[2] * across)), max(top + 1, ceil(reach[3] * down))
    inside = source[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    missing = max(0, -top), max(0, bottom - source.shape[0]), max(0, -left), max(0, right - source.shape[1])
    if any(missing):
        inside = cv2.copyMakeBorder(inside, *missing, cv2.BORDER_CONSTANT)
    way = cv2.INTER_AREA if min(inside.shape) >= CROP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (CROP_PX, CROP_PX), interpolation=way), np.uint8)
