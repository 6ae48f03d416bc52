"""Which tracks are believed: by how often they are seen, and how surely."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.track.confirm import Confirmation


def first_believed(scores: list[float], *, step: float = 0.2, min_faces: int = 3, share: float = 0.4) -> int | None:
    """With which sighting, counted from 1, a track of these scores is believed."""
    confirmation = Confirmation(min_faces=min_faces, min_expected_share=share)
    found = [bool(confirmation.update(np.array([7]), np.array([score]), step * i)[0]) for i, score in enumerate(scores)]
    assert found == sorted(found), "a track that is believed stays so"
    return found.index(True) + 1 if any(found) else None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], None),
        ([0.9] * 2, None),  # seen too few times, however surely
        ([0.9] * 3, 3),
        ([0.4] * 3, 3),
        ([0.2] * 5, None),
        ([0.2] * 23, 6),  # never sure, but there all the time
        ([0.9, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05], 7),
        ([0.01] * 60, None),
    ],
)
def test_persistence_makes_up_for_low_scores(scores: list[float], expected: int | None) -> None:
    assert first_believed(scores) == expected


def test_one_sighting_is_enough_where_that_is_asked() -> None:
    assert first_believed([0.0], min_faces=1, share=0.0) == 1
    assert first_believed([0.5], min_faces=1) == 1


@pytest.mark.parametrize("step", [0.1, 0.2, 1.0, 10.0])
def test_sightings_count_alike_at_any_usual_rate(step: float) -> None:
    assert first_believed([0.5] * 30, step=step) == 3


def test_pictures_next_to_each_other_count_by_the_time_between_them() -> None:
    assert first_believed([0.5] * 30, step=0.02) == 9  # 0.16 s, as two steps of 0.08 s
    assert first_believed([0.5] * 30, step=0.04) == 5


def test_a_track_has_to_be_seen_clearly_once_where_that_is_asked() -> None:
    def believed(scores: list[float]) -> list[bool]:
        confirmation = Confirmation(min_faces=3, min_expected_share=0.0, min_best_score=0.45)
        return [bool(confirmation.update(np.array([1]), np.array([s]), 0.2 * i)[0]) for i, s in enumerate(scores)]

    assert not any(believed([0.36, 0.44] * 40))  # the back of a head, for 16 s
    assert believed([0.3, 0.3, 0.3, 0.45, 0.3]) == [False] * 3 + [True] * 2
    assert believed([0.9, 0.3, 0.3]) == [False, False, True]


def test_tracks_are_believed_each_by_itself_and_forgotten_when_they_are_over() -> None:
    confirmation = Confirmation(min_faces=2, min_expected_share=0.0)
    assert confirmation.update(np.array([0, 1]), np.ones(2), 0.0).tolist() == [False, False]
    assert confirmation.update(np.array([1]), np.ones(1), 1.0).tolist() == [True]
    confirmation.forget(0.5)
    assert confirmation.update(np.array([1, 0]), np.ones(2), 2.0).tolist() == [True, False]
