"""Decodes the sampled frames of one segment, packet by packet, and counts what happened to every other one.

Times are presentation times; a damaged packet loses its own frame, not the rest of the file. Where the plan tells which
frames are sampled, the others are decoded only as far as those need them. Knows nothing of faces.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import av
import numpy as np

from fervid.base.types import Frame, Segment, VideoInfo
from fervid.storage.place import Place
from fervid.video.ledger import Ledger
from fervid.video.packets import FrameMaker, open_decoder, seconds_of, segment_packets
from fervid.video.probe import PacketPlan
from fervid.video.sampling import Sampling
from fervid.video.selection import Selection, select_frames
from fervid.video.units import is_in_a_higher_layer

log = logging.getLogger(__name__)

MAX_BAD_PACKETS_IN_A_ROW = 300


class _Unsound(Exception):
    """Selective decoding found a deviation from the plan, described in its text."""


def read_frames(
    path: Place,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    ledger: Ledger,
    *,
    fps: float,
    every: int | None = None,
    start_seconds: float,
    end_seconds: float | None,
    decoder_threads: int,
    max_pixels: int,
) -> Iterator[Frame]:
    """The sampled frames of a segment in presentation order: those of `Sampling(fps, every)`.

    `ledger` is filled as frames pass. A frame marked corrupt by the decoder that was due is yielded as such, and the
    next sound one takes its slot. With `start_seconds` and `end_seconds` the frames are those of a run over the whole
    video that lie in the range.

    Where the plan's times are sound, only the frames that sampling wants are decoded, and those that they refer to; as
    soon as one fails, is missing or comes out of order, the segment is decoded again in full from there on, so that
    damage costs what it does without the saving. Damage in a frame that is not needed goes unnoticed.
    """
    decoder = {"decoder_threads": decoder_threads, "max_pixels": max_pixels}
    sampling = Sampling(fps, every)
    limits = _Limits(sampling, start_seconds, end_seconds, decoder)
    selection = select_frames(info, plan, segment, sampling, start_seconds=start_seconds, end_seconds=end_seconds)
    progress = _Progress(segment.previous_slot)
    if selection is not None:
        try:
            yield from _read_selected(path, info, plan, segment, selection, ledger, progress, limits=limits)
        except _Unsound as problem:
            log.info("%s: segment %d is decoded in full: %s", path, segment.index, problem)
            ledger.reset()
            # Several threads conceal damage differently from run to run.
            limits = replace(limits, decoder=decoder | {"decoder_threads": 1})
        else:
            return
    yield from _read_all(path, info, plan, segment, ledger, progress, limits)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What of a segment is asked for, and how its decoder is opened."""

    sampling: Sampling
    start_seconds: float
    end_seconds: float | None
    decoder: dict[str, int]


@dataclass(slots=True)
class _Progress:
    """Progress of sampling a segment, from which a second decoding continues."""

    slot: int
    decided_pts: int | None = None
    """Up to here every slot is decided."""
    taken: set[int] = field(default_factory=set)
    """The frames that were passed on."""


def _read_selected(
    path: Place,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    selection: Selection,
    ledger: Ledger,
    progress: _Progress,
    *,
    limits: _Limits,
) -> Iterator[Frame]:
    """The wanted frames, each sound and in its place, or _Unsound at the first that is not."""
    due = iter(selection.wanted)
    awaited = next(due, None)
    last_pts: int | None = None
    maker = FrameMaker(info)
    with open_decoder(path, stream=info.stream, **limits.decoder) as (container, stream):
        for decoded in _decode_selected(container, stream, info, plan, segment, selection, ledger):
            pts = decoded.pts
            if pts is None or (last_pts is not None and pts <= last_pts):
                raise _Unsound(f"a frame at {pts} follows one at {last_pts}")
            last_pts = pts
            if pts >= selection.end_pts or (segment.start_pts is not None and pts < segment.start_pts):
                continue
            if awaited is not None and pts > awaited:
                raise _Unsound(f"the frame at {awaited} is missing")
            if decoded.is_corrupt:
                raise _Unsound(f"the frame at {pts} is corrupt")
            seconds = seconds_of(pts, info)
            is_in_range = seconds >= limits.start_seconds
            ledger.decoded += is_in_range
            if pts != awaited:
                ledger.skipped += is_in_range
                continue
            awaited = next(due, None)
            index = int(np.searchsorted(plan.pts, pts))
            progress.slot, progress.decided_pts = limits.sampling.slot(index, seconds), pts
            if is_in_range:
                ledger.analysed += 1
                progress.taken.add(pts)
                yield maker.frame(decoded, index, pts, seconds)
        if awaited is not None:
            raise _Unsound(f"the frame at {awaited} is missing")
    ledger.frames = selection.n_frames
    ledger.undecoded = selection.n_frames - ledger.decoded


