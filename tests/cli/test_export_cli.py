"""`fervid export` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alert_runs import face, make_run
from runner import run_fervid


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "clip-1"
    times = np.arange(10) / 5
    make_run(folder, [face(t, 0, 0.8) for t in times.tolist()], times)
    return folder


def test_each_file_is_named_and_there(run: Path) -> None:
    done = run_fervid("export", str(run), "--format", "vtt", "--format", "csv")
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    assert files == [run / "exports" / "clip.vtt", run / "exports" / "clip.faces.csv"]
    assert "angry-like 0.80 (face 0)" in files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--format", "mp3"], 2, "format 'mp3' does not exist. Use one of csv, jsonl, vtt"),
        (["--format", "csv", "--table", "x"], 2, "table 'x' does not exist"),
        ([], 2, "Missing option '--format'"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(run: Path, arguments: list[str], code: int, message: str) -> None:
    done = run_fervid("export", str(run), *arguments)
    assert done.returncode == code
    assert message in done.stderr
