"""Stills for the lists of the page, made in the background: whoever asks is answered at once, ready or not.

At most WORKERS threads make stills, the ones asked for last first; what nobody asked for again is not made. Until then
there is a sketch: the few gray pixels that the analysis stored of the moment, with faces as one block.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.errors import FervidError
from fervid.observe.observations import thumbnail_near
from fervid.review.columns import plain_bytes
from fervid.review.preview import MILLISECONDS, Previews, moment_to_show
from fervid.run.bad_values import BAD_VALUES
from fervid.run.files import OBSERVATIONS
from fervid.run.handle import Run, open_run

WORKERS = 2
FORGOTTEN_SECONDS = 6.0
"""A page asks again while a still is in view."""
TRIED_AGAIN_SECONDS = 120.0
LOW_PRIORITY = 5
NAME = re.compile(r"([0-9a-f]{1,32})(?:@(\d{1,12}))?")
"""A run's name in addresses, and milliseconds; without those the run's thumbnail."""
SIDES = ("width", "height")
MARGIN = 0.15
"""Of a face that is covered in a sketch, at each side."""
READY, WAITING, NONE = "ready", "waiting", "none"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Still:
    """A still of a run; `milliseconds` None is the run's thumbnail."""

    run: str
    milliseconds: int | None = None

    @classmethod
    def named(cls, name: str) -> Still | None:
        """The still of a name; None for what is no name."""
        found = NAME.fullmatch(name)
        return found and cls(found[1], None if found[2] is None else int(found[2]))


# Decision REV-7.
class Pictures:
    """Stills by name. `run_of` gives a run whose video is there, `folder_of` the folder of a run; both may raise."""

    def __init__(
        self, makers: Sequence[Previews], run_of: Callable[[str], Run], folder_of: Callable[[str], Path]
    ) -> None:
        self._makers, self._run_of, self._folder_of = makers, run_of, folder_of
        self._wanted: dict[Still, tuple[float, int]] = {}
        self._failed: dict[Still, float] = {}
        self._making: set[Still] = set()
        self._change = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._is_stopped = False

    def ask(self, names: Sequence[str]) -> dict[str, str]:
        """By name whether a still is ready, waiting or cannot be made. The first ones are made first."""
        states, waiting = {}, []
        for name in names:
            still = Still.named(name)
            states[name] = NONE if still is None else self._state(still)
            if still is not None and states[name] == WAITING:
                waiting.append(still)
        if waiting:
            self._want(waiting)
        return states

    def file(self, still: Still) -> Path | None:
        """The file of a still, if it is there. Raises UnknownRun."""
        folder = self._folder_of(still.run)
        path = self._makers[0].still_place(folder, still.milliseconds)
        return path if path.is_file() else None

    # Decision REV-10.
    def sketches(self, names: Sequence[str]) -> dict[str, str]:
        """By name what a run's observations have of a moment, until there is a still: 32 x 18 gray pixels, base64."""
        found = {}
        for name in names:
            still = Still.named(name)
            try:
                pixels = None if still is None else self._sketch(still)
            except (FervidError, OSError, *BAD_VALUES):
                continue
            if pixels is not None:
                found[name] = plain_bytes(pixels)
        return found

    def _sketch(self, still: Still) -> np.ndarray | None:
        run = open_run(self._folder_of(still.run))
        seconds = moment_to_show(run) if still.milliseconds is None else still.milliseconds / MILLISECONDS
        found = thumbnail_near(sorted((run.folder / OBSERVATIONS).glob("*.parquet")), seconds)
        if found is None:
            return None
        pixels, boxes = found[0].copy(), found[1]
        height, width = pixels.shape
        scale = np.array([width, height] * 2) / np.array([run.manifest.video[f"{name}_px"] for name in SIDES] * 2)
        for left, top, right, bottom in boxes * scale:
            x, y = MARGIN * (right - left), MARGIN * (bottom - top)
            face = pixels[max(0, int(top - y)) : int(bottom + y) + 1, max(0, int(left - x)) : int(right + x) + 1]
            if face.size:
                face[:] = int(face.mean())
        return pixels

    def stop(self) -> None:
        """Give up what is being made."""
        with self._change:
            self._is_stopped = True
            self._change.notify_all()
        for maker in self._makers:
            maker.stop()

    def _state(self, still: Still) -> str:
        try:
            if self.file(still) is not None:
                return READY
        except KeyError:
            return NONE
        failed = self._failed.get(still)
        return WAITING if failed is None or time.monotonic() - failed > TRIED_AGAIN_SECONDS else NONE

    def _want(self, stills: Sequence[Still]) -> None:
        with self._change:
            now = time.monotonic()
            self._wanted |= {still: (now, -rank) for rank, still in enumerate(stills) if still not in self._making}
            while len(self._threads) < min(len(self._makers), WORKERS) and not self._is_stopped:
                thread = threading.Thread(target=self._work, args=(self._makers[len(self._threads)],), daemon=True)
                self._threads.append(thread)
                thread.start()
            self._change.notify_all()

    def _next(self) -> Still | None:
        """The still to make now; waits for one. None when it is time to stop."""
        with self._change:
            while not self._is_stopped:
                oldest = time.monotonic() - FORGOTTEN_SECONDS
                self._wanted = {still: asked for still, asked in self._wanted.items() if asked[0] >= oldest}
                if self._wanted:
                    still = max(self._wanted, key=lambda one: self._wanted[one])
                    del self._wanted[still]
                    self._making.add(still)
                    return still
                self._change.wait()
        return None

    def _work(self, maker: Previews) -> None:
        step_back()
        while (still := self._next()) is not None:
            try:
                run = self._run_of(still.run)
                if still.milliseconds is None:
                    maker.thumbnail(run)
                else:
                    maker.still(run, still.milliseconds)
            except (FervidError, OSError, EOFError, *BAD_VALUES) as problem:  # EOFError: workers are being ended
                log.info("no still of %s: %s", still.run, problem)
                self._failed[still] = time.monotonic()
            finally:
                with self._change:
                    self._making.discard(still)
        maker.close()


def step_back() -> None:
    """Lower the priority of this thread, where the system has one for each."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)
