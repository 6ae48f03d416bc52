"""Curves and thresholds of one class, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.stats.ranking import (
    OperatingPoint,
    area_under_roc,
    average_precision,
    count_found,
    point_at_precision,
    point_at_recall,
    point_of_best_f1,
    precision_recall_curve,
    roc_curve,
)

NONE = (np.empty(0), np.empty(0, bool))
# From the highest score on: hit, miss, hit, miss.
MIXED = (np.array([0.2, 0.9, 0.7, 0.8]), np.array([False, True, True, False]))
TIED = (np.array([0.5, 0.5, 0.5, 0.5]), np.array([True, False, False, False]))
ALL = (np.array([0.1, 0.3]), np.array([True, True]))
NO_POSITIVE = (np.array([0.1, 0.3]), np.array([False, False]))
APART = (np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]))
Case = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize(
    ("case", "thresholds", "hits", "found"),
    [
        (NONE, [], [], []),
        (MIXED, [0.9, 0.8, 0.7, 0.2], [1, 1, 2, 2], [1, 2, 3, 4]),
        (TIED, [0.5], [1], [4]),
        (ALL, [0.3, 0.1], [1, 2], [1, 2]),
    ],
)
def test_equal_scores_are_found_together(
    case: Case, thresholds: list[float], hits: list[int], found: list[int]
) -> None:
    assert [part.tolist() for part in count_found(*case)] == [thresholds, hits, found]


@pytest.mark.parametrize(
    ("case", "precision", "recall"),
    [
        (NONE, [], []),
        (MIXED, [1, 1 / 2, 2 / 3, 1 / 2], [0.5, 0.5, 1, 1]),
        (TIED, [0.25], [1]),
        (NO_POSITIVE, [0, 0], [0, 0]),
    ],
)
def test_precision_and_recall_follow_the_threshold(case: Case, precision: list[float], recall: list[float]) -> None:
    found = precision_recall_curve(*case)
    np.testing.assert_allclose(found[0], precision)
    np.testing.assert_allclose(found[1], recall)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (NONE, None),
        (NO_POSITIVE, None),
        (MIXED, 0.5 * 1 + 0.5 * 2 / 3),
        (TIED, 0.25),  # as good as guessing
        (ALL, 1),
        (APART, 1),
    ],
)
def test_average_precision_sums_the_steps(case: Case, expected: float | None) -> None:
    assert average_precision(*case) == (None if expected is None else pytest.approx(expected))


def test_the_roc_curve_starts_at_nothing_and_ends_at_everything() -> None:
    assert [part.tolist() for part in roc_curve(*NONE)] == [[0], [0]]
    assert [part.tolist() for part in roc_curve(*MIXED)] == [[0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (NONE, None),
        (ALL, None),
        (NO_POSITIVE, None),
        (MIXED, 3 / 4),  # of four pairs only 0.7 against 0.8 is in the wrong order
        (TIED, 1 / 2),
        (APART, 1),
        ((-APART[0], APART[1]), 0),
    ],
)
def test_the_area_is_the_share_of_pairs_in_order(case: Case, expected: float | None) -> None:
    assert area_under_roc(*case) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("case", "target", "expected"),
    [
        (NONE, 0.8, None),
        (NO_POSITIVE, 0.8, None),
        (MIXED, 0.8, OperatingPoint(0.9, 1, 0.5, 2 / 3)),
        (MIXED, 0.6, OperatingPoint(0.7, 2 / 3, 1, 0.8)),  # past a dip below the target
        (TIED, 0.8, None),
        (APART, 0.8, OperatingPoint(0.8, 1, 1, 1)),
    ],
)
def test_the_threshold_for_a_precision_finds_the_most(
    case: Case, target: float, expected: OperatingPoint | None
) -> None:
    assert_same_point(point_at_precision(*case, target), expected)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (NONE, None),
        (NO_POSITIVE, None),
        (MIXED, OperatingPoint(0.7, 2 / 3, 1, 0.8)),
        (TIED, OperatingPoint(0.5, 0.25, 1, 0.4)),
        (APART, OperatingPoint(0.8, 1, 1, 1)),
    ],
)
def test_the_threshold_for_a_recall_is_the_most_precise(case: Case, expected: OperatingPoint | None) -> None:
    assert_same_point(point_at_recall(*case, 0.8), expected)
    assert_same_point(point_of_best_f1(*case), expected)  # in these cases the same threshold


def assert_same_point(found: OperatingPoint | None, expected: OperatingPoint | None) -> None:
    if found is None or expected is None:
        assert found == expected
        return
    assert (found.threshold, found.precision, found.recall, found.f1) == pytest.approx(
        (expected.threshold, expected.precision, expected.recall, expected.f1)
    )
