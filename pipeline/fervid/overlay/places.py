"""Finds places for tags and panels beside faces: over no face, over no other mark, steady from frame to frame.

Areas are x0, y0, x1, y1 in whole pixels, the far sides exclusive. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fervid.base.opencv import cv2

Area = tuple[int, int, int, int]
Point = tuple[int, int]
Slots = Callable[[Area, Point], list[Area]]
"""The places right at a box for a mark of a size (width, height), the best first."""

CELLS_HIGH = 180
"""Places away from a box are tried on a grid with this many rows, so that a crowd costs no more than two faces."""
BACK_GAP_PX = 4
"""A mark away from its box comes back when a place at the box is this far from everything else."""
OWN_WEIGHT, OTHER_WEIGHT, MARK_WEIGHT = 1, 4, 16
"""Without any room a mark covers what weighs least: its own face, then another one, then another mark."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mark that needs a place: its track, its box, its size (width, height), and another mark of the same face."""

    track_id: int
    box: Area
    size: Point
    beside: Area | None = None

    def others(self, taken: Sequence[Area], gap_px: int) -> list[Area]:
        """What is taken, with a gap around all that is not this face's own."""
        own = self.box, self.beside
        return [area if area in own else _grown(area, gap_px) for area in taken]


class Places:
    """The places of one kind of mark in the frames of one video.

    A place is kept relative to its box while nothing comes into it; a new one keeps `gap_px` from everything else, so
    that a box that trembles does not make its mark jump. `reach_px` limits how far away a mark may be (None: anywhere).
    With `is_needed` a mark without any free place gets the one that covers least, otherwise none.
    """

    def __init__(self, slots: Slots, *, is_needed: bool) -> None:
        self._slots, self._is_needed = slots, is_needed
        self._kept: dict[int, int | Point] = {}

    def find(
        self,
        wanted: Sequence[Wanted],
        boxes: Sequence[Area],
        marks: Sequence[Area],
        frame: Point,
        *,
        gap_px: int,
        reach_px: int | None = None,
    ) -> list[Area | None]:
        """A place for each wanted mark, given all boxes of faces, other marks, and the frame's size (width, height)."""
        taken = [*boxes, *marks]
        places: list[Area | None] = [self._kept_place(want, taken, frame, reach_px) for want in wanted]
        for i, place in enumerate(places):
            if place is None:
                continue
            if is_free(place, taken):
                taken.append(place)
            else:  # the one of another face came first
                places[i] = None
        kept: dict[int, int | Point] = {}
        for i, want in enumerate(wanted):
            if places[i] is not None:
                kept[want.track_id] = self._kept[want.track_id]
                continue
            found = self._new_place(want, taken, frame, gap_px, reach_px)
            if found is not None:
                places[i], kept[want.track_id] = found
            elif self._is_needed:
                places[i] = self._least_bad(want, boxes, taken[len(boxes) :], frame)
            if (place := places[i]) is not None:
                taken.append(place)
        self._kept = kept
        return places

    def _kept_place(self, want: Wanted, taken: Sequence[Area], frame: Point, reach_px: int | None) -> Area | None:
        """Where the mark was, if it is still free; one that had to go away comes back as soon as there is room."""
        kept = self._kept.get(want.track_id)
        if kept is None:
            return None
        if isinstance(kept, int):
            place = self._slots(want.box, want.size)[kept]
        else:
            x, y = want.box[0] + kept[0], want.box[1] + kept[1]
            place = x, y, x + want.size[0], y + want.size[1]
            is_near = reach_px is None or max(_gaps(place, want.box)) <= reach_px
            if not is_near or self._slot(want, taken, frame, BACK_GAP_PX) is not None:
                return None
        return place if _is_within(place, frame) and is_free(place, taken) else None

    def _slot(self, want: Wanted, taken: Sequence[Area], frame: Point, gap_px: int) -> int | None:
        """The first place right at the box that is this far from everything but the box."""
        around = want.others(taken, gap_px)
        slots = self._slots(want.box, want.size)
        return next((i for i, slot in enumerate(slots) if _is_within(slot, frame) and is_free(slot, around)), None)

    def _new_place(
        self, want: Wanted, taken: Sequence[Area], frame: Point, gap_px: int, reach_px: int | None
    ) -> tuple[Area, int | Point] | None:
        for gap in (gap_px, 0):
            if (i := self._slot(want, taken, frame, gap)) is not None:
                return self._slots(want.box, want.size)[i], i
            if (far := _far_place(want, want.others(taken, gap), frame, reach_px)) is not None:
                return far, (far[0] - want.box[0], far[1] - want.box[1])
        return None

    def _least_bad(self, want: Wanted, boxes: Sequence[Area], marks: Sequence[Area], frame: Point) -> Area:
        slots = [_moved_into(slot, frame) for slot in self._slots(want.box, want.size)]

        def cost(place: Area) -> int:
            faces = sum(_shared(place, box) * (OWN_WEIGHT if box == want.box else OTHER_WEIGHT) for box in boxes)
            return faces + MARK_WEIGHT * sum(_shared(place, mark) for mark in marks)

        return min(slots, key=cost)


