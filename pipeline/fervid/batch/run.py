"""Analyses one video or many with worker processes: a whole batch from start to end. Opens no video itself."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fervid.base.assets import configs_folder, models_folder
from fervid.batch.discover import Discovery, Handling
from fervid.batch.engine import CANNOT_WRITE, Engine, Outcome, Task
from fervid.batch.failures import remember
from fervid.batch.ids import SMALL_BYTES, Ids
from fervid.batch.job import Cluster, Method, VideoJob
from fervid.batch.people import PeopleOfBatch, check_people
from fervid.batch.report import BatchReport
from fervid.batch.result import Result
from fervid.batch.sandbox import Sandbox
from fervid.batch.schedule import Scheduler
from fervid.batch.view import View
from fervid.config import Settings
from fervid.emotion.plugin import find_model
from fervid.errors import FervidError, InputError, OutputError
from fervid.run.handle import Run, open_run
from fervid.runtime.device import RUNNERS, choose_runner, cluster_runner
from fervid.storage.lock import locked
from fervid.storage.place import Place, is_on_disk


@dataclass(frozen=True, slots=True)
class Batch:
    """Videos to analyse, the output, and how. `own_settings` are per video; `workers` None means one per CPU.

    Videos with the same person in `people` share a baseline; the names group them and are not stored.
    `is_named_as_many` requests batch results even for a single video. With `cluster` the work runs on a Ray cluster,
    else on this machine.
    """

    videos: Sequence[Place]
    out: Place
    settings: Settings
    own_settings: Mapping[Place, Settings] = field(default_factory=dict)
    people: Mapping[Place, str] = field(default_factory=dict)
    is_named_as_many: bool = False
    workers: int | None = None
    device: str = "auto"
    cluster: Cluster | None = None
    handling: Handling = field(default_factory=Handling)


def analyze_batch(batch: Batch, on_result: Callable[[Result], None], *, is_shown: bool = False) -> None:
    """Analyse videos into run folders; `on_result` receives each result as it comes.

    Several videos also write `batch.parquet` and `failed.jsonl`, record failures, and lock the folder against other
    batches.
    Raises OutputInUse, OutputError, ConfigError, ModelError or DependencyMissing, which stop the whole run;
    finished results stay, and the same call resumes from there.
    """
    methods = _Methods(batch)
    check_people(batch.people, batch.own_settings, batch.settings)
    try:
        if not batch.is_named_as_many:
            _analyze(batch, methods, on_result, None, is_shown=is_shown)
            return
        with locked(batch.out / "batch"):
            report = BatchReport(batch.out)
            try:
                _analyze(batch, methods, on_result, report, is_shown=is_shown)
            except BaseException:
                report.discard()
                raise
    except OSError as problem:
        if problem.errno not in CANNOT_WRITE:
            raise
        place = problem.filename or batch.out
        raise OutputError(f"{place} cannot be written ({problem.strerror}). Free some space, then run again.") from None


def plan_batch(batch: Batch) -> Discovery:
    """The work to do, without doing it. Raises ConfigError or ModelError."""
    check_people(batch.people, batch.own_settings, batch.settings)
    ids = Ids(batch.out, least_bytes=None)
    discovery = Discovery(batch.out, _Methods(batch).of, batch.handling, ids, batch.people, is_dry_run=True)
    discovery.look_at(batch.videos, first_bytes=math.inf)
    return discovery


def analyze_one(batch: Batch, *, is_shown: bool) -> Run:
    """Analyse the single video of a batch and return its run. Raises its error."""
    results: list[Result] = []
    analyze_batch(batch, results.append, is_shown=is_shown)
    result = results[0]
    if result.summary is None:
        raise result.error or FervidError(result.reason)
    return replace(open_run(result.summary["folder"]), was_there=result.was_there)


def _analyze(
    batch: Batch, methods: _Methods, on_result: Callable[[Result], None], report: BatchReport | None, *, is_shown: bool
) -> None:
    ids = Ids(batch.out, least_bytes=0 if report is not None else SMALL_BYTES)
    # A file named explicitly is always retried.
    handling = batch.handling if report is not None else replace(batch.handling, retry_failed=True)
    discovery = Discovery(batch.out, methods.of, handling, ids, batch.people)
    reporter = _ProgressReporter(len(batch.videos), on_result, report, is_shown=is_shown)
    people = PeopleOfBatch(batch.people, reporter, plot=handling.plot)
    discovery.on_result, discovery.on_person = reporter.count, people.ended
    try:
        discovery.look_at(batch.videos)
        ids.save()
        if discovery.is_exhausted and report is None:
            return
        if not discovery.is_exhausted:
            reporter.begin()
        with open_engine(batch, methods.default) as engine:
            Scheduler(engine, discovery, people).run()
            people.finish(engine)
            if report is not None:
                report.close()
                _run_alone(engine, Task("tabulate", (report.rows, list(methods.default.model.labels))))
    finally:
        ids.close()
        reporter.close()


class _ProgressReporter(View):
    """Passes results on as they come, records failures, and updates the progress line."""

    def __init__(
        self, n_videos: int, on_result: Callable[[Result], None], report: BatchReport | None, *, is_shown: bool
    ) -> None:
        super().__init__(n_videos, is_shown=is_shown)
        self._on_result, self._report = on_result, report

    def ended(self, job: VideoJob, result: Result) -> None:
        # An internal error is not a failure of the video.
        if self._report is not None and isinstance(result.error, InputError):
            remember(job, result)
        super().ended(job, result)

    def count(self, result: Result) -> None:
        super().count(result)
        if self._report is not None:
            self._report.add(result)
        self.clear()
        self._on_result(result)


class _Methods:
    """The method for each video: one per set of settings, so that a model's files are checked only once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        # A cluster's GPUs may be in other machines.
        self._runner = choose_runner(batch.device) if batch.cluster is None else cluster_runner(batch.device)
        self._known: dict[str, Method] = {}
        self.default = self._method(batch.settings)

    def of(self, path: Place) -> Method:
        return self._method(self._batch.own_settings.get(path, self._batch.settings))

    def _method(self, settings: Settings) -> Method:
        if settings is self._batch.settings and self._known:
            return self.default
        key = settings.model_dump_json()
        if key not in self._known:
            model = find_model(settings.emotion.model)
            self._known[key] = Method.of(settings, model, self._runner)
        return self._known[key]


