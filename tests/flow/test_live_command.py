"""The command `fervid live`: rows, recordings, and errors in a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fervid
from runner import SOURCE, START, run_fervid


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("is_recorded", [True, False])
def test_ctrl_c_ends_the_view_with_what_is_true(live_clip: Path, tmp_path: Path, is_recorded: bool) -> None:
    options = ["--record", str(tmp_path / "out")] if is_recorded else []
    command = [sys.executable, "-c", START, "live", str(live_clip), "--loop", "--jsonl", *options]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as started:
        assert started.stdout is not None
        for _ in range(3):
            assert json.loads(started.stdout.readline())["type"] == "frame"
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=120)
    assert started.returncode == 130, errors
    assert "goes on from there" not in errors
    assert "frames analysed" in errors
    if is_recorded:
        (folder,) = (tmp_path / "out").iterdir()
        assert fervid.open_run(folder).frames.num_rows >= 3
        assert f"  recorded      {folder}\n  stopped       by a signal; the recording is complete\n" in errors
    else:
        assert errors.endswith("  stopped       by a signal; nothing was recorded\n")


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