def _decode_selected(
    container: Any,
    stream: Any,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    selection: Selection,
    ledger: Ledger,
) -> Iterator[Any]:
    """Frames as the decoder gives them, less those that neither sampling nor a wanted frame needs."""
    context = stream.codec_context
    has_layers = context.name == "hevc"
    wanted, closed = frozenset(selection.wanted), frozenset(selection.closed_pts)
    n_left = selection.wanted_until_closed(None)
    mode = "DEFAULT"
    try:
        for packet in segment_packets(container, stream, segment, info, plan):
            pts = packet.pts
            if not packet.size:
                break
            if has_layers and is_in_a_higher_layer(packet, context):
                raise _Unsound("its frames are in temporal layers")
            is_own = (
                pts is not None
                and pts < selection.end_pts
                and (segment.start_pts is None or pts >= segment.start_pts)
                and not packet.is_discard
            )
            is_wanted = is_own and pts in wanted
            if is_own:
                ledger.packets += 1
                if pts in closed:
                    n_left = selection.wanted_until_closed(pts)
            if n_left or not is_own:
                if (now := "DEFAULT" if is_wanted else "NONREF") != mode:
                    context.skip_frame = mode = now
                yield from packet.decode()
            n_left -= is_wanted
            if ledger.packets == selection.n_packets:
                break
        yield from context.decode(None)
    except av.EOFError:
        return
    except av.FFmpegError as problem:
        raise _Unsound(f"a packet cannot be decoded ({problem.strerror})") from None


def _read_all(
    path: Place,
    info: VideoInfo,
    plan: PacketPlan,
    segment: Segment,
    ledger: Ledger,
    progress: _Progress,
    limits: _Limits,
) -> Iterator[Frame]:
    """Every frame decoded; those that sampling wants are passed on, unless `progress` says that they were before."""
    clock = plan.clock(info)
    slot, taken_again = progress.slot, 0
    position = 0
    maker = FrameMaker(info)
    with open_decoder(path, stream=info.stream, **limits.decoder) as (container, stream):
        for pts, seconds, decoded in clock.shown(_decode(container, stream, info, plan, segment, ledger)):
            ledger.clock_jumps = clock.jumps
            index = int(np.searchsorted(plan.pts, pts)) if plan.has_own_times else position
            if position == 0 and segment.start_pts is None and plan.has_times:
                ledger.late_start_seconds = max(0.0, float((pts - int(plan.pts[0])) * info.time_base))
            position += 1
            if segment.start_pts is not None and pts < segment.start_pts:
                continue
            if segment.end_pts is not None and pts >= segment.end_pts:
                break
            is_decided = progress.decided_pts is not None and pts <= progress.decided_pts
            frame_slot = slot + 1 if limits.sampling.takes_all else limits.sampling.slot(index, seconds)
            is_due = not is_decided and frame_slot > slot
            if is_due and not decoded.is_corrupt:
                slot = frame_slot
            if limits.end_seconds is not None and seconds >= limits.end_seconds:
                break
            if limits.start_seconds > 0 and seconds < limits.start_seconds:
                continue
            ledger.decoded += 1
            if is_decided and pts in progress.taken:
                taken_again += 1
                ledger.analysed += 1
            elif decoded.is_corrupt:
                ledger.failed += 1
            elif is_due:
                ledger.analysed += 1
            else:
                ledger.skipped += 1
            if is_due:
                yield maker.frame(decoded, index, pts, seconds)
    # What only the first decoding gave was analysed all the same.
    ledger.decoded += len(progress.taken) - taken_again
    ledger.analysed += len(progress.taken) - taken_again
    ledger.frames = ledger.decoded


def _decode(
    container: Any, stream: Any, info: VideoInfo, plan: PacketPlan, segment: Segment, ledger: Ledger
) -> Iterator[Any]:
    """Frames as the decoder gives them, from at or before the segment's start; packets that fail are counted."""
    bad_in_a_row = 0
    for packet in segment_packets(container, stream, segment, info, plan):
        is_own = packet.pts is not None and (
            (segment.start_pts is None or packet.pts >= segment.start_pts)
            and (segment.end_pts is None or packet.pts < segment.end_pts)
        )
        counts = packet.size > 0 and (is_own or (packet.pts is None and segment.start_pts is None))
        ledger.packets += counts
        try:
            frames = packet.decode()
            bad_in_a_row = 0
        except av.EOFError:
            return
        except av.FFmpegError:
            ledger.bad_packets += counts
            bad_in_a_row += 1
            if bad_in_a_row >= MAX_BAD_PACKETS_IN_A_ROW:
                return
            continue
        yield from frames
