"""The engine of one machine: worker processes, each with its own pipe. Independent of the steps.

A worker that dies, hangs or exceeds its limits loses only its current task. Workers share nothing: a shared lock or
queue would stay locked forever if one were killed at the wrong moment.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from fervid.batch.engine import Outcome, Progress, Report, Task
from fervid.batch.sandbox import Sandbox
from fervid.batch.worker import STALLED_EXIT_CODE, work

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
BACKSTOP_FACTOR = 3.0
"""The worker's own watchdog acts first; this much later the pool kills the worker itself."""

MAX_IDLE_DEATHS = 20
"""After this many workers in a row that die before any work, the pool gives up."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Threads do not survive a fork, so the server that workers are forked from must have none."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: Any
    connection: Connection
    task: Task | None = None
    n_done: int = 0
    heard_at: float = 0.0


# Decision BAT-1.
class ProcessEngine:
    """Up to `n_workers` processes, started on demand, replaced after `tasks_per_worker` tasks."""

    prefers_few_tasks = False

    def __init__(
        self, n_workers: int, *, memory_mib: int, tasks_per_worker: int, sandbox: Sandbox | None = None
    ) -> None:
        self.n_workers = n_workers
        self._sandbox = sandbox
        self._memory_mib, self._tasks_per_worker = memory_mib, tasks_per_worker
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context: Any = multiprocessing.get_context(method)
        if method == "forkserver" and not _engines and not _server_runs():
            self._context.set_forkserver_preload(["fervid.batch.preload"])
            _engines.is_server_ours = True
        _engines.add(self)
        self._workers: list[_Worker] = []
        self._idle_deaths = 0

    @property
    def n_running(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def submit(self, task: Task) -> None:
        worker = next((worker for worker in self._workers if worker.task is None), None) or self._start()
        worker.task, worker.heard_at = task, time.monotonic()
        with contextlib.suppress(OSError):  # it died while idle: `wait` notices the closed pipe
            worker.connection.send(task)

    def wait(self) -> list[Progress | Outcome]:
        events: list[Progress | Outcome] = []
        ready = wait([worker.connection for worker in self._workers], WAIT_SECONDS)
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                events += self._bury(worker)
                continue
            worker.heard_at = time.monotonic()
            assert worker.task is not None
            if isinstance(message, float):
                events.append(Progress(worker.task, message))
            else:
                events.append(self._finished(worker, message))
        for worker in [worker for worker in self._workers if worker.task is not None]:
            limit = worker.task.stall_seconds * BACKSTOP_FACTOR if worker.task else 0.0
            if limit and time.monotonic() - worker.heard_at > limit:
                worker.process.kill()  # its pipe closes, which the next call notices
        return events

    def kill(self) -> None:
        """Kill all workers, from any thread; `wait` notices it."""
        for worker in list(self._workers):
            worker.process.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            if worker.task is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(1.0)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(1.0)
        self._workers.clear()
        if self in _engines:
            _engines.remove(self)
            if not _engines and _engines.is_server_ours:
                _engines.is_server_ours = False
                _stop_server()

    def _start(self) -> _Worker:
        with _signals_held():
            ours, theirs = self._context.Pipe()
            level = logging.getLogger().getEffectiveLevel()
            process = self._context.Process(
                target=work, args=(theirs, self._memory_mib, level, self._sandbox), daemon=True
            )
            with _bare_main(), _one_thread(), _interrupts_blocked():
                process.start()
            theirs.close()
            worker = _Worker(process, ours)
            self._workers.append(worker)
        log.info("worker process %d started", process.pid)
        return worker

    def _finished(self, worker: _Worker, report: Report) -> Outcome:
        assert worker.task is not None
        outcome = Outcome(worker.task, report.value, report.error, report.crash)
        worker.task = None
        worker.n_done += 1
        self._idle_deaths = 0
        if report.crash or worker.n_done >= self._tasks_per_worker:
            self._workers.remove(worker)
            worker.connection.close()  # it exits by itself
        return outcome

    def _bury(self, worker: _Worker) -> list[Outcome]:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(1.0)
        how = _how_it_ended(worker.process.exitcode)
        log.info("worker process %s ended: %s", worker.process.pid, how)
        self._idle_deaths += worker.n_done == 0
        if self._idle_deaths > MAX_IDLE_DEATHS:
            raise RuntimeError(f"no worker process stays alive (the last one: {how})")
        return [Outcome(worker.task, crash=how)] if worker.task is not None else []


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code == STALLED_EXIT_CODE:
        return "its process made no progress and was stopped"
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"its process died ({signal.Signals(-exit_code).name})"
    return f"its process died (exit code {exit_code})"


@contextlib.contextmanager
def _bare_main() -> Iterator[None]:
    """Prevent new processes from running the user's script again: tasks are named, so they do not need it."""
    real = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = real


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# Decision BAT-8.
@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes with interrupts blocked: an interrupt before they ignore it would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # now, because starting it later would unblock signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Handle an interrupt after the block: a half-started process would wait forever for the rest of its start."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in heard:
            signal.raise_signal(late)


class _Engines(set[ProcessEngine]):
    """The engines of this process that are not closed: the last one stops the fork server that they share."""

    is_server_ours = False


_engines = _Engines()


def stop_workers() -> None:
    """Close every engine of this process, and with them the fork server that they started."""
    for engine in list(_engines):
        engine.close()


def _server_runs() -> bool:
    """Whether the calling program already started the fork server for its own use."""
    return getattr(_server(), "_forkserver_pid", None) is not None


def _stop_server() -> None:
    """Stop the fork server now rather than at exit, so that nothing outlives a command."""
    server = _server()
    with contextlib.suppress(AttributeError, OSError):
        if server._forkserver_pid is not None:
            os.kill(server._forkserver_pid, signal.SIGKILL)  # a normal stop would wait for its last child
            server._stop()


def _server() -> Any:
    from multiprocessing import forkserver

    return forkserver._forkserver
