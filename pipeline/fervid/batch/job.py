"""What the steps of an analysis are told and tell each other. Light: imports nothing that looks at a video.

The process that hands out the work reads these; what only the steps themselves need travels sealed, as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fervid.base.registry import DETECTOR_PLUGINS, plugin_version
from fervid.config import OBSERVE_SECTIONS, DetectSettings, Settings
from fervid.emotion import PLUGIN
from fervid.emotion.model import ModelInfo
from fervid.storage.place import Place

BASE_MIB, MIB_PER_MEGAPIXEL = 300, 80
"""What a task asks a cluster for: estimated, above the peaks of analyses in `benchmarks/results/compare.json`."""


@dataclass(frozen=True, slots=True)
class Method:
    """How videos are analysed: settings, model and runner, with the keys that tell results of other methods apart."""

    settings: Settings
    model: ModelInfo
    runner: str
    settings_hash: str
    observe_key: str

    @classmethod
    def of(cls, settings: Settings, model: ModelInfo, runner: str) -> Method:
        """The method of these settings; reads the file of a detector's model, if one is named."""
        # What another package brings is told apart by its version; a file by its content.
        sha256 = model.weights_sha256 + _detector_version(settings.detect)
        runner = PLUGIN if model.plugin else runner
        observe_hash = settings.hash(model_sha256=sha256, sections=OBSERVE_SECTIONS)
        return cls(settings, model, runner, settings.hash(model_sha256=sha256), f"{observe_hash}-{runner}")


def _detector_version(detect: DetectSettings) -> str:
    """The package that brings the detector; empty for one of fervid's own, which has a section in the settings."""
    return "" if hasattr(detect, detect.detector) else plugin_version(DETECTOR_PLUGINS, detect.detector)


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video to analyse by one method into one run folder."""

    path: Place
    video_id: str
    folder: Place
    method: Method
    resume: bool = True
    plot: bool = True


@dataclass(frozen=True, slots=True)
class Planned:
    """A video's plan: the segments still to observe, and how many were observed before.

    `sealed` is what `observe_segment` and `finish_video` need of it. `segment_seconds` are the lengths of all segments.
    """

    duration_seconds: float
    segment_seconds: tuple[float, ...]
    to_observe: tuple[int, ...]
    sealed: bytes
    frame_pixels: int = 0

    @property
    def memory_mib(self) -> int:
        """What observing a segment is expected to need: the program, and the frames that wait for its stages."""
        return BASE_MIB + round(MIB_PER_MEGAPIXEL * self.frame_pixels / 1e6)

    @property
    def n_reused(self) -> int:
        """Segments observed before with the same method."""
        return len(self.segment_seconds) - len(self.to_observe)


@dataclass(frozen=True, slots=True)
class Observed:
    """What observing a segment cost and found."""

    stage_seconds: dict[str, float]
    video_seconds: float
    n_faces: int


@dataclass(frozen=True, slots=True)
class Begun:
    """What beginning a video came to: its plan alone, or all of a short one, of which nothing is left to do."""

    planned: Planned
    observed: tuple[Observed, ...] = ()
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a video cost before its last step: when it was begun (UTC), wall seconds since, and seconds a stage."""

    started_utc: str
    elapsed_seconds: float
    stage_seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster, and how much of it: `n_workers` None takes all of its processors.

    `address` None starts one of this machine's own. `n_classifiers` actors score faces for all tasks; with 0 each task
    scores its own, on a GPU one actor for each GPU does.
    """

    address: str | None = None
    n_workers: int | None = None
    n_classifiers: int = 0


Summary = dict[str, Any]
"""A run in a few numbers, ready for JSON; see `run.summarise`."""
