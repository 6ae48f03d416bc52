"""Pure functions on boxes: float32 (n, 4), xyxy in pixels, maximum exclusive."""

from __future__ import annotations

import numpy as np


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of `a` (n, 4) with every box of `b` (m, 4): float64 (n, m)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - overlap
    return np.asarray(np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0))


def pad_boxes(boxes: np.ndarray, across: float, down: float) -> np.ndarray:
    """Boxes grown by `across` times their width to the left and right, and by `down` times their height above and
    below; may leave the frame."""
    size = (boxes[:, 2:] - boxes[:, :2]) * np.array([across, down], boxes.dtype)
    return np.concatenate([boxes[:, :2] - size, boxes[:, 2:] + size], axis=1)


def clip_boxes(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes cut to a frame of `width` x `height` pixels."""
    limit = np.array([width, height, width, height], boxes.dtype)
    return np.asarray(np.clip(boxes, 0, limit))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1))
