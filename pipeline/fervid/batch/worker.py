"""A worker process: takes tasks from a pipe, runs them, sends back the outcomes. Independent of the steps.

It must not outlive its parent, exhaust memory, or hang unnoticed. The limits also work while C code runs: the kernel
kills the process when its parent dies, and a faulthandler thread, which needs no interpreter, detects stalls.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from multiprocessing.connection import Connection
from typing import Any

from fervid.base.log import start_logging
from fervid.batch.context import Context, Heartbeat, Reading
from fervid.batch.engine import Report, Task, run_step
from fervid.batch.sandbox import Sandbox, confine

log = logging.getLogger(__name__)

STALLED_EXIT_CODE = 1
"""The exit code of faulthandler; nothing else here uses it."""

BROKEN_EXIT_CODE = 70
LOOK_EVERY_SECONDS = 1.0
M_ARENA_MAX = -8
PR_SET_PDEATHSIG = 1
MIB = 1 << 20
UNUSED_MODULES = frozenset(("pandas", "pyarrow._s3fs", "pyarrow._gcsfs", "pyarrow._azurefs", "pyarrow._hdfs"))
"""pandas takes 0.4 CPU seconds, and Arrow asks it only about data frames; Arrow's stores take 4 MiB."""


# Decision BAT-3.
class Watchdog(Heartbeat):
    """Ends this process when a task makes no progress; calls `send` with the progress once per second.

    `sending` is locked while it sends; other users of the channel must lock it as well.
    """

    def __init__(self, send: Callable[[float], None], sending: threading.Lock | None = None) -> None:
        self._send, self._sending = send, sending or threading.Lock()
        self._is_closed = False
        self._reading: Reading | None = None
        self._limit_seconds = 0.0
        self._silence = open(os.devnull, "w") if not os.environ.get("FERVID_DEBUG") else sys.stderr  # noqa: SIM115
        threading.Thread(target=self._look, daemon=True).start()

    def follow(self, reading: Reading) -> None:
        self._reading = reading

    def begin(self, stall_seconds: float) -> None:
        self._limit_seconds = stall_seconds
        self._arm()

    def end(self) -> None:
        self._reading = None
        self._limit_seconds = 0.0
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Stop watching; its thread ends soon."""
        with self._sending:
            self._is_closed = True
            self.end()
            if self._silence is not sys.stderr:
                self._silence.close()

    def _arm(self) -> None:
        if self._limit_seconds:
            faulthandler.dump_traceback_later(self._limit_seconds, exit=True, file=self._silence)

    def _look(self) -> None:
        wake = threading.Event()
        last: tuple[float, ...] = (0.0,)
        while not self._is_closed:
            wake.wait(LOOK_EVERY_SECONDS)
            reading = self._reading
            now = reading() if reading else last
            if now == last:
                continue
            last = now
            with self._sending:
                if self._reading is not reading:
                    continue  # the task ended meanwhile
                self._arm()
                with contextlib.suppress(OSError):
                    self._send(now[0])


def work(
    connection: Connection, memory_mib: int, log_level: int = logging.WARNING, sandbox: Sandbox | None = None
) -> None:
    """Run tasks until the pipe is closed. Started in a process of its own."""
    start_logging(log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sandbox is not None:
        log.info("sandbox: %s", ", ".join(confine(sandbox)) or "none")  # before any thread, which would not be in it
    _share_one_arena()
    _die_with_parent()
    _cap_memory(memory_mib)
    _leave_out_unused()
    sending = threading.Lock()
    watchdog = Watchdog(connection.send, sending)
    context = Context(watchdog)
    while True:
        try:
            task: Task = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        watchdog.begin(task.stall_seconds)
        report = run_step(task, context, memory_mib=memory_mib)
        with sending:
            watchdog.end()
            _send(connection, report)
        if report.crash:
            os._exit(BROKEN_EXIT_CODE)  # after a failed allocation the process state is unreliable


class _Unused(MetaPathFinder):
    """Blocks modules that Arrow imports where they are there, and that have no work here."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if name in UNUSED_MODULES:
            raise ModuleNotFoundError(f"{name} is not used in worker processes", name=name)


def _leave_out_unused() -> None:
    if not any(isinstance(finder, _Unused) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Unused())


def _send(connection: Connection, report: Report) -> None:
    try:
        connection.send(report)
    except OSError:
        os._exit(0)  # the parent is gone
    except Exception as problem:  # an error that cannot be pickled
        connection.send(Report(error=RuntimeError(f"{type(report.error).__name__}: {report.error} ({problem})")))


def _share_one_arena() -> None:
    """Let all threads allocate from one arena, where the C library has more (glibc). Called before any thread starts.

    An arena per thread retains the memory that its thread freed, about 25 MiB at 1080p, and is not faster.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _die_with_parent() -> None:
    """Also when the parent is killed: by the kernel on Linux, else by a thread that waits for the parent's end."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(BROKEN_EXIT_CODE)

    threading.Thread(target=follow, daemon=True).start()


def _cap_memory(memory_mib: int) -> None:
    """Limit the memory that this process may write to, where the system can (Linux); threads' stacks count little."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


# Decision BAT-2.
def preload() -> None:
    """Import what every task needs, once for all workers. The first task that needs a missing module reports it."""
    modules = (
        "fervid.batch.whole",
        "fervid.emotion.litert",
        "fervid.detect.haar",
        "ctypes",
        "platform",
        "resource",
    )
    from importlib import import_module

    _leave_out_unused()
    for name in modules:
        with contextlib.suppress(Exception):
            import_module(name)
    with contextlib.suppress(Exception), _without_chatter():
        import_module("ai_edge_litert.interpreter")


def _without_chatter() -> Any:
    from fervid.runtime.backend import quiet

    return quiet()
