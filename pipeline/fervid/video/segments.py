"""Cut a video's timeline into segments at key frames, and its frames into sampling slots. Decodes nothing."""

from __future__ import annotations

import math

import numpy as np

from fervid.base.types import Segment, VideoInfo
from fervid.video.probe import PacketPlan
from fervid.video.sampling import SLOT_EPSILON, Sampling

NO_SLOT = -(1 << 62)
"""Before every slot: a first frame is always sampled, even one before the container's start time."""


def plan_segments(
    video_id: str,
    info: VideoInfo,
    plan: PacketPlan,
    *,
    segment_seconds: float,
    fps: float,
    every: int | None = None,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
) -> list[Segment]:
    """The segments of a video that overlap [start_seconds, end_seconds).

    A segment begins at the first key frame at or after each multiple of `segment_seconds` on the video's own timeline,
    whatever part of it is asked for. A file that cannot be split safely is one segment.
    """
    starts: list[int | None] = [None]
    if plan.is_splittable:
        # Start times are in whole microseconds: a key frame at a point itself may come out just before it.
        key_seconds = plan.keyframe_pts * float(info.time_base) - info.start_time_seconds + SLOT_EPSILON
        point = 1
        while len(key_seconds) and point * segment_seconds <= key_seconds[-1]:
            found = int(np.searchsorted(key_seconds, point * segment_seconds))
            key = int(plan.keyframe_pts[found])
            if key != starts[-1] and key > plan.pts[0]:
                starts.append(key)
            point = max(point, math.floor(key_seconds[found] / segment_seconds)) + 1
    ends: list[int | None] = [*starts[1:], None]

    segments = []
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        begin = 0.0 if first is None else _seconds(first, info)
        finish = max(info.duration_seconds, begin) if last is None else _seconds(last, info)
        if finish <= start_seconds and last is not None:
            continue
        if end_seconds is not None and begin >= end_seconds:
            break
        previous = slot_before(first, info, plan, Sampling(fps, every))
        segments.append(Segment(video_id, index, begin, finish, first, last, previous))
    return segments


def slot_before(start_pts: int | None, info: VideoInfo, plan: PacketPlan, sampling: Sampling) -> int:
    """The sampling slot of the last frame before `start_pts`; None is the very start."""
    if start_pts is None:
        return NO_SLOT
    before = int(np.searchsorted(plan.pts, start_pts)) - 1
    return sampling.slot(before, _seconds(int(plan.pts[before]), info))


def _seconds(pts: int, info: VideoInfo) -> float:
    return float(pts * info.time_base) - info.start_time_seconds
