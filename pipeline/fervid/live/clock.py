"""Times of frames that arrive: as the source stamps them while that makes sense, else as they come. Opens nothing."""

from __future__ import annotations

LARGEST_DRIFT_SECONDS = 2.0
"""Stamps that say something this far from the arrival times are not believed: the sender's clock was set, or lies."""
LEAST_STEP_SECONDS = 1e-3


class StreamClock:
    """A timeline that begins with the first frame and always moves on, across stamps that jump and lost connections."""

    def __init__(self) -> None:
        self._first_arrival: float | None = None
        self._offset: float | None = None
        self._last = -LEAST_STEP_SECONDS
        self.jumps = 0
        """How often stamps were not believed."""

    def reconnect(self) -> None:
        """The stamps of the next connection have nothing to do with those so far."""
        self._offset = None

    def seconds(self, stamp: float | None, arrival: float) -> float:
        """The time of a frame from its stamp (None without one) and its arrival, each on a clock of its own."""
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
