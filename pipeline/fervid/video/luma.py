"""From a decoded frame to its luma plane as displayed. Knows nothing of time."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

PLANAR_8_BIT = frozenset(
    (
        "yuv420p yuvj420p yuv422p yuvj422p yuv444p yuvj444p yuv440p yuvj440p yuv411p yuv410p yuva420p "
        "nv12 nv21 nv16 gray"
    ).split()
)
PLANAR_DEEP = {
    f"{layout}{bits}le": bits for layout in ("yuv420p", "yuv422p", "yuv444p", "gray") for bits in (9, 10, 12, 14, 16)
}
MPEG_RANGE, JPEG_RANGE = 1, 2
"""AVCOL_RANGE_MPEG: luma uses 16..235, AVCOL_RANGE_JPEG: 0..255. Unknown is the first, but for frames in gray."""


# Decision VID-3.
def luma(frame: Any) -> tuple[np.ndarray, bool]:
    """The luma of a PyAV video frame, uint8 (H, W) as stored, and whether it uses the full range 0..255.

    A view of the decoder's buffer where the format allows it; deep formats lose their lowest bits; formats without a
    luma plane (RGB, palettes, packed YUV) are converted.
    """
    name = frame.format.name
    is_gray = name.startswith("gray") and frame.color_range != MPEG_RANGE
    full_range = frame.color_range == JPEG_RANGE or is_gray or name.startswith("yuvj")
    if name in PLANAR_8_BIT:
        return _plane(frame, np.uint8), full_range
    if name in PLANAR_DEEP:
        return (_plane(frame, np.uint16) >> (PLANAR_DEEP[name] - 8)).astype(np.uint8), full_range
    return frame.to_ndarray(format="gray"), True


def _plane(frame: Any, dtype: type) -> np.ndarray:
    plane = frame.planes[0]
    row = plane.line_size // np.dtype(dtype).itemsize
    return np.frombuffer(plane, dtype)[: row * frame.height].reshape(frame.height, row)[:, : frame.width]


def display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """The signs (a, b, c, d) of the frame's display matrix, or None without one: x' = a x + c y, y' = b x + d y."""
    data = frame.side_data.get("DISPLAYMATRIX")  # by name: what iterating gives changed in PyAV 19
    return None if data is None else matrix_signs(bytes(data))


def matrix_signs(content: bytes) -> tuple[int, int, int, int]:
    """The signs (a, b, c, d) of a display matrix as FFmpeg stores it: nine 32-bit fixed-point numbers, row by row."""
    a, b, _, c, d, *_ = struct.unpack("<9i", content[:36])
    return _sign(a), _sign(b), _sign(c), _sign(d)


def as_displayed(image: np.ndarray, matrix: tuple[int, int, int, int] | None) -> np.ndarray:
    """The image turned and mirrored as a player shows it (quarter turns). uint8 (H, W); without a matrix, itself."""
    if matrix is not None:
        a, b, c, d = matrix
        if a == 0 and d == 0 and b and c:
            image, along_x, along_y = image.T, c, b
        else:
            along_x, along_y = a, d
        image = image[:: -1 if along_y < 0 else 1, :: -1 if along_x < 0 else 1]
        image = np.ascontiguousarray(image)
    return image


def _sign(value: int) -> int:
    # Fixed point 16.16; the off-axis terms of a quarter turn may be off zero by rounding.
    return 0 if abs(value) < 1 << 15 else (1 if value > 0 else -1)
