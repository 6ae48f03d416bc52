"""Decides when, and which regions of, a frame to scan for new faces. Knows faces only by position.

Each octave of face sizes has its own schedule. Cells that did not change since their last scan are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.motion import Rectangle, bounding_rectangle, cells_of, changed_cells, grown
from fervid.detect.plan import SearchPlan, SearchWork

BACKOFF = 2.0
"""While no face comes or goes, the interval of each octave grows by this factor from scan to scan, up to the plan's
`quiet_factor`: dense where faces change, sparse where nothing happens."""

QUIET_SHARE = 0.4
"""Meanwhile no octave is scanned more often than after this share of the time between full searches."""

WHOLE_SHARE = 0.6
"""A changed part larger than this share of the image is not cut out: what did not change in it is hidden alone."""

MARGIN_SHARE = 1 / 3
"""What is scanned around a change, as a share of the largest face looked for: a face that comes changes more than the
middle of it."""

TIME_EPSILON_SECONDS = 1e-3
"""Frames that lie an interval apart may do so by a rounding less."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that is due: of a part of the image, and in it of the set cells of the tiny image (None: of all)."""

    part: Rectangle
    cells: np.ndarray | None = None


@dataclass(slots=True)
class _Octave:
    """When the faces of one octave of sizes were last looked for, and the tiny image that this answer holds for."""

    whole_seconds: float
    seconds: float
    searched_tiny: np.ndarray
    delay: float = 1.0
    """How many times the usual interval passes before the next scan."""


# Decision DET-7.
class Scans:
    """Schedules the scans of the frames of one segment, in order of time. Updates the counters in `work`."""

    def __init__(self, plan: SearchPlan, work: SearchWork) -> None:
        self._plan, self._work = plan, work
        self._octaves: dict[int, _Octave] = {}

    def start_afresh(self) -> None:
        """Forget all scans: everything is due."""
        self._octaves = {}

    def reset_interval(self) -> None:
        """A face appeared or disappeared: scan at the plan's rate again."""
        for state in self._octaves.values():
            state.delay = 1.0

    def due(
        self,
        octave: int,
        largest_px: int,
        *,
        shape: tuple[int, int],
        now: np.ndarray,
        seconds: float,
        known: list[Rectangle],
    ) -> Scan | None:
        """The scan for an octave of sizes up to `largest_px` that is due in an image of that (height, width).

        `now` is the tiny image, `known` the parts that are searched anyway. A part is scanned the more often the
        smaller it is, and still costs less than the whole.
        """
        height, width = shape
        whole = 0, 0, width, height
        state = self._octaves.get(octave)
        if state is None:
            self._octaves[octave] = _Octave(seconds, seconds, now)
            self._work.full_searches += 1
            return Scan(whole)
        scan = Scan(whole)
        if self._plan.still_level and seconds - state.whole_seconds < self._plan.still_seconds:
            changed = self._changed(state.searched_tiny, now, shape, largest_px, known)
            if changed is None:
                return None
            scan = changed
        share = (scan.part[2] - scan.part[0]) * (scan.part[3] - scan.part[1]) / (width * height)
        interval = self._plan.full_search_seconds * self._share_of(octave) * state.delay * sqrt(share)
        if seconds - state.seconds + TIME_EPSILON_SECONDS < interval:
            return None
        state.seconds = seconds
        most = max(self._plan.quiet_factor, QUIET_SHARE / self._share_of(octave))
        state.delay = min(most, state.delay * BACKOFF)
        if scan.cells is None:
            state.whole_seconds, state.searched_tiny = seconds, now
        else:
            state.searched_tiny = cv2.copyTo(now, scan.cells.view(np.uint8), state.searched_tiny.copy())
        if scan.part == whole:
            self._work.full_searches += 1
        else:
            self._work.part_searches += 1
        return scan

    def _share_of(self, octave: int) -> float:
        shares = self._plan.octave_shares
        return shares[min(octave, len(shares) - 1)]

    def _changed(
        self, before: np.ndarray, now: np.ndarray, shape: tuple[int, int], largest_px: int, known: list[Rectangle]
    ) -> Scan | None:
        """What changed outside of the known parts, with a margin that a face fits into; None: nothing did."""
        cells = changed_cells(before, now, level=self._plan.still_level)
        for part in known:
            cells[cells_of(part, shape, now.shape)] = False
        shares = bounding_rectangle(cells)
        if shares is None:
            return None
        height, width = shape
        left, top, right, bottom = (round(s * side) for s, side in zip(shares, (width, height) * 2, strict=True))
        margin_px = round(largest_px * MARGIN_SHARE)
        part = (
            max(0, left - margin_px),
            max(0, top - margin_px),
            min(width, right + margin_px),
            min(height, bottom + margin_px),
        )
        if (part[2] - part[0]) * (part[3] - part[1]) > WHOLE_SHARE * width * height:
            part = 0, 0, width, height
        return Scan(part, grown(cells, round(margin_px * now.shape[1] / width)))
