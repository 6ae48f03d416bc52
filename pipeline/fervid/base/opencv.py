"""The one place that imports OpenCV, so that a missing system library or a wrong version gives a clear error."""

# Decision DET-9.

from __future__ import annotations

import os

from fervid.errors import DependencyMissing

try:
    import cv2
except ImportError as problem:  # also raised when a shared library below the wheel cannot be loaded
    raise DependencyMissing(
        f"OpenCV cannot be loaded ({problem}). On Debian or Ubuntu run `apt-get install libgl1 libglib2.0-0`, "
        "or replace opencv-python by opencv-python-headless (never install both)."
    ) from problem

CASCADES_FOLDER = os.path.join(os.path.dirname(cv2.__file__), "data")

if not hasattr(cv2, "CascadeClassifier") or not os.path.isdir(CASCADES_FOLDER):
    raise DependencyMissing(
        f"OpenCV {cv2.__version__} has no Haar cascades, which version 5 dropped. "
        "Run `pip install 'opencv-python>=4.13,<5'`."
    )

# One thread per call: parallel searches add candidates in arrival order, which would make results differ between runs.
cv2.setNumThreads(1)

__all__ = ["CASCADES_FOLDER", "cv2"]
