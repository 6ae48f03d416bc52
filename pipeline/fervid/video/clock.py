"""The one clock of a video: from the time stamps of its packets to the time of each displayed frame. Opens nothing.

The analysis, annotated videos, clips, previews, stills and the live view all take their times from here. A stream with
sound stamps keeps them. Otherwise `repair` gives every packet a stamp of its own: joined recordings follow each other,
missing stamps are filled in between those that exist, and stamps that only tell the order of decoding are sorted.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

MISSING = np.iinfo(np.int64).min
"""Marks a packet without a stamp in the arrays of this module."""
REORDER_FRAMES = 16
"""H.264 and HEVC reorder at most so many frames, so a window of this length sorts any stream."""
GLITCH_PACKETS = 50
"""A run of bad stamps is at most this long; a longer one is a recording of its own."""
LEAST_ANCHOR_SHARE = 1 / 600
"""Below this share of stamped packets (one in 24 s at 25 frames per second) the stamps are ignored."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Stamps int64 (n,) for the packets of a stream in file order, ascending in the order of display.

    With `is_sorted` the stamps belong to the displayed frames in ascending order, not to the packet at their place.
    `n_joined` recordings were moved behind the one before, `n_filled` packets had no usable stamp, `n_unsorted` had one
    that tells the order of decoding alone.
    """

    stamps: np.ndarray
    is_sorted: bool = False
    n_joined: int = 0
    n_filled: int = 0
    n_unsorted: int = 0
    shifts: tuple[int, ...] = (0,)
    """By how much the stamps of each of the joined recordings were moved."""


def repair(pts: np.ndarray, dts: np.ndarray, keys: np.ndarray, *, is_decoding_order: bool) -> Repair | None:
    """Repair the stamps of a stream. None: fewer than two usable stamps, so frames can only be counted.

    `pts` and `dts` int64 (n,) in file order, MISSING where there is none; `keys` int64 (k,) the places of key frames.
    `is_decoding_order` says that `pts` were made up from the order of decoding: then `dts` are the times of display.
    """
    if is_decoding_order:
        line = dts if (dts != MISSING).all() else pts
        filled = _filled(line)
        return None if filled is None else Repair(np.sort(filled), True, n_unsorted=len(pts))
    is_reordered = _is_reordered(pts, dts)
    line = dts if is_reordered and (dts != MISSING).sum() >= (pts != MISSING).sum() else pts
    line, known = _without_glitches(line), pts != MISSING
    bounds = [*_part_starts(line, is_reordered=is_reordered and line is pts), len(pts)]
    delay = _reorder_delay(pts, dts, keys) if is_reordered else 0
    parts, shifts, is_sorted, n_filled = [], [], False, 0
    end: int | None = None
    for first, last in pairwise(bounds):
        stamps, is_usable = pts[first:last], known[first:last] & (line[first:last] != MISSING)
        is_usable &= _is_first(stamps)
        if not is_usable.all():
            of_line = line[first:last]
            filled = _filled(np.where(_is_first(of_line), of_line, MISSING))
            if filled is None:
                return None
            stamps, is_sorted = filled + delay, is_sorted or is_reordered
            n_filled += int((~is_usable).sum())
        shifts.append(max(0, end - int(stamps.min())) if end is not None else 0)
        stamps = stamps + shifts[-1]
        end = int(stamps.max()) + _step(stamps)
        parts.append(stamps)
    stamps = _apart(np.concatenate(parts))
    if len(stamps) - n_filled < max(2, LEAST_ANCHOR_SHARE * len(stamps)) or n_filled == len(stamps):
        return None
    return Repair(np.sort(stamps) if is_sorted else stamps, is_sorted, len(parts) - 1, n_filled, 0, tuple(shifts))


def _is_first(stamps: np.ndarray) -> np.ndarray:
    """Whether each stamp is the first of its value, bool (n,). Some containers repeat the last one."""
    is_first = np.zeros(len(stamps), bool)
    is_first[np.unique(stamps, return_index=True)[1]] = True
    return is_first


def _is_reordered(pts: np.ndarray, dts: np.ndarray) -> bool:
    both = (pts != MISSING) & (dts != MISSING)
    return bool((pts[both] != dts[both]).any())


def _step(stamps: np.ndarray) -> int:
    """The usual spacing of stamps in the order of display."""
    gaps = np.diff(np.unique(stamps))
    return max(1, int(np.median(gaps))) if len(gaps) else 1


def _reorder_delay(pts: np.ndarray, dts: np.ndarray, keys: np.ndarray) -> int:
    """By how much display follows decoding at key frames, which is what it does over the whole stream."""
    at = keys[(pts[keys] != MISSING) & (dts[keys] != MISSING)]
    if not len(at):
        at = np.flatnonzero((pts != MISSING) & (dts != MISSING))
    return int(np.median(pts[at] - dts[at])) if len(at) else 0


def _part_starts(line: np.ndarray, *, is_reordered: bool) -> list[int]:
    """Where recordings begin: at 0, and wherever the line steps back further than reordering explains."""
    known = np.flatnonzero(line != MISSING)
    values = line[known]
    gaps = np.diff(values)
    slack = REORDER_FRAMES * int(np.median(np.abs(gaps))) if is_reordered and len(gaps) else 0
    return [0, *(int(known[i + 1]) for i in np.flatnonzero(gaps < -slack))]


def _without_glitches(line: np.ndarray) -> np.ndarray:
    """The line with stamps MISSING that leave it for a few packets and come back to it."""
    known = np.flatnonzero(line != MISSING)
    values = line[known].astype(float)
    gaps = np.diff(values)
    if not (gaps < 0).any():
        return line
    usual = max(1.0, float(np.median(np.abs(gaps))))
    repaired, at = line.copy(), 0
    leaps = np.flatnonzero((gaps < 0) | (gaps > 2 * REORDER_FRAMES * usual)).tolist()
    for leap, back in pairwise(leaps):
        n = back - leap
        returned = values[back + 1] - values[leap]
        if leap < at or n > GLITCH_PACKETS or np.sign(gaps[leap]) == np.sign(gaps[back]):
            continue
        if 0.5 * (n + 1) * usual <= returned <= 2 * (n + 1) * usual:
            repaired[known[leap + 1 : back + 1]] = MISSING
            at = back + 1
    return repaired


def _filled(line: np.ndarray) -> np.ndarray | None:
    """The line with every MISSING filled in; None where nothing is known.

    Behind a stamp frames follow at the usual spacing, closer together where that reaches the next stamp: a pause of the
    recording stays a pause.
    """
    known = np.flatnonzero(line != MISSING)
    if not len(known):
        return None
    values = line[known].astype(np.int64)
    n = np.diff(known)
    per_packet = np.diff(values) / n if len(n) else np.ones(1)
    usual = max(1.0, float(np.median(per_packet[per_packet > 0]))) if (per_packet > 0).any() else 1.0
    at = np.arange(len(line))
    before = np.clip(np.searchsorted(known, at, side="right") - 1, 0, None)
    step = np.full(len(known), usual)
    if len(n):
        step[:-1] = np.where(per_packet > 0, np.minimum(usual, per_packet), usual)
        # Between two stamps that agree with the usual spacing the frames are spread evenly.
        is_even = np.abs(per_packet - usual) <= 0.5 * usual
        step[:-1][is_even] = per_packet[is_even]
    return np.asarray(values[before] + np.round((at - known[before]) * step[before]).astype(np.int64))


def _apart(stamps: np.ndarray) -> np.ndarray:
    """The same stamps, each at least one tick behind the one displayed before it."""
    order = np.argsort(stamps, kind="stable")
    ranks = np.arange(len(stamps))
    apart = np.empty_like(stamps)
    apart[order] = np.maximum.accumulate(stamps[order] - ranks) + ranks
    return apart


@dataclass(slots=True)
class FrameClock:
    """Gives each displayed frame its pts and its seconds; never runs backwards.

    `step` is the usual spacing of frames. With `counts` frames are numbered, whatever their stamps.
    """

    time_base: Fraction
    start_seconds: float
    step: int = 1
    counts: bool = False
    is_sorted: bool = False
    jumps: int = 0
    """Frames whose time was missing or ran backwards, and was carried on from the frame before."""
    _offset: int = 0
    _last: int | None = None
    _count: int = field(default=0)

    def shown(self, frames: Iterable[Any]) -> Iterator[tuple[int, float, Any]]:
        """(pts, seconds, frame) of frames in the order of display."""
        stamped = ((frame.pts if frame.pts is not None else frame.dts, frame) for frame in frames)
        for pts, frame in _in_order(stamped) if self.is_sorted else stamped:
            yield *self.stamp(pts), frame

    def stamp(self, pts: int | None) -> tuple[int, float]:
        """The frame's own pts and its seconds on a timeline that never runs backwards."""
        if self.counts:
            pts = self._count
        elif pts is None:
            self.jumps += 1
            pts = (self._last or 0) - self._offset + self.step if self._last is not None else 0
        self._count += 1
        if self._last is None or pts > self._last:
            self._offset = 0  # sound, or sound again after a glitch
        elif pts + self._offset <= self._last:
            self.jumps += 1
            self._offset = self._last + self.step - pts
        self._last = pts + self._offset
        return pts, float(self._last * self.time_base) - self.start_seconds


def _in_order(stamped: Iterable[tuple[int | None, Any]]) -> Iterator[tuple[int | None, Any]]:
    """The frames as they come, the n-th with the n-th smallest stamp; so many wait as a stream may reorder."""
    waiting: deque[Any] = deque()
    stamps: list[int] = []
    for pts, frame in stamped:
        waiting.append(frame)
        if pts is not None:
            heapq.heappush(stamps, pts)
        if len(waiting) > REORDER_FRAMES:
            yield heapq.heappop(stamps) if stamps else None, waiting.popleft()
    while waiting:
        yield heapq.heappop(stamps) if stamps else None, waiting.popleft()
