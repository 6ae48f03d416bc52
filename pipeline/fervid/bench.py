"""Measure what an analysis costs on this machine, stage by stage and end to end. Knows no terminal.

All figures are of the machine as it is: other work on it makes them worse. Nothing is kept.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from fervid import assets
from fervid.analysis import analyze
from fervid.config import Settings, load_settings
from fervid.demo import make_demo_clip
from fervid.emotion import make_classifier
from fervid.emotion.model import load_model_info
from fervid.errors import InputError
from fervid.observe import Observer
from fervid.types import Segment
from fervid.video.probe import probe
from fervid.video.reader import Ledger, read_frames
from fervid.video.segments import plan_segments

RUNNER = "litert"
N_FACES = 64
FIRST_SECONDS = 4.0
"""A first run over so much of the video says how much of it fits into the time."""

RUN_SECONDS = 6.0
"""What each of the runs end to end may take: four of them, the first and the stages stay below a minute."""

WORTH_IT = 1.15
"""More workers are recommended where they are at least this many times as fast."""

PRESETS = ("accurate", "default", "fast")
"""From the most thorough to the quickest."""


@dataclass(frozen=True, slots=True)
class Stage:
    """CPU seconds of one stage alone, a second of video; `unit` says what `cpu_ms_each` is of."""

    cpu_seconds_a_second: float
    cpu_ms_each: float
    unit: str


@dataclass(frozen=True, slots=True)
class Bench:
    """What a machine does with a video, and what is best used there."""

    video: str
    video_seconds: float
    measured_seconds: float
    stages: dict[str, Stage]
    times_real_time: dict[str, float]
    """By what was run: a preset with one worker, or `default` with as many workers as the name says."""

    workers: int
    preset: str


def measure_machine(video: Path | None = None, *, target_times: float = 4.0) -> Bench:
    """Measure decoding, search, scoring and whole analyses of `video`, or of the demo clip. Takes up to a minute.

    The preset is the most thorough one that analyses video `target_times` as fast as it plays. Raises InputError for a
    video that cannot be analysed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = video or make_demo_clip(folder / "demo.mp4")
        info, _ = probe(path, max_pixels=load_settings(environment={}).video.max_pixels)
        total = info.duration_seconds
        if not total > 0:
            raise InputError(f"{path} is too short to measure anything. Give a video of some seconds.")
        first = _speed(path, folder, _settings("default", min(FIRST_SECONDS, total)), min(FIRST_SECONDS, total), 1)
        measured = min(total, max(FIRST_SECONDS, first * RUN_SECONDS))
        stages = _stages(path, _settings("default", min(FIRST_SECONDS, total)), min(FIRST_SECONDS, total))
        times = {preset: _speed(path, folder, _settings(preset, measured), measured, 1) for preset in PRESETS}
        n_workers = os.cpu_count() or 1
        best = 1
        if n_workers > 1:
            # Pieces of equal length for all workers, however short the video is.
            pieces = _settings("default", measured, segment_seconds=max(1.0, measured / n_workers))
            label = f"default, {n_workers} workers"
            times[label] = _speed(path, folder, pieces, measured, n_workers)
            best = n_workers if times[label] > WORTH_IT * times["default"] else 1
        gain = times[f"default, {n_workers} workers"] / times["default"] if best > 1 else 1.0
        preset = next((name for name in PRESETS if times[name] * gain >= target_times), PRESETS[-1])
        return Bench(path.name, total, measured, stages, times, best, preset)


def _settings(preset: str, end_seconds: float, *, segment_seconds: float | None = None) -> Settings:
    options: dict[str, Any] = {"video.end_seconds": end_seconds, "video.segment_seconds": segment_seconds}
    return load_settings(preset=preset, options=options, environment={})


def _speed(path: Path, folder: Path, settings: Settings, seconds: float, workers: int) -> float:
    """Seconds of video a wall second, the start of the workers included where there are several."""
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
