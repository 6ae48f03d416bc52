"""Descriptions of videos that do not exist, for tests of code that only plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.types import VideoInfo
from fervid.video.probe import PacketPlan


def paper_info(**changes: Any) -> VideoInfo:
    """A video of 100 s at 25 frames per second on a clock of milliseconds, with `changes`."""
    info = VideoInfo(
        path=Path("paper.mp4"),
        width_px=320,
        height_px=240,
        average_frame_rate=25.0,
        is_variable_rate=False,
        duration_seconds=100.0,
        start_time_seconds=0.0,
        time_base=Fraction(1, 1000),
        codec="h264",
        container="mp4",
        rotation_degrees=0,
        sample_aspect_ratio=Fraction(1),
        time_source="pts",
    )
    return replace(info, **changes)


def paper_plan(pts: Sequence[int] | np.ndarray, keys: Sequence[int], *, is_splittable: bool = True) -> PacketPlan:
    """The packets of a video with frames at `pts`, those at `keys` being key frames."""
    times = np.asarray(pts, np.int64)
    return PacketPlan(
        pts=times,
        end_pts=int(times[-1]) + 40 if len(times) else 0,
        keyframe_pts=np.asarray(keys, np.int64),
        n_packets=len(times),
        has_times=bool(len(times)),
        has_own_times=bool(len(times)),
        is_splittable=is_splittable,
        closed_pts=np.asarray(keys, np.int64),
    )
