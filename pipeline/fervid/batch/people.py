"""Recordings of one person, which share a baseline: the second pass of a batch over what it has observed.

Each video is analysed by itself first. What its tables then depend on beside itself is which recordings of the person
there are, so their ids are a part of its method: results of other sets of recordings are never taken for these. The
label that the user gave a person is forgotten when the batch ends. Opens no video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fervid.batch.engine import Engine, Outcome, Task
from fervid.batch.job import Observed, Planned, VideoJob
from fervid.batch.result import CRASHED, Result
from fervid.batch.schedule import Listener, Scheduler
from fervid.config import Settings
from fervid.errors import ConfigError, InputError
from fervid.run.files import PLOT
from fervid.run.manifest import done_before
from fervid.storage.place import Place

if TYPE_CHECKING:
    from fervid.interpret.baseline import Shifts

STALL_SECONDS = 600.0
"""Reading a recording takes milliseconds per minute of video; a step that shows no progress for so long hangs."""


def check_people(people: Mapping[Place, str], settings_of: Mapping[Place, Settings], default: Settings) -> None:
    """Raises ConfigError where the recordings of a person cannot share a baseline."""
    first: dict[str, Settings] = {}
    for path, person in people.items():
        settings = settings_of.get(path, default)
        if settings.baseline.scope != "video":
            raise ConfigError(
                f"{path} has the person {person!r}, and its baseline is {settings.baseline.scope!r}. Recordings of one "
                "person share a baseline with --baseline video."
            )
        other = first.setdefault(person, settings)
        if (settings.emotion, settings.baseline) != (other.emotion, other.baseline):
            raise ConfigError(
                f"{path} has another model, head or baseline than other recordings of {person!r}. Give all of a "
                "person the same."
            )


# Decision SCO-9.
class PeopleOfBatch(Listener):
    """Passes on what becomes of videos, but keeps people's recordings back until `finish`: then they are final."""

    def __init__(self, people: Mapping[Place, str], listener: Listener, *, plot: bool) -> None:
        self._people, self._listener, self._plot = people, listener, plot
        self._kept: dict[Place, tuple[VideoJob, Result]] = {}

    def planned(self, job: VideoJob, planned: Planned) -> None:
        self._listener.planned(job, planned)

    def reached(self, job: VideoJob, segment: int, seconds: float) -> None:
        self._listener.reached(job, segment, seconds)

    def observed(self, job: VideoJob, segment: int, observed: Observed) -> None:
        self._listener.observed(job, segment, observed)

    def ended(self, job: VideoJob, result: Result) -> None:
        if job.path in self._people and result.summary is not None:
            self._kept[job.path] = job, result
        else:
            self._listener.ended(job, result)

    def finish(self, engine: Engine) -> None:
        """Measure what each person's recordings share, and interpret those again whose tables were made without it."""
        groups: dict[str, list[VideoJob]] = {}
        for job, _ in self._kept.values():
            groups.setdefault(self._people[job.path], []).append(job)
        pending = {person: todo for person, jobs in groups.items() if (todo := self._second_pass(jobs))}
        shared = self._measure(engine, {person: groups[person] for person in pending})
        second = [
            replace(job, shared=shared[person]) for person, jobs in pending.items() for job in jobs if person in shared
        ]
        Scheduler(engine, _Queue(second), _Results(self._listener)).run()

    def _second_pass(self, jobs: list[VideoJob]) -> list[VideoJob]:
        """The jobs of one person whose results lack what the recordings share; the others' results are passed on."""
        ids = tuple(sorted(job.video_id for job in jobs)) if len(jobs) > 1 else ()
        todo = []
        for job in jobs:
            second = replace(job, method=job.method.of_person(ids), plot=self._plot, resume=True, is_second_pass=True)
            if done_before(job.folder, job.video_id, second.method, wanted=[PLOT] if self._plot else []):
                self._listener.ended(*self._kept[job.path])
            else:
                todo.append(second)
        return todo

    def _measure(self, engine: Engine, groups: Mapping[str, list[VideoJob]]) -> dict[str, Shifts | None]:
        """What is subtracted from each person's scores; a person of one recording has the baseline of that alone."""
        shared: dict[str, Shifts | None] = {person: None for person, jobs in groups.items() if len(jobs) == 1}
        waiting = deque(
            (person, Task("measure_person", (tuple(jobs),), STALL_SECONDS))
            for person, jobs in groups.items()
            if len(jobs) > 1
        )
        running: dict[int, str] = {}
        while waiting or running:
            while waiting and engine.n_running < engine.n_workers:
                person, task = waiting.popleft()
                running[id(task)] = person
                engine.submit(task)
            for event in engine.wait():
                if not isinstance(event, Outcome):
                    continue
                person = running.pop(id(event.task))
                if event.error is None and not event.crash:
                    shared[person] = event.value
                else:
                    self._give_up(groups[person], event.error or InputError(event.crash))
        return shared

    def _give_up(self, jobs: list[VideoJob], error: Exception) -> None:
        for job in jobs:
            reason = f"{job.path}: the baseline over its person's recordings could not be measured: {error}"
            self._listener.ended(job, Result(job.path, CRASHED, reason=reason, error=error))


class _Queue:
    """Jobs, one after the other."""

    def __init__(self, jobs: list[VideoJob]) -> None:
        self._jobs = deque(jobs)

    def take(self) -> VideoJob | None:
        return self._jobs.popleft() if self._jobs else None

    @property
    def is_exhausted(self) -> bool:
        return not self._jobs


class _Results(Listener):
    """Passes results on, but no progress of a second pass: its videos were counted in the first."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def ended(self, job: VideoJob, result: Result) -> None:
        self._listener.ended(job, result)
