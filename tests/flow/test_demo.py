"""Each thing that the clip of `fervid demo` promises is in the tables, with either face detector."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest

import fervid
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import load_rules
from fervid.config import load_settings
from fervid.demo.scenes import SECONDS, SHOTS, make_demo_scenes
from fervid.profile.measure import profile_run
from fervid.review.report import write_reports
from fervid.run.handle import Run

CUTS = [4.0, 9.0, 12.0]
EMPTY = (9.0, 12.0)
CLEARLY = 0.6
"""Of the smoothed probability; the shipped network gives 0.8 and more."""


@pytest.fixture(scope="module", params=["haar", "centerface"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The clip, analysed. For reading only."""
    out = tmp_path_factory.mktemp("scenes")
    settings = load_settings(assignments=[f"detect.detector={request.param}"], environment={})
    clip = make_demo_scenes(out / "demo.mp4")
    return fervid.analyze(clip, out=out / "runs", settings=settings, device="cpu")


def peak(run: Run, label: str, start: float, end: float) -> float:
    faces = run.faces.filter((pc.field("time_s") >= start) & (pc.field("time_s") < end))
    return float(pc.max(faces[f"s_{label}"]).as_py())


def test_the_shots_are_cut_where_they_change(run: Run) -> None:
    assert sum(shot.seconds for shot in SHOTS) == SECONDS
    assert run.frames.filter(pc.field("is_cut"))["time_s"].to_pylist() == pytest.approx(CUTS, abs=0.01)


def test_two_people_are_seen_side_by_side(run: Run) -> None:
    together = run.faces.filter(pc.field("time_s") < CUTS[0])
    assert len(pc.unique(together["track_id"])) == 2
    frames = pc.value_counts(together["frame"]).field("counts").to_pylist()
    assert sum(n == 2 for n in frames) >= 0.9 * CUTS[0] * 5


def test_expressions_change_within_the_shots(run: Run) -> None:
    assert peak(run, "neutral", 0.0, 1.0) > CLEARLY
    assert peak(run, "happy", 3.0, 4.0) > CLEARLY
    assert peak(run, "neutral", 4.0, 4.5) > CLEARLY
    assert peak(run, "angry", 6.0, 8.0) > CLEARLY
    assert peak(run, "happy", 12.0, 13.0) > CLEARLY


def test_a_stretch_has_no_face(run: Run) -> None:
    start, end = EMPTY
    assert run.faces.filter((pc.field("time_s") >= start) & (pc.field("time_s") < end)).num_rows == 0


def test_one_alert_is_found_while_the_man_looks_angry(run: Run) -> None:
    (alert,) = scan_run(run, load_rules("anger")).of_tier("alert")
    assert CUTS[0] < alert.start_s < 6.0
    assert 7.5 < alert.end_s < CUTS[1]


def test_plot_report_and_profile_have_something_to_show(run: Run, tmp_path: Path) -> None:
    assert (run.folder / "timeline.png").stat().st_size > 10_000
    (page,) = write_reports([run.folder], out=tmp_path)
    assert "demo.mp4" in page.read_text(encoding="utf-8")
    assert profile_run(run.folder) is not None
