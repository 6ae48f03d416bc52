"""A live view in a desktop window. Knows nothing of the analysis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fervid.base.opencv import cv2

KEYS = {ord("q"): "quit", 27: "quit", ord("s"): "still"}
PROBE_SECONDS = 20.0
_PROBE = "import cv2; cv2.namedWindow('fervid'); cv2.waitKey(1)"


def why_no_window() -> str | None:
    """Why no window can be opened here; None if one can.

    Checked in a separate process: without a desktop, the underlying library aborts the process.
    """
    if not cv2.currentUIFramework():
        return "this OpenCV has no windows (opencv-python-headless)"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no desktop here (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    environment = os.environ | {"PYTHONPATH": str(Path(cv2.__file__).parents[1])}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "a window did not open in time"
    return None if done.returncode == 0 else "the desktop cannot be reached"


class Window:
    """One window, only for the main thread."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_sized = False
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()

    def show(self, rgb: np.ndarray) -> None:
        """Show an image RGB uint8 (H, W, 3)."""
        if not self._is_sized:
            cv2.resizeWindow(self._title, rgb.shape[1], rgb.shape[0])
            self._is_sized = True
        cv2.imshow(self._title, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def command(self) -> str | None:
        """What a key or the cross asks for, `quit` or `still`; None for nothing. Also gives the window time to draw."""
        pressed = cv2.waitKey(1)
        if self._is_sized and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return "quit"
        return KEYS.get(pressed & 0xFF) if pressed >= 0 else None
