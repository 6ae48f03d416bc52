"""Analyse one video: the steps of the two halves, and `analyze`, which runs them one after the other.

    plan_video       open the video, read its packets, cut it into segments
    observe_segment  decode, detect, classify one segment; publish what was seen by one atomic rename
    finish_video     read all segments, track, smooth, sum up; write the tables, the manifest last
    draw_video       the timeline as a picture

Each step takes and returns plain values and finds everything else on disk, so any process or machine may run it; steps
of one video need the ones above them, and segments need nothing of each other. Knows nothing of other videos.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from fractions import Fraction
from time import perf_counter
from typing import Any

import pyarrow as pa

from fervid.base import assets
from fervid.base.log import one_line
from fervid.base.progress import SECONDS_OF_VIDEO, make_bar
from fervid.base.types import FaceScores, Segment, VideoInfo
from fervid.batch.engine import Beat
from fervid.batch.job import Method, Observed, Planned, Spent, Summary, VideoJob
from fervid.config import Settings, load_settings
from fervid.emotion.heads import select_heads
from fervid.emotion.plugin import find_model
from fervid.errors import InputError, TooDamaged
from fervid.interpret.whole import Tables, interpret
from fervid.observe.observer import Observer, is_observed, read_observations, read_thumbnails, write_observations
from fervid.run.derived import Outdated, note_hashes
from fervid.run.folder import check_not_on_hold, clear, observations_path, prepare, sweep
from fervid.run.handle import PLOT, Run, RunFolders, open_run
from fervid.run.io import Written, write_table
from fervid.run.manifest import RunManifest, done_before, manifest_content, printable
from fervid.run.schema import SCHEMA_VERSION
from fervid.run.summary import OBSERVE, results_in_numbers, summarise
from fervid.run.tables import read_table
from fervid.runtime.device import choose_runner
from fervid.storage.files import check_regular_file, content_id
from fervid.storage.lock import locked
from fervid.storage.place import Place, as_place
from fervid.video.fast_scan import why_not_scanned
from fervid.video.loss import judge_loss
from fervid.video.probe import PacketPlan, open_video, probe
from fervid.video.reader import Ledger
from fervid.video.segments import plan_segments

log = logging.getLogger(__name__)

AV_TIME_BASE = 1_000_000
NAMES_SHOWN = 5


def analyze(
    video: str | Place,
    *,
    out: str | Place | None = None,
    settings: Settings | None = None,
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
    resume: bool = True,
    plot: bool = True,
    progress: bool = False,
) -> Run:
    """Analyse a video file into a run folder below `out` and return the run. Both may be in object storage (`s3://`).

    Without `workers` all of it happens in this process; with it, segments are observed by so many processes, and a
    decoder that crashes or hangs cannot take this one with it. Results do not depend on it.
    A run that is there already with the same settings is returned as it is, unless `overwrite`. With `resume`, segments
    observed before with the same settings are not observed again.
    Raises InputError for a video that cannot be analysed, ConfigError, ModelError or OutputError.
    """
    path, settings, started, started_utc = as_place(video), settings or load_settings(), perf_counter(), _utc_now()
    out = as_place(out or assets.default_output_folder())
    if workers is not None:
        from fervid.batch.discover import Handling
        from fervid.batch.run import Batch, analyze_one

        handling = Handling(overwrite=overwrite, resume=resume, plot=plot, retry_failed=True)
        batch = Batch([path], out, settings, workers=workers, device=device, handling=handling)
        return analyze_one(batch, is_shown=progress)

    check_regular_file(path)
    model = find_model(settings.emotion.model)
    method = Method.of(settings, model, choose_runner(device))
    video_id = content_id(path)
    job = VideoJob(path, video_id, RunFolders(out).of(path, video_id), method, resume and not overwrite, plot)
    if not overwrite and done_before(job.folder, job.video_id, method, wanted=[PLOT] if plot else []):
        return replace(open_run(job.folder), was_there=True)

    check_not_on_hold(job.folder)
    with locked(job.folder):
        planned = plan_video(job)
        stage_seconds: dict[str, float] = {}
        with _bar(path, planned.duration_seconds, is_shown=progress) as bar:
            for index in planned.to_observe:
                observed = observe_segment(job, planned.sealed, index, beat=_BarBeat(bar))
                add_seconds(stage_seconds, observed.stage_seconds)
        spent = Spent(started_utc, perf_counter() - started, stage_seconds)
        finish_video(job, planned.sealed, planned.n_reused, spent)
        if plot:
            draw_video(job)
    return open_run(job.folder)


def measure_video(job: VideoJob, *, beat: Beat | None = None) -> tuple[int, float]:  # noqa: ARG001
    """A video's size in bytes and the seconds that its header claims (0 where it claims nothing). Raises InputError."""
    settings = job.method.settings.video
    with open_video(job.path, max_pixels=settings.max_pixels) as (container, _):
        seconds = (container.duration or 0) / AV_TIME_BASE
    end = min(seconds, settings.end_seconds or seconds)
    return job.path.stat().st_size, max(0.0, end - settings.start_seconds)


