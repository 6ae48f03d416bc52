"""Where faces are at any moment of a video, from moments at which they were seen. Knows nothing of images.

Sightings come from the tracks that a run stored and from searches made for covering. Sightings of one face are joined;
between two of them it moves evenly, before the first and after the last it is held for a short time, and nothing is
carried through a cut.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from fervid.base.geometry import iou_matrix, pad_boxes

HELD_SECONDS = 0.5
"""A face is covered this long before its first and after its last sighting."""
BRIDGED_SECONDS = 2.0
"""Between two sightings at most this far apart, linear motion is assumed."""
SAME_FACE_IOU = 0.2
SPARED_MARGIN = 0.3
"""A spared face reaches this far beyond its box, as finds of it may."""


@dataclass(slots=True, eq=False)
class _Chain:
    """Sightings of one face in order of time."""

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)


class FaceCovers:
    """Which boxes to cover over time: xyxy in pixels of the displayed frame, seconds on the video's timeline."""

    def __init__(
        self, tracks: dict[int, tuple[np.ndarray, np.ndarray]] | None = None, *, spared: frozenset[int] = frozenset()
    ) -> None:
        """`tracks` are of each track its times (n,), ascending, and boxes (n, 4); those in `spared` stay open."""
        self._by_second: defaultdict[int, list[_Chain]] = defaultdict(list)
        self._spared_by_second: defaultdict[int, list[_Chain]] = defaultdict(list)
        self._open: list[_Chain] = []
        self._cuts: list[float] = []
        for number, (times, boxes) in (tracks or {}).items():
            chain = _Chain(np.asarray(times, np.float64).tolist(), list(np.asarray(boxes, np.float64)))
            if chain.times:
                where = self._spared_by_second if number in spared else self._by_second
                _enter(where, chain, chain.times[0] - HELD_SECONDS, chain.times[-1] + HELD_SECONDS)

    def add_cut(self, seconds: float) -> None:
        """A new shot begins with the frame at `seconds`."""
        insort(self._cuts, seconds)

    def add(self, seconds: float, boxes: np.ndarray) -> None:
        """Add the boxes (k, 4) found at a moment; calls are in order of time."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        self._open = [
            chain
            for chain in self._open
            if seconds - chain.times[-1] <= BRIDGED_SECONDS and self._shot(chain.times[-1]) == self._shot(seconds)
        ]
        last = np.array([chain.boxes[-1] for chain in self._open]).reshape(-1, 4)
        overlap = iou_matrix(last, boxes)
        new = set(range(len(boxes)))
        while overlap.size and overlap.max() >= SAME_FACE_IOU:
            i, j = divmod(int(overlap.argmax()), overlap.shape[1])
            self._extend(self._open[i], seconds, boxes[j])
            new.discard(j)
            overlap[i], overlap[:, j] = 0, 0
        for k in sorted(new):
            chain = _Chain()
            self._open.append(chain)
            self._extend(chain, seconds, boxes[k])

    def at(self, seconds: float) -> np.ndarray:
        """The boxes to cover at a moment: float64 (k, 4)."""
        second = int(seconds // 1)
        boxes = self._boxes(self._by_second.get(second, []), seconds)
        spared = self._boxes(self._spared_by_second.get(second, []), seconds)
        if len(spared) and len(boxes):
            boxes = boxes[
                (iou_matrix(pad_boxes(spared, SPARED_MARGIN, SPARED_MARGIN), boxes) < SAME_FACE_IOU).all(axis=0)
            ]
        return boxes

    def _extend(self, chain: _Chain, seconds: float, box: np.ndarray) -> None:
        since = chain.times[-1] + HELD_SECONDS if chain.times else seconds - HELD_SECONDS
        chain.times.append(seconds)
        chain.boxes.append(box)
        _enter(self._by_second, chain, since, seconds + HELD_SECONDS)

    def _shot(self, seconds: float) -> int:
        return bisect_right(self._cuts, seconds)

    def _boxes(self, chains: list[_Chain], seconds: float) -> np.ndarray:
        found = [box for chain in chains for box in self._chain_at(chain, seconds)]
        return np.array(found, np.float64).reshape(-1, 4)

    def _chain_at(self, chain: _Chain, seconds: float) -> list[np.ndarray]:
        after = bisect_left(chain.times, seconds)
        near = [
            i
            for i in (after - 1, after)
            if 0 <= i < len(chain.times) and self._shot(chain.times[i]) == self._shot(seconds)
        ]
        if len(near) == 2 and (gap := chain.times[after] - chain.times[after - 1]) <= BRIDGED_SECONDS:
            share = (seconds - chain.times[after - 1]) / gap
            return [(1 - share) * chain.boxes[after - 1] + share * chain.boxes[after]]
        return [chain.boxes[i] for i in near if abs(chain.times[i] - seconds) <= HELD_SECONDS]


def _enter(by_second: defaultdict[int, list[_Chain]], chain: _Chain, start: float, end: float) -> None:
    """Enter a chain in the list of every second that it touches, once."""
    for second in range(int(start // 1), int(end // 1) + 1):
        if chain not in by_second[second]:
            by_second[second].append(chain)
