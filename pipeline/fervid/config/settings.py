"""Typed settings, a section each. Every duration is in seconds; unknown keys are refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from fervid.base import assets
from fervid.base.registry import resolve
from fervid.detect import DEFAULT_DETECTOR, DETECTORS
from fervid.detect.options import DetectorOptions
from fervid.track import DEFAULT_TRACKER, TRACKERS
from fervid.track.options import TrackerOptions
from fervid.video.sampling import Sampling


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VideoSettings(_Section):
    """How the video is read."""

    fps: float = Field(
        default=5.0, ge=0, le=1000, description="analysed frames per second of video; 0 takes every frame"
    )
    every: int | None = Field(
        default=None, ge=1, description="analyse every N-th frame of the video, whatever its time, instead of fps"
    )
    start_seconds: float = Field(default=0.0, ge=0, description="analyse from here")
    end_seconds: float | None = Field(default=None, gt=0, description="analyse up to here")
    fast_scan: bool = Field(
        default=False, description="look at key frames first; analyse only between those of which one shows a face"
    )
    segment_seconds: float = Field(
        default=30.0, ge=1, description="length of the pieces that are observed and resumed one by one"
    )
    decoder_threads: int = Field(
        default=1, ge=1, le=64, description="with more than one, pictures of damaged footage may differ between runs"
    )
    max_pixels: int = Field(default=8192 * 8192, gt=0, description="larger frames are refused as decompression bombs")
    max_bad_packet_share: float = Field(
        default=0.5, gt=0, le=1, description="a file with a larger share of broken packets is refused"
    )

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> VideoSettings:
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise ValueError(f"the end ({self.end_seconds:g} s) is not after the start ({self.start_seconds:g} s)")
        return self

    @property
    def sampling(self) -> Sampling:
        """Which frames are analysed."""
        return Sampling(self.fps, self.every)

    def results_depend_on(self) -> dict[str, Any]:
        """All of it but limits and the way of sampling that is not in use."""
        return self.model_dump(mode="json", exclude={"max_pixels", "every" if self.every is None else "fps"})


class _DetectSettings(_Section):
    """How faces are found."""

    detector: str = Field(
        default=DEFAULT_DETECTOR, description=f"face detector: {', '.join(DETECTORS)}, or one that a plug-in brings"
    )
    min_face_px: int | None = Field(
        default=None, ge=16, description="smallest face in pixels of the frame; default: min_face_share"
    )
    min_face_share: float = Field(
        default=0.08, gt=0, le=1, description="smallest face as a share of the frame's height"
    )
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="detections of a lower confidence are dropped")
    full_search_seconds: float = Field(
        default=0.4,
        ge=0,
        description="each part of the picture is searched this often, faces found before in every frame; "
        "0 searches every frame in full and switches all savings below off",
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
        description="while no face comes or goes, the time between searches grows up to this many times",
    )
    keep_lost_seconds: float = Field(
        default=2.0, ge=0, description="where a face was lost is searched on for this long; 0 not at all"
    )
    close_first: bool = Field(
        default=True,
        description="a face of the frame before is looked for close to where it was, and further only if need be",
    )
    still_level: float = Field(
        default=8.0,
        ge=0,
        le=255,
        description="a part that changed by fewer levels (of 255) is not searched again; 0 searches always",
    )
    still_seconds: float = Field(default=8.0, gt=0, description="what does not change is searched again after this")
    new_shot_threshold: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="change of the picture after which all of it is searched; 0 switches this off",
    )
    options: dict[str, bool | int | float | str] = Field(
        default={}, description="options of a detector that another package brings"
    )

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The options of the detector in use: its own section, or `options` for one of another package."""
        own = getattr(self, self.detector, None)
        return own.model_dump() if isinstance(own, DetectorOptions) else dict(self.options)

    def results_depend_on(self) -> dict[str, Any]:
        """All of it but the options of detectors that are not in use."""
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


class EmotionSettings(_Section):
    """How faces are scored."""

    model: str = Field(default=assets.DEFAULT_MODEL, description="name of a shipped model, or path of a model folder")
    crop_margin: float = Field(
        default=-0.05, ge=-0.2, le=1, description="the box grows (or, below 0, shrinks) by this share on every side"
    )
    flip: bool = Field(default=False, description="average each face with its mirror image: twice the work a face")
    labels: Literal["fer2013", "ferplus", "mean", "blend"] = Field(
        default="fer2013",
        description="which head of the model answers: its one label's, the ten voters', or both: in equal parts, or "
        "seven parts to three",
    )
    batch_size: int = Field(default=64, ge=1, le=4096, description="faces that are scored together; changes no result")


