"""Arrays as text for the page: quantised, delta-encoded, deflated, base64. Knows nothing of runs.

The page undoes it in `static/columns.js`: base64, inflate, running sum in the same width (which wraps on both sides).
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

KINDS = {"u8": (np.uint8, 0xFF), "u16": (np.uint16, 0xFFFF), "u32": (np.uint32, 0xFFFF_FFFF)}
"""Types of columns and the largest number of each."""
LEVEL = 3
"""Of compression: 6 makes an hour 3 % smaller and takes twice as long."""
ABSENT = 255
"""In a column of shares: nothing was measured. Shares are stored in steps of 1/250."""
STEPS = 250
MILLISECONDS = 1000
NUMBER_STEPS, NO_NUMBER = 65_534, 65_535


# Decision REV-2.
def pack(values: np.ndarray, kind: str) -> dict[str, Any]:
    """Integers (n,), cut to the range of `kind`, as `{kind, n, data}`: little-endian differences, deflated, base64."""
    integers, largest = KINDS[kind]
    dtype = np.dtype(integers)
    whole = np.clip(np.asarray(values), 0, largest).astype(dtype)
    steps = np.diff(whole, prepend=dtype.type(0)).astype(dtype)  # wraps around, as does the sum that undoes it
    data = zlib.compress(steps.astype(dtype.newbyteorder("<")).tobytes(), LEVEL)
    return {"kind": kind, "n": len(whole), "data": base64.b64encode(data).decode("ascii")}


def pack_shares(values: np.ndarray) -> dict[str, Any]:
    """Numbers 0..1 (n,) in steps of 1/250; NaN differs from 0."""
    return pack(quantise(values), "u8")


def pack_times(seconds: np.ndarray) -> dict[str, Any]:
    """Times in seconds (n,), rounded to milliseconds."""
    return pack(np.round(np.asarray(seconds, float) * MILLISECONDS), "u32")


def pack_numbers(values: np.ndarray) -> dict[str, Any]:
    """Numbers of any size (n,) in 65,534 steps between the lowest and the highest: `{low, high, column}`."""
    numbers = np.asarray(values, float)
    seen = np.isfinite(numbers)
    low, high = (float(numbers[seen].min()), float(numbers[seen].max())) if seen.any() else (0.0, 0.0)
    share = (np.where(seen, numbers, low) - low) / (high - low or 1.0)
    return {"low": low, "high": high, "column": pack(np.where(seen, np.round(share * NUMBER_STEPS), NO_NUMBER), "u16")}


def quantise(values: np.ndarray) -> np.ndarray:
    """Numbers 0..1 as uint8 in steps of 1/250; NaN as ABSENT."""
    numbers = np.asarray(values, float)
    seen = np.isfinite(numbers)
    steps = np.round(np.clip(np.where(seen, numbers, 0), 0, 1) * STEPS)
    return np.where(seen, steps, ABSENT).astype(np.uint8)


def plain_bytes(values: np.ndarray) -> str:
    """Bytes as base64 alone, for small pieces that a page reads at once."""
    return base64.b64encode(np.ascontiguousarray(values, np.uint8).tobytes()).decode("ascii")