@contextmanager
def open_engine(batch: Batch, method: Method) -> Iterator[Engine]:
    """A cluster's nodes; else processes; for a GPU, which one process owns, threads."""
    n_workers = batch.workers or os.cpu_count() or 1
    engine: Engine
    if batch.cluster is not None:
        from fervid.batch.ray_engine import RayEngine

        engine = RayEngine(batch.cluster, method)
    elif method.runner == RUNNERS["gpu"]:
        from fervid.batch.threads import ThreadEngine

        engine = ThreadEngine(n_workers)
    else:
        from fervid.batch.pool import ProcessEngine

        limits = batch.settings.batch
        engine = ProcessEngine(
            n_workers,
            memory_mib=limits.memory_mib,
            tasks_per_worker=limits.tasks_per_worker,
            sandbox=_sandbox(batch, method) if limits.sandbox else None,
        )
    try:
        yield engine
    finally:
        engine.close()


def _sandbox(batch: Batch, method: Method) -> Sandbox | None:
    """What the workers of a batch may read and write; none where videos or results are in an object store."""
    videos, out = [path for path in batch.videos if is_on_disk(path)], batch.out
    if len(videos) < len(batch.videos) or not is_on_disk(out):
        return None
    with suppress(OSError):
        out.mkdir(parents=True, exist_ok=True)  # what is not there cannot be allowed
    chosen = (batch.settings, *batch.own_settings.values())
    named = {text for settings in chosen for text in _texts(settings.model_dump(mode="json"))}
    files = [Path(text) for text in named if os.path.exists(text)]
    return Sandbox.of(videos, [*files, method.model.folder, models_folder(), configs_folder()], [out])


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON: some are paths of models."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)


def _run_alone(engine: Engine, task: Task) -> None:
    engine.submit(task)
    while True:
        for event in engine.wait():
            if isinstance(event, Outcome):
                if event.error is not None or event.crash:
                    raise event.error or OutputError(f"the table of the batch was not written: {event.crash}.")
                return
