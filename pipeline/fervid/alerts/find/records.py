"""Alerts as table, JSON, CSV and readable lines. Finds nothing itself."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from fervid.alerts.find.finder import WHOLE_FRAME
from fervid.alerts.find.machine import Alert
from fervid.alerts.language.rules import BoundRule
from fervid.base.clock import clock
from fervid.base.printable import counted
from fervid.base.widths import columns_of, left
from fervid.run.handle import Run

NEEDS_REVIEW = "needs review"
TO_THE_SECOND = len("2026-11-20T22:00:00")
DETAILS = ("frame", "label", "confidence", "margin", "quality", "x", "y", "w", "h")
"""Columns of the face at the peak that are stored with an alert."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert. Times are seconds of the video; the box and the values of the face are those at its peak."""

    alert_id: str
    video_id: str
    video: str
    camera: str
    rule: str
    wording: str
    tier: str
    severity: str
    start_s: float
    raised_s: float
    end_s: float
    peak_s: float
    peak_score: float
    enter: float
    exit: float
    track_id: int | None
    track_ids: tuple[int, ...]
    n_events: int
    n_held_back: int
    label: str | None
    confidence: float | None
    margin: float | None
    quality: float | None
    x: float | None
    y: float | None
    w: float | None
    h: float | None
    start_clock: str | None

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def who(self) -> str:
        """The face at the peak; for a group rule the number of usable faces there."""
        if self.track_id is not None:
            return f"track {self.track_id}"
        n = len(self.track_ids)
        return counted(n, "face") if n else "no usable face"

    def text(self) -> str:
        """The alert as a sentence."""
        who = self.who
        if self.track_id is not None and len(self.track_ids) > 1:
            who += f" and {len(self.track_ids) - 1} more"
        quality = "" if self.quality is None else f", quality {self.quality:.2f}"
        return (
            f"{self.wording}, {clock(self.start_s)} to {clock(self.end_s)}, {who}, "
            f"score {self.peak_score:.2f}{quality}: {NEEDS_REVIEW}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "track_ids": list(self.track_ids),
            "text": self.text(),
        }


def alerts_schema() -> pa.Schema:
    """One row per alert, in order of start."""
    return pa.schema(
        [
            *((name, pa.string()) for name in ("alert_id", "video_id", "video", "camera")),
            *((name, pa.string()) for name in ("rule", "wording", "tier", "severity")),
            *((name, pa.float64()) for name in ("start_s", "raised_s", "end_s", "peak_s")),
            *((name, pa.float32()) for name in ("peak_score", "enter", "exit")),
            ("track_id", pa.int32()),
            ("track_ids", pa.list_(pa.int32())),
            ("n_events", pa.int32()),
            ("n_held_back", pa.int32()),
            ("label", pa.string()),
            *((name, pa.float32()) for name in ("confidence", "margin", "quality", "x", "y", "w", "h")),
            ("start_clock", pa.string()),
        ]
    )


def make_record(
    bound: BoundRule,
    alert: Alert,
    run: Run,
    *,
    video: str,
    camera: str,
    details: dict[str, Any] | None,
    tracks: Sequence[int],
    recorded: datetime | None,
) -> AlertRecord:
    """The record of an alert; `details` are the DETAILS of the face at its peak, None in a group rule."""
    rule, peak = bound.rule, alert.peak
    start = alert.start
    identity = f"{run.manifest.video_id}/{rule.name}/{round(start * 1000)}"
    values = {name: (details or {}).get(name) for name in DETAILS if name != "frame"}
    return AlertRecord(
        alert_id=hashlib.blake2b(identity.encode(), digest_size=6).hexdigest(),
        video_id=run.manifest.video_id,
        video=video,
        camera=camera,
        rule=rule.name,
        wording=rule.wording,
        tier=rule.tier,
        severity=rule.severity,
        start_s=start,
        raised_s=alert.raised,
        end_s=alert.end,
        peak_s=peak.peak_time,
        peak_score=peak.peak,
        enter=rule.enter,
        exit=rule.leave,
        track_id=None if peak.track_id == WHOLE_FRAME else peak.track_id,
        track_ids=tuple(tracks),
        n_events=len(alert.events),
        n_held_back=len(alert.held_back),
        start_clock=None if recorded is None else (recorded + timedelta(seconds=start)).isoformat(timespec="seconds"),
        **values,
    )


def alerts_table(records: Sequence[AlertRecord]) -> pa.Table:
    """Records as an Arrow table."""
    return pa.Table.from_pylist([asdict(record) for record in records], schema=alerts_schema())


def alerts_csv(records: Sequence[AlertRecord]) -> str:
    """Records as CSV with a header. Texts that look like formulas get a leading quote."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    names = [*alerts_schema().names, "text"]
    writer.writerow(names)
    for record in records:
        row = record.to_json() | {"track_ids": " ".join(map(str, record.track_ids))}
        writer.writerow([_cell(row[name]) for name in names])
    return out.getvalue()


def readable(records: Sequence[AlertRecord]) -> str:
    """Records as aligned lines; empty without any."""
    if not records:
        return ""
    has_clock = any(record.start_clock for record in records)
    by_clock = ("at",) if has_clock else ()
    rows: list[tuple[str, ...]] = [("tier", "rule", *by_clock, "start", "end", "lasts", "score", "what")]
    for record in records:
        by_clock = ((record.start_clock or "")[:TO_THE_SECOND].replace("T", " "),) if has_clock else ()
        held = f", {record.n_held_back} more in cooldown" if record.n_held_back else ""
        rows.append(
            (
                f"{record.tier}/{record.severity}",
                record.rule,
                *by_clock,
                clock(record.start_s),
                clock(record.end_s),
                f"{record.duration_s:.1f} s",
                f"{record.peak_score:.2f}",
                f"{record.wording}, {record.who}{held}: {NEEDS_REVIEW}",
            )
        )
    widths = [max(columns_of(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [left(text, width) for text, width in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[-1]]))
    return "\n".join(lines)


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
