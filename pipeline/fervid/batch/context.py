"""The context that a worker gives its steps: progress reporting, and objects kept between steps.

Imports little: the scheduling process uses this module too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fervid.emotion import Classifier
    from fervid.observe.observer import Observer

Reading = Callable[[], tuple[float, ...]]
"""Reads the progress of a step: seconds of video first; any change of any number counts as progress."""


class Heartbeat:
    """Reports the progress of a step to its runner. This one does nothing."""

    def follow(self, reading: Reading) -> None:
        """Poll `reading` from now on, from any thread, until the step ends."""

    def reach(self, seconds: float) -> None:
        """The step has processed the video up to here."""


class BarHeartbeat(Heartbeat):
    """Updates a progress bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def reach(self, seconds: float) -> None:
        # Set, not incremented: tqdm warns when rounding carries a sum past the total.
        self._bar.n = min(max(self._bar.n, seconds), self._bar.total)
        self._bar.update(0)


@dataclass(slots=True)
class Context:
    """One per worker, which runs one step at a time.

    `classifier` replaces the worker's own classifier and runs in another process. The observer of the last video is
    kept, since segments of one video follow each other; its key identifies it.
    """

    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    classifier: Classifier | None = None
    observer_key: tuple[str, bytes] | None = None
    observer: Observer | None = None

    def observer_for(self, key: tuple[str, bytes], make: Callable[[], Observer]) -> Observer:
        """The observer for `key`; made now unless it is the one kept."""
        if self.observer is None or self.observer_key != key:
            self.observer, self.observer_key = make(), key
        return self.observer

    def let_go_of(self, key: tuple[str, bytes]) -> None:
        """Drop the observer of `key`, with its detector and network."""
        if self.observer_key == key:
            self.observer = None
