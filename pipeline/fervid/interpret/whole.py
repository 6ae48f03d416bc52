"""The second half: observations to tables. Tracks, smooths, judges and sums up; milliseconds a minute of video.

Knows nothing of pixels or decoders: it runs again over stored observations whenever its settings change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fervid.base.spacing import usual_spacing
from fervid.base.types import LOOKS
from fervid.config import Settings
from fervid.emotion.model import ModelInfo
from fervid.interpret.baseline import Shifts, Windows, lone_windows, people, without_baseline
from fervid.interpret.build import (
    NOTHING_KNOWN,
    FrameIntervals,
    FrameTiming,
    bin_edges,
    frame_intervals,
    shown_time,
    sum_bins,
    weighted_mean,
)
from fervid.interpret.judge import FrameByFrame, Verdicts, judge, probabilities, smoother_of
from fervid.observe.observer import face_arrays
from fervid.observe.scoring import THUMBNAIL_PX
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.track.static import find_static
from fervid.video.cuts import Pictures, describe_pictures, find_shots


@dataclass(frozen=True, slots=True)
class Tables:
    """The four tables of a run, and how many faces were dropped as too short-lived to be believed."""

    frames: pa.Table
    faces: pa.Table
    tracks: pa.Table
    timeline: pa.Table
    n_unconfirmed_faces: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """The columns of observations: of m frames their `times` (m,) and pictures, and their faces as arrays."""

    times: np.ndarray
    is_sound: np.ndarray
    pictures: Pictures
    faces: dict[str, np.ndarray]

    @classmethod
    def of(cls, observations: pa.Table, settings: Settings, thumbnails: Iterator[pa.Array] | None) -> _Seen:
        times = observations["time_s"].to_numpy()
        pictures = describe_pictures(
            _pictures(thumbnails or iter(observations["thumbnail"].chunks)),
            times,
            threshold=settings.track.cut_threshold if settings.track.find_cuts else None,
        )
        is_sound = ~observations["is_corrupt"].to_numpy(zero_copy_only=False)
        return cls(times, is_sound, pictures, face_arrays(observations))


@dataclass(frozen=True, slots=True)
class _Followed:
    """The faces of a whole video that are believed: their tracks, their scores, and how far each can be used.

    Of n faces in m frames; `seconds` (n,) is the time that each counts for, 0 for one that is pictured too poorly.
    """

    times: np.ndarray
    is_sound: np.ndarray
    pictures: Pictures
    intervals: FrameIntervals
    span: tuple[float, float]
    faces: dict[str, np.ndarray]
    track_ids: np.ndarray
    raw: np.ndarray
    smoothed: np.ndarray
    verdicts: Verdicts
    n_unconfirmed: int

    @property
    def face_times(self) -> np.ndarray:
        return np.asarray(self.times[self.faces["row"]])

    @property
    def seconds(self) -> np.ndarray:
        return np.where(self.verdicts.is_poor, 0.0, self.intervals.seconds[self.faces["row"]])


def interpret(
    observations: pa.Table,
    settings: Settings,
    model: ModelInfo,
    *,
    video_id: str,
    duration_seconds: float,
    thumbnails: Iterator[pa.Array] | None = None,
    timing: FrameTiming = NOTHING_KNOWN,
    shared: Shifts | None = None,
) -> Tables:
    """Tables from the observations of a whole video (all segments, in order).

    Thumbnails are looked at once, at the beginning; `thumbnails` gives them piece by piece where they are no column.
    `shared` is the baseline of a person over several recordings, where one was measured (`shared_shifts`).
    """
    seen = _Seen.of(observations, settings, thumbnails)
    observations = observations.select(["frame", "pts", "time_s"])  # the rest of hours of video is not held twice
    found = _follow(seen, settings, model, duration_seconds, timing)
    shots = find_shots(found.pictures.is_cut, found.times, min_shot_seconds=settings.track.min_shot_seconds)
    rows, track_ids, smoothed, verdicts = found.faces["row"], found.track_ids, found.smoothed, found.verdicts
    relative = None
    if settings.baseline.scope != "off":
        own = _relative(found, model, settings, shared)
        relative = _smooth(found.face_times, own, track_ids, settings)
    n_faces = np.bincount(rows, minlength=len(found.times))
    return Tables(
        _frames_table(observations, video_id, shots, found.pictures, n_faces, found.is_sound),
        _faces_table(
            observations,
            model.labels,
            video_id,
            found.faces,
            track_ids,
            found.raw,
            smoothed,
            relative,
            verdicts.margin,
            verdicts.abstain,
        ),
        _tracks_table(
            model.labels, video_id, found.times, found.intervals, rows, track_ids, smoothed, verdicts.is_poor
        ),
        _timeline_table(
            model.labels,
            video_id,
            settings.timeline.bin_seconds,
            found.span,
            found.times,
            found.intervals,
            shots,
            found.is_sound,
            rows,
            track_ids,
            smoothed,
            ~verdicts.is_poor,
        ),
        found.n_unconfirmed,
    )


def windows_of_person(
    observations: pa.Table,
    settings: Settings,
    model: ModelInfo,
    *,
    duration_seconds: float,
    thumbnails: Iterator[pa.Array] | None = None,
    timing: FrameTiming = NOTHING_KNOWN,
) -> dict[str, Windows]:
    """What a recording of one person adds to a baseline over several, for each head: the windows of its lone tracks."""
    found = _follow(_Seen.of(observations, settings, thumbnails), settings, model, duration_seconds, timing)
    return lone_windows(
        found.faces["logits"].reshape(-1, model.n_logits),
        found.face_times,
        found.seconds,
        people(found.faces["row"], found.track_ids, scope="video"),
        model,
        source=settings.emotion.labels,
        is_flipped=settings.emotion.flip,
    )


def _follow(
    seen: _Seen, settings: Settings, model: ModelInfo, duration_seconds: float, timing: FrameTiming
) -> _Followed:
    times, faces = seen.times, seen.faces
    track_ids, is_believed = _track(faces, shown_time(times, timing), seen.pictures.is_cut, settings)
    confirmed = np.isin(track_ids, track_ids[is_believed])  # a track that is believed in the end counts from its start
    faces = {name: values[confirmed] for name, values in faces.items()}
    _, track_ids = np.unique(track_ids[confirmed], return_inverse=True)
    track_ids = track_ids.astype(np.int32)
    raw = probabilities(faces["logits"], model, settings)
    smoothed = _smooth(times[faces["row"]], raw, track_ids, settings)
    is_static = find_static(
        times[faces["row"]],
        faces["boxes"],
        track_ids,
        raw,
        spacing_seconds=usual_spacing(times),
        static_seconds=settings.track.static_seconds,
    )
    end = min(duration_seconds, settings.video.end_seconds or np.inf)
    start = min(settings.video.start_seconds, end)
    return _Followed(
        times,
        seen.is_sound,
        seen.pictures,
        frame_intervals(
            times, start=start, end=end, max_hold_seconds=settings.timeline.max_hold_seconds, timing=timing
        ),
        (start, end),
        faces,
        track_ids,
        raw,
        smoothed,
        judge(faces["quality"], faces["looks"], faces["boxes"], smoothed, is_static, settings),
        int((~confirmed).sum()),
    )


def _pictures(thumbnails: Iterator[pa.Array]) -> Iterator[np.ndarray]:
    """Thumbnails a piece at a time, uint8 (n, h, w): they are the one part of observations that is large."""
    width, height = THUMBNAIL_PX
    for piece in thumbnails:
        yield np.frombuffer(b"".join(piece.to_pylist()), np.uint8).reshape(-1, height, width)


def _track(
    faces: dict[str, np.ndarray], times: np.ndarray, cuts: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Of each face its track int32 (n,), and whether that was believed by then bool (n,)."""
    follower = FrameByFrame(settings, spacing_seconds=usual_spacing(times))
    first = np.searchsorted(faces["row"], np.arange(len(times) + 1))
    ids, believed = np.empty(len(faces["row"]), np.int32), np.zeros(len(faces["row"]), bool)
    for i, time in enumerate(times.tolist()):
        own = slice(first[i], first[i + 1])
        ids[own], believed[own] = follower.update(
            faces["boxes"][own], faces["confidence"][own], time, is_cut=bool(cuts[i])
        )
    return ids, believed


