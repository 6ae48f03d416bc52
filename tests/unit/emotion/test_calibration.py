import numpy as np
import pytest

from fervid.emotion.calibration import fit_temperature, softmax
from fervid.stats.metrics import negative_log_likelihood


@pytest.mark.parametrize("shape", [(0, 7), (1, 1), (1, 7), (50, 7)])
def test_probabilities_sum_to_one(shape: tuple[int, int]) -> None:
    logits = np.random.default_rng(0).normal(0, 30, shape).astype(np.float32)
    probabilities = softmax(logits, 1.7)
    assert probabilities.shape == shape
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), np.ones(shape[0]), atol=1e-6)


def test_huge_logits_do_not_overflow() -> None:
    assert softmax(np.array([[1e30, 0.0], [-1e30, 0.0]], np.float32)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_constant_added_to_all_logits_changes_nothing() -> None:
    logits = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(softmax(logits + 100), softmax(logits))


def test_temperature_flattens_and_keeps_the_order() -> None:
    logits = np.array([[3.0, 1.0, 0.0]])
    cold, hot = softmax(logits, 0.5)[0], softmax(logits, 5.0)[0]
    assert cold[0] > softmax(logits)[0, 0] > hot[0]
    assert hot.argsort().tolist() == cold.argsort().tolist()


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_the_temperature_of_overconfident_logits_is_found(factor: float) -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 2, (20000, 5))
    labels = np.array([rng.choice(5, p=p) for p in softmax(honest)])
    temperature = fit_temperature((honest * factor).astype(np.float32), labels)
    assert temperature == pytest.approx(factor, rel=0.05)
    before, after = (negative_log_likelihood(honest * factor, labels, t) for t in (1.0, temperature))
    assert after <= before + 1e-9


def test_the_temperature_stays_within_its_bounds() -> None:
    sure, wrong = np.eye(3)[[0, 1, 2]], np.eye(3)[[1, 2, 0]]
    labels = np.arange(3)
    assert fit_temperature(sure, labels) == pytest.approx(np.exp(-2), rel=0.01)
    assert fit_temperature(wrong, labels) == pytest.approx(np.exp(2), rel=0.01)
