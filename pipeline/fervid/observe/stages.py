"""Measures the busy time of each of several chained streams. Independent of the stages."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

WAITING = None
"""Time that a stage waits for another thread is not counted."""


class StageClock:
    """Charges wall time to the innermost stage at work in its thread. `seconds` holds the sum of each stage."""

    def __init__(self, stages: Iterable[str]) -> None:
        self.seconds = dict.fromkeys(stages, 0.0)
        self._own = threading.local()

    def timed(self, items: Iterator[T], stage: str | None) -> Generator[T, None, None]:
        """Pass items on; charge the time that `items` itself took, less what its own sources were charged, to `stage`.

        A stage runs in one thread at a time, so no two threads add to one sum at once. Closing the stream closes
        `items`.
        """
        try:
            while True:
                before = getattr(self._own, "charged", 0.0)
                started = perf_counter()
                try:
                    item = next(items)
                except StopIteration:
                    return
                finally:
                    elapsed = perf_counter() - started
                    inner = getattr(self._own, "charged", 0.0) - before
                    self._own.charged = before + elapsed
                    if stage is not None:
                        self.seconds[stage] += elapsed - inner
                yield item
                del item  # a large item is released before the next one is made
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
