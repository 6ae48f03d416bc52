"""Suppression (`yields_to`): drops events that overlap with an alert of a stronger rule.

In a stored run every event is complete. In a live view an event is decided when it is raised: it waits if a stronger
rule has a pending event, and alerts that were sent are never revoked. Knows nothing of expressions or tables.
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
    """Starts and ends of the alerts of one rule."""
    alerts = list(alerts)
    return [alert.start for alert in alerts], [alert.end for alert in alerts]


# Decision ALE-3.
def settle(gathering: Gathering, others: Sequence[Spans]) -> list[Alert]:
    """The alerts of a rule, grouped again without events that overlap with one of `others`.

    So suppressed events neither start a cooldown nor join other events.
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
    """The live alerts of one rule. An event waits no longer than `for` or `keep_firing_for` of the other rules."""

    gathering: Gathering
    waiting: deque[Event] = field(default_factory=deque)

    def step(
        self, now: float, raised: Sequence[Event], others: Sequence[Gathering], machines: Sequence[Hysteresis]
    ) -> list[Alert]:
        """Process the events raised at `now`; returns the new alerts.

        `others` are the alerts so far of the stronger rules, `machines` those of their tracks.
        """
        self.waiting.extend(raised)
        found = []
        while self.waiting:
            event = self.waiting[0]
            if not any(_meets(event, spans_of(other.alerts)) for other in others):
                if any(_may_still_hold(machine, event, now) for machine in machines):
                    break  # later ones wait as well
                if (alert := self.gathering.add(event)) is not None:
                    found.append(alert)
            self.waiting.popleft()
        return found


def _may_still_hold(machine: Hysteresis, event: Event, now: float) -> bool:
    """Whether a machine's pending or active event may be an alert at the time of `event`."""
    other = machine.event
    if other is None or other.start > event.raised:
        return False  # later events are not waited for, or the wait might never end
    if machine.is_firing:
        return now - other.end <= machine.keep_seconds
    return now - machine.last_seen <= machine.max_gap


def _meets(event: Event, spans: Spans) -> bool:
    starts, ends = spans
    last = bisect_right(starts, event.end) - 1
    return last >= 0 and ends[last] >= event.start
