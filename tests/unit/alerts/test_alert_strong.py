"""Events that are short and strong, or long and moderate: `strong` and `strong_for` of a rule."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import HEIGHT, LABELS, WIDTH, face, make_run
from fervid.alerts.find.explain import explain
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rule_text import rules_text
from fervid.alerts.language.rules import Rule, RuleSet, load_rules, parse_rules
from fervid.errors import ConfigError
from fervid.interpret.agitation import N_CELLS, FrameMotion
from fervid.live.alarms import LiveRules

TIMES = np.round(np.arange(0, 20, 0.2), 6)
RULE = {
    "name": "m", "wording": "w", "over": "group", "score": "agitation", "enter": 0.6, "exit": 0.4, "for": 1.6,
    "strong": 0.9, "strong_for": 0.4, "keep_firing_for": 1,
}  # fmt: skip


def rules(**changed: Any) -> RuleSet:
    return parse_rules({"rule": [RULE | changed]}, source="test")


def values(*spans: tuple[float, float, float]) -> np.ndarray:
    found = np.full(len(TIMES), 0.1)
    for begin, end, level in spans:
        found[(begin - 1e-6 <= TIMES) & (end + 1e-6 >= TIMES)] = level
    return found


def raised(
    tmp_path: Path, agitation: np.ndarray, rule_set: RuleSet, **options: Any
) -> list[tuple[float, float, float]]:
    run = make_run(tmp_path, [], TIMES, motion={"agitation": agitation.tolist()})
    return [(one.start_s, one.raised_s, one.end_s) for one in scan_run(run, rule_set, **options).records]


@pytest.mark.parametrize("rows_at_a_time", [1, 10_000])
@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        ([(5, 8, 0.7)], [(5, 6.6, 8)]),  # long and moderate
        ([(5, 5.4, 0.95)], [(5, 5.4, 5.4)]),  # short and strong
        ([(5, 6, 0.7)], []),  # neither
        ([(5, 5.2, 0.95)], []),
        ([(5, 5.8, 0.7), (6, 6.4, 0.95), (6.6, 9, 0.5)], [(5, 6.4, 9)]),  # raised early, begins at its first crossing
        ([(5, 6.2, 0.7), (6.4, 8, 0.95)], [(5, 6.6, 8)]),  # whatever comes first
        ([(5, 5.2, 0.95), (5.4, 5.8, 0.7), (6, 6.2, 0.95)], []),  # strong twice, each too short
    ],
)
def test_an_event_is_long_or_strong(
    tmp_path: Path,
    spans: list[tuple[float, float, float]],
    wanted: list[tuple[float, float, float]],
    rows_at_a_time: int,
) -> None:
    assert raised(tmp_path, values(*spans), rules(), rows_at_a_time=rows_at_a_time) == wanted


def test_a_gap_ends_what_was_strong(tmp_path: Path) -> None:
    agitation, times = values((5, 8, 0.95)), np.concatenate([TIMES[:27], TIMES[27:] + 5])  # 5.2 s, then 10.4 s
    agitation[28:] = 0.1
    run = make_run(tmp_path, [], times, motion={"agitation": agitation.tolist()})
    assert scan_run(run, rules(strong_for=1, **{"for": 3})).records == ()


def test_faces_have_it_too(tmp_path: Path) -> None:
    faces = [face(t, 0, 0.95 if 5 <= t <= 5.5 else 0.1) for t in TIMES.tolist()]
    run = make_run(tmp_path, faces, TIMES)
    assert [one.raised_s for one in scan_run(run, rules(over="face", score="angry")).records] == [5.4]
    assert scan_run(run, rules(over="face", score="angry", strong=None)).records == ()


def test_live_raises_it_at_the_same_moment(tmp_path: Path) -> None:
    agitation = values((5, 5.4, 0.95), (10, 13, 0.7))
    stored = raised(tmp_path, agitation, rules(merge_gap=0))
    live = LiveRules(rules(merge_gap=0), LABELS, began=datetime(2026, 11, 30))
    grid = np.zeros(N_CELLS, np.float32)
    found = [
        alert.raised_s
        for t, value in zip(TIMES.tolist(), agitation.tolist(), strict=True)
        for alert in live.feed(t, [], WIDTH, HEIGHT, motion=FrameMotion(value, False, 0.0, grid))
    ]
    assert found == [5.4, 11.6] == [one[1] for one in stored]


def test_explain_says_what_would_be_enough(tmp_path: Path) -> None:
    run = make_run(tmp_path, [], TIMES, motion={"agitation": values((5, 6, 0.7), (10, 10.4, 0.95)).tolist()})
    assert "it lasted 1.0 s, 1.6 s are required, or 0.4 s at 0.9 or above" in explain(run, rules(), 5.4)
    strong = explain(run, rules(), 10.2)
    assert "fired" in strong
    assert "are required" not in strong


def test_strong_is_not_below_enter() -> None:
    with pytest.raises(ConfigError, match=r"strong \(0.5\) is below enter \(0.6\)"):
        rules(strong=0.5)
    assert rules().rules[0].at(0.95).strong == 0.95
    assert rules().rules[0].at(0.3).strong == 0.9


def test_it_is_written_and_read_again() -> None:
    text = rules_text(rules().rules, ())
    assert 'strong_for = "0.4s"' in text
    assert "strong = 0.9\n" in text
    assert "strong" not in rules_text(rules(strong=None, strong_for=0).rules, ())


def test_the_shipped_notice_has_it() -> None:
    notice: Rule = next(rule for rule in load_rules("cctv").rules if rule.name == "agitated-motion")
    assert (notice.strong, notice.strong_for) == (0.95, 0.2)
