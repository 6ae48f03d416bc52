"""Verdicts of several people about the same alerts: none is overwritten unseen, and how well two agree.

write_judgements(folder, judgements, reviewer)   stores those that contradict no verdict that was not seen
agreements(history)                              Cohen's kappa of each two reviewers
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from fervid.alerts.review.reviews import (
    Review,
    Verdict,
    account_name,
    append_reviews,
    new_review,
    read_history,
    standing_verdicts,
)
from fervid.errors import InputError
from fervid.stats.agreement import cohen_kappa


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict that somebody gives; `seen` are the verdicts that stood on his page, as (reviewer, time_utc)."""

    alert_id: str
    verdict: Verdict | None
    reason: str = ""
    seen: frozenset[tuple[str, str]] | None = None
    """None: whatever stands may be contradicted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a judgement: the verdicts that stand now, oldest first, and the one in its way if there is one."""

    alert_id: str
    standing: tuple[Review, ...] = ()
    conflict: Review | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree on the alerts that both judged."""

    first: str
    second: str
    n_both: int
    n_same: int
    kappa: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


# Decision REV-8.
def write_judgements(folder: Path, judgements: Sequence[Judgement], reviewer: str | None = None) -> list[Kept]:
    """Store verdicts about alerts of one run in one step; returns what became of each, in their order.

    A verdict that differs from a newer one of somebody else, which the reviewer has not seen, is not stored: it comes
    back with that one as `conflict`. Raises OutputError when the run folder cannot be written.
    """
    problems: dict[int, str] = {}
    conflicts: dict[Review, Review] = {}
    reviews: dict[Review, Judgement] = {}
    made: list[Review | None] = []
    for i, one in enumerate(judgements):
        try:
            review = new_review(folder, one.alert_id, one.verdict, one.reason, reviewer=reviewer or account_name())[1]
        except InputError as problem:
            problems[i] = str(problem)
            made.append(None)
            continue
        reviews[review] = one
        made.append(review)

    def is_wanted(review: Review, before: Sequence[Review]) -> bool:
        unseen = _unseen(review, before, reviews[review].seen)
        if unseen is not None:
            conflicts[review] = unseen
        return unseen is None

    append_reviews(folder, list(reviews), is_wanted=is_wanted)
    standing = standing_verdicts(read_history(folder))
    return [
        Kept(one.alert_id, problem=problems[i])
        if review is None
        else Kept(one.alert_id, tuple(standing.get((review.video_id, review.alert_id), ())), conflicts.get(review))
        for i, (one, review) in enumerate(zip(judgements, made, strict=True))
    ]


def agreements(history: Iterable[Review]) -> list[Agreement]:
    """How far each two reviewers agree, the pairs with most alerts in common first."""
    by_reviewer: dict[str, dict[tuple[str, str], str]] = {}
    for key, given in standing_verdicts(history).items():
        for review in given:
            by_reviewer.setdefault(review.reviewer, {})[key] = review.verdict or ""
    found = []
    for first, second in combinations(sorted(by_reviewer), 2):
        both = sorted(by_reviewer[first].keys() & by_reviewer[second].keys())
        if not both:
            continue
        said = [[by_reviewer[name][key] for key in both] for name in (first, second)]
        n_same = sum(a == b for a, b in zip(*said, strict=True))
        found.append(Agreement(first, second, len(both), n_same, cohen_kappa(*said)))
    return sorted(found, key=lambda one: -one.n_both)


def describe_agreements(found: Sequence[Agreement]) -> list[str]:
    """A line for each pair."""
    return [
        f"{one.first} and {one.second}: {one.n_same} of {one.n_both} alerts alike, "
        + ("kappa undefined" if one.kappa is None else f"kappa {one.kappa:.2f}")
        for one in found
    ]


def _unseen(review: Review, before: Sequence[Review], seen: frozenset[tuple[str, str]] | None) -> Review | None:
    """The newest verdict of somebody else that contradicts a new one and was not on its reviewer's page."""
    if seen is None:
        return None
    key = review.video_id, review.alert_id
    standing = standing_verdicts(one for one in before if (one.video_id, one.alert_id) == key).get(key, [])
    if review.verdict is None and any(one.reviewer == review.reviewer for one in standing):
        return None  # those of others stay
    others = [one for one in standing if one.reviewer != review.reviewer and one.verdict != review.verdict]
    return next((one for one in reversed(others) if (one.reviewer, one.time_utc) not in seen), None)
