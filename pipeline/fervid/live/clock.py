"""Times of live frames: the source's timestamps while plausible, else arrival times. Opens nothing."""

from __future__ import annotations

LARGEST_DRIFT_SECONDS = 2.0
"""Timestamps this far from the arrival times are rejected: the sender's clock was set, or is wrong."""
LEAST_STEP_SECONDS = 1e-3


class StreamClock:
    """A timeline that starts at the first frame and always increases, across timestamp jumps and lost connections."""

    def __init__(self) -> None:
        self._first_arrival: float | None = None
        self._offset: float | None = None
        self._last = -LEAST_STEP_SECONDS
        self.jumps = 0
        """Number of rejected timestamps."""

    def reconnect(self) -> None:
        """Reset for a new connection, whose timestamps are unrelated."""
        self._offset = None

    def seconds(self, stamp: float | None, arrival: float) -> float:
        """The time of a frame from its stamp (None without one) and its arrival, each on its own clock."""
        if self._first_arrival is None:
            self._first_arrival = arrival
        since = arrival - self._first_arrival
        if stamp is None:
            seconds = since
        else:
            if self._offset is None:
                self._offset = since - stamp
            elif abs(stamp + self._offset - since) > LARGEST_DRIFT_SECONDS:
                self.jumps += 1
                self._offset = since - stamp
            seconds = stamp + self._offset
        self._last = max(seconds, self._last + LEAST_STEP_SECONDS)
        return self._last
