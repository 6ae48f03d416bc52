"""The loop of a live view: take the newest frame, detect, classify, track, smooth, evaluate. Shows and writes nothing.

One thread captures, the caller's does the rest: what is drawn later is drawn on the very frame it was computed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import numpy as np

from fervid.alerts.language.rules import RuleSet
from fervid.base.types import Detections, FaceScores, Frame
from fervid.batch.job import Method
from fervid.config import Settings, load_settings
from fervid.detect import make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.stage import detect_faces
from fervid.emotion import make_classifier
from fervid.emotion.heads import select_heads
from fervid.emotion.plugin import find_model
from fervid.errors import ConfigError
from fervid.interpret.agitation import FrameMotion
from fervid.interpret.causal import LiveFace, LiveMotion, LiveTracks
from fervid.live.address import Address, parse_address
from fervid.live.alarms import LiveAlert, LiveRules
from fervid.live.source import Capture, Captured, Pace
from fervid.observe.flow import flow_watch
from fervid.observe.scoring import cut_out_faces, measured
from fervid.runtime.device import choose_runner

STATISTICS_SECONDS = 2.0
"""Window over which rates and latencies are measured."""
LATENCIES_KEPT = 200
WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of the session."""

    fps: float
    """Analysed frames per second."""
    latency_seconds: float
    """Median time from a frame's arrival to the end of its analysis, and of what was done with it if that was told."""
    captured: int
    analysed: int
    dropped: int
    """Frames skipped for newer ones, or to keep to `fps`."""
    reconnects: int
    status: str


@dataclass(frozen=True, slots=True)
class Moment:
    """An analysed frame: its faces, the alerts that it raised, and the session's rates.

    `seconds` count from the first frame of the session, `arrived` is on this machine's monotonic clock.
    """

    index: int
    seconds: float
    utc: datetime
    arrived: float
    faces: tuple[LiveFace, ...]
    alerts: tuple[LiveAlert, ...]
    rates: Rates
    scores: FaceScores
    motion: FrameMotion | None
    """How the image moves; None where the settings do not ask for it."""
    width_px: int
    height_px: int
    _captured: Captured

    @property
    def connection(self) -> int:
        """Which connection to the source it came over, from 0."""
        return self._captured.connection

    @property
    def pixel_aspect(self) -> float:
        """Width / height of a pixel as displayed."""
        return self._captured.pixel_aspect

    def rgb(self) -> np.ndarray:
        """The frame, RGB uint8 (H, W, 3), a fresh copy each time: the caller may draw into it."""
        return self._captured.rgb()


