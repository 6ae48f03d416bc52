"""The four tables of a run, from what was judged of its frames and faces. Judges nothing; knows no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fervid.base.types import FACE_QUALITY
from fervid.interpret.agitation import Motion
from fervid.interpret.build import (
    FrameIntervals,
    bin_edges,
    sum_bins,
    weighted_mean,
)
from fervid.interpret.cuts import FrameMeasures
from fervid.interpret.judge import Verdicts
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema


@dataclass(frozen=True, slots=True)
class Followed:
    """The faces of a whole video that are believed: their tracks, their scores, and how far each can be used.

    Of n faces in m frames; `seconds` (n,) is the time that each counts for, 0 for one that is pictured too poorly.
    """

    times: np.ndarray
    is_sound: np.ndarray
    measures: FrameMeasures
    intervals: FrameIntervals
    span: tuple[float, float]
    faces: dict[str, np.ndarray]
    track_ids: np.ndarray
    raw: np.ndarray
    smoothed: np.ndarray
    verdicts: Verdicts
    n_unconfirmed: int
    motion: Motion | None = None
    """Where the settings ask for it."""
    read_out: np.ndarray | None = None
    """Probabilities (n, C) read out over time; None where labels come from the smoothed ones."""

    @property
    def answer(self) -> np.ndarray:
        """The probabilities (n, C) that decide labels, bins and means of tracks."""
        return self.smoothed if self.read_out is None else self.read_out

    @property
    def face_times(self) -> np.ndarray:
        """Seconds of the frame of each face, float64 (n,)."""
        return np.asarray(self.times[self.faces["row"]])

    @property
    def seconds(self) -> np.ndarray:
        """How long each face counts, float64 (n,)."""
        return np.where(self.verdicts.is_poor, 0.0, self.intervals.seconds[self.faces["row"]])


@dataclass(frozen=True, slots=True)
class Tables:
    """The four tables of a run, and how many faces were dropped as too short-lived to be believed."""

    frames: pa.Table
    faces: pa.Table
    tracks: pa.Table
    timeline: pa.Table
    n_unconfirmed_faces: int


def frames_table(video_id: str, stored: pa.Table, found: Followed, shots: np.ndarray) -> pa.Table:
    """One row per sampled frame; `stored` has their columns frame, pts and time_s, `shots` bool (m,) begin a shot."""
    columns = {
        "video_id": _repeat(video_id, stored.num_rows),
        **{name: stored[name] for name in ("frame", "pts", "time_s")},
        "n_faces": np.bincount(found.faces["row"], minlength=len(found.times)).astype(np.int32),
        "is_cut": shots,
        "brightness": found.measures.brightness,
        "motion": _nullable(found.measures.motion),
        "status": _words(np.where(found.is_sound, "analysed", "corrupt")),
    }
    if (motion := found.motion) is not None:
        columns |= {
            "speed": _nullable(motion.speed),
            "camera_moves": pa.array(motion.camera_moves, pa.float64(), from_pandas=True).cast(pa.bool_()),
            "agitation": _nullable(motion.agitation),
            "agitation_usual": _nullable(motion.usual),
            "speed_grid": [None if np.isnan(row[0]) else row for row in motion.grid],
        }
    return pa.table(columns, schema=frames_schema(has_motion=motion is not None))


def faces_table(
    video_id: str, labels: tuple[str, ...], stored: pa.Table, found: Followed, relative: np.ndarray | None
) -> pa.Table:
    """One row per face; `relative` (n, C) are probabilities less its usual look, None without a baseline."""
    faces, answer, of_frame = found.faces, found.answer, pa.array(found.faces["row"])
    x0, y0, x1, y1 = faces["boxes"].T
    columns = {
        "video_id": _repeat(video_id, len(found.track_ids)),
        **{name: stored[name].take(of_frame) for name in ("frame", "pts", "time_s")},
        "track_id": found.track_ids,
        **{"x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0, "det_score": faces["confidence"], "quality": faces["quality"]},
        **{name: _nullable(values) for name, values in zip(FACE_QUALITY, faces["looks"].T, strict=True)},
        **{f"p_{label}": found.raw[:, i] for i, label in enumerate(labels)},
        **{f"s_{label}": found.smoothed[:, i] for i, label in enumerate(labels)},
        **{f"b_{label}": relative[:, i] for i, label in enumerate(labels) if relative is not None},
        **{f"r_{label}": answer[:, i] for i, label in enumerate(labels) if found.read_out is not None},
        "label": _words([labels[i] for i in answer.argmax(axis=1)]) if len(answer) else _words([]),
        "confidence": answer.max(axis=1, initial=0).astype(np.float32),
        "margin": found.verdicts.margin.astype(np.float32),
        "abstain": _words(found.verdicts.abstain),
    }
    schema = faces_schema(labels, has_baseline=relative is not None, has_readout=found.read_out is not None)
    return pa.table(columns, schema=schema)


def tracks_table(video_id: str, labels: tuple[str, ...], found: Followed) -> pa.Table:
    """One row per track; means are weighted by the seconds of usable faces."""
    track_ids, times, seconds = found.track_ids, found.face_times, found.seconds
    n_tracks = int(track_ids.max()) + 1 if len(track_ids) else 0
    weight = np.bincount(track_ids, seconds, n_tracks)
    sums = np.stack([np.bincount(track_ids, seconds * column, n_tracks) for column in found.answer.T], axis=1)
    means = weighted_mean(sums, weight)
    first, last = np.full(n_tracks, np.inf), np.full(n_tracks, -np.inf)
    np.minimum.at(first, track_ids, times)
    np.maximum.at(last, track_ids, times)
    columns = {
        "video_id": _repeat(video_id, n_tracks),
        "track_id": np.arange(n_tracks, dtype=np.int32),
        "start_s": first,
        "end_s": last,
        "n_faces": np.bincount(track_ids, minlength=n_tracks).astype(np.int32),
        **{f"mean_{label}": _nullable(means[:, i]) for i, label in enumerate(labels)},
    }
    return pa.table(columns, schema=tracks_schema(labels))


def timeline_table(
    video_id: str, labels: tuple[str, ...], found: Followed, shots: np.ndarray, *, bin_seconds: float
) -> pa.Table:
    """One row per time bin, of sound frames and usable faces."""
    intervals, sound, usable, span = found.intervals, found.is_sound, ~found.verdicts.is_poor, found.span
    edges = np.union1d(bin_edges(*span, bin_seconds, intervals), intervals.begin[shots])  # a bin never holds two shots
    new_row = np.cumsum(sound) - 1
    sums = sum_bins(
        edges,
        FrameIntervals(intervals.begin[sound], intervals.end[sound]),
        found.times[sound],
        new_row[found.faces["row"][usable]],
        found.track_ids[usable],
        found.answer[usable].astype(np.float64),
    )
    observed = sums.observed_seconds[:, None]
    means = weighted_mean(sums.score_seconds, sums.face_seconds)
    shares = weighted_mean(sums.label_seconds, sums.face_seconds)
    columns = {
        "video_id": _repeat(video_id, len(edges) - 1),
        "start_s": np.maximum(edges[:-1], span[0]),
        "end_s": np.minimum(edges[1:], max(span[1], edges[0])),
        "n_analysed": sums.n_analysed.astype(np.int32),
        "observed_s": sums.observed_seconds.astype(np.float32),
        "coverage": _nullable(weighted_mean(sums.covered_seconds[:, None], observed[:, 0])[:, 0]),
        "mean_faces": _nullable(weighted_mean(sums.face_seconds[:, None], observed[:, 0])[:, 0]),
        "n_tracks": sums.n_tracks.astype(np.int32),
        **{f"mean_{label}": _nullable(means[:, i]) for i, label in enumerate(labels)},
        **{f"share_{label}": _nullable(shares[:, i]) for i, label in enumerate(labels)},
    }
    if found.motion is not None:
        columns |= _binned_motion(found, found.motion, edges)
    table = pa.table(columns, schema=timeline_schema(labels, has_motion=found.motion is not None))
    is_gap = np.diff(edges) > 1.5 * bin_seconds  # of a timeline that is too long to be laid out in full
    return table.filter(pa.array(~is_gap)) if is_gap.any() else table


def _binned_motion(found: Followed, motion: Motion, edges: np.ndarray) -> dict[str, pa.Array]:
    """Of each bin the mean motion and speed, the share of time with a moving camera, and the highest agitation.

    A frame counts in the bin of its time; a bin without one has nulls.
    """
    n_bins = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, found.times, side="right") - 1, 0, n_bins - 1)
    weight = np.where(found.is_sound, found.intervals.seconds, 0.0)
    means = {}
    for name, values in (
        ("motion", found.measures.motion),
        ("speed", motion.speed),
        ("camera_moves", motion.camera_moves),
    ):
        known = np.where(np.isnan(values), 0.0, weight)
        sums = np.bincount(bins, np.nan_to_num(values) * known, n_bins)
        means[name] = weighted_mean(sums[:, None], np.bincount(bins, known, n_bins))[:, 0]
    for name, values in (("agitation", motion.agitation), ("agitation_usual", motion.usual)):
        highest = np.full(n_bins, -np.inf)
        np.maximum.at(highest, bins, np.nan_to_num(values, nan=-np.inf))
        means[name] = np.where(np.isneginf(highest), np.nan, highest)
    return {name: _nullable(values) for name, values in means.items()}


def _words(values: Sequence[str | None] | np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _repeat(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text], pa.string()))


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.float32), pa.float32(), from_pandas=True)
