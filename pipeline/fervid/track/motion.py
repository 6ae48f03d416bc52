"""Tracks by predicted position: a Kalman filter of each face's position and velocity, in seconds and face sizes.

The velocity decays (an Ornstein-Uhlenbeck process, Singer's model of manoeuvring targets, 1970): over a tenth
of a second a head moves on as it did, over seconds it may be anywhere around. So one model serves every sampling rate,
and frames at uneven distances. A hidden face is predicted along its velocity, which separates two people who
cross.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from fervid.track.matching import gap_limit, match
from fervid.track.options import TrackerOptions

PLACE_NOISE = 0.06
"""Standard deviation of a box's centre around the head's, as a share of its size."""
SIZE_NOISE, SIZE_DRIFT = 0.12, 0.35
"""Standard deviation of the logarithm of a box's size, from box to box and in a second."""
SIZE_SHARE = 0.4
"""Gain of a change of the box size."""


class MotionOptions(TrackerOptions):
    """Place and velocity of each face, expected and corrected (a Kalman filter)."""

    speed: float = Field(default=1.5, gt=0, description="usual speed of a head, in its own widths per second")
    memory_seconds: float = Field(default=0.5, gt=0, description="a head keeps its velocity for about this long")
    max_deviation: float = Field(
        default=3.5, gt=0, description="a face further from where it is expected, in standard deviations, is another"
    )
    max_shift: float = Field(
        default=1.2, gt=0, description="a face further from where it is expected, in its own widths, is another"
    )


@dataclass(slots=True)
class _Track:
    """`place` and `velocity` in pixels and pixels per second, (2,); the covariance, the same for x and y, in squares of
    the face's size: of the place, of place and velocity, of the velocity."""

    track_id: int
    place: np.ndarray
    size: float
    last_seen_seconds: float
    velocity: np.ndarray
    covariance: tuple[float, float, float]


# Decision TRK-3.
class MotionTracker:
    """A face belongs to the track that expects it most."""

    Options = MotionOptions

    def __init__(
        self,
        *,
        gap_seconds: float,
        speed: float = 1.5,
        memory_seconds: float = 0.5,
        max_deviation: float = 3.5,
        max_shift: float = 1.2,
    ) -> None:
        self._gap_seconds, self._speed, self._memory_seconds = gap_seconds, speed, memory_seconds
        self._max_deviation, self._max_shift = max_deviation, max_shift
        self._open: list[_Track] = []
        self._next_id = 0

    def update(
        self, boxes: np.ndarray, pts_seconds: float, *, is_cut: bool = False, spacing_seconds: float = 0.0
    ) -> np.ndarray:
        """Boxes float32 (n, 4) at a time -> track ids int32 (n,). A cut closes every track."""
        limit = gap_limit(self._gap_seconds, spacing_seconds)
        kept = [] if is_cut else [t for t in self._open if pts_seconds - t.last_seen_seconds <= limit]
        ids = np.full(len(boxes), -1, np.int32)
        if len(boxes):
            places, sizes = _places_and_sizes(boxes)
            if kept:
                expected = [self._expected(track, pts_seconds) for track in kept]
                cost = np.stack([self._cost(track, pts_seconds, places, sizes) for track in expected])
                for row, column in match(cost, math.inf):
                    ids[column] = kept[row].track_id
                    kept[row] = _corrected(expected[row], places[column], float(sizes[column]), pts_seconds)
            for new in np.flatnonzero(ids < 0):
                ids[new] = self._next_id
                kept.append(self._begun(places[new], float(sizes[new]), pts_seconds))
        self._open = kept
        return ids

    def _begun(self, place: np.ndarray, size: float, seconds: float) -> _Track:
        track_id = self._next_id
        self._next_id += 1
        return _Track(track_id, place, size, seconds, np.zeros(2), (PLACE_NOISE**2, 0.0, self._speed**2))

    def _expected(self, track: _Track, seconds: float) -> _Track:
        """The track as it is expected at a time: the exact solution of the process between two frames."""
        passed, memory, power = seconds - track.last_seen_seconds, self._memory_seconds, self._speed**2
        kept = math.exp(-passed / memory)
        reach = memory * (1 - kept)  # seconds of its velocity that a head moves on
        place, both, velocity = track.covariance
        covariance = (
            place + 2 * reach * both + reach**2 * velocity + power * (2 * memory * (passed - reach) - reach**2),
            kept * (both + reach * velocity) + power * reach * (1 - kept),
            kept**2 * velocity + power * (1 - kept**2),
        )
        moved = track.place + reach * track.velocity
        return _Track(track.track_id, moved, track.size, track.last_seen_seconds, kept * track.velocity, covariance)

    def _cost(self, track: _Track, seconds: float, places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Minus twice the log-likelihood of each detection, but for a constant; infinite where it is another face."""
        spread = track.covariance[0] + PLACE_NOISE**2
        size = np.sqrt(track.size * sizes)
        shift = np.hypot(*(places - track.place).T) / size
        size_spread = SIZE_NOISE**2 + SIZE_DRIFT**2 * (seconds - track.last_seen_seconds)
        deviation = shift**2 / spread + np.log(sizes / track.size) ** 2 / size_spread
        is_other = (deviation > self._max_deviation**2) | (shift > self._max_shift)
        return np.where(is_other, np.inf, deviation + 2 * math.log(spread) + math.log(size_spread))


def _corrected(expected: _Track, place: np.ndarray, size: float, seconds: float) -> _Track:
    of_place, both, of_velocity = expected.covariance
    spread = of_place + PLACE_NOISE**2
    gain, gain_velocity = of_place / spread, both / spread
    surprise = place - expected.place
    return _Track(
        expected.track_id,
        expected.place + gain * surprise,
        expected.size * (size / expected.size) ** SIZE_SHARE,
        seconds,
        expected.velocity + gain_velocity * surprise,
        ((1 - gain) * of_place, (1 - gain) * both, of_velocity - gain_velocity * both),
    )


def _places_and_sizes(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres float64 (n, 2), and sides of squares of the same area float64 (n,)."""
    wide = boxes.astype(np.float64)
    sides = np.maximum(wide[:, 2:] - wide[:, :2], 1e-3)
    return (wide[:, :2] + wide[:, 2:]) / 2, np.sqrt(sides.prod(axis=1))
