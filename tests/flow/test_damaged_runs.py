"""One damaged run costs one run: commands name it, do the others, and exit with 3; `verify` finds and repairs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.alerts.review.reviews import read_history, write_verdict
from fervid.config import Settings, load_settings
from fervid.run.files import OBSERVATIONS
from fervid.storage.files import file_sha256
from fervid.upkeep.repair import repair_run
from fervid.upkeep.verify import verify_run
from manifests import change_manifest
from runner import run_fervid
from synthetic import constant_rate, write_video

RULES = '[[rule]]\nname = "any-face"\nwording = "a face"\nscore = "confidence"\nenter = 0.0\nfor = "1s"\n'


def fake_settings() -> Settings:
    return load_settings(assignments=["detect.detector=fake"], environment={})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a clip with a face and an alert. For reading only."""
    place = tmp_path_factory.mktemp("made")
    video = write_video(place / "clip.mp4", constant_rate(3), lambda _: square_picture(220))
    with pytest.MonkeyPatch.context() as patch, fakes_in_the_tables(patch):
        fervid.analyze(video, out=place / "runs", settings=fake_settings(), device="cpu")
    (place / "any.toml").write_text(RULES)
    done = run_fervid("alerts", str(place / "runs"), "--rules", str(place / "any.toml"))
    assert done.returncode == 0, done.stderr
    return next((place / "runs").glob("clip-*"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def empty_tables(run: Path) -> None:
    for table in run.glob("*.parquet"):
        table.write_bytes(b"")


def foreign_table(run: Path) -> None:
    """A run of somebody else's making, whose hashes fit and whose values do not."""
    table = run / "faces.parquet"
    pq.write_table(pa.table({"time_s": ["no time"], "frame": [None]}), table)
    outputs = json.loads((run / "manifest.json").read_text())["outputs"]
    change_manifest(run, outputs=outputs | {table.name: file_sha256(table)})


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty tables": empty_tables,
    "a bit of a table": lambda run: flip(run / "faces.parquet"),
    "a bit of a manifest": lambda run: flip(run / "manifest.json"),
    "no manifest object": lambda run: (run / "manifest.json").write_text("[]"),
    "deep manifest": lambda run: (run / "manifest.json").write_text("[" * 50_000),
    "no video": lambda run: change_manifest(run, video=None),
    "endless video": lambda run: change_manifest(run, video={"duration_seconds": float("inf")}),
    "odd results": lambda run: change_manifest(run, results=-1),
    "foreign table": foreign_table,
    "bad alerts": lambda run: (run / "alerts.json").write_text('{"alerts": [{"start_s": "x"}]}'),
}


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """One run of each damage, and two good ones: the first and the last by name."""
    folder = tmp_path / "runs"
    for number, name in enumerate(("good", *DAMAGES, "good too")):
        copy = folder / f"{number:02d}-{name.replace(' ', '-')}-{made.name[-8:]}"
        shutil.copytree(made, copy)
        DAMAGES.get(name, lambda _run: None)(copy)
    return folder


TABLE_DAMAGES = len(DAMAGES) - 1
"""What reads tables does not see damage to alerts.json."""


@pytest.mark.parametrize(
    ("command", "n_refused"),
    [
        (("alerts",), TABLE_DAMAGES),
        (("report",), len(DAMAGES)),
        (("profile", "--json"), TABLE_DAMAGES),
        (("annotate", "-q", "--end", "0.4"), TABLE_DAMAGES),
        (("export", "--format", "csv"), TABLE_DAMAGES - 1),  # which asks no table what it means
        (("export", "--format", "vtt"), TABLE_DAMAGES),
    ],
)
def test_every_command_does_the_good_runs_and_names_the_others(
    runs: Path, command: tuple[str, ...], n_refused: int
) -> None:
    done = run_fervid(*command, str(runs))
    assert done.returncode == 3, done.stderr
    assert f"{n_refused} of {len(DAMAGES) + 2} runs could not be used" in done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    refused = {line.split("/runs/")[1][:2] for line in done.stderr.splitlines() if line.startswith("fervid: /")}
    assert not refused & {"00", "11"}, done.stderr


def test_queries_and_copies_leave_out_the_damaged(runs: Path, tmp_path: Path) -> None:
    done = run_fervid("query", "SELECT DISTINCT run FROM faces ORDER BY run", str(runs), "--format", "csv")
    assert done.returncode == 3, done.stderr
    assert [line[:2] for line in done.stdout.split()[1:]] == ["00", "10", "11"]
    copied = run_fervid("compact", str(runs), "-o", str(tmp_path / "copy"))
    assert copied.returncode == 3
    assert copied.stdout.startswith("3 runs")
    assert not list((tmp_path / "copy").glob(".*"))


def test_one_damaged_run_alone_is_one_line(runs: Path) -> None:
    done = run_fervid("alerts", str(next(runs.glob("*foreign*"))))
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1


def test_verify_names_the_files_and_exits_with_3(runs: Path) -> None:
    done = run_fervid("verify", str(runs))
    assert done.returncode == 3, done.stderr
    lines = {line.split(": ")[0].rpartition("/")[2][3:]: line for line in done.stdout.splitlines()[:-1]}
    assert f"{len(DAMAGES) + 2} runs: 3 intact" in done.stdout  # hashes of the foreign table fit
    assert not [name for name in lines if name.startswith("good")]
    assert "faces.parquet: differs from its recorded hash" in done.stdout
    assert "alerts.json" in done.stdout
    whole = run_fervid("verify", str(next(runs.glob("00-*"))))
    assert (whole.returncode, whole.stdout) == (0, "1 run: 1 intact, 0 damaged\n")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def test_tables_are_made_again_with_the_same_bytes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    empty_tables(copy)
    flip(copy / "timeline.png")
    with fakes_in_the_tables(monkeypatch):
        done = repair_run(copy, verify_run(copy))
    assert set(done) == {"faces.parquet", "frames.parquet", "tracks.parquet", "timeline.parquet", "timeline.png"}
    assert [fault.name for fault in verify_run(copy)] == ["alerts.parquet"]  # whose rules nobody keeps
    for table in ("faces", "frames", "tracks", "timeline"):
        assert (copy / f"{table}.parquet").read_bytes() == before[f"{table}.parquet"]
    assert fervid.open_run(copy).faces.num_rows


def test_damaged_observations_are_removed_and_verdicts_put_aside(copy: Path) -> None:
    (alert,) = json.loads((copy / "alerts.json").read_text())["alerts"]
    write_verdict(copy, alert["alert_id"], "true")
    flip(copy / OBSERVATIONS / "00000.parquet")
    flip(copy / "reviews.parquet")
    faults = verify_run(copy)
    assert {fault.kind for fault in faults} == {"observations", "verdicts"}
    done = repair_run(copy, faults)
    assert set(done) == {f"{OBSERVATIONS}/00000.parquet", "reviews.parquet"}
    assert verify_run(copy) == []
    assert read_history(copy) == []
    assert len(list(copy.glob("reviews.damaged-*"))) == 1


def test_tables_without_observations_are_left_to_the_video(
    made: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(copy / OBSERVATIONS)
    (copy / "faces.parquet").write_bytes(b"")
    with fakes_in_the_tables(monkeypatch):
        assert repair_run(copy, verify_run(copy)) == {}
        again = fervid.analyze(made.parent.parent / "clip.mp4", out=copy.parent, settings=fake_settings(), device="cpu")
    assert again.folder == copy
    assert not again.was_there
    assert [fault for fault in verify_run(copy) if fault.kind == "table"] == []
