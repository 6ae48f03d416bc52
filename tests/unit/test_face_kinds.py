"""How the benchmark of marked faces counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import face_kinds

    yield face_kinds
    sys.modules.pop("face_kinds", None)


def test_marks_hold_every_kind_in_both_halves(kinds: ModuleType) -> None:
    choose, report = kinds.read_kinds("choose"), kinds.read_kinds("report")

    assert not choose.keys() & report.keys()
    for half in (choose, report):
        found = {kind for frames in half.values() for marks in frames.values() for kind in marks.kinds}
        assert set(kinds.KINDS) <= found
    every = [marks for frames in kinds.read_kinds().values() for marks in frames.values()]
    assert len(every) >= 150
    assert sum(int(marks.asked.sum()) for marks in every) >= 400
    assert all((marks.boxes[:, 2:] > marks.boxes[:, :2]).all() for marks in every)


def test_found_missed_false_and_nested_boxes_are_counted(kinds: ModuleType) -> None:
    marks = kinds.KindMarks(
        np.array([[100, 100, 140, 150], [300, 100, 340, 150], [500, 100, 540, 150]], float),
        ("frontal", "profile", "ignored"),
    )
    boxes = np.array([[102, 105, 138, 150], [110, 120, 125, 140], [505, 105, 540, 150], [700, 10, 740, 60]], np.float32)
    score = kinds.KindScore()

    kinds.judge(score, marks, boxes, height_px=360, min_share=0.08)

    assert (score.found["frontal"], score.marked["frontal"]) == (1, 1)
    assert (score.found["profile"], score.marked["profile"]) == (0, 1)
    assert score.marked["ignored"] == 0
    assert (score.boxes, score.false_boxes, score.nested_boxes) == (4, 1, 1)
    assert (score.frames_found, score.frames_marked) == (1, 1)


def test_every_box_is_false_where_no_face_is_marked(kinds: ModuleType) -> None:
    score = kinds.KindScore()

    kinds.judge(
        score,
        kinds.KindMarks(np.zeros((0, 4)), ()),
        np.array([[0, 0, 40, 40]], np.float32),
        height_px=360,
        min_share=0.08,
    )

    assert (score.false_boxes, score.frames_marked) == (1, 0)
