"""Typed settings, one class per section. Every duration is in seconds; unknown keys are refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from fervid.base import assets
from fervid.base.registry import resolve
from fervid.config.section import Section
from fervid.config.video import VideoSettings
from fervid.detect import DEFAULT_DETECTOR, DETECTORS
from fervid.detect.options import DetectorOptions
from fervid.track import DEFAULT_TRACKER, TRACKERS
from fervid.track.options import TrackerOptions


class _DetectSettings(Section):
    """How faces are found."""

    detector: str = Field(
        default=DEFAULT_DETECTOR, description=f"face detector: {', '.join(DETECTORS)}, or one from a plug-in"
    )
    min_face_px: int | None = Field(
        default=None, ge=16, description="smallest face in pixels of the frame; default: min_face_share"
    )
    min_face_share: float = Field(
        default=0.08, gt=0, le=1, description="smallest face as a share of the frame's height"
    )
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="detections below this confidence are dropped")
    full_search_seconds: float = Field(
        default=0.4,
        ge=0,
        description="each part of the frame is searched this often, around known faces in every frame; "
        "0 searches every frame in full and disables all savings below",
    )
    octave_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(1.0, 0.6, 0.2),
        min_length=1,
        description="shares of full_search_seconds for the smallest faces, for those twice as large, and so on; "
        "the last one holds for all larger ones",
    )
    quiet_factor: float = Field(
        default=2.0,
        ge=1,
        le=100,
        description="while no face appears or disappears, the time between searches grows up to this factor",
    )
    keep_lost_seconds: float = Field(
        default=2.0, ge=0, description="keep searching where a face was lost for this long; 0 disables this"
    )
    close_first: bool = Field(
        default=True,
        description="search for a known face close to its last position first, and wider only if needed",
    )
    still_level: float = Field(
        default=8.0,
        ge=0,
        le=255,
        description="a part that changed by fewer levels (of 255) is not searched again; 0 searches always",
    )
    still_seconds: float = Field(
        default=8.0, gt=0, description="parts that do not change are searched again after this"
    )
    new_shot_threshold: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="change of the frame after which all of it is searched; 0 disables this",
    )
    options: dict[str, bool | int | float | str] = Field(default={}, description="options of a detector from a plug-in")

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The options of the detector in use: its own section, or `options` for one from a plug-in."""
        own = getattr(self, self.detector, None)
        return own.model_dump() if isinstance(own, DetectorOptions) else dict(self.options)

    @property
    def confirm_score(self) -> float:
        """The best score that a track needs with the detector in use; 0 for those of other packages."""
        own = getattr(self, self.detector, None)
        return own.confirm_score if isinstance(own, DetectorOptions) else 0.0

    def results_depend_on(self) -> dict[str, Any]:
        """The section without the options of unused detectors."""
        own = getattr(self, self.detector, None)
        content = self.model_dump(mode="json", exclude={*DETECTORS} | (set() if self.options else {"options"}))
        return content | ({self.detector: own.results_depend_on()} if isinstance(own, DetectorOptions) else {})


if TYPE_CHECKING:
    DetectSettings = _DetectSettings
else:
    # Each detector of the table has a section of its own.
    _sections = {name: resolve(DETECTORS, name, kind="detector").Options for name in DETECTORS}
    DetectSettings = create_model(
        "DetectSettings",
        __base__=_DetectSettings,
        __doc__=_DetectSettings.__doc__,
        **{name: (options, options()) for name, options in _sections.items()},
    )


class EmotionSettings(Section):
    """How faces are classified."""

    model: str = Field(default=assets.DEFAULT_MODEL, description="name of a shipped model, or path of a model folder")
    crop_margin: float = Field(
        default=-0.05, ge=-0.2, le=1, description="grow the box by this share on every side (below 0: shrink it)"
    )
    flip: bool = Field(default=False, description="average each face with its mirror image: twice the work per face")
    labels: Literal["auto", "fer2013", "ferplus", "mean", "blend"] = Field(
        default="auto",
        description="which output head of the model to use: single labels, ten voters, or both, in equal parts (mean) "
        "or seven parts to three (blend); auto is blend where the model has both heads",
    )
    batch_size: int = Field(
        default=64, ge=1, le=4096, description="faces that are classified together; does not change results"
    )


