"""What there is to do in a batch: order, doubles, what was done, what failed, what is still being written."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fervid.base import assets
from fervid.batch.discover import Discovery, Handling
from fervid.batch.failures import remember
from fervid.batch.ids import Ids
from fervid.batch.job import Method, VideoJob
from fervid.batch.result import CRASHED, GROWING, REJECTED, SAME, Result
from fervid.config import load_settings
from fervid.emotion.model import load_model_info
from fervid.errors import InputError


@pytest.fixture(scope="module")
def method() -> Method:
    """The default method; nothing is run by it."""
    settings = load_settings(environment={})
    return Method.of(settings, load_model_info(assets.model_folder(settings.emotion.model)), "litert")


def discover(folder: Path, method: Method, **handling: object) -> Discovery:
    """Look at the files of a folder, in order of name."""
    out = folder.parent / "out"
    found = Discovery(out, lambda _: method, Handling(plot=False, **handling), Ids(out))  # type: ignore[arg-type]
    found.look_at(sorted(folder.iterdir()))
    return found


def videos(tmp_path: Path, **contents: bytes) -> Path:
    """A folder of files that were written an hour ago."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
        os.utime(folder / f"{name}.mp4", (time.time() - 3600,) * 2)
    return folder


def take_all(found: Discovery, seconds: float = 60) -> list[VideoJob]:
    jobs, deadline = [], time.monotonic() + seconds
    while not found.is_exhausted:
        assert time.monotonic() < deadline
        if (job := found.take()) is not None:
            jobs.append(job)
    return jobs


def test_nothing_named_is_nothing_to_do(tmp_path: Path, method: Method) -> None:
    found = discover(videos(tmp_path), method)
    assert found.is_exhausted
    assert found.take() is None
    assert found.results == []


def test_the_largest_comes_first(tmp_path: Path, method: Method) -> None:
    found = discover(videos(tmp_path, a=b"a", c=b"c" * 300, b=b"b" * 20), method)
    assert [job.path.stem for job in take_all(found)] == ["c", "b", "a"]
    assert found.n_bytes == 321


def test_one_content_is_one_job_under_however_many_names(tmp_path: Path, method: Method) -> None:
    folder = videos(tmp_path, a=b"same", b=b"same", c=b"other")
    os.link(folder / "c.mp4", folder / "d.mp4")
    (folder / "e.mp4").symlink_to("c.mp4")
    found = discover(folder, method)
    assert sorted(job.path.stem for job in take_all(found)) == ["a", "c"]
    assert [(result.path.stem, result.status) for result in found.results] == [("d", SAME), ("e", SAME), ("b", SAME)]
    assert "has the same content as" in found.results[2].reason


def test_what_cannot_be_opened_is_said_and_costs_no_other(tmp_path: Path, method: Method) -> None:
    folder = videos(tmp_path, empty=b"", good=b"good")
    (folder / "nowhere.mp4").symlink_to("missing")
    found = discover(folder, method)
    assert [job.path.stem for job in take_all(found)] == ["good"]
    assert [(result.path.stem, result.status) for result in found.results] == [
        ("empty", REJECTED),
        ("nowhere", REJECTED),
    ]


def test_what_failed_before_is_not_tried_again_unless_asked(tmp_path: Path, method: Method) -> None:
    folder = videos(tmp_path, a=b"a", b=b"b")
    (tmp_path / "out").mkdir()
    for job in take_all(discover(folder, method)):
        remember(job, Result(job.path, CRASHED, reason="it crashed. Repair it.", error=InputError("x")))
    found = discover(folder, method)
    assert found.is_exhausted
    assert {result.status for result in found.results} == {CRASHED}
    assert all(result.was_there and "--retry-failed" in result.reason for result in found.results)
    assert len(take_all(discover(folder, method, retry_failed=True))) == 2
    assert not (tmp_path / "out" / "failed").exists()  # forgotten, to be found out anew


def test_a_record_of_other_content_or_another_version_does_not_count(tmp_path: Path, method: Method) -> None:
    folder = videos(tmp_path, a=b"a")
    (tmp_path / "out").mkdir()
    (job,) = take_all(discover(folder, method))
    remember(job, Result(job.path, CRASHED, reason="x", error=InputError("x")))
    (record,) = (tmp_path / "out" / "failed").iterdir()
    for key in ("video_id", "observe_key", "version"):
        changed = json.loads(record.read_text()) | {key: "other"}
        record.write_text(json.dumps(changed))
        assert len(take_all(discover(folder, method))) == 1
        remember(job, Result(job.path, CRASHED, reason="x", error=InputError("x")))


@pytest.mark.parametrize("clock_is_off_by", [0.0, 3600.0, -3600.0], ids=["right", "an hour ahead", "an hour behind"])
def test_a_file_that_grows_is_left_out_and_one_that_settled_comes_last(
    tmp_path: Path, method: Method, clock_is_off_by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = videos(tmp_path, old=b"o", fresh=b"fresh", growing=b"growing")
    now = time.time()
    for name in ("fresh", "growing"):
        os.utime(folder / f"{name}.mp4", (now, now))
    begun = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now)  # a slow machine must not let them settle before they are seen
    found = discover(folder, method, settle_seconds=0.6)
    assert [job.path.stem for job in found.jobs] == ["old"]
    (folder / "growing.mp4").write_bytes(b"growing on")
    # The clock is set while the batch waits: what counts is time that passes.
    monkeypatch.setattr(time, "time", lambda: now + clock_is_off_by)
    assert [job.path.stem for job in take_all(found)] == ["old", "fresh"]
    assert time.monotonic() - begun >= 0.6
    assert [(result.path.stem, result.status) for result in found.results] == [("growing", GROWING)]
    assert "still growing" in found.results[0].reason


def test_a_file_from_the_future_is_watched_and_then_taken(
    tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = videos(tmp_path, a=b"a"), time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    os.utime(folder / "a.mp4", (now + 0.3,) * 2)
    found = discover(folder, method, settle_seconds=0.6)
    assert not found.jobs
    assert len(take_all(found)) == 1
    os.utime(folder / "a.mp4", (now + 10_000,) * 2)
    assert discover(folder, method, settle_seconds=0.6).jobs  # a wrong clock, not a fresh file


def test_a_file_that_goes_away_while_it_settles_is_left_out(
    tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = videos(tmp_path, a=b"a"), time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    os.utime(folder / "a.mp4", (now, now))
    found = discover(folder, method, settle_seconds=0.3)
    (folder / "a.mp4").unlink()
    assert take_all(found) == []
    assert found.results[0].status == GROWING


def test_files_read_in_their_turn_are_the_jobs_of_files_read_at_once(tmp_path: Path, method: Method) -> None:
    contents = {f"v{i:02d}": f"{i // 2}".encode() * (50 + i // 2) for i in range(40)}  # each content twice
    folder = videos(tmp_path, **contents)
    at_once = discover(folder, method)
    out = tmp_path / "out"
    in_turn = Discovery(out, lambda _: method, Handling(plot=False), Ids(out))
    in_turn.look_at(sorted(folder.iterdir()), first_bytes=0)
    assert not in_turn.jobs
    assert in_turn.n_bytes == sum(map(len, contents.values()))
    assert [job.path for job in take_all(in_turn)] == [job.path for job in take_all(at_once)]
    assert sorted(result.reason for result in in_turn.results) == sorted(result.reason for result in at_once.results)
    assert len(at_once.results) == 20
