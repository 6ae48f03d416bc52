"""Verdicts on alerts: true, false or unsure, with a reason, stored in `reviews.parquet` beside the run's tables.

    write_verdict(run_or_folder, alert_id, "false", "laughing", reviewer="AB")
    read_verdicts(run_or_folder)            the newest verdict of every alert
    standing_verdicts(history)              the verdicts of every reviewer about each alert
    verdicts_of(alerts, reviews)            which of them belong to alerts of a later search
    precision_by_rule_and_camera(reviews)   how many alerts were confirmed

Verdicts are only appended, so that the file also records who decided what and when.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fervid.alerts.find.records import AlertRecord
from fervid.base.clock import utc_now
from fervid.base.printable import counted
from fervid.errors import InputError, OutputError
from fervid.run.files import ALERTS_TABLE, REVIEWS_TABLE, table_file
from fervid.run.find import folders_below
from fervid.run.handle import Run
from fervid.run.io import write_table
from fervid.run.manifest import manifest_content
from fervid.run.tables import read_table
from fervid.stats.metrics import wilson_interval
from fervid.storage.lock import wait_for_lock
from fervid.storage.publish import sync

log = logging.getLogger(__name__)

Verdict = Literal["true", "false", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("true", "false", "unsure")

SCHEMA_VERSION, ROWS_SHA256 = "1", "rows_sha256"
LONGEST_REASON = 1000
SAME_SPAN_SHARE = 0.5
"""A verdict applies to an alert of a changed rule if they share this much of the shorter span."""

_FROM_ALERT = ("alert_id", "video_id", "video", "camera", "rule", "tier", "start_s", "end_s", "peak_score")


@dataclass(frozen=True, slots=True)
class Review:
    """One verdict about one alert, with the data to recognise the alert later.

    None takes back the reviewer's own verdict; from somebody who gave none it revokes those of all.
    """

    alert_id: str
    video_id: str
    video: str
    camera: str
    rule: str
    tier: str
    start_s: float
    end_s: float
    peak_score: float
    verdict: Verdict | None
    reason: str
    reviewer: str
    time_utc: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Precision:
    """Verdicts about the alerts of one rule on one camera (None: of all); a share is None without decided verdicts."""

    rule: str | None
    camera: str | None
    n_true: int
    n_false: int
    n_unsure: int

    @property
    def n_decided(self) -> int:
        return self.n_true + self.n_false

    @property
    def precision(self) -> float | None:
        """Share of true ones among the decided; unsure ones do not count."""
        return self.n_true / self.n_decided if self.n_decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the precision."""
        return wilson_interval(self.precision or 0.0, self.n_decided)

    def to_json(self) -> dict[str, Any]:
        """Plain values with the share and its interval."""
        return asdict(self) | {"precision": self.precision, "interval": list(self.interval)}


def reviews_schema() -> pa.Schema:
    """One row per verdict, in order of creation."""
    return pa.schema(
        [
            *((name, pa.string()) for name in ("alert_id", "video_id", "video", "camera", "rule", "tier")),
            *((name, pa.float64()) for name in ("start_s", "end_s")),
            ("peak_score", pa.float32()),
            *((name, pa.string()) for name in ("verdict", "reason", "reviewer", "time_utc")),
        ]
    )


def write_verdict(
    place: Run | str | Path | Sequence[Run | str | Path],
    alert_id: str,
    verdict: Verdict | None,
    reason: str = "",
    *,
    reviewer: str | None = None,
    time_utc: str | None = None,
) -> Review:
    """Add a verdict about an alert of a run, of one of several, or of any below a folder; None revokes earlier ones.

    Safe for several writers at once, and the file is always complete. `reviewer` defaults to the account's
    name. Raises InputError for an unknown alert or verdict, OutputError when the run folder cannot be written.
    """
    folder, review = new_review(place, alert_id, verdict, reason, reviewer=reviewer, time_utc=time_utc)
    append_reviews(folder, [review])
    return review


def new_review(
    place: Run | str | Path | Sequence[Run | str | Path],
    alert_id: str,
    verdict: Verdict | None,
    reason: str = "",
    *,
    reviewer: str | None = None,
    time_utc: str | None = None,
) -> tuple[Path, Review]:
    """A verdict that is not stored yet, and the run folder it belongs to. Raises InputError as `write_verdict`."""
    if verdict is not None and verdict not in VERDICTS:
        raise InputError(f"verdict {verdict!r} is unknown. Use {', '.join(VERDICTS)}.")
    if len(reason) > LONGEST_REASON:
        raise InputError(f"a reason of {len(reason)} characters is too long. Write at most {LONGEST_REASON}.")
    folder, alert = _find_alert(place, alert_id)
    return folder, Review(
        **{name: alert[name] for name in _FROM_ALERT},
        verdict=verdict,
        reason=" ".join(reason.split()),
        reviewer=reviewer or account_name(),
        time_utc=time_utc or utc_now(),
    )


