"""What the first frame unit of a coded packet says about references. Decodes nothing, knows no container."""

from __future__ import annotations

from typing import Any

H264_IDR = 5
H264_PICTURES = range(1, 6)
H264_B_SLICE = 1
HEVC_PICTURES = range(32)
HEVC_RANDOM_ACCESS = range(16, 22)
"""BLA, IDR and CRA frames: what follows them in output order refers to nothing before them (H.265, 8.1)."""

LOOKED_AT_BYTES = 8192
"""Parameter sets and supplemental information come before the frame, seldom more than a few hundred bytes."""

HEADER_BYTES = 10
"""The header of a unit, and enough of a slice for its first two numbers."""

START_CODE = b"\0\0\1"


def is_refresh(packet: Any, context: Any) -> bool:
    """Whether an H.264 or HEVC packet begins a frame from which decoding starts anew; False where it cannot be told.

    An IDR frame, or any random access frame of HEVC. `packet` and `context` are PyAV's.
    """
    header = _first_picture(packet, context)
    if header is None:
        return False
    if context.name == "h264":
        return header[0] & 31 == H264_IDR
    return header[0] >> 1 & 63 in HEVC_RANDOM_ACCESS


def is_bidirectional(packet: Any, context: Any) -> bool:
    """Whether an H.264 or HEVC packet holds a frame that may be shown before one that comes earlier in the file.

    B slices of H.264; frames of HEVC that no other of their layer refers to.
    """
    header = _first_picture(packet, context)
    if header is None or len(header) < 2:
        return False
    if context.name == "hevc":
        unit = header[0] >> 1 & 63
        return unit < HEVC_RANDOM_ACCESS.start and unit % 2 == 0
    bits = f"{int.from_bytes(header[1:]):0{8 * (len(header) - 1)}b}"
    _, bits = _exp_golomb(bits)  # the number of the first macroblock
    slice_type, _ = _exp_golomb(bits)
    return slice_type % 5 == H264_B_SLICE


def _exp_golomb(bits: str) -> tuple[int, str]:
    """The number at the begin of a string of bits (H.264, 9.1), and the bits behind it; -1 where it is incomplete."""
    zeros = len(bits) - len(bits.lstrip("0"))
    length = 2 * zeros + 1
    return (int(bits[:length], 2) - 1, bits[length:]) if 0 < length <= len(bits) else (-1, "")


def is_in_a_higher_layer(packet: Any, context: Any) -> bool:
    """Whether an HEVC packet belongs to a temporal layer above the lowest, or to none that can be told.

    Such a frame may refer to frames that its own standard calls "sub-layer non-reference" (H.265, 7.4.2.2).
    """
    header = _first_picture(packet, context)
    return header is None or header[1] & 7 != 1


def _first_picture(packet: Any, context: Any) -> bytes | None:
    """The header bytes of the first frame unit of a packet, and up to as many behind them."""
    data = bytes(memoryview(packet)[:LOOKED_AT_BYTES])
    is_h264 = context.name == "h264"
    for begin in _units(data, _length_bytes(context.extradata, is_h264=is_h264)):
        header = data[begin : begin + HEADER_BYTES]
        if len(header) < 2:
            return None
        if is_h264 and header[0] & 31 in H264_PICTURES:
            return header
        if not is_h264 and header[0] >> 1 & 63 in HEVC_PICTURES:
            return header
    return None


def _length_bytes(extradata: bytes | None, *, is_h264: bool) -> int:
    """The size of the length before each unit (avcC and hvcC records), or 0 for start codes."""
    at = 4 if is_h264 else 21
    if not extradata or len(extradata) <= at or extradata[0] != 1:
        return 0
    return (extradata[at] & 3) + 1


def _units(data: bytes, length_bytes: int) -> list[int]:
    begins = []
    if length_bytes:
        at = 0
        while at + length_bytes < len(data):
            begins.append(at + length_bytes)
            at += length_bytes + int.from_bytes(data[at : at + length_bytes])
    else:
        at = data.find(START_CODE)
        while at >= 0:
            begins.append(at + len(START_CODE))
            at = data.find(START_CODE, at + len(START_CODE))
    return begins
