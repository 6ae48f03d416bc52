"""The motion of a run as it is drawn: where the image moves, and how agitated it is. Draws nothing."""

from __future__ import annotations

import numpy as np

from fervid.alerts.find.samples import read_frame_motion, read_frame_times
from fervid.alerts.language.rules import GRID_NAME
from fervid.observe.flow_values import GRID, MOST_SECONDS
from fervid.run.handle import Run
from fervid.run.tables import open_table


def has_motion(run: Run) -> bool:
    """Whether a run measured where its image moves."""
    return GRID_NAME in open_table(run.folder, run.manifest.settings_hash, "frames").schema_arrow.names


class StoredMotion:
    """The motion of a run that measured it: `agitation` of its frames at `seconds`, float64 (F,), and where it is."""

    def __init__(self, run: Run) -> None:
        """Raises InputError when the table of frames cannot be read."""
        found, self.seconds = read_frame_motion(run, ("agitation", GRID_NAME)), read_frame_times(run).seconds
        self.agitation, grid = found["agitation"], found[GRID_NAME]
        known = ~np.isnan(grid[:, 0])
        self._seconds, self._grid = self.seconds[known], grid[known]

    def at(self, seconds: float) -> np.ndarray:
        """The speed of the cells (rows, columns) as last measured; NaN where that is too long ago."""
        columns, rows = GRID
        last = int(np.searchsorted(self._seconds, seconds + 1e-6)) - 1
        if last < 0 or seconds - self._seconds[last] > MOST_SECONDS:
            return np.full((rows, columns), np.nan, np.float16)
        return np.asarray(self._grid[last].reshape(rows, columns))

    def mean(self, start: float, end: float) -> np.ndarray:
        """The mean speed of the cells (rows, columns) from `start` to `end` seconds; NaN where it was not measured."""
        columns, rows = GRID
        own = self._grid[(self._seconds >= start) & (self._seconds <= end)].astype(np.float32)
        return own.mean(axis=0).reshape(rows, columns) if len(own) else np.full((rows, columns), np.nan, np.float32)
