"""Rules over the tables of a run: records, fitness, files, explanations, differences, the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alert_runs import face, make_run
from fervid.alerts.find.explain import compare, explain
from fervid.alerts.find.records import alerts_schema
from fervid.alerts.find.samples import FrameTimes, read_all_samples, read_frame_times, read_samples
from fervid.alerts.find.scan import find_runs, scan_run, write_alerts
from fervid.alerts.language.rules import RuleSet, parse_rules
from fervid.alerts.review.report import make_report
from fervid.errors import InputError
from fervid.run.handle import Run
from fervid.run.io import write_table
from fervid.run.schema import ABSTAIN_REASONS
from fervid.run.usable import UNSURE

TIMES = np.round(np.arange(0, 20, 0.2), 6)
PLAIN = {"name": "r", "wording": "anger-like expression", "score": "angry", "enter": 0.5, "for": 1, "cooldown": 0}


def rules(*described: dict[str, Any]) -> RuleSet:
    return parse_rules({"rule": [PLAIN | one for one in described]}, source="test")


def angry_between(start: float, end: float, *, track: int = 0, **other: Any) -> list[dict[str, Any]]:
    return [face(t, track, 0.8 if start <= t <= end else 0.1, **other) for t in TIMES.tolist()]


def test_a_run_without_frames_or_faces_has_no_alerts_and_is_not_fit(tmp_path: Path) -> None:
    for name, times in (("empty", []), ("faceless", TIMES)):
        found = scan_run(make_run(tmp_path / name, [], times), rules({}))
        assert found.records == ()
        assert found.fitness.verdict == "not_fit"
        assert "no face found" in found.fitness.text()


def test_an_alert_carries_the_face_at_its_peak(tmp_path: Path) -> None:
    faces = [*angry_between(4, 8), *[face(t, 1, 0.1, x=400.0) for t in TIMES.tolist()]]
    faces[30] |= {"s_angry": 0.93, "quality": 0.77, "x": 123.0}
    found = scan_run(make_run(tmp_path, faces, TIMES), rules({}))
    (record,) = found.records
    assert (record.start_s, record.end_s, record.raised_s, record.peak_s) == (4, 8, 5, 6)
    assert (record.track_id, record.track_ids, record.x) == (0, (0,), 123.0)
    assert record.peak_score == pytest.approx(0.93)
    assert record.quality == pytest.approx(0.77)
    assert record.text() == (
        "anger-like expression, 00:00:04.0 to 00:00:08.0, track 0, score 0.93, quality 0.77: needs review"
    )


@pytest.mark.parametrize("rows_at_a_time", [1, 2, 7, 100, 10_000])
def test_alerts_do_not_hang_on_how_many_rows_are_read_at_a_time(tmp_path: Path, rows_at_a_time: int) -> None:
    faces = [*angry_between(2, 5), *angry_between(3, 9, track=1), *angry_between(15, 18, track=2)]
    run = make_run(tmp_path, faces, TIMES)
    group = {"name": "g", "over": "group", "score": "count(angry > 0.5)", "enter": 2}
    found = scan_run(run, rules({}, group), rows_at_a_time=rows_at_a_time)
    spans = [(record.rule, record.start_s, record.end_s, record.track_ids) for record in found.records]
    assert spans == [("r", 2, 9, (0, 1)), ("g", 3, 5, (0, 1, 2)), ("r", 15, 18, (2,))]


@pytest.mark.parametrize("reason", [reason for reason in ABSTAIN_REASONS if reason != UNSURE])
def test_a_face_below_the_gate_raises_no_alert_and_its_time_is_said(tmp_path: Path, reason: str) -> None:
    found = scan_run(make_run(tmp_path, angry_between(0, 20, abstain=reason), TIMES), rules({}))
    assert found.records == ()
    assert found.fitness.abstained_by_reason == {reason: pytest.approx(1.0)}
    assert (found.fitness.abstained_share, found.fitness.usable_share) == (pytest.approx(1.0), 0)
    assert found.fitness.verdict == "not_fit"
    assert "100% of the face time not used" in found.fitness.text()


def test_being_between_two_expressions_is_for_the_rule_to_judge(tmp_path: Path) -> None:
    found = scan_run(make_run(tmp_path, angry_between(0, 5, abstain="unsure", margin=0.05), TIMES), rules({}))
    assert len(found.records) == 1
    assert found.fitness.verdict == "fit"
    assert found.fitness.abstained_share == pytest.approx(1.0)
    assert "100% between two expressions: fit" in found.fitness.text()
    assert "not used" not in found.fitness.text()


@pytest.mark.parametrize(
    ("n_seen", "verdict"), [(100, "fit"), (51, "fit"), (30, "limited"), (11, "limited"), (9, "not_fit")]
)
def test_the_verdict_is_of_the_time_with_a_usable_face(tmp_path: Path, n_seen: int, verdict: str) -> None:
    faces = [face(t, 0, 0.1, w=31.0) for t in TIMES[:n_seen].tolist()]
    fitness = scan_run(make_run(tmp_path, faces, TIMES), rules({})).fitness
    assert fitness.verdict == verdict
    assert fitness.usable_share == pytest.approx(n_seen / 100, abs=0.006)
    assert "median size 31 px" in fitness.text()


@pytest.mark.parametrize(
    ("n_usable", "n_poor", "verdict"), [(15, 10, "limited"), (15, 20, "not_fit"), (9, 0, "not_fit")]
)
def test_where_few_people_pass_it_counts_how_well_those_are_seen(
    tmp_path: Path, n_usable: int, n_poor: int, verdict: str
) -> None:
    times = np.round(np.arange(400) / 5, 1)
    reasons = [None] * n_usable + ["dark"] * n_poor
    faces = [face(t, 0, 0.1, abstain=reason) for t, reason in zip(times.tolist(), reasons, strict=False)]
    assert scan_run(make_run(tmp_path, faces, times), rules({})).fitness.verdict == verdict


def test_too_little_of_a_face_in_all_is_not_fit_however_large_its_share(tmp_path: Path) -> None:
    faces = [face(t, 0, 0.1) for t in TIMES[:9].tolist()]
    fitness = scan_run(make_run(tmp_path, faces, TIMES[:9]), rules({})).fitness
    assert (fitness.verdict, fitness.usable_share) == ("not_fit", pytest.approx(1.0))
    assert "only 1.8 s in all" in fitness.text()


def test_boxes_that_never_move_are_listed(tmp_path: Path) -> None:
    fitness = scan_run(make_run(tmp_path, angry_between(0, 20, abstain="static"), TIMES), rules({})).fitness
    (box,) = fitness.static_boxes
    assert (box.track_id, box.x, box.w, box.start_s) == (0, 100, 80, 0)


def test_frames_that_did_not_decode_say_nothing(tmp_path: Path) -> None:
    group = {"over": "group", "score": "n_faces", "enter": 0, "for": 0, "max_gap": 0.3}
    found = scan_run(make_run(tmp_path, [], TIMES, corrupt=range(50, 60)), rules(group | {"merge_gap": 0}))
    assert [(round(record.start_s, 3), round(record.end_s, 3)) for record in found.records] == [(0, 9.8), (12, 19.8)]


def test_a_value_that_an_older_run_did_not_store_is_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path, angry_between(0, 5), TIMES)
    table = pq.read_table(tmp_path / "faces.parquet").drop_columns(["sharpness"])
    pq.write_table(table, tmp_path / "faces.parquet")
    assert scan_run(run, rules({"where": "sharpness >= 0"})).records == ()
    assert len(scan_run(run, rules({"where": "sharpness >= 0 or margin > 0"})).records) == 1


def test_the_files_say_the_same(tmp_path: Path) -> None:
    video = "/footage/=cmd/=1+1.mp4"
    run = make_run(tmp_path, [*angry_between(2, 5), *angry_between(15, 18, track=1)], TIMES, video=video)
    found = scan_run(run, rules({}))
    write_alerts(found)
    table = pq.read_table(tmp_path / "alerts.parquet")
    assert table.schema.equals(alerts_schema())
    stored = json.loads((tmp_path / "alerts.json").read_text())
    assert stored == json.loads(json.dumps(found.to_json()))
    with (tmp_path / "alerts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, entry, column in zip(rows, stored["alerts"], table.to_pylist(), strict=True):
        assert row["alert_id"] == entry["alert_id"] == column["alert_id"]
        assert float(row["start_s"]) == entry["start_s"] == column["start_s"]
        assert entry["text"].endswith("needs review")
        assert row["video"] == "'=1+1.mp4"  # a spreadsheet takes no formula from a file's name
        assert row["camera"] == "'=cmd"
        assert entry["video"] == "=1+1.mp4"
    assert not list(tmp_path.glob("*.part"))


def test_an_alert_keeps_its_id_when_it_is_found_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, angry_between(2, 5), TIMES)
    ids = [scan_run(run, rules({"enter": enter})).records[0].alert_id for enter in (0.5, 0.6)]
    assert ids[0] == ids[1]


def test_the_clock_comes_from_the_name_and_hours_need_it(tmp_path: Path) -> None:
    named = make_run(tmp_path / "a", angry_between(2, 5), TIMES, video="/f/cam1/cam_20261120_215955.mp4")
    unnamed = make_run(tmp_path / "b", angry_between(2, 5), TIMES)
    night = rules({"hours": ["21:00-06:00"]})
    (record,) = scan_run(named, night).records
    assert record.start_clock == "2026-11-20T21:59:57"
    silent = scan_run(unnamed, night)
    assert (silent.records, silent.silent_rules) == ((), ("r",))


@pytest.mark.parametrize(
    ("seconds", "rule", "expected"),
    [
        (3.0, {}, ["r (alert): fired, 00:00:02.0 to 00:00:05.0", "angry = 0.80, at or above enter (0.5)"]),
        (2.4, {}, ["raised at 00:00:03.0"]),
        (10.0, {}, ["did not fire", "angry = 0.10, below exit (0.5)"]),
        (3.0, {"for": 4}, ["did not fire", "it lasted 3.0 s, 4 s are required"]),
        (3.0, {"where": "margin > 0.1 and face_px >= 90"}, ["face_px >= 90 is false (face_px = 80.00)"]),
        (3.0, {"hours": ["08:00-09:00"]}, ["recording time unknown"]),
        (
            3.0,
            {"over": "group", "score": "count(angry > 0.5)", "enter": 2},
            ["count(angry > 0.5) = 1.00, below exit (2)"],
        ),
        (15.2, {"cooldown": 30}, ["held back by the cooldown of the one that ended at 00:00:05.0"]),
        (19.0, {}, ["track 0: not used, too dark"]),
        (
            19.0,
            {"over": "group", "score": "mean(angry)", "enter": 0.5},
            ["mean(angry) is unknown there: no face is used (too dark)"],
        ),
        (500.0, {}, ["the video ends at 00:00:20.0"]),
    ],
)
def test_every_rule_says_why(tmp_path: Path, seconds: float, rule: dict[str, Any], expected: list[str]) -> None:
    faces = [
        face(t, 0, 0.8 if 2 <= t <= 5 or 15 <= t <= 17 else 0.1, abstain="dark" if t > 18 else None)
        for t in TIMES.tolist()
    ]
    text = explain(make_run(tmp_path, faces, TIMES), rules(rule), seconds)
    for part in expected:
        assert part in text, text
    if "margin" in str(rule):
        assert "margin > 0.1 does not" not in text


def test_an_alert_that_yields_is_left_out_and_explained(tmp_path: Path) -> None:
    run = make_run(tmp_path, angry_between(2, 5), TIMES)
    plain = {"wording": "x", "score": "angry"}
    described = [
        plain | {"name": "strong", "enter": 0.7},
        plain | {"name": "weak", "enter": 0.3, "yields_to": ["strong"]},
    ]
    both = parse_rules({"rule": described}, source="test")
    assert [record.rule for record in scan_run(run, both).records] == ["strong"]
    assert "weak (alert): suppressed by strong" in explain(run, both, 3.0)


def test_where_nothing_was_analysed_nothing_is_claimed(tmp_path: Path) -> None:
    run = make_run(tmp_path, [], [0.0, 0.2, 0.4, 0.6, 10.0])
    assert "no frame was analysed there" in explain(run, rules({}), 5.0)
    assert "no face is tracked there" in explain(run, rules({}), 0.1)


def test_a_difference_names_what_is_added_removed_and_changed(tmp_path: Path) -> None:
    faces = [face(t, 0, 0.9 if 2 <= t <= 5 else 0.6 if 5 < t <= 6 or 10 <= t <= 14 else 0.1) for t in TIMES.tolist()]
    run = make_run(tmp_path, faces, TIMES)
    loose, strict = (scan_run(run, rules({"enter": enter, "merge_gap": 0})).records for enter in (0.5, 0.7))
    change = compare(loose, strict)
    assert [len(part) for part in (change.added, change.removed, change.changed)] == [0, 1, 1]
    assert change.removed[0].start_s == 10
    assert [record.end_s for record in change.changed[0]] == [6, 5]
    back = compare(strict, loose)
    assert (back.added, back.removed, len(back.changed)) == (change.removed, (), 1)
    assert compare(loose, loose).same == 2


def test_runs_are_found_below_a_folder_and_others_refused(tmp_path: Path) -> None:
    made: list[Run] = [make_run(tmp_path / "out" / name, [], TIMES) for name in ("b", "a")]
    assert [run.folder.name for run in find_runs([tmp_path / "out", tmp_path / "out" / "a"])] == ["a", "b"]
    assert len(made) == 2
    (tmp_path / "nothing").mkdir()
    for name, message in (("nothing", "contains no complete run"), ("missing", "is not a folder")):
        with pytest.raises(InputError, match=message):
            find_runs([tmp_path / name])


def test_the_page_holds_every_alert_and_no_address_and_escapes_names(tmp_path: Path) -> None:
    hostile = "/f/<b>cam/<img src=x onerror=alert(1)>_20261120_215955.mp4"
    found = [
        scan_run(make_run(tmp_path / "a", angry_between(2, 5), TIMES, video=hostile), rules({})),
        scan_run(make_run(tmp_path / "b", [], TIMES, video="/f/cam2/plain.mp4"), rules({})),
    ]
    page = make_report(found, tmp_path)
    assert "anger-like expression, needs review" in page
    assert "no face found in 20 s: not fit for alerts" in page
    assert "Fri 2026-11-20" in page
    assert "&lt;img src=x" in page
    for forbidden in ("<img src=x", "<b>cam", "<script", "http://", "https://", str(tmp_path)):
        assert forbidden not in page
    alone = make_report(found[1:], tmp_path)
    assert "0 alerts, 0 notices" in alone


def test_a_rule_on_relative_scores_reads_them_and_the_smoothed_ones_where_a_run_has_none(tmp_path: Path) -> None:
    run = make_run(tmp_path, angry_between(4, 8), TIMES)
    asked = rules({"score": "relative_angry"})
    (record,) = scan_run(run, asked).records
    assert (record.start_s, record.end_s) == (4, 8)
    path = run.folder / "faces.parquet"
    table = pq.read_table(path)
    relative = pa.array([0.9 if 10 <= t <= 12 else 0.0 for t in table["time_s"].to_pylist()], pa.float32())
    write_table(path, table.append_column("b_angry", relative), {})
    (record,) = scan_run(run, asked).records
    assert (record.start_s, record.end_s) == (10, 12)


def test_all_samples_at_once_are_those_of_the_pieces(tmp_path: Path) -> None:
    times = [round(i / 5, 1) for i in range(60)]
    faces = [face(t, track, 0.1 * track) for t in times for track in (0, 1, 2)]
    run = make_run(tmp_path / "run", faces, times)
    frames = read_frame_times(run)
    whole = read_all_samples(run, frames, ["angry", "quality"])
    pieces = list(read_samples(run, frames, ["angry", "quality"], rows_at_a_time=32))
    assert len(pieces) > 2
    assert whole.times.tolist() == [t for piece in pieces for t in piece.times.tolist()]
    assert whole.times[whole.frame_of_face].tolist() == [
        t for piece in pieces for t in piece.times[piece.frame_of_face].tolist()
    ]
    for name in ("angry", "quality"):
        assert whole.columns[name].tolist() == [v for piece in pieces for v in piece.columns[name].tolist()]
    empty = read_all_samples(make_run(tmp_path / "none", [], []), FrameTimes(np.zeros(0, int), np.zeros(0)), ["angry"])
    assert (len(empty.times), len(empty.track_ids), len(empty.columns["angry"])) == (0, 0, 0)
