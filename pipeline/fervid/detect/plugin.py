"""Plug-in detectors: called, and their output checked. Knows no detector."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from fervid.base.registry import plugin_code, plugin_fault
from fervid.detect.effort import Effort
from fervid.detect.faces import LANDMARKS_SHAPE
from fervid.errors import ConfigError

KIND = "detector"


class PluginDetector:
    """The detector of another package. What fails in it, or comes back in another shape, is a PluginError naming it."""

    def __init__(self, entry: EntryPoint, make: Callable[..., Any], options: dict[str, Any]) -> None:
        """Raises ConfigError for options that it does not take, PluginError when it cannot be made."""
        self._entry = entry
        with plugin_code(entry, kind=KIND):
            try:
                inspect.signature(make).bind(**options)
            except TypeError as problem:
                raise ConfigError(
                    f"detector {entry.name!r} does not take the options {sorted(options)} ({problem}). "
                    "Correct detect.options."
                ) from None
            except ValueError:
                pass  # some callables have no signature
            self._detector = make(**options)
            for name in ("smallest_face_px", "searches_windows", "detect"):
                if not hasattr(self._detector, name):
                    raise plugin_fault(entry, f"has no {name}", kind=KIND)
            self.smallest_face_px = int(self._detector.smallest_face_px)
            self.searches_windows = bool(self._detector.searches_windows)
            self.box_shape = float(getattr(self._detector, "box_shape", 1.0))
            if not 0 < self.box_shape < float("inf"):
                raise plugin_fault(entry, f"has the box_shape {self.box_shape}, expected more than 0", kind=KIND)

    def detect(
        self, gray: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal"
    ) -> tuple[np.ndarray, ...]:
        """uint8 (H, W) -> boxes float32 (n, 4), confidence float32 (n,), and landmarks where it gives them."""
        with plugin_code(self._entry, kind=KIND):
            boxes, confidence, *rest = (
                np.asarray(part, np.float32)
                for part in self._detector.detect(gray, max_face_px=max_face_px, effort=effort)
            )
        n = len(boxes) if boxes.ndim else 0
        fits = boxes.shape == (n, 4) and confidence.shape == (n,)
        if not fits or not (np.isfinite(boxes).all() and np.isfinite(confidence).all()):
            raise plugin_fault(
                self._entry,
                f"returned boxes {boxes.shape} and confidence {confidence.shape}, expected finite (n, 4) and (n,)",
                kind=KIND,
            )
        if rest and not (rest[0].shape == (n, *LANDMARKS_SHAPE) and np.isfinite(rest[0]).all()):
            raise plugin_fault(
                self._entry, f"returned landmarks {rest[0].shape}, expected finite (n, 5, 2) or none", kind=KIND
            )
        return boxes, confidence, *rest[:1]
