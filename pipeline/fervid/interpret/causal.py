"""Faces from frame to frame as they come: tracks, causal smoothing, the gate. Knows nothing of images or sources.

Each frame is evaluated by the same code as in files (`fervid.interpret.judge`); except for what
needs the future: a face counts from the sample that confirms its track, and smoothing is causal.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from fervid.base.types import FaceScores
from fervid.config import Settings
from fervid.emotion.model import ModelInfo
from fervid.interpret.agitation import FrameMotion, MotionJudge, Usual
from fervid.interpret.agitation_model import load_agitation_model
from fervid.interpret.cuts import MOTION_SECONDS, measure_frames
from fervid.interpret.judge import FrameByFrame, judge, probabilities, smoother_of
from fervid.interpret.readout import read_out, readout_of, readout_smoother
from fervid.observe.flow_values import MOST_SECONDS
from fervid.track.static import find_static

REMEMBERED_HALF_LIVES = 16
"""A sample this many half-lives ago counts for a 65,536th."""
STILL_SPACING_SECONDS = 1.0
"""Static faces are detected from one sample per second."""


@dataclass(frozen=True, slots=True)
class LiveFace:
    """A face of one frame. `box` xyxy float32 in pixels of the displayed frame, `raw` and `smoothed` float32 (C,)."""

    track_id: int
    box: np.ndarray
    det_score: float
    quality: float
    face_quality: np.ndarray
    raw: np.ndarray
    smoothed: np.ndarray
    label: str
    confidence: float
    margin: float
    abstain: str | None
    read_out: np.ndarray | None = None
    """Probabilities float32 (C,) read out over time, if the model's read-out is used: then they decide the label."""

    @property
    def answer(self) -> np.ndarray:
        """The probabilities (C,) that decide the label."""
        return self.smoothed if self.read_out is None else self.read_out


class LiveMotion:
    """Judges the motion of one source. What is usual is known from the past alone."""

    def __init__(self, settings: Settings) -> None:
        """Raises ModelError where the model of agitation cannot be loaded."""
        self._judge, self._usual = MotionJudge(load_agitation_model(settings.motion.model)), Usual()
        self._seconds: float | None = None

    def update(self, scores: FaceScores, *, is_cut: bool = False) -> FrameMotion:
        """The motion up to the next frame. `is_cut`: it does not continue from before."""
        seconds = scores.detections.pts_seconds
        found = self._judge.update(scores.flow, seconds, is_cut=is_cut)
        lasted = 0.0 if self._seconds is None or is_cut else min(seconds - self._seconds, MOST_SECONDS)
        self._seconds = seconds
        agitation = np.array([found.agitation])
        self._usual.add(agitation, np.array([lasted]))
        return replace(found, usual=float(self._usual.rank(agitation)[0]))


