"""Verdicts: what is kept, who may write at once, what survives changed rules, and the precision that follows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from alert_runs import face, make_run
from fervid.alerts.find.scan import RunAlerts, scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.alerts.review.report import make_report
from fervid.alerts.review.reviews import (
    Review,
    import_verdicts,
    precision_by_rule_and_camera,
    read_history,
    read_verdicts,
    reviews_schema,
    verdicts_of,
    write_verdict,
)
from fervid.errors import InputError
from fervid.run.handle import Run
from fervid.stats.intervals import poisson_interval

TIMES = np.round(np.arange(100) / 5, 1)
RULE = {"name": "r", "wording": "anger-like expression", "score": "angry", "enter": 0.5, "merge_gap": 1}


def found_in(folder: Path, video: str = "/f/cam1/a.mp4", **rule: Any) -> RunAlerts:
    """A run with two angry spells, its alerts written."""
    scores = {t: 0.9 if 2 <= t <= 5 else 0.6 if 5 < t <= 6 or 12 <= t <= 15 else 0.1 for t in TIMES.tolist()}
    run = make_run(folder, [face(t, 0, angry) for t, angry in scores.items()], TIMES, video=video)
    found = scan_run(run, parse_rules({"rule": [RULE | rule]}, source="test"))
    write_alerts(found)
    return found


def test_without_verdicts_there_is_nothing(tmp_path: Path) -> None:
    found = found_in(tmp_path)
    assert read_verdicts(found.run) == read_history(tmp_path) == []
    assert verdicts_of(found.records, []) == {}
    assert precision_by_rule_and_camera([]) == []


def test_the_newest_verdict_counts_and_none_is_lost(tmp_path: Path) -> None:
    run = tmp_path / "camera"
    run.mkdir()
    found = found_in(run)
    first, second = (record.alert_id for record in found.records)
    write_verdict(run, first, "false", "laughing\nloudly", reviewer="ab", time_utc="2026-11-20T10:00:00+00:00")
    write_verdict(found.run, second, "unsure")
    write_verdict(tmp_path, first, "true", reviewer="cd", time_utc="2026-11-21T10:00:00+00:00")
    newest = {review.alert_id: review for review in read_verdicts(run)}
    assert (newest[first].verdict, newest[first].reviewer) == ("true", "cd")
    assert newest[first].start_s == found.records[0].start_s
    assert [review.verdict for review in read_history(run)] == ["false", "unsure", "true"]
    assert read_history(run)[0].reason == "laughing loudly"
    assert pq.read_schema(run / "reviews.parquet").remove_metadata() == reviews_schema()
    write_verdict(run, first, None)
    assert [review.alert_id for review in read_verdicts(run)] == [second]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    alert_id = found_in(tmp_path).records[0].alert_id
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_verdict(tmp_path, alert_id, "true", str(i)), range(24)))
    assert sorted(int(review.reason) for review in read_history(tmp_path)) == list(range(24))
    assert sorted(path.name for path in tmp_path.glob("*review*")) == ["reviews.parquet"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("alert_id", "verdict", "reason", "message"),
    [
        ("0" * 12, "true", "", "alert '000000000000' is in none of 1 run"),
        (None, "maybe", "", "verdict 'maybe' is unknown. Use true, false, unsure"),
        (None, "true", "x" * 1001, "a reason of 1001 characters is too long"),
    ],
)
def test_what_is_no_verdict_is_refused(
    tmp_path: Path, alert_id: str | None, verdict: Any, reason: str, message: str
) -> None:
    found = found_in(tmp_path)
    with pytest.raises(InputError, match=message):
        write_verdict(tmp_path, alert_id or found.records[0].alert_id, verdict, reason)
    assert not (tmp_path / "reviews.parquet").exists()


@pytest.mark.parametrize("damage", ["empty", "other", "bit"])
def test_a_damaged_table_is_put_aside_and_in_nobodys_way(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = found_in(tmp_path)
    first, second = (record.alert_id for record in found.records)
    write_verdict(tmp_path, first, "true", "x" * 500)
    path = tmp_path / "reviews.parquet"
    content = bytearray(path.read_bytes())
    content[content.index(b"fervid.rows_sha256") + 30] ^= 1
    path.write_bytes({"empty": b"", "other": b"something else", "bit": bytes(content)}[damage])
    damaged = path.read_bytes()
    assert read_verdicts(tmp_path) == []
    assert "the next verdict puts it aside" in caplog.text
    write_verdict(tmp_path, second, "false")
    assert [review.alert_id for review in read_history(tmp_path)] == [second]
    assert "it was put aside as reviews.damaged-" in caplog.text
    assert [one.read_bytes() for one in tmp_path.glob("reviews.damaged-*.parquet")] == [damaged]


def test_verdicts_survive_new_rules_and_go_with_the_alert_that_overlaps(tmp_path: Path) -> None:
    found = found_in(tmp_path)
    for record, verdict in zip(found.records, ("true", "false"), strict=True):
        write_verdict(tmp_path, record.alert_id, verdict)  # type: ignore[arg-type]
    same = verdicts_of(found_in(tmp_path).records, read_verdicts(tmp_path))
    assert [same[record.alert_id].verdict for record in found.records] == ["true", "false"]
    later = found_in(tmp_path, where="track_seconds >= 3")
    assert later.records[0].start_s == 3.0  # so it has another id
    moved = verdicts_of(later.records, read_verdicts(tmp_path))
    assert [moved[record.alert_id].verdict for record in later.records] == ["true", "false"]
    barely = found_in(tmp_path, where="track_seconds >= 5")  # 1 s of 4 s are left: all of the shorter one
    assert len(verdicts_of(barely.records, read_verdicts(tmp_path))) == 2
    other_rule = found_in(tmp_path, name="other")
    assert verdicts_of(other_rule.records, read_verdicts(tmp_path)) == {}
    write_verdict(tmp_path, found.records[0].alert_id, "false", "seen again")  # no longer found, still known
    assert read_history(tmp_path)[-1].start_s == found.records[0].start_s


def test_precision_is_of_what_was_decided() -> None:
    said = {"cam1": ["true", "true", "false", "unsure"], "cam2": ["unsure"]}
    plain = {"video_id": "v", "video": "a.mp4", "tier": "alert", "start_s": 0.0, "end_s": 1.0, "peak_score": 0.5}
    plain |= {"reason": "", "reviewer": "", "time_utc": ""}
    reviews = [
        Review(alert_id=f"{camera}{i}", camera=camera, rule="anger", verdict=verdict, **plain)  # type: ignore[arg-type]
        for camera, verdicts in said.items()
        for i, verdict in enumerate(verdicts)
    ]
    one, two, both = precision_by_rule_and_camera(reviews)
    assert (one.camera, one.n_true, one.n_false, one.n_unsure) == ("cam1", 2, 1, 1)
    assert one.precision == pytest.approx(2 / 3)
    assert one.interval == pytest.approx((0.208, 0.939), abs=0.001)  # Wilson's for 2 of 3
    assert (two.precision, two.interval) == (None, (0.0, 1.0))
    assert (both.rule, both.camera, both.n_decided, both.n_unsure) == ("anger", None, 3, 2)
    assert both.to_json()["precision"] == pytest.approx(2 / 3)


def test_verdicts_of_a_saved_page_are_taken_over_once(tmp_path: Path) -> None:
    found = found_in(tmp_path / "run")
    entry = {"alert_id": found.records[0].alert_id, "verdict": "false", "time_utc": "2026-11-21T10:00:00+00:00"}
    saved = tmp_path / "verdicts.json"
    saved.write_text(json.dumps({"verdicts": [entry]}))
    runs: list[Run] = [found.run]
    assert import_verdicts(runs, saved) == (1, 0)
    assert import_verdicts(runs, saved) == (0, 1)
    assert [review.verdict for review in read_verdicts(runs)] == ["false"]


def test_the_page_of_alerts_shows_verdicts_and_precision(tmp_path: Path) -> None:
    found = found_in(tmp_path)
    assert "Verdicts" not in make_report([found], tmp_path)
    write_verdict(tmp_path, found.records[0].alert_id, "true", "<b>shouts")
    page = make_report([found], tmp_path)
    assert "true: &lt;b&gt;shouts" in page
    assert "100% (21% to 100%)" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('"x"', "is not a list of verdicts"),
        ("[3]", 'entry 1 has no "alert_id"'),
        ('[{"alert_id": "a", "verdict": "so-so"}]', "entry 1: verdict 'so-so' is unknown"),
        ('[{"alert_id": "a", "verdict": "true"}]', "alert 'a' is in none of 1 run"),
    ],
)
def test_a_file_that_no_page_saved_is_refused(tmp_path: Path, text: str, message: str) -> None:
    found = found_in(tmp_path / "run")
    (tmp_path / "verdicts.json").write_text(text)
    with pytest.raises(InputError, match=message):
        import_verdicts([found.run], tmp_path / "verdicts.json")
    assert read_history(found.run.folder) == []


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (1000, 938.97, 1063.97)],  # Garwood's tables
)
def test_the_interval_of_a_rate_is_the_exact_one(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), rel=1e-3)
