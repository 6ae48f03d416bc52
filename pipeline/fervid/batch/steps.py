"""The steps of an analysis: each does one part of one video.

    measure_video    read its size and its claimed duration
    plan_video       open the video, read its packets, cut it into segments
    observe_segment  decode, detect, classify one segment; publish the observations by one atomic rename
    finish_video     read all segments, track, smooth, aggregate; write the tables, the manifest last
    draw_video       plot the timeline

Each step takes and returns plain values and finds everything else on disk, so any process or machine may run it. Steps
of one video depend on the ones above them; segments are independent of each other. Knows nothing of other videos.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from fractions import Fraction
from time import perf_counter

import pyarrow as pa

from fervid.base.clock import utc_now
from fervid.base.printable import printable
from fervid.base.types import FaceScores, VideoInfo
from fervid.batch.context import Context
from fervid.batch.job import Elapsed, Observed, Planned, Summary, VideoJob
from fervid.batch.plan import VideoPlan
from fervid.config import Settings
from fervid.emotion.heads import select_heads
from fervid.errors import InputError, TooDamaged
from fervid.interpret.build import FrameTiming
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.observe.observations import is_observed, read_observations, read_thumbnails, write_observations
from fervid.observe.observer import Observer
from fervid.observe.turned import hint_of_turning
from fervid.run.derived import Outdated
from fervid.run.files import PLOT, table_file
from fervid.run.folder import clear, observations_path, prepare, sweep
from fervid.run.io import Written, write_table
from fervid.run.manifest import RunManifest, manifest_content, video_record
from fervid.run.moved import supersede
from fervid.run.recorded import recorded_entry
from fervid.run.schema import SCHEMA_VERSION
from fervid.run.summary import OBSERVE, results_in_numbers, summarise
from fervid.storage.place import Place, is_on_disk
from fervid.video.fast_scan import why_not_scanned
from fervid.video.ledger import Ledger
from fervid.video.loss import judge_loss
from fervid.video.probe import PacketPlan, open_video, probe
from fervid.video.segments import plan_segments

log = logging.getLogger(__name__)

AV_TIME_BASE = 1_000_000
NAMES_SHOWN = 5


def measure_video(job: VideoJob) -> tuple[int, float]:
    """A video's size in bytes and the seconds that its header claims (0 if unknown). Raises InputError."""
    settings = job.method.settings.video
    with open_video(job.path, max_pixels=settings.max_pixels, stream=settings.stream) as (container, _):
        seconds = (container.duration or 0) / AV_TIME_BASE
    end = min(seconds, settings.end_seconds or seconds)
    return job.path.stat().st_size, max(0.0, end - settings.start_seconds)


def plan_video(context: Context, job: VideoJob) -> Planned:
    """Read the packets of a video and cut it into segments; prepare its run folder.

    Raises InputError for a video that cannot be analysed, ConfigError or ModelError for a method that cannot be; then
    nothing has been written.
    """
    settings = job.method.settings
    info, plan = probe(
        job.path,
        max_pixels=settings.video.max_pixels,
        stream=settings.video.stream,
        turn_degrees=settings.video.rotate,
    )
    if settings.video.start_seconds >= info.duration_seconds:
        raise InputError(
            f"{job.path} lasts {info.duration_seconds:.2f} s, which is before the start at "
            f"{settings.video.start_seconds:g} s. Give an earlier --start."
        )
    if (area := settings.video.crop) is not None and (
        area[0] + area[2] > info.width_px or area[1] + area[3] > info.height_px
    ):
        raise InputError(
            f"{job.path} is {info.width_px}x{info.height_px}, and the crop {','.join(map(str, area))} (x, y, width, "
            "height) reaches beyond it. Give another --crop."
        )
    select_heads(job.method.model, settings.emotion.labels)
    log.info(
        "%s: %dx%d %s in %s, %.3f frames per second%s, rotation %d, %d key frames",
        *(job.path, info.width_px, info.height_px, info.codec, info.container, info.average_frame_rate),
        *(" (variable)" if info.is_variable_rate else "", info.rotation_degrees, len(plan.keyframe_pts)),
    )
    segments = plan_segments(
        job.video_id,
        info,
        plan,
        segment_seconds=settings.video.segment_seconds,
        fps=settings.video.fps,
        every=settings.video.every,
        start_seconds=settings.video.start_seconds,
        end_seconds=settings.video.end_seconds,
    )
    pickled_plan = VideoPlan(info, plan, tuple(segments)).pickled()
    _observer(context, job, pickled_plan)  # now, so that a wrong setting is reported before anything is written
    if settings.video.fast_scan and (reason := why_not_scanned(info, plan, settings.video.sampling)):
        log.warning("%s: analysed in full, without a fast scan: %s", job.path.name, reason)
    _note_replacement(job)
    _note_outdated(job, prepare(job.folder, keep_observations=job.resume))
    to_observe = tuple(
        i for i, s in enumerate(segments) if not is_observed(observations_path(job.folder, s), job.method.observe_key)
    )
    log.info("%s: %d segments, %d to observe", job.path, len(segments), len(to_observe))
    lengths = tuple(max(0.0, s.end_seconds - s.start_seconds) for s in segments)
    return Planned(info.duration_seconds, lengths, to_observe, pickled_plan, info.width_px * info.height_px)


