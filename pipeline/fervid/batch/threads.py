"""The engine for a GPU: threads of this process, because one process owns the device. No isolation, no watchdog.

OpenCV, FFmpeg and the classifier let other threads run while they work.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

from fervid.batch.context import Context
from fervid.batch.engine import Outcome, Progress, Task, run_step

WAIT_SECONDS = 0.5


class ThreadEngine:
    """Up to `n_workers` threads. A crash in a decoder ends the whole process; the next run resumes from there."""

    prefers_few_tasks = False

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.n_running = 0
        self._pool = ThreadPoolExecutor(n_workers, thread_name_prefix="fervid")
        self._own = threading.local()  # each thread is a worker with its own context
        self._events: queue.SimpleQueue[Progress | Outcome] = queue.SimpleQueue()

    def submit(self, task: Task) -> None:
        self.n_running += 1
        self._pool.submit(self._run, task)

    def wait(self) -> list[Progress | Outcome]:
        try:
            event = self._events.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            return []
        self.n_running -= isinstance(event, Outcome)
        return [event]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, task: Task) -> None:
        if not hasattr(self._own, "context"):
            self._own.context = Context()
        report = run_step(task, self._own.context)
        self._events.put(Outcome(task, report.value, report.error, report.crash))
