"""The occlusion map on scores whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.charts.heat import heat_over_gray, heat_scale
from fervid.emotion.occlusion import STEPS, occlusion_map, place_in_words


def spot(top: int, left: int, level: int = 250) -> np.ndarray:
    """A gray crop with a bright square of 6 px, uint8 (48, 48)."""
    crop = np.full((48, 48), 100, np.uint8)
    crop[top : top + 6, left : left + 6] = level
    return crop


@pytest.mark.parametrize(("top", "left"), [(3, 4), (21, 21), (38, 10), (42, 42)])
def test_the_map_points_to_what_makes_the_score(top: int, left: int) -> None:
    crop = spot(top, left)
    found = occlusion_map(crop, lambda crops: (crops == 250).mean(axis=(1, 2)) * 64)
    assert found.score == pytest.approx(1)
    assert found.lowest == pytest.approx(0)
    assert found.changes.shape == (48, 48)
    assert found.changes[top + 3, left + 3] == pytest.approx(1, abs=0.35)
    assert found.changes[(top + 24) % 48, (left + 24) % 48] == pytest.approx(0, abs=1e-6)
    assert np.hypot(found.lowest_at[0] * 48 - top - 3, found.lowest_at[1] * 48 - left - 3) < 6


def test_what_speaks_against_a_label_is_below_zero() -> None:
    found = occlusion_map(spot(21, 21), lambda crops: 1 - (crops == 250).mean(axis=(1, 2)) * 64)
    assert found.changes[24, 24] == pytest.approx(-1, abs=0.1)
    assert found.changes.max() == pytest.approx(0, abs=1e-6)


def test_a_score_that_depends_on_nothing_gives_an_empty_map() -> None:
    found = occlusion_map(spot(21, 21), lambda crops: np.full(len(crops), 0.4))
    assert (found.score, found.lowest) == (pytest.approx(0.4), pytest.approx(0.4))
    assert not np.abs(found.changes).max() > 1e-6


@pytest.mark.parametrize("side", [8, 31, 48, 224])
def test_any_side_of_crops_is_taken_in_one_call(side: int) -> None:
    calls = []

    def score(crops: np.ndarray) -> np.ndarray:
        calls.append(crops.shape)
        return crops.mean(axis=(1, 2))

    assert occlusion_map(np.tile(np.arange(side, dtype=np.uint8), (side, 1)), score).changes.shape == (side, side)
    assert calls == [((STEPS + 1) ** 2 + 1, side, side)]


def test_the_crop_itself_is_left_as_it_is() -> None:
    crop = spot(10, 10)
    before = crop.copy()
    occlusion_map(crop, lambda crops: crops.mean(axis=(1, 2)))
    assert (crop == before).all()


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((0.1, 0.1), "the upper left"),
        ((0.5, 0.5), "the middle"),
        ((1.0, 0.5), "the lower centre"),
        ((0.4, 1.0), "the middle right"),
    ],
)
def test_a_place_has_a_name(at: tuple[float, float], words: str) -> None:
    assert place_in_words(at) == words


def test_heat_is_orange_for_and_blue_against_and_leaves_the_rest_gray() -> None:
    gray, changes = np.full((4, 4), 120, np.uint8), np.zeros((4, 4), np.float32)
    changes[0, 0], changes[3, 3] = 0.5, -0.5
    drawn = heat_over_gray(gray, changes, heat_scale(changes)).astype(int)
    assert drawn[0, 0, 0] > drawn[0, 0, 2] + 50
    assert drawn[3, 3, 2] > drawn[3, 3, 0] + 50
    assert (drawn[0, 3] == 120).all()
    assert heat_scale(changes * 0.01) == 0.1  # noise does not glow
    assert heat_over_gray(gray, changes, 0.5, side_px=16).shape == (16, 16, 3)
