"""`fervid export` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alert_runs import face, make_run
from fervid.exports import ENDINGS, FORMATS
from fervid.exports.write import export_runs
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
        (["--format", "csv", "-o", "faces.vtt"], 2, "--out faces.vtt: files of the format csv end in .csv"),
        (["--format", "fer", "-o", "faces.csv"], 2, "--out faces.csv: files of the format fer end in .fer.csv"),
        (["--format", "csv", "-o", "faces.fer.csv"], 2, "files of the format csv end in .csv"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(run: Path, arguments: list[str], code: int, message: str) -> None:
    done = run_fervid("export", str(run), *arguments)
    assert done.returncode == code
    assert message in done.stderr


def test_without_a_format_the_formats_are_listed(run: Path) -> None:
    for arguments in ((), (str(run),)):
        done = run_fervid("export", *arguments)
        assert done.returncode == 0, done.stderr
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        assert [name for name, _, _ in rows] == list(FORMATS)
        assert {name: ending for name, ending, _ in rows} == ENDINGS
        assert all(len(about.split()) > 3 for _, _, about in rows)
    assert run_fervid("export", "--format", "csv").returncode == 2


def test_no_format_overwrites_the_file_of_another(run: Path, tmp_path: Path) -> None:
    for form in FORMATS:
        export_runs([run], [form], out=tmp_path / "ex")
    assert len(list((tmp_path / "ex").iterdir())) == len(FORMATS)


def test_a_file_may_be_named_by_its_ending(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "captions.vtt"
    done = run_fervid("export", str(run), "--format", "vtt", "-o", str(target))
    assert done.stdout == f"{target}\n"
    assert target.read_text(encoding="utf-8").startswith("WEBVTT")
