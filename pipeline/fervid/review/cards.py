"""A run as a row of the list: a few numbers, its alerts to review, and its timeline as a strip; and its alerts as rows.

Reads small files only, so that hundreds of runs are listed at once; the strip is loaded separately, when its row is in
view.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fervid.alerts.review.reviews import Review
from fervid.base.printable import printable
from fervid.review.columns import plain_bytes, quantise
from fervid.review.media import browser_plays
from fervid.review.queue import opinions_of, queue_rows, records_of
from fervid.run.files import ALERTS_JSON, FAILED_LIST
from fervid.run.intact import check_file, stored_manifest
from fervid.run.manifest import manifest_content
from fervid.run.tables import check_settings, read_table

MOST_DAMAGE = 300
"""Letters of what is wrong with a video."""
MOST_NAMES = 65_536
"""Of runs, kept for whoever asks again: links to a folder are followed once."""
STRIP_COLUMNS = 120
"""Of a strip, however long the video."""


def run_id(folder: Path) -> str:
    """The name of a run in URLs: reveals nothing of its path."""
    return _name_of(os.path.abspath(folder))


@lru_cache(maxsize=MOST_NAMES)
def _name_of(path: str) -> str:
    return hashlib.blake2b(os.path.realpath(path).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def make_card(folder: Path) -> dict[str, Any]:
    """What the list shows of a run at once. Raises InputError when the folder is not a complete run."""
    manifest = _manifest(folder)
    results = manifest.get("results") or {}
    video = Path(manifest["video_path"])
    found = _stored_alerts(folder, manifest)
    return {
        "id": run_id(folder),
        "name": printable(video.name),
        "camera": printable(video.parent.name),
        "folder": printable(folder.name),
        "has_video": video.is_file() and not manifest["video"].get("is_live", False),
        "plays": browser_plays(manifest["video"]),
        "status": manifest["status"],
        "warnings": len(manifest["warnings"]),
        "is_superseded": bool(manifest.get("superseded_by")),
        "damage": "; ".join(manifest["warnings"])[:MOST_DAMAGE] if manifest["status"] != "complete" else None,
        "duration_s": float(manifest["video"]["duration_seconds"]),
        "coverage": results.get("coverage"),
        "shares": results.get("shares") or {},
        "dominant": results.get("dominant"),
        "tracks": results.get("tracks"),
        "recorded": str(manifest["video"].get("recorded") or "")[:19],
        "peak_anger": (results.get("peak_anger") or {}).get("value"),
        "agitation": _highest((results.get("motion") or {}).get("peaks")),
        "labels": manifest["model"]["labels"],
        "alerts": None if found is None else _marks(folder, found),
        "fitness": None if found is None else _short_fitness(found.get("fitness") or {}),
        "finished_utc": manifest["finished_utc"],
    }


@dataclass(frozen=True, slots=True)
class Queue:
    """The alerts of a run for the queue over all runs, and the verdicts of those that several people judged."""

    rows: tuple[dict[str, Any], ...] = ()
    shared: tuple[Review, ...] = ()


def make_queue(folder: Path) -> Queue:
    """The alerts of a run; none where no rule was run. Raises InputError when the folder is not a complete run."""
    manifest = _manifest(folder)
    found = _stored_alerts(folder, manifest)
    if found is None:
        return Queue()
    records = records_of(found, folder)
    opinions = opinions_of(records, folder)
    video = manifest["video"]
    own = {
        "run": run_id(folder),
        "video": printable(Path(manifest["video_path"]).name),
        "has_video": not video.get("is_live", False),
        "fitness": _short_fitness(found.get("fitness") or {})["verdict"],
    }
    rows = queue_rows(records, opinions, (float(video["width_px"]), float(video["height_px"])))
    shared = tuple(review for given in opinions.values() if len(given) > 1 for review in given)
    return Queue(tuple(row | own for row in rows), shared)


def make_strip(folder: Path) -> dict[str, Any]:
    """A run's timeline in STRIP_COLUMNS columns: `coverage` and `means` (labels x columns), bytes as base64.

    `fitness` is there too for a run whose rules were never run, since it takes a look at every face.
    """
    from fervid.alerts.find.fitness import judge_fitness
    from fervid.alerts.find.samples import read_frame_times
    from fervid.run.handle import open_run

    manifest = _manifest(folder)
    labels = manifest["model"]["labels"]
    names = ["start_s", "end_s", "observed_s", "coverage", *(f"mean_{label}" for label in labels)]
    table = read_table(folder, manifest["settings_hash"], "timeline", names)
    values = {name: table[name].to_numpy().astype(float) for name in names}
    duration = max(float(manifest["video"]["duration_seconds"]), 1e-3)
    coverage, means = strip_columns(values, labels, duration)
    strip = {"coverage": plain_bytes(quantise(coverage)), "means": plain_bytes(quantise(means))}
    if _stored_alerts(folder, manifest) is not None:
        return strip
    run = open_run(folder)
    return strip | {"fitness": _short_fitness(judge_fitness(run, read_frame_times(run)).to_json())}


def strip_columns(
    values: dict[str, np.ndarray], labels: list[str], duration: float, n: int = STRIP_COLUMNS
) -> tuple[np.ndarray, np.ndarray]:
    """Bins aggregated over `n` equal parts of the video: coverage (n,) and means (C, n), NaN where nothing was seen.

    Each part takes from a bin in proportion to the time that they share; means are weighted by covered seconds.
    """
    covered_seconds = np.nan_to_num(values["coverage"]) * np.nan_to_num(values["observed_s"])
    means = [values[f"mean_{label}"] * covered_seconds for label in labels]
    amounts = np.nan_to_num(np.stack([values["observed_s"], covered_seconds, *means]))
    observed, covered, *sums = _spread(amounts, values["start_s"], values["end_s"], np.linspace(0, duration, n + 1))
    tiny = 1e-9
    coverage = np.divide(covered, observed, out=np.full(n, np.nan), where=observed > tiny)
    shares = np.divide(np.array(sums), covered, out=np.full((len(labels), n), np.nan), where=covered > tiny)
    return coverage, shares


def _spread(amounts: np.ndarray, start: np.ndarray, end: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Amounts of bins (K, bins), evenly within each, as amounts of the parts between the edges (K, parts)."""
    if not len(start):
        return np.zeros((len(amounts), len(edges) - 1))
    before = np.cumsum(amounts, axis=1) - amounts
    at = np.clip(np.searchsorted(start, edges, side="right") - 1, 0, len(start) - 1)
    within = np.clip((edges - start[at]) / np.maximum(end - start, 1e-9)[at], 0, 1)
    return np.asarray(np.diff(before[:, at] + within * amounts[:, at], axis=1))


