"""Shot cuts: what counts as one, and what only looks like one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fervid.video.cuts import find_cuts

HEIGHT, WIDTH = 18, 32
ROOM = np.tile(np.linspace(20, 220, WIDTH), (HEIGHT, 1))
STREET = np.tile(np.linspace(200, 40, HEIGHT)[:, None], (1, WIDTH))
STREET[:, : WIDTH // 2] = 255 - STREET[:, : WIDTH // 2]
BLACK = np.zeros((HEIGHT, WIDTH))
RNG = np.random.default_rng(0)


def cuts(*pictures: np.ndarray, threshold: float = 0.35) -> list[bool]:
    thumbnails = np.clip(np.round(np.array(pictures).reshape(-1, HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
    return [bool(cut) for cut in find_cuts(thumbnails, threshold=threshold)]


@pytest.mark.parametrize("pictures", [[], [ROOM], [BLACK]])
def test_the_first_frame_is_never_a_cut(pictures: list[np.ndarray]) -> None:
    assert cuts(*pictures) == [False] * len(pictures)


@pytest.mark.parametrize(
    "pictures",
    [
        [ROOM] * 5,
        [BLACK] * 5,
        [BLACK + RNG.integers(0, 2, BLACK.shape) for _ in range(5)],
        [ROOM + RNG.normal(0, 10, ROOM.shape) for _ in range(5)],
        [BLACK + 100 + RNG.normal(0, 5, BLACK.shape) for _ in range(5)],
        [ROOM * exposure for exposure in (1.0, 0.4, 1.0, 0.2, 1.0)],
        [ROOM * fade for fade in (1.0, 0.75, 0.5, 0.25, 0.05, 0.0)],
        [ROOM * fade for fade in (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)],
        [np.roll(STREET, shift, axis=0) for shift in range(4)],
    ],
    ids=[
        "identical",
        "black",
        "noise in black",
        "noise",
        "noise in a flat picture",
        "exposure",
        "fade out",
        "fade in",
        "pan",
    ],
)
def test_one_shot_has_no_cut(pictures: list[np.ndarray]) -> None:
    assert cuts(*pictures) == [False] * len(pictures)


def test_a_change_of_picture_is_a_cut_once() -> None:
    assert cuts(ROOM, ROOM, STREET, STREET, ROOM) == [False, False, True, False, True]


def test_a_mirrored_picture_is_a_cut() -> None:
    assert cuts(ROOM, ROOM[:, ::-1]) == [False, True]


def test_a_leap_from_black_and_into_it_is_a_cut() -> None:
    assert cuts(BLACK, ROOM, ROOM, BLACK, BLACK) == [False, True, False, True, False]


@pytest.mark.parametrize(("levels", "expected"), [(0, False), (11, False), (12, True), (200, True)])
def test_flat_pictures_are_told_apart_by_their_level_alone(levels: int, expected: bool) -> None:
    # A quarter of the threshold is 0.0875, which is 11.2 of 128 levels.
    assert cuts(BLACK + 16, BLACK + 16 + levels) == [False, expected]


def test_the_threshold_decides() -> None:
    half = ROOM.copy()
    half[:, WIDTH // 2 :] = half[:, : WIDTH // 2 - 1 : -1]  # the right half mirrored
    correlation = np.corrcoef(np.round(ROOM).ravel(), np.round(half).ravel())[0, 1]
    levels = np.abs(np.round(ROOM) - np.round(half)).mean() / 128
    change = max((1 - correlation) / 2, levels)
    assert 0.1 < change < 0.5
    assert cuts(ROOM, half, threshold=change - 0.01) == [False, True]
    assert cuts(ROOM, half, threshold=change + 0.01) == [False, False]


def test_a_cut_depends_on_the_two_frames_beside_it_alone() -> None:
    story = [ROOM, STREET, STREET, ROOM, BLACK, ROOM]
    whole = cuts(*story)
    assert whole == [False, *(cuts(a, b)[1] for a, b in pairwise(story))]
    assert any(whole)
