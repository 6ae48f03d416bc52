"""Compare the frames that a clip shows with those that the run analysed in the same stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fervid.base.printable import counted
from fervid.run.handle import Run
from fervid.run.tables import read_table

SAME_TIME_SECONDS = 2e-3


class Shown:
    """The times of the frames that were written, and what is missing among them."""

    def __init__(self, run: Run, start_seconds: float, end_seconds: float) -> None:
        table = read_table(run.folder, run.manifest.settings_hash, "frames", ["time_s", "status"])
        times = table["time_s"].to_numpy()
        is_sound = np.array([status != "corrupt" for status in table["status"].to_pylist()], bool)
        self._expected = times[is_sound & (times >= start_seconds) & (times < end_seconds)]
        self._start, self._end = start_seconds, end_seconds
        self.seconds: list[float] = []
        """Times of the frames written so far, in order."""

    def missing(self) -> np.ndarray:
        """Times of analysed frames that were not shown, float64 (M,)."""
        shown: Sequence[float] | np.ndarray = np.array(self.seconds)
        if not len(shown):
            return np.asarray(self._expected)
        after = np.searchsorted(shown, self._expected - SAME_TIME_SECONDS)
        nearest = np.asarray(shown)[np.minimum(after, len(shown) - 1)]
        return np.asarray(self._expected[np.abs(nearest - self._expected) > SAME_TIME_SECONDS])

    def about(self) -> dict[str, Any]:
        """The asked stretch, what was written of it, and how many analysed frames are missing, for JSON."""
        return {
            "clip_frames": len(self.seconds),
            "clip_first_s": self.seconds[0] if self.seconds else None,
            "clip_last_s": self.seconds[-1] if self.seconds else None,
            "clip_missing_frames": len(self.missing()),
        }

    def shortfall(self, what: str) -> str:
        """What is missing of `what`, in words; empty where nothing is."""
        missing = self.missing()
        if not len(missing):
            return ""
        written = f"{counted(len(self.seconds), 'frame')} from {self.seconds[0]:.2f} to {self.seconds[-1]:.2f} s"
        return (
            f"{what} is incomplete: of {self._start:.2f} to {self._end:.2f} s it has {written}; {len(missing)} of "
            f"{len(self._expected)} analysed frames, the first at {missing[0]:.2f} s, could not be read again. "
            "Check that the video is the one that was analysed."
        )