def _note_replacement(job: VideoJob) -> None:
    """Warn that the existing result is about to be replaced by one with other settings."""
    try:
        before = manifest_content(job.folder)
    except InputError:
        return
    if before["settings_hash"] != job.method.settings_hash and not job.is_second_pass:
        log.warning(
            "%s: replacing the result of %s in %s, made with other settings",
            *(job.path.name, before["finished_utc"], job.folder),
        )


def _note_outdated(job: VideoJob, outdated: Outdated) -> None:
    """Warn about files derived from the replaced result: those removed, and those kept."""
    for names, what in (
        (outdated.removed, "removed with the earlier result it was made from"),
        (outdated.changed, "kept, because it was changed since it was made from the earlier result"),
    ):
        if names:
            shown = ", ".join(names[:NAMES_SHOWN]) + (f" and {n} more" if (n := len(names) - NAMES_SHOWN) > 0 else "")
            log.warning("%s: %s: %s", job.folder, what, shown)


def observe_segment(context: Context, job: VideoJob, pickled_plan: bytes, index: int) -> Observed:
    """Observe one segment of a planned video and publish the observations by one atomic rename."""
    heartbeat, plan = context.heartbeat, VideoPlan.unpickled(pickled_plan)
    segment, ledger, n_faces = plan.segments[index], Ledger(), 0
    observer = _observer(context, job, pickled_plan)
    before, started = asdict(observer.seconds), perf_counter()
    fps = job.method.settings.video.sampling.frames_per_second(plan.info.average_frame_rate)
    # The ledger advances with each packet; frames come out in bursts, one batch of faces at a time.
    heartbeat.follow(lambda: (ledger.analysed / fps, ledger.packets, ledger.decoded, ledger.bad_packets))

    def counted(scored: Iterator[FaceScores]) -> Iterator[FaceScores]:
        nonlocal n_faces
        for scores in scored:
            n_faces += len(scores.logits)
            heartbeat.reach(scores.detections.pts_seconds)
            yield scores
        heartbeat.reach(segment.end_seconds)

    with closing(observer.observe(segment, ledger)) as scored:
        target = observations_path(job.folder, segment)
        write_observations(
            target,
            counted(scored),
            ledger,
            observe_key=job.method.observe_key,
            has_flow=job.method.settings.motion.measure,
        )
    spent = {name: seconds - before[name] for name, seconds in asdict(observer.seconds).items()}
    spent[OBSERVE] = perf_counter() - started
    return Observed(spent, segment.end_seconds - segment.start_seconds, n_faces)


def finish_video(context: Context, job: VideoJob, pickled_plan: bytes, n_reused: int, spent: Elapsed) -> Summary:
    """Write the tables of a video whose segments are all observed, and its manifest last. Returns its summary.

    Raises TooDamaged, leaving nothing, when too little of the video could be decoded.
    """
    method, folder, settings, started = job.method, job.folder, job.method.settings, perf_counter()
    plan = VideoPlan.unpickled(pickled_plan)
    info = plan.info
    sweep(folder)
    context.let_go_of((method.observe_key, pickled_plan))
    observed = [observations_path(folder, segment) for segment in plan.segments]
    observations, ledger, hashes = read_all(observed)
    _refuse_if_too_damaged(job.path, folder, ledger, plan.packets, settings)
    interpreting = perf_counter()
    rows = [observations]
    del observations  # passed on, so that it can be freed once its columns are read
    tables = interpret(
        rows.pop(),
        settings,
        method.model,
        video_id=job.video_id,
        duration_seconds=info.duration_seconds,
        thumbnails=read_thumbnails(observed),
        timing=FrameTiming.of(asdict(info), settings.video.model_dump()),
        shared=job.shared,
    )
    interpreted = perf_counter()
    outputs = write_tables(folder, tables, table_metadata(job, info.time_base, info.start_time_seconds))
    warnings, is_partial = judge_loss(info, plan.packets, ledger)
    if tables.faces.num_rows == 0 and is_on_disk(job.path):
        warnings += hint_of_turning(info, settings, tables.frames["time_s"].to_numpy())
    recorded, doubts = _recorded(job, info)
    warnings += doubts
    own = {"interpret": interpreted - interpreting, "write": perf_counter() - interpreted}
    labels = list(method.model.labels)
    manifest = RunManifest(
        video_id=job.video_id,
        video_path=printable(job.path.absolute()),
        video_bytes=job.path.stat().st_size,
        video=video_record(info) | recorded,
        start_time_s=info.start_time_seconds,
        status="partial" if is_partial else "complete",
        **method.record(),
        ledger=ledger,
        unconfirmed_faces=tables.n_unconfirmed_faces,
        warnings=warnings,
        started_utc=spent.started_utc,
        finished_utc=utc_now(),
        elapsed_seconds=spent.elapsed_seconds + perf_counter() - started,
        stage_seconds=spent.stage_seconds | own,
        segments_reused=n_reused,
        outputs={name: file.sha256 for name, file in outputs.items()},
        output_bytes={name: file.n_bytes for name, file in outputs.items()},
        observations=hashes,
        results=results_in_numbers(tables.timeline, tables.faces, tables.tracks, labels),
        recordings=method.recordings,
    )
    _publish(manifest, job)
    return summarise(asdict(manifest), folder, was_there=False, others=(PLOT,) if job.plot else ())


