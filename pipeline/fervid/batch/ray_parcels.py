"""Serialises tasks for the nodes of a Ray cluster, and their reports. Independent of steps and scheduling.

Ray passes bytes unchanged, but serialises every other argument with a pickler written in Python. So arguments are
pickled here, once for all tasks in flight that share them; large ones go into the object store once, and each node
fetches them once.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fervid.batch.engine import Report, Task

INLINE_BYTES = 64 * 1024
"""Larger arguments go into the object store: Ray would copy them into every task."""


@dataclass(slots=True)
class _Parcel:
    content: Any
    argument: Any
    """Referenced, so that its id is not reused meanwhile."""
    n_users: int = 0


# Decision CLU-2.
class Parcels:
    """The arguments of the tasks in flight. `put` stores bytes in the object store and returns a reference."""

    def __init__(self, put: Callable[[bytes], Any]) -> None:
        self._put = put
        self._parcels: dict[int, _Parcel] = {}

    def __len__(self) -> int:
        return len(self._parcels)

    def pack(self, task: Task) -> tuple[bytes, list[Any]]:
        """A task's head, and its serialised arguments; `release` is called when the task has ended."""
        head = (task.step, task.stall_seconds, task.memory_mib, [isinstance(one, bytes) for one in task.arguments])
        return pickle.dumps(head), [self._parcel(argument) for argument in task.arguments]

    def release(self, task: Task) -> None:
        """Drop arguments that no other task in flight uses."""
        for argument in task.arguments:
            parcel = self._parcels[id(argument)]
            parcel.n_users -= 1
            if not parcel.n_users:
                del self._parcels[id(argument)]

    def _parcel(self, argument: Any) -> Any:
        parcel = self._parcels.get(id(argument))
        if parcel is None:
            content = argument if isinstance(argument, bytes) else pickle.dumps(argument)
            parcel = _Parcel(self._put(content) if len(content) > INLINE_BYTES else content, argument)
            self._parcels[id(argument)] = parcel
        parcel.n_users += 1
        return parcel.content


def unpack_task(head: bytes, contents: tuple[bytes, ...]) -> Task:
    """The task that was packed; the bytes come only from the scheduling process."""
    step, stall_seconds, memory_mib, are_bytes = pickle.loads(head)
    arguments = (
        content if is_bytes else pickle.loads(content) for content, is_bytes in zip(contents, are_bytes, strict=True)
    )
    return Task(step, tuple(arguments), stall_seconds, memory_mib)


def pack_report(report: Report) -> bytes:
    """A report as bytes; an error that cannot be pickled is replaced by a description."""
    try:
        return pickle.dumps(report)
    except Exception as problem:
        return pickle.dumps(Report(error=RuntimeError(f"{type(report.error).__name__}: {report.error} ({problem})")))


def unpack_report(content: bytes) -> Report:
    """The report that was packed."""
    report: Report = pickle.loads(content)
    return report
