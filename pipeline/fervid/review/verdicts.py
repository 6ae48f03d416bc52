"""Verdicts as the page sends them: read from JSON, stored run by run, and answered with what stands now."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fervid.alerts.review.opinions import Judgement, Kept, write_judgements
from fervid.alerts.review.reviews import account_name
from fervid.base.printable import printable
from fervid.errors import InputError, OutputError
from fervid.review.queue import shown_review
from fervid.run.handle import Run

LONGEST_NAME = 60
MOST_AT_ONCE = 1000

RunOf = Callable[[str], Run]
"""A run by its name in addresses. Raises UnknownRun, a KeyError, or InputError."""


@dataclass(frozen=True, slots=True)
class Said:
    """Verdicts of one person, each with the name of its run."""

    by: str
    judgements: tuple[tuple[str, Judgement], ...]


def read_said(body: bytes, run: str | None = None) -> Said:
    """What a page sent: `{by, verdicts: [{run, alert_id, verdict, reason, seen}]}`, or one such about `run`.

    Raises ValueError for anything else.
    """
    try:
        content = json.loads(body)
        entries = [content | {"run": run}] if run is not None else content["verdicts"]
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_AT_ONCE:
            raise ValueError(f"expected 1 to {MOST_AT_ONCE} verdicts")
        judgements = tuple((str(entry["run"]), _judgement(entry)) for entry in entries)
        name = " ".join(printable(str(content.get("by") or "")).split())[:LONGEST_NAME]
        name.encode()
    except (TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise ValueError(str(problem)) from None
    return Said(name or account_name(), judgements)


def store_said(said: Said, run_of: RunOf) -> list[dict[str, Any]]:
    """Store verdicts, those of a run in one step; answers in the order in which they came.

    Each is `{run, alert_id, review, reviews}`, with `conflict` where a newer verdict of somebody else is in the way, or
    with `error` alone.
    """
    by_run: dict[str, list[int]] = {}
    for i, (name, _) in enumerate(said.judgements):
        by_run.setdefault(name, []).append(i)
    answers: dict[int, dict[str, Any]] = {}
    for name, places in by_run.items():
        own = [said.judgements[i][1] for i in places]
        try:
            kept = write_judgements(run_of(name).folder, own, said.by)
        except (InputError, OutputError, KeyError) as problem:
            reason = "This run is not served here." if isinstance(problem, KeyError) else str(problem)
            kept = [Kept(one.alert_id, problem=reason) for one in own]
        answers |= {i: _answer(name, one) for i, one in zip(places, kept, strict=True)}
    return [answers[i] for i in range(len(said.judgements))]


def _judgement(entry: Any) -> Judgement:
    seen: Sequence[Any] | None = entry.get("seen")
    judgement = Judgement(
        str(entry["alert_id"]),
        entry["verdict"],
        str(entry.get("reason") or ""),
        None if seen is None else frozenset((str(by), str(at)) for by, at in seen),
    )
    f"{judgement.alert_id}{judgement.reason}{judgement.verdict}".encode()  # a lone surrogate cannot be stored
    if not isinstance(judgement.verdict, str | None):
        raise ValueError("a verdict is a word")
    return judgement


def _answer(run: str, kept: Kept) -> dict[str, Any]:
    answer: dict[str, Any] = {"run": run, "alert_id": kept.alert_id}
    if kept.problem:
        return answer | {"error": kept.problem}
    reviews = [shown_review(one) for one in kept.standing]
    answer |= {"reviews": reviews, "review": reviews[-1] if reviews else None}
    return answer if kept.conflict is None else answer | {"conflict": shown_review(kept.conflict)}
