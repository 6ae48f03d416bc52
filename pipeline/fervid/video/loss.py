"""Describes what of a video was lost or is doubtful. Decodes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fervid.base.printable import counted
from fervid.base.types import VideoInfo
from fervid.video.clock import Repair
from fervid.video.ledger import Ledger
from fervid.video.probe import PacketPlan

NOTICEABLE_SECONDS, NOTICEABLE_SHARE = 0.3, 0.02
"""A video stream that ends this much before its own header says was cut off."""

OTHER_STREAM_SECONDS = 2.0
"""Where the header speaks of all streams together, sound may outlast the video by this much."""

BELIEVABLE_SHARE = 0.01
"""A header that claims a hundred times what is there is wrong, not the file."""


def judge_loss(info: VideoInfo, plan: PacketPlan, ledger: Ledger) -> tuple[tuple[str, ...], bool]:
    """Warnings for the reader of a result, and whether a part of the video was lost."""
    lost, doubtful = [], []
    if ledger.bad_packets or ledger.failed:
        lost.append(
            f"damaged: {ledger.bad_packets} of {counted(ledger.packets, 'packet')} could not be decoded, "
            f"{counted(ledger.failed, 'frame')} corrupt and not classified"
        )
    if ledger.late_start_seconds > max(NOTICEABLE_SECONDS, 2 / info.average_frame_rate):
        lost.append(f"its first {ledger.late_start_seconds:.2f} s cannot be decoded: it starts mid-GOP")
    if plan.is_cut_off:
        lost.append(f"cut off: the file ends within a packet, at {info.duration_seconds:.2f} s")
    claimed = plan.claimed_seconds
    found = info.duration_seconds
    if claimed and plan.has_times:
        tolerance = NOTICEABLE_SECONDS if plan.claims_picture_alone else OTHER_STREAM_SECONDS
        if found < BELIEVABLE_SHARE * claimed:
            doubtful.append(
                f"its header claims {claimed:.0f} s, its packets cover {found:.2f} s: the packets were used"
            )
        elif found - claimed > max(OTHER_STREAM_SECONDS, claimed):
            doubtful.append(
                f"its header claims {claimed:.2f} s, its packets cover {found:.2f} s: the packets were used"
            )
        elif claimed - max(found, plan.others_end_seconds) > max(tolerance, NOTICEABLE_SHARE * claimed):
            lost.append(f"ends at {found:.2f} s of the {claimed:.2f} s that its header claims")
    if plan.is_interlaced:  # Decision VID-9.
        doubtful.append(
            "interlaced: moving faces are combed; deinterlace it first (ffmpeg -vf bwdif) for better scores"
        )
    if info.stream_names:
        n = info.stream_names.count(", ") + 1
        doubtful.append(
            f"{n} video streams ({info.stream_names}): number {info.stream} was analysed; --stream N takes another"
        )
    if not plan.has_times:
        doubtful.append(f"carries no usable times: {info.average_frame_rate:g} frames per second were assumed")
    if ledger.clock_jumps:
        doubtful.append(
            f"{counted(ledger.clock_jumps, 'frame')} had no time, or one that ran backwards, and follow the one before"
        )
    if plan.repair is not None:
        doubtful.extend(_repairs(plan.repair))
    if ledger.left_out:
        doubtful.append(
            f"fast scan: {counted(ledger.left_out, 'frame')} of {ledger.frames} were skipped, "
            "because the key frames around them show no face"
        )
    if ledger.analysed == 0:
        why = ": no key frame shows a face" if ledger.left_out else " in the chosen range"
        doubtful.append(f"no frame was analysed{why}")
    return (*lost, *doubtful), bool(lost)


def _repairs(found: Repair) -> Iterator[str]:
    if found.n_joined:
        times = "once" if found.n_joined == 1 else f"{found.n_joined} times"
        yield f"its clock ran backwards {times}, as where recordings are joined: each part follows the one before"
    if found.n_filled:
        yield f"{counted(found.n_filled, 'packet')} of {len(found.stamps)} had no usable time and got one in between"
    if found.n_unsorted:
        yield "its time stamps tell the order of decoding alone: frames take them in the order in which they are shown"
