"""Quality of alerts against ground truth: false alarms per hour, recall, delay, also over thresholds.

An event is found when an alert touches it; an alert that touches none is a false alarm. Does not choose rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from fervid.alerts.find.fitness import seconds_of_frames
from fervid.alerts.find.machine import Alert
from fervid.alerts.find.samples import read_frame_times, read_samples
from fervid.alerts.find.scan import make_finder, names_of, video_name
from fervid.alerts.language.expression import names_in
from fervid.alerts.language.rules import BoundRule, Rule, RuleSet, bind, label_of
from fervid.alerts.measure.truth import TrueEvent, Truth
from fervid.errors import ConfigError
from fervid.run.handle import Run
from fervid.run.recorded import recorded_time
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval

TOLERANCE_SECONDS = 1.0
"""Tolerance: events are marked by eye, so an alert this close to one still touches it."""
ENTER_GRID = tuple(i / 100 for i in range(5, 100, 2))
"""Thresholds of a curve for a score between 0 and 1."""
ENTER_SHARES = tuple(i / 4 for i in range(1, 13))
"""And for any other score, as shares of the rule's own threshold."""
SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one rule over all runs. Delays are seconds from an event's start to the sample that raised its
    alert.
    """

    hours: float
    n_events: int
    n_found: int
    n_alerts: int
    n_false: int
    delays: tuple[float, ...]

    @property
    def recall(self) -> float | None:
        """Share of the events that were found; None without any."""
        return self.n_found / self.n_events if self.n_events else None

    @property
    def precision(self) -> float | None:
        """Share of the alerts that touch an event; None without any."""
        return 1 - self.n_false / self.n_alerts if self.n_alerts else None

    @property
    def false_per_hour(self) -> float | None:
        """False alarms per hour of video; None without video."""
        return self.n_false / self.hours if self.hours else None

    @property
    def false_per_hour_interval(self) -> tuple[float, float] | None:
        """Its 95 % interval, exact for a Poisson count."""
        if not self.hours:
            return None
        low, high = poisson_interval(self.n_false)
        return low / self.hours, high / self.hours

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.hours + other.hours,
            self.n_events + other.n_events,
            self.n_found + other.n_found,
            self.n_alerts + other.n_alerts,
            self.n_false + other.n_false,
            self.delays + other.delays,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, each share and rate with its interval."""
        interval = wilson_interval(self.recall or 0.0, self.n_events)
        delays = sorted(self.delays)
        return {
            "hours": self.hours,
            "events": self.n_events,
            "found": self.n_found,
            "alerts": self.n_alerts,
            "false_alarms": self.n_false,
            "false_alarms_per_hour": self.false_per_hour,
            "false_alarms_per_hour_interval": self.false_per_hour_interval and list(self.false_per_hour_interval),
            "recall": self.recall,
            "recall_interval": list(interval),
            "precision": self.precision,
            "delay_median_s": median(delays) if delays else None,
            "delay_longest_s": delays[-1] if delays else None,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """A span and the sample that raised it, in seconds of the video."""

    start: float
    raised: float
    end: float


NOTHING = Outcome(0.0, 0, 0, 0, 0, ())


@dataclass(frozen=True, slots=True)
class Point:
    """One variant of a rule and its outcome."""

    rule: Rule
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"enter": self.rule.enter, "exit": self.rule.leave, "for": self.rule.for_} | self.outcome.to_json()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcomes of rules against ground truth."""

    by_rule: dict[str, Outcome]
    alerts: Outcome
    """Of all rules that raise alerts together; alerts that overlap count once."""
    rule: Rule
    points: tuple[Point, ...]
    """That rule over thresholds, from low to high."""
    n_videos: int
    unmatched: tuple[str, ...]
    """Videos of the ground truth without a run."""


def evaluate_alerts(runs: Sequence[Run], rules: RuleSet, truth: Truth, *, rule_name: str | None = None) -> Evaluation:
    """Compare the alerts of rules with the truth, and sweep thresholds of one rule (the first that raises alerts)."""
    rule = pick_rule(rules, rule_name)
    by_rule = dict.fromkeys((one.name for one in rules.rules), NOTHING)
    together = NOTHING
    for run, events in zip(runs, truth.events, strict=True):
        bound, found, hours = alerts_in(run, rules)
        for b, alerts in zip(bound, found, strict=True):
            wanted = [event for event in events if event.is_for(labels_of(b, run))]
            by_rule[b.rule.name] += score(alerts, wanted, hours=hours)
        raising = [(b, alerts) for b, alerts in zip(bound, found, strict=True) if b.rule.tier == "alert"]
        labels = set().union(*(labels_of(b, run) for b, _ in raising))
        spans = join([Span(alert.start, alert.raised, alert.end) for _, alerts in raising for alert in alerts])
        together += score(spans, [event for event in events if event.is_for(labels)], hours=hours)
    return Evaluation(by_rule, together, rule, tuple(curve(runs, rule, rules, truth)), len(runs), truth.unmatched)


def measure(runs: Sequence[Run], rules: Sequence[Rule], given: RuleSet, truth: Truth) -> list[list[Outcome]]:
    """The outcome of each of `rules` in every run: a list per rule, with an outcome per run.

    All rules are evaluated in one pass over each run, in pieces, so memory does not grow with the footage. `given`
    holds the zones, and the name that errors speak of.
    """
    outcomes: list[list[Outcome]] = [[] for _ in rules]
    rule_set = replace(given, rules=tuple(rules))
    for run, events in zip(runs, truth.events, strict=True):
        bound, found, hours = alerts_in(run, rule_set)
        for into, b, alerts in zip(outcomes, bound, found, strict=True):
            wanted = [event for event in events if event.is_for(labels_of(b, run))]
            into.append(score(alerts, wanted, hours=hours))
    return outcomes


def alerts_in(run: Run, rules: RuleSet) -> tuple[tuple[BoundRule, ...], list[list[Alert]], float]:
    """The rules bound to a run's labels, the alerts of each, and the hours that the analysed frames cover."""
    bound = bind(rules, run.manifest.model["labels"])
    frames = read_frame_times(run)
    finder = make_finder(bound, rules, frames, recorded_time(run.manifest.video, video_name(run)))
    for samples in read_samples(run, frames, names_of(bound)):
        finder.feed(samples)
    return bound, finder.settled(), float(seconds_of_frames(run, frames).sum()) / SECONDS_AN_HOUR


