"""Progress where stderr is a log: lines at long intervals, never a bar that is redrawn."""

from __future__ import annotations

import pytest

from fervid.base.progress import LINE_SECONDS, SECONDS_OF_VIDEO, make_bar


def test_a_log_gets_lines_at_long_intervals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_bar(600, is_shown=True) as bar:
        assert (bar.mininterval, bar.delay) == (LINE_SECONDS, LINE_SECONDS)
    monkeypatch.setattr("fervid.base.progress.LINE_SECONDS", 0.0)
    with make_bar(600, description="clip.mp4", counts=SECONDS_OF_VIDEO, is_shown=True) as bar:
        for second in range(3):
            bar.n = 6.0 * second
            bar.refresh()
    written = capsys.readouterr().err
    assert "\r" not in written
    lines = written.splitlines()
    assert lines[-1].startswith("clip.mp4:   2% 12/600 s of video [")
    assert not any("|" in line for line in lines)


def test_nothing_is_written_when_it_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with make_bar(10, is_shown=False) as bar:
        bar.update(10)
    assert capsys.readouterr().err == ""
