"""Decides which step of which video runs next. An engine runs the steps, a listener receives the results.

A free worker finishes a video whose segments are all observed, else takes a segment of the video that started first,
else starts the next one. So the segments of one long video spread over all workers, no worker is idle while there is
work, and no more videos are open than needed to keep the workers busy. When task dispatch is expensive, a short video
is one task, and so are several segments of a long one while there is enough work for all other workers. A task that
lost its process is retried once in isolation, so that its neighbours and their memory cannot be the cause; a second
crash fails the video.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from fervid.base.clock import utc_now
from fervid.batch.engine import Engine, Outcome, Progress, Task
from fervid.batch.job import BeginResult, Elapsed, Observed, Planned, Summary, VideoJob
from fervid.batch.result import CRASHED, REJECTED, Result
from fervid.errors import (
    ConfigError,
    DependencyMissing,
    FervidError,
    InputError,
    ModelError,
    OutputError,
    OutputInUse,
    PluginError,
)
from fervid.run.folder import check_not_on_hold
from fervid.storage.lock import Held, hold

log = logging.getLogger(__name__)

STOPS_THE_RUN = (ConfigError, ModelError, DependencyMissing, OutputError)
"""Errors that would affect every video."""

MAX_SUSPECTS = 8
"""At most this many crashed segments are deferred to the end; further ones are retried immediately, in isolation."""

USUAL_MIB = 500
"""Memory for observing frames of up to 1920 x 1080: a video of one segment that needs no more is one task."""

SECONDS_A_TASK = 240.0
"""Length of video per task when dispatch is expensive, while there is enough work for all other workers."""

TASKS_LEFT = 2
"""Enough work means this many tasks of that size per worker: tasks become shorter towards the end of a batch."""

READ_BYTES_PER_SECOND = 2_000_000
"""A lower bound on disk and network speed: sets the time limit of a pass over a file."""


@dataclass(slots=True, eq=False)
class _Video:
    number: int
    """Order of start; earlier videos have priority."""
    job: VideoJob
    lock: Held
    started_utc: str
    started: float
    planned: Planned | None = None
    pending: deque[int] = field(default_factory=deque)
    n_left: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    is_dropped: bool = False
    is_listed: bool = False
    was_lost: bool = False
    """Whether a process that observed several of its segments crashed."""


@dataclass(slots=True, eq=False)
class _Step:
    video: _Video
    task: Task
    segments: tuple[int, ...] = ()
    is_second_try: bool = False


class Jobs(Protocol):
    """The videos to analyse, in order of start."""

    def take(self) -> VideoJob | None:
        """The next one; None if there is none, or none yet."""
        ...

    @property
    def is_exhausted(self) -> bool:
        """Whether all were returned."""
        ...


class Listener:
    """Receives the progress and results of videos. This one ignores them."""

    def planned(self, job: VideoJob, planned: Planned) -> None:
        """A video was opened and cut into segments."""

    def reached(self, job: VideoJob, segment: int, seconds: float) -> None:
        """A segment is observed up to `seconds` after its start."""

    def observed(self, job: VideoJob, segment: int, observed: Observed) -> None:
        """A segment is observed."""

    def ended(self, job: VideoJob, result: Result) -> None:
        """A video has its result."""


# Decision BAT-4.
class Scheduler:
    """Runs the steps of all jobs on an engine."""

    def __init__(self, engine: Engine, jobs: Jobs, listener: Listener) -> None:
        self._engine, self._jobs, self._listener = engine, jobs, listener
        self._open: dict[_Video, None] = {}
        self._n_begun = 0
        self._with_segments: list[tuple[int, _Video]] = []  # a heap, since a cluster may have thousands open
        self._n_pending = 0
        self._n_second_tries = 0
        self._urgent: deque[_Step] = deque()
        self._suspects: deque[_Step] = deque()
        self._running: dict[int, _Step] = {}

    def run(self) -> None:
        """Run until every video has its result. Raises errors that stop the whole run, with the engine closed."""
        try:
            while True:
                while self._engine.n_running < self._engine.n_workers and (step := self._next()) is not None:
                    self._running[id(step.task)] = step
                    self._n_second_tries += step.is_second_try
                    self._engine.submit(step.task)
                if not self._engine.n_running and self._jobs.is_exhausted:
                    return
                for event in self._engine.wait():
                    self._hear(event)
        except BaseException:
            self._engine.close()  # before others may write where its steps still write
            raise
        finally:
            for video in self._open:
                video.lock.release()

    def _next(self) -> _Step | None:
        if self._n_second_tries:
            return None
        if len(self._suspects) >= MAX_SUSPECTS:
            return self._next_suspect()
        if self._urgent:
            return self._urgent.popleft()
        while self._with_segments:
            video = self._with_segments[0][1]
            if video.pending:
                return self._observation(video, self._take_segments(video))
            heappop(self._with_segments)
            video.is_listed = False
        return self._begin_next() or self._next_suspect()

    def _next_suspect(self) -> _Step | None:
        return self._suspects.popleft() if self._suspects and not self._engine.n_running else None

    def _begin_next(self) -> _Step | None:
        while (job := self._jobs.take()) is not None:
            try:
                check_not_on_hold(job.folder)
                lock = hold(job.folder)
            except OutputInUse as error:
                self._listener.ended(job, Result(job.path, REJECTED, reason=str(error), error=error))
                continue
            started_utc = utc_now()
            video = _Video(self._n_begun, job, lock, started_utc, time.monotonic())
            self._n_begun += 1
            self._open[video] = None
            limit = job.method.settings.batch.stall_seconds + _size(job) / READ_BYTES_PER_SECOND
            if self._engine.prefers_few_tasks:
                return _Step(video, Task("begin", (job, USUAL_MIB), limit, USUAL_MIB))
            return _Step(video, Task("plan", (job,), limit))
        return None

    def _take_segments(self, video: _Video) -> tuple[int, ...]:
        """The next segment; several if dispatch is expensive and all workers have enough to do."""
        n = 1
        if self._engine.prefers_few_tasks and not video.was_lost:
            assert video.planned is not None
            n = max(1, int(SECONDS_A_TASK / max(1.0, video.planned.segment_seconds[video.pending[0]])))
            if self._jobs.is_exhausted:
                n = max(1, min(n, self._n_pending // (TASKS_LEFT * self._engine.n_workers)))
        n = min(n, len(video.pending))
        self._n_pending -= n
        return tuple(video.pending.popleft() for _ in range(n))

    def _observation(self, video: _Video, segments: tuple[int, ...]) -> _Step:
        assert video.planned is not None
        limit = video.job.method.settings.batch.stall_seconds
        step, which = ("observe", segments[0]) if len(segments) == 1 else ("observe_several", segments)
        return _Step(
            video, Task(step, (video.job, video.planned.pickled_plan, which), limit, video.planned.memory_mib), segments
        )

    def _ending(self, video: _Video) -> _Step:
        planned = video.planned
        assert planned is not None
        spent = Elapsed(video.started_utc, time.monotonic() - video.started, video.seconds)
        limit = video.job.method.settings.batch.stall_seconds + planned.duration_seconds
        return _Step(video, Task("finish", (video.job, planned.pickled_plan, planned.n_reused, spent), limit))

    def _hear(self, event: Progress | Outcome) -> None:
        step = self._running[id(event.task)]
        if isinstance(event, Progress):
            if len(step.segments) == 1:
                self._listener.reached(step.video.job, step.segments[0], event.seconds)
            return
        del self._running[id(event.task)]
        self._n_second_tries -= step.is_second_try
        video = step.video
        if video.is_dropped:
            self._close_if_idle(video)
        elif event.crash:
            self._crashed(step, event.crash)
        elif event.error is not None:
            self._failed(step, event.error)
        elif step.task.step == "begin":
            self._begun(video, event.value)
        elif step.task.step == "plan":
            self._planned(video, event.value)
        elif step.task.step == "observe":
            self._observed(video, step, [event.value])
        elif step.task.step == "observe_several":
            self._observed(video, step, event.value)
        elif step.task.step == "finish":
            self._finished(video, event.value)
        else:
            self._close(video)

    def _begun(self, video: _Video, begun: BeginResult) -> None:
        if begun.summary is None:
            self._planned(video, begun.planned)
            return
        self._listener.planned(video.job, begun.planned)
        for index, observed in zip(begun.planned.to_observe, begun.observed, strict=True):
            self._listener.observed(video.job, index, observed)
        self._finished(video, begun.summary)

    def _planned(self, video: _Video, planned: Planned) -> None:
        video.planned = planned
        video.pending.extend(planned.to_observe)
        self._n_pending += len(planned.to_observe)
        video.n_left = len(planned.to_observe)
        self._listener.planned(video.job, planned)
        self._list(video)
        if not video.n_left:
            self._urgent.append(self._ending(video))

    def _observed(self, video: _Video, step: _Step, several: Sequence[Observed]) -> None:
        for segment, observed in zip(step.segments, several, strict=True):
            for name, seconds in observed.stage_seconds.items():
                video.seconds[name] = video.seconds.get(name, 0.0) + seconds
            self._listener.observed(video.job, segment, observed)
        video.n_left -= len(step.segments)
        if not video.n_left:
            self._urgent.append(self._ending(video))

    def _finished(self, video: _Video, summary: Summary) -> None:
        self._listener.ended(video.job, Result(video.job.path, summary["status"], summary=summary))
        if video.job.plot:
            limit = video.job.method.settings.batch.stall_seconds
            self._urgent.append(_Step(video, Task("draw", (video.job,), limit)))
        else:
            self._close(video)

    def _list(self, video: _Video) -> None:
        if not video.is_listed:
            video.is_listed = True
            heappush(self._with_segments, (video.number, video))

    def _crashed(self, step: _Step, how: str) -> None:
        if len(step.segments) > 1:  # one of them may be the cause: from now on they run one by one
            step.video.was_lost = True
            step.video.pending.extendleft(reversed(step.segments))
            self._n_pending += len(step.segments)
            self._list(step.video)
            return
        if not step.is_second_try:
            step.is_second_try = True
            self._suspects.append(step)
            return
        what = {
            "begin": "analysing it",
            "plan": "opening it",
            "observe": "observing it",
            "finish": "writing its results",
            "draw": "drawing it",
        }.get(step.task.step, "")
        if step.video.planned is not None and step.segments:
            what = f"observing it from {sum(step.video.planned.segment_seconds[: step.segments[0]]):.0f} s on"
        reason = (
            f"{step.video.job.path}: {what} failed twice, the second time in isolation: {how}. "
            "Repair or convert the file."
        )
        self._drop(step, Result(step.video.job.path, CRASHED, reason=reason, error=InputError(reason)))

    def _failed(self, step: _Step, error: Exception) -> None:
        if isinstance(error, STOPS_THE_RUN):
            raise error
        is_refused = isinstance(error, FervidError) and not isinstance(error, PluginError)
        status = REJECTED if is_refused else CRASHED
        if isinstance(error, PluginError):
            reason = f"{step.video.job.path}: {error}"
        else:
            reason = str(error) if is_refused else f"{step.video.job.path}: internal error: {error}"
        self._drop(step, Result(step.video.job.path, status, reason=reason, error=error))

    def _drop(self, step: _Step, result: Result) -> None:
        """Give up on a video: start no more of its tasks; running ones may finish."""
        video = step.video
        if step.task.step == "draw":  # the result was already reported; only its plot is missing
            log.warning("%s", result.reason)
            self._close(video)
            return
        video.is_dropped = True
        self._n_pending -= len(video.pending)
        video.pending.clear()
        for waiting in (self._urgent, self._suspects):
            for other in [other for other in waiting if other.video is video]:
                waiting.remove(other)
        self._listener.ended(video.job, result)
        self._close_if_idle(video)

    def _close_if_idle(self, video: _Video) -> None:
        if all(step.video is not video for step in self._running.values()):
            self._close(video)

    def _close(self, video: _Video) -> None:
        del self._open[video]
        video.lock.release()


# Decision BAT-5.
def _size(job: VideoJob) -> int:
    with suppress(OSError):
        return job.path.stat().st_size
    return 0
