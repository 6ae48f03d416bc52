"""What a page from disk has along about other thresholds is what a server would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from alert_runs import face, make_run
from fervid.review.run_rules import RuleDesk


@pytest.fixture
def desk() -> RuleDesk:
    return RuleDesk(None)


def test_each_trial_says_what_the_server_says_at_that_threshold(tmp_path: Path, desk: RuleDesk) -> None:
    angry = [0.9 if 2 <= i / 5 < 6 else 0.55 if 10 <= i / 5 < 14 else 0.1 for i in range(100)]
    run = make_run(tmp_path, [face(i / 5, 0, value) for i, value in enumerate(angry)], [i / 5 for i in range(100)])
    content = desk.for_disk(run)
    assert content is not None
    changes = 0
    for rule in content["rules"]:
        trials = rule["trials"]
        assert rule["enter"] in trials["enter"]
        for i, enter in enumerate(trials["enter"]):
            asked = desk.what_if(run, rule["name"], enter)
            assert trials["rule"][i] == asked["after"]["rule"]
            assert trials["changed"][i] == asked["changed"]
            assert [trials["before"][place] for place in trials["removed"][i]] == asked["removed"]
            added = [(content["rules"][place]["name"], start, end) for place, start, end, _ in trials["added"][i]]
            assert added == [(one["rule"], round(one["start_s"], 2), round(one["end_s"], 2)) for one in asked["added"]]
            changes += len(asked["removed"]) + len(added)
    assert changes, "some threshold makes a difference"


def test_a_long_run_gets_fewer_thresholds_and_still_its_own() -> None:
    from fervid.review.run_rules import _thresholds

    short, long = _thresholds(0.55, 100), _thresholds(0.55, 100_000)
    assert len(long) < 12 < len(short)
    assert 0.55 in short
    assert 0.55 in long
    assert all(0 < value <= 1 for value in short + long)
