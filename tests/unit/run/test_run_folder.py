"""What becomes of the files of a run when its video is analysed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alert_runs import face, make_run
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.alerts.review.report import write_report
from fervid.alerts.review.reviews import read_history, write_verdict
from fervid.run.derived import note_derived, remove_derived
from fervid.run.files import DERIVED, PLOT, REVIEWS_TABLE
from fervid.run.folder import prepare
from fervid.run.handle import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    times = np.round(np.arange(0, 20, 0.2), 6)
    return make_run(tmp_path / "run", [face(t, 0, 0.9 if 5 <= t <= 12 else 0.1) for t in times.tolist()], times)


def test_alerts_go_with_the_tables_that_they_speak_of_and_verdicts_stay(run: Run) -> None:
    found = scan_run(run, load_rules("anger"))
    assert found.records
    written = [*write_alerts(found), write_report([found], run.folder)]
    write_verdict(run, found.records[0].alert_id, "true")
    gone = prepare(run.folder, keep_observations=True)
    assert set(gone.removed) == {path.name for path in written}
    assert not gone.changed
    assert not list(run.folder.glob("alerts*"))
    assert [review.verdict for review in read_history(run.folder)] == ["true"]
    assert (run.folder / REVIEWS_TABLE).is_file()


def test_what_fervid_did_not_write_or_was_changed_since_stays(run: Run) -> None:
    page = write_report([scan_run(run, load_rules("anger"))], run.folder)
    page.write_text(page.read_text() + "<!-- seen by me -->")
    own = run.folder / "exports" / "notes.csv"
    own.parent.mkdir()
    own.write_text("mine")
    exported = own.with_name("clip.csv")
    exported.write_text("by fervid")
    note_derived(run.folder, [exported])
    gone = prepare(run.folder, keep_observations=True)
    assert (gone.removed, gone.changed) == (("exports/clip.csv",), ("alerts.html",))
    assert own.read_text() == "mine"
    assert page.read_text().endswith("<!-- seen by me -->")
    assert not (run.folder / DERIVED).exists()


def test_a_file_that_was_written_twice_is_known_by_either_hash(run: Run) -> None:
    path = run.folder / "evidence" / "one" / "clip.mp4"
    path.parent.mkdir(parents=True)
    for content in (b"first", b"second"):
        path.write_bytes(content)
        note_derived(run.folder, [path])
    path.write_bytes(b"first")  # the second was never renamed into its place
    assert remove_derived(run.folder).removed == ("evidence/one/clip.mp4",)
    assert not (run.folder / "evidence").exists()


def test_notes_reach_nothing_outside_of_the_folder(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    (run.folder / "link").symlink_to(tmp_path)
    note_derived(run.folder, [outside])
    assert not (run.folder / DERIVED).exists()
    inside = run.folder / "mine.txt"
    inside.write_text("mine")
    note_derived(run.folder, [inside])
    line = (run.folder / DERIVED).read_text()
    names = ("../mine.txt", str(outside), "link/mine.txt", "./../mine.txt", "..\\\\mine.txt")
    lines = [line.replace('"mine.txt"', f'"{name}"') for name in names]
    (run.folder / DERIVED).write_text("".join([*lines, "no json\n", "[1]\n", line[:20]]))
    assert remove_derived(run.folder).removed == ()
    assert outside.read_text() == "mine"


def test_the_plot_of_the_result_before_goes_too(run: Run) -> None:
    (run.folder / PLOT).write_bytes(b"old")
    prepare(run.folder, keep_observations=True)
    assert not (run.folder / PLOT).exists()
