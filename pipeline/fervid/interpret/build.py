"""Aggregates faces over time bins, weighted by seconds. Pure functions of arrays; knows nothing of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.base.spacing import usual_spacing

LONG_GAP, LONG_GAP_SECONDS = 3.0, 0.5
"""A gap between two analysed frames is long from so many usual ones on, and from so many seconds."""
LONGEST_HOLD_SECONDS = 120.0
"""A frame is not believed to be shown for longer."""
MOST_BINS = 200_000
"""Of a timeline that is laid out in full: two days of seconds."""


@dataclass(frozen=True, slots=True)
class FrameIntervals:
    """The interval that each analysed frame covers: begin and end in seconds, float64 (N,)."""

    begin: np.ndarray
    end: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        return np.asarray(self.end - self.begin)


@dataclass(frozen=True, slots=True)
class FrameTiming:
    """What is known of the frames of a video: when the first one is shown, their usual spacing, and what gaps are.

    Where `spacing_seconds` is 0 nothing is known, as of runs made before it was stored.
    """

    first_seconds: float = 0.0
    spacing_seconds: float = 0.0
    holds_frames: bool = False

    @classmethod
    def of(cls, video: Mapping[str, Any], settings: Mapping[str, Any]) -> FrameTiming:
        """From a manifest's entries of the video and of the section `video` of its settings."""
        return cls(
            float(video.get("first_frame_seconds", 0.0)),
            float(video.get("frame_spacing_seconds", 0.0)),
            # Frames skipped by a fast scan were not displayed longer.
            bool(video.get("holds_frames", False)) and not settings.get("fast_scan", False),
        )


NOTHING_KNOWN = FrameTiming()


# Decision INT-3.
def frame_intervals(
    times: np.ndarray, *, start: float, end: float, max_hold_seconds: float, timing: FrameTiming = NOTHING_KNOWN
) -> FrameIntervals:
    """Each frame covers the time nearer to it than to its neighbours, within [start, end) and `max_hold_seconds`.

    `times` float64 (N,) ascending. Centred cells, unlike "until the next frame", do not shift with the sampling rate.
    With a `timing` no frame reaches back before the first one, or into a gap between two recordings; a frame that is
    shown on stands for all of that time, up to LONGEST_HOLD_SECONDS.
    """
    if not len(times):
        return FrameIntervals(np.zeros(0), np.zeros(0))
    middle = (times[1:] + times[:-1]) / 2
    begin = np.concatenate([[start], middle])
    finish = np.concatenate([middle, [max(end, times[-1])]])
    hold = max(max_hold_seconds, min(timing.spacing_seconds, LONGEST_HOLD_SECONDS))
    begin, finish = np.maximum(begin, times - hold), np.minimum(finish, times + hold)
    if timing.spacing_seconds > 0:
        begin[0] = max(begin[0], min(timing.first_seconds, times[0]))
        gaps = np.diff(times)
        usual = usual_spacing(times) or timing.spacing_seconds
        at = np.flatnonzero(gaps > max(LONG_GAP * max(usual, timing.spacing_seconds), LONG_GAP_SECONDS))
        is_held = timing.holds_frames & (gaps[at] <= LONGEST_HOLD_SECONDS)
        begin[at + 1] = times[at + 1]
        # The last frame before a pause is somewhere between this sample and the next one that never came.
        last = times[at] + min(hold, max(usual / 2, timing.spacing_seconds))
        finish[at] = np.where(is_held, times[at + 1], last)
    return FrameIntervals(begin, finish)


def shown_time(times: np.ndarray, timing: FrameTiming) -> np.ndarray:
    """The times (N,) on a clock that stops while a frame stays displayed: nothing moves meanwhile."""
    gaps = np.diff(times)
    if not timing.holds_frames or not len(gaps):
        return times
    usual = usual_spacing(times)
    is_held = (gaps > max(LONG_GAP * usual, LONG_GAP_SECONDS)) & (gaps <= LONGEST_HOLD_SECONDS)
    return np.asarray(times - np.concatenate([[0.0], np.cumsum(np.where(is_held, gaps - usual, 0.0))]))


def bin_edges(start: float, end: float, bin_seconds: float, intervals: FrameIntervals | None = None) -> np.ndarray:
    """Edges of the bins that cover [start, end): multiples of `bin_seconds`, so that runs over parts line up.

    Beyond MOST_BINS they are laid around `intervals` alone, and a gap is one long bin.
    """
    first = np.floor(start / bin_seconds + 1e-9)
    last = max(first + 1, np.ceil(end / bin_seconds - 1e-9))
    if intervals is None or last - first <= MOST_BINS or not len(intervals.begin):
        return np.asarray(np.arange(first, last + 1) * bin_seconds)
    lowest = np.floor(intervals.begin / bin_seconds + 1e-9).astype(np.int64)
    highest = np.maximum(lowest + 1, np.ceil(intervals.end / bin_seconds - 1e-9).astype(np.int64))
    numbers = [np.arange(low, high + 1) for low, high in zip(lowest.tolist(), highest.tolist(), strict=True)]
    return np.asarray(np.unique(np.concatenate(numbers)) * bin_seconds)


@dataclass(frozen=True, slots=True)
class BinSums:
    """The sums of each of B bins. `face_seconds` counts one second with two faces twice."""

    n_analysed: np.ndarray
    observed_seconds: np.ndarray
    covered_seconds: np.ndarray
    face_seconds: np.ndarray
    n_tracks: np.ndarray
    score_seconds: np.ndarray
    label_seconds: np.ndarray


def sum_bins(
    edges: np.ndarray,
    intervals: FrameIntervals,
    times: np.ndarray,
    face_row: np.ndarray,
    track_ids: np.ndarray,
    scores: np.ndarray,
) -> BinSums:
    """Sums over the bins between `edges` (B + 1,).

    Faces (usable ones only): `face_row` int (m,) the frame each belongs to, `track_ids` int (m,), `scores` (m, C).
    A frame whose interval crosses an edge counts in each bin by its seconds there.
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
    bin_of_begin = np.clip(np.searchsorted(edges, intervals.begin, side="right") - 1, 0, n_bins - 1)
    bin_of_end = np.clip(np.searchsorted(edges, intervals.end, side="left") - 1, 0, n_bins - 1)
    tracks: list[set[int]] = [set() for _ in range(n_bins)]
    for frame in range(len(times)):
        faces = order[first_face[frame] : first_face[frame + 1]]
        for b in range(bin_of_begin[frame], bin_of_end[frame] + 1):
            seconds = min(intervals.end[frame], edges[b + 1]) - max(intervals.begin[frame], edges[b])
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
