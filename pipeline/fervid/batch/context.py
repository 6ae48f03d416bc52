"""What the worker that runs steps gives them: where to report progress, and what it keeps from one step to the next.

Light: the process that hands out the work reads this too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fervid.emotion import Classifier
    from fervid.observe.observer import Observer

Reading = Callable[[], tuple[float, ...]]
"""How far a step is: seconds of video first; any change of any number counts as progress."""


class Beat:
    """How a step lets whoever runs it see that it goes on. This one looks at nothing."""

    def follow(self, reading: Reading) -> None:
        """Look at `reading` from now on, from any thread, until the step ends."""

    def reach(self, seconds: float) -> None:
        """The step is done with the video up to here."""


class BarBeat(Beat):
    """Moves a progress bar as frames pass."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def reach(self, seconds: float) -> None:
        # Set, not added up: tqdm warns in the user's terminal when rounding carries a sum past the total.
        self._bar.n = min(max(self._bar.n, seconds), self._bar.total)
        self._bar.update(0)


@dataclass(slots=True)
class Context:
    """One for each worker, which runs one step at a time.

    `classifier` scores in place of one of the worker's own: another process runs it. The observer of the video that was
    observed last is kept, since segments of one video come one after the other; its key says which one it is.
    """

    beat: Beat = field(default_factory=Beat)
    classifier: Classifier | None = None
    observer_key: tuple[str, bytes] | None = None
    observer: Observer | None = None

    def observer_for(self, key: tuple[str, bytes], make: Callable[[], Observer]) -> Observer:
        """The observer that was made for `key`; made now where another one, or none, is kept."""
        if self.observer is None or self.observer_key != key:
            self.observer, self.observer_key = make(), key
        return self.observer

    def let_go_of(self, key: tuple[str, bytes]) -> None:
        """Drop the observer of `key`: its detector and its network are not needed any more."""
        if self.observer_key == key:
            self.observer = None
