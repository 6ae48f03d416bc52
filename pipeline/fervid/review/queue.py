"""The alerts of a run as rows of the queue over all runs, each with everybody's verdicts.

Reads `alerts.json`, which is small, and the verdicts; no table of faces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fervid.alerts.find.records import AlertRecord, alerts_schema
from fervid.alerts.review.reviews import Review, read_history, standing_verdicts, verdicts_of
from fervid.base.printable import printable
from fervid.errors import InputError
from fervid.run.files import REVIEWS_TABLE

SHOWN = (
    "alert_id", "rule", "wording", "tier", "severity", "start_s", "end_s", "peak_s", "peak_score", "enter", "track_id",
    "track_ids", "label", "confidence", "margin", "quality", "n_events", "n_held_back", "start_clock",
)  # fmt: skip


def records_of(found: Mapping[str, Any], folder: Path) -> list[AlertRecord]:
    """The alerts within the content of `alerts.json`. Raises InputError for alerts of another kind."""
    names = alerts_schema().names
    try:
        rows = [{name: row[name] for name in names} for row in found["alerts"]]
        return [AlertRecord(**(row | {"track_ids": tuple(row["track_ids"] or ())})) for row in rows]
    except (TypeError, KeyError) as problem:
        raise InputError(f"{folder} has alerts of another kind ({problem}). Run `fervid alerts` again.") from None


def opinions_of(records: Sequence[AlertRecord], folder: Path) -> dict[str, list[Review]]:
    """By alert_id everybody's verdict about each alert, the newest last."""
    if not records or not (folder / REVIEWS_TABLE).is_file():
        return {}
    standing = standing_verdicts(read_history(folder))
    newest = verdicts_of(records, [given[-1] for given in standing.values()])
    return {alert_id: standing[review.video_id, review.alert_id] for alert_id, review in newest.items()}


def shown_review(review: Review) -> dict[str, Any]:
    """A verdict as the page has it."""
    return {"verdict": review.verdict, "reason": review.reason, "by": review.reviewer, "at": review.time_utc}


def queue_rows(
    records: Sequence[AlertRecord], opinions: Mapping[str, Sequence[Review]], size: tuple[float, float]
) -> list[dict[str, Any]]:
    """Alerts as plain values for the queue; `size` is the width and height of the video in pixels.

    `box` is the face at the peak as shares of the image: left, top, width, height.
    """
    rows = []
    for record in records:
        values = record.to_json()
        given = [shown_review(review) for review in opinions.get(record.alert_id, ())]
        rows.append(
            {name: _known(values[name]) for name in SHOWN}
            | {
                "camera": printable(record.camera),
                "box": _box(record, size),
                "reviews": given,
                "review": given[-1] if given else None,
            }
        )
    return rows


def _box(record: AlertRecord, size: tuple[float, float]) -> list[float] | None:
    sides = (record.x, record.y, record.w, record.h)
    if any(side is None or not math.isfinite(side) for side in sides) or min(size) <= 0:
        return None
    return [round(float(side or 0.0) / size[i % 2], 4) for i, side in enumerate(sides)]


def _known(value: Any) -> Any:
    """None for a number that an older run did not store."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
