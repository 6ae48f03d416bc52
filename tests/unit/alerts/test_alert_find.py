"""When events begin and end: worked out on paper, at several frame rates, in pieces, and against brute force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from alert_samples import LABELS, SECONDS, cut, random_case, rules, samples, scores, spans, walk
from fervid.alerts.find.finder import Finder, Samples
from fervid.alerts.find.machine import Alert
from fervid.alerts.language.rules import RuleSet, bind


def find(
    rule_set: RuleSet, whole: Samples, *, pieces: Sequence[int] = (), clock: float | None = None, spacing: float = 0.2
) -> list[list[Alert]]:
    finder = Finder(bind(rule_set, LABELS), rule_set.zones, spacing_seconds=spacing, clock_seconds=clock)
    edges = [0, *pieces, len(whole.times)]
    for begin, end in pairwise(edges):
        finder.feed(cut(whole, begin, end))
    return finder.alerts


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ({}, "", []),
        ({}, "..##.#", [(2, 3), (5, 5)]),
        ({"for": 2}, "..##..###.", [(6, 8)]),  # two samples a second apart span one second, three span two
        ({"exit": 0.4}, "++#++.+", [(2, 4)]),  # it begins at enter, and continues while it is at or above exit
        ({"exit": 0.4, "for": 2}, "#+###", [(2, 4)]),  # what waits starts anew below enter
        ({"keep_firing_for": 2}, "#.#..#...#", [(0, 2), (5, 5), (9, 9)]),
        ({"keep_firing_for": 3}, "#.#..#...#", [(0, 5), (9, 9)]),
        ({"merge_gap": 3}, "#..#....#", [(0, 3), (8, 8)]),
        ({"cooldown": 6}, "##..#....##", [(0, 1), (9, 10)]),  # the one at 4 s is held back
        ({"max_gap": 1.5}, "## ##", [(0, 1), (3, 4)]),  # unseen for 2 s
        ({"max_gap": 2}, "## ##", [(0, 4)]),
        ({"max_gap": 2, "for": 4}, "## ##", [(0, 4)]),
        ({"max_gap": 1.5, "for": 3}, "## ##", []),
        ({"max_gap": 1.5, "keep_firing_for": 2}, "## ##", [(0, 4)]),
        ({"where": "happy > 0.5"}, "##", []),
        ({"score": "happy", "enter": 0.5}, "#.#", [(1, 1), (3, 19)]),
    ],
)
def test_events_worked_out_on_paper(rule: dict[str, Any], text: str, expected: list[tuple[float, float]]) -> None:
    found = find(rules({"max_gap": 1} | rule), samples(SECONDS, {0: scores(text)}), spacing=0.5)[0]
    assert spans(found) == expected


def test_an_event_is_raised_when_it_has_lasted_long_enough() -> None:
    found = find(rules({"for": 2}), samples(SECONDS, {0: scores("..####")}))[0]
    assert [(alert.start, alert.raised, alert.end) for alert in found] == [(2, 4, 5)]


def test_what_the_cooldown_holds_back_is_kept_with_the_alert_before() -> None:
    (alert,) = find(rules({"cooldown": 20}), samples(SECONDS, {0: scores("##..##..#")}))[0]
    assert [(event.start, event.end) for event in alert.held_back] == [(4, 5), (8, 8)]


def test_tracks_are_judged_by_themselves_and_gathered_into_one_alert() -> None:
    whole = samples(SECONDS, {0: scores("..##"), 1: scores("....##"), 2: scores(".#.#.#")})
    alternating = find(rules({"for": 1, "merge_gap": 1}), whole)[0]
    assert spans(alternating) == [(2, 5)]
    assert sorted(event.track_id for event in alternating[0].events) == [0, 1]


def test_the_peak_is_the_first_of_the_largest_scores() -> None:
    values = np.full(20, np.nan)
    values[2:7] = [0.6, 0.8, 0.95, 0.95, 0.7]
    (alert,) = find(rules({}), samples(SECONDS, {3: np.zeros(20), 4: values}))[0]
    assert (alert.peak.track_id, alert.peak.peak_time) == (4, 4)
    assert alert.peak.peak == pytest.approx(0.95)
    assert alert.peak.peak_row == 4 + 2 + 1  # faces of frame 0 to 3, then track 4 in frame 4 after track 3


def test_a_face_below_the_gate_raises_nothing_and_breaks_what_waits() -> None:
    usable = np.ones(20, bool)
    usable[3] = False
    whole = samples(SECONDS, {0: scores("#######")}, usable={0: usable})
    assert spans(find(rules({"for": 2}), whole)[0]) == [(0, 2), (4, 6)]
    assert find(rules({}), samples(SECONDS, {0: scores("####")}, usable={0: np.zeros(20, bool)}))[0] == []


def test_zones_include_exclude_and_wait() -> None:
    x = np.concatenate([np.full(5, 0.2), np.full(10, 0.7), np.full(5, 0.95)])
    centres = {0: np.stack([x, np.full(20, 0.5)], axis=1)}
    whole = samples(SECONDS, {0: np.full(20, 0.9)}, centres=centres)
    right = {"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
    edge = {"name": "edge", "polygon": [[0.9, 0], [1, 0], [1, 1], [0.9, 1]]}
    described = [
        {"zones": ["right"], "zone_inertia": 0},
        {"zones": ["right"], "zone_inertia": 3},
        {"zones": ["right"], "exclude_zones": ["edge"], "zone_inertia": 0},
        {"exclude_zones": ["right"]},
    ]
    found = find(rules(*described, zones=[right, edge]), whole)
    assert [spans(alerts) for alerts in found] == [[(5, 19)], [(8, 19)], [(5, 14)], [(0, 4)]]


@pytest.mark.parametrize(
    ("hours", "clock", "expected"),
    [
        (["22:00-06:00"], 21 * 3600 + 3590, [(10, 19)]),
        (["22:00-06:00"], 6 * 3600 - 10, [(0, 9)]),
        (["22:00-06:00"], 86_390, [(0, 19)]),  # past midnight
        (["08:00-09:00", "00:00-01:00"], 86_390, [(10, 19)]),
        (["08:00-09:00"], None, []),
    ],
)
def test_hours(hours: list[str], clock: float | None, expected: list[tuple[float, float]]) -> None:
    assert spans(find(rules({"hours": hours}), samples(SECONDS, {0: np.full(20, 0.9)}), clock=clock)[0]) == expected


def test_group_rules_see_all_faces_of_a_frame() -> None:
    whole = samples(SECONDS, {0: scores("..####"), 1: scores("...##"), 2: scores("    ####..")})
    described = [
        {"over": "group", "score": "count(angry >= 0.5)", "enter": 2, "for": 1},
        {"over": "group", "score": "share(angry >= 0.5)", "enter": 0.9},
        {"over": "group", "score": "n_faces", "enter": 3},
        {"over": "group", "score": "highest(angry)", "enter": 0.5, "where": "n_faces >= 3"},
    ]
    found = find(rules(*described), whole)
    assert [spans(alerts) for alerts in found] == [[(3, 5)], [(3, 4)], [(4, 19)], [(4, 7)]]


def test_names_of_a_track_grow_with_it() -> None:
    whole = samples(SECONDS, {0: scores("    ######")})
    described = [{"where": "track_seconds >= 3"}, {"where": "track_faces >= 3"}]
    for pieces in ((), (5, 6, 7)):
        found = find(rules(*described), whole, pieces=pieces)
        assert [spans(alerts) for alerts in found] == [[(7, 9)], [(6, 9)]]


def test_events_do_not_hang_on_the_frame_rate() -> None:
    """The same signal at 10, 25 and 60 frames a second gives the same events within one sample of the coarsest.

    Where a sample of 10 a second may miss what decides (a stretch within a sample of `for`, a dip within a sample of
    `keep_firing_for`, a touch of a threshold) no rate is more right than another. Such signals are left out: those in
    which durations a sample or two longer and shorter, or thresholds a bit apart, change the events at 60 a second.
    """
    coarse = 0.1
    described = {"exit": 0.35, "for": 1.0, "keep_firing_for": 1.0, "merge_gap": 2.0}
    nearby = [{"for": 0.85}, {"for": 1.15}, {"keep_firing_for": 0.75}, {"keep_firing_for": 1.25}, {"merge_gap": 1.75}]
    nearby += [{"merge_gap": 2.25}, {"enter": 0.49}, {"enter": 0.51}, {"exit": 0.34}, {"exit": 0.36}]
    compared = n_events = 0
    for seed in range(80):

        def events(rate: float, seed: int = seed, **change: float) -> np.ndarray:
            times = np.arange(0, 40, 1 / rate)
            score = walk(np.random.default_rng(seed), times)
            n = len(times)
            whole = Samples(
                times, np.arange(n), np.zeros(n, int), {"angry": score}, np.ones(n, bool), np.full((n, 2), 0.5)
            )
            return np.array(spans(find(rules(described | change), whole, spacing=1 / rate)[0])).reshape(-1, 2)

        finest = events(60)
        if any(not is_close(events(60, **change), finest, 2 * coarse) for change in nearby):
            continue
        compared += 1
        n_events += len(finest)
        for rate in (10, 25):
            assert is_close(events(rate), finest, coarse + 1e-9), (seed, rate)
    assert compared > 12
    assert n_events > 30


def is_close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    return a.shape == b.shape and bool((np.abs(a - b) <= tolerance).all())


def essence(found: list[list[Alert]]) -> list[Any]:
    return [
        [(alert.start, alert.raised, alert.end, sorted(map(repr, alert.events)), sorted(map(repr, alert.held_back)))
         for alert in alerts]
        for alerts in found
    ]  # fmt: skip


def test_pieces_and_single_frames_give_what_the_whole_gives() -> None:
    """The form that a live view steps, frame by frame, and the form of a stored run are one."""
    rng = np.random.default_rng(11)
    n_alerts = 0
    for _ in range(40):
        rule_set, whole = random_case(rng)
        expected = essence(find(rule_set, whole))
        n_alerts += sum(map(len, expected))
        assert essence(find(rule_set, whole, pieces=range(1, len(whole.times)))) == expected
        cuts = np.sort(rng.integers(0, len(whole.times) + 1, 3)).tolist()
        assert essence(find(rule_set, whole, pieces=cuts)) == expected
    assert n_alerts > 80


def test_a_live_view_hears_of_an_alert_at_the_frame_that_raises_it() -> None:
    rng = np.random.default_rng(12)
    for _ in range(25):
        rule_set, whole = random_case(rng)
        finder = Finder(bind(rule_set, LABELS), rule_set.zones, spacing_seconds=0.2)
        heard = [
            (float(whole.times[f]), bound.rule.name)
            for f in range(len(whole.times))
            for bound, _ in finder.feed_live(cut(whole, f, f + 1))
        ]
        wanted = [
            (alert.raised, bound.rule.name)
            for bound, alerts in zip(bind(rule_set, LABELS), finder.alerts, strict=True)
            for alert in alerts
        ]
        assert sorted(heard) == sorted(wanted)


def test_alerts_never_overlap_and_their_events_satisfy_the_rule_sample_by_sample() -> None:
    rng = np.random.default_rng(13)
    n_events = 0
    for _ in range(100):
        rule_set, whole = random_case(rng)
        for rule, alerts in zip(rule_set.rules[:1], find(rule_set, whole)[:1], strict=True):
            max_gap = max(rule.max_gap, 0.3)
            for earlier, later in pairwise(alerts):
                assert later.start - earlier.end > rule.joins_within(max_gap)
                assert later.start - earlier.end >= rule.cooldown
            for event in (event for alert in alerts for event in (*alert.events, *alert.held_back)):
                n_events += 1
                brute_force(rule, whole, event.track_id, event.start, event.raised, event.end, max_gap)
    assert n_events > 150


def brute_force(rule: Any, whole: Samples, track: int, start: float, raised: float, end: float, max_gap: float) -> None:
    own = whole.track_ids == track
    times, score = whole.times[whole.frame_of_face[own]], whole.columns["angry"][own]
    good = whole.is_usable[own]
    within = (times >= start) & (times <= end)
    assert times[within][0] == start
    assert times[within][-1] == end
    waiting = (times >= start) & (times <= raised)
    assert (score[waiting] >= rule.enter).all()
    assert good[waiting].all()
    assert (np.diff(times[waiting]) <= max_gap).all()
    assert raised >= start + rule.for_
    held = within & good & (score >= rule.leave)
    assert held[times == start].all()
    assert held[times == end].all()
    # Between two held samples lie at most `max_gap` with nothing in between, or a dip that the rule bridges.
    positions = np.flatnonzero(held)
    for a, b in pairwise(positions):
        gap = times[b] - times[a]
        assert gap <= rule.keep_firing_for or (b == a + 1 and gap <= max_gap)


@pytest.mark.parametrize("n", [0, 3])
def test_frames_without_faces_are_fine(n: int) -> None:
    described = [{}, {"over": "group", "score": "count(angry > 0)", "enter": 1}, {"zones": ["z"]}]
    zone = {"name": "z", "polygon": [[0, 0], [1, 0], [1, 1]]}
    assert find(rules(*described, zones=[zone]), samples(np.arange(float(n)), {})) == [[], [], []]
