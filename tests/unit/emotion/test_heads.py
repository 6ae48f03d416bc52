"""The probabilities of a model's labels, from the logits of one head or of two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fervid.emotion.calibration import softmax
from fervid.emotion.heads import head_columns, label_probabilities, select_heads
from fervid.emotion.model import Head, Member, ModelInfo
from fervid.errors import ConfigError

LABELS = ("angry", "happy", "sad")
FIRST = Head("fer2013", LABELS, temperature=1.0, flip_temperature=2.0)
SECOND = Head("ferplus", ("sad", "contempt", "happy", "angry"), temperature=1.0, flip_temperature=0.5)


def model(*heads: Head) -> ModelInfo:
    member = Member("none", tuple(head.name for head in heads), 0.5, 0.25)
    return ModelInfo("made-up", heads, (member,), 48, "", "", "", "", Path())


def logits_of(first: tuple[float, ...], second: tuple[float, ...] = ()) -> np.ndarray:
    return np.log(np.array([[*first, *second]], np.float32))


def test_no_face_has_no_probabilities() -> None:
    for source in ("fer2013", "ferplus", "mean"):
        found = label_probabilities(np.zeros((0, 7), np.float32), model(FIRST, SECOND), source=source)
        assert (found.shape, found.dtype) == ((0, 3), np.float32)


def test_the_columns_of_the_heads_stand_side_by_side() -> None:
    assert head_columns(model(FIRST, SECOND)) == {"fer2013": slice(0, 3), "ferplus": slice(3, 7)}


def test_one_head_answers_with_its_own_softmax_to_the_last_bit() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 3)).astype(np.float32)
    single = Head("fer2013", LABELS, 1.7, 1.7)
    np.testing.assert_array_equal(label_probabilities(logits, model(single)), softmax(logits, 1.7))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fer2013", (0.5, 0.3, 0.2)),
        ("ferplus", (0.25, 0.25, 0.5)),  # of 0.2, 0.2 and 0.4 without contempt, in the order of the labels
        ("mean", (0.375, 0.275, 0.35)),
        ("blend", (0.425, 0.285, 0.29)),
    ],
)
def test_heads_are_mapped_by_the_names_of_their_labels(source: str, expected: tuple[float, ...]) -> None:
    logits = logits_of((0.5, 0.3, 0.2), (0.4, 0.2, 0.2, 0.2))
    found = label_probabilities(logits, model(FIRST, SECOND), source=source)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [expected], atol=1e-6)
    assert found.dtype == np.float32


def test_auto_blends_both_heads_and_takes_the_only_one_of_other_models() -> None:
    both, single = model(FIRST, SECOND), model(FIRST)
    logits = logits_of((0.5, 0.3, 0.2), (0.4, 0.2, 0.2, 0.2))
    np.testing.assert_array_equal(
        label_probabilities(logits, both, source="auto"), label_probabilities(logits, both, source="blend")
    )
    assert [head.name for head in select_heads(both, "auto")] == ["fer2013", "ferplus"]
    assert [head.name for head in select_heads(single, "auto")] == ["fer2013"]


def test_each_head_has_a_temperature_of_its_own_for_flipped_means() -> None:
    logits = logits_of((0.64, 0.32, 0.04), (0.4, 0.2, 0.2, 0.2))
    both = model(FIRST, SECOND)
    roots = np.sqrt([0.64, 0.32, 0.04])
    found = label_probabilities(logits, both, source="fer2013", is_flipped=True)
    np.testing.assert_allclose(found, [roots / roots.sum()], atol=1e-6)
    squares = np.array([0.04, 0.04, 0.16])
    found = label_probabilities(logits, both, source="ferplus", is_flipped=True)
    np.testing.assert_allclose(found, [squares / squares.sum()], atol=1e-6)


@pytest.mark.parametrize("source", ["ferplus", "mean", "blend"])
def test_a_head_that_is_not_there_is_one_clear_error(source: str) -> None:
    with pytest.raises(ConfigError, match="needs a model with a ferplus head, and made-up has fer2013"):
        select_heads(model(FIRST), source)  # type: ignore[arg-type]
