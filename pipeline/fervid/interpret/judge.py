"""Interprets the faces of one frame: tracks, confirmation, probabilities, quality gate. Shared by files and live.

Files know all of a video and smooth towards both sides; live knows the past alone. All else is the same, and
is here. Knows no frame, no table and no source.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from fervid.base.spacing import usual_spacing
from fervid.config import Settings
from fervid.emotion.heads import label_probabilities
from fervid.emotion.model import ModelInfo
from fervid.interpret.gate import gate_reasons
from fervid.run.usable import UNSURE
from fervid.track import Smoother, make_smoother, make_tracker
from fervid.track.confirm import Confirmation
from fervid.track.matching import gap_limit

REMEMBERED_SPACINGS = 50
"""Number of recent frames from which the typical spacing is measured in live mode."""


class FrameByFrame:
    """Follows the faces of one video or source from frame to frame, and returns which are confirmed so far."""

    def __init__(self, settings: Settings, *, spacing_seconds: float | None = None) -> None:
        """`spacing_seconds`: the usual time between frames; None measures it as they come."""
        track = settings.track
        self._tracker = make_tracker(track.tracker, track.chosen_options, gap_seconds=track.gap_seconds)
        best = settings.detect.confirm_score if track.min_best_score is None else track.min_best_score
        self._confirmation = Confirmation(
            min_faces=track.min_faces, min_expected_share=track.min_expected_share, min_best_score=best
        )
        self._gap_seconds, self._spacing = track.gap_seconds, spacing_seconds
        self._recent: deque[float] = deque(maxlen=REMEMBERED_SPACINGS + 1)

    @property
    def gap_seconds(self) -> float:
        """How long a track survives without a face, as known so far."""
        return gap_limit(self._gap_seconds, self._spacing_seconds)

    @property
    def _spacing_seconds(self) -> float:
        return usual_spacing(np.array(self._recent)) if self._spacing is None else self._spacing

    def update(
        self, boxes: np.ndarray, confidence: np.ndarray, seconds: float, *, is_cut: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) and their scores (n,) at a time -> track ids int32 (n,), confirmed so far bool (n,)."""
        self._recent.append(seconds)
        ids = self._tracker.update(boxes, seconds, is_cut=is_cut, spacing_seconds=self._spacing_seconds)
        believed = self._confirmation.update(ids, confidence, seconds)
        self._confirmation.forget(seconds - self.gap_seconds)
        return ids, believed


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of n faces: `margin` float (n,), `is_poor` and `is_static` bool (n,), and `abstain`, why a label should not be
    used, or None."""

    margin: np.ndarray
    is_poor: np.ndarray
    is_static: np.ndarray
    abstain: list[str | None]


def probabilities(logits: np.ndarray, model: ModelInfo, settings: Settings) -> np.ndarray:
    """Logits of any shape, one row per face once flattened -> calibrated probabilities of the labels (n, C)."""
    emotion = settings.emotion
    rows = logits.reshape(-1, model.n_logits)
    return label_probabilities(rows, model, source=emotion.labels, is_flipped=emotion.flip)


def smoother_of(settings: Settings) -> Smoother:
    """The smoother of the settings."""
    return make_smoother(settings.smooth.smoother, half_life_seconds=settings.smooth.half_life_seconds)


# Decision INT-1.
def judge(
    quality: np.ndarray,
    face_quality: np.ndarray,
    boxes: np.ndarray,
    answer: np.ndarray,
    is_static: np.ndarray,
    settings: Settings,
) -> Verdicts:
    """Which faces are of too low quality to count, or between two labels.

    All of n faces; `answer` (n, C) are the probabilities that decide the label: smoothed, or read out over time.
    """
    ranked = np.sort(answer, axis=1)
    margin = ranked[:, -1] - ranked[:, -2] if answer.shape[1] > 1 else np.ones(len(answer))
    reasons = gate_reasons(quality, face_quality, boxes, settings.gate, min_quality=settings.timeline.min_quality)
    is_poor = is_static | (reasons != "")
    is_unsure = ~is_poor & (margin < settings.timeline.min_margin)
    abstain = [
        "static" if static else UNSURE if unsure else reason or None
        for static, unsure, reason in zip(is_static.tolist(), is_unsure.tolist(), reasons.tolist(), strict=True)
    ]
    return Verdicts(margin, is_poor, is_static, abstain)