class LiveChange:
    """How much the levels of one source change, as `motion` in files."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, np.ndarray]] = deque()

    def update(self, seconds: float, thumbnail: np.ndarray) -> float:
        """The change up to the next frame, whose `thumbnail` is uint8 (h, w), 0..1; NaN at the first one."""
        self._recent.append((seconds, thumbnail))
        while len(self._recent) > 2 and self._recent[1][0] <= seconds - 2 * MOTION_SECONDS:
            self._recent.popleft()
        times, images = zip(*self._recent, strict=True)
        return float(measure_frames([np.stack(images)], np.array(times), threshold=None).motion[-1])


@dataclass(slots=True)
class _Past:
    """The state of a track."""

    times: deque[float] = field(default_factory=deque)
    raw: deque[np.ndarray] = field(default_factory=deque)
    logits: deque[np.ndarray] = field(default_factory=deque)
    last_seen: float = 0.0


class LiveTracks:
    """Follows the faces of one source. Memory is bounded by the faces of the last minutes."""

    def __init__(self, settings: Settings, model: ModelInfo) -> None:
        self._settings, self._model = settings, model
        self._follower, self._smoother = FrameByFrame(settings), smoother_of(settings)
        self._readout = readout_of(model, settings)
        half_lives = [settings.smooth.half_life_seconds]
        if self._readout is not None:
            self._readout_smoother = readout_smoother(self._readout, settings)
            half_lives.append(self._readout.half_life_seconds)
        self._looks_back = REMEMBERED_HALF_LIVES * max(half_lives)
        self._past: dict[int, _Past] = {}
        self._still = _StillFaces(settings.track.static_seconds)

    def update(self, scores: FaceScores, *, is_cut: bool = False) -> list[LiveFace]:
        """The confirmed faces of the next frame. `is_cut`: tracks do not continue from before."""
        found = scores.detections
        seconds = found.pts_seconds
        track_ids, believed = self._follower.update(found.boxes, found.confidence, seconds, is_cut=is_cut)
        ids = track_ids.tolist()
        raw = probabilities(scores.logits, self._model, self._settings)
        logits = scores.logits.reshape(-1, self._model.n_logits)
        smoothed = np.empty_like(raw, dtype=np.float32)
        smoothed_logits = np.empty_like(logits, dtype=np.float32)
        seen_seconds = np.zeros(len(ids))
        for i, track_id in enumerate(ids):
            past = self._remember(track_id, seconds, raw[i], logits[i])
            times = np.array(past.times)
            smoothed[i] = self._smoother.causal(times, np.stack(past.raw))[-1]
            if self._readout is not None:
                smoothed_logits[i] = self._readout_smoother.causal(times, np.stack(past.logits))[-1]
                seen_seconds[i] = times[-1] - times[0]  # at most what is remembered
        answer = smoothed
        if self._readout is not None:
            answer = read_out(smoothed_logits, seen_seconds, self._readout, self._model, self._settings)
        still = self._still.update(seconds, ids, found.boxes, raw)
        is_static = np.array([track_id in still for track_id in ids], bool)
        verdicts = judge(scores.quality, scores.face_quality, found.boxes, answer, is_static, self._settings)
        self._forget(seconds)
        return [
            LiveFace(
                ids[i],
                found.boxes[i],
                float(found.confidence[i]),
                float(scores.quality[i]),
                scores.face_quality[i],
                raw[i],
                smoothed[i],
                self._model.labels[int(answer[i].argmax())],
                float(answer[i].max()),
                float(verdicts.margin[i]),
                verdicts.abstain[i],
                answer[i] if self._readout is not None else None,
            )
            for i in np.flatnonzero(believed).tolist()
        ]

    def _remember(self, track_id: int, seconds: float, raw: np.ndarray, logits: np.ndarray) -> _Past:
        past = self._past.setdefault(track_id, _Past())
        past.times.append(seconds)
        past.raw.append(raw)
        past.logits.append(logits)
        past.last_seen = seconds
        while past.times[0] < seconds - self._looks_back:
            past.times.popleft()
            past.raw.popleft()
            past.logits.popleft()
        return past

    def _forget(self, seconds: float) -> None:
        limit = seconds - self._follower.gap_seconds - 1
        for track_id in [track_id for track_id, past in self._past.items() if past.last_seen < limit]:
            del self._past[track_id]


class _StillFaces:
    """Which tracks are static, updated once per second over the required time."""

    def __init__(self, static_seconds: float) -> None:
        self._static_seconds = static_seconds
        self._rows: deque[tuple[float, int, np.ndarray, np.ndarray]] = deque()
        self._next = 0.0
        self._still: frozenset[int] = frozenset()

    def update(self, seconds: float, ids: list[int], boxes: np.ndarray, raw: np.ndarray) -> frozenset[int]:
        if self._static_seconds <= 0 or seconds < self._next:
            return self._still
        self._next = seconds + STILL_SPACING_SECONDS
        self._rows.extend(zip([seconds] * len(ids), ids, boxes, raw, strict=True))
        while self._rows and self._rows[0][0] < seconds - self._static_seconds - 2 * STILL_SPACING_SECONDS:
            self._rows.popleft()
        if not self._rows or seconds - self._rows[0][0] < self._static_seconds:
            self._still = frozenset()
            return self._still
        times, track_ids, all_boxes, all_raw = (np.array(column) for column in zip(*self._rows, strict=True))
        _, from_zero = np.unique(track_ids, return_inverse=True)
        is_static = find_static(
            times,
            all_boxes,
            from_zero,
            all_raw,
            spacing_seconds=STILL_SPACING_SECONDS,
            static_seconds=self._static_seconds,
        )
        self._still = frozenset(track_ids[is_static].tolist())
        return self._still