class LiveSession:
    """One source under analysis. Use it as a context; `step` gives one analysed frame after the other.

    `settings.video.fps` limits the analysed frames per second; 0 means as many as possible.
    Raises ConfigError, ModelError, or InputError when the source cannot be opened (unless `waits_for_source`).
    """

    def __init__(
        self,
        source: str,
        *,
        settings: Settings,
        device: str = "auto",
        pace: Pace = "real",
        loops: bool = False,
        waits_for_source: bool = False,
        rules: RuleSet | None = None,
    ) -> None:
        if settings.video.every is not None:
            raise ConfigError(
                f"video.every = {settings.video.every} is for files: a live view drops frames when it cannot keep up. "
                "Give --fps instead."
            )
        self.address: Address = parse_address(source)
        self.model = find_model(settings.emotion.model)
        select_heads(self.model, settings.emotion.labels)
        self.method = Method.of(settings, self.model, choose_runner(device))
        self._settings = settings
        self._classifier = make_classifier(
            self.method.runner, self.model, batch_size=settings.emotion.batch_size, flip=settings.emotion.flip
        )
        self.work = SearchWork()
        self._pending: Captured | None = None
        self._frame: Frame | None = None
        self._crops = self._search()
        self._tracks = LiveTracks(settings, self.model)
        self._motion = LiveMotion(settings) if settings.motion.measure else None
        self._rules = rules
        self._live_rules: LiveRules | None = None
        if rules is not None:  # a mismatching rule is reported before anything is opened
            self._live_rules = LiveRules(rules, self.model.labels, began=datetime.now())
        self.capture = Capture(
            self.address,
            pace=pace,
            max_pixels=settings.video.max_pixels,
            loops=loops,
            waits_for_source=waits_for_source,
        )
        self._connection = 0
        self._began_utc: datetime | None = None
        self._next_due = float("-inf")
        self._analysed = self._passed_over = 0
        self._ended: deque[float] = deque()
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def __enter__(self) -> LiveSession:
        self.capture.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.capture.__exit__(*problem)

    @property
    def has_ended(self) -> bool:
        """Whether the source is a file that was played to its end."""
        return self.capture.slot.is_empty_for_good

    @property
    def rates(self) -> Rates:
        """The current rates of the session."""
        now = monotonic()
        while self._ended and self._ended[0] < now - STATISTICS_SECONDS:
            self._ended.popleft()
        span = now - self._ended[0] if len(self._ended) > 1 else STATISTICS_SECONDS
        return Rates(
            fps=(len(self._ended) - 1) / max(span, 1e-6) if len(self._ended) > 1 else 0.0,
            latency_seconds=float(np.median(self._latencies)) if self._latencies else 0.0,
            captured=self.capture.status.captured,
            analysed=self._analysed,
            dropped=self.capture.slot.dropped + self._passed_over,
            reconnects=self.capture.status.reconnects,
            status=self.capture.status.text,
        )

    @property
    def unmeasured_rules(self) -> list[str]:
        """The names of rules that use motion, which the settings do not measure: they are not evaluated."""
        return [] if self._live_rules is None else self._live_rules.unmeasured(has_motion=self._motion is not None)

    def step(self, timeout_seconds: float = WAIT_SECONDS) -> Moment | None:
        """Analyse the newest frame; None on timeout. Raises the error that ended the source, if any."""
        captured = self.capture.slot.take(timeout_seconds)
        if captured is None:
            return None
        if not self._is_due(captured.seconds):
            self._passed_over += 1
            return None
        if self._began_utc is None:
            began = datetime.now(UTC) - timedelta(seconds=captured.seconds)
            self._began_utc = began
            if self._rules is not None:
                local = began.astimezone().replace(tzinfo=None)
                self._live_rules = LiveRules(self._rules, self.model.labels, began=local)
        scores, frame = self._score(captured)
        height, width = frame.gray.shape
        is_cut = captured.connection != self._connection
        faces = self._tracks.update(scores, is_cut=is_cut)
        motion = None if self._motion is None else self._motion.update(scores, is_cut=is_cut)
        self._connection = captured.connection
        raised: list[LiveAlert] = []
        if self._live_rules is not None and not captured.is_corrupt:
            raised = self._live_rules.feed(
                captured.seconds, faces, width, height, thumbnail=scores.thumbnail, motion=motion
            )
        self._analysed += 1
        ended = monotonic()
        self._ended.append(ended)
        self._latencies.append(ended - captured.arrived)
        return Moment(
            captured.index,
            captured.seconds,
            self._began_utc + timedelta(seconds=captured.seconds),
            captured.arrived,
            tuple(faces),
            tuple(raised),
            self.rates,
            scores,
            motion,
            width,
            height,
            captured,
        )

    def was_shown(self, moment: Moment) -> float:
        """Mark a moment as displayed: its latency ends here. Returns it in seconds."""
        latency = monotonic() - moment.arrived
        if self._latencies:
            self._latencies[-1] = latency
        return latency

    def moments(self) -> Iterator[Moment]:
        """Moment after moment, until a file ends or the caller leaves."""
        while not self.has_ended:
            moment = self.step()
            if moment is not None:
                yield moment

    def _is_due(self, seconds: float) -> bool:
        fps = self._settings.video.fps
        if fps and seconds < self._next_due:
            return False
        # From the due time on, not from the frame's: else a 25 fps source at 10 fps would give 8.3.
        behind = seconds - self._next_due
        self._next_due = (self._next_due if behind < 1 / fps else seconds) + 1 / fps if fps else seconds
        return True

    def _score(self, captured: Captured) -> tuple[FaceScores, Frame]:
        self._pending = captured
        cut = next(self._crops)
        logits = self._classifier.predict(cut.crops)
        assert self._frame is not None
        return next(measured([cut], logits)), self._frame

    def _search(self) -> Iterator[Any]:
        """The two stages before the classifier, over frames that are handed in one by one; they keep their memory."""
        detect, emotion = self._settings.detect, self._settings.emotion
        detector = make_detector(detect.detector, detect.chosen_options)

        def frames() -> Iterator[Frame]:
            while self._pending is not None:
                self._frame = self._pending.frame()
                yield self._frame

        flow = flow_watch(self._settings)

        def found() -> Iterator[tuple[Frame, Detections, np.ndarray]]:
            yield from detect_faces(
                frames(),
                detector,
                search=SearchPlan.of(detect),
                work=self.work,
                min_face_px=detect.min_face_px,
                min_face_share=detect.min_face_share,
                min_confidence=detect.min_confidence,
                pixel_aspect=self._pending.pixel_aspect if self._pending is not None else 1.0,
                is_watched=None if flow is None else flow.is_fast,
            )

        side_px, margin = self.model.input_side_px, emotion.crop_margin
        return cut_out_faces(found(), side_px=side_px, margin=margin, box_shape=detector.box_shape, flow=flow)


def stream(
    source: str,
    *,
    settings: Settings | None = None,
    device: str = "auto",
    pace: Pace = "real",
    rules: str | RuleSet | None = None,
) -> Iterator[Moment]:
    """The analysed frames of a webcam ("0"), a stream ("rtsp://...") or a file as they come, the newest first of all.

    Frames are skipped when analysis cannot keep up. Without `settings` every frame is analysed that there is time
    for; theirs is the limit `video.fps`. `rules` names alert rules. With `pace` "unpaced" a file is read as fast as it
    can be, and no frame is dropped. Raises InputError when the source cannot be opened, ConfigError or ModelError.
    """
    from fervid.alerts.language.rules import load_rules

    rule_set = load_rules(rules) if isinstance(rules, str) else rules
    chosen = settings or load_settings(options={"video.fps": 0.0})
    with LiveSession(source, settings=chosen, device=device, pace=pace, rules=rule_set) as session:
        yield from session.moments()
