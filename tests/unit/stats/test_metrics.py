import math

import numpy as np
import pytest

from fervid.stats.metrics import (
    accuracy,
    balanced_accuracy,
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    holm_adjusted,
    macro_f1,
    mcnemar_p,
    negative_log_likelihood,
    paired_difference_interval,
    precision_recall_f1,
    reliability_bins,
    top_k_accuracy,
    wilson_interval,
)

NONE = np.empty(0, np.int64)


@pytest.mark.parametrize(
    ("predicted", "labels", "expected"),
    [
        (NONE, NONE, [[0, 0], [0, 0]]),
        (np.array([1]), np.array([0]), [[0, 1], [0, 0]]),
        (np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), [[2, 1], [0, 1]]),
    ],
)
def test_a_confusion_matrix_has_labels_as_rows(
    predicted: np.ndarray, labels: np.ndarray, expected: list[list[int]]
) -> None:
    assert confusion_matrix(predicted, labels, 2).tolist() == expected


@pytest.mark.parametrize(
    ("confusion", "precision", "recall", "f1", "macro"),
    [
        ([[0, 0], [0, 0]], [0, 0], [0, 0], [0, 0], 0),
        ([[3, 0], [0, 2]], [1, 1], [1, 1], [1, 1], 1),
        ([[3, 1], [2, 4]], [0.6, 0.8], [0.75, 4 / 6], [6 / 9, 8 / 11], (6 / 9 + 8 / 11) / 2),
        ([[3, 0], [0, 0]], [1, 0], [1, 0], [1, 0], 1),  # a class that never occurs does not count
        ([[2, 2], [0, 0]], [1, 0], [0.5, 0], [2 / 3, 0], 1 / 3),  # one that is predicted does
    ],
)
def test_precision_recall_and_f1_follow_their_definitions(
    confusion: list[list[int]], precision: list[float], recall: list[float], f1: list[float], macro: float
) -> None:
    found = precision_recall_f1(np.array(confusion))
    np.testing.assert_allclose(found, [precision, recall, f1])
    assert macro_f1(np.array(confusion)) == pytest.approx(macro)


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [
        (0.0, 0, 0.0, 1.0),
        (0.0, 10, 0.0, 0.27753),  # Brown, Cai and DasGupta (2001) give these limits
        (0.5, 10, 0.23659, 0.76341),
        (1.0, 10, 0.72247, 1.0),
        (0.7, 3589, 0.68480, 0.71477),
    ],
)
def test_the_wilson_interval_equals_known_values(share: float, n: int, low: float, high: float) -> None:
    assert wilson_interval(share, n) == pytest.approx((low, high), abs=1e-4)


def test_accuracy_counts_the_largest_logit() -> None:
    logits = np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [5.0, 4.0]], np.float32)
    assert accuracy(logits, np.array([1, 0, 0, 0])) == 0.75


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_loss_of_equal_logits_is_the_log_of_their_number(temperature: float) -> None:
    assert negative_log_likelihood(np.zeros((3, 7)), np.array([0, 3, 6]), temperature) == pytest.approx(np.log(7))


def test_the_loss_of_certain_and_wrong_logits_is_finite() -> None:
    loss = negative_log_likelihood(np.array([[-1e4, 1e4]], np.float32), np.array([0]))
    assert 100 < loss < np.inf


