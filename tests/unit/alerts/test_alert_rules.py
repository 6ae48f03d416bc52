"""Rule files: what they mean, what they refuse, and that those that come with fervid load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.alerts.find.clock import parse_start_time, seconds_of_day
from fervid.alerts.find.zones import is_inside
from fervid.alerts.language.rules import bind, load_rules, parse_rules, rule_preset_names
from fervid.errors import ConfigError
from fervid.run.recorded import start_time_in_name

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PLAIN = {"name": "r", "wording": "w", "score": "angry", "enter": 0.5}
ZONE = {"name": "z", "polygon": [[0, 0], [1, 0], [1, 1]]}


@pytest.mark.parametrize("name", rule_preset_names())
def test_every_preset_loads_and_fits_the_labels(name: str) -> None:
    rules = load_rules(name)
    assert len(bind(rules, LABELS)) == len(rules.rules) >= 1
    assert all(len(rule.wording) > 5 for rule in rules.rules)


def test_the_presets_are_those_that_are_described() -> None:
    assert rule_preset_names() == ["anger", "anger-person", "cctv", "distress", "template"]


def test_durations_are_seconds_or_text() -> None:
    described = PLAIN | {"for": "1.5s", "merge_gap": 2, "cooldown": "00:01:00", "hours": ["22:00-06:30"]}
    (rule,) = parse_rules({"rule": [described]}, source="f").rules
    assert (rule.for_, rule.merge_gap, rule.cooldown, rule.hours) == (1.5, 2, 60, ((79_200, 23_400),))
    assert rule.leave == 0.5


def rule(**other: Any) -> dict[str, Any]:
    return {"rule": [PLAIN | other]}


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({}, "f: key 'rule' is missing"),
        ({"rule": []}, "f: rule = [] is not valid"),
        ({"rules": [PLAIN]}, "key 'rule' is missing"),
        (rule(entr=1), "f: rule 'r': key 'entr' does not exist. Did you mean 'enter'?"),
        (rule(enter="high"), "f: rule 'r': enter = 'high' is not valid"),
        (rule(exit=0.6), "f: rule 'r': exit (0.6) is above enter (0.5)."),
        (rule(**{"for": "soon"}), "time 'soon' is not valid"),
        (rule(**{"for": -1}), "for = -1 is not valid"),
        (rule(tier="alarm"), "tier = 'alarm' is not valid"),
        (rule(name="Big Rule"), "name = 'Big Rule' is not valid"),
        (rule(hours=["25:00-26:00"]), "hours"),
        (rule(hours=["08:00-08:00"]), "two different times of day"),
        (rule(yields_to=["r"]), "rule 'r' yields to 'r', which is not another rule in this file"),
        (rule(yields_to=["other"]), "yields to 'other', which is not another rule"),
        (rule(zones=["till"]), "uses zone 'till', which is not defined (zones: none)"),
        ({"rule": [PLAIN, PLAIN]}, "rule 'r' is defined twice"),
        (rule() | {"zone": [ZONE, ZONE]}, "zone 'z' is defined twice"),
        (rule() | {"zone": [ZONE | {"polygon": [[0, 0], [1, 0], [2, 1]]}]}, "zone 'z': polygon"),
        (rule() | {"zone": [ZONE | {"polygon": [[0, 0], [1, 0]]}]}, "zone 'z': polygon"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_the_place(described: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as problem:
        parse_rules(described, source="f")
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[rule", "is not valid TOML"),
        ('[[rule]]\nname = "a"\nwording = "w"\nscore = "anger"\nenter = 1', "the name 'anger' does not exist"),
        ('[[rule]]\nname = "a"\nwording = "w"\nscore = "count(angry > 1)"\nenter = 1', 'over = "group"'),
    ],
)
def test_a_file_with_a_wrong_expression_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")) as problem:
        bind(load_rules(str(path)), LABELS)
    assert str(path) in str(problem.value)


def test_what_is_no_preset_and_no_file_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="'angr' do not exist. Use anger, anger-person, cctv, distress, template"):
        load_rules("angr")
    with pytest.raises(ConfigError, match="nothing.toml does not exist"):
        load_rules("nothing.toml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cam2_20261120_220000.mp4", "2026-11-20T22:00:00"),
        ("cam2-2026-11-20T22-30-05.mkv", "2026-11-20T22:30:05"),
        ("NVR_ch1_main_20261120223005.avi", "2026-11-20T22:30:05"),
        ("2026-11-20 22.30.mp4", "2026-11-20T22:30:00"),
        ("20261120_220000-20261120_230000.mp4", "2026-11-20T22:00:00"),  # two times
        ("20261131_220000.mp4", None),  # no such day
        ("120261120_220000.mp4", None),
        ("holiday.mp4", None),
        ("20261120.mp4", None),
    ],
)
def test_the_time_of_recording_in_a_name(name: str, expected: str | None) -> None:
    found = start_time_in_name(name)
    assert (found and found.isoformat()) == expected


def test_the_time_of_recording_as_given() -> None:
    moment = parse_start_time("2026-11-20 22:00")
    assert seconds_of_day(moment) == 22 * 3600
    with pytest.raises(ConfigError, match="start time 'yesterday' is not valid"):
        parse_start_time("yesterday")


def test_points_in_a_concave_polygon() -> None:
    corner = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.3), (0.3, 0.3), (0.3, 0.9), (0.1, 0.9)]
    points = np.array([[0.2, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.8], [0.5, 0.5], [0.0, 0.2], [0.2, 1.0]])
    assert is_inside(points, corner).tolist() == [True, True, True, False, False, False, False]
    assert is_inside(np.zeros((0, 2)), corner).tolist() == []


def test_zones_that_share_an_edge_share_no_point() -> None:
    left, right = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)], [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]
    points = np.array([[0.5, 0.3], [0.5, 0.0], [0.2, 0.2], [0.7, 0.9]])
    inside = is_inside(points, left).astype(int) + is_inside(points, right).astype(int)
    assert inside.tolist() == [1, 1, 1, 1]