def join(spans: Sequence[Span]) -> list[Span]:
    """Spans that overlap as one; it is raised when the first of them was."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if joined and span.start <= joined[-1].end:
            last = joined[-1]
            joined[-1] = Span(last.start, min(last.raised, span.raised), max(last.end, span.end))
        else:
            joined.append(span)
    return joined


def score(alerts: Sequence[Alert | Span], events: Sequence[TrueEvent], *, hours: float) -> Outcome:
    """Compare the alerts of one rule in one run with the events that it should find."""
    touched = [[alert for alert in alerts if _touches(alert, event)] for event in events]
    delays = [
        max(0.0, min(alert.raised for alert in found) - e.start)
        for e, found in zip(events, touched, strict=True)
        if found
    ]
    n_false = sum(not any(_touches(alert, event) for event in events) for alert in alerts)
    return Outcome(hours, len(events), len(delays), len(alerts), n_false, tuple(delays))


def total(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcomes of several runs as one."""
    return sum(outcomes, NOTHING)


def variants(rule: Rule, *, waits: Sequence[float] = ()) -> list[Rule]:
    """A rule at other thresholds, and `waits` for its `for`; `exit` keeps its proportion to `enter`."""
    enters = ENTER_GRID if 0 < rule.enter <= 1 else tuple(rule.enter * share for share in ENTER_SHARES)
    return [rule.at(enter).model_copy(update={"for_": wait}) for wait in (waits or (rule.for_,)) for enter in enters]


def curve(runs: Sequence[Run], rule: Rule, given: RuleSet, truth: Truth) -> list[Point]:
    """A rule over thresholds, from low to high."""
    tried = variants(rule)
    return [Point(one, total(found)) for one, found in zip(tried, measure(runs, tried, given, truth), strict=True)]


def best_recall(points: Sequence[Point], *, at_false_per_hour: float) -> Point | None:
    """The point of highest recall within the target false-alarm rate; on a tie, the highest threshold."""
    rates = [(point, point.outcome.false_per_hour) for point in points]
    allowed = [point for point, rate in rates if rate is not None and rate <= at_false_per_hour]
    return max(allowed, key=lambda p: (p.outcome.recall or 0.0, p.rule.enter), default=None)


def pick_rule(rules: RuleSet, name: str | None) -> Rule:
    """The rule to look at: by its name, else the first that raises alerts. Raises ConfigError."""
    for rule in rules.rules:
        if rule.name == name or (name is None and rule.tier == "alert"):
            return rule
    listed = ", ".join(rule.name for rule in rules.rules)
    raise ConfigError(f"rule {name or 'of tier alert'} does not exist in {rules.source} (rules: {listed}).")


def labels_of(bound: BoundRule, run: Run) -> set[str]:
    """The model's labels that a rule's score uses."""
    names = {label_of(name) for name in names_in(bound.score)}
    return names & set(run.manifest.model["labels"])


def _touches(alert: Alert | Span, event: TrueEvent) -> bool:
    return alert.start <= event.end + TOLERANCE_SECONDS and event.start - TOLERANCE_SECONDS <= alert.end
