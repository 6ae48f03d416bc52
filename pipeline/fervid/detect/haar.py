"""Haar cascade face detector (Viola and Jones, 2001; Lienhart's alt2 cascade), as shipped with OpenCV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from fervid.detect.effort import Effort
from fervid.detect.options import DetectorOptions
from fervid.errors import ConfigError

CASCADES = {
    # The window of the cascade in pixels, and the logistic map from its level weight to a confidence: midpoint and
    # scale, fitted by benchmarks/haar_confidence.py on faces of real people against false boxes.
    "alt2": ("haarcascade_frontalface_alt2.xml", 20, 55.37, 0.29),
    "default": ("haarcascade_frontalface_default.xml", 24, 5.16, 0.73),
}

STEPS: dict[Effort, float] = {"normal": 1, "rough": 2, "fine": 0.5, "lenient": 0.5}
"""Powers of the scale factor: a rough search takes every second scale, a fine one scales in between too."""

NEIGHBOURS: dict[Effort, float] = {"normal": 1, "rough": 0.25, "fine": 0.5, "lenient": 0.25}
"""Share of the neighbours that a box needs, measured by benchmarks/detect.py."""


class HaarOptions(DetectorOptions):
    """OpenCV's Haar cascades."""

    cascade: str = Field(default="alt2", description=f"trained cascade: {', '.join(CASCADES)}")
    scale_factor: float = Field(default=1.1, gt=1.0, le=2.0, description="step from one face size to the next")
    min_neighbours: int = Field(
        default=4, ge=1, description="raw hits that a face needs; more gives fewer false faces and misses more"
    )


# Decision DET-2.
class HaarDetector:
    """Frontal faces by a boosted cascade. Not thread-safe."""

    Options = HaarOptions
    searches_windows = True
    box_shape = 1.0

    def __init__(self, *, cascade: str = "alt2", scale_factor: float = 1.1, min_neighbours: int = 4) -> None:
        if cascade not in CASCADES:
            raise ConfigError(f"cascade {cascade!r} does not exist. Use one of {', '.join(CASCADES)}.")
        from fervid.base.opencv import CASCADES_FOLDER, cv2  # not needed to read settings

        file, self.smallest_face_px, self._midpoint, self._scale = CASCADES[cascade]
        self._scale_factor = scale_factor
        self._min_neighbours = min_neighbours
        self._classifier = cv2.CascadeClassifier(str(Path(CASCADES_FOLDER) / file))

    def detect(
        self, gray: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal"
    ) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W) -> boxes float32 (n, 4), confidence float32 (n,) from the weight of the last cascade level."""
        boxes, weights = self.detect_with_weights(gray, max_face_px=max_face_px, effort=effort)
        if not len(boxes):
            return boxes, np.zeros(0, np.float32)
        return boxes, (1 / (1 + np.exp(-(weights - self._midpoint) / self._scale))).astype(np.float32)

    def detect_with_weights(
        self, gray: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same with the raw weights, float64 (n,), whose scale is the cascade's own."""
        side = self.smallest_face_px
        if min(gray.shape) < side:
            return np.zeros((0, 4), np.float32), np.zeros(0)
        largest = 0 if max_face_px is None else max(side, round(max_face_px))
        found, _, weights = self._classifier.detectMultiScale3(
            gray,
            self._scale_factor ** STEPS[effort],
            max(1, round(self._min_neighbours * NEIGHBOURS[effort])),
            minSize=(side, side),
            maxSize=(largest, largest),
            outputRejectLevels=True,
        )
        if not len(found):
            return np.zeros((0, 4), np.float32), np.zeros(0)
        boxes = np.asarray(found, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes, np.asarray(weights, np.float64).reshape(-1)