def _publish(manifest: RunManifest, job: VideoJob) -> None:
    """Write the manifest, which makes the run complete, and mark the runs of videos that this one replaced."""
    manifest.write(job.folder)
    for earlier in job.replaces:
        supersede(earlier, job.path, job.video_id)


def _recorded(job: VideoJob, info: VideoInfo) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """When the video was recorded, for its manifest, and what is doubtful about it."""
    video = job.method.settings.video
    return recorded_entry(
        job.path.name, info.container_time, info.container_time_source, given=video.start_time, zone=video.time_zone
    )


def draw_video(job: VideoJob) -> None:
    """Draw the timeline of a finished video. Its manifest does not change."""
    from fervid.batch.plot import draw_run

    draw_run(job.folder, job.method.settings_hash, job.method.model.labels, job.path.name)


def _observer(context: Context, job: VideoJob, pickled_plan: bytes) -> Observer:
    method = job.method

    def make() -> Observer:
        plan = VideoPlan.unpickled(pickled_plan)
        return Observer(
            plan.info,
            plan.packets,
            method.settings,
            method.model,
            runner=method.runner,
            classifier=context.classifier,
        )

    return context.observer_for((method.observe_key, pickled_plan), make)


def read_all(paths: list[Place]) -> tuple[pa.Table, Ledger, dict[str, str]]:
    """The observations of all segments, without their thumbnails, the ledger of the video, and the files' hashes."""
    ledger = Ledger()
    tables, hashes = [], {}
    for path in paths:
        table, part, hashes[path.name] = read_observations(path)
        tables.append(table)
        ledger.add(part)
    observations = pa.concat_tables(tables)
    n_sound = observations.num_rows - sum(observations["is_corrupt"].to_pylist())
    assert ledger.analysed == n_sound, f"{ledger.analysed} frames analysed, {n_sound} have a row"
    return observations, ledger, hashes


def _refuse_if_too_damaged(path: Place, folder: Place, ledger: Ledger, plan: PacketPlan, settings: Settings) -> None:
    share = ledger.bad_packets / max(1, ledger.packets)
    no_frames = ledger.decoded == 0 and settings.video.start_seconds == 0
    if no_frames or share > settings.video.max_bad_packet_share:
        clear(folder)
        found = "none of its frames can be decoded" if no_frames else f"{share:.0%} of its packets cannot be decoded"
        raise TooDamaged(
            f"{path}: {found} ({ledger.bad_packets} of {plan.n_packets} packets bad). Give an intact copy."
        )


def write_tables(folder: Place, tables: Tables, metadata: dict[str, str]) -> dict[str, Written]:
    """Write the tables of a run; returns their hashes and sizes by name."""
    named = {"frames": tables.frames, "faces": tables.faces, "tracks": tables.tracks, "timeline": tables.timeline}
    return {table_file(name): write_table(folder / table_file(name), table, metadata) for name, table in named.items()}


def table_metadata(job: VideoJob, time_base: Fraction, start_time_seconds: float) -> dict[str, str]:
    """The provenance metadata of each table of a run."""
    model = job.method.model
    return {
        "schema_version": str(SCHEMA_VERSION),
        "video_id": job.video_id,
        "time_base": str(time_base),
        "start_time_s": repr(start_time_seconds),
        "model": model.name,
        "model_sha256": model.weights_sha256,
        "settings_hash": job.method.settings_hash,
    }
