"""Face detectors: the protocol and the table. Knows nothing of emotions, and loads no detector before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fervid.base.registry import DETECTOR_PLUGINS, plugins, resolve
from fervid.detect.effort import Effort

if TYPE_CHECKING:
    import numpy as np

DETECTORS = {
    "haar": "fervid.detect.haar:HaarDetector",
    "yunet": "fervid.detect.yunet:YuNetDetector",
    "centerface": "fervid.detect.centerface:CenterFaceDetector",
    "finder": "fervid.detect.finder:FinderDetector",
}
"""Each class has its options, a section of the settings, as its `Options`."""

DEFAULT_DETECTOR = "centerface"


class Detector(Protocol):
    """Finds faces in one gray image."""

    smallest_face_px: int
    """The side of the smallest face that the method finds; images are downscaled so that no smaller one is searched."""

    searches_windows: bool
    """Whether the cost of a search depends on the windows it tries, so that restricting the region pays; a network
    that looks at the image as a whole is quick at that, and surer than in a part of it."""

    box_shape: float
    """Width over height of the box of a face seen from the front; crops are widened by it. Haar's boxes are square, a
    network that was taught with boxes from the forehead to the chin gives narrower ones."""

    def detect(
        self, gray: np.ndarray, *, max_face_px: float | None = None, effort: Effort = "normal"
    ) -> tuple[np.ndarray, ...]:
        """uint8 (H, W) -> boxes float32 (n, 4) in its pixels, and confidence float32 (n,) in 0..1.

        A detector that finds landmarks gives them third: float32 (n, 5, 2), x and y of the left eye as seen in the
        image, the other eye, the tip of the nose, and the corners of the mouth, left and right. Faces wider than
        `max_face_px` need not be found; a detector may ignore it.
        """
        ...


def make_detector(name: str, options: dict[str, Any]) -> Detector:
    """The detector of that name, of fervid or of another package, made with its own options. Raises ConfigError."""
    make = resolve(DETECTORS, name, kind="detector", group=DETECTOR_PLUGINS)
    if name in DETECTORS:
        detector: Detector = make(**options)
        return detector
    from fervid.detect.plugin import PluginDetector

    return PluginDetector(plugins(DETECTOR_PLUGINS)[name], make, options)
