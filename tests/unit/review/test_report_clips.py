"""Which stretches a page with clips has, and where their files are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alert_runs import face, make_run
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.review import report_clips
from fervid.review.report import write_reports
from fervid.review.report_clips import Clip, ClipFolder, stretches_of
from fervid.run.handle import Run

ANGRY = {"name": "angry", "wording": "anger", "score": "angry", "enter": 0.5, "for": "1s", "merge_gap": "1s"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two minutes with anger at 10 s, at 18 s (near the first), and for 50 s from 60 s on."""
    times = [round(i / 5, 1) for i in range(600)]
    hot = [(10, 12), (18, 20), (60, 110)]
    faces = [face(t, 0, 0.9 if any(a <= t <= b for a, b in hot) else 0.1) for t in times]
    made = make_run(tmp_path / "run", faces, times)
    write_alerts(scan_run(made, parse_rules({"rule": [ANGRY]}, source="angry")))
    return made


def test_near_alerts_share_a_clip_and_a_long_one_is_cut_around_its_peak(run: Run) -> None:
    first, last = stretches_of(run)
    assert first == (7.0, 23.0)
    assert last[1] - last[0] == pytest.approx(30)
    assert 57 <= last[0] <= 60


def test_without_an_alert_the_peak_is_shown_and_without_a_peak_nothing(run: Run) -> None:
    (run.folder / "alerts.parquet").unlink()
    assert stretches_of(run) == []
    results = {"peak_anger": {"time_s": 119.0, "track_id": 0, "value": 0.9}}
    assert stretches_of(replace(run, manifest=replace(run.manifest, results=results))) == [(116.0, 120.0)]


def test_clips_are_within_the_page_or_beside_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = {run.folder: [Clip(7.0, 23.0, b"one"), Clip(57.0, 87.0, b"two")]}
    within = ClipFolder(tmp_path, clips)
    assert [one["start"] for one in within.media(run)] == [7.0, 57.0]
    assert set(within.elements()) == {one["element"] for one in within.media(run)}
    assert list(within.write()) == []
    monkeypatch.setattr(report_clips, "LARGEST_WITHIN_BYTES", 5)
    beside = ClipFolder(tmp_path, clips)
    assert beside.elements() == {}
    assert [path.read_bytes() for path in beside.write()] == [b"one", b"two"]
    assert all((tmp_path / one["url"]).is_file() for one in beside.media(run))


def test_a_report_elsewhere_keeps_what_could_not_be_analysed(run: Run, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", [face(0.0, 0, 0.1)], [0.0, 0.2])
    for one in (run, other):
        bare(one)
    failure = {"video": "/yard/b.mp4", "status": "rejected", "reason": "/yard/b.mp4 has no video data."}
    (tmp_path / "failed.jsonl").write_text(json.dumps(failure) + "\n")
    text = write_reports([tmp_path], out=tmp_path / "far")[0].read_text(encoding="utf-8")
    assert "b.mp4 has no video data." in text


def bare(run: Run) -> None:
    """Give a made run the table of bins that a page needs."""
    import numpy as np
    import pyarrow as pa

    from fervid.run.io import write_table

    columns = {"start_s": [0.0], "end_s": [1.0], "observed_s": [1.0], "coverage": [1.0]}
    columns |= {f"mean_{label}": [0.1] for label in run.manifest.model["labels"]}
    write_table(run.folder / "timeline.parquet", pa.table({k: np.asarray(v, float) for k, v in columns.items()}), {})
