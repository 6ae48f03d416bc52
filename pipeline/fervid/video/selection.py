"""Selects the sampled frames of a segment, and the packets that decoding them does not need. Decodes nothing.

A frame that no sample wants is left to the decoder to skip where nothing refers to it, and its packet is not sent at
all behind the last wanted frame of a closed group of frames. Decoded frames stay bit-identical.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from fervid.base.types import Segment, VideoInfo
from fervid.video.probe import PacketPlan
from fervid.video.sampling import Sampling

SKIPPING_DECODERS = frozenset(("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"))
"""Decoders that FFmpeg can tell from packet to packet to skip what nothing refers to."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The frames that sampling wants of one segment.

    `wanted` pts, ascending; those before the range asked for are among them, for they decide who fills a slot.
    `n_packets` of the segment that decoding may need, `end_pts` after them; `n_frames` of them lie in the range.
    """

    wanted: tuple[int, ...]
    end_pts: int
    n_packets: int
    n_frames: int
    closed_pts: tuple[int, ...]
    """Key frames of the segment that nothing refers across."""

    def wanted_until_closed(self, pts: int | None) -> int:
        """How many wanted frames lie from `pts` (None: the segment's start) to the next closed key frame after it."""
        first = 0 if pts is None else bisect_left(self.wanted, pts)
        after = 0 if pts is None else bisect_left(self.closed_pts, pts + 1)
        end = self.closed_pts[after] if after < len(self.closed_pts) else self.end_pts
        return bisect_left(self.wanted, end) - first


def select_frames(
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    sampling: Sampling,
    *,
    start_seconds: float,
    end_seconds: float | None,
) -> Selection | None:
    """The selection of a segment, or None where every frame has to be decoded to know which ones are sampled."""
    can_skip = info.codec in SKIPPING_DECODERS or plan.is_intra_only
    if sampling.takes_all or not can_skip or not plan.has_own_times:
        return None
    first = 0 if segment.start_pts is None else int(np.searchsorted(plan.pts, segment.start_pts))
    last = len(plan.pts) if segment.end_pts is None else int(np.searchsorted(plan.pts, segment.end_pts))
    # Integer products and one division round as the fraction itself would: slots must come out as they do for frames.
    numerator, denominator = info.time_base.numerator, info.time_base.denominator
    wanted: list[int] = []
    slot, n_frames = segment.previous_slot, 0
    for position, pts in enumerate(plan.pts[first:last].tolist()):
        seconds = pts * numerator / denominator - info.start_time_seconds
        if end_seconds is not None and seconds >= end_seconds:
            last = first + position
            break
        n_frames += seconds >= start_seconds
        if (frame_slot := sampling.slot(first + position, seconds)) > slot:
            slot = frame_slot
            wanted.append(pts)
    end = int(plan.pts[last]) if last < len(plan.pts) else int(plan.pts[-1]) + 1
    closed = plan.closed_pts[(plan.closed_pts >= plan.pts[first]) & (plan.closed_pts < end)]
    return Selection(tuple(wanted), end, last - first, n_frames, tuple(closed.tolist()))
