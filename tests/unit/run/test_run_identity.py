"""A run is itself: whatever reads its tables refuses one that was made with other settings."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alert_runs import LABELS, face, make_run
from fervid.alerts.find.explain import explain
from fervid.alerts.find.scan import RunAlerts, scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.alerts.review.evidence import write_evidence
from fervid.alerts.review.reviews import write_verdict
from fervid.annotate.video import _timeline_strip, annotate_run
from fervid.errors import InputError
from fervid.exports.write import export_runs
from fervid.profile.measure import profile_run
from fervid.profile.profile import Profile
from fervid.profile.stills import take_stills
from fervid.query.compact import compact_runs
from fervid.query.session import run_query
from fervid.query.sources import find_sources
from fervid.review.cards import make_card, make_strip
from fervid.review.content import read_alerts, run_content
from fervid.review.preview import Previews
from fervid.review.report import write_reports
from fervid.run.handle import Run, open_run
from fervid.run.io import write_table
from fervid.run.schema import timeline_schema, tracks_schema
from fervid.run.summary import analysed_seconds
from fervid.run.tables import read_table
from fervid.storage.files import content_id
from manifests import change_manifest

ALL = ("faces", "frames", "tracks", "timeline", "alerts")
OWN, OTHER = "s", "another"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of twenty seconds with one alert, all its tables, and a file where its video was."""
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"no video")
    times = np.round(np.arange(0, 20, 0.2), 6)
    faces = [face(t, 0, 0.9 if 5 <= t <= 12 else 0.1) for t in times.tolist()]
    folder = make_run(tmp_path / "run", faces, times, video=str(video)).folder
    change_manifest(folder, video_id=content_id(video))
    made = open_run(folder)
    track = {"video_id": "v", "track_id": 0, "start_s": 0.0, "end_s": 19.8, "n_faces": 100}
    bins = [{"start_s": float(i), "end_s": i + 1.0, "observed_s": 1.0, "coverage": 1.0} for i in range(20)]
    means = {f"mean_{label}": 1 / len(LABELS) for label in LABELS}
    tables = {
        "tracks": pa.Table.from_pylist([track], schema=tracks_schema(LABELS)),
        "timeline": pa.Table.from_pylist([one | means for one in bins], schema=timeline_schema(LABELS)),
    }
    tables |= {name: pq.read_table(made.folder / f"{name}.parquet") for name in ("faces", "frames")}
    for name, table in tables.items():
        write_table(made.folder / f"{name}.parquet", table, {"settings_hash": OWN})
    write_alerts(scan_run(made, load_rules("anger")))
    return made


def outdate(run: Run, name: str) -> None:
    """Let a table of the run be one of another analysis."""
    path = run.folder / f"{name}.parquet"
    write_table(path, pq.read_table(path), {"settings_hash": OTHER})
    if name == "alerts":
        content = json.loads((run.folder / "alerts.json").read_text())
        (run.folder / "alerts.json").write_text(json.dumps(content | {"settings_hash": OTHER}))


@dataclass(frozen=True)
class Known:
    """What some readers were given before the run was replaced."""

    found: RunAlerts
    alert_id: str
    profile: Profile


def known_of(run: Run) -> Known:
    found = scan_run(run, load_rules("anger"))
    return Known(found, found.records[0].alert_id, profile_run(run.folder))


def query(run: Run, view: str) -> object:
    return run_query(f"SELECT * FROM {view}", find_sources([run.folder]))


