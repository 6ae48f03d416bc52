"""Moments of many runs: where somebody shows an expression for long enough, and where most.

A run's usable faces are read once and kept small: their scores in steps of 1/250, up to MOST_BYTES for all runs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fervid.profile.measure import PEAKS_APART_SECONDS
from fervid.review.columns import STEPS, quantise
from fervid.run.handle import open_run
from fervid.run.schema import answers_of
from fervid.run.tables import read_table
from fervid.run.usable import usable_faces
from fervid.stats.peaks import strongest

MOST_BYTES = 256_000_000
PEAKS_OF_A_RUN = 5


@dataclass(frozen=True, slots=True)
class FaceScores:
    """Usable faces of a run in order of track and time: seconds (n,), track ids (n,), scores uint8 (C, n)."""

    seconds: np.ndarray
    tracks: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]
    hold_seconds: float
    """Between two samples of a face at most this far apart, the first counts until the second."""
    most_faces: int
    """At any moment."""

    @property
    def n_bytes(self) -> int:
        return int(self.seconds.nbytes + self.tracks.nbytes + self.scores.nbytes)


def read_scores(folder: Path) -> FaceScores:
    """The usable faces of a run. Raises InputError when the folder is not a complete run."""
    run = open_run(folder)
    columns = answers_of(run.manifest.model)
    table = read_table(folder, run.manifest.settings_hash, "faces", ["time_s", "track_id", "abstain", *columns])
    table = table.filter(usable_faces(table["abstain"]))
    seconds, tracks = table["time_s"].to_numpy(), table["track_id"].to_numpy()
    order = np.lexsort((seconds, tracks))
    counts = np.unique(seconds, return_counts=True)[1]
    return FaceScores(
        seconds[order],
        tracks[order].astype(np.int32),
        np.stack([quantise(table[name].to_numpy()[order]) for name in columns]),
        tuple(run.manifest.model["labels"]),
        float(run.manifest.settings["timeline"]["max_hold_seconds"]),
        int(counts.max()) if len(counts) else 0,
    )


def longest_stretch(found: FaceScores, label: str, at_least: float) -> tuple[float, float]:
    """The longest time for which one face scores `at_least`: seconds, and where it begins; 0, 0 for none.

    A sample counts until the next one of its face, or as long as the samples of its face usually last.
    """
    if label not in found.labels or not len(found.seconds):
        return 0.0, 0.0
    enough = found.scores[found.labels.index(label)] >= round(at_least * STEPS)
    step = np.diff(found.seconds)
    follows = (np.diff(found.tracks) == 0) & (step <= found.hold_seconds)
    usual = float(np.median(step[follows])) if follows.any() else 0.0
    lasts = np.append(np.where(follows, step, usual), usual)
    begins = np.append(True, ~(follows & enough[:-1]))
    groups = np.cumsum(begins & enough) * enough
    sums = np.bincount(groups, weights=lasts * enough)
    if len(sums) < 2:
        return 0.0, 0.0
    best = int(sums[1:].argmax()) + 1
    return float(sums[best]), float(found.seconds[int((groups == best).argmax())])


def peaks_of(found: FaceScores, label: str) -> list[dict[str, Any]]:
    """The strongest moments of a label, largest first, each at least PEAKS_APART_SECONDS from a stronger one."""
    if label not in found.labels:
        return []
    values = found.scores[found.labels.index(label)].astype(float) / STEPS
    chosen = strongest(found.seconds, values, most=PEAKS_OF_A_RUN, apart_seconds=PEAKS_APART_SECONDS)
    return [
        {"time_s": float(found.seconds[i]), "track_id": int(found.tracks[i]), "value": float(values[i])} for i in chosen
    ]


class ScoreShelf:
    """The scores of runs that were asked for last. Safe for several threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: OrderedDict[Path, tuple[tuple[int, ...], FaceScores]] = OrderedDict()
        self._most_bytes, self._lock = most_bytes, threading.Lock()

    def of(self, folder: Path, stamp: tuple[int, ...]) -> FaceScores:
        """The scores of a run, read again when its stamp is another one. Raises InputError."""
        with self._lock:
            known = self._kept.get(folder)
            if known is not None and known[0] == stamp:
                self._kept.move_to_end(folder)
                return known[1]
        found = read_scores(folder)
        with self._lock:
            self._kept[folder] = stamp, found
            while sum(one.n_bytes for _, one in self._kept.values()) > self._most_bytes and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return found
