"""Rules over the motion of the image: with faces, by zone, without the columns, live as stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import HEIGHT, LABELS, WIDTH, face, make_run
from fervid.alerts.find.explain import Trial, compare, explain
from fervid.alerts.find.samples import read_faces_between
from fervid.alerts.find.scan import scan_run
from fervid.alerts.find.stored_motion import StoredMotion, has_motion
from fervid.alerts.find.zone_motion import ZoneMotion, cells_within
from fervid.alerts.language.rules import RuleSet, default_rules, load_rules, parse_rules, with_threshold
from fervid.alerts.measure.search import tune_rule
from fervid.alerts.measure.truth import TrueEvent, Truth
from fervid.alerts.review.strip import draw_strip
from fervid.base.opencv import cv2
from fervid.cli.found_alerts import describe_alerts
from fervid.errors import ConfigError
from fervid.interpret.agitation import N_CELLS, FrameMotion
from fervid.live.alarms import LiveRules
from fervid.observe.flow_values import GRID
from fervid.run.handle import Run

TIMES = np.round(np.arange(0, 60, 0.2), 6)
WHOLE = {"name": "m", "wording": "agitated motion", "over": "group", "score": "agitation", "enter": 0.8, "for": 1}
LEFT = {"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
CCTV = load_rules("cctv")


def rules(*described: dict[str, Any]) -> RuleSet:
    return parse_rules({"rule": [WHOLE | one for one in described], "zone": [LEFT]}, source="test")


def moving(*spans: tuple[float, float], level: float = 0.95, column: int = 0) -> dict[str, Any]:
    """The columns of motion of a run that is agitated in some spans, in one column of the grid."""
    is_agitated = np.any([(t <= TIMES) & (until >= TIMES) for t, until in spans], axis=0)
    grid = np.full((len(TIMES), GRID[1], GRID[0]), 0.001, np.float32)
    grid[is_agitated, :, column] = 0.3
    return {
        "agitation": np.where(is_agitated, level, 0.1).tolist(),
        "agitation_usual": np.where(is_agitated, 0.99, 0.4).tolist(),
        "speed": grid.mean(axis=(1, 2)).tolist(),
        "camera_moves": [False] * len(TIMES),
        "speed_grid": [row.ravel().tolist() if i % 2 else None for i, row in enumerate(grid)],
    }


def spans_of(run: Run, rule_set: RuleSet, **options: Any) -> list[tuple[str, str, float, float]]:
    return [(r.rule, r.tier, r.start_s, r.end_s) for r in scan_run(run, rule_set, **options).records]


def test_motion_raises_a_notice_without_a_face(tmp_path: Path) -> None:
    found = scan_run(make_run(tmp_path, [], TIMES, motion=moving((10, 14))), CCTV)
    (record,) = found.records
    assert (record.rule, record.tier, record.start_s, record.end_s) == ("agitated-motion", "notice", 10, 14)
    assert record.text().startswith("agitated motion, 00:00:10.0 to 00:00:14.0, no usable face, score 0.95: needs")
    assert found.unevaluated() == []


def test_an_anger_like_face_makes_it_an_alert(tmp_path: Path) -> None:
    faces = [face(t, 0, 0.45 if 11 <= t <= 13 else 0.1) for t in TIMES.tolist()]
    found = spans_of(make_run(tmp_path, faces, TIMES, motion=moving((10, 14), (40, 44))), CCTV)
    assert [one for one in found if one[0].startswith("agitated")] == [
        ("agitated-anger", "alert", 11, 13),
        ("agitated-motion", "notice", 40, 44),
    ]


@pytest.mark.parametrize("rows_at_a_time", [1, 7, 10_000])
def test_faces_and_motion_are_combined_in_one_expression(tmp_path: Path, rows_at_a_time: int) -> None:
    faces = [face(t, 0, 0.6) for t in TIMES.tolist()] + [face(t, 1, 0.1) for t in TIMES[:100].tolist()]
    run = make_run(tmp_path, faces, TIMES, motion=moving((10, 14), (40, 44)))
    own = {
        "over": "face",
        "score": "angry * agitation",
        "enter": 0.5,
        "where": "n_faces >= 2 and agitation_usual > 0.9",
    }
    group = {"name": "g", "score": "highest(angry) + agitation", "enter": 1.5, "where": "n_faces == 1 and speed > 0.01"}
    found = spans_of(run, rules(own, group), rows_at_a_time=rows_at_a_time)
    assert found == [("m", "alert", 10, 14), ("g", "alert", 40, 44)]


@pytest.mark.parametrize("key", ["zones", "exclude_zones"])
@pytest.mark.parametrize(("column", "is_left"), [(0, True), (7, False)])
@pytest.mark.parametrize("rows_at_a_time", [3, 10_000])
def test_a_rule_with_zones_uses_motion_within_them(
    tmp_path: Path, key: str, column: int, is_left: bool, rows_at_a_time: int
) -> None:
    faces = [face(t, 0, 0.1) for t in TIMES.tolist()]
    run = make_run(tmp_path, faces, TIMES, motion=moving((10, 14), column=column))
    found = spans_of(run, rules({key: ["left"]}), rows_at_a_time=rows_at_a_time)
    assert bool(found) == (is_left == (key == "zones"))
    if not found:
        assert "more than half of the motion is outside the zones" in explain(run, rules({key: ["left"]}), 12.0)


def test_speed_is_that_of_the_zones(tmp_path: Path) -> None:
    run = make_run(tmp_path, [], TIMES, motion=moving((10, 14)))
    rule = {"score": "speed", "zones": ["left"], "enter": 0.05, "for": 0, "keep_firing_for": 1}
    (record,) = scan_run(run, rules(rule)).records
    assert record.peak_score == pytest.approx((0.3 + 3 * 0.001) / 4, abs=1e-3)
    assert scan_run(run, rules(rule | {"zones": []})).records == ()


def test_cells_count_by_their_share() -> None:
    within = cells_within([[(0, 0), (0.1875, 0), (0.1875, 1), (0, 1)]], []).reshape(GRID[::-1])
    assert within[:, 0] == pytest.approx(1)
    assert within[:, 1] == pytest.approx(0.5)
    assert within[:, 2:].max() == 0
    assert cells_within([], [LEFT["polygon"]]).sum() == N_CELLS / 2  # type: ignore[list-item]


@pytest.mark.parametrize("at_a_time", [1, 4, 50])
def test_where_it_moves_does_not_hang_on_how_a_video_is_cut(at_a_time: int) -> None:
    rng = np.random.default_rng(1)
    times, grid = np.arange(200) / 5, rng.uniform(0, 1, (200, N_CELLS)).astype(np.float16)
    grid[::3] = np.nan
    grid[100:120] = 0
    within = cells_within([[(0, 0), (0.3, 0.1), (0.9, 0.9)]], [])
    whole = ZoneMotion(within).share(times, grid)
    state = ZoneMotion(within)
    pieces = [state.share(times[i : i + at_a_time], grid[i : i + at_a_time]) for i in range(0, 200, at_a_time)]
    assert np.array_equal(np.concatenate(pieces), whole, equal_nan=True)
    assert np.isnan(whole[112:119]).all()
    speeds = np.nan_to_num(grid.astype(float))
    for i in (5, 37, 90):
        own = speeds[max(0, i - 9) : i + 1]
        assert whole[i] == pytest.approx((own @ within).sum() / own.sum(), abs=1e-5)


def test_a_run_without_motion_says_so_in_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path, [face(t, 0, 0.8) for t in TIMES.tolist()], TIMES)
    wide = {"over": "face", "score": "angry", "where": "agitation > 0.5 or angry > 0"}
    for rule_set, named in (
        (CCTV, ["agitated-motion", "agitated-anger"]),
        (rules({}, wide | {"name": "w"}), ["m", "w"]),
    ):
        found = scan_run(run, rule_set)
        assert found.to_json()["rules_without_motion"] == named
        assert not set(named) & {record.rule for record in found.records}
        lines = [line for line in describe_alerts(found).splitlines() if "not evaluated" in line]
        assert len(lines) == len(named)
        assert "did not measure; analyse again with --preset cctv" in lines[0]
    assert "did not measure" in explain(run, CCTV, 5.0)
    assert scan_run(run, rules({"score": "motion"})).rules_without_motion == ()  # every run has it


def test_a_moving_camera_is_unknown_and_raises_nothing(tmp_path: Path) -> None:
    motion = moving((10, 14)) | {"agitation": [None] * len(TIMES), "camera_moves": [True] * len(TIMES)}
    run = make_run(tmp_path, [], TIMES, motion=motion)
    assert scan_run(run, CCTV).records == ()
    assert "agitation is unknown there: the camera moves" in explain(run, CCTV, 12.0)
    answers = Trial(run, CCTV).tried(CCTV).answers(12.0)
    assert not isinstance(answers, str)
    assert "unknown: the camera moves" in {one.short for answer in answers for one in answer.standings}


def test_motion_that_was_not_measured_at_a_frame_says_so(tmp_path: Path) -> None:
    motion = moving((10, 14)) | {"agitation": [None] * len(TIMES)}
    run = make_run(tmp_path, [], TIMES, motion=motion)
    assert "unknown there: the motion of the image was not measured" in explain(run, CCTV, 12.0)


def test_explain_diff_and_thresholds_know_motion(tmp_path: Path) -> None:
    run = make_run(tmp_path, [face(t, 0, 0.1) for t in TIMES.tolist()], TIMES, motion=moving((10, 14), level=0.6))
    text = explain(run, CCTV, 12.0)
    assert "agitation = 0.60, between exit" in text
    where = explain(run, rules({"enter": 0.5, "where": "n_faces >= 2 and agitation_usual >= 0.5"}), 12.0)
    assert "n_faces >= 2 is false (n_faces = 1.00)" in where
    lower = with_threshold(CCTV, "agitated-motion", 0.55)
    change = compare(Trial(run, CCTV).tried(CCTV).records, Trial(run, CCTV).tried(lower).records)
    assert [record.rule for record in change.added] == ["agitated-motion"]


def test_a_rule_of_motion_is_tuned(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / str(i), [], TIMES, motion=moving((10, 14), level=0.6 + 0.05 * (i % 2)), video=f"/v/{i}")
            for i in range(8)]  # fmt: skip
    truth = Truth(tuple((TrueEvent(10, 14, None),) for _ in runs), ())
    tuned = tune_rule(runs, rules({"enter": 0.95}), truth, target_per_hour=1.0)
    assert tuned.outcomes["before_checking"].recall == 0
    assert tuned.outcomes["after_checking"].recall == 1
    assert tuned.outcomes["after_checking"].n_false == 0
    assert tuned.after.enter <= 0.6


def _live(motion: Mapping[str, Any], i: int) -> FrameMotion:
    grid = motion["speed_grid"][i]
    shown = np.full(N_CELLS, np.nan, np.float32) if grid is None else np.array(grid, np.float16).astype(np.float32)
    return FrameMotion(motion["agitation"][i], False, motion["speed"][i], shown, motion["agitation_usual"][i])


def test_live_raises_what_a_stored_run_raises(tmp_path: Path) -> None:
    motion = moving((10, 14), (40, 46))
    rule_set = rules(
        {}, {"name": "z", "zones": ["left"], "score": "speed", "enter": 0.02, "keep_firing_for": 1, "for": 0}
    )
    stored = scan_run(make_run(tmp_path, [], TIMES, motion=motion), rule_set).records
    live = LiveRules(rule_set, LABELS, began=datetime(2026, 11, 21))
    raised = [a for i, t in enumerate(TIMES) for a in live.feed(float(t), [], WIDTH, HEIGHT, motion=_live(motion, i))]
    assert sorted((a.rule, a.start_s, a.raised_s) for a in raised) == sorted(
        (r.rule, r.start_s, r.raised_s) for r in stored
    )
    assert len(raised) >= 3
    assert live.unmeasured(has_motion=True) == []
    assert live.unmeasured(has_motion=False) == ["m", "z"]
    assert LiveRules(rules({}), LABELS, began=datetime(2026, 11, 21)).feed(0.0, [], WIDTH, HEIGHT) == []


def test_live_knows_the_change_of_levels() -> None:
    live = LiveRules(rules({"score": "motion", "enter": 0.2, "for": 0}), LABELS, began=datetime(2026, 11, 21))
    images = [np.full((18, 32), 255 if i == 20 else 0, np.uint8) for i in range(40)]
    raised = [a for i, image in enumerate(images) for a in live.feed(i / 10, [], WIDTH, HEIGHT, thumbnail=image)]
    assert [alert.start_s for alert in raised] == [2.0]


def test_the_rules_of_a_run_that_measured_motion_are_cctv(tmp_path: Path) -> None:
    measured = make_run(tmp_path / "a", [], TIMES, motion=moving((1, 2)))
    plain = make_run(tmp_path / "b", [], TIMES)
    assert default_rules(measured.manifest.settings).source == "cctv"
    assert default_rules(plain.manifest.settings).source == "anger"
    assert default_rules({}).source == "anger"  # an older run


def test_a_file_includes_the_rules_of_another(tmp_path: Path) -> None:
    anger = load_rules("anger")
    assert CCTV.rules[: len(anger.rules)] == anger.rules
    assert CCTV.sha256 != anger.sha256
    path = tmp_path / "own.toml"
    path.write_text('include = ["template"]\n[[rule]]\nname = "r"\nwording = "w"\nscore = "angry"\nenter = 0.5\n')
    own = load_rules(str(path))
    assert [rule.name for rule in own.rules] == [*(rule.name for rule in load_rules("template").rules), "r"]
    assert own.zones == load_rules("template").zones
    for wrong in ('"anger"', '["furious"]', "[1]"):
        path.write_text(f"include = {wrong}\n")
        with pytest.raises(ConfigError, match="include = .* expected a list of names"):
            load_rules(str(path))


def test_fitness_is_said_by_channel(tmp_path: Path) -> None:
    small = [face(t, 0, 0.1, w=14.0, h=14.0, abstain="too_small") for t in TIMES.tolist()]
    fitness = scan_run(make_run(tmp_path / "a", small, TIMES, motion=moving((1, 2))), CCTV).fitness
    assert fitness.short() == "faces: not fit (median 14 px); motion: fit"
    assert fitness.is_by_motion_alone
    assert fitness.text().startswith("faces: not fit (faces usable in 0% of the time, median size 14 px")
    assert fitness.text().endswith("; motion: fit")
    assert (fitness.verdict, fitness.best) == ("not_fit", "fit")
    stored = fitness.to_json()
    assert (stored["best"], stored["motion"]["verdict"]) == ("fit", "fit")
    plain = scan_run(make_run(tmp_path / "b", small, TIMES), CCTV).fitness
    assert (plain.short(), plain.best, plain.to_json()["motion"]) == ("faces: not fit (median 14 px)", "not_fit", None)
    assert not plain.is_by_motion_alone


def test_the_reason_for_a_short_time_is_its_length(tmp_path: Path) -> None:
    seen = [face(t, 0, 0.1) for t in TIMES.tolist() if t < 1.5]
    fitness = scan_run(make_run(tmp_path, seen, TIMES[TIMES < 2]), CCTV).fitness
    assert fitness.verdict == "not_fit"
    assert fitness.short().startswith("faces: not fit (usable for only 1.")


@pytest.mark.parametrize(("share", "verdict"), [(0.2, "fit"), (0.8, "limited"), (1.0, "not_fit")])
def test_a_moving_camera_is_said_and_judges_no_motion(tmp_path: Path, share: float, verdict: str) -> None:
    moves = np.arange(len(TIMES)) < share * len(TIMES)
    agitation = [None if m else 0.1 for m in moves]
    motion = moving((1, 2)) | {"agitation": agitation, "camera_moves": moves.tolist()}
    fitness = scan_run(make_run(tmp_path, [], TIMES, motion=motion), CCTV).fitness
    assert fitness.motion is not None
    assert fitness.motion.verdict == verdict
    assert fitness.motion.text() == (
        f"{ {'fit': 'fit', 'limited': 'fit in part', 'not_fit': 'not fit'}[verdict] } "
        f"(the camera moves in {share:.0%} of the time)"
    )


def test_motion_is_known_at_any_moment_of_a_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [], TIMES, motion=moving((10, 14), column=2))
    assert has_motion(run)
    assert not has_motion(make_run(tmp_path / "b", [], TIMES))
    stored = StoredMotion(run)
    assert stored.at(12.1).shape == (GRID[1], GRID[0])
    assert stored.at(12.1)[:, 2] == pytest.approx(0.3, abs=1e-3)
    assert stored.at(12.1)[:, 3] == pytest.approx(0.001, abs=1e-4)
    assert np.isnan(stored.at(0.0)).all()  # the first frame has nothing before it
    assert np.isnan(stored.at(70.0)).all()
    assert stored.mean(11, 13)[0, 2] == pytest.approx(0.3, abs=1e-3)
    assert np.isnan(stored.mean(80, 90)).all()


def test_the_strip_of_a_notice_without_a_face_shows_its_motion(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [], TIMES, motion=moving((10, 14)))
    (record,) = scan_run(run, CCTV).records
    columns = ("time_s", "track_id", *(f"s_{label}" for label in LABELS))
    none = read_faces_between(run, 5, 19, columns)
    for name, motion in (("with", StoredMotion(run)), ("without", None)):
        draw_strip(none, record, run.manifest.model, tmp_path / f"{name}.png", start=5, end=19, motion=motion)
    tall, low = (cv2.imread(str(tmp_path / f"{name}.png")).shape[0] for name in ("with", "without"))
    assert (tall, low) == (400, 220)
