"""The commands `purge` and `doctor` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fervid.base import assets
from runner import run_fervid


def a_run(out: Path) -> Path:
    run = out / "clip-0123abcd"
    run.mkdir(parents=True)
    manifest = {"video_id": "0123abcd01234567", "finished_utc": "2020-01-01T00:00:00+00:00"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    return run


def test_purge_says_what_it_would_do_and_then_does_it(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    command = ("purge", "--older-than", "30d", "-o", str(tmp_path))
    dry = run_fervid(*command, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.splitlines()[0].startswith(f"would remove: {run}, run of ")
    assert dry.stdout.splitlines()[1].startswith("1 would be removed (0.0 MB), 0 old ones kept")
    assert run_fervid("purge", "--hold", str(run), "--reason", "case 7").stdout == f"on hold: {run}\n"
    held = run_fervid(*command, "--json")
    assert json.loads(held.stdout)["reason"] == "on hold: case 7"
    assert run_fervid("purge", "--release", str(run)).returncode == 0
    done = run_fervid(*command)
    assert done.stdout.splitlines()[-1] == "1 removed (0.0 MB), 0 old ones kept"
    assert [path.name for path in tmp_path.iterdir()] == ["purge.jsonl"]


def test_purge_takes_the_folder_as_other_commands_do(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run_fervid("purge", str(tmp_path / "out"), "--older-than", "30d", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "0 would be removed (0.0 MB), 0 old ones kept\n")
    both = run_fervid("purge", str(tmp_path / "out"), "-o", str(tmp_path), "--older-than", "30d", "--dry-run")
    assert both.returncode == 2
    assert "are different folders. Give one of them." in both.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("--older-than", "30"), ("--older-than", "30d", "--hold", "x"), ("--hold", "x", "--release", "x")],
)
def test_purge_without_one_clear_order_does_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    a_run(tmp_path)
    done = run_fervid("purge", "-o", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "clip-0123abcd").is_dir()


def test_doctor_prints_a_line_a_check(tmp_path: Path) -> None:
    done = run_fervid("doctor", "--quick", "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert f"intact and working: {assets.DEFAULT_MODEL}" in done.stdout
    as_json = run_fervid("doctor", "--quick", "-o", str(tmp_path / "file" / "out"), "--json")
    assert {json.loads(line)["check"] for line in as_json.stdout.splitlines()} >= {"versions", "opencv", "disk"}
