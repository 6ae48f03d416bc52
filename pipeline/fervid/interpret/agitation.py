"""How agitated the motion of each frame is, and whether the camera moves. The same for files and live views.

Knows no image: it reads the flow statistics of observations. It looks back over one window, never ahead.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from fervid.interpret.agitation_model import AgitationModel, window_features
from fervid.observe.flow_values import GRID, STATISTICS

LEAST_ROWS = 3
"""Frames with statistics that a window needs."""
CAMERA_SPEED, CAMERA_SHARE = 0.02, 0.5
"""A camera moves where so large a share of the image shifts, turns or zooms together, at so many sides per second."""
LEAST_MOVING = 0.25
"""Share of a window's frames with a moving camera from which on nothing is said of the motion before it."""
STEPS = 1000
"""Of the histogram that a quantile is read from."""
LEAST_HISTORY_SECONDS = 30.0
"""Before so much of a camera is known, nothing is said of what is usual."""
N_CELLS = GRID[0] * GRID[1]
_SPEED, _CAMERA, _SHARE = (STATISTICS.index(name) for name in ("speed", "camera_speed", "camera_share"))


@dataclass(frozen=True, slots=True)
class FrameMotion:
    """The motion up to one frame.

    `agitation` 0..1, NaN where it cannot be judged; `camera_moves` None where that is unknown; `speed` is the mean of
    the image in longer sides per second, `grid` float32 (N_CELLS,) that of its cells row by row, both NaN where not
    measured.
    """

    agitation: float
    camera_moves: bool | None
    speed: float
    grid: np.ndarray
    usual: float = float("nan")
    """How unusual that agitation is for the camera, 0..1, as known so far (live views)."""


def moves_with_camera(rows: np.ndarray) -> bool:
    """Whether the camera moves in a window with these flow statistics, float16 (n, N_VALUES)."""
    moves = (rows[:, _CAMERA] > CAMERA_SPEED) & (rows[:, _SHARE] >= CAMERA_SHARE)
    return bool(moves.mean() >= LEAST_MOVING)


# Decision MOT-2.
class MotionJudge:
    """Judges the motion of one video or source from frame to frame."""

    def __init__(self, model: AgitationModel) -> None:
        self._model = model
        self._rows: deque[tuple[float, np.ndarray]] = deque()
        self._agitation = float("nan")
        self._camera_moves: bool | None = None

    def update(self, flow: np.ndarray, seconds: float, *, is_cut: bool = False) -> FrameMotion:
        """`flow` float16 (N_VALUES,) of the next frame, or (0,) where it was not measured."""
        if is_cut:
            self._rows.clear()  # a difference across a cut is not motion
        n_before = len(self._rows)
        while self._rows and self._rows[0][0] <= seconds - self._model.window_seconds + 1e-6:
            self._rows.popleft()
        if len(flow) and not is_cut:
            self._rows.append((seconds, flow))
        if is_cut or len(flow) or len(self._rows) != n_before:
            self._judge()
        if not len(flow) or is_cut:
            return FrameMotion(self._agitation, self._camera_moves, float("nan"), np.full(N_CELLS, np.nan, np.float32))
        grid = flow[len(STATISTICS) :].astype(np.float32)
        return FrameMotion(self._agitation, self._camera_moves, float(flow[_SPEED]), grid)

    def _judge(self) -> None:
        self._agitation, self._camera_moves = float("nan"), None
        if len(self._rows) < LEAST_ROWS:
            return
        rows = np.stack([row for _, row in self._rows])
        self._camera_moves = moves_with_camera(rows)
        if not self._camera_moves:
            self._agitation = float(self._model.score(window_features(rows)))


class Usual:
    """How agitation ranks among that of one camera so far: the share of its time that was less agitated."""

    def __init__(self) -> None:
        self._seconds = np.zeros(STEPS)

    @property
    def seconds(self) -> float:
        """For how long the agitation of the camera is known."""
        return float(self._seconds.sum())

    def add(self, agitation: np.ndarray, seconds: np.ndarray) -> None:
        """Take agitation (n,) that lasted so many `seconds` (n,); NaN is left out."""
        known = ~np.isnan(agitation) & (seconds > 0)
        self._seconds += np.bincount(_step(agitation[known]), seconds[known], STEPS)

    def rank(self, agitation: np.ndarray) -> np.ndarray:
        """The quantile 0..1 of each, float64 (n,); NaN where it is NaN, or where too little is known of the camera."""
        total = self.seconds
        ranks = np.full(len(agitation), np.nan)
        known = ~np.isnan(agitation)
        if total >= LEAST_HISTORY_SECONDS:
            below = np.cumsum(self._seconds) - self._seconds / 2
            ranks[known] = below[_step(agitation[known])] / total
        return ranks


def _step(agitation: np.ndarray) -> np.ndarray:
    return np.clip((agitation * STEPS).astype(np.intp), 0, STEPS - 1)


@dataclass(frozen=True, slots=True)
class Motion:
    """The motion of m frames, NaN where unknown: `agitation`, `usual`, `camera_moves` and `speed` float64 (m,), `grid`.

    `grid` float32 (m, N_CELLS) is the mean speed of each cell, row by row.
    """

    agitation: np.ndarray
    usual: np.ndarray
    camera_moves: np.ndarray
    speed: np.ndarray
    grid: np.ndarray


def judge_motion(
    flows: list[np.ndarray], times: np.ndarray, is_cut: np.ndarray, seconds: np.ndarray, model: AgitationModel
) -> Motion:
    """The motion of all frames of a video, whose flow statistics are `flows`, and that last so many `seconds` each."""
    judge = MotionJudge(model)
    found = [
        judge.update(flow, time, is_cut=cut)
        for flow, time, cut in zip(flows, times.tolist(), is_cut.tolist(), strict=True)
    ]
    agitation = np.array([each.agitation for each in found], float)
    usual = Usual()
    usual.add(agitation, seconds)
    return Motion(
        agitation,
        usual.rank(agitation),
        np.array([np.nan if each.camera_moves is None else each.camera_moves for each in found], float),
        np.array([each.speed for each in found], float),
        np.array([each.grid for each in found], np.float32).reshape(-1, N_CELLS),
    )