def is_free(place: Area, taken: Sequence[Area]) -> bool:
    """Whether a place touches none of these areas."""
    x0, y0, x1, y1 = place
    return not any(x0 < area[2] and area[0] < x1 and y0 < area[3] and area[1] < y1 for area in taken)


def line_between(place: Area, box: Area) -> tuple[Point, Point] | None:
    """The shortest line from a mark to its box; None where they touch, so that no line is needed."""
    if max(_gaps(place, box)) <= 1:
        return None
    (x0, x1), (y0, y1) = _nearest(place[::2], box[::2]), _nearest(place[1::2], box[1::2])
    return (x0, y0), (x1, y1)


def _far_place(want: Wanted, taken: Sequence[Area], frame: Point, reach_px: int | None) -> Area | None:
    """The nearest free place above, below, left or right, preferring one whose line crosses no other face or mark."""
    (width, height), (x0, y0, x1, y1) = want.size, want.box
    cell = max(2, frame[1] // CELLS_HIGH)
    xs, ys = np.arange(0, frame[0] - width + 1, cell), np.arange(0, frame[1] - height + 1, cell)
    if not len(xs) or not len(ys):
        return None
    blocked = np.zeros((len(ys), len(xs)), bool)
    for area in taken:  # a place begins within these rows and columns if it touches the area
        top, left = max(0, (area[1] - height) // cell + 1), max(0, (area[0] - width) // cell + 1)
        blocked[top : max(0, -(-area[3] // cell)), left : max(0, -(-area[2] // cell))] = True
    aside = np.maximum(np.maximum(xs - x1, x0 - xs - width), 0)
    away = np.maximum(np.maximum(ys - y1, y0 - ys - height), 0)
    distance = np.hypot(aside[None, :], away[:, None]) + 0.05 * np.abs(xs - x0)[None, :]
    distance[blocked] = np.inf
    if reach_px is not None:
        distance[np.maximum(aside[None, :], away[:, None]) > reach_px] = np.inf
    above, below = np.searchsorted(ys, (y0 - height + 1, y1))
    left, right = np.searchsorted(xs, (x0 - width + 1, x1))
    everywhere = slice(None)
    parts = [(slice(0, int(above)), everywhere), (slice(int(below), None), everywhere)]
    parts += [(everywhere, slice(int(right), None)), (everywhere, slice(0, int(left)))]
    found: list[tuple[float, Area]] = []
    for rows, columns in parts:
        part = distance[rows, columns]
        if part.size and np.isfinite(part.min()):
            row, column = np.unravel_index(int(part.argmin()), part.shape)
            x, y = int(xs[columns][column]), int(ys[rows][row])
            found.append((float(part[row, column]), (x, y, x + width, y + height)))
    found.sort()
    places = [place for _, place in found]
    return next((place for place in places if not _crosses(place, want, taken)), places[0] if places else None)


def _crosses(place: Area, want: Wanted, taken: Sequence[Area]) -> bool:
    line = line_between(place, want.box)
    return line is not None and any(
        cv2.clipLine((area[0], area[1], max(1, area[2] - area[0]), max(1, area[3] - area[1])), *line)[0]
        for area in taken
        if area not in (want.box, want.beside)
    )


def _nearest(a: Sequence[int], b: Sequence[int]) -> Point:
    """Of two ranges the nearest points, the middle of what they share if they overlap."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    if low <= high:
        return (low + high) // 2, (low + high) // 2
    return (a[1] - 1, b[0]) if a[1] <= b[0] else (a[0], b[1] - 1)


def _gaps(a: Area, b: Area) -> Point:
    return max(a[0] - b[2], b[0] - a[2], 0), max(a[1] - b[3], b[1] - a[3], 0)


def _grown(area: Area, by_px: int) -> Area:
    return area[0] - by_px, area[1] - by_px, area[2] + by_px, area[3] + by_px


def _is_within(place: Area, frame: Point) -> bool:
    return place[0] >= 0 and place[1] >= 0 and place[2] <= frame[0] and place[3] <= frame[1]


def _moved_into(place: Area, frame: Point) -> Area:
    x = max(0, min(place[0], frame[0] - (place[2] - place[0])))
    y = max(0, min(place[1], frame[1] - (place[3] - place[1])))
    return x, y, x + place[2] - place[0], y + place[3] - place[1]


def _shared(a: Area, b: Area) -> int:
    """Pixels that two areas share."""
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
