"""Agreement of two people: Cohen's kappa against a worked example."""

from __future__ import annotations

import pytest

from fervid.stats.agreement import cohen_kappa


def test_without_items_or_with_one_name_alone_it_is_undefined() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["true", "true"], ["true", "true"]) is None


def test_full_agreement_is_1_and_that_of_chance_0() -> None:
    assert cohen_kappa(["a", "b", "a"], ["a", "b", "a"]) == 1
    assert cohen_kappa(["a", "a", "b", "b"], ["a", "b", "a", "b"]) == 0
    assert cohen_kappa(["a", "b"], ["b", "a"]) == -1


def test_a_worked_example() -> None:
    # 20 both yes, 5 yes/no, 10 no/yes, 15 both no: observed 0.7, by chance 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 2 judgements"):
        cohen_kappa(["a"], ["a", "b"])
