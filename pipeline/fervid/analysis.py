"""Analyse one video: `analyze`, of which `fervid.batch.steps` are the parts."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from fervid.base import assets
from fervid.base.clock import utc_now
from fervid.batch.discover import Handling, up_to_date
from fervid.batch.ids import SMALL_BYTES, Ids, result_of
from fervid.batch.job import Method, VideoJob
from fervid.batch.run import Batch, analyze_one
from fervid.batch.whole import analyze_here
from fervid.config import Settings, load_settings
from fervid.emotion.plugin import find_model
from fervid.run.files import PLOT
from fervid.run.folder import check_not_on_hold
from fervid.run.handle import Run, RunFolders, open_run
from fervid.run.manifest import done_before
from fervid.runtime.device import choose_runner
from fervid.storage.files import check_regular_file
from fervid.storage.lock import locked
from fervid.storage.place import Place, as_place


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
    path, settings, started, started_utc = as_place(video), settings or load_settings(), perf_counter(), utc_now()
    out = as_place(out or assets.default_output_folder())
    if workers is not None:
        handling = Handling(overwrite=overwrite, resume=resume, plot=plot, retry_failed=True)
        batch = Batch([path], out, settings, workers=workers, device=device, handling=handling)
        return analyze_one(batch, is_shown=progress)

    status = check_regular_file(path)
    model = find_model(settings.emotion.model)
    method = Method.of(settings, model, choose_runner(device))
    ids = Ids(out, least_bytes=SMALL_BYTES)
    video_id, folder, replaces = result_of(path, status, ids, RunFolders(out))
    ids.close()
    job = VideoJob(path, video_id, folder, method, resume and not overwrite, plot, replaces=replaces)
    done = None if overwrite else done_before(job.folder, job.video_id, method, wanted=[PLOT] if plot else [])
    if done is not None:
        up_to_date(job, done, ids)
        return replace(open_run(job.folder), was_there=True)

    check_not_on_hold(job.folder)
    with locked(job.folder):
        analyze_here(job, started_utc=started_utc, started=started, is_shown=progress)
    return open_run(job.folder)
