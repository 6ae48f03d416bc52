"""Each form that runs are exported in, read back by a reader of somebody else's where there is one."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alert_runs import HEIGHT, LABELS, WIDTH, face, make_run
from fervid.alerts.find.records import alerts_schema
from fervid.base.registry import resolve
from fervid.errors import ConfigError, OutputError
from fervid.exports import ENDINGS, FORMATS
from fervid.exports.cells import csv_text, safe_cell
from fervid.exports.events import Event, expression_events, lanes
from fervid.exports.source import RunTables, open_tables
from fervid.exports.write import export_runs
from fervid.run.io import write_table

TIMES = np.round(np.arange(25) / 5 + 0.1, 3)
"""Five seconds; each frame stands for 0.1 s to either side."""
HOSTILE = "=cmd|'/c calc'!A1 --> <b>&\t\n😀 \x07"


def looks(seconds: float, track: int, label: str, value: float = 0.8, **other: Any) -> dict[str, Any]:
    rest = (1 - value) / (len(LABELS) - 1)
    scores = {f"{kind}_{name}": value if name == label else rest for kind in "ps" for name in LABELS}
    return face(seconds, track, 0.0, label=label, **scores, **other)


def story() -> list[dict[str, Any]]:
    """Face 0: happy for 2 s, then angry for 2 s. Face 1: sad for 1 s; one frame of fear; and a face in the dark."""
    faces = [looks(t, 0, "happy" if t < 2 else "angry") for t in TIMES[:20].tolist()]
    faces += [looks(t, 1, "sad", 0.6) for t in TIMES[5:10].tolist()]
    faces += [looks(float(TIMES[10]), 1, "fear")]
    return faces + [looks(t, 2, "happy", abstain="dark") for t in TIMES[:10].tolist()]


@pytest.fixture
def run(tmp_path: Path) -> RunTables:
    folder = tmp_path / "run"
    make_run(folder, story(), TIMES, video="/footage/clip.mp4")
    alert = {"rule": "anger", "wording": HOSTILE, "start_s": 2.0, "end_s": 3.5, "peak_score": 0.8, "track_id": 0}
    later = alert | {"wording": "anger-like expression", "start_s": 3.0, "end_s": 4.0}
    write_table(folder / "alerts.parquet", pa.Table.from_pylist([alert, later], schema=alerts_schema()), {})
    return open_tables(folder)


EXPECTED = [
    ("face 0", 0.0, 2.0),
    ("face 1", 1.0, 2.0),
    ("alerts: anger", 2.0, 3.5),
    ("face 0", 2.0, 4.0),
    ("alerts: anger", 3.0, 4.0),
]


def written(run: RunTables, form: str) -> bytes:
    content = resolve(FORMATS, form, kind="format")(run)
    assert isinstance(content, bytes)
    return content


def spans(events: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
    return sorted((round(start, 3), round(end, 3)) for _, start, end in events)


def test_events_are_expressions_that_last_and_alerts(run: RunTables) -> None:
    assert [(e.lane, round(e.start_s, 3), round(e.end_s, 3)) for e in run.events] == EXPECTED
    assert [e.label for e in run.events] == ["happy", "sad", "anger", "angry", "anger"]
    assert run.events[0].text == "happy-like 0.80 (face 0)"
    assert run.events[1].score == pytest.approx(0.6, abs=1e-6)
    assert run.events[-1].text == "anger-like expression 0.80: needs review"


def test_a_run_without_faces_has_no_event_and_every_form_is_sound(tmp_path: Path) -> None:
    make_run(tmp_path / "run", [], TIMES)
    run = open_tables(tmp_path / "run")
    assert run.events == ()
    assert expression_events([], [], {}, end_s=1.0, max_hold_seconds=1.0) == []
    for form in FORMATS:
        assert isinstance(written(run, form), bytes)


def test_an_expression_goes_on_over_a_short_gap_and_ends_at_a_long_one() -> None:
    frames = [{"frame": i, "time_s": i / 5 + 0.1} for i in range(20)]

    def found(missing: tuple[int, ...]) -> list[tuple[float, float]]:
        faces = [looks(t["time_s"], 0, "sad") | {"frame": t["frame"]} for t in frames if t["frame"] not in missing]
        events = expression_events(frames, faces, {"sad": "s_sad"}, end_s=4.0, max_hold_seconds=1.0)
        return [(round(event.start_s, 3), round(event.end_s, 3)) for event in events]

    assert found((8,)) == [(0.0, 4.0)]
    assert found((8, 9)) == [(0.0, 1.6), (2.0, 4.0)]
    assert found((3, 4, 6, 7, 8)) == [(0.0, 0.6), (1.8, 4.0)]  # one frame alone is no expression


def test_an_expression_that_is_mostly_unsure_says_so(tmp_path: Path) -> None:
    faces = [looks(t, 0, "sad", 0.3, abstain="unsure" if i < 6 else None) for i, t in enumerate(TIMES[:10].tolist())]
    make_run(tmp_path / "run", faces, TIMES)
    assert [event.text for event in open_tables(tmp_path / "run").events] == ["sad-like 0.30 (face 0, unsure)"]


def test_overlapping_events_of_a_lane_get_lanes_of_their_own(run: RunTables) -> None:
    assert [*lanes(run.events)] == ["alerts: anger", "alerts: anger (2)", "face 0", "face 1"]
    for events in lanes(run.events).values():
        assert all(a.end_s <= b.start_s for a, b in pairwise(events))
    three = [Event("alert", "a", i * 0.1, 1.0, "x", 1, None, "") for i in range(3)]
    assert [*lanes(three)] == ["a", "a (2)", "a (3)"]


@pytest.mark.parametrize("form", ["vtt", "srt"])
def test_captions_are_read_by_webvtt_py(run: RunTables, tmp_path: Path, form: str) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py, which reads the captions, is not installed")
    path = tmp_path / f"captions.{form}"
    path.write_bytes(written(run, form))
    captions = list(webvtt.read(str(path)) if form == "vtt" else webvtt.from_srt(str(path)))
    found = [(caption.text, caption.start_in_seconds, caption.end_in_seconds) for caption in captions]
    times = [(caption.start, caption.end) for caption in captions]
    assert len(found) == len(EXPECTED)
    assert times[2] == ("00:00:02.000", "00:00:03.500")
    assert [round(start) for _, start, _ in found] == [0, 1, 2, 2, 3]
    assert found[0][0] == "happy-like 0.80 (face 0)"
    assert "-->" not in captions[2].raw_text if form == "srt" else "--&gt; &lt;b&gt;&amp;" in captions[2].raw_text


def test_metadata_cues_hold_json_that_gives_the_events_back(run: RunTables, tmp_path: Path) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py, which reads the captions, is not installed")
    path = tmp_path / "events.vtt"
    path.write_bytes(written(run, "vtt-metadata"))
    found = [json.loads(caption.raw_text) for caption in webvtt.read(str(path))]
    assert [(e["start_s"], e["end_s"], e["label"], e["track_id"]) for e in found] == [
        (round(e.start_s, 3), round(e.end_s, 3), e.label, e.track_id) for e in run.events
    ]
    assert found[2]["text"] == run.events[2].text


def test_annotations_are_read_by_pympi(run: RunTables, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi", reason="pympi-ling, which reads ELAN's files, is not installed")
    path = tmp_path / "clip.eaf"
    path.write_bytes(written(run, "eaf"))
    document = elan.Elan.Eaf(str(path))
    tiers = {name: document.get_annotation_data_for_tier(name) for name in document.get_tier_names()}
    assert {*tiers} == {*lanes(run.events)}
    found = [("", begin / 1000, end / 1000) for tier in tiers.values() for begin, end, *_ in tier]
    assert spans(found) == spans(EXPECTED)
    assert tiers["face 0"][1] == (2000, 4000, "angry-like 0.80 (face 0)")
    assert "<b>&" in tiers["alerts: anger"][0][2]
    assert document.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./clip.mp4"
    assert "/footage" not in path.read_text(encoding="utf-8")


def test_tab_delimited_annotations_hold_the_same(run: RunTables) -> None:
    table = pd.read_csv(io.BytesIO(written(run, "elan-tab")), sep="\t")
    found = list(zip(table["Tier"], table["Begin Time - ss.msec"], table["End Time - ss.msec"], strict=True))
    assert spans(found) == spans(EXPECTED)
    assert all(not str(text).startswith("=") for text in table["Annotation"])


def test_markers_are_read_by_opentimelineio(run: RunTables) -> None:
    otio = pytest.importorskip("opentimelineio", reason="opentimelineio, which reads the timeline, is not installed")
    timeline = otio.adapters.read_from_string(written(run, "otio").decode(), "otio_json")
    (clip,) = timeline.find_clips()
    assert clip.media_reference.target_url == "clip.mp4"
    assert clip.duration().to_seconds() == pytest.approx(run.duration_s)
    found = []
    for marker in clip.markers:
        start = marker.marked_range.start_time.to_seconds()
        found.append(("", start, start + marker.marked_range.duration.to_seconds()))
    assert spans(found) == spans(EXPECTED)
    assert clip.markers[2].metadata["fervid"]["kind"] == "alert"
    assert otio.adapters.write_to_string(timeline, "otio_json")


def test_labels_for_audacity_have_three_fields_a_line(run: RunTables) -> None:
    rows = [line.split("\t") for line in written(run, "audacity").decode().splitlines()]
    assert {len(row) for row in rows} == {3}
    assert spans([("", float(start), float(end)) for start, end, _ in rows]) == spans(EXPECTED)


def test_the_frame_of_fer_holds_each_face_of_each_frame(run: RunTables) -> None:
    table = pd.read_csv(io.BytesIO(written(run, "fer")))
    assert len(table) == len(TIMES)
    assert [name for name in table.columns if name[-1] == "0"] == ["box0", *(f"{label}0" for label in LABELS)]
    first = [name[:-1] for name in table.columns if name[-1] == "0"]
    assert first == ["box", *LABELS]
    assert json.loads(table["box0"][0]) == [100, 100, 80, 80]
    assert table["happy0"][0] == pytest.approx(0.8)
    assert table["box0"].isna().tolist() == [i >= 20 for i in range(25)]
    assert table["sad1"][5] == pytest.approx(0.6)  # between the faces 0 and 2


def test_the_table_of_py_feat_has_its_columns(run: RunTables) -> None:
    table = pd.read_csv(io.BytesIO(written(run, "py-feat")))
    box = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
    emotions = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert list(table.columns) == ["frame", "approx_time", "input", *box, *emotions, "Track"]
    assert len(table.dropna(subset=box)) == len(story())
    assert sorted(table["frame"].unique()) == list(range(25))
    assert table[emotions].sum(axis=1, skipna=False).dropna().round(3).eq(1).all()


def test_the_table_of_openface_has_its_first_columns(run: RunTables) -> None:
    table = pd.read_csv(io.BytesIO(written(run, "openface")))
    assert list(table.columns[:5]) == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert (table["success"] == 1).sum() == len(story())
    assert table["frame"].min() == 1
    assert table.loc[table["success"] == 0, "frame"].tolist() == [21, 22, 23, 24, 25]
    assert table["timestamp"].iloc[0] == pytest.approx(TIMES[0])


def test_the_response_of_rekognition_fits_its_published_shape(run: RunTables) -> None:
    botocore = pytest.importorskip(
        "botocore.session", reason="botocore, which knows the response's shape, is not installed"
    )
    validate = pytest.importorskip(
        "botocore.validate", reason="botocore, which knows the response's shape, is not installed"
    )
    content = json.loads(written(run, "rekognition"))
    shape = botocore.get_session().get_service_model("rekognition").operation_model("GetFaceDetection").output_shape
    report = validate.ParamValidator().validate(content, shape)
    assert not report.has_errors(), report.generate_report()
    types = shape.members["Faces"].member.members["Face"].members["Emotions"].member.members["Type"].enum
    assert len(content["Faces"]) == len(story())
    one = content["Faces"][0]["Face"]
    assert {emotion["Type"] for emotion in one["Emotions"]} <= set(types)
    assert one["Emotions"][0]["Confidence"] == pytest.approx(80, abs=1e-3)
    assert one["BoundingBox"] == pytest.approx(
        {"Width": 80 / WIDTH, "Height": 80 / HEIGHT, "Left": 100 / WIDTH, "Top": 100 / HEIGHT}
    )
    assert set(content) <= set(shape.members)


@pytest.mark.parametrize("table", ["faces", "frames", "alerts"])
def test_csv_and_json_lines_hold_every_row_and_column(run: RunTables, table: str) -> None:
    chosen = open_tables(run.folder, table=table)
    whole = pq.read_table(run.folder / f"{table}.parquet")
    rows = list(csv.DictReader(io.StringIO(written(chosen, "csv").decode())))
    objects = [json.loads(line) for line in written(chosen, "jsonl").decode().splitlines()]
    assert len(rows) == len(objects) == len(whole)
    assert list(rows[0]) == list(objects[0]) == whole.column_names
    assert [object_["start_s" if table == "alerts" else "time_s"] for object_ in objects] == whole[
        "start_s" if table == "alerts" else "time_s"
    ].to_pylist()
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ""),
        ("clip.mp4", "clip.mp4"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        (-1.5, -1.5),
        (None, ""),
        (True, True),
    ],
)
def test_texts_that_a_spreadsheet_would_run_get_a_quote_and_numbers_stay(cell: Any, expected: Any) -> None:
    assert safe_cell(cell) == expected
    text = csv_text(["=name", "b"], [[cell, 'a,"b"\nc']])
    assert next(csv.reader(io.StringIO(text)))[0] == "'=name"


def test_files_stand_in_the_run_or_where_asked(run: RunTables, tmp_path: Path) -> None:
    assert set(ENDINGS) == set(FORMATS)
    written_files = export_runs([run.folder], FORMATS)
    assert len({path.name for path in written_files}) == len(FORMATS)
    assert {path.parent for path in written_files} == {run.folder / "exports"}
    assert (run.folder / "exports" / "clip.faces.csv").is_file()
    (one,) = export_runs([run.folder], ["vtt"], out=tmp_path / "mine.vtt")
    assert one == tmp_path / "mine.vtt"
    again = export_runs([run.folder], ["vtt", "srt"], out=tmp_path / "all")
    assert [path.name for path in again] == ["run.vtt", "run.srt"]
    assert one.read_bytes() == again[0].read_bytes()


def test_wrong_names_and_places_are_refused(run: RunTables, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format 'mp3' does not exist. Use one of csv, jsonl"):
        export_runs([run.folder], ["mp3"])
    with pytest.raises(ConfigError, match="table 'nothing' does not exist"):
        export_runs([run.folder], ["csv"], table="nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        export_runs([run.folder], ["csv", "srt"], out=tmp_path / "file")
