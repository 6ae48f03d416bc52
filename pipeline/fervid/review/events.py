"""Says to open pages that runs or verdicts came, as server-sent events. Knows no content of a run.

Folders are looked at while a page listens, and at once after a verdict from a page.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from anyio import to_thread

LOOK_SECONDS = 2.0
SHARE_OF_TIME = 0.05
"""Of the time that looking may take: large folders are looked at less often."""
QUIET_SECONDS = 20.0
"""Something is sent at least so often, so that a page that has gone is noticed."""
STEP_SECONDS = 0.25

Stamps = Mapping[str, tuple[int, ...]]


class Events:
    """What changed since a page asked last. Used from one event loop."""

    def __init__(self, stamps: Callable[[], Stamps]) -> None:
        self._stamps = stamps
        self._known: Stamps | None = None
        self._number = 0
        self._changes: dict[str, int] = {}
        self._next_look = 0.0
        self._is_looking = False
        self.is_stopped = False

    def look_soon(self) -> None:
        """Something was changed just now."""
        self._next_look = 0.0

    async def begin(self) -> None:
        """A page is about to read the folders: what changes from now on is news."""
        if self._known is None:
            self._known = await to_thread.run_sync(self._stamps)

    async def stream(self) -> AsyncIterator[str]:
        """Events `changed` with `{runs, left}`: names of new or changed runs, and of those that are gone."""
        yield "retry: 2000\n\n"
        seen, quiet_since = self._number, time.monotonic()
        while not self.is_stopped:
            await self._look()
            if seen != self._number:
                names = [name for name, number in self._changes.items() if number > seen]
                seen = self._number
                yield f"event: changed\ndata: {json.dumps(self._sorted(names))}\n\n"
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_SECONDS:
                yield ": here\n\n"
                quiet_since = time.monotonic()
            await asyncio.sleep(STEP_SECONDS)

    def _sorted(self, names: list[str]) -> dict[str, Any]:
        known = self._known or {}
        return {"runs": [one for one in names if one in known], "left": [one for one in names if one not in known]}

    async def _look(self) -> None:
        """Look at the folders, if it is time and no other page is at it."""
        started = time.monotonic()
        if self._is_looking or started < self._next_look:
            return
        self._is_looking = True
        try:
            found = await to_thread.run_sync(self._stamps)
        finally:
            self._is_looking = False
        spent = time.monotonic() - started
        self._next_look = time.monotonic() + max(LOOK_SECONDS, spent / SHARE_OF_TIME)
        before, self._known = self._known, found
        if before is None:
            return
        changed = [name for name in {**before, **found} if before.get(name) != found.get(name)]
        if changed:
            self._number += 1
            self._changes |= dict.fromkeys(changed, self._number)
