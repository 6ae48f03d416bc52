"""Alerts against what people saw: counting on paper, the curve over thresholds, and a tuning that is checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import face, make_run
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rule_text import rules_text
from fervid.alerts.language.rules import RuleSet, load_rules, parse_rules
from fervid.alerts.measure.evaluation_files import evaluation_content, write_evaluation, write_tuning
from fervid.alerts.measure.outcomes import (
    NOTHING,
    Outcome,
    Point,
    Span,
    best_recall,
    curve,
    evaluate_alerts,
    join,
    measure,
    score,
    variants,
)
from fervid.alerts.measure.search import choose, part, tune_rule
from fervid.alerts.measure.truth import TrueEvent, Truth, read_truth
from fervid.errors import ConfigError, InputError
from fervid.run.handle import Run

HOUR_OF_FRAMES = np.round(np.arange(0, 3600, 0.5), 1)
RULE = {"name": "r", "wording": "x", "score": "angry", "enter": 0.5, "for": 1, "keep_firing_for": 0, "merge_gap": 0}


def rules(*changed: dict[str, Any]) -> RuleSet:
    described = [RULE | {"name": f"r{i}"} | one for i, one in enumerate(changed or ({},))]
    return parse_rules({"rule": described}, source="test")


def spells(folder: Path, *peaks: tuple[float, float], name: str = "a.mp4") -> Run:
    """An hour in which a face looks angry for 4 s from each (seconds, score), and is there around it."""
    faces = []
    for number, (begin, angry) in enumerate(peaks):
        near = HOUR_OF_FRAMES[(begin - 5 <= HOUR_OF_FRAMES) & (begin + 9 >= HOUR_OF_FRAMES)]
        faces += [face(t, number, angry if begin <= t <= begin + 4 else 0.02) for t in near.tolist()]
    return make_run(folder, faces, HOUR_OF_FRAMES, video=f"/footage/cam1/{name}")


def truth_of(*events: Sequence[tuple[float, float]]) -> Truth:
    return Truth(tuple(tuple(TrueEvent(a, b, None) for a, b in one) for one in events), ())


@pytest.mark.parametrize(
    ("alerts", "events", "expected"),
    [
        ([], [], (0, 0, 0, 0, ())),
        ([], [(10, 20)], (1, 0, 0, 0, ())),
        ([(5, 6, 7)], [], (0, 0, 1, 1, ())),
        ([(12, 13, 15)], [(10, 20)], (1, 1, 1, 0, (3.0,))),
        ([(8, 9, 12)], [(10, 20)], (1, 1, 1, 0, (0.0,))),  # before the event: no delay, not a negative one
        ([(21, 22, 23)], [(10, 20)], (1, 1, 1, 0, (12.0,))),  # within a second of its end
        ([(21.1, 22, 23)], [(10, 20)], (1, 0, 1, 1, ())),
        ([(11, 12, 13), (15, 16, 17), (40, 41, 42)], [(10, 20), (60, 70)], (2, 1, 3, 1, (2.0,))),
        ([(5, 6, 80)], [(10, 20), (60, 70)], (2, 2, 1, 0, (0.0, 0.0))),
    ],
)
def test_alerts_are_counted_as_on_paper(
    alerts: list[tuple[float, float, float]], events: list[tuple[float, float]], expected: tuple[Any, ...]
) -> None:
    spans = [Span(*one) for one in alerts]
    found = score(spans, [TrueEvent(a, b, None) for a, b in events], hours=2.0)
    assert (found.n_events, found.n_found, found.n_alerts, found.n_false, found.delays) == expected
    assert found.false_per_hour == expected[3] / 2


def test_shares_of_nothing_are_missing_not_zero() -> None:
    assert (NOTHING.recall, NOTHING.precision, NOTHING.false_per_hour) == (None, None, None)
    quiet = Outcome(1.0, 0, 0, 0, 0, ())
    assert quiet.false_per_hour == 0
    assert quiet.false_per_hour_interval == pytest.approx((0, 3.689), abs=0.001)
    assert json.dumps(NOTHING.to_json())


def test_spans_that_overlap_count_once() -> None:
    assert join([]) == []
    assert join([Span(5, 6, 9), Span(0, 2, 3), Span(1, 1, 2), Span(9, 9, 11)]) == [Span(0, 1, 3), Span(5, 6, 11)]


def test_every_rule_is_measured_and_overlapping_alerts_of_two_count_once(tmp_path: Path) -> None:
    runs = [spells(tmp_path / "a", (100, 0.9), (2000, 0.6)), spells(tmp_path / "b", name="b.mp4")]
    both = rules({}, {"enter": 0.55}, {"tier": "notice", "enter": 0.01})
    evaluation = evaluate_alerts(runs, both, truth_of([(99, 105)], []))
    first, second, third = evaluation.by_rule.values()
    assert (first.n_found, first.n_alerts, first.n_false) == (second.n_found, second.n_alerts, second.n_false)
    assert (first.n_found, first.n_alerts, first.n_false, first.delays) == (1, 2, 1, (2.0,))
    assert (evaluation.alerts.n_alerts, evaluation.alerts.n_false) == (2, 1)
    assert evaluation.alerts.hours == pytest.approx(2, abs=0.001)
    assert third.n_alerts == 2


def test_all_variants_in_one_pass_find_what_each_finds_alone(tmp_path: Path) -> None:
    run = spells(tmp_path, *((100 * i, 0.1 + 0.04 * i) for i in range(1, 20)))
    tried = variants(rules().rules[0], waits=(0.5, 3, 5))
    together = measure([run], tried, rules(), truth_of([]))
    for rule, (outcome,) in zip(tried[::7], together[::7], strict=True):
        described = {"enter": rule.enter, "exit": rule.leave, "for": rule.for_}
        assert outcome.n_alerts == len(scan_run(run, rules(described)).records)
    assert len({outcome.n_alerts for (outcome,) in together}) > 10


def test_the_curve_falls_with_the_threshold_and_names_the_recall_at_a_rate(tmp_path: Path) -> None:
    run = spells(tmp_path, (100, 0.9), (1000, 0.7), (2000, 0.5), (3000, 0.3))
    points = curve([run], rules().rules[0], rules(), truth_of([(99, 105), (1999, 2005)]))
    found = [(p.rule.enter, p.outcome.n_found, p.outcome.n_false) for p in points]
    assert [row[1:] for row in found if row[0] in (0.05, 0.31, 0.51, 0.71, 0.91)] == [
        (2, 2), (2, 1), (1, 1), (1, 0), (0, 0),
    ]  # fmt: skip
    at = {rate: best_recall(points, at_false_per_hour=rate) for rate in (0.5, 1.1, 5)}
    assert [(p.outcome.n_found, p.rule.enter) for p in at.values() if p] == [(1, 0.89), (2, 0.49), (2, 0.49)]
    assert best_recall([], at_false_per_hour=1) is None


def test_a_score_that_counts_is_tried_around_its_own_threshold() -> None:
    group = rules({"over": "group", "score": "count(angry > 0.4)", "enter": 2, "exit": 1}).rules[0]
    tried = variants(group)
    assert [one.enter for one in tried][:4] == [0.5, 1.0, 1.5, 2.0]
    assert all(one.leave == one.enter / 2 for one in tried)


def point(enter: float, found: int, false: int, *, wait: float = 1.0, events: int = 4) -> Point:
    rule = rules({"enter": enter, "for": wait}).rules[0]
    return Point(rule, Outcome(10.0, events, found, found + false, false, (0.0,) * found))


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([point(0.3, 4, 20), point(0.5, 3, 4), point(0.7, 1, 0)], (0.5, 1.0, True)),
        ([point(0.3, 4, 20), point(0.5, 3, 9)], (0.5, 1.0, False)),  # none meets it: the one with the fewest
        ([point(0.3, 3, 5), point(0.5, 3, 2), point(0.6, 3, 2), point(0.7, 3, 2)], (0.6, 1.0, True)),  # the middle
        ([point(0.5, 3, 0, wait=3.0), point(0.6, 3, 0, wait=1.5)], (0.6, 1.5, True)),  # the nearest duration
        ([point(0.3, 0, 9, events=0), point(0.5, 0, 3, events=0), point(0.7, 0, 0, events=0)], (0.5, 1.0, True)),
    ],
)
def test_the_best_variant_within_the_target_is_taken(points: list[Point], expected: tuple[float, float, bool]) -> None:
    chosen, meets = choose(points, target_per_hour=0.5, wait=1.0)
    assert (chosen.rule.enter, chosen.rule.for_, meets) == expected


def test_halves_share_events_and_hours_and_stay_the_same() -> None:
    def of(hours: float, n_events: int) -> Outcome:
        return Outcome(hours, n_events, 0, 0, 0, ())

    outcomes = [of(1, 0), of(1, 3), of(1, 3), of(4, 0), of(3, 0), of(0, 0)]
    ids = list("abcdef")
    first, second = part(ids, outcomes)
    assert sorted(first + second) == [0, 1, 2, 3, 4, 5]
    assert {1 in first, 2 in first} == {True, False}
    assert abs(sum(outcomes[i].hours for i in first) - sum(outcomes[i].hours for i in second)) <= 1
    assert part(ids, outcomes) == (first, second)


def test_a_rule_is_tuned_on_one_half_and_checked_on_the_other(tmp_path: Path) -> None:
    """True events look angrier than false ones (0.66 to 0.9 against 0.3 to 0.5), the rule in use lets all through."""
    rng = np.random.default_rng(5)
    runs, events = [], []
    for i in range(6):
        real = [(200.0 + 100 * k, float(rng.uniform(0.66, 0.9))) for k in range(3)]
        false = [(1500.0 + 100 * k, float(rng.uniform(0.3, 0.5))) for k in range(5)]
        runs.append(spells(tmp_path / str(i), *real, *false, name=f"{i}.mp4"))
        events.append([(begin, begin + 4) for begin, _ in real])
    loose = rules({"enter": 0.25, "for": 0.6})
    tuning = tune_rule(runs, loose, truth_of(*events), target_per_hour=0.5)
    assert 0.5 <= tuning.after.enter <= 0.67
    assert tuning.meets_target
    assert len(tuning.tuned_on) == len(tuning.checked_on) == 3
    assert not set(tuning.tuned_on) & set(tuning.checked_on)
    before, after = tuning.outcomes["before_checking"], tuning.outcomes["after_checking"]
    assert (before.n_found, before.n_false) == (9, 15)
    assert (after.n_found, after.n_false) == (9, 0)

    written = write_tuning(tuning, loose, tmp_path / "out")
    assert {path.name for path in written} == {"tuned.toml", "metrics.json", "curve.csv", "curve.png"}
    (tuned,) = load_rules(str(tmp_path / "out" / "tuned.toml")).rules
    assert (tuned.enter, tuned.for_) == (pytest.approx(tuning.after.enter), tuning.after.for_)
    assert len(scan_run(runs[0], load_rules(str(tmp_path / "out" / "tuned.toml"))).records) == 3
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["hours_to_show_target"] == pytest.approx(7.38, abs=0.01)
    with (tmp_path / "out" / "curve.csv").open() as file:
        assert {row["footage"] for row in csv.DictReader(file)} == {"tuning", "checking"}


def test_tuning_needs_two_videos_and_a_target_above_nothing(tmp_path: Path) -> None:
    runs = [spells(tmp_path)]
    for target, message in ((0.5, "needs two videos"), (0.0, "cannot be met")):
        with pytest.raises(ConfigError, match=message):
            tune_rule(runs, rules(), truth_of([]), target_per_hour=target)
    with pytest.raises(ConfigError, match=r"rule nothing does not exist in test .rules: r0"):
        evaluate_alerts(runs, rules(), truth_of([]), rule_name="nothing")


def test_an_evaluation_without_any_event_is_written(tmp_path: Path) -> None:
    evaluation = evaluate_alerts([spells(tmp_path / "run")], rules(), truth_of([]))
    written = write_evaluation(evaluation, tmp_path / "out")
    assert all(path.stat().st_size for path in written)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == evaluation_content(evaluation)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("video,start,end\n", []),
        ("video,start,end\na.mp4,00:00:10,12.5s\n", [(10, 12.5, None)]),
        ("file,emotion,note\ncam1/a.mp4,Angry,x\n", [(0, 3600, "angry")]),
        ("video, start, end, emotion\nv,5,6,none\nrun,7,8,\n", [(7, 8, None)]),
        ("video,start,end\na.mp4,9,10\na.mp4,1,2\nother.mp4,1,2\n", [(1, 2, None), (9, 10, None)]),
    ],
)
def test_the_truth_is_read(tmp_path: Path, text: str, expected: list[Any]) -> None:
    run = spells(tmp_path / "run")
    (tmp_path / "truth.csv").write_text(text)
    truth = read_truth(tmp_path / "truth.csv", [run])
    assert [(event.start, event.end, event.emotion) for event in truth.events[0]] == expected
    assert truth.unmatched == (("other.mp4",) if "other" in text else ())


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", ConfigError, "has no column 'video'"),
        ("name\na.mp4\n", ConfigError, r"has no column 'video' .columns: name."),
        ("video,start,end\n,1,2\n", ConfigError, "line 2: the name of the video is missing"),
        ("video,start,end\na.mp4,1,\n", ConfigError, "start and end go together"),
        ("video,start,end\na.mp4,5,2\n", ConfigError, "ends .2. before it starts .5."),
        ("video,start,end\na.mp4,soon,2\n", ConfigError, "line 2: time 'soon' is not valid"),
        ("video,start,end\nb.mp4,1,2\n", InputError, "none of its videos"),
    ],
)
def test_a_file_that_is_no_truth_is_refused(tmp_path: Path, text: str, kind: type[Exception], message: str) -> None:
    run = spells(tmp_path / "run")
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(kind, match=message):
        read_truth(tmp_path / "truth.csv", [run])


def test_a_name_that_fits_several_runs_is_refused_and_a_longer_one_is_not(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / str(i), [], HOUR_OF_FRAMES[:9], video=f"/f/cam{i}/a.mp4").folder for i in range(2)]
    opened = [spells(folder) for folder in runs]
    (tmp_path / "truth.csv").write_text("video,start,end\na.mp4,1,2\n")
    with pytest.raises(InputError, match="matches 2 runs"):
        read_truth(tmp_path / "truth.csv", opened)
    (tmp_path / "truth.csv").write_text("video,start,end\n1,1,2\n")
    assert [len(events) for events in read_truth(tmp_path / "truth.csv", opened).events] == [0, 1]


def test_only_events_that_look_like_what_a_rule_looks_for_count(tmp_path: Path) -> None:
    runs = [spells(tmp_path, (100, 0.9))]
    truth = Truth(((TrueEvent(100, 104, "happy"), TrueEvent(500, 505, "angry")),), ())
    evaluation = evaluate_alerts(runs, rules(), truth)
    assert (evaluation.alerts.n_events, evaluation.alerts.n_found, evaluation.alerts.n_false) == (1, 0, 1)


@pytest.mark.parametrize("name", ["anger", "anger-person", "cctv", "distress", "template"])
def test_rules_written_are_the_rules_that_were_read(tmp_path: Path, name: str) -> None:
    before = load_rules(name)
    (tmp_path / "again.toml").write_text(rules_text(before.rules, before.zones, comment="two\nlines"))
    after = load_rules(str(tmp_path / "again.toml"))
    assert (after.rules, after.zones) == (before.rules, before.zones)
