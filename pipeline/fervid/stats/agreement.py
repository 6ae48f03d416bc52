"""Agreement of two people who judge the same items. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa (1960) of two equally long lists of names: 1 is full agreement, 0 is that of chance.

    None where it is undefined: without items, or when both gave one and the same name to all of them.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} judgements do not belong to the same items")
    n = len(first)
    if n == 0:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    names, others = Counter(first), Counter(second)
    by_chance = sum(names[name] * others[name] for name in names) / n**2
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)
