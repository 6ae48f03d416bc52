"""A one-item buffer between the camera and the analysis. Knows nothing of frames."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


# Decision LIV-1.
class NewestSlot(Generic[Item]):
    """Room for one item. A newer one replaces it and is counted as a drop, or waits for room where nothing may be lost.

    After `close` what waits can still be taken; then the slot is empty for good.
    """

    def __init__(self, *, keeps_all: bool = False) -> None:
        self._keeps_all = keeps_all
        self._item: Item | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._problem: BaseException | None = None
        self.dropped = 0
        """Items replaced before they were taken."""

    def put(self, item: Item) -> bool:
        """Leave an item; False once the slot is closed."""
        with self._changed:
            while self._keeps_all and self._item is not None and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return False
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()
        return True

    def take(self, timeout_seconds: float) -> Item | None:
        """The item, waited for so long; None when none came. Raises what the slot was closed with, after the last."""
        with self._changed:
            if self._item is None and not self._is_closed:
                self._changed.wait(timeout_seconds)
            item, self._item = self._item, None
            if item is None and self._problem is not None:
                problem, self._problem = self._problem, None
                raise problem
            self._changed.notify_all()
            return item

    def close(self, problem: BaseException | None = None) -> None:
        """No more items will come."""
        with self._changed:
            self._is_closed, self._problem = True, problem
            self._changed.notify_all()

    @property
    def is_empty_for_good(self) -> bool:
        """Whether nothing waits and nothing will come, not even the problem that it was closed with."""
        with self._changed:
            return self._is_closed and self._item is None and self._problem is None
