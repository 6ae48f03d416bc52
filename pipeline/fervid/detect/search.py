"""Where and when to look for faces, frame after frame of one segment. Knows no detector by name, and no emotions.

A full search of every frame is the plain way and costs most of an analysis. Three facts make it avoidable: a face is
near where it was, large faces are cheap to find and small ones take time to come, and what did not change since it was
last searched gives the same answer again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fervid.detect.effort import Effort
from fervid.detect.motion import bounding_rectangle, changed_cells, is_new_shot, shrunk, tiny
from fervid.detect.turning import turned, turned_back
from fervid.geometry import iou_matrix

if TYPE_CHECKING:
    from fervid.detect import Detector

OCTAVE = 2
"""Faces of one octave of sizes are looked for in one picture, faces twice as large in one half as wide."""

OCTAVE_RATE = 2
"""Each octave of larger faces is searched this much more often than the one below, and still costs less."""

REGION_MARGIN, STEADY_MARGIN = 0.5, 0.4
"""A region reaches this share of the face beyond it on every side. Where a face was seen in the frame before, the
second is tried first, at less cost."""

SIZES_AN_OCTAVE, PLACES_A_FACE = 4, 4
"""The grid of regions: sizes between a face and one twice as large, and places across a face."""

TILTS_DEGREES = (0.0, 20.0, -20.0)
"""A cascade finds upright faces. Turning a region costs little, and finds the heads tilted to one side."""

REGION_SIZE_RANGE = 1.4
"""In a region, faces from the last size divided by this to the last size times this are looked for. With fewer sizes
the boxes of one face would drift from frame to frame."""

FACE_STILL_SHARE = 0.4
"""A box is taken over only where less than this share of `still_level` changed: a face that moved by a few pixels looks
otherwise in a crop whose box stayed behind."""

SAME_FACE_IOU = 0.3
"""Two boxes of a frame that overlap more are one face; the surer one stays."""

PATIENCE = 2.0
"""While no face comes or goes, the interval of each octave grows by this factor from search to search, up to the plan's
`quiet_factor`: dense where faces change, sparse where nothing happens."""

WHOLE_SHARE = 0.6
"""A changed part larger than this share of the picture is not cut out: the whole picture is searched."""

TIME_EPSILON_SECONDS = 1e-3
"""Frames that lie an interval apart may do so by a rounding less."""

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """When to search. Seconds are seconds of video; 0 switches a saving off."""

    full_search_seconds: float = 0.8
    quiet_factor: float = 1.0
    keep_lost_seconds: float = 2.0
    still_level: float = 8.0
    still_seconds: float = 8.0
    new_shot_threshold: float = 0.3

    @classmethod
    def of(cls, settings: object) -> SearchPlan:
        """The plan that settings with attributes of the same names describe."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


@dataclass(slots=True)
class SearchWork:
    """What the search did: counts that depend on the video and the settings alone, never on the machine."""

    frames: int = 0
    still_frames: int = 0
    """Frames in which nothing was searched: their boxes are those of the frame before."""
    cuts: int = 0
    full_searches: int = 0
    """Searches of a whole picture, for one octave of face sizes or for all sizes at once."""
    part_searches: int = 0
    """Searches of the part of a picture that changed, for one octave of face sizes."""
    region_searches: int = 0
    """Searches around a known face or a candidate."""
    taken_over: int = 0
    """Regions that did not change, so that what was found there before was taken over."""
    pixels: int = 0
    """Pixels of all pictures that were given to the detector."""
    faces: int = 0

    def add(self, other: SearchWork) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(slots=True)
class _Place:
    """Where a face is or was: its last box, and when and in what picture it was last searched."""

    box: np.ndarray
    confidence: float
    seen_seconds: float
    searched_seconds: float
    searched_tiny: np.ndarray
    is_seen: bool = True


@dataclass(slots=True)
class _OctaveState:
    """When the faces of one octave of sizes were last searched, and the picture that this answer holds for."""

    whole_seconds: float
    seconds: float
    searched_tiny: np.ndarray
    delay: float = 1.0
    """How many times the usual interval passes before the next search."""


@dataclass(slots=True)
class _Found:
    """Boxes float32 (n, 4) in pixels of the picture, the surest first, and their confidence."""

    boxes: np.ndarray
    confidence: np.ndarray

    @classmethod
    def none(cls) -> _Found:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def joined(self, other: _Found) -> _Found:
        """Both, one box a face."""
        boxes = np.concatenate([self.boxes, other.boxes])
        confidence = np.concatenate([self.confidence, other.confidence])
        order = np.lexsort((boxes[:, 1], boxes[:, 0], -confidence))
        boxes, confidence = boxes[order], confidence[order]
        same = iou_matrix(boxes, boxes) > SAME_FACE_IOU
        keep: list[int] = []
        for i in range(len(boxes)):
            if not same[i, keep].any():
                keep.append(i)
        return _Found(boxes[keep], confidence[keep])

    def covers(self, box: np.ndarray) -> bool:
        return bool((iou_matrix(box[None], self.boxes) > SAME_FACE_IOU).any())


