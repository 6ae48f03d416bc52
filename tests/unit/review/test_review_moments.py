"""Where somebody shows an expression for long enough, and where most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alert_runs import face, make_run
from fervid.review.index import RunIndex
from fervid.review.moments import FaceScores, ScoreShelf, longest_stretch, peaks_of, read_scores

TIMES = np.round(np.arange(50) / 5, 1)


def scores(seconds: list[float], values: list[float], tracks: list[int] | None = None) -> FaceScores:
    order = tracks or [0] * len(seconds)
    steps = np.round(np.array([values]) * 250).astype(np.uint8)
    return FaceScores(np.array(seconds), np.array(order), steps, ("happy",), 1.0, 1)


def test_without_faces_nothing_lasts() -> None:
    assert longest_stretch(scores([], []), "happy", 0.5) == (0.0, 0.0)
    assert longest_stretch(scores([1.0], [0.9]), "angry", 0.5) == (0.0, 0.0)
    assert peaks_of(scores([1.0], [0.9]), "angry") == []


def test_the_longest_stretch_of_one_face() -> None:
    seconds = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
    found = scores(seconds, [0.1, 0.6, 0.7, 0.2, 0.6, 0.6, 0.9])
    assert longest_stretch(found, "happy", 0.5) == pytest.approx((0.6, 0.8))
    assert longest_stretch(found, "happy", 0.8) == pytest.approx((0.2, 1.2))
    assert longest_stretch(found, "happy", 0.95) == (0.0, 0.0)


def test_two_faces_are_not_one_and_a_gap_ends_a_stretch() -> None:
    two = scores([0.0, 0.2, 0.4, 0.6], [0.9] * 4, [0, 0, 1, 1])
    assert longest_stretch(two, "happy", 0.5)[0] == pytest.approx(0.4)
    gap = scores([0.0, 0.2, 5.0, 5.2, 5.4], [0.9] * 5)
    assert longest_stretch(gap, "happy", 0.5) == pytest.approx((0.6, 5.0))


def test_unusable_faces_do_not_count(tmp_path: Path) -> None:
    rows = [face(t, 0, 0.9 if t < 3 else 0.1) for t in TIMES.tolist()]
    run = make_run(tmp_path / "runs" / "one", rows, TIMES)
    found = read_scores(run.folder)
    assert longest_stretch(found, "angry", 0.8) == pytest.approx((3.0, 0.0))
    assert peaks_of(found, "angry")[0]["value"] == pytest.approx(0.9, abs=0.01)
    index = RunIndex((tmp_path / "runs",))
    (name,) = index.find("angry", 0.8, 2.5)
    assert index.find("angry", 0.8, 3.5) == {}
    assert index.find("", 0, 0)[name]["faces"] == 1
    assert index.moments("angry", 3)[0]["run"] == name


def test_the_shelf_keeps_what_was_asked_for_last(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, [face(t, 0, 0.9) for t in TIMES.tolist()], TIMES) for name in "ab"]
    shelf = ScoreShelf(most_bytes=1)
    first = shelf.of(runs[0].folder, (1,))
    assert shelf.of(runs[0].folder, (1,)) is first
    shelf.of(runs[1].folder, (1,))
    assert shelf.of(runs[0].folder, (1,)) is not first
