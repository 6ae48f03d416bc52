"""Sum faces up over time bins, weighted by seconds. Pure functions of arrays; knows no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Spells:
    """The stretch of time that each analysed frame stands for: begin and end in seconds, float64 (N,)."""

    begin: np.ndarray
    end: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        return np.asarray(self.end - self.begin)


# Decision INT-3.
def frame_spells(times: np.ndarray, *, start: float, end: float, max_hold_seconds: float) -> Spells:
    """Each frame stands for the time nearer to it than to its neighbours, within [start, end) and `max_hold_seconds`.

    `times` float64 (N,) ascending. Centred cells, unlike "until the next frame", do not shift with the sampling rate.
    """
    if not len(times):
        return Spells(np.zeros(0), np.zeros(0))
    middle = (times[1:] + times[:-1]) / 2
    begin = np.concatenate([[start], middle])
    finish = np.concatenate([middle, [max(end, times[-1])]])
    return Spells(np.maximum(begin, times - max_hold_seconds), np.minimum(finish, times + max_hold_seconds))


def bin_edges(start: float, end: float, bin_seconds: float) -> np.ndarray:
    """Edges of the bins that cover [start, end): multiples of `bin_seconds`, so that runs over parts line up."""
    first = np.floor(start / bin_seconds + 1e-9)
    last = max(first + 1, np.ceil(end / bin_seconds - 1e-9))
    return np.asarray(np.arange(first, last + 1) * bin_seconds)


@dataclass(frozen=True, slots=True)
class BinSums:
    """What each of B bins holds. `face_seconds` counts a second of two faces twice."""

    n_analysed: np.ndarray
    observed_seconds: np.ndarray
    covered_seconds: np.ndarray
    face_seconds: np.ndarray
    n_tracks: np.ndarray
    score_seconds: np.ndarray
    label_seconds: np.ndarray


def sum_bins(
    edges: np.ndarray,
    spells: Spells,
    times: np.ndarray,
    face_row: np.ndarray,
    track_ids: np.ndarray,
    scores: np.ndarray,
) -> BinSums:
    """Sums over the bins between `edges` (B + 1,).

    Faces (usable ones only): `face_row` int (m,) the frame each belongs to, `track_ids` int (m,), `scores` (m, C).
    A frame whose spell crosses an edge counts in each bin by its seconds there.
    """
    n_bins, n_classes = len(edges) - 1, scores.shape[1]
    faces_per_frame = np.bincount(face_row, minlength=len(times)).astype(float)
    order = np.argsort(face_row, kind="stable")
    first_face = np.concatenate([[0], np.cumsum(np.bincount(face_row, minlength=len(times)))]).astype(int)
    best = scores.argmax(axis=1) if len(scores) else np.zeros(0, int)

    sums = BinSums(
        n_analysed=np.bincount(
            np.clip(np.searchsorted(edges, times, side="right") - 1, 0, n_bins - 1), minlength=n_bins
        ),
        observed_seconds=np.zeros(n_bins),
        covered_seconds=np.zeros(n_bins),
        face_seconds=np.zeros(n_bins),
        n_tracks=np.zeros(n_bins, int),
        score_seconds=np.zeros((n_bins, n_classes)),
        label_seconds=np.zeros((n_bins, n_classes)),
    )
    bin_of_begin = np.clip(np.searchsorted(edges, spells.begin, side="right") - 1, 0, n_bins - 1)
    bin_of_end = np.clip(np.searchsorted(edges, spells.end, side="left") - 1, 0, n_bins - 1)
    tracks: list[set[int]] = [set() for _ in range(n_bins)]
    for frame in range(len(times)):
        faces = order[first_face[frame] : first_face[frame + 1]]
        for b in range(bin_of_begin[frame], bin_of_end[frame] + 1):
            seconds = min(spells.end[frame], edges[b + 1]) - max(spells.begin[frame], edges[b])
            if seconds <= 0:
                continue
            sums.observed_seconds[b] += seconds
            if not len(faces):
                continue
            sums.covered_seconds[b] += seconds
            sums.face_seconds[b] += seconds * faces_per_frame[frame]
            sums.score_seconds[b] += seconds * scores[faces].sum(axis=0)
            np.add.at(sums.label_seconds[b], best[faces], seconds)
            tracks[b].update(track_ids[faces].tolist())
    sums.n_tracks[:] = [len(ids) for ids in tracks]
    return sums


def weighted_mean(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sums (B, C) over weights (B,), NaN where the weight is 0."""
    seen = weights[:, None] > 0
    return np.asarray(np.divide(sums, weights[:, None], out=np.full(sums.shape, np.nan), where=seen))
