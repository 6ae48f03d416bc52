"""Shot cuts, brightness and motion: what counts as a cut, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.interpret.cuts import FrameMeasures, find_shots, measure_frames
from fervid.observe.thumbnail import take_thumbnail

HEIGHT, WIDTH = 18, 32
ROOM = np.tile(np.linspace(20, 220, WIDTH), (HEIGHT, 1))
STREET = np.tile(np.linspace(200, 40, HEIGHT)[:, None], (1, WIDTH))
STREET[:, : WIDTH // 2] = 255 - STREET[:, : WIDTH // 2]
BLACK, WHITE = np.zeros((HEIGHT, WIDTH)), np.full((HEIGHT, WIDTH), 255.0)
RNG = np.random.default_rng(0)


def describe(
    *pictures: np.ndarray, fps: float = 5.0, threshold: float | None = 0.35, at: tuple[int, ...] = ()
) -> FrameMeasures:
    """FrameMeasures at `fps`, handed over in pieces that end at the rows `at`."""
    stack = np.array(pictures).reshape(-1, HEIGHT, WIDTH)
    thumbnails = np.clip(np.round(stack), 0, 255).astype(np.uint8)
    return measure_frames(np.split(thumbnails, at), np.arange(len(stack)) / fps, threshold=threshold)


def cuts(*pictures: np.ndarray, fps: float = 5.0, threshold: float | None = 0.35) -> list[int]:
    return np.flatnonzero(describe(*pictures, fps=fps, threshold=threshold).is_cut).tolist()


@pytest.mark.parametrize("pictures", [[], [ROOM], [BLACK]])
def test_the_first_frame_is_never_a_cut(pictures: list[np.ndarray]) -> None:
    assert cuts(*pictures) == []


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
        [ROOM, ROOM, WHITE, ROOM, ROOM],
        [ROOM, ROOM, STREET, ROOM, ROOM],
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
        "flash",
        "one damaged frame",
    ],
)
def test_one_shot_has_no_cut(pictures: list[np.ndarray]) -> None:
    assert cuts(*pictures) == []


def test_a_change_of_picture_is_a_cut_once() -> None:
    assert cuts(ROOM, ROOM, STREET, STREET, ROOM) == [2, 4]


def test_without_a_threshold_nothing_is_a_cut() -> None:
    assert cuts(ROOM, ROOM, STREET, STREET, ROOM, threshold=None) == []


def test_a_mirrored_picture_is_a_cut() -> None:
    assert cuts(ROOM, ROOM[:, ::-1]) == [1]


def test_a_leap_from_black_and_into_it_is_a_cut() -> None:
    assert cuts(BLACK, ROOM, ROOM, BLACK, BLACK) == [1, 3]


@pytest.mark.parametrize(("frames", "expected"), [(1, []), (2, [10, 12]), (8, [10, 18])])
def test_a_picture_that_comes_back_at_once_was_a_flash(frames: int, expected: list[int]) -> None:
    # 0.2 s is a flash, 0.4 s a shot of its own.
    assert cuts(*[ROOM] * 10, *[WHITE] * frames, *[ROOM] * 10) == expected


@pytest.mark.parametrize(("levels", "expected"), [(0, []), (11, []), (12, [1]), (200, [1])])
def test_flat_pictures_are_told_apart_by_their_level_alone(levels: int, expected: list[int]) -> None:
    # A quarter of the threshold is 0.0875, which is 11.2 of 128 levels.
    assert cuts(BLACK + 16, BLACK + 16 + levels) == expected


def test_the_threshold_decides() -> None:
    half = ROOM.copy()
    half[:, WIDTH // 2 :] = half[:, : WIDTH // 2 - 1 : -1]  # the right half mirrored
    correlation = np.corrcoef(np.round(ROOM).ravel(), np.round(half).ravel())[0, 1]
    levels = np.abs(np.round(ROOM) - np.round(half)).mean() / 128
    change = max((1 - correlation) / 2, levels)
    assert 0.1 < change < 0.5
    assert cuts(ROOM, half, threshold=change - 0.01) == [1]
    assert cuts(ROOM, half, threshold=change + 0.01) == []


def test_in_a_picture_that_moves_all_the_time_no_change_is_a_cut() -> None:
    noise = [RNG.uniform(0, 255, ROOM.shape) for _ in range(9)]
    still = [STREET] * 4
    moving = [np.roll(STREET, 4 * i, axis=1) * (1 - 0.02 * i) for i in range(9)]
    assert cuts(*moving, threshold=0.2, fps=25) == []
    assert cuts(*still, *noise[:1] * 4, fps=25) == [4]


@pytest.mark.parametrize("at", [(1,), (2,), (3,), (4,), (5,), (1, 2, 3, 4, 5, 6, 7), (4, 4)])
def test_where_pieces_end_makes_no_difference(at: tuple[int, ...]) -> None:
    story = [ROOM, STREET, STREET, STREET, WHITE, STREET, ROOM * 0.9, ROOM]
    whole, pieces = describe(*story), describe(*story, at=at)
    assert whole.is_cut.tolist() == pieces.is_cut.tolist() == [i in (1, 6) for i in range(8)]
    np.testing.assert_array_equal(whole.brightness, pieces.brightness)
    np.testing.assert_array_equal(whole.motion, pieces.motion)


def test_brightness_is_the_mean_level() -> None:
    assert describe(BLACK, WHITE, BLACK + 51).brightness.tolist() == pytest.approx([0, 1, 0.2])


@pytest.mark.parametrize("fps", [5.0, 10.0, 50.0])
def test_motion_does_not_depend_on_the_sampling(fps: float) -> None:
    # The level rises by 25.5 a second: by 0.02 of the range over 0.2 s.
    frames = [BLACK + 50 + 25.5 * i / fps for i in range(int(2 * fps))]
    motion = describe(*frames, fps=fps).motion
    assert np.isnan(motion[0])
    assert motion[int(0.2 * fps) + 1 :] == pytest.approx(0.02, abs=0.004)  # levels are whole numbers


def test_motion_is_not_measured_across_a_cut() -> None:
    motion = describe(*[ROOM] * 5, *[STREET] * 5, fps=10).motion
    assert np.isnan(motion).tolist() == [i in (0, 5, 6) for i in range(10)]
    assert np.nanmax(motion) == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], []), ([1], []), ([6], [6]), ([6, 8], [6]), ([6, 8, 14], [6, 14]), ([1, 7], [7])],
    ids=["none", "just after the start", "one", "two close", "counted from the last that counts", "start and one"],
)
def test_a_cut_close_to_the_last_one_begins_no_shot(rows: list[int], expected: list[int]) -> None:
    is_cut = np.isin(np.arange(20), rows)
    shots = find_shots(is_cut, np.arange(20) / 10, min_shot_seconds=0.55)
    assert np.flatnonzero(shots).tolist() == expected
    assert find_shots(is_cut, np.arange(20) / 10, min_shot_seconds=0).tolist() == is_cut.tolist()


def fade(hold: int, *, steps: int = 4, after: np.ndarray = STREET) -> list[np.ndarray]:
    """Five frames of the room, down to black, `hold` frames of it, up to another picture."""
    down = [ROOM * (1 - i / steps) for i in range(1, steps)]
    return [*[ROOM] * 5, *down, *[BLACK] * hold, *[after * (i / steps) for i in range(1, steps)], *[after] * 5]


@pytest.mark.parametrize("at", [(), (8,), (9,), tuple(range(1, 15))])
def test_a_fade_through_black_to_another_picture_is_one_cut(at: tuple[int, ...]) -> None:
    found = np.flatnonzero(describe(*fade(2), fps=10, at=at).is_cut)
    assert len(found) == 1
    assert 8 <= found[0] <= 9


def test_a_fade_to_black_and_back_to_the_same_picture_is_none() -> None:
    assert cuts(*fade(2, after=ROOM), fps=10) == []


def test_a_long_darkness_is_a_scene_and_no_fade() -> None:
    assert cuts(*fade(25), fps=10) == []


@pytest.mark.parametrize("shape", [(18, 32), (10, 20), (90, 700), (700, 90), (361, 641)])
def test_a_thumbnail_holds_the_levels_of_the_picture(shape: tuple[int, int]) -> None:
    across = np.linspace(20, 220, shape[1])
    thumbnail = take_thumbnail(np.tile(np.round(across), (shape[0], 1)).astype(np.uint8), (WIDTH, HEIGHT))
    assert (thumbnail.shape, thumbnail.dtype) == ((HEIGHT, WIDTH), np.uint8)
    expected = np.interp((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(shape[1]) + 0.5) / shape[1], across)
    assert np.abs(thumbnail - expected).max() <= 4


def test_a_thumbnail_averages_noise_away() -> None:
    noisy = np.random.default_rng(1).normal(128, 20, (360, 640)).clip(0, 255).astype(np.uint8)
    assert take_thumbnail(noisy, (WIDTH, HEIGHT)).std() < 20 / 4
