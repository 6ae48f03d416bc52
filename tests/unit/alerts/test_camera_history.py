"""What is usual for a camera, over its runs in one folder of results."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import make_run
from fervid.alerts.find.camera_history import camera_history
from fervid.alerts.find.explain import explain
from fervid.alerts.find.samples import read_frame_motion
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import CAMERA_USUAL, RuleSet, parse_rules
from fervid.run.files import MANIFEST
from fervid.run.handle import Run, open_run

TIMES = np.round(np.arange(0, 20, 0.2), 6)


def run_of(folder: Path, name: str, agitation: float, *, camera: str = "yard", times: np.ndarray = TIMES) -> Run:
    run = make_run(
        folder / name, [], times, video=f"/cams/{camera}/{name}.mp4", motion={"agitation": [agitation] * len(times)}
    )
    return changed(run, video_id=name)


def changed(run: Run, **content: Any) -> Run:
    path = Path(str(run.folder)) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | content))
    return open_run(run.folder)


def rules(where: str) -> RuleSet:
    rule = {"name": "m", "wording": "w", "over": "group", "score": "agitation", "enter": 0.4, "where": where}
    return parse_rules({"rule": [rule]}, source="test")


def usual(run: Run) -> float:
    return float(read_frame_motion(run, (CAMERA_USUAL,))[CAMERA_USUAL][-1])


def test_a_run_is_ranked_among_those_of_its_camera(tmp_path: Path) -> None:
    low, middle, high = (run_of(tmp_path, f"r{i}", level) for i, level in enumerate((0.1, 0.5, 0.9)))
    run_of(tmp_path, "other", 0.95, camera="street")
    assert [usual(run) for run in (low, middle, high)] == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    history = camera_history(high)
    assert (history.n_runs, history.to_json()) == (3, {"runs": 3, "seconds": 59.4})
    assert set(read_frame_motion(high, (CAMERA_USUAL,))) == {CAMERA_USUAL}


def test_runs_by_other_settings_and_again_of_one_video_do_not_count(tmp_path: Path) -> None:
    first = run_of(tmp_path, "a", 0.1)
    changed(run_of(tmp_path, "b", 0.2), settings_hash="other")
    changed(run_of(tmp_path, "c", 0.2), video_id="a")
    assert camera_history(first).n_runs == 1
    assert np.isnan(usual(first))  # 20 s are too little


def test_a_new_run_counts_at_once(tmp_path: Path) -> None:
    first = run_of(tmp_path, "a", 0.5)
    assert camera_history(first).n_runs == 1
    run_of(tmp_path, "b", 0.1)
    assert camera_history(first).n_runs == 2
    assert usual(first) == pytest.approx(0.75)


def test_a_run_that_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run_of(tmp_path, "a", 0.5)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / MANIFEST).write_text("{")
    with caplog.at_level(logging.WARNING):
        assert camera_history(first).n_runs == 1
    assert "left out of what is usual for its camera" in caplog.text


def test_rules_use_it_and_say_among_what(tmp_path: Path) -> None:
    run_of(tmp_path, "a", 0.1)
    calm, high = run_of(tmp_path, "b", 0.5), run_of(tmp_path, "c", 0.9)
    unusual = rules(f"{CAMERA_USUAL} >= 0.8")
    assert scan_run(calm, unusual).records == ()
    found = scan_run(high, unusual)
    assert [record.rule for record in found.records] == ["m"]
    assert found.to_json()["camera_history"] == {"runs": 3, "seconds": 59.4}
    assert "camera_history" not in scan_run(high, rules("agitation_usual >= 0")).to_json()
    assert f"{CAMERA_USUAL} >= 0.8 is false ({CAMERA_USUAL} = 0.50)" in explain(calm, unusual, 5.0)


def test_too_little_history_is_said(tmp_path: Path) -> None:
    text = explain(run_of(tmp_path, "a", 0.5), rules(f"{CAMERA_USUAL} >= 0.8"), 5.0)
    assert f"{CAMERA_USUAL} = unknown: less than half a minute of the camera's motion is known" in text


def test_a_run_without_motion_has_none(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [], TIMES)
    assert scan_run(run, rules(f"{CAMERA_USUAL} >= 0.8")).rules_without_motion == ("m",)