class _TrackSettings(Section):
    """How faces become tracks."""

    tracker: str = Field(
        default=DEFAULT_TRACKER, description=f"how faces of successive frames are linked: {', '.join(TRACKERS)}"
    )
    gap_seconds: float = Field(default=1.0, ge=0, description="a track survives this long without a face")
    min_faces: int = Field(default=3, ge=1, description="tracks with fewer faces are dropped as false")
    min_expected_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="also drop tracks whose detection scores sum to less than this share of min_faces; "
        "more detections make up for lower scores",
    )
    min_best_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="and tracks that never reach this detection score; default: what the detector asks for",
    )
    static_seconds: float = Field(
        default=120.0,
        ge=0,
        description="a face that neither moves nor changes for this long is a photo or poster; 0 disables this",
    )
    find_cuts: bool = Field(default=True, description="detect shot cuts; turn off for a camera that never cuts")
    cut_threshold: float = Field(
        default=0.35, gt=0, le=1, description="change of the frame that counts as a cut; no track crosses a cut"
    )
    min_shot_seconds: float = Field(
        default=0.625, ge=0, description="a cut within this time of the last one ends tracks but does not start a shot"
    )

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The options of the tracker in use; empty for an unknown tracker."""
        own = getattr(self, self.tracker, None)
        return own.model_dump() if isinstance(own, TrackerOptions) else {}

    def results_depend_on(self) -> dict[str, Any]:
        """The section without the options of unused trackers."""
        return self.model_dump(mode="json", exclude={*TRACKERS} - {self.tracker})


if TYPE_CHECKING:
    TrackSettings = _TrackSettings
else:
    # Each tracker of the table has a section of its own.
    _trackers = {name: resolve(TRACKERS, name, kind="tracker").Options for name in TRACKERS}
    TrackSettings = create_model(
        "TrackSettings",
        __base__=_TrackSettings,
        __doc__=_TrackSettings.__doc__,
        **{name: (options, options()) for name, options in _trackers.items()},
    )


class SmoothSettings(Section):
    """How scores are smoothed along a track."""

    smoother: str = Field(default="exponential", description="kind of smoothing")
    half_life_seconds: float = Field(
        default=0.4, ge=0, description="a score this far away counts half; 0 disables smoothing"
    )


class BaselineSettings(Section):
    """How the usual expression of a face is removed from its scores (`b_` columns).

    The defaults were chosen with `benchmarks/baseline.py`.
    """

    scope: Literal["off", "track", "video"] = Field(
        default="off",
        description="what the usual expression of a face is measured over: off, each track, or all tracks of the video "
        "that share no frame with another face (for videos that show one person)",
    )
    prior_seconds: float = Field(
        default=1.0, ge=0, description="the correction reaches half its strength after this much time with the face"
    )
    max_shift: float = Field(default=2.5, ge=0, description="largest change of a log-probability")
    min_seconds: float = Field(default=8.0, ge=0, description="no correction if the face was visible for less")
    min_spread: float = Field(
        default=1.1,
        ge=0,
        description="no correction if the log-probabilities of two-second windows vary by less (root of the summed "
        "variance): the face had only one expression",
    )


class ReadoutSettings(Section):
    """Whether a face's label comes from a model fitted to labelled videos (`r_` columns)."""

    use: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="read-out over time beside the model: on, off, or auto (on where the model has one for the heads "
        "in use)",
    )


class TimelineSettings(Section):
    """How faces are aggregated over time."""

    bin_seconds: float = Field(default=1.0, ge=0.01, description="length of a timeline row")
    max_hold_seconds: float = Field(
        default=1.0, gt=0, description="a frame covers at most this time before and after itself"
    )
    min_quality: float = Field(
        default=0.2, ge=0, le=1, description="faces below are stored, marked, and excluded from means"
    )
    min_margin: float = Field(
        default=0.1, ge=0, le=1, description="faces whose two best labels are closer than this are marked unsure"
    )


