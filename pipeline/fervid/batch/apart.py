"""One step about a finished run in a worker process of its own: with the caps, watchdog and sandbox of an analysis.

Evidence, annotated videos and stills decode untrusted videos again. The worker reads the video and writes to the given
folders; a crash fails this run only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fervid.base.assets import configs_folder, models_folder
from fervid.batch.engine import Bug, Outcome, Task
from fervid.batch.pool import ProcessEngine
from fervid.batch.sandbox import Sandbox
from fervid.config.settings import BatchSettings
from fervid.errors import InputError, OutputError

STALL_FACTOR = 5.0
"""Ending a long video, when its index moves to the front, shows no progress for a while."""


class Apart:
    """Runs steps one at a time. Use it as a context, for one command; processes start with the first step."""

    def __init__(self, videos: Iterable[Path], folders: Iterable[Path], limits: BatchSettings | None = None) -> None:
        """`videos` may be read by the steps, and what is below `folders` read and written."""
        limits = limits or BatchSettings()
        self._is_stopped = False
        self._stall_seconds = limits.stall_seconds * STALL_FACTOR
        sandbox = Sandbox.of(videos, [models_folder(), configs_folder()], folders) if limits.sandbox else None
        self._engine = ProcessEngine(
            1, memory_mib=limits.memory_mib, tasks_per_worker=limits.tasks_per_worker, sandbox=sandbox
        )

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def stop(self) -> None:
        """Give up the step that another thread waits for: its process is killed, and no further one is started."""
        self._is_stopped = True
        self._engine.kill()

    def run(self, step: str, *arguments: Any, video: Path, reached: Callable[[float], None] | None = None) -> Any:
        """What a step gives back. Raises its error, or InputError when it loses its process twice, OutputError
        after `stop`.

        `reached` hears how far the step has come, in seconds of video.
        """
        for _ in range(2):
            if self._is_stopped:
                raise OutputError(f"{video}: {step} was cancelled.")
            outcome = self._outcome(Task(step, arguments, self._stall_seconds), reached)
            if isinstance(outcome.error, Bug):  # as it would be here: values of the run that no analysis writes
                raise ValueError(str(outcome.error)) from outcome.error
            if outcome.error is not None:
                raise outcome.error
            if not outcome.crash:
                return outcome.value
        if self._is_stopped:
            raise OutputError(f"{video}: {step} was cancelled.")
        raise InputError(f"{video}: decoding it failed twice: {outcome.crash}. Repair or convert the file.")

    def _outcome(self, task: Task, reached: Callable[[float], None] | None) -> Outcome:
        self._engine.submit(task)
        while True:
            for event in self._engine.wait():
                if isinstance(event, Outcome):
                    return event
                if reached is not None:
                    reached(event.seconds)