def failures_below(folder: Path) -> list[dict[str, str]]:
    """Videos of the last batch that were not fully analysed: name, status, reason; without their folders."""
    path = folder / FAILED_LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    failures = []
    for line in lines:
        try:
            entry = json.loads(line)
            video, reason = str(entry["video"]), str(entry["reason"])
            failures.append({"name": Path(video).name, "status": str(entry["status"])}
                            | {"reason": reason.replace(video, Path(video).name)})  # fmt: skip
        except (ValueError, KeyError, TypeError):
            continue
    return failures


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run, read once for as long as it stays as it is. Raises InputError as `manifest_content`."""
    return stored_manifest(folder) or manifest_content(folder)


def _stored_alerts(folder: Path, manifest: dict[str, Any]) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / ALERTS_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    if content is None:
        check_file(folder, ALERTS_JSON)
        return None
    if not isinstance(content, dict) or not isinstance(content.get("alerts"), list):
        return None
    check_settings(folder / ALERTS_JSON, content.get("settings_hash"), manifest["settings_hash"])
    check_file(folder, ALERTS_JSON)
    return content


def _marks(folder: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Counts by tier, which alerts have a verdict, and [start, end, is an alert] of each."""
    records = records_of(found, folder)
    marks = [[round(one.start_s, 2), round(one.end_s, 2), one.tier == "alert"] for one in records]
    ids = [one.alert_id for one in records if one.tier == "alert"]
    judged = opinions_of(records, folder)
    reviewed = [alert_id for alert_id in ids if alert_id in judged]
    return {
        "alerts": len(ids),
        "notices": len(marks) - len(ids),
        "ids": ids,
        "reviewed": len(reviewed),
        "reviewed_ids": reviewed,
        "marks": marks,
    }


def _highest(peaks: Any) -> float | None:
    """The agitation of the most agitated moment; None in a run without motion."""
    values = [peak.get("value") for peak in peaks or () if isinstance(peak, dict)]
    return max((value for value in values if isinstance(value, int | float)), default=None)


def _short_fitness(fitness: dict[str, Any]) -> dict[str, Any]:
    faces = str(fitness.get("verdict", ""))
    verdict = str(fitness.get("best") or faces)
    return {
        "verdict": verdict,
        "is_by_motion_alone": faces == "not_fit" != verdict,
        "text": str(fitness.get("text", "")),
        "short": str(fitness.get("short", "")),
    }
