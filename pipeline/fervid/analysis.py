"""Analyse one video: compose the two halves and publish the run folder. The whole flow, top to bottom."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from fervid import assets
from fervid.config import OBSERVE_SECTIONS, Settings, load_settings
from fervid.device import choose_runner
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.errors import InputError, OutputError, TooDamaged
from fervid.files import content_id, file_sha256
from fervid.interpret import Tables, interpret
from fervid.manifest import MANIFEST, RunManifest, printable
from fervid.observe import Observer, is_observed, read_observations, write_observations
from fervid.run import Run, open_run, run_folder_name
from fervid.timeline.io import write_table
from fervid.timeline.schema import SCHEMA_VERSION
from fervid.types import FaceScores, Segment, VideoInfo
from fervid.video.loss import judge_loss
from fervid.video.probe import PacketPlan, probe
from fervid.video.reader import Ledger
from fervid.video.segments import plan_segments

log = logging.getLogger(__name__)

OBSERVATIONS, PLOT = "observations", "timeline.png"


def analyze(
    video: str | Path,
    *,
    out: str | Path | None = None,
    settings: Settings | None = None,
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
    resume: bool = True,
    plot: bool = True,
    progress: bool = False,
) -> Run:
    """Analyse a video file into a run folder below `out` and return the run.

    `workers` frames are searched for faces at a time (default: one a processor); results do not depend on it.
    A run that is there already with the same settings is returned as it is, unless `overwrite`. With `resume`, segments
    observed before with the same settings are not observed again.
    Raises InputError for a video that cannot be analysed, ConfigError, ModelError or OutputError.
    """
    started, started_utc = perf_counter(), _utc_now()
    path, settings = Path(video), settings or load_settings()
    info, plan = probe(path, max_pixels=settings.video.max_pixels)
    if settings.video.start_seconds >= info.duration_seconds:
        raise InputError(
            f"{path} lasts {info.duration_seconds:.2f} s, so nothing follows the start at "
            f"{settings.video.start_seconds:g} s. Give an earlier --start."
        )
    model = load_model_info(assets.model_folder(settings.emotion.model))
    runner = choose_runner(device)
    video_id = content_id(path)
    folder = Path(out or assets.default_output_folder()) / run_folder_name(path, video_id)
    settings_hash = settings.hash(model_sha256=model.weights_sha256)
    if not overwrite and (done := _done_before(folder, settings_hash, runner, plot=plot)):
        return done

    observe_key = f"{settings.hash(model_sha256=model.weights_sha256, sections=OBSERVE_SECTIONS)}-{runner}"
    log.info(
        "%s: %dx%d %s in %s, %.3f frames per second%s, rotation %d, %d key frames",
        *(path, info.width_px, info.height_px, info.codec, info.container, info.average_frame_rate),
        *(" (variable)" if info.is_variable_rate else "", info.rotation_degrees, len(plan.keyframe_pts)),
    )
    observer = Observer(info, plan, settings, model, runner=runner, n_threads=workers or os.cpu_count() or 1)
    _prepare(folder, keep_observations=resume and not overwrite)
    segments = plan_segments(
        video_id,
        info,
        plan,
        segment_seconds=settings.video.segment_seconds,
        fps=settings.video.fps,
        start_seconds=settings.video.start_seconds,
        end_seconds=settings.video.end_seconds,
    )
    reused = _observe(folder, info, segments, observer, observe_key, progress)
    log.info("%d segments, %d of them observed before; seconds: %s", len(segments), reused, observer.seconds)
    observations, ledger = _read_all(folder, segments)
    _refuse_if_too_damaged(path, folder, ledger, plan, settings)

    interpreting = perf_counter()
    tables = interpret(observations, settings, model, video_id=video_id, duration_seconds=info.duration_seconds)
    interpreted = perf_counter()
    outputs = _write_tables(folder, tables, info, model, settings_hash, video_id)
    if plot:
        from fervid.timeline.plot import plot_timeline

        plot_timeline(tables.timeline, model.labels, folder / PLOT, title=printable(Path(path.name)))
        outputs[PLOT] = file_sha256(folder / PLOT)

    warnings, is_partial = judge_loss(info, ledger, max_pixels=settings.video.max_pixels)
    stage_seconds = asdict(observer.seconds) | {
        "interpret": interpreted - interpreting,
        "write": perf_counter() - interpreted,
    }
    RunManifest(
        video_id=video_id,
        video_path=printable(path.absolute()),
        video_bytes=path.stat().st_size,
        video=_video_record(info),
        start_time_s=info.start_time_seconds,
        status="partial" if is_partial else "complete",
        settings=settings.model_dump(mode="json"),
        settings_hash=settings_hash,
        observe_key=observe_key,
        model={"name": model.name, "weights_sha256": model.weights_sha256, "labels": list(model.labels)},
        runner=runner,
        ledger=ledger,
        unconfirmed_faces=tables.n_unconfirmed_faces,
        warnings=warnings,
        started_utc=started_utc,
        finished_utc=_utc_now(),
        elapsed_seconds=perf_counter() - started,
        stage_seconds=stage_seconds,
        segments_reused=reused,
        outputs=outputs,
    ).write(folder)
    return open_run(folder)


def _observe(
    folder: Path, info: VideoInfo, segments: list[Segment], observer: Observer, observe_key: str, progress: bool
) -> int:
    """Observe every segment that was not observed before; returns how many were."""
    reused = 0
    with tqdm(
        total=info.duration_seconds,
        desc=info.path.name,
        disable=not progress,
        leave=False,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of video [{elapsed}<{remaining}]",
    ) as bar:
        for segment in segments:
            target = _observations_path(folder, segment)
            if is_observed(target, observe_key):
                reused += 1
            else:
                ledger = Ledger()
                scored = observer.observe(segment, ledger)
                write_observations(target, _advancing(scored, bar), ledger, observe_key=observe_key)
            _advance(bar, segment.end_seconds)
    return reused


def _advancing(scored: Iterator[FaceScores], bar: Any) -> Iterator[FaceScores]:
    for scores in scored:
        _advance(bar, scores.detections.pts_seconds)
        yield scores


def _advance(bar: Any, seconds: float) -> None:
    # Set, not added up: tqdm warns in the user's terminal when rounding carries a sum past the total.
    bar.n = min(max(bar.n, seconds), bar.total)
    bar.update(0)


def _read_all(folder: Path, segments: list[Segment]) -> tuple[pa.Table, Ledger]:
    ledger = Ledger()
    tables = []
    for segment in segments:
        table, part = read_observations(_observations_path(folder, segment))
        tables.append(table)
        ledger.add(part)
    observations = pa.concat_tables(tables)
    n_sound = observations.num_rows - sum(observations["is_corrupt"].to_pylist())
    assert ledger.analysed == n_sound, f"{ledger.analysed} frames analysed, {n_sound} have a row"
    return observations, ledger


def _observations_path(folder: Path, segment: Segment) -> Path:
    return folder / OBSERVATIONS / f"{segment.index:05d}.parquet"


def _done_before(folder: Path, settings_hash: str, runner: str, *, plot: bool) -> Run | None:
    try:
        run = open_run(folder)
    except InputError:
        return None
    same = run.manifest.settings_hash == settings_hash and run.manifest.runner == runner
    wanted = {*run.manifest.outputs, *([PLOT] if plot else [])}
    whole = all((folder / name).is_file() for name in wanted)
    return replace(run, was_there=True) if same and whole else None


def _prepare(folder: Path, *, keep_observations: bool) -> None:
    """Make the folder incomplete before anything in it changes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        if not keep_observations:
            shutil.rmtree(folder / OBSERVATIONS, ignore_errors=True)
        (folder / OBSERVATIONS).mkdir(exist_ok=True)
        for torn in (*folder.glob("*.part*"), *folder.glob(f"{OBSERVATIONS}/*.part")):
            torn.unlink()
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written ({problem.strerror}). Give another folder with --out.") from None