def _anyway(_review: Review, _before: Sequence[Review]) -> bool:
    return True


# Decision ALE-8.
def append_reviews(
    folder: Path, reviews: Sequence[Review], *, is_wanted: Callable[[Review, Sequence[Review]], bool] = _anyway
) -> int:
    """Add verdicts to a run folder, except those already in it; returns how many were new.

    `is_wanted` is asked about each, with those stored before, while nobody else can write.
    """
    lock = wait_for_lock(folder / REVIEWS_TABLE)
    try:
        before = _history_or_set_aside(folder)
        known = set(before)
        new = [review for review in reviews if review not in known and is_wanted(review, before)]
        if new:
            rows = [asdict(review) for review in (*before, *new)]
            about = {"schema_version": SCHEMA_VERSION, ROWS_SHA256: _rows_sha256(rows)}
            write_table(
                folder / REVIEWS_TABLE, pa.Table.from_pylist(rows, schema=reviews_schema()), about, is_private=True
            )
    except OSError as problem:
        raise OutputError(f"{folder / REVIEWS_TABLE} cannot be written ({problem.strerror}).") from None
    finally:
        lock.release()
    return len(new)


def read_history(folder: Path) -> list[Review]:
    """Every verdict that was given about alerts of a run, oldest first.

    A damaged table is reported and treated as empty.
    """
    try:
        return _stored_history(folder)
    except InputError as problem:
        log.warning("%s; the next verdict puts it aside", str(problem).rstrip("."))
        return []


def check_history(folder: Path) -> None:
    """Raises InputError when the verdicts of a run are damaged."""
    _stored_history(folder)


def _history_or_set_aside(folder: Path) -> list[Review]:
    """The verdicts of a run, whose lock is held; a damaged table is renamed, so that a new one can be started."""
    try:
        return _stored_history(folder)
    except InputError as problem:
        aside = folder / table_file(f"{Path(REVIEWS_TABLE).stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        os.replace(folder / REVIEWS_TABLE, aside)
        sync(folder)
        log.warning("%s; it was put aside as %s", str(problem).rstrip("."), aside.name)
        return []


def _stored_history(folder: Path) -> list[Review]:
    path = folder / REVIEWS_TABLE
    if not path.is_file():
        return []
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)  # noqa: TID251 (verdicts outlast settings)
        rows = file.read(reviews_schema().names, use_threads=False).cast(reviews_schema()).to_pylist()
        written = (file.metadata.metadata or {}).get(f"fervid.{ROWS_SHA256}".encode())
    except (pa.ArrowException, OSError, ValueError, KeyError) as problem:
        raise InputError(f"{path} is not a table of verdicts ({str(problem).partition(chr(10))[0]}).") from None
    if written is not None and written.decode(errors="replace") != _rows_sha256(rows):
        raise InputError(f"{path} is damaged: its verdicts do not match their hash.")
    return [Review(**row) for row in rows]


def _rows_sha256(rows: Sequence[Mapping[str, Any]]) -> str:
    """A hash of verdicts as they are read back: `peak_score` has four bytes in the table."""
    plain = [dict(row) | {"peak_score": struct.pack("<f", row["peak_score"] or 0.0).hex()} for row in rows]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def read_verdicts(place: Run | str | Path | Sequence[Run | str | Path]) -> list[Review]:
    """The newest verdict about every alert of a run, of several, or of all below a folder; without revoked ones."""
    histories = (review for folder in _run_folders(place) for review in read_history(folder))
    return [reviews[-1] for reviews in standing_verdicts(histories).values()]


def standing_verdicts(history: Iterable[Review]) -> dict[tuple[str, str], list[Review]]:
    """By (video_id, alert_id) the newest verdict of each reviewer, the newest of all last; without revoked ones."""
    standing: dict[tuple[str, str], dict[str, Review]] = {}
    for review in history:
        given = standing.setdefault((review.video_id, review.alert_id), {})
        own = given.pop(review.reviewer, None)
        if review.verdict is not None:
            given[review.reviewer] = review
        elif own is None:
            given.clear()
    return {key: list(given.values()) for key, given in standing.items() if given}


def verdicts_of(alerts: Iterable[AlertRecord], reviews: Iterable[Review]) -> dict[str, Review]:
    """Which verdict belongs to which alert, by `alert_id` of the alert.

    An alert that starts where it did keeps its id. Where changed rules moved its edges, the verdict about an alert of
    the same video and rule that overlaps with it most, by half of the shorter one or more, is taken.
    """
    alerts, reviews = list(alerts), list(reviews)
    exact = {(review.video_id, review.alert_id): review for review in reviews}
    present = {(alert.video_id, alert.alert_id) for alert in alerts}
    left = [review for key, review in exact.items() if key not in present]
    found: dict[str, Review] = {}
    for alert in alerts:
        own = exact.get((alert.video_id, alert.alert_id))
        if own is None:
            near = [(share, review) for review in left if (share := _shared_span(alert, review)) >= SAME_SPAN_SHARE]
            own = max(near, key=lambda item: item[0])[1] if near else None
        if own is not None:
            found[alert.alert_id] = own
    return found


