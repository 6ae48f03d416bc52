"""What is dropped because of a stronger rule: in stored runs, and while it plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from alert_samples import LABELS, SECONDS, cut, random_case, rules, samples, scores, spans
from fervid.alerts.find.finder import Finder, Samples
from fervid.alerts.find.machine import Alert
from fervid.alerts.language.rules import RuleSet, bind

STRONG, WEAK = {"name": "strong"}, {"name": "weak", "enter": 0.4, "yields_to": ["strong"]}


def finder_of(rule_set: RuleSet) -> Finder:
    return Finder(bind(rule_set, LABELS), rule_set.zones, spacing_seconds=0.2)


def found_in(rule_set: RuleSet, whole: Samples) -> list[list[Alert]]:
    finder = finder_of(rule_set)
    finder.feed(whole)
    return finder.alerts


def settled(rule_set: RuleSet, whole: Samples) -> list[list[Alert]]:
    finder = finder_of(rule_set)
    finder.feed(whole)
    return finder.settled()


def told_live(rule_set: RuleSet, whole: Samples) -> tuple[list[tuple[float, str, float]], Finder]:
    """What a live view says, frame by frame: when, of which rule, of a face since when."""
    finder = finder_of(rule_set)
    told = [
        (float(whole.times[f]), bound.rule.name, alert.start)
        for f in range(len(whole.times))
        for bound, alert in finder.feed_live(cut(whole, f, f + 1))
    ]
    return told, finder


def test_a_rule_yields_where_another_has_an_alert_and_starts_no_cooldown_there() -> None:
    whole = samples(SECONDS, {0: scores("++##++..++..+##+..+")})
    assert [spans(alerts) for alerts in found_in(rules(STRONG, WEAK), whole)] == [
        [(2, 3), (13, 14)], [(0, 5), (8, 9), (12, 15), (18, 18)],
    ]  # fmt: skip
    assert [spans(alerts) for alerts in settled(rules(STRONG, WEAK), whole)] == [[(2, 3), (13, 14)], [(8, 9), (18, 18)]]
    for changed in ({"cooldown": 8}, {"merge_gap": 4}):
        found = settled(rules(STRONG, WEAK | changed), whole)
        assert spans(found[1])[0] == (8, 9)  # neither held back by, nor joined with, what yielded


def test_yielding_is_what_brute_force_says() -> None:
    rng = np.random.default_rng(14)
    n_dropped = 0
    for _ in range(60):
        _, whole = random_case(rng)
        rule_set = rules({"for": 0.2, "merge_gap": 0.4}, {"enter": 0.3, "yields_to": ["r0"], "max_gap": 0.4})
        strong, weak = found_in(rule_set, whole)
        events = [event for alert in weak for event in alert.events]
        kept = [e for e in events if not any(e.start <= other.end and other.start <= e.end for other in strong)]
        found = [event for alert in settled(rule_set, whole)[1] for event in alert.events]
        assert sorted(map(repr, found)) == sorted(map(repr, kept))
        n_dropped += len(events) - len(kept)
    assert n_dropped > 30


@pytest.mark.parametrize(
    ("strong", "weak", "text", "told", "kept"),
    [
        ({}, {}, "", [], []),
        ({}, {}, "..++", [(2, 2)], [2]),
        ({}, {}, "..##", [], []),
        ({}, {}, "..++##", [(2, 2)], []),  # told before the stronger rule began: it cannot be taken back
        ({"for": 2}, {}, "..####", [], []),  # it waits while the stronger one may still come of it
        ({"for": 2}, {}, "..#+++", [(3, 2)], [2]),  # and is told when it does not
        ({"for": 2}, {}, "..#   +", [(4, 2), (6, 6)], [2, 6]),  # or when the face is unseen for too long
        ({}, {"cooldown": 9}, "##..++", [(4, 4)], [4]),  # what yielded starts no cooldown
        ({}, {"merge_gap": 9}, "##..++", [(4, 4)], [4]),  # and joins nothing
        ({"keep_firing_for": 3}, {}, "##.+#", [], []),  # a dip of the stronger one
        ({"keep_firing_for": 3}, {}, "##.+..", [(5, 3)], [3]),  # that was its end
        ({}, {"for": 3}, "##.", [], []),
        ({"exit": 0.45}, {"for": 2}, ".#....+++", [(8, 6)], [6]),
    ],
)
def test_while_it_plays_a_rule_yields_to_what_is_known_or_about_to_be(
    strong: dict[str, Any], weak: dict[str, Any], text: str, told: list[tuple[float, float]], kept: list[float]
) -> None:
    rule_set = rules({"max_gap": 1} | STRONG | strong, {"max_gap": 1} | WEAK | weak)
    whole = samples(SECONDS, {0: scores(text)})
    said, _ = told_live(rule_set, whole)
    assert [(at, start) for at, name, start in said if name == "weak"] == told
    assert [alert.start for alert in settled(rule_set, whole)[1]] == kept


def events_of(alerts: Sequence[Alert]) -> dict[tuple[int, float], Any]:
    events = [event for alert in alerts for event in (*alert.events, *alert.held_back)]
    return {(event.track_id, event.start): event for event in events}


def test_a_live_view_tells_what_a_stored_run_has_and_besides_only_what_nobody_could_know() -> None:
    rng = np.random.default_rng(15)
    n_kept = n_early = n_dropped = 0
    for _ in range(150):
        _, whole = random_case(rng)
        if whole.times[-1] - whole.times[0] < 4:
            continue
        limits = {name: float(rng.choice([0, 0.2, 0.4, 1])) for name in ("for", "keep_firing_for", "merge_gap")}
        own = {name: float(rng.choice([0, 0.2, 0.4, 1])) for name in ("for", "keep_firing_for", "merge_gap")}
        own |= {"cooldown": float(rng.choice([0, 2]))}
        rule_set = rules({"max_gap": 0.4} | limits, {"enter": 0.3, "yields_to": ["r0"], "max_gap": 0.4} | own)
        _, finder = told_live(rule_set, whole)
        state = finder._states[1]
        strong, _ = finder.alerts
        live, stored = events_of(state.settling.gathering.alerts), events_of(finder.settled()[1])
        undecided = {(event.track_id, event.start) for event in state.settling.waiting}
        assert set(stored) <= set(live) | undecided
        early = set(live) - set(stored)
        for key in early:
            event = live[key]
            meeting = [a for a in strong if a.start <= event.end and event.start <= a.end]
            assert any(other.start > event.raised for alert in meeting for other in alert.events)
        n_kept, n_early = n_kept + len(stored), n_early + len(early)
        n_dropped += len(events_of(finder.alerts[1])) - len(live)
    assert min(n_kept, n_early, n_dropped) > 30
