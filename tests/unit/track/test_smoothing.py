"""Smoothing in seconds: what a half-life means, and what the two forms may see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fervid.track.smoothing import ExponentialSmoother

HALF_LIFE = 0.4
SMOOTHER = ExponentialSmoother(half_life_seconds=HALF_LIFE)
Form = Callable[[np.ndarray, np.ndarray], np.ndarray]
BOTH = pytest.mark.parametrize("form", [SMOOTHER.causal, SMOOTHER.zero_phase], ids=["causal", "zero-phase"])
REGULAR = np.arange(201) * 0.1


def irregular(n: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).choice([0.02, 0.033, 0.04, 0.08, 0.16], size=n))


def probabilities(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(7), n).astype(np.float32)


def two_classes(happy: np.ndarray) -> np.ndarray:
    return np.stack([1 - happy, happy], axis=1)


@BOTH
def test_no_samples_stay_no_samples(form: Form) -> None:
    smoothed = form(np.zeros(0), np.zeros((0, 7), np.float32))
    assert (smoothed.shape, smoothed.dtype) == ((0, 7), np.float32)


@BOTH
def test_one_sample_stays_as_it_is(form: Form) -> None:
    values = probabilities(1)
    np.testing.assert_array_equal(form(np.array([3.0]), values), values)


@BOTH
@pytest.mark.parametrize("times", [REGULAR, irregular(50), np.array([0.0, 1e-6, 1000.0])])
def test_a_constant_stays_constant(form: Form, times: np.ndarray) -> None:
    values = np.tile(np.array([[0.1, 0.2, 0.7]], np.float32), (len(times), 1))
    np.testing.assert_allclose(form(times, values), values, atol=1e-6)


@BOTH
def test_rows_stay_rows_that_sum_to_one(form: Form) -> None:
    smoothed = form(irregular(300), probabilities(300))
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, atol=1e-6)
    assert (smoothed >= 0).all()
    assert smoothed.std() < 0.7 * probabilities(300).std()


def test_both_forms_are_the_weighted_means_that_they_promise() -> None:
    times, values = irregular(80), probabilities(80)
    kernel = 0.5 ** (np.abs(times[:, None] - times[None, :]) / HALF_LIFE)
    edges = np.concatenate([[2 * times[0] - times[1]], times, [2 * times[-1] - times[-2]]])
    seconds_each = (edges[2:] - edges[:-2]) / 2
    for form, weights in ((SMOOTHER.zero_phase, kernel * seconds_each), (SMOOTHER.causal, np.tril(kernel))):
        means = weights @ values / weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(form(times, values), means, atol=1e-6)


@pytest.mark.parametrize(
    ("seconds_away", "share"), [(0.0, 1.0), (0.2, 0.5**0.5), (0.4, 0.5), (0.8, 0.25), (1.6, 0.0625)]
)
def test_an_impulse_loses_half_its_weight_in_each_half_life(seconds_away: float, share: float) -> None:
    impulse, there = 100, 100 + round(seconds_away / 0.1)
    values = two_classes((np.arange(201) == impulse).astype(float))
    zero_phase = SMOOTHER.zero_phase(REGULAR, values)[:, 1]
    causal = SMOOTHER.causal(REGULAR, values)[:, 1]
    assert zero_phase[there] / zero_phase[impulse] == pytest.approx(share, rel=1e-4)
    assert zero_phase[200 - there] / zero_phase[impulse] == pytest.approx(share, rel=1e-4)
    assert causal[there] / causal[impulse] == pytest.approx(share, rel=1e-4)
    assert causal[99] == 0


@pytest.mark.parametrize("step", [20, 60, 100, 180])
def test_a_step_stays_in_its_place_in_the_zero_phase_form(step: int) -> None:
    smoothed = SMOOTHER.zero_phase(REGULAR, two_classes((np.arange(201) >= step).astype(float)))[:, 1]
    assert (np.diff(smoothed) >= -1e-6).all()
    assert int(np.argmax(smoothed >= 0.5)) == step
    # One sample either side of the middle of the step the two weigh the same.
    assert smoothed[step - 1] + smoothed[step] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("missed_share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(10))
def test_a_step_stays_within_one_sample_at_the_times_of_sampled_frames(seed: int, missed_share: float) -> None:
    rng = np.random.default_rng(seed)
    times = (np.arange(100) + rng.uniform(0, 0.8, 100)) / 5  # the first frame of each slot comes when it comes
    times = times[rng.random(100) >= missed_share]
    step = len(times) // 2
    smoothed = SMOOTHER.zero_phase(times, two_classes((np.arange(len(times)) >= step).astype(float)))[:, 1]
    assert abs(int(np.argmax(smoothed >= 0.5)) - step) <= 1


def test_the_causal_form_reaches_a_step_one_half_life_late() -> None:
    smoothed = SMOOTHER.causal(REGULAR, two_classes((np.arange(201) >= 100).astype(float)))[:, 1]
    assert (smoothed[:100] == 0).all()
    # The samples at 10.0, 10.1, 10.2 and 10.3 s fill the last half-life up to 10.3 s.
    assert smoothed[103] == pytest.approx(0.5, abs=1e-5)
    assert smoothed[107] == pytest.approx(0.75, abs=1e-5)


@pytest.mark.parametrize("now", [0, 10, 48])
def test_the_causal_form_uses_no_future(now: int) -> None:
    times, values = irregular(50), probabilities(50)
    changed = values.copy()
    changed[now + 1 :] = probabilities(50, seed=1)[now + 1 :]
    whole, other = SMOOTHER.causal(times, values), SMOOTHER.causal(times, changed)
    np.testing.assert_array_equal(other[: now + 1], whole[: now + 1])
    np.testing.assert_array_equal(SMOOTHER.causal(times[: now + 1], values[: now + 1]), whole[: now + 1])
    assert (other[now + 1] != whole[now + 1]).any()


def test_the_zero_phase_form_is_the_same_backwards() -> None:
    times, values = irregular(100), probabilities(100)
    backwards = SMOOTHER.zero_phase(-times[::-1], values[::-1])[::-1]
    np.testing.assert_allclose(backwards, SMOOTHER.zero_phase(times, values), atol=1e-7)


@BOTH
def test_only_differences_of_time_count(form: Form) -> None:
    times, values = irregular(50), probabilities(50)
    np.testing.assert_allclose(form(times + 36_000, values), form(times, values), atol=1e-6)


@pytest.mark.parametrize("name", ["causal", "zero_phase"])
def test_a_half_life_of_zero_changes_nothing(name: str) -> None:
    values = probabilities(50)
    np.testing.assert_array_equal(
        getattr(ExponentialSmoother(half_life_seconds=0), name)(irregular(50), values), values
    )


@BOTH
def test_the_given_values_are_left_alone(form: Form) -> None:
    times, values = irregular(20), probabilities(20)
    times.flags.writeable = values.flags.writeable = False
    form(times, values)
    np.testing.assert_array_equal(values, probabilities(20))
