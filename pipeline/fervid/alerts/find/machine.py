"""State machines for events: hysteresis over one track, and grouping of a rule's events into alerts.

They take samples in order of time, one by one or in runs of equal ones, so the same code serves stored tables and a
live view. Knows nothing of expressions or tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BELOW, HOLDS, ENTERS, STRONG = 0, 1, 2, 3
"""Levels of a sample: below `exit` (or not usable, or in the wrong place), at `exit`, `enter` or `strong` or above."""


# Decision ALE-7.
@dataclass(slots=True)
class Event:
    """One track for which a rule held: from the first sample at `enter` to the last one at `exit` or above."""

    track_id: int
    start: float
    end: float
    raised: float
    """The sample at which the event reached its minimum duration."""
    peak: float
    peak_time: float
    peak_row: int


# Decision ALE-2.
@dataclass(slots=True)
class Hysteresis:
    """The state of one rule for one track. Times are those of samples, so a span never exceeds the observed time.

    An event needs samples at `enter` that span `for` seconds, or at `strong` that span `strong_for`, without a sample
    below and without a gap longer than `max_gap`; it then continues while samples hold, across dips and gaps of at
    most `keep_firing_for`.
    """

    track_id: int
    wait_seconds: float
    keep_seconds: float
    max_gap: float
    last_seen: float = float("-inf")
    event: Event | None = None
    """The current event, active or pending (see `is_firing`)."""
    is_firing: bool = False
    held_last: bool = False
    strong_seconds: float = 0.0
    strong_since: float | None = None
    due: float = float("inf")
    """The time from which on the current event is one."""

    def step(self, first: float, last: float, level: int, peak: float, peak_time: float, peak_row: int) -> Event | None:
        """Process a run of samples of one level between which no gap is longer than `max_gap`.

        Returns the event that this run raised, once; it is updated in place while it continues.
        """
        is_broken = first - self.last_seen > self.max_gap
        if self.is_firing and self.event is not None:
            went_on = self.held_last and not is_broken
            until = first if level >= HOLDS else last
            if not (went_on and level >= HOLDS) and until - self.event.end > self.keep_seconds:
                self._close()
        elif is_broken or level < ENTERS:
            self.event = None
        if is_broken or level < STRONG:
            self.strong_since = None
        if level == STRONG and self.strong_since is None:
            self.strong_since = first
        self.last_seen, self.held_last = last, level >= HOLDS
        if level >= ENTERS and self.event is None:
            self.event = Event(self.track_id, first, last, first, peak, peak_time, peak_row)
        event = self.event
        if event is None or level < HOLDS:
            return None
        event.end = last
        if peak > event.peak:
            event.peak, event.peak_time, event.peak_row = peak, peak_time, peak_row
        if not self.is_firing and last >= self._due(event):
            self.is_firing, self.due = True, self._due(event)
            return event
        return None

    def _due(self, event: Event) -> float:
        strong = float("inf") if self.strong_since is None else self.strong_since + self.strong_seconds
        return min(event.start + self.wait_seconds, strong)

    def _close(self) -> None:
        self.event, self.is_firing = None, False


@dataclass(slots=True)
class Alert:
    """Events of one rule that are reported as one."""

    events: list[Event]
    held_back: list[Event] = field(default_factory=list)
    """Number of events that started within its cooldown."""

    @property
    def start(self) -> float:
        return min(event.start for event in self.events)

    @property
    def end(self) -> float:
        return max(event.end for event in self.events)

    @property
    def raised(self) -> float:
        return self.events[0].raised

    @property
    def peak(self) -> Event:
        return max(self.events, key=lambda event: event.peak)


@dataclass(slots=True)
class Gathering:
    """The alerts of one rule. Events enter in the order in which they were raised.

    An event within `joins_within` of the newest alert joins it; one that starts within `cooldown` of its end is
    suppressed and counted there; any other is a new alert. Since one event bridges no more than `joins_within`, earlier
    events need not be complete: a live view and a stored run give the same alerts.
    """

    joins_within: float
    cooldown: float
    alerts: list[Alert] = field(default_factory=list)

    def add(self, event: Event) -> Alert | None:
        """Add an event; returns the alert if it is a new one."""
        if self.alerts:
            newest = self.alerts[-1]
            since = event.start - newest.end
            if since <= self.joins_within:
                newest.events.append(event)
                return None
            if since < self.cooldown:
                newest.held_back.append(event)
                return None
        self.alerts.append(Alert([event]))
        return self.alerts[-1]
