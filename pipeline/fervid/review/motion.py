"""The motion of a run for the page: how agitated it is along the frames, and where, as a coarse grid over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.alerts.find.samples import CAMERA_MOVES, FrameTimes, read_frame_motion
from fervid.alerts.language.rules import GRID_NAME
from fervid.observe.flow_values import GRID
from fervid.overlay.motion import FULL_SPEED
from fervid.review.columns import pack, pack_shares
from fervid.run.handle import Run

LEAST_STEP_SECONDS, MOST_STEPS = 0.4, 10_000
"""Of the slices of time that the page shows the grid in: long runs have longer ones."""


def motion_content(run: Run, frames: FrameTimes) -> dict[str, Any] | None:
    """Agitation and moving camera of each analysed frame, and the grid cell by cell; None without motion."""
    found = read_frame_motion(run, ("agitation", CAMERA_MOVES, GRID_NAME))
    if GRID_NAME not in found:
        return None
    duration = float(run.manifest.video["duration_seconds"])
    step = max(LEAST_STEP_SECONDS, duration / MOST_STEPS)
    n = max(1, int(np.ceil(duration / step)))
    grid = found[GRID_NAME]
    known = ~np.isnan(grid[:, 0])
    slices = np.minimum((frames.seconds[known] / step).astype(int), n - 1)
    cells = np.full((n, grid.shape[1]), np.nan, np.float32)
    np.fmax.at(cells, slices, grid[known].astype(np.float32))
    empty = 1 + np.flatnonzero(np.isnan(cells[1:, 0]))
    cells[empty] = cells[empty - 1]  # one slice that lies between two measurements does not blink
    columns, rows = GRID
    return {
        "agitation": pack_shares(found["agitation"]),
        "moves": pack(found[CAMERA_MOVES] == 1, "u8"),
        "heat": {
            "columns": columns, "rows": rows, "n": n, "step_s": step,
            "cells": pack_shares((cells / FULL_SPEED).T.ravel()),
        },
    }  # fmt: skip
