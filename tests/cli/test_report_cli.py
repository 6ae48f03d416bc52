"""`fervid report` as a user meets it: one file for a run and for a folder, links that lead to the video."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

import fervid
from fervid.run.find import shared_folder
from runner import run_fervid
from synthetic import constant_rate, write_video


def embedded(page: str, name: str) -> dict:
    found = re.search(rf'id="{name}">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def test_a_run_and_a_folder_become_one_file_each_that_finds_the_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "odd & <b> name.mp4", constant_rate(3))
    run = fervid.analyze(video, out=tmp_path / "runs", device="cpu", plot=False)
    done = run_fervid("report", str(run.folder))
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    assert page == run.folder / "report.html"
    text = page.read_text(encoding="utf-8")
    data = embedded(text, "fervid-data")
    media = embedded(text, f"run-{data['runs'][0]['id']}")["media"]
    assert media["plays"] is True
    assert (page.parent / unquote(media["file"])).resolve() == video.resolve()
    assert str(tmp_path) not in text

    shutil.copytree(run.folder, tmp_path / "runs" / "again")
    (tmp_path / "runs" / "failed.jsonl").write_text('{"video": "/x/bad.mp4", "status": "rejected", "reason": "no"}\n')
    done = run_fervid("report", str(tmp_path / "runs"))
    data = embedded((tmp_path / "runs" / "report.html").read_text(encoding="utf-8"), "fervid-data")
    assert len(data["runs"]) == 2
    assert data["failures"] == [{"name": "bad.mp4", "status": "rejected", "reason": "no"}]
    assert {card["fitness"]["verdict"] for card in data["runs"]} <= {"fit", "limited", "not_fit"}


def test_runs_of_places_far_apart_are_reported_on_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shared_folder([Path("/srv/a/one"), Path("/home/b/two")]) == tmp_path
    assert shared_folder([Path("/srv/a/one"), Path("/srv/b/two")]) == Path("/srv")
    assert shared_folder([Path("/srv/a/one")]) == Path("/srv/a/one")


def test_a_folder_without_runs_is_one_clear_line(tmp_path: Path) -> None:
    done = run_fervid("report", str(tmp_path))
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "contains no complete run" in done.stderr
