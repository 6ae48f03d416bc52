"""What an engine is: it runs the steps of an analysis somewhere and says how each ended. Knows no step's meaning.

A step is named in `step_table`: the process that asks for it need not import what it needs (OpenCV, PyAV, LiteRT).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any, Protocol

from fervid.batch.context import Context
from fervid.batch.step_table import STEPS
from fervid.errors import FervidError, OutputError
from fervid.storage.trouble import storage_error

CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
"""Errors that the next video would meet too: the run stops instead of failing every one of them."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step to run. `arguments` can be pickled; `stall_seconds` without progress is a hang, 0 sets no limit.

    `memory_mib` is what it is expected to need, 0 where nothing is known; an engine may place it by that.
    """

    step: str
    arguments: tuple[Any, ...]
    stall_seconds: float = 0.0
    memory_mib: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A task is so many seconds of video further on."""

    task: Task
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended: with a value, with an error of its own, or by losing its process (`crash` says how)."""

    task: Task
    value: Any = None
    error: Exception | None = None
    crash: str = ""


class Engine(Protocol):
    """Runs tasks, up to `n_workers` at a time. Every task ends in exactly one outcome, whatever happens to it."""

    n_workers: int

    prefers_few_tasks: bool
    """Whether handing a task over takes so long that the steps of a short video are better run by one."""

    @property
    def n_running(self) -> int:
        """Tasks that were submitted and have not ended."""
        ...

    def submit(self, task: Task) -> None:
        """Start a task; only where `n_running` < `n_workers`."""
        ...

    def wait(self) -> list[Progress | Outcome]:
        """What happened since the last call; waits a moment for it, and may return nothing."""
        ...

    def close(self) -> None:
        """Stop whatever still runs, at once, and let go of everything. A second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What `run_step` gives back: a value, an error that can be pickled, or how the step lost its footing."""

    value: Any = None
    error: Exception | None = None
    crash: str = ""


def run_step(task: Task, context: Context, *, memory_mib: int = 0) -> Report:
    """Run a task here. Errors of the project pass as they are; running out of memory is a crash; others are bugs."""
    try:
        return Report(value=STEPS[task.step](context, *task.arguments))
    except FervidError as error:
        if isinstance(error.__cause__, Exception) and is_out_of_memory(error.__cause__):
            return _out_of_memory(memory_mib)
        return Report(error=error)
    except Exception as error:
        if (trouble := storage_error(error)) is not None:
            return Report(error=trouble)
        if is_out_of_memory(error):
            return _out_of_memory(memory_mib)
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            place = f"{error.filename} cannot be written" if error.filename else "the output cannot be written"
            return Report(
                error=OutputError(f"{place} ({error.strerror or error}). Make room, or choose another --out.")
            )
        import traceback

        return Report(error=Bug(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _out_of_memory(memory_mib: int) -> Report:
    return Report(crash=f"it needed more than {memory_mib} MiB of memory" if memory_mib else "memory ran out")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, OpenCV, FFmpeg or Arrow says that memory could not be had."""
    return (
        isinstance(error, MemoryError)
        or getattr(error, "errno", None) == errno.ENOMEM
        or (type(error).__module__ == "cv2" and "Insufficient memory" in str(error))
        or "bad_alloc" in str(error)
    )


class Bug(Exception):
    """An error that no one foresaw, with the traceback of where it arose as its second argument."""

    def __str__(self) -> str:
        return str(self.args[0])
