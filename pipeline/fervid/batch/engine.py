"""The interface of engines, which run the steps of an analysis and report each outcome. Independent of the steps.

Steps are named in `step_table`, so that the scheduling process need not import OpenCV, PyAV or LiteRT.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any, Protocol

from fervid.batch.context import Context
from fervid.batch.step_table import STEPS
from fervid.errors import FervidError, OutputError
from fervid.storage.store_errors import storage_error

CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
"""Errors that would affect every video: the run stops instead of failing each one."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step to run. `arguments` can be pickled; `stall_seconds` without progress is a hang, 0 means no limit.

    `memory_mib` is its expected memory, 0 if unknown; an engine may use it for placement.
    """

    step: str
    arguments: tuple[Any, ...]
    stall_seconds: float = 0.0
    memory_mib: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a task, in seconds of video."""

    task: Task
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended: with a value, with an error, or by losing its process (`crash` describes how)."""

    task: Task
    value: Any = None
    error: Exception | None = None
    crash: str = ""


class Engine(Protocol):
    """Runs tasks, up to `n_workers` at a time. Every task ends in exactly one outcome."""

    n_workers: int

    prefers_few_tasks: bool
    """Whether dispatch is so expensive that a short video is better run as one task."""

    @property
    def n_running(self) -> int:
        """Tasks that are submitted and not finished."""
        ...

    def submit(self, task: Task) -> None:
        """Start a task; only if `n_running` < `n_workers`."""
        ...

    def wait(self) -> list[Progress | Outcome]:
        """Events since the last call; waits briefly, and may return none."""
        ...

    def close(self) -> None:
        """Stop all tasks immediately and release all resources. A second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `run_step`: a value, an error that can be pickled, or how the worker crashed."""

    value: Any = None
    error: Exception | None = None
    crash: str = ""


def run_step(task: Task, context: Context, *, memory_mib: int = 0) -> Report:
    """Run a task here. Errors of fervid are passed on; running out of memory is a crash; others are bugs."""
    try:
        return Report(value=STEPS[task.step](context, *task.arguments))
    except FervidError as error:
        if isinstance(error.__cause__, Exception) and is_out_of_memory(error.__cause__):
            return _out_of_memory(memory_mib)
        return Report(error=error)
    except Exception as error:
        if (store_error := storage_error(error)) is not None:
            return Report(error=store_error)
        if is_out_of_memory(error):
            return _out_of_memory(memory_mib)
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            place = f"{error.filename} cannot be written" if error.filename else "the output cannot be written"
            return Report(
                error=OutputError(f"{place} ({error.strerror or error}). Free some space, or choose another --out.")
            )
        import traceback

        return Report(error=Bug(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _out_of_memory(memory_mib: int) -> Report:
    return Report(crash=f"it needed more than {memory_mib} MiB of memory" if memory_mib else "memory ran out")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, OpenCV, FFmpeg or Arrow means that memory ran out."""
    return (
        isinstance(error, MemoryError)
        or getattr(error, "errno", None) == errno.ENOMEM
        or (type(error).__module__ == "cv2" and "Insufficient memory" in str(error))
        or "bad_alloc" in str(error)
    )


class Bug(Exception):
    """An unexpected error, with its traceback as the second argument."""

    def __str__(self) -> str:
        return str(self.args[0])
