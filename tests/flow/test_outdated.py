"""An analysis with other settings takes away every file that any command made of the result before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fervid
from fervid.review.preview import Previews
from fervid.review.preview_cache import MARKER
from fervid.run.files import DERIVED
from runner import run_fervid
from synthetic import constant_rate, write_video

RULES = '[[rule]]\nname = "any-face"\nwording = "a face"\nscore = "confidence"\nenter = 0.0\nfor = "1s"\n'
LOGS = {"reviews.parquet", "evidence-audit.jsonl", "HOLD.json", DERIVED, f"previews/{MARKER}"}
"""What is kept of a run whatever its settings: verdicts, what was written with open faces, holds."""


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def used(tmp_path: Path) -> tuple[Path, set[str]]:
    """A run on which every command was run that writes into its folder, and the names of the analysis's own files."""
    video = write_video(tmp_path / "clip.mp4", constant_rate(3))
    run = fervid.analyze(video, out=tmp_path / "runs", device="cpu")
    own = files_of(run.folder)
    (tmp_path / "any.toml").write_text(RULES)
    folder = str(run.folder)
    commands = [
        ("alerts", folder, "--rules", str(tmp_path / "any.toml"), "--evidence", "--blur", "others"),
        ("annotate", folder, "--end", "1s", "-q"),
        ("annotate", folder, "--end", "1s", "-q", "-o", str(run.folder / "mine.mp4")),
        ("report", folder),
        ("profile", folder),
        ("purge", str(tmp_path / "runs"), "--hold", folder, "--reason", "asked for"),
        *(("export", folder, "--format", form) for form in ("csv", "jsonl", "vtt", "eaf", "otio", "openface")),
    ]
    for command in commands:
        done = run_fervid(*command)
        assert done.returncode == 0, (command, done.stderr)
    previews = Previews((run.folder,))
    previews.clip(run, 0)
    previews.thumbnail(run)
    (alert,) = json.loads((run.folder / "alerts.json").read_text())["alerts"]
    done = run_fervid("alerts", "review", folder, "--alert", alert["alert_id"], "--verdict", "false")
    assert done.returncode == 0, done.stderr
    return run.folder, own


def test_nothing_of_the_result_before_is_left_beside_another(used: tuple[Path, set[str]], tmp_path: Path) -> None:
    folder, own = used
    made = files_of(folder) - own - LOGS
    assert {"alerts.csv", "alerts.html", "annotated.mp4", "evidence.zip", "mine.mp4", "profile.png"} < made
    assert {"report.html", "exports/clip.vtt", "previews/thumbnail.jpg"} < made
    (folder / "notes.txt").write_text("mine")
    again = ("analyze", str(tmp_path / "clip.mp4"), "-o", str(tmp_path / "runs"), "--bin", "2s", "-q")
    for workers in ("1", "2"):
        held = run_fervid(*again, "--workers", workers)
        assert held.returncode == 75
        assert "is on hold, so its result is not replaced" in held.stderr
        assert len(held.stderr.splitlines()) == 1
    assert made < files_of(folder)
    assert run_fervid("purge", "--release", str(folder)).returncode == 0
    done = run_fervid(*again)
    assert done.returncode == 0, done.stderr
    assert files_of(folder) == own | (LOGS - {DERIVED, "HOLD.json"}) | {"notes.txt"}
    (line,) = [line for line in done.stderr.splitlines() if "removed with the earlier result" in line]
    assert f"and {len(made) - 5} more" in line
