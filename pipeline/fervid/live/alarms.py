"""Alert rules on live frames: the same rules, evaluated frame by frame. Knows nothing of images or files."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from fervid.alerts.find.clock import seconds_of_day
from fervid.alerts.find.finder import Finder, Samples, missing_names
from fervid.alerts.find.machine import Alert
from fervid.alerts.find.records import NEEDS_REVIEW
from fervid.alerts.find.scan import names_of
from fervid.alerts.language.rules import CAMERA_USUAL, GRID_NAME, MOTION_NAMES, WITHOUT_SIGN, BoundRule, RuleSet, bind
from fervid.base.spacing import usual_spacing
from fervid.base.types import FACE_QUALITY
from fervid.errors import ConfigError
from fervid.interpret.agitation import FrameMotion
from fervid.interpret.causal import LiveChange, LiveFace
from fervid.interpret.judge import REMEMBERED_SPACINGS
from fervid.run.usable import is_usable

USUAL_SPACING_SECONDS = 0.1
"""Taken until a second frame tells."""


@dataclass(frozen=True, slots=True)
class LiveAlert:
    """An alert at the moment it is raised; it may continue. Times are seconds of the session."""

    rule: str
    wording: str
    tier: str
    severity: str
    start_s: float
    raised_s: float
    peak_score: float
    track_id: int | None

    def text(self) -> str:
        """The alert as a sentence."""
        who = "" if self.track_id is None else f", #{self.track_id}"
        return f"{self.wording}{who}, score {self.peak_score:.2f}: {NEEDS_REVIEW}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return {name: getattr(self, name) for name in self.__slots__} | {"text": self.text()}


class LiveRules:
    """Runs a set of rules over the frames of one session. Raises ConfigError for a rule with unknown labels."""

    def __init__(self, rules: RuleSet, labels: Sequence[str], *, began: datetime) -> None:
        """`began` is the local time of the session's second 0, for rules with hours."""
        self._bound = bind(rules, list(labels))
        self._names, self._labels = names_of(self._bound), list(labels)
        self._recent: deque[float] = deque(maxlen=REMEMBERED_SPACINGS + 1)
        self._change = LiveChange()
        self._finder = Finder(
            self._bound, rules.zones, spacing_seconds=USUAL_SPACING_SECONDS, clock_seconds=seconds_of_day(began)
        )

    def unmeasured(self, *, has_motion: bool) -> list[str]:
        """The names of rules that are not evaluated, because a view without `motion.measure` lacks what they use."""
        measured = MOTION_NAMES if has_motion else {"motion"}
        return [bound.rule.name for bound in self._bound if missing_names(bound, measured)]

    def feed(
        self,
        seconds: float,
        faces: Sequence[LiveFace],
        width: int,
        height: int,
        *,
        thumbnail: np.ndarray | None = None,
        motion: FrameMotion | None = None,
    ) -> list[LiveAlert]:
        """The alerts to tell at the next frame; those of a rule that yields may have been raised a little before.

        `thumbnail` uint8 (h, w) of the frame, and how its image moves, for rules that use motion.
        """
        self._recent.append(seconds)
        self._finder.set_spacing(usual_spacing(np.array(self._recent)) or USUAL_SPACING_SECONDS)
        boxes = np.stack([face.box for face in faces]) if faces else np.zeros((0, 4), np.float32)
        samples = Samples(
            times=np.array([seconds]),
            frame_of_face=np.zeros(len(faces), int),
            track_ids=np.array([face.track_id for face in faces], int),
            columns=self._columns(faces, boxes, height),
            is_usable=np.array([is_usable(face.abstain) for face in faces], bool),
            centres=(boxes[:, :2] + boxes[:, 2:]) / 2 / (width, height),
            frame_columns=self._motion_columns(seconds, thumbnail, motion),
        )
        return [_alert(bound, alert) for bound, alert in self._finder.feed_live(samples)]

    def _motion_columns(
        self, seconds: float, thumbnail: np.ndarray | None, motion: FrameMotion | None
    ) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        if thumbnail is not None and "motion" in self._names:
            found["motion"] = np.array([self._change.update(seconds, thumbnail)])
        if motion is not None:
            found |= {"agitation": np.array([motion.agitation]), "agitation_usual": np.array([motion.usual])}
            found |= {"speed": np.array([motion.speed]), GRID_NAME: motion.grid[None]}
            found[CAMERA_USUAL] = found["agitation_usual"]  # a view knows no runs
        return {name: values for name, values in found.items() if name in self._names}

    def _columns(self, faces: Sequence[LiveFace], boxes: np.ndarray, height: int) -> dict[str, np.ndarray]:
        known: dict[str, list[float]] = {name: [getattr(face, name) for face in faces] for name in _OWN_NAMES}
        for i, label in enumerate(self._labels):
            known[label] = [float(face.smoothed[i]) for face in faces]
            known[f"relative_{label}"] = known[label]  # a live view has too little history for a baseline
            known[f"readout_{label}"] = [float(face.answer[i]) for face in faces]
            known[f"raw_{label}"] = [float(face.raw[i]) for face in faces]
        for i, name in enumerate(FACE_QUALITY):
            values = [float(face.face_quality[i]) for face in faces]
            known[name] = [abs(value) for value in values] if name in WITHOUT_SIGN else values
        sides = boxes[:, 2:] - boxes[:, :2]
        columns = {"face_px": sides.min(axis=1) if len(sides) else np.zeros(0), "face_share": sides[:, 1] / height}
        columns |= {name: np.array(values, np.float32) for name, values in known.items()}
        return {name: columns[name] for name in self._names if name in columns}


def do_rules_fit(rules: RuleSet, labels: Sequence[str]) -> bool:
    """Whether these rules match a model with these labels."""
    try:
        bind(rules, list(labels))
    except ConfigError:
        return False
    return True


_OWN_NAMES = ("margin", "confidence", "quality", "det_score")


def _alert(bound: BoundRule, alert: Alert) -> LiveAlert:
    rule, peak = bound.rule, alert.peak
    track_id = peak.track_id if rule.over == "face" else None
    return LiveAlert(rule.name, rule.wording, rule.tier, rule.severity, alert.start, alert.raised, peak.peak, track_id)