def plan_video(job: VideoJob, *, beat: Beat | None = None) -> Planned:  # noqa: ARG001
    """Read the packets of a video and cut it into segments; make its run folder ready.

    Raises InputError for a video that cannot be analysed, ConfigError or ModelError for a method that cannot be; then
    nothing has been written.
    """
    settings = job.method.settings
    info, plan = probe(job.path, max_pixels=settings.video.max_pixels)
    if settings.video.start_seconds >= info.duration_seconds:
        raise InputError(
            f"{job.path} lasts {info.duration_seconds:.2f} s, so nothing follows the start at "
            f"{settings.video.start_seconds:g} s. Give an earlier --start."
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
    sealed = pickle.dumps((info, plan, segments), protocol=pickle.HIGHEST_PROTOCOL)
    _observer(job, sealed)
    if settings.video.fast_scan and (reason := why_not_scanned(info, plan, settings.video.sampling)):
        log.warning("%s: analysed in full, without a fast scan: %s", job.path.name, reason)
    _note_replacement(job)
    _note_outdated(job, prepare(job.folder, keep_observations=job.resume))
    to_observe = tuple(
        i for i, s in enumerate(segments) if not is_observed(observations_path(job.folder, s), job.method.observe_key)
    )
    log.info("%s: %d segments, %d to observe", job.path, len(segments), len(to_observe))
    lengths = tuple(max(0.0, s.end_seconds - s.start_seconds) for s in segments)
    return Planned(info.duration_seconds, lengths, to_observe, sealed, info.width_px * info.height_px)


def _note_replacement(job: VideoJob) -> None:
    """Warn that the result which is in the folder now is about to be replaced by one with other settings."""
    try:
        before = manifest_content(job.folder)
    except InputError:
        return
    if before["settings_hash"] != job.method.settings_hash:
        log.warning(
            "%s: the result of %s in %s, made with other settings, is replaced",
            *(job.path.name, before["finished_utc"], job.folder),
        )


def _note_outdated(job: VideoJob, outdated: Outdated) -> None:
    """Warn of files that were made of the result before: those that went with it, and those that stay."""
    for names, what in (
        (outdated.removed, "removed with the earlier result, of which it was made"),
        (outdated.changed, "kept, because it was changed since it was made of the earlier result"),
    ):
        if names:
            shown = ", ".join(names[:NAMES_SHOWN]) + (f" and {n} more" if (n := len(names) - NAMES_SHOWN) > 0 else "")
            log.warning("%s: %s: %s", job.folder, what, shown)


def observe_segment(job: VideoJob, sealed: bytes, index: int, *, beat: Beat | None = None) -> Observed:
    """Observe one segment of a planned video and publish the observations by one atomic rename."""
    beat = beat or Beat()
    info, _, segments = _unseal(sealed)
    segment, ledger, n_faces = segments[index], Ledger(), 0
    observer = _observer(job, sealed)
    before, started = asdict(observer.seconds), perf_counter()
    fps = job.method.settings.video.sampling.frames_per_second(info.average_frame_rate)
    # The ledger moves as packets are decoded; frames come out in bursts, a batch of faces at a time.
    beat.follow(lambda: (ledger.analysed / fps, ledger.packets, ledger.decoded, ledger.bad_packets))

    def counted(scored: Iterator[FaceScores]) -> Iterator[FaceScores]:
        nonlocal n_faces
        for scores in scored:
            n_faces += len(scores.logits)
            beat.reach(scores.detections.pts_seconds)
            yield scores
        beat.reach(segment.end_seconds)

    with closing(observer.observe(segment, ledger)) as scored:
        target = observations_path(job.folder, segment)
        write_observations(target, counted(scored), ledger, observe_key=job.method.observe_key)
    spent = {name: seconds - before[name] for name, seconds in asdict(observer.seconds).items()}
    spent[OBSERVE] = perf_counter() - started
    return Observed(spent, segment.end_seconds - segment.start_seconds, n_faces)


def finish_video(job: VideoJob, sealed: bytes, n_reused: int, spent: Spent, *, beat: Beat | None = None) -> Summary:  # noqa: ARG001
    """Make the tables of a video whose segments are all observed; write its manifest last. Returns its summary.

    Raises TooDamaged, leaving nothing, when too little of the video could be decoded.
    """
    method, folder, settings, started = job.method, job.folder, job.method.settings, perf_counter()
    info, plan, segments = _unseal(sealed)
    sweep(folder)
    if _last.key == (method.observe_key, sealed):
        _last.observer = None  # its detector and its network are not needed any more
    observed = [observations_path(folder, segment) for segment in segments]
    observations, ledger, hashes = read_all(observed)
    _refuse_if_too_damaged(job.path, folder, ledger, plan, settings)
    interpreting = perf_counter()
    rows = [observations]
    del observations  # handed over, so that it can be let go of when its columns are read
    tables = interpret(
        rows.pop(),
        settings,
        method.model,
        video_id=job.video_id,
        duration_seconds=info.duration_seconds,
        thumbnails=read_thumbnails(observed),
    )
    interpreted = perf_counter()
    outputs = write_tables(folder, tables, table_metadata(job, info.time_base, info.start_time_seconds))
    warnings, is_partial = judge_loss(info, plan, ledger)
    own = {"interpret": interpreted - interpreting, "write": perf_counter() - interpreted}
    labels = list(method.model.labels)
    manifest = RunManifest(
        video_id=job.video_id,
        video_path=printable(job.path.absolute()),
        video_bytes=job.path.stat().st_size,
        video=video_record(info),
        start_time_s=info.start_time_seconds,
        status="partial" if is_partial else "complete",
        settings=settings.model_dump(mode="json"),
        settings_hash=method.settings_hash,
        observe_key=method.observe_key,
        model={"name": method.model.name, "weights_sha256": method.model.weights_sha256, "labels": labels},
        runner=method.runner,
        ledger=ledger,
        unconfirmed_faces=tables.n_unconfirmed_faces,
        warnings=warnings,
        started_utc=spent.started_utc,
        finished_utc=_utc_now(),
        elapsed_seconds=spent.elapsed_seconds + perf_counter() - started,
        stage_seconds=spent.stage_seconds | own,
        segments_reused=n_reused,
        outputs={name: file.sha256 for name, file in outputs.items()},
        output_bytes={name: file.n_bytes for name, file in outputs.items()},
        observations=hashes,
        results=results_in_numbers(tables.timeline, tables.faces, tables.tracks, labels),
    )
    manifest.write(folder)
    return summarise(asdict(manifest), folder, was_there=False, others=(PLOT,) if job.plot else ())


def draw_video(job: VideoJob, *, beat: Beat | None = None) -> None:  # noqa: ARG001
    """Draw the timeline of a finished video. Its manifest stays as it was written."""
    from fervid.charts.timeline import plot_timeline

    timeline = read_table(job.folder, job.method.settings_hash, "timeline")
    sha256 = plot_timeline(timeline, job.method.model.labels, job.folder / PLOT, title=printable(job.path.name))
    note_hashes(job.folder, {PLOT: sha256})


def add_seconds(total: dict[str, float], more: dict[str, float]) -> None:
    """Add the seconds of each stage to a total."""
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds


class _LastObserver(threading.local):
    """The observer that this thread used last: segments of one video come one after the other."""

    key: tuple[str, bytes] | None = None
    observer: Observer | None = None


_last = _LastObserver()


def _observer(job: VideoJob, sealed: bytes) -> Observer:
    key = job.method.observe_key, sealed
    if _last.key != key or _last.observer is None:
        info, plan, _ = _unseal(sealed)
        _last.observer = Observer(info, plan, job.method.settings, job.method.model, runner=job.method.runner)
        _last.key = key
    return _last.observer


def _unseal(sealed: bytes) -> tuple[VideoInfo, PacketPlan, list[Segment]]:
    # Made by plan_video of this run and handed on in memory alone, never read from a file that others could write.
    content: tuple[VideoInfo, PacketPlan, list[Segment]] = pickle.loads(sealed)
    return content


class _BarBeat(Beat):
    """Moves a progress bar as frames pass."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def reach(self, seconds: float) -> None:
        # Set, not added up: tqdm warns in the user's terminal when rounding carries a sum past the total.
        self._bar.n = min(max(self._bar.n, seconds), self._bar.total)
        self._bar.update(0)


def _bar(path: Place, duration_seconds: float, *, is_shown: bool) -> Any:
    return make_bar(duration_seconds, description=one_line(path.name), counts=SECONDS_OF_VIDEO, is_shown=is_shown)


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
    """Write the tables of a run; what each is known by, by its name."""
    named = {"frames": tables.frames, "faces": tables.faces, "tracks": tables.tracks, "timeline": tables.timeline}
    return {
        f"{name}.parquet": write_table(folder / f"{name}.parquet", table, metadata) for name, table in named.items()
    }


def table_metadata(job: VideoJob, time_base: Fraction, start_time_seconds: float) -> dict[str, str]:
    """What each table of a run says of where it comes from."""
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


def video_record(info: VideoInfo) -> dict[str, object]:
    """What a manifest says of a video."""
    record = {key: value for key, value in asdict(info).items() if key != "path"}
    return record | {"time_base": str(info.time_base), "sample_aspect_ratio": str(info.sample_aspect_ratio)}


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