class FaceSearch:
    """Finds the faces of the frames of one segment, in order of time. Make a fresh one for each segment."""

    def __init__(self, detector: Detector, plan: SearchPlan, work: SearchWork) -> None:
        self._detector, self._plan, self._work = detector, plan, work
        self._places: list[_Place] = []
        self._octaves: dict[int, _OctaveState] = {}
        self._last: np.ndarray | None = None
        self._shape: tuple[int, int] = (0, 0)

    def find(self, picture: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """The faces of the next frame's picture uint8 (H, W): boxes float32 (n, 4), confidence float32 (n,)."""
        self._work.frames += 1
        if self._plan.full_search_seconds and self._detector.searches_windows:
            found = self._find_where_needed(picture, seconds)
        else:
            self._work.full_searches += 1
            found = self._detect(picture)
        self._work.faces += len(found.boxes)
        return found.boxes, found.confidence

    def _find_where_needed(self, picture: np.ndarray, seconds: float) -> _Found:
        now = tiny(picture)
        if self._starts_afresh(picture, now):
            self._places, self._octaves = [], {}
        self._last, self._shape = now, (picture.shape[0], picture.shape[1])
        before = self._work.pixels
        found = _Found.none()
        for place in self._places:
            found = found.joined(self._look_again(place, picture, now, seconds))
        n_known = len(found.boxes)
        for candidate in self._candidates(picture, now, seconds):
            if not found.covers(candidate):
                found = found.joined(self._search_region(picture, candidate, effort="fine"))
        has_come, has_gone = len(found.boxes) > n_known, n_known < sum(place.is_seen for place in self._places)
        if has_come or has_gone:
            for state in self._octaves.values():
                state.delay = 1.0
        self._work.still_frames += self._work.pixels == before
        self._remember(found, now, seconds)
        return found

    def _starts_afresh(self, picture: np.ndarray, now: np.ndarray) -> bool:
        if self._last is None or picture.shape != self._shape:
            return True
        threshold = self._plan.new_shot_threshold
        is_cut = threshold > 0 and is_new_shot(self._last, now, threshold=threshold)
        self._work.cuts += is_cut
        return is_cut

    def _look_again(self, place: _Place, picture: np.ndarray, now: np.ndarray, seconds: float) -> _Found:
        """The faces around a place: searched, or taken over where nothing changed."""
        plan = self._plan
        if plan.still_level and seconds - place.searched_seconds < plan.still_seconds:
            cells = changed_cells(place.searched_tiny, now, level=plan.still_level * FACE_STILL_SHARE)
            if not cells[self._cells(self._region(place.box), now)].any():
                self._work.taken_over += 1
                if not place.is_seen:
                    return _Found.none()
                return _Found(place.box[None], np.array([place.confidence], np.float32))
        place.searched_seconds, place.searched_tiny = seconds, now
        if place.is_seen:
            found = self._search_turned(picture, place.box, 0.0, effort="lenient", margin=STEADY_MARGIN)
            if len(found.boxes):
                return found
        return self._search_region(picture, place.box, effort="lenient")

    def _search_region(self, picture: np.ndarray, box: np.ndarray, *, effort: Effort) -> _Found:
        """Faces about as large as `box` around it: upright first, then with the head tilted to either side."""
        for tilt in TILTS_DEGREES:
            found = self._search_turned(picture, box, tilt, effort=effort)
            if len(found.boxes):
                break
        return found

    def _search_turned(
        self,
        picture: np.ndarray,
        box: np.ndarray,
        tilt_degrees: float,
        *,
        effort: Effort,
        margin: float = REGION_MARGIN,
    ) -> _Found:
        """Faces about as large as `box` around it, with their heads tilted so far.

        The region is shrunk until the smallest face looked for is the detector's own.
        """
        self._work.region_searches += 1
        box = _roughly(box)
        size = float(box[2] - box[0])
        shrink = min(1.0, self._detector.smallest_face_px * REGION_SIZE_RANGE / size)
        area, left, top, scale = self._cut_out(picture, self._region(box, margin), shrink)
        largest = size * REGION_SIZE_RANGE * shrink
        found = self._detect(turned(area, tilt_degrees), max_face_px=largest, effort=effort)
        boxes = turned_back(found.boxes, area.shape, tilt_degrees) * scale
        return _Found(boxes + np.array([left, top] * 2, np.float32), found.confidence)

    def _candidates(self, picture: np.ndarray, now: np.ndarray, seconds: float) -> list[np.ndarray]:
        """Boxes that may be faces, from the searches that are due."""
        candidates: list[np.ndarray] = []
        largest, octave = 0, 0
        while largest < min(picture.shape):
            scale = OCTAVE**octave
            largest = self._detector.smallest_face_px * scale * OCTAVE
            part = self._due_part(octave, largest, now, seconds)
            if part is not None:
                candidates += list(self._search_part(picture, part, 1 / scale, max_face_px=largest))
            octave += 1
        return candidates

    def _due_part(self, octave: int, largest_px: int, now: np.ndarray, seconds: float) -> Rectangle | None:
        """The part of the picture in which an octave of sizes is to be searched now.

        A part is searched the more often the smaller it is, so that the work per second of video stays the same.
        """
        height, width = self._shape
        whole = 0, 0, width, height
        state = self._octaves.get(octave)
        if state is None:
            self._octaves[octave] = _OctaveState(seconds, seconds, now)
            self._work.full_searches += 1
            return whole
        since = seconds - state.seconds + TIME_EPSILON_SECONDS
        part: Rectangle | None = whole
        if self._plan.still_level and seconds - state.whole_seconds < self._plan.still_seconds:
            part = self._changed_part(state.searched_tiny, now, margin_px=largest_px)
        if part is None:
            return None
        share = (part[2] - part[0]) * (part[3] - part[1]) / (width * height)
        if share > WHOLE_SHARE:
            part, share = whole, 1.0
        if since < self._plan.full_search_seconds / OCTAVE_RATE**octave * state.delay * share:
            return None
        state.seconds, state.searched_tiny = seconds, now
        state.delay = min(self._plan.quiet_factor, state.delay * PATIENCE)
        if part == whole:
            state.whole_seconds = seconds
            self._work.full_searches += 1
        else:
            self._work.part_searches += 1
        return part

    def _changed_part(self, before: np.ndarray, now: np.ndarray, *, margin_px: int) -> Rectangle | None:
        """The rectangle around what changed outside of the known faces, with a margin that a face fits into."""
        cells = changed_cells(before, now, level=self._plan.still_level)
        for place in self._places:
            if place.is_seen:
                cells[self._cells(self._region(place.box), now)] = False
        shares = bounding_rectangle(cells)
        if shares is None:
            return None
        height, width = self._shape
        left, top, right, bottom = (round(s * side) for s, side in zip(shares, (width, height) * 2, strict=True))
        return (
            max(0, left - margin_px // 2),
            max(0, top - margin_px // 2),
            min(width, right + margin_px // 2),
            min(height, bottom + margin_px // 2),
        )

    def _search_part(self, picture: np.ndarray, part: Rectangle, shrink: float, *, max_face_px: float) -> np.ndarray:
        """Boxes (n, 4) that may be faces of up to `max_face_px`, in a part of the picture that is shrunk first."""
        area, left, top, scale = self._cut_out(picture, part, shrink)
        found = self._detect(area, max_face_px=max_face_px * shrink, effort="rough").joined(_Found.none())
        return np.asarray(found.boxes * scale + np.array([left, top] * 2, np.float32))

    def _cut_out(self, picture: np.ndarray, part: Rectangle, shrink: float) -> tuple[np.ndarray, int, int, np.ndarray]:
        """A part of the picture, shrunk; its left and top; and what brings boxes in it back to full size."""
        left, top, right, bottom = part
        area = picture[top:bottom, left:right]
        size = max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink))
        if size != (right - left, bottom - top):
            area = shrunk(area, size)
        return area, left, top, np.array([(right - left) / size[0], (bottom - top) / size[1]] * 2, np.float32)

    def _detect(self, area: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal") -> _Found:
        self._work.pixels += area.size
        return _Found(*self._detector.detect(area, max_face_px=max_face_px, effort=effort))

    def _region(self, box: np.ndarray, margin_share: float = REGION_MARGIN) -> Rectangle:
        margin = float(box[2] - box[0]) * margin_share
        height, width = self._shape
        return (
            max(0, int(box[0] - margin)),
            max(0, int(box[1] - margin)),
            min(width, int(np.ceil(box[2] + margin))),
            min(height, int(np.ceil(box[3] + margin))),
        )

    def _cells(self, part: Rectangle, now: np.ndarray) -> tuple[slice, slice]:
        """The rows and columns of a tiny picture that a part of the picture covers."""
        rows, columns = now.shape[0] / self._shape[0], now.shape[1] / self._shape[1]
        left, top, right, bottom = part
        return slice(int(top * rows), int(np.ceil(bottom * rows))), slice(
            int(left * columns), int(np.ceil(right * columns))
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
    size = 2 ** (round(float(np.log2(box[2] - box[0])) * SIZES_AN_OCTAVE) / SIZES_AN_OCTAVE)
    step = size / PLACES_A_FACE
    centre = np.round((box[:2] + box[2:]) / 2 / step) * step
    return np.concatenate([centre - size / 2, centre + size / 2])
