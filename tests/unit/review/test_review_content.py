"""What the review page is given: packed columns, strips, the content of a run, and the page that holds it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alert_runs import face, make_run
from fervid.alerts.find.samples import read_frame_times
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.alerts.review.reviews import write_verdict
from fervid.overlay.motion import FULL_SPEED
from fervid.review.cards import failures_below, make_card, strip_columns
from fervid.review.columns import ABSENT, pack, pack_times, quantise
from fervid.review.content import run_content
from fervid.review.media import browser_plays, relative_address
from fervid.review.motion import motion_content
from fervid.review.page import (
    SCRIPT,
    STATIC,
    STYLE,
    STYLES,
    bundle,
    served_file,
    served_page,
    single_file,
    static_file,
    to_json,
)  # fmt: skip
from fervid.review.report import write_reports
from fervid.run.handle import Run
from fervid.run.io import write_table


def unpack(column: dict[str, Any]) -> np.ndarray:
    """The page's side of `pack`: inflate, then a running sum that wraps."""
    dtype = {"u8": "<u1", "u16": "<u2", "u32": "<u4"}[column["kind"]]
    steps = np.frombuffer(zlib.decompress(base64.b64decode(column["data"])), dtype)
    assert len(steps) == column["n"]
    return np.cumsum(steps, dtype=steps.dtype)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Ten seconds with two tracks, one of them dark, and an anger-like stretch with an alert."""
    import pyarrow as pa

    times = [round(i / 5, 1) for i in range(50)]
    faces = [face(t, 0, 0.8 if 2 <= t <= 5 else 0.1) for t in times if t < 8]
    faces += [face(t, 1, 0.2, x=300.4, abstain="dark") for t in times if t >= 6]
    made = make_run(tmp_path / "run", faces, times)
    bins = np.arange(10.0)
    columns: dict[str, Any] = {"start_s": bins, "end_s": bins + 1, "observed_s": np.ones(10), "coverage": bins < 8}
    columns |= {f"mean_{name}": np.where(bins < 8, 0.25, np.nan) for name in made.manifest.model["labels"]}
    write_table(made.folder / "timeline.parquet", pa.table({k: np.asarray(v, float) for k, v in columns.items()}), {})
    return made


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([], "u8", []),
        ([255, 0, 255, 7], "u8", [255, 0, 255, 7]),
        ([65535, 0, 12], "u16", [65535, 0, 12]),
        ([-5, 70_000], "u16", [0, 65535]),
        ([0, 4_000_000_000, 3], "u32", [0, 4_000_000_000, 3]),
    ],
)
def test_packed_columns_come_back(values: list[int], kind: str, kept: list[int]) -> None:
    assert unpack(pack(np.array(values, np.int64), kind)).tolist() == kept


def test_times_are_milliseconds_and_shares_keep_absent_apart_from_zero() -> None:
    assert unpack(pack_times(np.array([0.0, 1.0004, 3599.9996]))).tolist() == [0, 1000, 3_600_000]
    assert quantise(np.array([0.0, 1.0, 0.5, np.nan, 1.2])).tolist() == [0, 250, 125, ABSENT, 250]


def test_a_strip_takes_from_each_bin_by_the_time_they_share() -> None:
    values = {"start_s": np.array([0.0, 2.0]), "end_s": np.array([2.0, 4.0]), "observed_s": np.array([2.0, 2.0])}
    values |= {"coverage": np.array([1.0, 0.0]), "mean_happy": np.array([0.8, np.nan])}
    coverage, means = strip_columns(values, ["happy"], 4.0, n=4)
    assert coverage.tolist() == [1, 1, 0, 0]
    assert means[0, :2].tolist() == pytest.approx([0.8, 0.8])
    assert np.isnan(means[0, 2:]).all()
    coverage, means = strip_columns({name: column[:0] for name, column in values.items()}, ["happy"], 4.0, n=2)
    assert np.isnan(coverage).all()


def test_content_holds_faces_by_track_frames_by_what_they_show_and_no_folder(run: Run) -> None:
    content = run_content(run)
    assert content["name"] == "clip.mp4"
    assert content["alerts"] is None
    tracks = unpack(content["faces"]["track"])
    assert tracks.tolist() == [0] * 40 + [1] * 20
    assert unpack(content["faces"]["x"])[-1] == 300
    assert unpack(content["faces"]["scores"][content["labels"].index("angry")])[10] == 200
    assert unpack(content["frames"]["shows"]).tolist() == [2] * 40 + [1] * 10
    reasons = ["", *content["reasons"]]
    assert reasons[unpack(content["faces"]["abstain"])[-1]] == "dark"
    assert content["fitness"]["verdict"] == "fit"
    assert "/footage" not in json.dumps(content)


def test_alerts_carry_the_newest_verdict_and_the_list_counts_it(run: Run) -> None:
    write_alerts(scan_run(run, load_rules("anger")))
    assert make_card(run.folder)["alerts"]["reviewed"] == 0
    alert = next(one for one in run_content(run)["alerts"] if one["tier"] == "alert")
    assert (alert["wording"], alert["review"]) == ("anger-like expression", None)
    write_verdict(run, alert["alert_id"], "true")
    write_verdict(run, alert["alert_id"], "false", "laughing", reviewer="AB")
    alert = next(one for one in run_content(run)["alerts"] if one["tier"] == "alert")
    assert alert["review"] == alert["reviews"][1]
    assert (alert["review"]["verdict"], alert["review"]["reason"], alert["review"]["by"]) == ("false", "laughing", "AB")
    assert [one["verdict"] for one in alert["reviews"]] == ["true", "false"]
    card = make_card(run.folder)
    assert (card["alerts"]["alerts"], card["alerts"]["reviewed"]) == (1, 1)
    assert card["fitness"]["verdict"] == "fit"


def test_a_folder_too_large_for_one_file_gets_a_page_a_run_and_a_list_that_leads_there(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run.folder, run.folder.parent / "a #2")
    assert write_reports([run.folder.parent]) == [run.folder.parent / "report.html"]
    monkeypatch.setattr("fervid.review.report.LARGEST_FILE_BYTES", 100)
    first, *pages = write_reports([run.folder.parent])
    assert first == run.folder.parent / "report.html"
    assert pages == [run.folder.parent / "a #2" / "report.html", run.folder / "report.html"]
    text = first.read_text(encoding="utf-8")
    assert text.count('id="run-') == 0
    assert pages[0].read_text(encoding="utf-8").count('id="run-') == 1
    data = re.search(r'id="fervid-data">(.*?)</script>', text)
    assert data is not None
    assert [card["href"] for card in json.loads(data[1])["runs"]] == ["a%20%232/report.html", "run/report.html"]
    assert write_reports([run.folder]) == [run.folder / "report.html"]


def test_failures_name_files_and_not_folders(tmp_path: Path) -> None:
    assert failures_below(tmp_path) == []
    entry = {"video": "/home/a/secret/b.mp4", "status": "rejected", "reason": "/home/a/secret/b.mp4 holds no video."}
    (tmp_path / "failed.jsonl").write_text(json.dumps(entry) + "\nnot json\n")
    assert failures_below(tmp_path) == [{"name": "b.mp4", "status": "rejected", "reason": "b.mp4 holds no video."}]


@pytest.mark.parametrize(
    ("codec", "container", "plays"),
    [
        ("h264", "mov,mp4,m4a", True),
        ("vp9", "matroska,webm", True),
        ("hevc", "mov,mp4,m4a", False),
        ("h264", "mpegts", False),
        ("mjpeg", "avi", False),
        ("h264", "flv", False),
    ],
)
def test_what_browsers_play(codec: str, container: str, plays: bool) -> None:
    assert browser_plays({"codec": codec, "container": container}) is plays


def test_addresses_beside_a_page_are_safe_for_any_name(tmp_path: Path) -> None:
    assert relative_address(tmp_path / "a b#1?.mp4", tmp_path / "out") == "../a%20b%231%3F.mp4"
    assert relative_address(tmp_path / '"><script>.mp4', tmp_path) == "%22%3E%3Cscript%3E.mp4"
    assert relative_address(tmp_path / "javascript:alert(1)", tmp_path) == "javascript%3Aalert%281%29"


def test_hostile_text_stays_text_in_the_page() -> None:
    name = "</script><img src=x onerror=alert(1)>\u2028<!--"
    page = single_file(name, {"title": name, "runs": []}, [("ab", {"name": name})])
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script") == 3
    embedded = re.search(r'id="run-ab">(.*?)</script>', page)
    assert embedded is not None
    assert json.loads(embedded[1]) == {"name": name}
    assert to_json("<") == '"\\u003c"'


def test_the_page_loads_nothing_and_may_reach_nothing() -> None:
    page = single_file("t", {}, [])
    assert "default-src 'none'; script-src 'sha256-" in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_modules_make_one_script_without_imports_and_names_that_meet() -> None:
    script = bundle("main.js")
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    names = Counter(re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script, re.MULTILINE))
    assert [name for name, n in names.items() if n > 1] == []
    assert all(script.count(static_file(name).splitlines()[0]) == 1 for name in STATIC if name.endswith(".js"))
    for name in STATIC:
        assert "innerHTML" not in static_file(name)
    with pytest.raises(KeyError):
        static_file("../page.py")


def test_a_served_page_asks_for_one_script_and_one_style_that_hold_all() -> None:
    addresses = re.findall(r'(?:href|src)="/static/([^"]+)"', served_page("list"))
    assert sorted(set(addresses)) == [STYLE, SCRIPT]
    assert served_file(SCRIPT) == bundle("main.js")
    assert all(static_file(name) in served_file(STYLE) for name in STYLES)


def test_motion_is_on_the_page_frame_by_frame_and_cell_by_cell(tmp_path: Path) -> None:
    times = [round(i / 5, 1) for i in range(50)]
    moves = [i < 10 for i in range(50)]
    grid = [None if i % 2 else [0.0] * 7 + [FULL_SPEED / 2 if i == 20 else 0.0] + [0.0] * 32 for i in range(50)]
    motion = {"agitation": [None if m else 0.5 for m in moves], "camera_moves": moves, "speed_grid": grid}
    made = make_run(tmp_path / "run", [], times, motion=motion)
    content = motion_content(made, read_frame_times(made))
    assert content is not None
    assert unpack(content["agitation"]).tolist() == [ABSENT] * 10 + [125] * 40
    assert unpack(content["moves"]).tolist() == [1] * 10 + [0] * 40
    heat = content["heat"]
    cells = unpack(heat["cells"]).reshape(heat["columns"] * heat["rows"], heat["n"])
    assert cells[7].tolist() == [125 if i == 10 else 0 for i in range(25)]
    assert cells[:7].max() == cells[8:].max() == 0
    plain = make_run(tmp_path / "plain", [], times)
    assert motion_content(plain, read_frame_times(plain)) is None
