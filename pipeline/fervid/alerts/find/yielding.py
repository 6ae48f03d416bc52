"""Which events are dropped because a rule to which theirs yields has an alert there. Knows no expression and no table.

A stored run knows every event to its end. While it plays, an event is judged when it is raised: it waits, if a rule to
which it yields has begun to hold and is not sure yet, and what was told is never taken back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fervid.alerts.find.machine import Alert, Event, Gathering, Hysteresis

Spans = tuple[list[float], list[float]]
"""Starts and ends of spans that follow each other."""


def spans_of(alerts: Iterable[Alert]) -> Spans:
    """When the alerts of one rule begin and end."""
    alerts = list(alerts)
    return [alert.start for alert in alerts], [alert.end for alert in alerts]


# Decision ALE-3.
def settle(gathering: Gathering, others: Sequence[Spans]) -> list[Alert]:
    """The alerts of a rule, gathered anew without events that share a moment with one of `others`.

    So what yields neither starts a cooldown nor joins what does not.
    """
    if not others:
        return gathering.alerts
    events = [event for alert in gathering.alerts for event in (*alert.events, *alert.held_back)]
    events.sort(key=lambda event: (event.raised, event.track_id))
    settled = Gathering(gathering.joins_within, gathering.cooldown)
    for event in events:
        if not any(_meets(event, spans) for spans in others):
            settled.add(event)
    return settled.alerts


# Decision ALE-4.
@dataclass(slots=True)
class LiveSettling:
    """The alerts of one rule while it plays. An event waits no longer than `for` or `keep_firing_for` of the others."""

    gathering: Gathering
    waiting: deque[Event] = field(default_factory=deque)

    def step(
        self, now: float, raised: Sequence[Event], others: Sequence[Gathering], machines: Sequence[Hysteresis]
    ) -> list[Alert]:
        """Take the events raised at `now`; returns the alerts that are new.

        `others` are what the rules to which this one yields have gathered so far, `machines` those of their tracks.
        """
        self.waiting.extend(raised)
        found = []
        while self.waiting:
            event = self.waiting[0]
            if not any(_meets(event, spans_of(other.alerts)) for other in others):
                if any(_may_still_hold(machine, event, now) for machine in machines):
                    break  # those behind it wait as well, for they were raised later
                if (alert := self.gathering.add(event)) is not None:
                    found.append(alert)
            self.waiting.popleft()
        return found


def _may_still_hold(machine: Hysteresis, event: Event, now: float) -> bool:
    """Whether what a machine has begun may become, or go on as, an alert at the time of `event`."""
    other = machine.event
    if other is None or other.start > event.raised:
        return False  # what begins later is not waited for, or the wait might never end
    if machine.is_firing:
        return now - other.end <= machine.keep_seconds
    return now - machine.last_seen <= machine.max_gap


def _meets(event: Event, spans: Spans) -> bool:
    starts, ends = spans
    last = bisect_right(starts, event.end) - 1
    return last >= 0 and ends[last] >= event.start
