"""Fills large batches from the crops of many threads, for devices that need many faces at a time to be fast.

No call waits for a batch to fill: while the device runs one, the crops of the next are collected. Device-independent.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]


# Decision SCO-4.
class BatchQueue:
    """Gathers the crops of frames, segments and videos into calls of `predict`, made by its own thread.

    `predict` takes crops uint8 (N, S, S), up to `batch_size` of them unless one caller brings more, to logits (N, C).
    """

    def __init__(self, predict: Predict, *, batch_size: int) -> None:
        self._predict, self._batch_size = predict, batch_size
        self._waiting: deque[tuple[np.ndarray, Future[np.ndarray]]] = deque()
        self._has_work = threading.Condition()
        self._is_closed = False
        self.n_calls = 0
        """Calls of `predict` so far."""
        self._thread = threading.Thread(target=self._run, name="fervid batches", daemon=True)
        self._thread.start()

    def submit(self, crops: np.ndarray) -> Future[np.ndarray]:
        """Queue crops uint8 (N, S, S); the future gives their logits, or the error of the batch that they were in."""
        future: Future[np.ndarray] = Future()
        with self._has_work:
            if self._is_closed:
                raise RuntimeError("the batch queue is closed")
            self._waiting.append((crops, future))
            self._has_work.notify()
        return future

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> logits float32 (N, C); blocks. Thread-safe."""
        return self.submit(crops).result()

    def close(self) -> None:
        """Finish the queue, and stop the thread."""
        with self._has_work:
            self._is_closed = True
            self._has_work.notify()
        self._thread.join()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            self.n_calls += 1
            try:
                logits = self._predict(np.concatenate([crops for crops, _ in taken]))
            except BaseException as problem:
                for _, future in taken:
                    future.set_exception(problem)
                continue
            first = 0
            for crops, future in taken:
                future.set_result(logits[first : first + len(crops)])
                first += len(crops)

    def _take(self) -> list[tuple[np.ndarray, Future[np.ndarray]]] | None:
        """The queued items, up to a batch; blocks for the first. None when the queue is closed and empty."""
        with self._has_work:
            while not self._waiting and not self._is_closed:
                self._has_work.wait()
            if not self._waiting:
                return None
            taken = [self._waiting.popleft()]
            n = len(taken[0][0])
            while self._waiting and n + len(self._waiting[0][0]) <= self._batch_size:
                taken.append(self._waiting.popleft())
                n += len(taken[-1][0])
            return taken
