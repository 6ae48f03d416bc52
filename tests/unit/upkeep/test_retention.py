"""Old results go, held ones and everything else stay, and nothing outside the output folder is ever touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fervid.errors import ConfigError, InputError, OutputError
from fervid.run.derived import note_derived
from fervid.storage.lock import locked
from fervid.upkeep import retention
from fervid.upkeep.removal import left_in
from fervid.upkeep.retention import find_old, hold, parse_age, purge, release

MONTH = 30 * 86_400.0


def make_run(out: Path, name: str, *, days: float, is_complete: bool = True) -> Path:
    """A run folder as `analyze` leaves it, finished so many days ago."""
    run = out / name
    (run / "observations").mkdir(parents=True)
    (run / "observations" / "00000.parquet").write_bytes(b"x" * 100)
    if is_complete:
        finished = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        (run / "faces.parquet").write_bytes(b"y" * 10)
        (run / "manifest.json").write_text(json.dumps({"video_id": name[-8:] + "0" * 8, "finished_utc": finished}))
    then = time.time() - days * 86_400
    for path in (*run.rglob("*"), run):
        os.utime(path, (then, then))
    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0d", 0.0), ("45s", 45.0), ("90m", 5400.0), ("12h", 43_200.0), (" 30d ", MONTH), ("2w", 1_209_600.0)],
)
def test_an_age_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 days", "1y", "１d", "9999999999d"])
def test_another_age_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not valid"):
        parse_age(text)


def test_an_empty_folder_stays_as_it_is(tmp_path: Path) -> None:
    assert purge(tmp_path, older_than_seconds=0) == []
    assert not names(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        purge(tmp_path / "none", older_than_seconds=0)


def test_old_runs_go_whole_and_young_ones_stay_whole(tmp_path: Path) -> None:
    make_run(tmp_path, "old-0123abcd", days=31)
    make_run(tmp_path, "begun-0123abce", days=40, is_complete=False)
    young = make_run(tmp_path, "young-0123abcf", days=29)
    before = sorted(young.rglob("*"))
    dry = purge(tmp_path, older_than_seconds=MONTH, is_dry_run=True)
    assert names(tmp_path) == {"old-0123abcd", "begun-0123abce", "young-0123abcf"}
    items = purge(tmp_path, older_than_seconds=MONTH)
    assert [(item.path, item.kind) for item in items] == [(item.path, item.kind) for item in dry]
    assert names(tmp_path) == {"young-0123abcf", "purge.jsonl"}
    assert sorted(young.rglob("*")) == before
    log = [json.loads(line) for line in (tmp_path / "purge.jsonl").read_text().splitlines()]
    assert [(entry["action"], entry["what"]) for entry in log] == [
        ("remove", "begun-0123abce"),
        ("remove", "old-0123abcd"),
    ]
    assert log[1]["age_days"] == pytest.approx(31, abs=0.1)


def test_a_run_on_hold_stays_until_it_is_released(tmp_path: Path) -> None:
    run = make_run(tmp_path, "case-0123abcd", days=400)
    hold(run, reason="case 7")
    (item,) = purge(tmp_path, older_than_seconds=MONTH)
    assert item.kept_because == "on hold: case 7"
    assert run.is_dir()
    release(run)
    with pytest.raises(InputError, match="is not on hold"):
        release(run)
    purge(tmp_path, older_than_seconds=MONTH)
    assert names(tmp_path) == {"purge.jsonl"}
    actions = [json.loads(line)["action"] for line in (tmp_path / "purge.jsonl").read_text().splitlines()]
    assert actions == ["hold", "release", "remove"]


def test_a_hold_that_cannot_be_read_holds(tmp_path: Path) -> None:
    run = make_run(tmp_path, "case-0123abcd", days=400)
    (run / "HOLD.json").write_text("torn {")
    (item,) = purge(tmp_path, older_than_seconds=MONTH)
    assert item.kept_because == "on hold"


def test_a_run_that_is_being_written_stays(tmp_path: Path) -> None:
    run = make_run(tmp_path, "busy-0123abcd", days=400)
    with locked(run):
        (item,) = purge(tmp_path, older_than_seconds=MONTH)
    assert item.kept_because == "in use by a run of fervid"
    assert run.is_dir()


def test_links_are_neither_followed_nor_removed(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    out.mkdir()
    precious = make_run(outside, "precious-0123abcd", days=400)
    (outside / "video.mp4").write_bytes(b"video")
    (outside / "failed").mkdir()
    (outside / "failed" / "a-0123abcd.json").write_text("{}")
    (outside / "batch.parquet").write_bytes(b"table")
    then = time.time() - 400 * 86_400
    for path in (outside / "failed" / "a-0123abcd.json", outside / "batch.parquet"):
        os.utime(path, (then, then))
    before = sorted(outside.rglob("*"))
    (out / "linked-0123abcd").symlink_to(precious)
    (out / "failed").symlink_to(outside / "failed")
    (out / "batch.parquet").symlink_to(outside / "batch.parquet")
    run = make_run(out, "run-0123abce", days=400)
    (run / "observations" / "link").symlink_to(outside)
    (run / "video.mp4").symlink_to(outside / "video.mp4")
    purge(out, older_than_seconds=MONTH)
    assert sorted(outside.rglob("*")) == before
    assert names(out) == {"linked-0123abcd", "failed", "batch.parquet", "purge.jsonl", "run-0123abce"}
    assert left_in(run) == ("observations/link", "video.mp4")


def test_a_run_whose_observations_lead_elsewhere_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "out" / "run-0123abce").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "out" / "run-0123abce" / "observations").symlink_to(tmp_path / "outside")
    assert find_old(tmp_path / "out", older_than_seconds=-1) == []


def test_the_log_is_not_written_through_a_link_and_without_it_nothing_goes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = make_run(out, "run-0123abce", days=400)
    (out / "purge.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="so nothing more is removed"):
        purge(out, older_than_seconds=MONTH)
    assert run.is_dir()
    assert not (tmp_path / "elsewhere").exists()


def test_what_fervid_did_not_write_stays(tmp_path: Path) -> None:
    then = time.time() - 400 * 86_400
    (tmp_path / "holiday-0123abcd").mkdir()
    (tmp_path / "holiday-0123abcd" / "video.mp4").write_bytes(b"v")
    (tmp_path / "another-0123abce").mkdir()
    (tmp_path / "another-0123abce" / "manifest.json").write_text('{"video_id": "feedfeed"}')
    (tmp_path / "listed-0123abcf").mkdir()
    (tmp_path / "listed-0123abcf" / "manifest.json").write_text("[]")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "clip.mp4").write_text("mine")
    for path in tmp_path.rglob("*"):
        os.utime(path, (then, then))
    assert purge(tmp_path, older_than_seconds=MONTH) == []
    assert "purge.jsonl" not in names(tmp_path)


def test_records_and_pages_about_runs_go_by_their_own_age(tmp_path: Path) -> None:
    make_run(tmp_path, "young-0123abcf", days=1)
    then = time.time() - 40 * 86_400
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed" / "a-0123abcd.json").write_text('{"video_id": "0123abcd"}')
    (tmp_path / "failed" / "mine-0123abcd.json").write_text("{}")
    pages = ["batch.parquet", "failed.jsonl", "alerts.html", "comparison-map.png", "evidence-police-2026.zip"]
    for name in pages:
        (tmp_path / name).write_text(name)
    note_derived(tmp_path, [tmp_path / name for name in pages[:-1]])
    (tmp_path / "comparison-map.png").write_text("with my notes")
    for path in (*tmp_path.glob("*.*"), *tmp_path.glob("failed/*")):
        os.utime(path, (then, then))
    (tmp_path / "report.html").write_text("new")
    purge(tmp_path, older_than_seconds=MONTH)
    theirs = {"comparison-map.png", "evidence-police-2026.zip"}
    assert names(tmp_path) == theirs | {"failed", "report.html", "purge.jsonl", "young-0123abcf", "derived.jsonl"}
    assert names(tmp_path / "failed") == {"mine-0123abcd.json"}


def test_verdicts_and_files_of_others_stay_in_the_folder_of_a_run(tmp_path: Path) -> None:
    run = make_run(tmp_path, "old-0123abcd", days=40)
    theirs = ("case-notes.docx", "interviews/transcript.txt", "reviews.parquet", "evidence-audit.jsonl")
    for name in (*theirs, "alerts.json", "report.html"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(name)
    note_derived(run, [run / "alerts.json", run / "report.html"])
    (run / "report.html").write_text("with my notes")
    (item,) = purge(tmp_path, older_than_seconds=MONTH)
    assert set(item.left) == {*theirs, "report.html"}
    assert set(left_in(run)) == {*theirs, "report.html"}
    assert purge(tmp_path, older_than_seconds=0) == []


def test_verdicts_go_when_they_are_asked_for(tmp_path: Path) -> None:
    run = make_run(tmp_path, "old-0123abcd", days=40)
    (run / "reviews.parquet").write_text("")
    (run / "evidence-audit.jsonl").write_text("")
    purge(tmp_path, older_than_seconds=MONTH, with_verdicts=True)
    assert names(tmp_path) == {"purge.jsonl"}


def test_a_run_put_on_hold_while_others_are_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "a-0123abcd", days=40)
    run = make_run(tmp_path, "b-0123abce", days=40)
    remove = retention.remove_own_files

    def held_meanwhile(*arguments: Any, **options: Any) -> Any:
        hold(run, reason="court order 7")
        return remove(*arguments, **options)

    monkeypatch.setattr(retention, "remove_own_files", held_meanwhile)
    items = purge(tmp_path, older_than_seconds=MONTH)
    assert [item.kept_because for item in items] == ["", "on hold: court order 7"]
    assert (run / "manifest.json").is_file()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system of its own")
def test_a_full_disk_is_emptied_and_each_removal_noted(tiny_disk: Path) -> None:
    for number in range(3):
        make_run(tiny_disk, f"old-0123abc{number}", days=40)
    with pytest.raises(OSError, match="No space"):
        (tiny_disk / "filler").write_bytes(b"x" * 300_000)
    purge(tiny_disk, older_than_seconds=MONTH)
    assert names(tiny_disk) == {"filler", "purge.jsonl"}
    log = [json.loads(line)["what"] for line in (tiny_disk / "purge.jsonl").read_text().splitlines()]
    assert log == [f"old-0123abc{number}" for number in range(3)]


def test_a_copy_of_the_tables_goes_with_the_first_run_that_goes(tmp_path: Path) -> None:
    make_run(tmp_path, "run-0123abcd", days=10)
    copy = tmp_path / "all"
    copy.mkdir()
    for name in ("faces.parquet", "mine.parquet", "mine.txt"):
        (copy / name).write_text("{}")
    (copy / "compacted.json").write_text('{"rows": {"faces": 3, "../run-0123abcd/faces": 1}}')
    assert purge(tmp_path, older_than_seconds=MONTH) == []
    assert [item.kind for item in purge(tmp_path, older_than_seconds=86_400)] == ["run", "copy"]
    assert names(copy) == {"mine.txt", "mine.parquet"}


def test_what_an_interrupted_purge_left_goes_first_thing(tmp_path: Path) -> None:
    make_run(tmp_path, "old-0123abcd", days=0).rename(tmp_path / ".purged-old-0123abcd")
    purge(tmp_path, older_than_seconds=MONTH)
    assert names(tmp_path) == {"purge.jsonl"}


def test_what_is_no_run_cannot_be_held(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        hold(tmp_path, reason="")


def test_videos_made_of_images_go_by_their_age_and_files_of_others_stay(tmp_path: Path) -> None:
    then = time.time() - 40 * 86_400
    for name in ("old-0123abcd", "young-0123abce", "others-0123abcf"):
        folder = tmp_path / "sequences" / name
        folder.mkdir(parents=True)
        (folder / "frames.mov").write_bytes(b"v")
        if name != "others-0123abcf":
            (folder / "images.json").write_text("{}")
        if name != "young-0123abce":
            for path in folder.iterdir():
                os.utime(path, (then, then))
    (item,) = purge(tmp_path, older_than_seconds=MONTH)
    assert (item.path.name, item.kind) == ("old-0123abcd", "images")
    assert sorted(path.name for path in (tmp_path / "sequences").iterdir()) == ["others-0123abcf", "young-0123abce"]
