"""How alike profiles are: what must not matter, what must, and what is said when evidence is missing."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.profile.similarity import (
    compare,
    meanings_of_axes,
    place_on_map,
    profile_vector,
    rank_like,
    similarity_matrix,
)
from profiles import profile, steady

SAD, HAPPY = profile(8.0, steady(8, "sad"), name="sad.mp4"), profile(8.0, steady(8, "happy"), name="happy.mp4")
NOBODY = profile(8.0, name="nobody.mp4")


def test_a_profile_is_like_itself_in_every_part() -> None:
    cosine, parts = compare(profile_vector(SAD), profile_vector(SAD))
    assert cosine == pytest.approx(1.0)
    assert len(parts) == 6
    assert list(parts.values()) == pytest.approx([1.0] * 6)


def test_the_length_of_a_video_does_not_matter() -> None:
    longer = profile(16.0, steady(16, "sad"))
    assert compare(profile_vector(SAD), profile_vector(longer))[0] == pytest.approx(1.0, abs=1e-6)


def test_expressions_matter_and_the_reason_says_so() -> None:
    other = profile(8.0, steady(8, "sad"), brightness=0.55, name="sadder.mp4")
    first, second = rank_like(SAD, [HAPPY, other])
    assert (first.name, second.name) == ("sadder.mp4", "happy.mp4")
    assert "close: " in first.reason()
    assert second.reason().startswith("close: ")
    assert "apart: arc of expressions 0.55, expressions 0.55" in second.reason()
    assert first.cosine > 0.99 > 0.8 > second.cosine


@pytest.mark.parametrize("change", [{"brightness": 0.1}, {"motion": 0.3}, {"cuts": list(range(10, 80, 10))}])
def test_picture_and_cutting_matter_without_any_face(change: dict[str, object]) -> None:
    other = profile(8.0, **change)
    assert compare(profile_vector(NOBODY), profile_vector(other))[0] < 0.97


def test_a_part_that_one_lacks_counts_against_and_one_that_both_lack_does_not() -> None:
    cosine, parts = compare(profile_vector(SAD), profile_vector(NOBODY))
    assert parts["expressions"] == 0
    assert cosine < 0.7
    cosine, parts = compare(profile_vector(NOBODY), profile_vector(NOBODY))
    assert "expressions" not in parts
    assert cosine == pytest.approx(1.0)
    assert compare(profile_vector(profile(0.0)), profile_vector(SAD))[0] == 0


def test_when_faces_are_seen_counts_once_and_not_in_the_arc_as_well() -> None:
    half = profile(8.0, steady(8, "sad", until=0.5))
    parts = compare(profile_vector(SAD), profile_vector(half))[1]
    assert parts["arc of expressions"] == pytest.approx(1.0)
    assert parts["faces on screen"] < 0.95
    late = profile(8.0, [(i, 0, "sad") for i in range(60, 80)])
    early = profile(8.0, steady(8, "sad", until=0.25))
    assert compare(profile_vector(early), profile_vector(late))[1]["arc of expressions"] == 0


def test_the_matrix_holds_what_comparing_gives() -> None:
    profiles = [SAD, HAPPY, NOBODY, profile(8.0, steady(8, "sad", until=0.5))]
    expected = [[compare(profile_vector(a), profile_vector(b))[0] for b in profiles] for a in profiles]
    np.testing.assert_allclose(similarity_matrix(profiles), expected, atol=1e-9)


def test_the_map_puts_like_profiles_together() -> None:
    places, shares = place_on_map([SAD, SAD, HAPPY])
    assert np.linalg.norm(places[0] - places[1]) < 1e-6 < np.linalg.norm(places[0] - places[2])
    assert shares[0] == pytest.approx(1.0)
    assert place_on_map([SAD])[0].tolist() == [[0, 0]]
    assert place_on_map([])[0].shape == (0, 2)


def test_an_axis_of_the_map_is_named_by_what_grows_along_it() -> None:
    many = [SAD, SAD, HAPPY, HAPPY]
    places, _ = place_on_map(many)
    first, _ = meanings_of_axes(many, places)
    is_happy_right = places[2, 0] > places[0, 0]
    assert f"{'more' if is_happy_right else 'less'} happy" in first
    assert f"{'less' if is_happy_right else 'more'} sad" in first
    assert meanings_of_axes(many[:2], places[:2]) == ("", "")