class _TrackSettings(_Section):
    """How faces become tracks."""

    tracker: str = Field(
        default=DEFAULT_TRACKER, description=f"how the faces of successive frames are joined: {', '.join(TRACKERS)}"
    )
    gap_seconds: float = Field(default=1.0, ge=0, description="a track survives this long without a face")
    min_faces: int = Field(default=3, ge=1, description="tracks of fewer faces are taken for false ones and dropped")
    min_expected_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="and tracks whose detection scores sum to less than this share of min_faces; "
        "more sightings make up for lower scores",
    )
    static_seconds: float = Field(
        default=120.0, ge=0, description="a face that neither moves nor changes for so long is a picture; 0: none is"
    )
    find_cuts: bool = Field(default=True, description="look for shot cuts; off for a camera that never cuts")
    cut_threshold: float = Field(
        default=0.35, gt=0, le=1, description="change of the picture that counts as a cut; no track crosses one"
    )
    min_shot_seconds: float = Field(
        default=0.625, ge=0, description="a cut sooner than this after the last one ends tracks but begins no new shot"
    )

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The options of the tracker in use; none for one that does not exist."""
        own = getattr(self, self.tracker, None)
        return own.model_dump() if isinstance(own, TrackerOptions) else {}

    def results_depend_on(self) -> dict[str, Any]:
        """All of it but the options of trackers that are not in use."""
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


class SmoothSettings(_Section):
    """How scores are smoothed along a track."""

    smoother: str = Field(default="exponential", description="kind of smoothing")
    half_life_seconds: float = Field(
        default=0.4, ge=0, description="a score this far away counts half; 0 switches smoothing off"
    )


class BaselineSettings(_Section):
    """How the usual look of a face is taken out of its scores (`b_` columns).

    The numbers are chosen by `benchmarks/baseline.py`.
    """

    scope: Literal["off", "track", "video"] = Field(
        default="off",
        description="over what the usual look of a face is measured: off, each track, or all tracks of the video that "
        "share no frame with another face (for videos that show one person)",
    )
    prior_seconds: float = Field(
        default=1.0, ge=0, description="the correction has half its strength after so much time of the face"
    )
    max_shift: float = Field(default=2.5, ge=0, description="largest change of a log-probability")
    min_seconds: float = Field(default=8.0, ge=0, description="no correction where the face was seen for less")
    min_spread: float = Field(
        default=1.1,
        ge=0,
        description="no correction where the log-probabilities of two-second windows vary by less (root of the summed "
        "variance): one expression is all there was",
    )


class TimelineSettings(_Section):
    """How faces are summed up over time."""

    bin_seconds: float = Field(default=1.0, ge=0.01, description="length of a row of the timeline")
    max_hold_seconds: float = Field(
        default=1.0, gt=0, description="a frame stands for at most this long before and after itself"
    )
    min_quality: float = Field(
        default=0.2, ge=0, le=1, description="faces below are kept, marked, and left out of means"
    )
    min_margin: float = Field(
        default=0.1, ge=0, le=1, description="faces whose two best emotions lie closer are marked unsure"
    )


class GateSettings(_Section):
    """Faces that are pictured worse than this are kept and marked, left out of means, and raise no alert.

    Where accuracy falls off is measured by `benchmarks/face_looks.py`.
    """

    min_face_px: float = Field(default=24, ge=0, description="shorter side of the box")
    min_sharpness: float = Field(default=0.18, ge=0, le=1, description="0 is blurred, 1 sharp")
    min_light: float = Field(default=0.1, ge=0, le=1, description="mean level of the face; dark ones look angry")
    max_light: float = Field(default=0.95, ge=0, le=1, description="mean level of the face; above it is overexposed")
    max_roll_degrees: float = Field(default=25, ge=0, le=90, description="lean of the head towards a shoulder")
    max_yaw_degrees: float = Field(default=50, ge=0, le=90, description="turn of the head to a side; 90 is a profile")


class BatchSettings(_Section):
    """How work is shared out among processes. Nothing here changes a result."""

    memory_mib: int = Field(default=4096, ge=512, description="most memory of a worker process; more counts as a crash")
    stall_seconds: float = Field(
        default=60.0, ge=1, description="a worker process without progress for this long counts as hung"
    )
    tasks_per_worker: int = Field(default=200, ge=1, description="a worker process is replaced after so many pieces")


class Settings(_Section):
    """All settings of an analysis."""

    video: VideoSettings = VideoSettings()
    detect: DetectSettings = DetectSettings()
    emotion: EmotionSettings = EmotionSettings()
    track: TrackSettings = TrackSettings()
    smooth: SmoothSettings = SmoothSettings()
    baseline: BaselineSettings = BaselineSettings()
    timeline: TimelineSettings = TimelineSettings()
    gate: GateSettings = GateSettings()
    batch: BatchSettings = BatchSettings()

    def hash(self, *, model_sha256: str, sections: tuple[str, ...] = ()) -> str:
        """A short hash of what results depend on in these settings (in `sections`, or in all) and of the model.

        Files count by their content, never by their path; limits, batch sizes and detectors not in use do not count.
        """
        content = self.model_dump(mode="json", include=set(sections) or None, exclude={"batch"})
        if "video" in content:
            content["video"] = self.video.results_depend_on()
        if "emotion" in content:
            content["emotion"].pop("model")
            content["emotion"].pop("batch_size")
            content["emotion"]["model_sha256"] = model_sha256
            if sections == OBSERVE_SECTIONS:
                content["emotion"].pop("labels")  # observations hold the logits of every head
        if "detect" in content:
            content["detect"] = self.detect.results_depend_on()
        if "track" in content:
            content["track"] = self.track.results_depend_on()
        if self.baseline.scope == "off":
            content.pop("baseline", None)  # its numbers change nothing then
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


REPLACED_BY = {"video.fps": "video.every"}
"""Settings that are in use only while the other one is not set. No source may set both."""

OBSERVE_SECTIONS = ("video", "detect", "emotion")
"""The settings of the expensive half. Changing any other never decodes a frame again."""
