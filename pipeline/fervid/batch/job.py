"""The data exchanged with and between the steps of an analysis. Imports nothing that opens a video.

The scheduling process reads these; data that only the steps need is passed as pickled bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fervid.base.registry import DETECTOR_PLUGINS, plugin_version
from fervid.config import OBSERVE_SECTIONS, DetectSettings, Settings
from fervid.emotion import PLUGIN
from fervid.emotion.heads import chosen_readout
from fervid.emotion.model import ModelInfo
from fervid.storage.place import Place

if TYPE_CHECKING:
    from fervid.interpret.baseline import Shifts

BASE_MIB, MIB_PER_MEGAPIXEL = 300, 80
"""Resources that a task requests: estimates above the peaks of analyses in `benchmarks/results/compare.json`."""


@dataclass(frozen=True, slots=True)
class Method:
    """How videos are analysed: settings, model and runner, with keys that identify the method of a result."""

    settings: Settings
    model: ModelInfo
    runner: str
    settings_hash: str
    observe_key: str
    recordings: tuple[str, ...] = ()
    """Ids of the videos of one person that share a baseline, in order; empty for a video on its own."""

    @classmethod
    def of(cls, settings: Settings, model: ModelInfo, runner: str) -> Method:
        """The method of these settings; reads the file of a detector's model, if there is one."""
        # Plug-ins are identified by version, files by content.
        sha256 = model.weights_sha256 + _detector_version(settings.detect)
        runner = PLUGIN if model.plugin else runner
        observe_hash = settings.hash(model_sha256=sha256, sections=OBSERVE_SECTIONS)
        readout = chosen_readout(model, settings.readout.use, settings.emotion.labels)
        settings_hash = settings.hash(model_sha256=sha256, readout_sha256=readout.sha256 if readout else "")
        return cls(settings, model, runner, settings_hash, f"{observe_hash}-{runner}")

    def of_person(self, recordings: tuple[str, ...]) -> Method:
        """The same method where a video shares its baseline with these; their ids make its results its own."""
        if self.recordings == recordings:
            return self
        assert not self.recordings, "the method of a video alone"
        joined = hashlib.sha256(" ".join((self.settings_hash, *recordings)).encode()).hexdigest()[:16]
        return replace(self, settings_hash=joined, recordings=recordings)

    def record(self) -> dict[str, Any]:
        """What a manifest says of the method, by its fields."""
        model = self.model
        readout = chosen_readout(model, self.settings.readout.use, self.settings.emotion.labels)
        described = {"name": model.name, "weights_sha256": model.weights_sha256, "labels": list(model.labels)}
        return {
            "settings": self.settings.model_dump(mode="json"),
            "settings_hash": self.settings_hash,
            "observe_key": self.observe_key,
            "model": described | ({"readout_sha256": readout.sha256} if readout else {}),
            "runner": self.runner,
        }


def _detector_version(detect: DetectSettings) -> str:
    """The package of a plug-in detector; empty for a built-in one, which has its own settings section."""
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
    shared: Shifts | None = None
    """The baseline of a person over several recordings: what is subtracted from the scores, for each head."""
    is_second_pass: bool = False
    """Whether the video was analysed by itself a moment ago."""
    replaces: tuple[Place, ...] = ()
    """Runs of other videos that were at this path before."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A video's plan: the segments to observe, and the number already observed.

    `pickled_plan` is what `observe_segment` and `finish_video` need of it. `segment_seconds` are the lengths of all
    segments.
    """

    duration_seconds: float
    segment_seconds: tuple[float, ...]
    to_observe: tuple[int, ...]
    pickled_plan: bytes
    frame_pixels: int = 0

    @property
    def memory_mib(self) -> int:
        """Expected memory of observing a segment: the program, and the frames in its queues."""
        return BASE_MIB + round(MIB_PER_MEGAPIXEL * self.frame_pixels / 1e6)

    @property
    def n_reused(self) -> int:
        """Segments already observed with the same method."""
        return len(self.segment_seconds) - len(self.to_observe)


@dataclass(frozen=True, slots=True)
class Observed:
    """The cost and the result of observing a segment."""

    stage_seconds: dict[str, float]
    video_seconds: float
    n_faces: int


@dataclass(frozen=True, slots=True)
class BeginResult:
    """The result of beginning a video: its plan, or the complete result of a short one."""

    planned: Planned
    observed: tuple[Observed, ...] = ()
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The cost of a video before its last step: start (UTC), wall seconds since, and seconds per stage."""

    started_utc: str
    elapsed_seconds: float
    stage_seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster, and how much of it: `n_workers` None uses all of its CPUs.

    `address` None starts a local cluster. `n_classifiers` actors classify faces for all tasks; with 0 each task
    classifies its own faces on CPUs, or one actor per GPU does.
    """

    address: str | None = None
    n_workers: int | None = None
    n_classifiers: int = 0


Summary = dict[str, Any]
"""The key figures of a run, ready for JSON; see `run.summarise`."""