@pytest.mark.parametrize(
    ("confidence", "hits", "expected"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [False, False], 1.0),
        ([0.75, 0.75, 0.75, 0.75], [True, True, True, False], 0.0),
        ([0.9, 0.6], [True, False], (0.1 + 0.6) / 2),
    ],
)
def test_calibration_error_is_the_gap_between_confidence_and_hits(
    confidence: list[float], hits: list[bool], expected: float
) -> None:
    probabilities = np.array([[c, 1 - c] for c in confidence])
    labels = np.array([0 if hit else 1 for hit in hits])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        ([[0, 0], [0, 0]], 0),
        ([[3, 1], [2, 4]], (3 / 4 + 4 / 6) / 2),
        ([[9, 1], [0, 0]], 0.9),  # a class without labels does not count
        ([[90, 0], [10, 0]], 0.5),  # always the commonest: accuracy 0.9
    ],
)
def test_balanced_accuracy_is_the_mean_recall(confusion: list[list[int]], expected: float) -> None:
    assert balanced_accuracy(np.array(confusion)) == pytest.approx(expected)


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 4), (2, 2 / 4), (3, 1), (9, 1)])
def test_top_k_accuracy_looks_at_the_k_largest(k: int, expected: float) -> None:
    logits = np.array([[3.0, 2, 1], [3, 2, 1], [3, 2, 1], [0, 0, 0]])
    labels = np.array([0, 1, 2, 2])  # of equal logits the first counts as the largest
    assert top_k_accuracy(logits, labels, k) == expected
    assert top_k_accuracy(logits[:0], NONE, k) == 0


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        (np.empty((0, 3)), NONE, 0),
        ([[1.0, 0, 0]], [0], 0),
        ([[1.0, 0, 0]], [1], 2),
        ([[0.5, 0.3, 0.2]], [0], 0.25 + 0.09 + 0.04),
        ([[1.0, 0], [0.5, 0.5]], [1, 1], (2 + 0.5) / 2),
    ],
)
def test_the_brier_score_is_the_squared_distance_to_the_label(
    probabilities: list[list[float]], labels: list[int], expected: float
) -> None:
    assert brier_score(np.array(probabilities), np.array(labels, np.int64)) == pytest.approx(expected)


def test_reliability_bins_hold_mean_confidence_accuracy_and_count() -> None:
    probabilities = np.array([[0.55, 0.45], [0.65, 0.35], [0.3, 0.7], [1.0, 0.0]])
    confidence, hits, count = reliability_bins(probabilities, np.array([0, 1, 1, 0]), bins=4)
    assert count.tolist() == [0, 0, 3, 1]
    np.testing.assert_allclose(confidence, [np.nan, np.nan, (0.55 + 0.65 + 0.7) / 3, 1])
    np.testing.assert_allclose(hits, [np.nan, np.nan, 2 / 3, 1])


def test_no_rows_fill_no_bin_and_have_no_calibration_error() -> None:
    confidence, hits, count = reliability_bins(np.empty((0, 7)), NONE)
    assert count.tolist() == [0] * 15
    assert np.isnan(confidence).all()
    assert np.isnan(hits).all()
    assert expected_calibration_error(np.empty((0, 7)), NONE) == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (1, 7, 18 / 256), (7, 1, 18 / 256)]
)
def test_mcnemars_exact_test_is_the_binomial_one(first: int, second: int, expected: float) -> None:
    assert mcnemar_p(first, second) == pytest.approx(expected, abs=1e-15)


def test_mcnemars_test_takes_thousands_of_cases() -> None:
    # The normal approximation with continuity correction: (|b - c| - 1) / sqrt(b + c).
    z = (2100 - 1900 - 1) / math.sqrt(4000)
    assert mcnemar_p(1900, 2100) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=5e-3)
    assert 0 <= mcnemar_p(0, 4000) < 1e-300


def test_mcnemars_test_keeps_its_level_on_equal_models() -> None:
    random = np.random.default_rng(0)
    found = [mcnemar_p(int(first), 40 - int(first)) for first in random.binomial(40, 0.5, 4000)]
    assert np.mean(np.array(found) < 0.05) <= 0.05


def test_the_interval_of_a_paired_difference_covers_it() -> None:
    random, n = np.random.default_rng(1), 400
    covered = 0
    for _ in range(1000):
        first, second, _ = random.multinomial(n, [0.06, 0.1, 0.84])
        low, high = paired_difference_interval(int(first), int(second), n)
        covered += low <= 0.04 <= high
    assert 0.93 <= covered / 1000 <= 0.98
    low, high = paired_difference_interval(0, 0, 20)
    assert low < 0 < high  # no difference seen among twenty is no proof that there is none


def test_holms_adjustment_keeps_the_order_given() -> None:
    assert holm_adjusted([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm_adjusted([0.7, 0.8]) == [1.0, 1.0]
    assert holm_adjusted([0.2]) == [0.2]