def precision_by_rule_and_camera(reviews: Iterable[Review]) -> list[Precision]:
    """Verdicts counted by rule and camera, then by rule alone (camera None)."""
    counts: dict[tuple[str, str | None], dict[str, int]] = {}
    for review in reviews:
        for key in ((review.rule, review.camera), (review.rule, None)):
            counts.setdefault(key, dict.fromkeys(VERDICTS, 0))[review.verdict or "unsure"] += 1
    ordered = sorted(counts.items(), key=lambda item: (item[0][1] is None, item[0][0], item[0][1] or ""))
    return [Precision(rule, camera, n["true"], n["false"], n["unsure"]) for (rule, camera), n in ordered]


def import_verdicts(runs: Sequence[Run], file: Path) -> tuple[int, int]:
    """Import the verdicts saved by a review page without a server; returns how many were new and known.

    The file is a JSON list of objects with `alert_id`, `verdict`, and optionally `reason`, `reviewer`, `time_utc`.
    Raises InputError for a file of another kind, or an alert that none of the runs has.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file} does not exist. Give the file that the review page saved.") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{file} is not JSON ({problem}). Give the file that the review page saved.") from None
    if isinstance(entries, dict):
        entries = entries.get("verdicts")
    if not isinstance(entries, list):
        raise InputError(f'{file} is not a list of verdicts. Expected [{{"alert_id": "...", "verdict": "false"}}].')
    by_folder: dict[Path, list[Review]] = {}
    for i, entry in enumerate(entries):
        folder, review = _imported(runs, file, i, entry)
        by_folder.setdefault(folder, []).append(review)
    n_new = sum(append_reviews(folder, reviews) for folder, reviews in by_folder.items())
    return n_new, len(entries) - n_new


def _imported(runs: Sequence[Run], file: Path, position: int, entry: Any) -> tuple[Path, Review]:
    place = f"{file}, entry {position + 1}"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("alert_id"), str):
        raise InputError(f'{place} has no "alert_id".')
    verdict = entry.get("verdict")
    if verdict is not None and verdict not in VERDICTS:
        raise InputError(f"{place}: verdict {verdict!r} is unknown. Use {', '.join(VERDICTS)}.")
    folder, alert = _find_alert(runs, entry["alert_id"])
    texts = {name: str(entry.get(name) or "")[:LONGEST_REASON] for name in ("reason", "reviewer", "time_utc")}
    return folder, Review(
        **{name: alert[name] for name in _FROM_ALERT},
        verdict=verdict,
        reason=" ".join(texts["reason"].split()),
        reviewer=texts["reviewer"] or account_name(),
        time_utc=texts["time_utc"] or utc_now(),
    )


def _find_alert(place: Run | str | Path | Sequence[Run | str | Path], alert_id: str) -> tuple[Path, dict[str, Any]]:
    """The run folder that has an alert, and the alert's row; one that only an earlier verdict knows counts too."""
    folders = _run_folders(place)
    for folder in folders:
        if (folder / ALERTS_TABLE).is_file():
            rows = read_table(folder, manifest_content(folder)["settings_hash"], "alerts", _FROM_ALERT)
            rows = rows.filter(pc.equal(rows["alert_id"], alert_id))
            if rows.num_rows:
                return folder, rows.slice(0, 1).to_pylist()[0]
    for folder in folders:
        for review in reversed(read_history(folder)):
            if review.alert_id == alert_id:
                return folder, {name: getattr(review, name) for name in _FROM_ALERT}
    raise InputError(
        f"alert {alert_id!r} is in none of {counted(len(folders), 'run')}. Take the alert_id from alerts.csv."
    )


def _run_folders(place: Run | str | Path | Sequence[Run | str | Path]) -> list[Path]:
    if isinstance(place, Run):
        return [place.folder]
    if isinstance(place, str | Path):
        folder = Path(place)
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder. Give a run folder, or a folder of them.")
        return list(folders_below(folder))
    return [folder for one in place for folder in _run_folders(one)]


def _shared_span(alert: AlertRecord, review: Review) -> float:
    """How much of the shorter of two spans both have, 0..1; spans of one sample share all or nothing."""
    if (alert.video_id, alert.rule) != (review.video_id, review.rule):
        return 0.0
    shared = min(alert.end_s, review.end_s) - max(alert.start_s, review.start_s)
    shorter = min(alert.end_s - alert.start_s, review.end_s - review.start_s)
    if shared < 0:
        return 0.0
    return shared / shorter if shorter > 0 else 1.0


def account_name() -> str:
    """The name of the account that runs this program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
