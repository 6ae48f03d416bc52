"""Measure what an analysis costs on this machine, stage by stage and end to end. Prints nothing.

All figures depend on the current load of the machine. Nothing is stored.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from fervid.analysis import analyze
from fervid.base import assets
from fervid.base.types import Segment
from fervid.config import Settings, load_settings
from fervid.demo.photograph import SECONDS, make_demo_clip, repeat_clip
from fervid.emotion import make_classifier
from fervid.emotion.model import load_model_info
from fervid.errors import InputError
from fervid.observe.observer import Observer
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments

RUNNER = "litert"
N_FACES = 64
FIRST_SECONDS = 4.0
"""Length of a first run that determines how much video fits into the time."""

RUN_SECONDS = 6.0
"""Time limit of each end-to-end run."""

LIMIT_SECONDS, LEAST_SECONDS = 45.0, 1.0
"""All runs together may take so long: on a machine that got busier meanwhile the later ones see less of the video, but
no less than the second. Work before the first and after the last run is not included, so that the total stays within a
minute.
"""

EPSILON_SECONDS = 1e-3

DEMO_CLIPS = 30
"""Repetitions of the demo clip: with a single one, start-up of the workers would dominate."""

WORTH_IT = 1.15
"""More workers are recommended if they are at least this many times as fast."""

PRESETS = ("default", "fast")
"""From the most thorough to the quickest."""


@dataclass(frozen=True, slots=True)
class Stage:
    """CPU seconds of one stage per second of video; `unit` is what `cpu_ms_each` refers to."""

    cpu_seconds_a_second: float
    cpu_ms_each: float
    unit: str


@dataclass(frozen=True, slots=True)
class Bench:
    """The speed of a machine, and recommended settings. `measured_seconds` is the longest run's video time."""

    video: str
    video_seconds: float
    measured_seconds: float
    stages: dict[str, Stage]
    times_real_time: dict[str, float]
    """By what was run: a preset with one worker, or `default` with as many workers as the name says."""

    workers: int
    preset: str


def measure_machine(video: Path | None = None, *, target_times: float = 4.0) -> Bench:
    """Measure decoding, search, scoring and whole analyses of `video`, or of the demo clip over and over. Takes up to a
    minute, less of the video where the machine is slow.

    The preset is the most thorough one that analyses video `target_times` as fast as it plays. Raises InputError for a
    video that cannot be analysed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = video or _long_demo(folder)
        info, _ = probe(path, max_pixels=load_settings(environment={}).video.max_pixels)
        total = info.duration_seconds
        if not total > 0:
            raise InputError(f"{path} is too short to measure. Give a video of a few seconds.")
        ends = perf_counter() + LIMIT_SECONDS
        head = min(FIRST_SECONDS, total)
        first = _speed(path, folder, "default", head)
        if head / first < RUN_SECONDS / 2:  # the first run of all also loads what a run needs
            first = _speed(path, folder, "default", head)
        staged = perf_counter()
        stages = _stages(path, _settings("default", head), head)
        # Decoding twice and searching once takes about as long as an analysis: a higher load shows here.
        likely = min(first, head / max(perf_counter() - staged, EPSILON_SECONDS))
        n_workers = os.cpu_count() or 1
        label = f"default, {n_workers} workers"
        runs = {preset: (preset, 1) for preset in reversed(PRESETS)}
        if n_workers > 1:
            runs[label] = "default", n_workers
        times: dict[str, float] = {}
        measured = 0.0
        for n_before, (run, (preset, workers)) in enumerate(runs.items()):
            left = (ends - perf_counter()) / (len(runs) - n_before)
            stretch = min(total, max(LEAST_SECONDS, likely * min(RUN_SECONDS, left)))
            times[run] = _speed(path, folder, preset, stretch, workers=workers)
            measured, likely = max(measured, stretch), times[run]
        best = n_workers if n_workers > 1 and times[label] > WORTH_IT * times["default"] else 1
        gain = times[label] / times["default"] if best > 1 else 1.0
        reached = (name for name in PRESETS if times[name] * gain >= target_times)
        return Bench(path.name, total, measured, stages, times, best, next(reached, PRESETS[-1]))


def _long_demo(folder: Path) -> Path:
    return repeat_clip(make_demo_clip(folder / "clip.mp4"), folder / "demo.mp4", DEMO_CLIPS, clip_seconds=SECONDS)


def _settings(preset: str, end_seconds: float, *, segment_seconds: float | None = None) -> Settings:
    options: dict[str, Any] = {"video.end_seconds": end_seconds, "video.segment_seconds": segment_seconds}
    return load_settings(preset=preset, options=options, environment={})


def _speed(path: Path, folder: Path, preset: str, seconds: float, *, workers: int = 1) -> float:
    """Seconds of video per wall second, including worker start-up if there are several."""
    # Pieces of equal length for all workers, however short the video is.
    pieces = max(1.0, seconds / workers) if workers > 1 else None
    settings = _settings(preset, seconds, segment_seconds=pieces)
    started = perf_counter()
    many = workers if workers > 1 else None
    analyze(path, out=folder, settings=settings, device="cpu", workers=many, overwrite=True, plot=False)
    return seconds / (perf_counter() - started)


def _stages(path: Path, settings: Settings, seconds: float) -> dict[str, Stage]:
    video = settings.video
    info, plan = probe(path, max_pixels=video.max_pixels)
    model = load_model_info(assets.model_folder(settings.emotion.model))
    bounds: dict[str, Any] = {"fps": video.fps, "start_seconds": 0.0, "end_seconds": seconds}
    segments = plan_segments("bench", info, plan, segment_seconds=video.segment_seconds, **bounds)

    def decode(segment: Segment) -> int:
        limits: dict[str, Any] = {"decoder_threads": video.decoder_threads, "max_pixels": video.max_pixels}
        return len([None for _ in read_frames(path, info, plan, segment, Ledger(), **bounds, **limits)])

    started = process_time()
    n_frames = max(1, sum(map(decode, segments)))
    decoding = process_time() - started

    observer = Observer(info, plan, settings, model, runner=RUNNER, frames_ahead=0, crops_ahead=0)
    started = process_time()
    for segment in segments:
        for _ in observer.cut_out(segment, Ledger()):
            pass
    searching = max(0.0, process_time() - started - decoding)

    crops = np.random.default_rng(0).integers(0, 256, (N_FACES, model.input_side_px, model.input_side_px), np.uint8)
    classifier = make_classifier(RUNNER, model)
    started = process_time()
    classifier.predict(crops)
    scoring = (process_time() - started) / N_FACES
    faces_a_second = observer.work.faces / seconds
    return {
        "decode": Stage(decoding / seconds, 1000 * decoding / n_frames, "analysed frame"),
        "detect": Stage(searching / seconds, 1000 * searching / n_frames, "analysed frame"),
        "classify": Stage(scoring * faces_a_second, 1000 * scoring, "face"),
    }
