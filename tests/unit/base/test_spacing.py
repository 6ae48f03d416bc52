"""The spacing of frames has one home, and is right where sampling is uneven."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.spacing import mean_spacing, reach, usual_spacing

AT_10_OF_24 = np.unique(np.floor(np.arange(0, 10, 1 / 24) * 10), return_index=True)[1] / 24
"""The frames of 24 per second that begin a slot of 10 per second: gaps of two and of three frames take turns."""


def test_the_rate_of_uneven_sampling_is_the_one_that_was_asked_for() -> None:
    assert 1 / usual_spacing(AT_10_OF_24) == pytest.approx(12)
    assert 1 / mean_spacing(AT_10_OF_24) == pytest.approx(10, rel=0.01)


def test_frames_reach_each_other_over_the_widest_gap_of_sampling() -> None:
    assert 2 * reach(AT_10_OF_24) == pytest.approx(3 / 24)


def test_a_stretch_that_was_left_out_is_no_sampling() -> None:
    times = np.concatenate([np.arange(0, 5, 0.2), np.arange(60, 65, 0.2)])
    assert mean_spacing(times) == pytest.approx(0.2)
    assert reach(times) == pytest.approx(0.1)


@pytest.mark.parametrize("times", [[], [3.0]])
def test_nothing_lies_between_fewer_than_two(times: list[float]) -> None:
    assert (usual_spacing(np.array(times)), mean_spacing(np.array(times)), reach(np.array(times))) == (0, 0, 0)
