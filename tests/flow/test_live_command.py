"""The command `fervid live`: rows, recordings, and errors in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fervid
from runner import run_fervid


def test_the_command_streams_rows_and_records(live_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["live", str(live_clip), "--pace", "unpaced", "--jsonl", "--record", str(out), "--stop-after", "0.5"]
    done = run_fervid(*arguments, "--set", "track.min_faces=1")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["type"] for row in rows] == ["frame"] * 14
    assert len(rows[0]["faces"]) == 1
    assert "14 of " in done.stderr
    (folder,) = out.iterdir()
    assert fervid.open_run(folder).frames.num_rows == 14


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gone.mp4"], 3, "gone.mp4"),
        (["CLIP", "--view", "window"], 78, "no window can be opened: there is no desktop here"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(live_clip: Path, arguments: list[str], code: int, says: str) -> None:
    given = [str(live_clip) if word == "CLIP" else word for word in arguments]
    extra = [] if "--view" in given else ["--view", "none"]
    done = run_fervid("live", *given, *extra, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
