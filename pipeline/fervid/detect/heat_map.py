"""A network that answers with a heat map of face centres, in LiteRT. Knows no such network.

For each cell of the image it says how likely a face's centre is in it (probability); the logarithm of the face's height
and width in cells; where the centre is from that of the cell (y, x, in cells); five points (y, x) as shares of the box.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from fervid.detect.effort import Effort
from fervid.runtime.litert import open_network

MULTIPLE_PX = 32
"""The networks halve their input five times."""
LEAST_PX = 64
"""In a flat image of 32 x 32 pixels CenterFace sees faces, in one of 64 x 64 none (probability 0.03)."""
LENIENT_SHARE = 0.6
"""Where a face is known so much of the threshold is enough."""


class HeatMapDetector:
    """Faces of any pose and their landmarks, by a small convolutional network. Not thread-safe."""

    stride_px: ClassVar[int]
    """The network answers for cells of this side."""
    smallest_face_px = 15
    searches_windows = False
    box_shape = 0.9

    def __init__(
        self, network_for: Callable[[int, int], bytes], *, score_threshold: float, nms_threshold: float
    ) -> None:
        """`network_for` gives the TFLite file for an image of some height and width, each a multiple of 32."""
        # Imported here, so that settings can be read where OpenCV is not installed.
        from fervid.base.opencv import cv2

        self._cv2 = cv2
        self.sure_confidence = score_threshold
        """A look with `lenient` effort gives less sure faces too."""
        self._nms_threshold = nms_threshold
        self._shape = LEAST_PX, LEAST_PX
        self._network = open_network(network_for(*self._shape))
        self._entry = self._network.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._network.get_output_details()]

    def detect(
        self,
        gray: np.ndarray,
        *,
        max_face_px: float | None = None,  # noqa: ARG002 (one pass finds every size)
        effort: Effort = "normal",
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 (H, W) -> boxes float32 (n, 4), confidence float32 (n,), landmarks float32 (n, 5, 2) in pixels.

        The confidence is the network's probability that a face's centre is there. The landmarks are the eye on the
        left of the image, the other eye, the tip of the nose and the corners of the mouth, left and right.
        """
        threshold = self.sure_confidence * (LENIENT_SHARE if effort == "lenient" else 1.0)
        height, width = gray.shape
        right, bottom = (max(LEAST_PX - side, -side % MULTIPLE_PX) for side in (width, height))
        cv2 = self._cv2
        padded = cv2.copyMakeBorder(gray, 0, bottom, 0, right, cv2.BORDER_CONSTANT) if right or bottom else gray
        heat, size, offset, points = self._answers(padded)
        rows, columns = np.nonzero(heat[..., 0] >= threshold)
        if not len(rows):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        scores = heat[rows, columns, 0]
        sides = np.exp(size[rows, columns, ::-1]) * self.stride_px  # width, height
        cells = np.stack([columns, rows], axis=1)
        low = (cells + offset[rows, columns, ::-1] + 0.5) * self.stride_px - sides / 2
        kept = np.asarray(
            cv2.dnn.NMSBoxes(np.hstack([low, sides]).tolist(), scores.tolist(), 0.0, self._nms_threshold), np.intp
        ).reshape(-1)
        # A face centred in the padding is not part of the image.
        kept = kept[((low + sides / 2)[kept] < (width, height)).all(axis=1)]
        at = points[rows[kept], columns[kept]].reshape(-1, 5, 2)[..., ::-1]
        landmarks = at * sides[kept, None] + low[kept, None]
        boxes = np.hstack([low, low + sides])[kept]
        return boxes.astype(np.float32), scores[kept].astype(np.float32), landmarks.astype(np.float32)

    def _answers(self, gray: np.ndarray) -> list[np.ndarray]:
        """The network's outputs for an image whose sides it can halve: float32 (h / stride, w / stride, n) each."""
        network, entry = self._network, self._entry
        if gray.shape != self._shape:
            network.resize_tensor_input(entry, (1, *gray.shape, 1))
            network.allocate_tensors()
            self._shape = gray.shape
        network.set_tensor(entry, gray[None, ..., None].astype(np.float32))
        network.invoke()
        return [network.get_tensor(output)[0] for output in self._outputs]