def _refuse_if_too_damaged(path: Path, folder: Path, ledger: Ledger, plan: PacketPlan, settings: Settings) -> None:
    share = ledger.bad_packets / max(1, ledger.packets)
    no_frames = ledger.decoded == 0 and settings.video.start_seconds == 0
    if no_frames or share > settings.video.max_bad_packet_share:
        shutil.rmtree(folder)
        found = "none of its frames can be decoded" if no_frames else f"{share:.0%} of its packets cannot be decoded"
        raise TooDamaged(
            f"{path}: {found} ({ledger.bad_packets} of {plan.n_packets} packets bad). Give an intact copy."
        )


def _write_tables(
    folder: Path, tables: Tables, info: VideoInfo, model: ModelInfo, settings_hash: str, video_id: str
) -> dict[str, str]:
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "video_id": video_id,
        "time_base": str(info.time_base),
        "start_time_s": repr(info.start_time_seconds),
        "model": model.name,
        "model_sha256": model.weights_sha256,
        "settings_hash": settings_hash,
    }
    named = {"frames": tables.frames, "faces": tables.faces, "tracks": tables.tracks, "timeline": tables.timeline}
    outputs = {}
    for name, table in named.items():
        file = folder / f"{name}.parquet"
        write_table(file, table, metadata)
        outputs[file.name] = file_sha256(file)
    return outputs


def _video_record(info: VideoInfo) -> dict[str, object]:
    record = {key: value for key, value in asdict(info).items() if key != "path"}
    return record | {"time_base": str(info.time_base), "sample_aspect_ratio": str(info.sample_aspect_ratio)}


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
