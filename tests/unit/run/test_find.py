"""What a run is and where it is found: the same for every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from alert_runs import face, make_run
from fervid.alerts.find.scan import find_runs
from fervid.batch.inputs import find_videos
from fervid.query.sources import find_sources
from fervid.review.index import RunIndex
from fervid.run.files import MANIFEST
from fervid.run.find import find_run_folders, folders_below, is_run, shared_folder


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Two runs, one of them renamed; one in a hidden folder, one behind a link, one below a run, and no run."""
    root = tmp_path / "out"
    for name in ("cam1/clip-0123abcd", "cam2/kept", ".trash/old-0123abcd", "cam2/kept/inner-0123abcd"):
        make_run(root / name, [face(0.0, 1, 0.9)], [0.0, 0.2])
    make_run(tmp_path / "elsewhere" / "far-0123abcd", [face(0.0, 1, 0.9)], [0.0, 0.2])
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "begun-0123abcd" / "observations").mkdir(parents=True)
    return root


def test_every_command_finds_the_same_runs(house: Path) -> None:
    wanted = {house / "cam1" / "clip-0123abcd", house / "cam2" / "kept"}
    assert set(find_run_folders([house])) == wanted
    assert set(folders_below(house)) == wanted
    assert {run.folder for run in find_runs([house])} == wanted
    assert set(find_sources([house]).runs) == {folder.resolve() for folder in wanted}
    index = RunIndex((house,))
    assert {index.folder(card["id"]) for card in index.listing()["runs"]} == wanted


def test_a_run_that_is_named_is_taken_wherever_it_is(house: Path) -> None:
    hidden = house / ".trash" / "old-0123abcd"
    assert find_run_folders([hidden, hidden]) == [hidden]
    assert is_run(hidden)
    assert not is_run(house / "begun-0123abcd")


def test_videos_in_a_run_are_made_from_it_and_those_beside_a_foreign_manifest_are_not(house: Path) -> None:
    for name in ("cam1/clip-0123abcd", "cam2"):
        (house / name / "video.mp4").write_bytes(b"x")
    (house / "cam2" / MANIFEST).write_text("{}")
    assert find_videos([str(house)]).videos == (house / "cam2" / "video.mp4",)


def test_what_is_about_several_runs_goes_into_the_folder_that_they_share(house: Path) -> None:
    runs = find_run_folders([house])
    assert shared_folder(runs) == house.resolve()
    assert shared_folder(runs[:1]) == runs[0]


def test_runs_that_are_not_finished_are_named(house: Path, caplog: pytest.LogCaptureFixture) -> None:
    (house / "my" / "observations").mkdir(parents=True)  # a folder of somebody else
    assert not any(folder.name == "begun-0123abcd" for folder in find_run_folders([house]))
    find_sources([house])
    said = {record.getMessage() for record in caplog.records}
    assert said == {f"1 run is not finished and left out: {house / 'begun-0123abcd'}"}
