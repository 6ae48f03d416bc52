"""Chooses a threshold and duration for a target false-alarm rate, on half of the footage; checks on the rest.

The split is by whole videos, so that no scene is on both sides. Future footage may differ from both halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fervid.alerts.find.scan import video_name
from fervid.alerts.language.rules import Rule, RuleSet
from fervid.alerts.measure.outcomes import Outcome, Point, measure, pick_rule, total, variants
from fervid.alerts.measure.truth import Truth
from fervid.errors import ConfigError
from fervid.run.handle import Run
from fervid.stats.intervals import poisson_interval

WAITS = (0.6, 1.0, 1.5, 2.0, 3.0)
"""Values of `for` that are tried, in seconds, beside the rule's own."""
LEAST_VIDEOS = 2


@dataclass(frozen=True, slots=True)
class Tuning:
    """A rule before and after, on the choosing and on the checking half."""

    target_per_hour: float
    before: Rule
    after: Rule
    meets_target: bool
    """Whether any variant met the target on the choosing half; if not, `after` is the one with the fewest."""
    tuned_on: tuple[str, ...]
    checked_on: tuple[str, ...]
    outcomes: dict[str, Outcome]
    """Of `before` and `after` on both halves: before_tuning, after_tuning, before_checking, after_checking."""
    curves: dict[str, tuple[Point, ...]]
    """The chosen duration over thresholds on both halves: tuning, checking."""

    @property
    def hours_to_show(self) -> float:
        """Hours without a single false alarm after which the target is above the 95 % interval."""
        return poisson_interval(0)[1] / self.target_per_hour

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "target_false_alarms_per_hour": self.target_per_hour,
            "meets_target": self.meets_target,
            "hours_to_show_target": self.hours_to_show,
            "rule": self.before.name,
            "before": _numbers(self.before),
            "after": _numbers(self.after),
            "tuned_on": list(self.tuned_on),
            "checked_on": list(self.checked_on),
            "outcomes": {name: outcome.to_json() for name, outcome in self.outcomes.items()},
            "curves": {name: [point.to_json() for point in points] for name, points in self.curves.items()},
        }


def tune_rule(
    runs: Sequence[Run], rules: RuleSet, truth: Truth, *, target_per_hour: float, rule_name: str | None = None
) -> Tuning:
    """Find the variant of a rule with the highest recall at `target_per_hour` false alarms or fewer.

    Raises ConfigError for a target that is not above 0 and for fewer than two videos.
    """
    if not target_per_hour > 0:
        raise ConfigError(f"a target of {target_per_hour:g} false alarms per hour cannot be met. Give one above 0.")
    if len(runs) < LEAST_VIDEOS:
        raise ConfigError("tuning needs two videos or more: one half chooses, the other checks. Give more runs.")
    rule = pick_rule(rules, rule_name)
    tried = variants(rule, waits=sorted({*WAITS, rule.for_}))
    results = measure(runs, [rule, *tried], rules, truth)
    first, second = part([run.manifest.video_id for run in runs], results[0])
    halves = {"tuning": first, "checking": second}
    on = {name: [total([row[i] for i in half]) for row in results] for name, half in halves.items()}
    points = [Point(one, outcome) for one, outcome in zip(tried, on["tuning"][1:], strict=True)]
    chosen, meets = choose(points, target_per_hour=target_per_hour, wait=rule.for_)
    position = 1 + points.index(chosen)
    same_wait = [i for i, one in enumerate(tried) if one.for_ == chosen.rule.for_]
    return Tuning(
        target_per_hour=target_per_hour,
        before=rule,
        after=chosen.rule,
        meets_target=meets,
        tuned_on=tuple(video_name(runs[i]) for i in first),
        checked_on=tuple(video_name(runs[i]) for i in second),
        outcomes={f"before_{name}": on[name][0] for name in halves}
        | {f"after_{name}": on[name][position] for name in halves},
        curves={name: tuple(Point(tried[i], on[name][1 + i]) for i in same_wait) for name in halves},
    )


# Decision ALE-9.
def part(ids: Sequence[str], outcomes: Sequence[Outcome]) -> tuple[list[int], list[int]]:
    """Two halves of videos with about as many events, then about as many hours; the same for the same footage."""
    order = sorted(range(len(ids)), key=lambda i: (-outcomes[i].n_events, -outcomes[i].hours, ids[i]))
    halves: tuple[list[int], list[int]] = ([], [])
    for i in order:
        of = [total([outcomes[j] for j in half]) for half in halves]
        loads = [(one.n_events if outcomes[i].n_events else 0, one.hours) for one in of]
        halves[loads[1] < loads[0]].append(i)
    return sorted(halves[0]), sorted(halves[1])


def choose(points: Sequence[Point], *, target_per_hour: float, wait: float) -> tuple[Point, bool]:
    """The best point that meets the target, and whether one does.

    Best is the highest recall, then the fewest false alarms, then the duration nearest to `wait`; of thresholds that
    are equal in all this the middle one, as far as possible from either failure. If the truth has no events, it is
    the lowest threshold that meets the target at the duration that the rule has.
    """
    allowed = [point for point in points if (point.outcome.false_per_hour or 0.0) <= target_per_hour]
    if not allowed:
        return min(points, key=lambda point: (point.outcome.n_false, -point.rule.enter)), False
    if not any(point.outcome.n_events for point in points):
        return min(allowed, key=lambda point: (abs(point.rule.for_ - wait), point.rule.enter)), True

    def worth(point: Point) -> tuple[float, float, float]:
        return -(point.outcome.recall or 0.0), point.outcome.n_false, abs(point.rule.for_ - wait)

    best = min(map(worth, allowed))
    equal = sorted((point for point in allowed if worth(point) == best), key=lambda point: point.rule.enter)
    return equal[len(equal) // 2], True


def _numbers(rule: Rule) -> dict[str, float]:
    return {"enter": rule.enter, "exit": rule.leave, "for": rule.for_}
