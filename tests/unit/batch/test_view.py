"""The line that a terminal shows while videos are analysed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fervid.batch.job import Observed, Planned
from fervid.batch.result import COMPLETE, CRASHED, REJECTED, Result
from fervid.batch.view import View


def job(name: str) -> Any:
    return SimpleNamespace(path=Path(name), video_id=name)


def planned(*lengths: float, to_observe: tuple[int, ...]) -> Planned:
    return Planned(sum(lengths), lengths, to_observe, b"")


def shown(view: View) -> str:
    view._bar.refresh()
    return str(view._bar)


def test_of_many_videos_it_says_how_many_how_fast_and_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([50.0, 100.0, *[110.0] * 20])
    monkeypatch.setattr("fervid.batch.view.time.monotonic", lambda: next(seconds))
    view = View(4, is_shown=True)
    view.count(Result(Path("before"), COMPLETE, was_there=True))
    view.begin()
    view.planned(job("a"), planned(30, 30, to_observe=(0, 1)))
    view.observed(job("a"), 0, Observed({}, 30.0, 200))
    view.reached(job("a"), 1, 10.0)
    view.ended(job("a"), Result(Path("a"), COMPLETE))
    assert "2 of 4 videos, 4.0x real time" in shown(view)
    assert "40/180 s of video" in shown(view)  # two that were not opened yet are expected to be as long as the first
    assert "failed" not in shown(view)
    view.ended(job("b"), Result(Path("b"), REJECTED))
    view.ended(job("c"), Result(Path("c"), CRASHED))
    view.observed(job("a"), 1, Observed({}, 30.0, 0))
    assert shown(view).startswith("a: 100%")
    assert "60/60 s of video" in shown(view)
    assert "4 of 4 videos, 6.0x real time, 2 failed" in shown(view)
    view.close()
    capsys.readouterr()


def test_of_one_video_it_says_how_far_it_is_and_what_was_there_before(capsys: pytest.CaptureFixture[str]) -> None:
    view = View(1, is_shown=True)
    view.begin()
    view.planned(job("line\nbreak.mp4"), planned(30, 30, 30, to_observe=(1, 2)))
    assert shown(view).startswith("line\\nbreak.mp4:  33%")
    view.reached(job("line\nbreak.mp4"), 1, 15.0)
    assert "50%" in shown(view)
    assert "45/90 s of video" in shown(view)
    view.observed(job("line\nbreak.mp4"), 1, Observed({}, 30.0, 0))
    view.observed(job("line\nbreak.mp4"), 2, Observed({}, 30.000001, 0))
    assert "100%" in shown(view)
    view.close()
    capsys.readouterr()


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    for is_shown in (True, False):  # not before it is begun, and then not where nobody looks
        view = View(2, is_shown=is_shown)
        view.count(Result(Path("a"), COMPLETE))
        view.clear()
        view.close()
    view.begin()
    view.observed(job("a"), 0, Observed({}, 30.0, 200))
    view.ended(job("a"), Result(Path("a"), COMPLETE))
    view.close()
    assert capsys.readouterr() == ("", "")
