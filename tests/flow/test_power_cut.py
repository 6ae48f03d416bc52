"""The power goes at any moment of a command: the same command ends as if nothing had happened, and no word is broken.

A sample of the moments here; all of them with `-m slow`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.alerts.review.report import write_report
from fervid.alerts.review.reviews import read_history, write_verdict
from fervid.config import Settings, load_settings
from fervid.query.compact import compact_runs
from fervid.query.sources import find_sources
from fervid.run.files import MANIFEST
from fervid.upkeep.retention import purge
from fervid.upkeep.verify import verify_run
from power_cut import Recording, recorded
from synthetic import constant_rate, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which files are synced")

SETTINGS = ("detect.detector=fake", "video.segment_seconds=1")
RULES = {"rule": [{"name": "any", "wording": "a face", "score": "confidence", "enter": 0.0, "for": "0.5s"}]}
SAMPLES = [pytest.param(5, id="sample"), pytest.param(1, id="all", marks=pytest.mark.slow)]


def settings(*more: str) -> Settings:
    return load_settings(assignments=[*SETTINGS, *more], environment={})


@pytest.fixture(scope="module", autouse=True)
def fakes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, fakes_in_the_tables(patch):
        yield


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("video")
    return write_video(place / "clip.mp4", constant_rate(2), lambda _: square_picture(220))


@pytest.fixture(scope="module")
def made(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run. For reading only."""
    out = tmp_path_factory.mktemp("made") / "out"
    fervid.analyze(video, out=out, settings=settings(), device="cpu")
    return out


def run_in(out: Path) -> Path:
    (run,) = [path.parent for path in out.rglob(MANIFEST)]
    return run


def contents(out: Path, pattern: str = "*") -> dict[str, bytes]:
    """Every file but those with times of running in them, and locks, which a file left behind does not close."""
    leave = {MANIFEST, "purge.jsonl", "derived.jsonl", "reviews.parquet"}
    files = [path for path in out.rglob(pattern) if path.is_file() and path.suffix != ".lock"]
    files = [path for path in files if path.name not in leave]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def check_every_state(
    recording: Recording, unbroken: Path, command: Callable[[Path], object], folder: Path, every: int
) -> int:
    """Run the command again from each state; the number of states."""
    expected = contents(unbroken)
    n = 0
    for state in recording.states(every=every):
        out = folder / f"state{n}"
        state.write(out)
        before = sorted(state.files)
        command(out)
        assert contents(out) == expected, (state.kind, before)
        for manifest in out.rglob(MANIFEST):
            assert verify_run(manifest.parent) == []
        shutil.rmtree(out)
        n += 1
    return n


@pytest.mark.parametrize("every", SAMPLES)
@pytest.mark.parametrize("is_there_before", [False, True], ids=["new", "replaced"])
def test_analyze(video: Path, made: Path, tmp_path: Path, every: int, is_there_before: bool) -> None:
    def analyze(out: Path) -> None:
        fervid.analyze(video, out=out, settings=settings(), device="cpu")

    out = tmp_path / "out"
    out.mkdir()
    if is_there_before:
        fervid.analyze(video, out=out, settings=settings("timeline.bin_seconds=2"), device="cpu")
        write_alerts_of(out)
    with recorded(out) as recording:
        analyze(out)
    assert contents(out) == contents(made)
    assert check_every_state(recording, out, analyze, tmp_path, every) > (5 if every > 1 else 25)


def write_alerts_of(out: Path) -> None:
    found = scan_run(fervid.open_run(run_in(out)), parse_rules(RULES, source="test"))
    write_alerts(found)
    write_report([found], found.run.folder)


@pytest.mark.parametrize("every", SAMPLES)
def test_alerts(made: Path, tmp_path: Path, every: int) -> None:
    out = Path(shutil.copytree(made, tmp_path / "out"))
    with recorded(out) as recording:
        write_alerts_of(out)
    assert (run_in(out) / "alerts.parquet").is_file()
    assert check_every_state(recording, out, write_alerts_of, tmp_path, every) > (2 if every > 1 else 15)


def test_no_verdict_that_was_confirmed_is_lost(made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made, tmp_path / "out"))
    write_alerts_of(out)
    (alert,) = json.loads((run_in(out) / "alerts.json").read_text())["alerts"]
    with recorded(out) as recording:
        for number in range(4):
            write_verdict(run_in(out), alert["alert_id"], "true", str(number))
            recording.confirm(str(number))
    states = list(recording.states())
    assert len(states) > 20
    for number, state in enumerate(states):
        place = tmp_path / f"state{number}"
        state.write(place)
        kept = [review.reason for review in read_history(run_in(place))]
        assert kept[: len(state.confirmed)] == list(state.confirmed)
        write_verdict(run_in(place), alert["alert_id"], "false", "after")
        assert [review.reason for review in read_history(run_in(place))] == [*kept, "after"]
        assert not list(place.rglob("*damaged*"))


def test_a_purge_notes_what_goes_and_keeps_verdicts(made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made, tmp_path / "out"))
    write_alerts_of(out)
    (run_in(out) / "case-notes.txt").write_text("mine")
    (run_in(out) / "reviews.parquet").write_text("verdicts")
    name = run_in(out).name
    with recorded(out) as recording:
        purge(out, older_than_seconds=-1)
    assert sorted(path.name for path in (out / name).iterdir()) == ["case-notes.txt", "reviews.parquet"]
    for number, state in enumerate(recording.states()):
        place = tmp_path / f"state{number}"
        state.write(place)
        is_whole = (place / name / MANIFEST).is_file()
        assert is_whole or (place / "purge.jsonl").read_text().count(name) == 1
        purge(place, older_than_seconds=-1)
        assert sorted(path.name for path in (place / name).iterdir()) == ["case-notes.txt", "reviews.parquet"]
        assert (place / "purge.jsonl").read_text().count(f'"{name}"') >= 1


@pytest.mark.parametrize("every", SAMPLES)
def test_compact(made: Path, tmp_path: Path, every: int) -> None:
    def compact(out: Path) -> None:
        compact_runs(find_sources([made]), out)

    out = tmp_path / "out"
    compact(out)
    shutil.rmtree(out)
    out.mkdir()
    with recorded(out) as recording:
        compact(out)
    for number, state in enumerate(recording.states()):
        if state.files.get("compacted.json"):
            sizes = json.loads(state.files["compacted.json"])["bytes"]
            assert sizes == {name: len(state.files[name]) for name in sizes}, number
    assert check_every_state(recording, out, compact, tmp_path, every) > (2 if every > 1 else 8)
