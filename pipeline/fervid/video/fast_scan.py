"""Scans only the key frames of a segment, and selects the intervals to analyse. Knows nothing of detectors.

An interval between two neighbouring key frames is analysed if either of them shows a face: the margin around a face is
one key frame on each side. Faces that only appear between two key frames are missed. After the last key frame of
a video there is no other, so that one decides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import av
import numpy as np

from fervid.base.types import Frame, Segment, VideoInfo
from fervid.storage.place import Place
from fervid.video.ledger import Ledger
from fervid.video.packets import FrameMaker, open_decoder, seconds_of, segment_packets
from fervid.video.probe import PacketPlan
from fervid.video.sampling import Sampling
from fervid.video.segments import slot_before

SAMPLES_PER_STRETCH = 2
"""Key frames closer than this many samples save nothing: then everything is analysed."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one key frame to the next: frames with start_pts <= pts < end_pts (None: as in Segment).

    `key_pts` are the key frames at both ends; only those that exist.
    """

    start_pts: int | None
    end_pts: int | None
    key_pts: tuple[int, ...]


def why_not_scanned(info: VideoInfo, plan: PacketPlan, sampling: Sampling) -> str | None:
    """Why a scan of key frames would not help for this video; None if it helps."""
    if not plan.is_splittable:
        return "decoding cannot start at its key frames"
    if len(plan.keyframe_pts) < 2:
        return "it has no second key frame"
    span = float((plan.keyframe_pts[-1] - plan.keyframe_pts[0]) * info.time_base)
    seconds_apart = span / (len(plan.keyframe_pts) - 1)
    if seconds_apart * sampling.frames_per_second(info.average_frame_rate) < SAMPLES_PER_STRETCH:
        return f"its key frames are {seconds_apart:.2f} s apart, hardly more than the sampled frames"
    return None


def stretches(
    info: VideoInfo, plan: PacketPlan, segment: Segment, *, start_seconds: float, end_seconds: float | None
) -> list[Stretch]:
    """The stretches of a segment that overlap [start_seconds, end_seconds), in order."""
    keys = plan.keyframe_pts
    first = 0 if segment.start_pts is None else int(np.searchsorted(keys, segment.start_pts))
    last = len(keys) if segment.end_pts is None else int(np.searchsorted(keys, segment.end_pts))
    inner = keys[max(first, 1) if segment.start_pts is None else first + 1 : last].tolist()
    found = []
    for start, end in pairwise([segment.start_pts, *inner, segment.end_pts]):
        begins = int(keys[0]) if start is None else start
        if end is not None and seconds_of(end, info) <= start_seconds:
            continue
        if end_seconds is not None and seconds_of(begins, info) >= end_seconds:
            break
        found.append(Stretch(start, end, (begins,) if end is None else (begins, end)))
    return found


def read_key_frames(
    path: Place,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    wanted: set[int],
    *,
    decoder_threads: int,
    max_pixels: int,
) -> Iterator[Frame]:
    """The key frames at the times `wanted`, in order; a damaged one is skipped, or marked as corrupt."""
    last = max(wanted)
    maker = FrameMaker(info)
    with open_decoder(path, max_pixels=max_pixels, decoder_threads=decoder_threads, stream=info.stream) as (
        container,
        stream,
    ):
        packets = segment_packets(container, stream, segment, info, plan)
        left = len(wanted)
        while True:
            packet = next(packets, None) if left else None
            is_wanted = packet is not None and packet.pts in wanted
            left -= is_wanted
            if packet is not None and packet.size and not is_wanted:
                continue
            try:
                decoded = stream.codec_context.decode(packet if is_wanted else None)
            except av.EOFError:
                return
            except av.FFmpegError:
                decoded = []
            for frame in decoded:
                if frame.pts in wanted and frame.pts <= last:
                    index = int(np.searchsorted(plan.pts, frame.pts))
                    yield maker.frame(frame, index, frame.pts, seconds_of(frame.pts, info))
            if not is_wanted:
                return


def scan(
    path: Place,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    ledger: Ledger,
    has_face: Callable[[Frame], bool],
    *,
    fps: float,
    every: int | None = None,
    start_seconds: float,
    end_seconds: float | None,
    decoder_threads: int,
    max_pixels: int,
) -> list[Segment]:
    """The pieces of a segment to be analysed, each to be read like a segment; the frames of the rest go to `ledger`.

    A damaged or missing key frame counts as one with a face, because it is unknown.
    """
    found = stretches(info, plan, segment, start_seconds=start_seconds, end_seconds=end_seconds)
    wanted = {pts for stretch in found for pts in stretch.key_pts}
    decoder = {"decoder_threads": decoder_threads, "max_pixels": max_pixels}
    seen: set[int] = set()
    empty: set[int] = set()
    for frame in read_key_frames(path, info, plan, segment, wanted, **decoder) if wanted else ():
        seen.add(frame.pts)
        if not frame.is_corrupt and not has_face(frame):
            empty.add(frame.pts)
    pieces: list[Segment] = []
    for stretch in found:
        if empty.issuperset(stretch.key_pts):
            _leave_out(stretch, seen, info, plan, ledger, start_seconds=start_seconds, end_seconds=end_seconds)
            continue
        end = segment.end_seconds if stretch.end_pts is None else seconds_of(stretch.end_pts, info)
        if pieces and pieces[-1].end_pts == stretch.start_pts:
            pieces[-1] = replace(pieces[-1], end_pts=stretch.end_pts, end_seconds=end)
            continue
        piece = replace(
            segment,
            start_pts=stretch.start_pts,
            end_pts=stretch.end_pts,
            start_seconds=segment.start_seconds if stretch.start_pts is None else seconds_of(stretch.start_pts, info),
            end_seconds=end,
            previous_slot=slot_before(stretch.start_pts, info, plan, Sampling(fps, every)),
        )
        pieces.append(piece)
    return pieces


def _leave_out(
    stretch: Stretch,
    seen: set[int],
    info: VideoInfo,
    plan: PacketPlan,
    ledger: Ledger,
    *,
    start_seconds: float,
    end_seconds: float | None,
) -> None:
    first = 0 if stretch.start_pts is None else int(np.searchsorted(plan.pts, stretch.start_pts))
    last = len(plan.pts) if stretch.end_pts is None else int(np.searchsorted(plan.pts, stretch.end_pts))
    inside = [
        pts
        for pts in plan.pts[first:last].tolist()
        if start_seconds <= seconds_of(pts, info) and (end_seconds is None or seconds_of(pts, info) < end_seconds)
    ]
    n_seen = len(seen.intersection(inside))
    ledger.add(Ledger(frames=len(inside), left_out=len(inside) - n_seen, decoded=n_seen, skipped=n_seen))