def _relative(found: _Followed, model: ModelInfo, settings: Settings, shared: Shifts | None) -> np.ndarray:
    """Probabilities (n, C) less the usual look of each face."""
    logits = without_baseline(
        found.faces["logits"].reshape(-1, model.n_logits),
        found.face_times,
        found.seconds,
        people(found.faces["row"], found.track_ids, scope=settings.baseline.scope),
        model,
        settings.baseline,
        source=settings.emotion.labels,
        is_flipped=settings.emotion.flip,
        shared=shared,
    )
    return probabilities(logits, model, settings)


def _smooth(times: np.ndarray, raw: np.ndarray, track_ids: np.ndarray, settings: Settings) -> np.ndarray:
    smoother = smoother_of(settings)
    smoothed = np.empty_like(raw, dtype=np.float32)
    order = np.argsort(track_ids, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(track_ids[order])) + 1) if len(order) else []:
        smoothed[rows] = smoother.zero_phase(times[rows], raw[rows])
    return smoothed


def _words(values: Sequence[str | None] | np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _repeat(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text], pa.string()))


def _frames_table(
    observations: pa.Table,
    video_id: str,
    shots: np.ndarray,
    pictures: Pictures,
    n_faces: np.ndarray,
    sound: np.ndarray,
) -> pa.Table:
    columns = {
        "video_id": _repeat(video_id, observations.num_rows),
        "frame": observations["frame"],
        "pts": observations["pts"],
        "time_s": observations["time_s"],
        "n_faces": n_faces.astype(np.int32),
        "is_cut": shots,
        "brightness": pictures.brightness,
        "motion": _nullable(pictures.motion),
        "status": _words(np.where(sound, "analysed", "corrupt")),
    }
    return pa.table(columns, schema=frames_schema())


