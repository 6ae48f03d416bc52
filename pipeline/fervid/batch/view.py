"""The line that a terminal shows while videos are analysed. Knows no process."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm

from fervid.batch.result import CRASHED, REJECTED, Result
from fervid.batch.schedule import Listener
from fervid.job import Observed, Planned, VideoJob
from fervid.log import one_line

ONE_VIDEO = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of video [{elapsed}<{remaining}]"
MANY_VIDEOS = "{n_fmt}/{total_fmt} videos|{bar}| [{elapsed}<{remaining}{postfix}]"


class View(Listener):
    """One video: how far it is. Several: videos done, times real time, faces a second, time left, failures so far.

    Nothing is shown before `begin`; what was counted until then was there before, and says nothing of the speed.
    """

    def __init__(self, n_videos: int, *, is_shown: bool) -> None:
        self._n_videos, self._is_shown, self._is_single = n_videos, is_shown, n_videos == 1
        self._begun = time.monotonic()
        self._seconds = 0.0
        self._n_ended = 0
        self._partial: dict[tuple[str, int], float] = {}
        self._n_faces = self._n_failed = 0
        self._bar: Any = tqdm(disable=True)

    def begin(self) -> None:
        """Show the line from now on, if it is to be shown."""
        self._begun = time.monotonic()
        form = ONE_VIDEO if self._is_single else MANY_VIDEOS
        total = 1.0 if self._is_single else self._n_videos
        n_before = 0 if self._is_single else self._n_ended
        self._bar = tqdm(total=total, initial=n_before, disable=not self._is_shown, leave=False, bar_format=form)

    def planned(self, job: VideoJob, planned: Planned) -> None:
        if self._is_single:
            self._bar.total = max(planned.duration_seconds, 1e-3)
            self._bar.set_description_str(one_line(job.path.name), refresh=False)
            reused = set(range(len(planned.segment_seconds))) - set(planned.to_observe)
            self._seconds = sum(planned.segment_seconds[i] for i in reused)
            self._show()

    def reached(self, job: VideoJob, segment: int, seconds: float) -> None:
        self._partial[job.video_id, segment] = seconds
        self._show()

    def observed(self, job: VideoJob, segment: int, observed: Observed) -> None:
        self._partial.pop((job.video_id, segment), None)
        self._seconds += observed.video_seconds
        self._n_faces += observed.n_faces
        self._show()

    def ended(self, job: VideoJob, result: Result) -> None:  # noqa: ARG002
        self.count(result)

    def count(self, result: Result) -> None:
        """A video has its result."""
        self._n_ended += 1
        self._n_failed += result.status in (REJECTED, CRASHED)
        if not self._is_single:
            self._bar.update(1)

    def clear(self) -> None:
        """Make room for something else on the terminal."""
        self._bar.clear()

    def close(self) -> None:
        """Remove the line."""
        self._bar.close()

    def _show(self) -> None:
        seconds = self._seconds + sum(self._partial.values())
        if self._is_single:
            # Set, not added up: tqdm warns in the terminal when rounding carries a sum past the total.
            self._bar.n = min(seconds, self._bar.total)
        else:
            wall = max(1e-3, time.monotonic() - self._begun)
            failed = f", {self._n_failed} failed" if self._n_failed else ""
            text = f"{seconds / wall:.1f}x real time, {self._n_faces / wall:.0f} faces/s{failed}"
            self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(0)