PAGE = ("faces", "frames", "timeline", "alerts")
READERS: dict[str, tuple[tuple[str, ...], Callable[[Run, Known], object]]] = {
    "Run.faces": (("faces",), lambda run, _: run.faces),
    "Run.frames": (("frames",), lambda run, _: run.frames),
    "Run.tracks": (("tracks",), lambda run, _: run.tracks),
    "Run.timeline": (("timeline",), lambda run, _: run.timeline),
    "alerts": (("faces", "frames"), lambda run, _: scan_run(run, load_rules("anger"))),
    "alerts --explain": (("faces", "frames"), lambda run, _: explain(run, load_rules("anger"), 6.0)),
    "alerts --evidence": (("faces",), lambda _, known: write_evidence(known.found)),
    "alerts review": (("alerts",), lambda run, known: write_verdict(run, known.alert_id, "true")),
    "annotate": (("faces", "frames"), lambda run, _: annotate_run(run)),
    "annotate, timeline": (("timeline", "alerts"), lambda run, _: _timeline_strip(run, (0, 9), width_px=9, text_px=9)),
    "compact": (ALL, lambda run, _: compact_runs(find_sources([run.folder]), run.folder.parent / "out")),
    "export events": (("faces", "frames", "alerts"), lambda run, _: export_runs([run.folder], ["vtt"])),
    "profile": (("faces", "frames"), lambda run, _: profile_run(run.folder)),
    "profile stills": (("faces",), lambda run, known: take_stills(run.folder, known.profile)),
    "report": (PAGE, lambda run, _: write_reports([run.folder])),
    "review: a card": (("alerts",), lambda run, _: make_card(run.folder)),
    "review: a page": (PAGE, lambda run, _: run_content(run)),
    "review: a strip": (("timeline", "alerts"), lambda run, _: make_strip(run.folder)),
    "review: a thumbnail": (("alerts",), lambda run, _: Previews((run.folder,)).thumbnail(run)),
    "review: alerts": (("alerts",), lambda run, _: read_alerts(run)),
}
READERS |= {f"query {view}": ((view,), lambda run, _, view=view: query(run, view)) for view in ALL}
READERS |= {
    f"export {table}": ((table,), lambda run, _, table=table: export_runs([run.folder], ["csv"], table=table))
    for table in ALL
}
NEEDS_A_VIDEO = ("alerts --evidence", "annotate", "profile stills", "review: a thumbnail")
"""Their tables are read before the video, which is not there."""
PAIRS = [(name, table) for name, (tables, _) in READERS.items() for table in tables]


@pytest.mark.parametrize(("name", "table"), PAIRS)
def test_a_table_of_other_settings_is_refused(run: Run, name: str, table: str) -> None:
    read, known = READERS[name][1], known_of(run)
    outdate(run, table)
    with pytest.raises(InputError, match=rf"{table}\.(parquet|json) .*replaced by one with other settings") as caught:
        read(run, known)
    assert "\n" not in str(caught.value)


def test_every_table_has_readers_that_are_asked() -> None:
    assert {table for _, table in PAIRS} == set(ALL)


@pytest.mark.parametrize("name", [name for name in READERS if name not in NEEDS_A_VIDEO])
def test_its_own_tables_are_read(run: Run, name: str) -> None:
    assert READERS[name][1](run, known_of(run)) is not None


@pytest.mark.parametrize("rows_per_group", [7, 1000])
def test_rows_between_two_times_are_those_of_the_whole_table(run: Run, rows_per_group: int) -> None:
    path = run.folder / "faces.parquet"
    whole = pq.read_table(path)
    pq.write_table(whole, path, row_group_size=rows_per_group)
    for first, last in [*pairwise((-1.0, 0.0, 3.3, 3.4, 19.8, 30.0)), (4.0, 4.0), (9.0, 8.0)]:
        expected = [row for row in whole.select(["frame", "time_s"]).to_pylist() if first <= row["time_s"] <= last]
        found = read_table(run.folder, OWN, "faces", ["frame"], between=(first, last))
        assert found.to_pylist() == [{"frame": row["frame"]} for row in expected]


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_table_that_cannot_be_read_is_one_line(run: Run, damage: str) -> None:
    path = run.folder / "timeline.parquet"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut off":
        path.write_bytes(content[:-20])
    with pytest.raises(InputError, match="Analyse its video again") as caught:
        _ = run.timeline
    assert "\n" not in str(caught.value)


def test_a_run_is_shown_in_a_line(run: Run) -> None:
    assert repr(run) == f"<Run {str(run.folder)!r} of 'clip.mp4', complete>"


def test_a_notebook_shows_a_run_with_its_own_plot_alone(run: Run) -> None:
    plot = b"\x89PNG of this run"
    (run.folder / "timeline.png").write_bytes(plot)
    outputs = {"timeline.png": hashlib.sha256(plot).hexdigest()}
    named = replace(run.manifest, outputs=outputs, video_path="/videos/<b>clip.mp4")
    shown = replace(run, manifest=named)._repr_html_()
    assert base64.b64encode(plot).decode() in shown
    assert "&lt;b&gt;clip.mp4, 20.0 s, complete" in shown
    assert "100 in 1 track; a usable face 100% of the time" in shown
    assert "peak 0.90 at 5.0 s, track 0" in shown
    (run.folder / "timeline.png").write_bytes(b"of another run")
    assert "<img" not in replace(run, manifest=named)._repr_html_()


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0.0, None, 15.5), (0.0, 2.0, 2.0), (10.0, None, 5.5), (1.0, 99.0, 14.5)]
)
def test_speed_counts_the_part_that_was_analysed(start: float, end: float | None, expected: float) -> None:
    assert analysed_seconds(15.5, {"start_seconds": start, "end_seconds": end}) == expected
