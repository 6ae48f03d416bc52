"""The progress line in a terminal. Knows nothing of processes."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm

from fervid.base.printable import one_line
from fervid.base.progress import SECONDS_OF_VIDEO, make_bar
from fervid.batch.job import Observed, Planned, VideoJob
from fervid.batch.result import CRASHED, REJECTED, Result
from fervid.batch.schedule import Listener


class View(Listener):
    """Shows how much is analysed and the time left; for several videos also their number, speed and failures.

    Unopened videos are assumed to have the mean length of the others.
    Nothing is shown before `begin`; results counted until then are cached ones and are excluded from the speed.
    """

    def __init__(self, n_videos: int, *, is_shown: bool) -> None:
        self._n_videos, self._is_shown, self._is_single = n_videos, is_shown, n_videos == 1
        self._begun = time.monotonic()
        self._seconds = 0.0
        self._n_ended = self._n_before = self._n_never_opened = 0
        self._lengths: dict[str, float] = {}
        self._partial: dict[tuple[str, int], float] = {}
        self._n_failed = 0
        self._bar: Any = tqdm(disable=True)

    def begin(self) -> None:
        """Show the line from now on, if enabled."""
        self._begun, self._n_before = time.monotonic(), self._n_ended
        self._bar = make_bar(1.0, counts=SECONDS_OF_VIDEO, is_shown=self._is_shown)

    def planned(self, job: VideoJob, planned: Planned) -> None:
        self._lengths[job.video_id] = max(sum(planned.segment_seconds), 1e-3)
        reused = set(range(len(planned.segment_seconds))) - set(planned.to_observe)
        self._seconds += sum(planned.segment_seconds[i] for i in reused)
        self._show(job)

    def reached(self, job: VideoJob, segment: int, seconds: float) -> None:
        self._partial[job.video_id, segment] = seconds
        self._show(job)

    def observed(self, job: VideoJob, segment: int, observed: Observed) -> None:
        self._partial.pop((job.video_id, segment), None)
        self._seconds += observed.video_seconds
        self._show(job)

    def ended(self, job: VideoJob, result: Result) -> None:
        self._n_never_opened += job.video_id not in self._lengths
        self.count(result)

    def count(self, result: Result) -> None:
        """A video has its result."""
        self._n_ended += 1
        self._n_failed += result.status in (REJECTED, CRASHED)
        self._describe_counts()

    def clear(self) -> None:
        """Clear the line for other output."""
        self._bar.clear()

    def close(self) -> None:
        """Remove the line."""
        self._bar.close()

    def _show(self, job: VideoJob) -> None:
        seconds = self._seconds + sum(self._partial.values())
        n_to_open = self._n_videos - self._n_before - self._n_never_opened
        expected = sum(self._lengths.values()) * max(1.0, n_to_open / max(1, len(self._lengths)))
        self._bar.set_description_str(one_line(job.path.name), refresh=False)
        self._bar.total = max(expected, seconds)
        # Set, not incremented: tqdm warns when rounding carries a sum past the total.
        self._bar.n = seconds
        self._describe_counts()
        self._bar.update(0)

    def _describe_counts(self) -> None:
        if self._is_single or not self._lengths:
            return
        seconds = self._seconds + sum(self._partial.values())
        wall = max(1e-3, time.monotonic() - self._begun)
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        text = f"{self._n_ended} of {self._n_videos} videos, {seconds / wall:.1f}x real time{failed}"
        self._bar.set_postfix_str(text, refresh=False)