class GateSettings(Section):
    """Faces below these limits are stored and marked, excluded from means, and raise no alert.

    `benchmarks/face_looks.py` measures where accuracy drops.
    """

    min_face_px: float = Field(default=24, ge=0, description="shorter side of the box")
    min_sharpness: float = Field(default=0.18, ge=0, le=1, description="0 is blurred, 1 sharp")
    min_light: float = Field(default=0.1, ge=0, le=1, description="mean level of the face; dark ones look angry")
    max_light: float = Field(default=0.95, ge=0, le=1, description="mean level of the face; above it is overexposed")
    max_roll_degrees: float = Field(default=25, ge=0, le=90, description="roll of the head towards a shoulder")
    max_yaw_degrees: float = Field(default=50, ge=0, le=90, description="yaw of the head; 90 is a profile")


class MotionSettings(Section):
    """How the image is judged to move: needs no face, but a camera that does not move."""

    measure: bool = Field(
        default=False, description="measure the optical flow, and score how agitated the motion is (`agitation`)"
    )
    model: str = Field(
        default=assets.DEFAULT_AGITATION,
        description="name of a shipped model of agitation, or path of a file that `fervid motion fit` wrote",
    )
    search_above: float = Field(
        default=0.0,
        ge=0,
        description="with `measure`, search every frame for faces in full while a hundredth of the image is faster "
        "than this, in longer sides per second; 0: never",
    )


class BatchSettings(Section):
    """How work is distributed over processes. Does not change results."""

    memory_mib: int = Field(
        default=4096, ge=512, description="memory limit of a worker process; more counts as a crash"
    )
    stall_seconds: float = Field(
        default=60.0, ge=1, description="a worker process without progress for this long counts as hung"
    )
    tasks_per_worker: int = Field(
        default=200, ge=1, description="a worker process is replaced after this many segments"
    )
    sandbox: bool = Field(
        default=True,
        description="worker processes may read only videos and models, write only results, and reach no network "
        "(Linux, files on disk)",
    )


class Settings(Section):
    """All settings of an analysis."""

    video: VideoSettings = VideoSettings()
    detect: DetectSettings = DetectSettings()
    emotion: EmotionSettings = EmotionSettings()
    track: TrackSettings = TrackSettings()
    smooth: SmoothSettings = SmoothSettings()
    baseline: BaselineSettings = BaselineSettings()
    readout: ReadoutSettings = ReadoutSettings()
    timeline: TimelineSettings = TimelineSettings()
    gate: GateSettings = GateSettings()
    motion: MotionSettings = MotionSettings()
    batch: BatchSettings = BatchSettings()

    # Decision STO-1.
    def hash(self, *, model_sha256: str, readout_sha256: str = "", sections: tuple[str, ...] = ()) -> str:
        """A short hash of the settings that affect results (in `sections`, or in all), the model and its read-out.

        Files count by content, not by path; limits, batch sizes and unused detectors do not count.
        """
        content = self.model_dump(mode="json", include=set(sections) or None, exclude={"batch", "motion"})
        if "video" in content:
            content["video"] = self.video.results_depend_on()
        if "emotion" in content:
            content["emotion"].pop("model")
            content["emotion"].pop("batch_size")
            content["emotion"]["model_sha256"] = model_sha256
            if sections == OBSERVE_SECTIONS:
                content["emotion"].pop("labels")  # observations have the logits of every head
        if "detect" in content:
            content["detect"] = self.detect.results_depend_on()
        if "track" in content:
            content["track"] = self.track.results_depend_on()
        content |= self._motion_hashed(sections)
        if self.baseline.scope == "off":
            content.pop("baseline", None)  # its other settings have no effect then
        content.pop("readout", None)
        if readout_sha256:
            content["readout"] = readout_sha256
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def _motion_hashed(self, sections: tuple[str, ...]) -> dict[str, Any]:
        """What of motion affects results: nothing where it is not measured, and observations do not know the model."""
        if not self.motion.measure:
            return {}
        model = {} if sections == OBSERVE_SECTIONS else {"model_sha256": assets.agitation_sha256(self.motion.model)}
        search = {"search_above": self.motion.search_above} if self.motion.search_above else {}
        return {"motion": {"measure": FLOW_STATISTICS} | search | model}


FLOW_STATISTICS = 2
"""Counts up when the statistics of motion change: those stored before are then measured again."""

REPLACED_BY = {"video.fps": "video.every"}
"""Settings that exclude each other. No source may set both."""

OBSERVE_SECTIONS = ("video", "detect", "emotion")
"""The settings of the expensive half. Changing others never decodes a frame again."""