def _faces_table(
    observations: pa.Table,
    labels: tuple[str, ...],
    video_id: str,
    faces: dict[str, np.ndarray],
    track_ids: np.ndarray,
    raw: np.ndarray,
    smoothed: np.ndarray,
    relative: np.ndarray | None,
    margin: np.ndarray,
    abstain: list[str | None],
) -> pa.Table:
    of_frame = pa.array(faces["row"])
    x0, y0, x1, y1 = faces["boxes"].T
    columns = {
        "video_id": _repeat(video_id, len(track_ids)),
        **{name: observations[name].take(of_frame) for name in ("frame", "pts", "time_s")},
        "track_id": track_ids,
        **{"x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0, "det_score": faces["confidence"], "quality": faces["quality"]},
        **{name: _nullable(values) for name, values in zip(LOOKS, faces["looks"].T, strict=True)},
        **{f"p_{label}": raw[:, i] for i, label in enumerate(labels)},
        **{f"s_{label}": smoothed[:, i] for i, label in enumerate(labels)},
        **{f"b_{label}": relative[:, i] for i, label in enumerate(labels) if relative is not None},
        "label": _words([labels[i] for i in smoothed.argmax(axis=1)]) if len(smoothed) else _words([]),
        "confidence": smoothed.max(axis=1, initial=0).astype(np.float32),
        "margin": margin.astype(np.float32),
        "abstain": _words(abstain),
    }
    return pa.table(columns, schema=faces_schema(labels, has_baseline=relative is not None))


def _tracks_table(
    labels: tuple[str, ...],
    video_id: str,
    times: np.ndarray,
    intervals: FrameIntervals,
    face_row: np.ndarray,
    track_ids: np.ndarray,
    smoothed: np.ndarray,
    is_poor: np.ndarray,
) -> pa.Table:
    n_tracks = int(track_ids.max()) + 1 if len(track_ids) else 0
    seconds = np.where(is_poor, 0.0, intervals.seconds[face_row])
    weight = np.bincount(track_ids, seconds, n_tracks)
    sums = np.stack([np.bincount(track_ids, seconds * column, n_tracks) for column in smoothed.T], axis=1)
    means = weighted_mean(sums, weight)
    first, last = np.full(n_tracks, np.inf), np.full(n_tracks, -np.inf)
    np.minimum.at(first, track_ids, times[face_row])
    np.maximum.at(last, track_ids, times[face_row])
    columns = {
        "video_id": _repeat(video_id, n_tracks),
        "track_id": np.arange(n_tracks, dtype=np.int32),
        "start_s": first,
        "end_s": last,
        "n_faces": np.bincount(track_ids, minlength=n_tracks).astype(np.int32),
        **{f"mean_{label}": _nullable(means[:, i]) for i, label in enumerate(labels)},
    }
    return pa.table(columns, schema=tracks_schema(labels))


def _timeline_table(
    labels: tuple[str, ...],
    video_id: str,
    bin_seconds: float,
    span: tuple[float, float],
    times: np.ndarray,
    intervals: FrameIntervals,
    shots: np.ndarray,
    sound: np.ndarray,
    face_row: np.ndarray,
    track_ids: np.ndarray,
    smoothed: np.ndarray,
    usable: np.ndarray,
) -> pa.Table:
    edges = np.union1d(bin_edges(*span, bin_seconds, intervals), intervals.begin[shots])  # a bin never holds two shots
    new_row = np.cumsum(sound) - 1
    sums = sum_bins(
        edges,
        FrameIntervals(intervals.begin[sound], intervals.end[sound]),
        times[sound],
        new_row[face_row[usable]],
        track_ids[usable],
        smoothed[usable].astype(np.float64),
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
    table = pa.table(columns, schema=timeline_schema(labels))
    is_gap = np.diff(edges) > 1.5 * bin_seconds  # of a timeline that is too long to be laid out in full
    return table.filter(pa.array(~is_gap)) if is_gap.any() else table


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.float32), pa.float32(), from_pandas=True)
