"""The second half: observations to tables. Tracks, smooths, gates and aggregates; takes milliseconds per minute of
video.

Knows nothing of pixels or decoders: it runs again over stored observations whenever its settings change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from fervid.base.spacing import usual_spacing
from fervid.config import Settings
from fervid.emotion.model import ModelInfo
from fervid.interpret.agitation import judge_motion
from fervid.interpret.agitation_model import load_agitation_model
from fervid.interpret.baseline import Shifts, Windows, lone_windows, people, without_baseline
from fervid.interpret.build import (
    NOTHING_KNOWN,
    FrameTiming,
    frame_intervals,
    shown_time,
)
from fervid.interpret.cuts import FrameMeasures, find_shots, measure_frames
from fervid.interpret.judge import FrameByFrame, judge, probabilities, smoother_of
from fervid.interpret.readout import read_out, readout_of, readout_smoother, seconds_seen
from fervid.interpret.tables import Followed, Tables, faces_table, frames_table, timeline_table, tracks_table
from fervid.observe.observations import THUMBNAIL_PX, face_arrays, flow_arrays
from fervid.track import Smoother
from fervid.track.static import find_static


@dataclass(frozen=True, slots=True)
class _Seen:
    """The columns of observations: of m frames their `times` (m,) and measures, and their faces as arrays."""

    times: np.ndarray
    is_sound: np.ndarray
    measures: FrameMeasures
    faces: dict[str, np.ndarray]
    flows: list[np.ndarray] | None
    """The flow statistics of each frame; None where they were not measured."""

    @classmethod
    def of(cls, observations: pa.Table, settings: Settings, thumbnails: Iterator[pa.Array] | None) -> _Seen:
        times = observations["time_s"].to_numpy()
        measures = measure_frames(
            _pictures(thumbnails or iter(observations["thumbnail"].chunks)),
            times,
            threshold=settings.track.cut_threshold if settings.track.find_cuts else None,
        )
        is_sound = ~observations["is_corrupt"].to_numpy(zero_copy_only=False)
        flows = flow_arrays(observations) if settings.motion.measure else None
        return cls(times, is_sound, measures, face_arrays(observations), flows)


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

    Thumbnails are read once, at the start; `thumbnails` yields them in pieces if they are not a column.
    `shared` is the baseline of a person over several recordings, where one was measured (`shared_shifts`).
    """
    seen = _Seen.of(observations, settings, thumbnails)
    observations = observations.select(["frame", "pts", "time_s"])  # avoids a second copy for hours of video
    found = _follow(seen, settings, model, duration_seconds, timing)
    shots = find_shots(found.measures.is_cut, found.times, min_shot_seconds=settings.track.min_shot_seconds)
    logits = found.faces["logits"].reshape(-1, model.n_logits)
    relative, has_baseline = None, np.zeros(len(logits), bool)
    if settings.baseline.scope != "off":
        logits, own = _without_baseline(found, model, settings, shared), logits
        has_baseline = (logits != own).any(axis=1)
        relative = _smooth(found, probabilities(logits, model, settings), smoother_of(settings))
    if (readout := readout_of(model, settings)) is not None:
        smoothed = _smooth(found, logits, readout_smoother(readout, settings))
        seen_for = seconds_seen(found.face_times, found.track_ids)
        answer = read_out(smoothed, seen_for, readout, model, settings, has_baseline=has_baseline)
        found = _judged(found, answer, settings)
    return Tables(
        frames_table(video_id, observations, found, shots),
        faces_table(video_id, model.labels, observations, found, relative),
        tracks_table(video_id, model.labels, found),
        timeline_table(video_id, model.labels, found, shots, bin_seconds=settings.timeline.bin_seconds),
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
) -> Followed:
    times, faces = seen.times, seen.faces
    track_ids, is_believed = _track(faces, shown_time(times, timing), seen.measures.is_cut, settings)
    confirmed = np.isin(track_ids, track_ids[is_believed])  # a confirmed track counts from its start
    faces = {name: values[confirmed] for name, values in faces.items()}
    _, track_ids = np.unique(track_ids[confirmed], return_inverse=True)
    track_ids = track_ids.astype(np.int32)
    raw = probabilities(faces["logits"], model, settings)
    smoothed = _smooth_tracks(times[faces["row"]], track_ids, raw, smoother_of(settings))
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
    hold = settings.timeline.max_hold_seconds
    intervals = frame_intervals(times, start=start, end=end, max_hold_seconds=hold, timing=timing)
    motion = None
    if seen.flows is not None:
        agitation_model = load_agitation_model(settings.motion.model)
        motion = judge_motion(seen.flows, times, seen.measures.is_cut, intervals.seconds, agitation_model)
    return Followed(
        times,
        seen.is_sound,
        seen.measures,
        intervals,
        (start, end),
        faces,
        track_ids,
        raw,
        smoothed,
        judge(faces["quality"], faces["looks"], faces["boxes"], smoothed, is_static, settings),
        int((~confirmed).sum()),
        motion,
    )


def _judged(found: Followed, answer: np.ndarray, settings: Settings) -> Followed:
    """The same faces with labels from `answer` (n, C)."""
    faces = found.faces
    verdicts = judge(faces["quality"], faces["looks"], faces["boxes"], answer, found.verdicts.is_static, settings)
    return replace(found, read_out=answer, verdicts=verdicts)


def _pictures(thumbnails: Iterator[pa.Array]) -> Iterator[np.ndarray]:
    """Thumbnails in pieces, uint8 (n, h, w): the only large part of observations."""
    width, height = THUMBNAIL_PX
    for piece in thumbnails:
        yield np.frombuffer(b"".join(piece.to_pylist()), np.uint8).reshape(-1, height, width)


def _track(
    faces: dict[str, np.ndarray], times: np.ndarray, cuts: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Of each face its track int32 (n,), and whether that was confirmed by then bool (n,)."""
    follower = FrameByFrame(settings, spacing_seconds=usual_spacing(times))
    first = np.searchsorted(faces["row"], np.arange(len(times) + 1))
    ids, believed = np.empty(len(faces["row"]), np.int32), np.zeros(len(faces["row"]), bool)
    for i, time in enumerate(times.tolist()):
        own = slice(first[i], first[i + 1])
        ids[own], believed[own] = follower.update(
            faces["boxes"][own], faces["confidence"][own], time, is_cut=bool(cuts[i])
        )
    return ids, believed


def _without_baseline(found: Followed, model: ModelInfo, settings: Settings, shared: Shifts | None) -> np.ndarray:
    """Logits (n, L) less the usual look of each face."""
    return without_baseline(
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


def _smooth(found: Followed, values: np.ndarray, smoother: Smoother) -> np.ndarray:
    """Values (n, K) of the faces, smoothed along each track: float32 (n, K)."""
    return _smooth_tracks(found.face_times, found.track_ids, values, smoother)


def _smooth_tracks(times: np.ndarray, track_ids: np.ndarray, values: np.ndarray, smoother: Smoother) -> np.ndarray:
    smoothed = np.empty_like(values, dtype=np.float32)
    order = np.argsort(track_ids, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(track_ids[order])) + 1) if len(order) else []:
        smoothed[rows] = smoother.zero_phase(times[rows], values[rows])
    return smoothed
